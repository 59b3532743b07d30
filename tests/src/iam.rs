//! A small evaluator of IAM policies, as far as the template's own statements go.
//!
//! It knows what they use and refuses to judge the rest, so that a new operator cannot pass unevaluated.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::stack::Stack;
use crate::template::list;

/// A request for one action on one resource. A call of AWS can be several of them, and needs all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `ecs:UpdateService`.
    pub action: String,
    /// An ARN, or `*` for an action that is about no resource.
    pub resource: String,
    /// The condition keys that AWS fills in, each with its values.
    pub context: BTreeMap<String, Vec<String>>,
}

impl Request {
    /// A request without any condition key.
    pub fn new(action: &str, resource: &str) -> Self {
        Self { action: action.to_owned(), resource: resource.to_owned(), context: BTreeMap::new() }
    }

    /// The request with a value of a condition key.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.context.entry(key.to_owned()).or_default().push(value.to_owned());
        self
    }
}

/// The statements of a policy, with every function of CloudFormation worked out.
#[derive(Clone, Debug)]
pub struct Policy {
    /// In the order of the document.
    pub statements: Vec<Statement>,
}

/// A statement of a policy.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its name.
    pub sid: String,
    /// `Allow`, otherwise `Deny`.
    pub allows: bool,
    /// Actions; a `*` in one stands for any text.
    pub actions: Vec<String>,
    /// ARNs; a `*` in one stands for any text.
    pub resources: Vec<String>,
    /// All have to hold.
    pub conditions: Vec<Condition>,
}

/// One key of a statement's `Condition`.
#[derive(Clone, Debug)]
pub struct Condition {
    /// `StringLike`, `ForAllValues:StringLike`, …
    pub operator: String,
    /// `aws:TagKeys`, …
    pub key: String,
    /// One of them has to match.
    pub values: Vec<String>,
}

impl Policy {
    /// What a role may do in this stack.
    pub fn of_role(stack: &Stack, role: &str) -> Self {
        let role = stack.made("AWS::IAM::Role").remove(role).unwrap_or_else(|| panic!("no role is called {role}"));
        let documents = list(&role["Policies"]).into_iter().map(|it| &it["PolicyDocument"]);
        Self { statements: documents.flat_map(|it| Self::of_document(stack, it).statements).collect() }
    }

    /// The statements of a policy document.
    pub fn of_document(stack: &Stack, document: &Value) -> Self {
        // A resource of the stack stands for its ARN; anything else is as it is.
        let arns = |it: &Value| texts(it).into_iter().map(|it| stack.arn(&it).unwrap_or(it)).collect::<Vec<_>>();
        let statement = |it: &Value| Statement {
            sid: it["Sid"].as_str().unwrap_or_default().to_owned(),
            allows: it["Effect"] == "Allow",
            actions: texts(&it["Action"]),
            resources: arns(&it["Resource"]),
            conditions: conditions(&it["Condition"], arns),
        };
        Self { statements: list(&document["Statement"]).into_iter().map(statement).collect() }
    }

    /// Whether IAM lets the request through: a statement allows it and none denies it.
    pub fn allows(&self, request: &Request) -> bool {
        self.statements.iter().any(|it| it.allows && it.applies_to(request)) && !self.denies(request)
    }

    /// Whether a statement denies the request, whatever allows it.
    pub fn denies(&self, request: &Request) -> bool {
        self.statements.iter().any(|it| !it.allows && it.applies_to(request))
    }
}

impl Statement {
    fn applies_to(&self, request: &Request) -> bool {
        let action = |it: &String| it == &request.action || matches(&it.to_lowercase(), &request.action.to_lowercase());
        self.actions.iter().any(action)
            && self.resources.iter().any(|it| matches(it, &request.resource))
            && self.conditions.iter().all(|it| it.holds_for(request))
    }
}

impl Condition {
    fn holds_for(&self, request: &Request) -> bool {
        let given = request.context.get(&self.key).map(Vec::as_slice).unwrap_or_default();
        let any = |given: &String| self.values.iter().any(|wanted| self.compares(wanted, given));
        match self.operator.split_once(':') {
            // Also true of a request without the key.
            Some(("ForAllValues", _)) => given.iter().all(any),
            Some(("ForAnyValue", _)) => given.iter().any(any),
            // A negated comparison is true of a request without the key.
            None if self.operator == "ArnNotLike" => !given.iter().any(any),
            None if self.operator == "Null" => self.values.iter().any(|it| (it == "true") == given.is_empty()),
            None => given.iter().any(any),
            Some(_) => panic!("{} is an operator that this does not know", self.operator),
        }
    }

    fn compares(&self, wanted: &str, given: &str) -> bool {
        match self.operator.rsplit(':').next() {
            Some("StringEquals" | "Bool") => wanted == given,
            Some("StringLike") => matches(wanted, given),
            Some("ArnLike" | "ArnNotLike") => matches_arn(wanted, given),
            _ => panic!("{} is an operator that this does not know", self.operator),
        }
    }
}

fn conditions(value: &Value, texts: impl Fn(&Value) -> Vec<String>) -> Vec<Condition> {
    let operators = value.as_object().into_iter().flatten();
    operators
        .flat_map(|(operator, keys)| {
            let keys = keys.as_object().expect("an operator has keys").iter();
            let of_key = |(key, it): (&String, &Value)| Condition {
                operator: operator.clone(),
                key: key.clone(),
                values: texts(it),
            };
            keys.map(of_key).collect::<Vec<_>>()
        })
        .collect()
}

