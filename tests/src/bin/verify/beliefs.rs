//! Each belief about AWS that can be tried, and how. The same list for people is `docs/unverified.md`.

use std::time::Instant;

use nightshift_tests::sources::{folders, read};
use nightshift_tests::template::Template;
use serde_json::{Value, json};

use crate::aws::{Aws, Fault, Result, text};
use crate::resources::{NAME, database_status, register_task_definition, service, service_is_steady, snapshots};

/// What came of trying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As believed; what was seen.
    Held(String),
    /// Otherwise; what was seen.
    Wrong(String),
    /// Why it could not be tried.
    NotTried(String),
}

pub struct Belief {
    /// The name of the step, as `docs/unverified.md` spells it.
    pub step: &'static str,
    pub says: &'static str,
    /// The names of the resources that it needs.
    pub needs: &'static [&'static str],
    pub try_it: fn(&Aws) -> Result<Verdict>,
}

/// In the order in which they are tried: the later ones put the service and the database to sleep.
pub const BELIEFS: [Belief; 15] = [
    Belief {
        step: "grants-suffice",
        says: "no function is refused a call that a dry run makes",
        needs: &["stack"],
        try_it: grants_suffice,
    },
    Belief {
        step: "describe-with-tags",
        says: "describing ECS services with their tags needs no ecs:ListTagsForResource",
        needs: &["stack", "service"],
        try_it: describe_with_tags,
    },
    Belief {
        step: "budgets-listed",
        says: "DescribeBudgets is authorised on budget/*",
        needs: &["stack", "budget"],
        try_it: budgets_listed,
    },
    Belief {
        step: "tag-index",
        says: "the tagging API lists a new tag within minutes",
        needs: &["service"],
        try_it: tag_index,
    },
    Belief {
        step: "two-revisions",
        says: "registering the same task definition twice makes two revisions",
        needs: &["service"],
        try_it: two_revisions,
    },
    Belief {
        step: "newest-deployment-first",
        says: "ListServiceDeployments lists the newest deployment first",
        needs: &["service"],
        try_it: newest_deployment_first,
    },
    Belief {
        step: "alarm-agrees",
        says: "DescribeAlarms shows a new state at once",
        needs: &["alarm"],
        try_it: alarm_agrees,
    },
    Belief {
        step: "empty-image-tag",
        says: "the rule for pushes matches a tag, and neither an empty one nor none",
        needs: &[],
        try_it: empty_image_tag,
    },
    Belief {
        step: "scaling-target",
        says: "the role of scale-staging may lower a scaling target and stop the tasks of a service",
        needs: &["stack", "service"],
        try_it: scaling_target,
    },
    Belief {
        step: "stop-with-snapshot",
        says: "the role of scale-staging may stop a database with a snapshot",
        needs: &["stack", "database"],
        try_it: stop_with_snapshot,
    },
    Belief {
        step: "stop-snapshot-listed",
        says: "the snapshot of a stop is listed at once",
        needs: &["stack", "database"],
        try_it: stop_snapshot_listed,
    },
    Belief {
        step: "tags-while-stopping",
        says: "RDS takes tags while a database is stopping",
        needs: &["database"],
        try_it: tags_while_stopping,
    },
    Belief {
        step: "metrics-from-log",
        says: "Lambda passes on the lines that hold metrics as they are printed",
        needs: &["stack"],
        try_it: metrics_from_log,
    },
    Belief {
        step: "zero-during-codedeploy",
        says: "a service of CodeDeploy may be set to 0 tasks in the middle of a deployment",
        needs: &[],
        try_it: needs_codedeploy,
    },
    Belief {
        step: "appspec-by-hash",
        says: "the AppSpec of a live deployment stays readable by its hash",
        needs: &[],
        try_it: needs_codedeploy,
    },
];

// -------------------------------------------------------------------------------- what the roles may

/// The refusal in an answer of a function, if there is one.
fn refusal(report: &Value) -> Option<String> {
    let text = report.to_string();
    let at = ["AccessDenied", "not authorized", "UnauthorizedOperation"].iter().find_map(|it| text.find(it))?;
    // Enough of what stands around it to see which call it was.
    let begin = text[..at].char_indices().rev().nth(120).map_or(0, |(index, _)| index);
    Some(text[begin..].chars().take(400).collect())
}

fn grants_suffice(aws: &Aws) -> Result<Verdict> {
    let mut refused = Vec::new();
    let functions = folders("functions");
    for function in &functions {
        let report = aws.invoke(function, &json!({"dry_run": true}))?;
        refused.extend(refusal(&report).map(|it| format!("{function}: {it}")));
    }
    Ok(match refused.is_empty() {
        true => Verdict::Held(format!("{} functions read what they need", functions.len())),
        false => Verdict::Wrong(refused.join("; ")),
    })
}

