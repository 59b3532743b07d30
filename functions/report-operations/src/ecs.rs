//! Calls to ECS, as JSON: what a task of a service has, as AWS bills it.

use aws::{Error, JsonApi};
use rules::ServiceName;
use serde_json::{Value, json};

use crate::plan::price::{Task, number};

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
