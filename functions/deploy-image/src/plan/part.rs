//! The tags of a service that say which image to deploy: `nightshift:deploy`, and for further containers
//! `nightshift:deploy-2` and `-3`.

use std::collections::BTreeMap;

use rules::BadTag;
use rules::deploy::DeployRule;
use rules::keys::{self, DeployKeys};

/// One of the tags.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The names of the tag and of its memory.
    pub keys: &'static DeployKeys,
    pub rule: DeployRule,
    /// The containers that the other tags are about.
    pub others: Vec<String>,
}

/// The tags that a service has, in their order; none if it has no `nightshift:deploy`.
pub fn parts(tags: &BTreeMap<String, String>) -> Vec<Result<Part, BadTag>> {
    if !tags.contains_key(keys::DEPLOY) {
        return Vec::new();
    }
    let mut parts: Vec<Result<Part, BadTag>> = Vec::new();
    for keys in &keys::DEPLOYS {
        let Some(value) = tags.get(keys.rule) else { continue };
        let rule = match keys.rule {
            keys::DEPLOY => value.parse(),
            key => DeployRule::further(key, value),
        };
        let bad = |wrong: String| BadTag { key: keys.rule, value: value.into(), wrong, help: HELP.into() };
        let taken = |rule: &DeployRule| parts.iter().flatten().find(|it| it.rule.container == rule.container);
        parts.push(match rule {
            Ok(rule) => match taken(&rule) {
                Some(other) => {
                    let container = rule.container.unwrap_or_default();
                    Err(bad(format!("container={container} stands in {} as well", other.keys.rule)))
                }
                None => Ok(Part { keys, rule, others: Vec::new() }),
            },
            Err(error) => Err(error),
        });
    }
    if let [Ok(first), _, ..] = &parts[..]
        && first.rule.container.is_none()
    {
        let value = first.rule.to_string();
        let wrong = format!("no option 'container' beside {}", parts_after(tags));
        parts[0] = Err(BadTag { key: keys::DEPLOY, value, wrong, help: HELP.into() });
    }
    let containers: Vec<String> = parts.iter().flatten().filter_map(|it| it.rule.container.clone()).collect();
    let health = parts.first().and_then(|it| it.as_ref().ok()?.rule.health.clone());
    for part in parts.iter_mut().flatten() {
        part.others = containers.iter().filter(|it| Some(*it) != part.rule.container.as_ref()).cloned().collect();
        // A revision is judged as a whole, whichever of its images is new.
        part.rule.health = part.rule.health.take().or_else(|| health.clone());
    }
    parts
}

const HELP: &str = "accepted: container=NAME, a container of its own in each of these tags";

fn parts_after(tags: &BTreeMap<String, String>) -> &'static str {
    if tags.contains_key(keys::DEPLOY_2) { keys::DEPLOY_2 } else { keys::DEPLOY_3 }
}