fn describe_with_tags(aws: &Aws) -> Result<Verdict> {
    let name = format!("{NAME}/{NAME}");
    let report = aws.wait_until("deploy-image to find the service", || {
        let report = aws.invoke("deploy-image", &json!({"dry_run": true}))?;
        Ok((refusal(&report).is_some() || report.to_string().contains(&name)).then_some(report))
    })?;
    Ok(match refusal(&report) {
        Some(refusal) => Verdict::Wrong(refusal),
        None => Verdict::Held("deploy-image read the service and its tag".to_owned()),
    })
}

fn budgets_listed(aws: &Aws) -> Result<Verdict> {
    let report = aws.invoke("enforce-budget", &json!({"dry_run": true}))?;
    Ok(match refusal(&report) {
        Some(refusal) => Verdict::Wrong(refusal),
        None if report.to_string().contains(NAME) => Verdict::Held("enforce-budget read the budget".to_owned()),
        None => Verdict::Wrong(format!("the budget is not in the report: {report}")),
    })
}

// -------------------------------------------------------------------------------- what AWS answers

fn service_arn(aws: &Aws) -> Result<String> {
    text(&service(aws)?["serviceArn"]).ok_or_else(|| Fault::new("the service has no ARN"))
}

fn tag_index(aws: &Aws) -> Result<Verdict> {
    let arn = service_arn(aws)?;
    let tag = json!([{"key": NAME, "value": "tag-index"}]);
    aws.call("ecs", "tag_resource", json!({"resourceArn": arn, "tags": tag}))?;
    let tagged = Instant::now();
    let filter = json!({"TagFilters": [{"Key": NAME}], "ResourceTypeFilters": ["ecs:service"]});
    aws.wait_until("the tagging API to list the service", || {
        let listed = aws.call("resourcegroupstaggingapi", "get_resources", filter.clone())?;
        let mut all = listed["ResourceTagMappingList"].as_array().into_iter().flatten();
        Ok(all.any(|it| it["ResourceARN"] == arn.as_str()).then_some(()))
    })?;
    Ok(Verdict::Held(format!("after {} s", tagged.elapsed().as_secs())))
}

fn two_revisions(aws: &Aws) -> Result<Verdict> {
    let revision = || -> Result<Value> { Ok(register_task_definition(aws)?["revision"].clone()) };
    let (first, second) = (revision()?, revision()?);
    let seen = format!("revisions {first} and {second}");
    Ok(if first == second { Verdict::Wrong(seen) } else { Verdict::Held(seen) })
}

fn newest_deployment_first(aws: &Aws) -> Result<Verdict> {
    for _ in 0..2 {
        aws.call("ecs", "update_service", json!({"cluster": NAME, "service": NAME, "forceNewDeployment": true}))?;
        aws.wait_until("the deployment to complete", || Ok(service_is_steady(aws)?.then_some(())))?;
    }
    let listed = aws.call("ecs", "list_service_deployments", json!({"cluster": NAME, "service": NAME}))?;
    let all = listed["serviceDeployments"].as_array().into_iter().flatten();
    let created: Vec<String> = all.filter_map(|it| text(&it["createdAt"])).collect();
    if created.len() < 2 {
        return Ok(Verdict::NotTried(format!("only {} deployments are listed", created.len())));
    }
    // All are of this run and so of one offset, and compare as text.
    let seen = format!("created at {}", created.join(", "));
    Ok(if created.is_sorted_by(|a, b| a >= b) { Verdict::Held(seen) } else { Verdict::Wrong(seen) })
}

fn alarm_agrees(aws: &Aws) -> Result<Verdict> {
    let set = json!({"AlarmName": NAME, "StateValue": "ALARM", "StateReason": "cargo verify"});
    aws.call("cloudwatch", "set_alarm_state", set)?;
    let answer = aws.call("cloudwatch", "describe_alarms", json!({"AlarmNames": [NAME]}))?;
    let state = text(&answer["MetricAlarms"][0]["StateValue"]).unwrap_or_default();
    Ok(if state == "ALARM" { Verdict::Held(state) } else { Verdict::Wrong(format!("it is {state}")) })
}

fn empty_image_tag(aws: &Aws) -> Result<Verdict> {
    let template = Template::read();
    let functions = template.functions();
    let pattern = functions.values().find_map(|it| it["Events"]["ImagePushed"]["Properties"].get("Pattern"));
    let pattern = pattern.ok_or_else(|| Fault::new("template.yaml has no rule ImagePushed"))?;
    let push: Value = serde_json::from_str(&read("events/deploy-image/ecr-push.json")).map_err(Fault::new)?;
    let mut empty = push.clone();
    empty["detail"]["image-tag"] = json!("");
    let mut none = push.clone();
    none["detail"].as_object_mut().map(|it| it.remove("image-tag"));
    let mut seen = Vec::new();
    for event in [push, empty, none] {
        let question = json!({"EventPattern": pattern.to_string(), "Event": event.to_string()});
        seen.push(aws.call("events", "test_event_pattern", question)?["Result"].clone());
    }
    let said = format!("with a tag {}, with an empty one {}, without any {}", seen[0], seen[1], seen[2]);
    Ok(if seen == [true, false, false] { Verdict::Held(said) } else { Verdict::Wrong(said) })
}

