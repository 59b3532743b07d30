//! Task definitions as ECS sends them, and the next revision of one: the same, but for the image.
//!
//! They are kept as ECS's own JSON. The SDK's types know only the fields of the day they were made;
//! a field that AWS added since would be lost on the way through them, and with it what a person had set.

use std::collections::BTreeMap;

pub use choose::kind::Platform;
use jiff::Timestamp;
pub use rules::image::ImageName;
use serde_json::{Map, Value, json};

/// What DescribeTaskDefinition tells and RegisterTaskDefinition does not take.
pub const OUTPUT_ONLY: [&str; 8] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "deregisteredAt",
    "registeredBy",
];

/// Also output only, but for a revision that is being deleted: nothing that could be in use.
pub const DELETED_ONLY: [&str; 1] = ["deleteRequestedAt"];

#[derive(Debug, Clone, PartialEq)]
pub struct TaskDefinition {
    pub fields: Map<String, Value>,
    pub tags: BTreeMap<String, String>,
}

impl TaskDefinition {
    pub fn arn(&self) -> &str {
        self.text("taskDefinitionArn")
    }

    /// Its family.
    pub fn family(&self) -> &str {
        self.text("family")
    }

    /// `api-server:42`.
    pub fn short_name(&self) -> String {
        short_name(self.arn()).to_owned()
    }

    /// Whether it can be deployed to a service.
    pub fn is_active(&self) -> bool {
        self.text("status") == "ACTIVE"
    }

    /// When it was registered; ECS sends seconds.
    pub fn registered_at(&self) -> Option<Timestamp> {
        let seconds = self.fields.get("registeredAt")?.as_f64()?;
        Timestamp::from_millisecond((seconds * 1000.0) as i64).ok()
    }

    /// The containers' names and images.
    pub fn images(&self) -> impl Iterator<Item = (&str, &str)> {
        let containers = self.fields.get("containerDefinitions").and_then(Value::as_array);
        containers.into_iter().flatten().filter_map(|it| Some((it.get("name")?.as_str()?, it.get("image")?.as_str()?)))
    }

    /// The groups of CloudWatch Logs that its containers write to, where they write there directly.
    pub fn log_groups(&self) -> impl Iterator<Item = &str> {
        let containers = self.fields.get("containerDefinitions").and_then(Value::as_array);
        containers.into_iter().flatten().filter_map(|it| {
            let logs = it.get("logConfiguration").filter(|it| it["logDriver"] == "awslogs")?;
            logs["options"]["awslogs-group"].as_str()
        })
    }

    /// The platform that its tasks run on.
    pub fn platform(&self) -> Platform {
        let of = |name: &str| self.fields.get("runtimePlatform")?.get(name)?.as_str();
        Platform::of_tasks(of("cpuArchitecture"), of("operatingSystemFamily"))
    }

    /// Its number within the family.
    pub fn number(&self) -> u64 {
        self.fields.get("revision").and_then(Value::as_u64).unwrap_or_default()
    }

    fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// What to send to RegisterTaskDefinition for the next revision: this one with `image` in `containers`,
    /// with its own tags and `memory` on top of them.
    pub fn next(&self, containers: &[String], image: &str, memory: &[(&str, &str)]) -> Value {
        self.next_with(&[(containers, image)], memory)
    }

    /// The same with several images.
    pub fn next_with(&self, images: &[(&[String], &str)], memory: &[(&str, &str)]) -> Value {
        let mut fields = self.fields.clone();
        fields.retain(|name, _| !OUTPUT_ONLY.contains(&name.as_str()) && !DELETED_ONLY.contains(&name.as_str()));
        let definitions = fields.get_mut("containerDefinitions").and_then(Value::as_array_mut);
        for definition in definitions.into_iter().flatten() {
            let name = definition.get("name").and_then(Value::as_str).unwrap_or_default();
            let set = images.iter().find(|(containers, _)| containers.iter().any(|it| it == name));
            if let Some((_, image)) = set {
                definition["image"] = (*image).into();
            }
        }
        // Reserved keys cannot be written; AWS sets its own anew.
        let kept = |key: &str| !key.to_ascii_lowercase().starts_with("aws:");
        let mut tags: BTreeMap<&str, &str> =
            self.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).filter(|(key, _)| kept(key)).collect();
        tags.extend(memory.iter().copied());
        let tags: Vec<Value> = tags.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        fields.insert("tags".into(), tags.into());
        Value::Object(fields)
    }
}

/// `api-server:42` of `arn:aws:ecs:…:task-definition/api-server:42`.
pub fn short_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The family of `arn:aws:ecs:…:task-definition/api-server:42`.
pub fn family(arn: &str) -> &str {
    short_name(arn).rsplit_once(':').map_or(short_name(arn), |(family, _)| family)
}
