//! Task definitions as ECS sends them, and the next revision of one: the same, but for the image.
//!
//! They are kept as ECS's own JSON. The SDK's types know only the fields of the day they were made;
//! a field that AWS added since would be lost on the way through them, and with it what a person had set.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rules::Digest;
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

/// A revision of a task definition.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskDefinition {
    /// The answer's `taskDefinition`.
    pub fields: Map<String, Value>,
    /// The answer's `tags`.
    pub tags: BTreeMap<String, String>,
}

impl TaskDefinition {
    /// Its ARN.
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

    /// Whether a service can be brought to it.
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

    fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// What to send to RegisterTaskDefinition for the next revision: this one with `image` in `containers`,
    /// with its own tags and `memory` on top of them.
    pub fn next(&self, containers: &[String], image: &str, memory: &[(&str, &str)]) -> Value {
        let mut fields = self.fields.clone();
        fields.retain(|name, _| !OUTPUT_ONLY.contains(&name.as_str()) && !DELETED_ONLY.contains(&name.as_str()));
        let definitions = fields.get_mut("containerDefinitions").and_then(Value::as_array_mut);
        for definition in definitions.into_iter().flatten() {
            if definition.get("name").and_then(Value::as_str).is_some_and(|it| containers.iter().any(|name| name == it))
            {
                definition["image"] = image.into();
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

/// An image in a private ECR registry, as a container names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// `123456789012.dkr.ecr.ap-northeast-2.amazonaws.com`
    pub registry: String,
    /// The registry's account.
    pub account: String,
    /// The registry's region.
    pub region: String,
    /// The repository, which may hold slashes.
    pub repository: String,
    /// The tag, if it is named.
    pub tag: Option<String>,
    /// The digest, if it is pinned.
    pub digest: Option<Digest>,
}

impl ImageName {
    /// Reads an image reference; `None` for one that is not in a private ECR registry.
    pub fn parse(image: &str) -> Option<Self> {
        let (registry, rest) = image.split_once('/')?;
        let (account, host) = registry.split_once('.')?;
        let region = host
            .strip_prefix("dkr.ecr.")
            .and_then(|it| it.strip_suffix(".amazonaws.com").or(it.strip_suffix(".amazonaws.com.cn")))
            .or_else(|| host.strip_prefix("dkr-ecr.").and_then(|it| it.strip_suffix(".on.aws")))?;
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().ok()?)),
            None => (rest, None),
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            // Docker's rule: neither tag nor digest means `latest`.
            None => (rest, digest.is_none().then(|| "latest".to_owned())),
        };
        Some(ImageName {
            registry: registry.into(),
            account: account.into(),
            region: region.into(),
            repository: repository.into(),
            tag,
            digest,
        })
    }

    /// The reference of another image of the same repository, by digest.
    pub fn pinned(&self, digest: &Digest) -> String {
        format!("{}/{}@{digest}", self.registry, self.repository)
    }
}
