//! The templates as JSON, with the short forms of CloudFormation's functions spelled out.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

use crate::sources::read;

/// A template of CloudFormation.
pub struct Template(pub Value);

impl Template {
    /// Reads `template.yaml`.
    pub fn read() -> Self {
        Self::parse(&read("template.yaml"))
    }

    /// Reads `deploy/watch.yaml`.
    pub fn watch() -> Self {
        Self::parse(&read("deploy/watch.yaml"))
    }

    /// Reads `deploy/chat.yaml`.
    pub fn chat() -> Self {
        Self::parse(&read("deploy/chat.yaml"))
    }

    /// Reads a template from its text.
    pub fn parse(text: &str) -> Self {
        let documents = Yaml::load_from_str(text).expect("the template is YAML");
        Self(long_form(&documents[0]))
    }

    /// The resources of a type, by their logical ids.
    pub fn resources(&self, kind: &str) -> BTreeMap<&str, &Value> {
        let resources = self.0["Resources"].as_object().expect("the template has resources");
        resources.iter().filter(|(_, it)| it["Type"] == kind).map(|(id, it)| (id.as_str(), it)).collect()
    }

    /// The functions by their logical ids, their properties joined with those that `Globals` gives to all.
    pub fn functions(&self) -> BTreeMap<&str, Value> {
        let of_all = &self.0["Globals"]["Function"];
        let functions = self.resources("AWS::Serverless::Function").into_iter();
        functions.map(|(id, it)| (id, joined(of_all, &it["Properties"]))).collect()
    }

    /// The statements of the policies that a role holds.
    pub fn statements(&self, role: &str) -> Vec<&Value> {
        let role = &self.0["Resources"][role];
        assert_eq!(role["Type"], "AWS::IAM::Role", "{role}");
        let policies = role["Properties"]["Policies"].as_array().expect("a role of a function has policies");
        policies.iter().flat_map(|it| list(&it["PolicyDocument"]["Statement"])).collect()
    }
}

/// One value or a list of them, as a list. Both branches of an `Fn::If` count, unless one is `AWS::NoValue`.
pub fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().flat_map(list).collect(),
        Value::Object(it) if it.get("Ref").is_some_and(|it| it == "AWS::NoValue") => Vec::new(),
        Value::Object(it) if it.contains_key("Fn::If") => {
            value["Fn::If"].as_array().expect("Fn::If takes a list")[1..].iter().flat_map(list).collect()
        }
        one => vec![one],
    }
}

/// SAM joins maps key by key; anything else of the function's own takes the place of the general one.
fn joined(general: &Value, own: &Value) -> Value {
    match (general, own) {
        (Value::Object(general), Value::Object(own)) => {
            let mut both = general.clone();
            for (key, value) in own {
                let value = general.get(key).map_or_else(|| value.clone(), |it| joined(it, value));
                both.insert(key.clone(), value);
            }
            Value::Object(both)
        }
        (general, Value::Null) => general.clone(),
        (_, own) => own.clone(),
    }
}

fn long_form(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(it)) => json!(it),
        Yaml::Value(Scalar::Integer(it)) => json!(it),
        Yaml::Value(Scalar::FloatingPoint(it)) => json!(it.into_inner()),
        Yaml::Value(Scalar::String(it)) => json!(it),
        Yaml::Sequence(values) => values.iter().map(long_form).collect(),
        Yaml::Mapping(entries) => {
            let key = |it: &Yaml| it.as_str().unwrap_or_else(|| panic!("{it:?} is a key but no text")).to_owned();
            Value::Object(entries.iter().map(|(name, value)| (key(name), long_form(value))).collect::<Map<_, _>>())
        }
        Yaml::Tagged(tag, value) => function(&tag.suffix, long_form(value)),
        other => panic!("{other:?} has no place in a template"),
    }
}

fn function(name: &str, argument: Value) -> Value {
    match (name, argument) {
        ("Ref", argument) => json!({ "Ref": argument }),
        ("Condition", argument) => json!({ "Condition": argument }),
        ("GetAtt", Value::String(path)) => json!({ "Fn::GetAtt": path.split('.').collect::<Vec<_>>() }),
        (name, argument) => json!({ format!("Fn::{name}"): argument }),
    }
}