fn texts(value: &Value) -> Vec<String> {
    list(value).into_iter().map(|it| it.as_str().unwrap_or_else(|| panic!("{it} is not a text")).to_owned()).collect()
}

/// Whether the text is one that the pattern stands for; `*` is any text and `?` any character.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut from) = (0, 0);
    // Where the last star stands, and how much of the text it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&it) if it == b'?' || it == text[from] => (at, from) = (at + 1, from + 1),
            _ => {
                let Some((last, taken)) = star else { return false };
                star = Some((last, taken + 1));
                (at, from) = (last + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|it| *it == b'*')
}

/// As conditions compare ARNs: each of the six parts by itself.
fn matches_arn(pattern: &str, arn: &str) -> bool {
    let parts: Vec<_> = pattern.splitn(6, ':').zip(arn.splitn(6, ':')).collect();
    parts.len() == 6 && parts.iter().all(|(pattern, part)| matches(pattern, part))
}

/// Whether there is a text that both patterns stand for, in which only `*` is special.
pub fn overlaps(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    // reached[at]: the first characters of `one` taken so far, and the first `at` of `other`, can mean the same text.
    let mut reached = vec![false; other.len() + 1];
    reached[0] = true;
    let skip_stars = |reached: &mut Vec<bool>| {
        for at in 0..other.len() {
            reached[at + 1] |= reached[at] && other[at] == '*';
        }
    };
    skip_stars(&mut reached);
    for &character in &one {
        let mut next = vec![false; other.len() + 1];
        for at in 0..=other.len() {
            if !reached[at] {
                continue;
            }
            if character == '*' {
                next[at..].fill(true);
                break;
            }
            match other.get(at) {
                Some('*') => next[at] = true,
                Some(&it) if it == character => next[at + 1] = true,
                _ => {}
            }
        }
        skip_stars(&mut next);
        reached = next;
    }
    reached[other.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("arn:*:service/*", "arn:aws:ecs:r:1:service/prod/api", true),
            ("arn:*:service/*", "arn:aws:ecs:r:1:service-revision/prod/api", false),
            ("snapshot:nightshift-*", "snapshot:nightshift-", true),
            ("snapshot:nightshift-*", "snapshot:nightshif", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("abc", "abcd", false),
            ("abc", "a*c", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn patterns_overlap_where_a_text_fits_both() {
        for (one, other, expected) in [
            ("*", "*", true),
            ("a*", "*b", true),
            ("service/*", "service/*/*", true),
            ("service/*", "service-revision/*", false),
            ("*:key/*", "arn:key/1", true),
            ("snapshot:nightshift-*", "snapshot:*", true),
            ("db:*", "cluster:*", false),
        ] {
            assert_eq!(overlaps(one, other), expected, "{one} {other}");
            assert_eq!(overlaps(other, one), expected, "{other} {one}");
        }
    }

    /// Whether a policy of one statement with this condition allows a request with these tag keys.
    fn check(condition: Value, keys: &[&str], expected: bool) {
        let statement = json!({ "Effect": "Allow", "Action": "a:B", "Resource": "*", "Condition": condition });
        let policy = Policy::of_document(&Stack::with(&[]), &json!({ "Statement": [statement] }));
        let request = keys.iter().fold(Request::new("a:b", "x"), |it, key| it.with("aws:TagKeys", key));
        assert_eq!(policy.allows(&request), expected, "{condition} {keys:?}");
    }

    #[test]
    fn conditions_are_judged_as_iam_does() {
        let all = json!({ "ForAllValues:StringLike": { "aws:TagKeys": "ours:*" } });
        check(all.clone(), &["ours:a", "ours:b"], true);
        check(all.clone(), &["ours:a", "theirs"], false);
        check(all, &[], true);
        check(json!({ "Null": { "aws:TagKeys": "false" } }), &[], false);
        check(json!({ "Null": { "aws:TagKeys": "false" } }), &["a"], true);
        check(json!({ "Null": { "aws:TagKeys": "true" } }), &["a"], false);
        check(json!({ "StringEquals": { "aws:TagKeys": ["a", "b"] } }), &["b"], true);
        check(json!({ "StringEquals": { "aws:TagKeys": "*" } }), &["b"], false);
        check(json!({ "StringEquals": { "aws:TagKeys": "a" } }), &[], false);
        let any = json!({ "ForAnyValue:StringLike": { "aws:TagKeys": "ours:*" } });
        check(any.clone(), &["theirs", "ours:a"], true);
        check(any, &[], false);
        let not_like = json!({ "ArnNotLike": { "aws:TagKeys": "arn:aws:iam::*:role/ops" } });
        check(not_like.clone(), &["arn:aws:iam::1:role/ops"], false);
        check(not_like.clone(), &["arn:aws:iam::1:x:role/ops"], true);
        check(not_like, &[], true);
        check(json!({ "StringLike": { "aws:TagKeys": "a*" }, "Null": { "other": "true" } }), &["ab"], true);
    }

    #[test]
    fn a_denial_wins() {
        let allow = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
        let deny = json!({ "Effect": "Deny", "Action": "sqs:*", "Resource": "*" });
        let policy = Policy::of_document(&Stack::with(&[]), &json!({ "Statement": [allow, deny] }));
        assert!(policy.allows(&Request::new("sns:Publish", "x")));
        assert!(!policy.allows(&Request::new("sqs:SendMessage", "x")));
    }
}