fn metrics_from_log(aws: &Aws) -> Result<Verdict> {
    if aws.is_local() {
        return Ok(Verdict::NotTried("the local AWS makes no metrics of log lines".to_owned()));
    }
    aws.wait_until("a metric of Nightshift", || {
        let listed = aws.call("cloudwatch", "list_metrics", json!({"Namespace": "Nightshift"}))?;
        Ok(listed["Metrics"].as_array().is_some_and(|it| !it.is_empty()).then_some(()))
    })?;
    Ok(Verdict::Held("the namespace Nightshift has metrics".to_owned()))
}

fn needs_codedeploy(_: &Aws) -> Result<Verdict> {
    Ok(Verdict::NotTried("it needs a load balancer and a CodeDeploy deployment group".to_owned()))
}

// -------------------------------------------------------------------------------- asleep

/// Runs scale-staging until `question` has an answer or the role is refused something.
fn run_until(aws: &Aws, what: &str, mut question: impl FnMut() -> Result<Option<String>>) -> Result<Verdict> {
    aws.wait_until(what, || {
        let report = aws.invoke("scale-staging", &json!({}))?;
        if let Some(refusal) = refusal(&report) {
            return Ok(Some(Verdict::Wrong(refusal)));
        }
        Ok(question()?.map(Verdict::Held))
    })
}

fn scaling_target(aws: &Aws) -> Result<Verdict> {
    let never = json!([{"key": "nightshift:schedule", "value": "never"}]);
    aws.call("ecs", "tag_resource", json!({"resourceArn": service_arn(aws)?, "tags": never}))?;
    let target = json!({"ServiceNamespace": "ecs", "ResourceIds": [format!("service/{NAME}/{NAME}")]});
    run_until(aws, "scale-staging to put the service to sleep", || {
        let answer = aws.call("application-autoscaling", "describe_scalable_targets", target.clone())?;
        let least = &answer["ScalableTargets"][0]["MinCapacity"];
        let asleep = *least == 0 && service(aws)?["desiredCount"] == 0;
        Ok(asleep.then(|| "least capacity and desired count are 0".to_owned()))
    })
}

fn stop_with_snapshot(aws: &Aws) -> Result<Verdict> {
    aws.wait_until("the database to be available", || Ok((database_status(aws)? == "available").then_some(())))?;
    let arn = format!("arn:aws:rds:{}:{}:db:{NAME}", aws.region, aws.account);
    let never = json!([{"Key": "nightshift:schedule", "Value": "never"}]);
    aws.call("rds", "add_tags_to_resource", json!({"ResourceName": arn, "Tags": never}))?;
    run_until(aws, "scale-staging to stop the database", || {
        let status = database_status(aws)?;
        Ok(["stopping", "stopped"].contains(&status.as_str()).then(|| format!("it is {status}")))
    })
}

fn stop_snapshot_listed(aws: &Aws) -> Result<Verdict> {
    if !["stopping", "stopped"].contains(&database_status(aws)?.as_str()) {
        return Ok(Verdict::NotTried("the database was not stopped".to_owned()));
    }
    let listed = snapshots(aws)?;
    Ok(match listed.first() {
        Some(snapshot) => Verdict::Held(format!("{snapshot} is listed")),
        None => Verdict::Wrong("no snapshot is listed".to_owned()),
    })
}

fn tags_while_stopping(aws: &Aws) -> Result<Verdict> {
    let status = database_status(aws)?;
    if !["stopping", "stopped"].contains(&status.as_str()) {
        return Ok(Verdict::NotTried(format!("the database is {status}")));
    }
    let arn = format!("arn:aws:rds:{}:{}:db:{NAME}", aws.region, aws.account);
    let tags = json!([{"Key": NAME, "Value": "tags-while-stopping"}]);
    Ok(match aws.call("rds", "add_tags_to_resource", json!({"ResourceName": arn, "Tags": tags})) {
        Ok(_) => Verdict::Held(format!("taken while it is {status}")),
        Err(fault) => Verdict::Wrong(format!("while it is {status}: {fault}")),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::resources::RESOURCES;

    #[test]
    fn the_steps_are_those_of_the_page() {
        let page = read("docs/unverified.md");
        let named: BTreeSet<_> = page.split("step `").skip(1).filter_map(|it| Some(it.split_once('`')?.0)).collect();
        assert_eq!(named, BELIEFS.iter().map(|it| it.step).collect());
    }

    #[test]
    fn each_belief_needs_resources_that_are_made() {
        for needed in BELIEFS.iter().flat_map(|it| it.needs) {
            assert!(RESOURCES.iter().any(|it| it.name == *needed), "{needed}");
        }
    }

    #[test]
    fn a_refusal_is_found_and_shown_with_what_stands_around_it() {
        let report = json!({"problems": [{"message": "DescribeServices: AccessDeniedException: no 'ecs:X' for you"}]});
        assert!(refusal(&report).is_some_and(|it| it.contains("DescribeServices") && it.contains("ecs:X")));
        assert_eq!(refusal(&json!({"problems": [], "skipped": [{"reason": "it sleeps"}]})), None);
    }
}
