//! How the task of a migration ended, and whether that says anything about the image.

use serde_json::Value;

use crate::plan::world::{Ended, ImageName, Task, TaskDefinition};

/// What ECS sends to the containers that still run when a task ends: SIGTERM, and 30 seconds later SIGKILL.
const STOPPED_BY_ECS: [i32; 2] = [143, 137];

#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// The migration ran to its end.
    Well,
    /// The migration itself failed: how, and where to read on.
    Failed(String),
    /// Something else ended it while it ran.
    Interrupted(String),
    NotStarted(String),
}

/// A container that counts, beside how it ended.
struct Judged<'a> {
    name: &'a str,
    definition: &'a Value,
    ended: Option<&'a Ended>,
}

impl<'a> Judged<'a> {
    fn of(definition: &'a Value, task: &'a Task) -> Option<Self> {
        let name = definition.get("name")?.as_str()?;
        Some(Judged { name, definition, ended: task.containers.iter().find(|it| it.name == name) })
    }

    fn exit_code(&self) -> Option<i32> {
        self.ended.and_then(|it| it.exit_code)
    }

    fn is_essential(&self) -> bool {
        self.definition.get("essential") != Some(&Value::Bool(false))
    }

    fn uses(&self, repository: &str) -> bool {
        let image = self.definition.get("image").and_then(Value::as_str).and_then(ImageName::parse);
        image.is_some_and(|it| it.repository == repository)
    }

    /// Whether ECS may have ended it because the task ended.
    fn may_be_stopped_by_ecs(&self) -> bool {
        let of_memory = self.ended.is_some_and(|it| it.reason.contains("OutOfMemory"));
        !of_memory && self.exit_code().is_some_and(|it| STOPPED_BY_ECS.contains(&it))
    }
}

/// Judges a task that has stopped. Only the containers count that run an image of the service's repository: an essential
/// sidecar is ended by ECS together with the task, and its exit code says nothing.
pub fn outcome(definition: &TaskDefinition, task: &Task, repository: &str) -> Outcome {
    let containers = definition.fields.get("containerDefinitions").and_then(Value::as_array);
    let all = containers.into_iter().flatten().filter_map(|it| Judged::of(it, task));
    let (essential, others): (Vec<_>, Vec<_>) = all.partition(Judged::is_essential);
    let (mut ours, theirs): (Vec<_>, Vec<_>) = essential.into_iter().partition(|it| it.uses(repository));
    let mut sidecars = theirs;
    if ours.is_empty() {
        ours = others.into_iter().filter(|it| it.uses(repository)).collect();
    }
    if ours.is_empty() {
        // A family that does not use the repository: one container ended the task, and ECS the others with it.
        let ended_well = sidecars.iter().any(|it| it.exit_code() == Some(0));
        ours = sidecars.into_iter().filter(|it| !(ended_well && it.may_be_stopped_by_ecs())).collect();
        sidecars = Vec::new();
    }
    if !ours.is_empty() && ours.iter().all(|it| it.exit_code() == Some(0)) {
        return Outcome::Well;
    }
    let kind = if task.stop_code.is_empty() { String::new() } else { format!("{}: ", task.stop_code) };
    if task.stop_code == "TaskFailedToStart" || ours.iter().all(|it| it.exit_code().is_none()) {
        let said = ours.iter().find_map(|it| it.ended.map(|it| it.reason.as_str()).filter(|it| !it.is_empty()));
        let said = said.map_or(String::new(), |it| format!(" ({it})"));
        return Outcome::NotStarted(format!("{kind}{}{said}", task.reason));
    }
    let Some(failed) = ours.iter().find(|it| it.exit_code() != Some(0)) else { return Outcome::Well };
    let log = log(failed, task);
    let ended_otherwise = !["", "EssentialContainerExited"].contains(&task.stop_code.as_str());
    if ended_otherwise {
        return Outcome::Interrupted(format!("{kind}{}{log}", task.reason));
    }
    let crashed = |it: &&Judged<'_>| it.exit_code().is_some_and(|it| !STOPPED_BY_ECS.contains(&it));
    if failed.may_be_stopped_by_ecs()
        && let Some(Judged { name, ended: Some(Ended { exit_code: Some(code), .. }), .. }) =
            sidecars.iter().find(crashed)
    {
        return Outcome::Interrupted(format!(
            "{kind}container {name} exited with {code}, and ECS stopped the rest{log}"
        ));
    }
    let what = match failed.exit_code() {
        Some(code) => format!("container {} exited with {code}", failed.name),
        None => format!("container {} has no exit code", failed.name),
    };
    let said = failed.ended.map(|it| it.reason.as_str()).filter(|it| !it.is_empty());
    let said = said.map_or(String::new(), |it| format!(" ({it})"));
    Outcome::Failed(format!("{what}{said}: {}{log}", task.reason))
}

/// Where to read on.
fn log(failed: &Judged<'_>, task: &Task) -> String {
    let option = |option: &str| {
        failed.definition.pointer(&format!("/logConfiguration/options/{option}")).and_then(Value::as_str)
    };
    match (option("awslogs-group"), option("awslogs-stream-prefix")) {
        (Some(group), Some(prefix)) => format!("; log group {group}, stream {prefix}/{}/{}", failed.name, task.id()),
        _ => format!("; task {}", task.id()),
    }
}
