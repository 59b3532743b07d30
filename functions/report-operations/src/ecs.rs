//! Calls to ECS, as JSON: what a task of a service has, as AWS bills it, and what was deployed.

use std::collections::BTreeMap;

use aws::{Error, JsonApi};
use jiff::Timestamp;
use rules::ServiceName;
use serde_json::{Value, json};

use crate::plan::price::{Task, number};
use crate::plan::world::{Deployment, Ended};

/// How ECS says that it has no history of a service, such as one that CodeDeploy deploys.
const NO_HISTORY: [&str; 2] = ["InvalidParameterException", "UnsupportedFeatureException"];

/// DescribeServiceRevisions takes no more.
const REVISIONS: usize = 20;

/// What a task of this service has on Fargate; `None` where AWS does not bill it by the task.
pub async fn task(ecs: &JsonApi, service: &ServiceName) -> Result<Option<Task>, Error> {
    let name = service.to_string();
    let asked = json!({"cluster": service.cluster, "services": [service.name]});
    let answer = ecs.call("DescribeServices", &name, asked).await?;
    let Some(definition) = answer.get("services").and_then(|it| it[0]["taskDefinition"].as_str()) else {
        return Ok(None);
    };
    let answer = ecs.call("DescribeTaskDefinition", definition, json!({"taskDefinition": definition})).await?;
    let definition = answer.get("taskDefinition").unwrap_or(&Value::Null);
    let is_fargate = |list: &Value| list.as_array().is_some_and(|all| all.iter().any(|it| it == "FARGATE"));
    let platform = &definition["runtimePlatform"];
    let is_linux = platform["operatingSystemFamily"].as_str().is_none_or(|it| it == "LINUX");
    if !is_fargate(&definition["requiresCompatibilities"]) || !is_linux {
        return Ok(None);
    }
    let (cpu, memory) = (number(&definition["cpu"]), number(&definition["memory"]));
    Ok(cpu.zip(memory).map(|(cpu, memory)| Task {
        cpus: cpu / 1024.0,
        gigabytes: memory / 1024.0,
        arm: platform["cpuArchitecture"] == "ARM64",
    }))
}

/// The deployments of a service since then, the newest first, by whomever; of the newest of them the image is known.
pub async fn deployments(ecs: &JsonApi, service: &ServiceName, since: Timestamp) -> Result<Vec<Deployment>, Error> {
    let name = service.to_string();
    let asked = json!({"cluster": service.cluster, "service": service.name, "maxResults": 100,
        "createdAt": {"after": since.as_second()}});
    let mut briefs = match ecs.list("ListServiceDeployments", &name, asked, "serviceDeployments").await {
        // CodeDeploy keeps the history of what it deploys.
        Err(error) if NO_HISTORY.contains(&error.code.as_str()) => Vec::new(),
        answer => answer?,
    };
    // The order of a page is not promised.
    briefs.sort_by_key(|it| std::cmp::Reverse(moment(&it["createdAt"])));
    briefs.retain(|it| moment(&it["createdAt"]).is_some_and(|it| it >= since));
    let revision = |it: &Value| it["targetServiceRevisionArn"].as_str().map(str::to_owned);
    let mut revisions: Vec<String> = briefs.iter().filter_map(revision).collect();
    revisions.truncate(REVISIONS);
    let images = match revisions.is_empty() {
        true => BTreeMap::new(),
        false => images(ecs, &name, &revisions).await?,
    };
    let deployment = |it: &Value| {
        Some(Deployment {
            at: moment(&it["createdAt"])?,
            ended: moment(&it["finishedAt"]),
            end: match it["status"].as_str().unwrap_or_default() {
                "SUCCESSFUL" => Ended::Well,
                "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS" | "ROLLBACK_SUCCESSFUL" | "ROLLBACK_FAILED" => {
                    Ended::TakenBack
                }
                "STOP_REQUESTED" | "STOPPED" => Ended::Stopped,
                _ => Ended::NotYet,
            },
            images: revision(it).and_then(|it| images.get(&it)).cloned().unwrap_or_default(),
        })
    };
    Ok(briefs.iter().filter_map(deployment).collect())
}

/// The images of each of these revisions, as repository and digest.
async fn images(
    ecs: &JsonApi,
    about: &str,
    revisions: &[String],
) -> Result<BTreeMap<String, Vec<(String, String)>>, Error> {
    let answer = ecs.call("DescribeServiceRevisions", about, json!({"serviceRevisionArns": revisions})).await?;
    let image = |it: &Value| {
        let digest = it["imageDigest"].as_str()?.to_owned();
        let name = it["image"].as_str()?.split('@').next()?;
        // A colon before the last slash begins a port, and not a tag.
        let (registry, path) = name.split_once('/')?;
        let repository = path.rsplit_once(':').map_or(path, |(path, _)| path);
        registry.contains(".dkr.ecr").then(|| (format!("{registry}/{repository}"), digest))
    };
    let all = answer.get("serviceRevisions").and_then(Value::as_array).into_iter().flatten();
    let revision = |it: &Value| {
        let images = it["containerImages"].as_array().into_iter().flatten().filter_map(image).collect();
        Some((it["serviceRevisionArn"].as_str()?.to_owned(), images))
    };
    Ok(all.filter_map(revision).collect())
}

fn moment(it: &Value) -> Option<Timestamp> {
    Timestamp::from_millisecond((it.as_f64()? * 1000.0) as i64).ok()
}
