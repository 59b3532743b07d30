//! Texts in the JSON of CodeDeploy.

use serde_json::Value;

pub fn names(values: Vec<Value>) -> Vec<String> {
    values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A field that is a text; empty if it is not there.
pub fn text<'a>(it: &'a Value, name: &str) -> &'a str {
    it[name].as_str().unwrap_or_default()
}
