//! Which fields of a task definition are sent, held against the sources of the SDK.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::plan::world::{DELETED_ONLY, OUTPUT_ONLY};

/// The SDK knows which fields only come and never go; an upgrade that knows another one has to be looked at.
#[test]
fn what_is_left_out_is_exactly_what_cannot_be_sent() {
    let described = fields("types/_task_definition.rs");
    let registered = fields("operation/register_task_definition/_register_task_definition_input.rs");
    assert!(described.contains("containerDefinitions") && registered.contains("containerDefinitions"));
    let output_only: BTreeSet<String> = described.difference(&registered).cloned().collect();
    let left_out: BTreeSet<String> = OUTPUT_ONLY.iter().chain(&DELETED_ONLY).map(|it| it.to_string()).collect();
    assert_eq!(output_only, left_out);
    // What can be registered and is not described would be lost; tags are described beside the task definition.
    let unseen: Vec<&String> = registered.difference(&described).collect();
    assert_eq!(unseen, ["tags"]);
}

/// The public fields of the struct in a source file of the SDK, as they are called on the wire.
fn fields(file: &str) -> BTreeSet<String> {
    let source = std::fs::read_to_string(sdk().join("src").join(file)).unwrap();
    let names = source.lines().filter_map(|line| Some(line.trim().strip_prefix("pub ")?.split_once(": ")?.0));
    names.filter(|it| it.bytes().all(|it| it.is_ascii_lowercase() || it == b'_')).map(camel_case).collect()
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}

/// Where cargo keeps the sources of the SDK that this is built with.
fn sdk() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version=1"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let metadata: Value = serde_json::from_slice(&cargo.output().unwrap().stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let manifest = packages.iter().find(|it| it["name"] == "aws-sdk-ecs").unwrap()["manifest_path"].as_str().unwrap();
    PathBuf::from(manifest).parent().unwrap().to_owned()
}
