//! The AppSpec by which CodeDeploy deploys an ECS service: the one of the last deployment, with another task definition.

use serde_json::{Value, json};

/// Stands for the ARN of the task definition until it is known.
const PLACE: &str = "<TASK_DEFINITION>";

/// An AppSpec that lacks only the task definition: what stands before its ARN, and what stands after it.
#[derive(Debug, Clone, PartialEq)]
pub struct AppSpec {
    before: String,
    after: String,
}

impl AppSpec {
    /// Like `content`, JSON or YAML: hooks, network, platform version and whatever else it says stay as they are.
    pub fn like(content: &str) -> Option<Self> {
        Self::around(content, task_definition_in(content)?)
    }

    /// A first one, with `properties` of the target besides the task definition.
    pub fn with(properties: &Value) -> Self {
        let mut properties = properties.clone();
        properties["TaskDefinition"] = PLACE.into();
        let target = json!({"Type": "AWS::ECS::Service", "Properties": properties});
        let content = json!({"version": 0.0, "Resources": [{"TargetService": target}]}).to_string();
        Self::around(&content, PLACE).unwrap_or(AppSpec { before: content, after: String::new() })
    }

    fn around(content: &str, place: &str) -> Option<Self> {
        let (before, after) = content.split_once(place)?;
        Some(AppSpec { before: before.into(), after: after.into() })
    }

    /// The whole AppSpec, for the task definition with this ARN.
    pub fn naming(&self, task_definition: &str) -> String {
        format!("{}{task_definition}{}", self.before, self.after)
    }
}

/// The ARN of the task definition that a text names, if it names one, and once.
pub fn task_definition_in(text: &str) -> Option<&str> {
    let mut found = text.match_indices(":task-definition/").map(|(at, _)| at);
    let (at, None) = (found.next()?, found.next()) else { return None };
    let inside = |it: char| it.is_ascii_alphanumeric() || matches!(it, ':' | '-' | '_' | '/');
    // What stands before it may be of several bytes.
    let begin = text[..at].trim_end_matches(inside).len();
    let end = text[at..].find(|it| !inside(it)).map_or(text.len(), |it| at + it);
    Some(&text[begin..end]).filter(|it| it.starts_with("arn:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "arn:aws:ecs:ap-northeast-2:123456789012:task-definition/kfood-backend:7";
    const NEW: &str = "arn:aws:ecs:ap-northeast-2:123456789012:task-definition/kfood-backend:8";

    #[test]
    fn only_the_task_definition_changes() {
        for spec in [
            format!(
                "version: 0.0\nResources:\n  - TargetService:\n      Type: AWS::ECS::Service\n      Properties:\n        \
                     TaskDefinition: {OLD}\n        PlatformVersion: \"1.4.0\"\nHooks:\n  - AfterAllowTestTraffic: \"smoke-test\"\n"
            ),
            format!("version: 0.0\nResources:\n- TargetService:\n    Properties:\n      TaskDefinition: \"{OLD}\"\n"),
            json!({"version": 0.0, "Hooks": [{"BeforeAllowTraffic": "f"}], "fieldOfNextYear": [1],
                   "Resources": [{"TargetService": {"Properties": {"TaskDefinition": OLD}}}]})
            .to_string(),
        ] {
            let next = AppSpec::like(&spec).unwrap().naming(NEW);
            assert_eq!(next, spec.replace(OLD, NEW));
            assert!(next.contains(NEW) && !next.contains(OLD));
        }
    }

    #[test]
    fn one_that_does_not_name_exactly_one_task_definition_is_no_model() {
        for odd in
            ["", "version: 0.0", "TaskDefinition: kfood-backend:7", &format!("{OLD} # was {NEW}"), ":task-definition/x"]
        {
            assert_eq!(AppSpec::like(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_first_one_says_what_the_task_set_says() {
        let properties =
            json!({"LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 3000}, "PlatformVersion": "1.4.0"});
        let spec: Value = serde_json::from_str(&AppSpec::with(&properties).naming(NEW)).unwrap();
        let expected = json!({"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": {
            "TaskDefinition": NEW, "LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 3000}, "PlatformVersion": "1.4.0"}}}]});
        assert_eq!(spec, expected);
    }

    #[test]
    fn the_task_definition_of_a_description_is_found() {
        assert_eq!(task_definition_in(&format!("배포{OLD}배포")), Some(OLD));
        assert_eq!(task_definition_in(&format!("Nightshift deploys v1.1.0: {OLD}")), Some(OLD));
        assert_eq!(task_definition_in("a deployment by hand"), None);
    }
}
