//! What a task definition names that its tasks cannot start without: roles, secrets, parameters, log groups.
//!
//! Only what AWS says is not there holds an image back. What cannot be read, may not be read or is in another account or
//! region says nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::world::{Found, Need, TaskDefinition, short_name};

/// The stage of a secret that ECS asks for where the task definition names none.
const CURRENT: &str = "AWSCURRENT";

/// The names that AWS has reserved: parameters of its own, and references to secrets, which no listing shows.
const RESERVED: [&str; 2] = ["/aws/", "aws/"];

/// Something that is needed, what for, and what exactly of it.
#[derive(Debug, PartialEq, Eq)]
struct Use {
    need: Need,
    /// Such as `DB_PASSWORD of container app`.
    by: String,
    /// The stage of a secret, where the task definition names no version.
    stage: Option<String>,
    /// Another name that means the same parameter.
    or: Option<Need>,
}

/// What has to be looked for before tasks of `definition` start in the account and region of `service`.
pub fn needs(definition: &TaskDefinition, service: &str) -> BTreeSet<Need> {
    uses(definition, service).into_iter().flat_map(|it| [Some(it.need), it.or]).flatten().collect()
}

/// Why no task of `definition` can start, by what was found; empty where nothing is known to be wrong.
pub fn faults(definition: &TaskDefinition, service: &str, found: &BTreeMap<Need, Found>) -> Vec<String> {
    let mut faults: Vec<String> =
        uses(definition, service).iter().filter_map(|it| Some(format!("{} ({})", it.fault(found)?, it.by))).collect();
    faults.sort();
    faults.dedup();
    faults
}

impl Use {
    fn of(need: Need, by: impl Into<String>) -> Self {
        Use { need, by: by.into(), stage: None, or: None }
    }

    fn fault(&self, found: &BTreeMap<Need, Found>) -> Option<String> {
        let is_missing = |it: &Need| found.get(it) == Some(&Found::Missing);
        let name = match &self.need {
            Need::Role(name) => format!("the role {name}"),
            Need::Secret(arn) => format!("the secret {}", arn.splitn(7, ':').nth(6).unwrap_or(arn)),
            Need::Parameter(name) => format!("the parameter {name}"),
            Need::LogGroup(name) => format!("the log group {name}"),
        };
        match found.get(&self.need)? {
            Found::There => None,
            Found::Missing if self.or.as_ref().is_none_or(is_missing) => Some(format!("{name} does not exist")),
            Found::Missing => None,
            Found::Secret { deleted: true, .. } => Some(format!("{name} is scheduled for deletion")),
            Found::Secret { stages, .. } => {
                let stage = self.stage.as_ref().filter(|it| !stages.is_empty() && !stages.contains(*it))?;
                Some(format!("{name} has no version {stage}"))
            }
        }
    }
}

fn uses(definition: &TaskDefinition, service: &str) -> Vec<Use> {
    let mut parts = service.split(':').skip(3);
    let (region, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let here = Here { region, account };
    let role = |field: &'static str| Some(Use::of(here.role(definition.fields.get(field)?.as_str()?)?, field));
    let mut uses: Vec<Use> = ["executionRoleArn", "taskRoleArn"].into_iter().filter_map(role).collect();
    let containers = definition.fields.get("containerDefinitions").and_then(Value::as_array);
    for container in containers.into_iter().flatten() {
        let name = container["name"].as_str().unwrap_or_default();
        let secrets = [&container["secrets"], &container["logConfiguration"]["secretOptions"]];
        for secret in secrets.into_iter().filter_map(Value::as_array).flatten() {
            let by = format!("{} of container {name}", secret["name"].as_str().unwrap_or("a secret"));
            uses.extend(secret["valueFrom"].as_str().and_then(|it| here.value(it, by)));
        }
        let registry = container["repositoryCredentials"]["credentialsParameter"].as_str();
        uses.extend(registry.and_then(|it| here.value(it, format!("the registry of container {name}"))));
        let logs = &container["logConfiguration"];
        if logs["logDriver"] == "awslogs" {
            let group = here.log_group(&logs["options"]);
            uses.extend(group.map(|it| Use::of(it, format!("logs of container {name}"))));
        }
    }
    uses
}

/// The account and the region in which the tasks run.
struct Here<'a> {
    region: &'a str,
    account: &'a str,
}

impl Here<'_> {
    /// A role by its ARN or its name.
    fn role(&self, role: &str) -> Option<Need> {
        let of_others = role.starts_with("arn:") && role.split(':').nth(4) != Some(self.account);
        (!of_others && !role.is_empty()).then(|| Need::Role(short_name(role).to_owned()))
    }

    /// What a container gets its value from: a secret by its ARN, or a parameter by its ARN or name.
    fn value(&self, from: &str, by: String) -> Option<Use> {
        if !from.starts_with("arn:") {
            return parameter(from, None, by);
        }
        let parts: Vec<&str> = from.split(':').collect();
        if parts.get(3..5) != Some(&[self.region, self.account]) {
            return None;
        }
        match (parts[2], parts.get(5)?) {
            // `arn:…:secret:NAME:JSON-KEY:STAGE:VERSION`
            ("secretsmanager", &"secret") => {
                let part = |at: usize| parts.get(at).copied().filter(|it| !it.is_empty());
                let stage = part(8).unwrap_or(CURRENT);
                let stage = part(9).is_none().then(|| stage.to_owned());
                Some(Use { stage, ..Use::of(Need::Secret(parts.get(..7)?.join(":")), by) })
            }
            ("ssm", path) => {
                let name = path.strip_prefix("parameter/")?;
                // The ARN of a name without a path is the same with and without a slash before it.
                match name.contains('/') {
                    true => parameter(&format!("/{name}"), None, by),
                    false => parameter(name, Some(format!("/{name}")), by),
                }
            }
            _ => None,
        }
    }

    /// The group that ECS does not create by itself.
    fn log_group(&self, options: &Value) -> Option<Need> {
        let elsewhere = options["awslogs-region"].as_str().is_some_and(|it| it != self.region);
        let is_created = options["awslogs-create-group"].as_str().is_some_and(|it| it.eq_ignore_ascii_case("true"));
        let group = options["awslogs-group"].as_str().filter(|it| !it.is_empty())?;
        (!elsewhere && !is_created).then(|| Need::LogGroup(group.to_owned()))
    }
}

fn parameter(name: &str, or: Option<String>, by: String) -> Option<Use> {
    // What follows a colon is a version or a label.
    let name = name.split(':').next().filter(|it| !it.is_empty())?;
    let reserved = RESERVED.iter().any(|it| name.starts_with(it));
    (!reserved).then(|| Use { or: or.map(Need::Parameter), ..Use::of(Need::Parameter(name.to_owned()), by) })
}
