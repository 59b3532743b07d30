//! What CloudFormation makes of the template with given parameters: conditions and functions worked out.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::template::{Template, list};

// Read once, because a test asks for hundreds of stacks.
static MAIN: LazyLock<Template> = LazyLock::new(Template::read);
static WATCH: LazyLock<Template> = LazyLock::new(Template::watch);
static CHAT: LazyLock<Template> = LazyLock::new(Template::chat);

/// A template with a value for each parameter.
pub struct Stack {
    template: &'static Template,
    parameters: BTreeMap<String, String>,
}

impl Stack {
    /// `template.yaml` with these parameters, the others as they are by default.
    pub fn with(given: &[(&str, &str)]) -> Self {
        Self::of(&MAIN, given)
    }

    /// `deploy/watch.yaml` with these parameters, the others as they are by default.
    pub fn watching(given: &[(&str, &str)]) -> Self {
        Self::of(&WATCH, given)
    }

    /// `deploy/chat.yaml` with these parameters, the others as they are by default.
    pub fn chatting(given: &[(&str, &str)]) -> Self {
        Self::of(&CHAT, given)
    }

    fn of(template: &'static Template, given: &[(&str, &str)]) -> Self {
        let known = template.0["Parameters"].as_object().expect("the template has parameters");
        let mut parameters: BTreeMap<_, _> =
            known.iter().map(|(name, it)| (name.clone(), default(&it["Default"]))).collect();
        for (name, value) in given {
            let default = parameters.get_mut(*name).unwrap_or_else(|| panic!("no parameter is called {name}"));
            *default = (*value).to_owned();
        }
        Stack { template, parameters }
    }

    /// The properties of the resources of a type that are made, by their logical ids.
    pub fn made(&self, kind: &str) -> BTreeMap<String, Value> {
        let resources = self.template.resources(kind).into_iter();
        let made = resources.filter(|(_, it)| it["Condition"].as_str().is_none_or(|it| self.holds(it)));
        made.map(|(id, it)| (id.to_owned(), self.filled(&it["Properties"]).expect("properties"))).collect()
    }

    /// The ARN of the resource that a reference or attribute stands for, such as `Topic` or `FailureQueue.Arn`.
    pub fn arn(&self, name: &str) -> Option<String> {
        let id = name.strip_suffix(".Arn").unwrap_or(name);
        let resource = &self.template.0["Resources"][id];
        let named = |property: &str| text(&self.filled(&resource["Properties"][property]).expect("a name"));
        let (service, rest) = match resource["Type"].as_str()? {
            "AWS::Logs::LogGroup" => ("logs", format!("log-group:{}:*", named("LogGroupName"))),
            "AWS::IAM::Role" => return Some(format!("arn:aws:iam::123456789012:role/nightshift-{id}")),
            "AWS::SNS::Topic" => ("sns", format!("nightshift-{id}")),
            "AWS::SQS::Queue" => ("sqs", format!("nightshift-{id}")),
            "AWS::Serverless::Function" => ("lambda", format!("function:{}", named("FunctionName"))),
            other => panic!("how ARNs of {other} look is not known here"),
        };
        let [partition, region, account] =
            ["AWS::Partition", "AWS::Region", "AWS::AccountId"].map(|it| self.variable(it));
        Some(format!("arn:{partition}:{service}:{region}:{account}:{rest}"))
    }

    /// Whether CloudFormation takes these parameters: every rule's assertions hold where the rule applies.
    pub fn is_accepted(&self) -> bool {
        let rules = self.template.0["Rules"].as_object().expect("the template has rules");
        rules
            .values()
            .filter(|it| it["RuleCondition"].is_null() || self.is_true(&it["RuleCondition"]))
            .all(|rule| list(&rule["Assertions"]).into_iter().all(|it| self.is_true(&it["Assert"])))
    }

    fn holds(&self, condition: &str) -> bool {
        let conditions = &self.template.0["Conditions"];
        assert!(!conditions[condition].is_null(), "no condition is called {condition}");
        self.is_true(&conditions[condition])
    }

    fn is_true(&self, condition: &Value) -> bool {
        let (function, argument) = function(condition).unwrap_or_else(|| panic!("{condition} is not a condition"));
        match function {
            "Condition" => self.holds(argument.as_str().expect("the name of a condition")),
            "Fn::Equals" => self.filled(&argument[0]) == self.filled(&argument[1]),
            "Fn::Not" => !self.is_true(&argument[0]),
            "Fn::And" => list(argument).into_iter().all(|it| self.is_true(it)),
            "Fn::Or" => list(argument).into_iter().any(|it| self.is_true(it)),
            other => panic!("{other} in a condition is a function that this does not know"),
        }
    }

    /// The value with every function worked out; none where it comes to `AWS::NoValue`.
    fn filled(&self, value: &Value) -> Option<Value> {
        if let Some((function, argument)) = function(value) {
            return self.result(function, argument);
        }
        Some(match value {
            Value::Array(values) => values.iter().filter_map(|it| self.filled(it)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter().filter_map(|(name, it)| Some((name.clone(), self.filled(it)?)));
                Value::Object(fields.collect::<Map<_, _>>())
            }
            plain => plain.clone(),
        })
    }

    fn result(&self, function: &str, argument: &Value) -> Option<Value> {
        let of = |at: usize| self.filled(&argument[at]).unwrap_or_else(|| panic!("{argument} has no value {at}"));
        Some(match function {
            "Ref" if argument == "AWS::NoValue" => return None,
            "Ref" => {
                let value = self.variable(argument.as_str().expect("a name"));
                match self.template.0["Parameters"][argument.as_str().expect("a name")]["Type"].as_str() {
                    Some("CommaDelimitedList") => value.split(',').collect(),
                    _ => value.into(),
                }
            }
            "Fn::If" => {
                let branch = if self.holds(argument[0].as_str().expect("a condition")) { 1 } else { 2 };
                return self.filled(&argument[branch]);
            }
            "Fn::Sub" => match argument {
                Value::Array(_) => self.substituted(&text(&argument[0]), &argument[1]),
                plain => self.substituted(&text(plain), &Value::Null),
            }
            .into(),
            "Fn::GetAtt" => self.variable(&format!("{}.{}", text(&argument[0]), text(&argument[1]))).into(),
            "Fn::Join" => {
                let parts: Vec<_> = of(1).as_array().expect("a list").iter().map(text).collect();
                parts.join(&text(&argument[0])).into()
            }
            "Fn::Split" => text(&of(1)).split(&text(&argument[0])).collect(),
            "Fn::Select" => of(1)[text(&argument[0]).parse::<usize>().expect("an index")].clone(),
            other => panic!("{other} is a function that this does not know"),
        })
    }

    /// The text with each `${…}` replaced, by what `local` says first.
    fn substituted(&self, template: &str, local: &Value) -> String {
        let mut pieces = template.split("${");
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (name, rest) = piece.split_once('}').unwrap_or_else(|| panic!("'${{{piece}' is not closed"));
            match &local[name] {
                Value::Null => filled.push_str(&self.variable(name)),
                local => filled.push_str(&text(&self.filled(local).expect("a text"))),
            }
            filled.push_str(rest);
        }
        filled
    }

    /// A parameter, one of AWS's own, or a resource or its attribute, which stands for itself.
    fn variable(&self, name: &str) -> String {
        let of_aws = match name {
            "AWS::AccountId" => "123456789012",
            "AWS::Partition" => "aws",
            "AWS::Region" => "ap-northeast-2",
            "AWS::StackName" => "nightshift",
            other => {
                if let Some(value) = self.parameters.get(other) {
                    return value.clone();
                }
                let resource = other.split('.').next().unwrap_or_default();
                assert!(!self.template.0["Resources"][resource].is_null(), "{other} stands for nothing");
                let condition = self.template.0["Resources"][resource]["Condition"].as_str();
                assert!(condition.is_none_or(|it| self.holds(it)), "{other} is used where it is not made");
                other
            }
        };
        of_aws.to_owned()
    }
}

/// The function that a value stands for, and its argument.
fn function(value: &Value) -> Option<(&str, &Value)> {
    let fields = value.as_object().filter(|it| it.len() == 1)?;
    let (name, argument) = fields.iter().next()?;
    (name == "Ref" || name == "Condition" || name.starts_with("Fn::")).then_some((name, argument))
}

/// What a parameter is by default; one that must be given is nothing.
fn default(value: &Value) -> String {
    if value.is_null() { String::new() } else { text(value) }
}

/// A text or a number, as CloudFormation spells it in a text.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => panic!("{other} is not a text"),
    }
}
