//! `migrate=FAMILY`: a task of that family has run with the new image, once, and ended well.
//!
//! What was begun is found again by its name: [`run_name`] goes into `startedBy`, so a doubled event comes to the same
//! task. ECS forgets a task an hour after it stopped; that it ended well is therefore remembered on the service.

use std::fmt::Write;

use rules::memory::Migrated;
use rules::{Digest, keys};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Act, Blocked, Candidate, look, unavailable};
use crate::plan::case::Case;
use crate::plan::step::{MemoryChange, Migrate, Remember, Revision, Step};
use crate::plan::world::{Fact, ImageName, Observation, Task, TaskDefinition, short_name};

/// What `startedBy` of every migration begins with; the stack's rule goes by it.
pub const STARTED_BY: &str = "ns-";

/// The problem where ECS does not tell of the migration.
const UNREADABLE: &str = "unreadable-migration";

/// What the one run of a migration for an image is called: in whichever service's name it is begun, it is the same.
pub fn run_name(cluster: &str, family: &str, digest: &Digest) -> String {
    let short = digest.short().trim_start_matches("sha256:");
    let hash = Sha256::digest(format!("{cluster}\n{family}\n{digest}"));
    hash.iter().take(8).fold(format!("{STARTED_BY}{short}-"), |mut name, byte| {
        // Writing into a text cannot fail.
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// The migration has run and ended well; what is to be remembered of that first.
pub fn pass(candidate: Candidate<'_>) -> Result<Option<Act>, Blocked> {
    let Candidate { case, memory, image, .. } = candidate;
    let Some(family) = &case.rule.migrate else { return Ok(None) };
    let cluster = &case.service.name.cluster;
    if family == case.revision.family() {
        return Err(Blocked::NeedsPerson(
            "bad-migration",
            format!("migrate={family} names the service's own task definition; give the migration a family of its own"),
        ));
    }
    let run = run_name(cluster, family, &image.digest);
    if memory.migrated.as_ref().is_some_and(|it| it.run == run) {
        return Ok(None);
    }
    let tasks = match look(case, Fact::Tasks { cluster: cluster.clone(), family: family.clone() })? {
        Observation::Tasks(tasks) => tasks,
        other => return Err(unavailable(other, UNREADABLE)),
    };
    for task in tasks.iter().filter(|it| it.started_by == run) {
        match outcome(candidate, family, task)? {
            Outcome::Well => return Ok(Some(remember(candidate, family, run))),
            Outcome::Forgiven => {}
        }
    }
    if let Some(other) = tasks.iter().find(|it| !it.has_stopped()) {
        let reason = format!("{} waits: {family} still runs for another image (task {})", candidate.tag, other.id());
        return Err(Blocked::Pending(reason));
    }
    if done_for_another_service(case, family, &run)? {
        return Ok(Some(remember(candidate, family, run)));
    }
    Err(Blocked::Requires(vec![begin(candidate, family, run)?]))
}

/// How a run that was begun has ended: well, which is to be remembered, or not, which is the error.
///
/// ECS forgets within an hour, and what else the image waits for may take longer.
pub fn result(candidate: Candidate<'_>) -> Result<Option<Act>, Blocked> {
    let Candidate { case, memory, image, .. } = candidate;
    let Some(family) = &case.rule.migrate else { return Ok(None) };
    let cluster = &case.service.name.cluster;
    let run = run_name(cluster, family, &image.digest);
    if memory.migrated.as_ref().is_some_and(|it| it.run == run) {
        return Ok(None);
    }
    // What AWS does not tell is reported once it is the migration's turn.
    let Observation::Tasks(tasks) = look(case, Fact::Tasks { cluster: cluster.clone(), family: family.clone() })?
    else {
        return Ok(None);
    };
    for task in tasks.iter().filter(|it| it.started_by == run && it.has_stopped()) {
        match outcome(candidate, family, task) {
            Ok(Outcome::Well) => return Ok(Some(remember(candidate, family, run))),
            Err(failed @ (Blocked::Reject { .. } | Blocked::Lacks(_))) => return Err(failed),
            Ok(Outcome::Forgiven) | Err(_) => {}
        }
    }
    Ok(None)
}

/// What became of a task of ours that needs no answer.
enum Outcome {
    /// It ended well.
    Well,
    /// It failed, and a person has cleared that since.
    Forgiven,
}

fn outcome(candidate: Candidate<'_>, family: &str, task: &Task) -> Result<Outcome, Blocked> {
    let Candidate { case, memory, image, tag, .. } = candidate;
    if !task.has_stopped() {
        return Err(Blocked::Pending(format!(
            "{tag} waits for its migration: {family} is running (task {})",
            task.id()
        )));
    }
    let definition = match look(case, Fact::TaskDefinition(task.task_definition.clone()))? {
        Observation::TaskDefinition(it) => it,
        other => return Err(unavailable(other, UNREADABLE)),
    };
    let Some(failure) = failure(definition, task) else { return Ok(Outcome::Well) };
    let cleared = memory.approved.as_ref().filter(|it| it.digest == image.digest && it.cleared).map(|it| it.at);
    if cleared.is_some_and(|at| task.stopped_at.is_some_and(|stopped| stopped <= at)) {
        return Ok(Outcome::Forgiven);
    }
    Err(Blocked::Reject { by: "migration", why: format!("the migration of {tag} failed: {family}, {failure}") })
}

/// Why a task did not end well: the first essential container that did not exit with 0, and where to read on.
fn failure(definition: &TaskDefinition, task: &Task) -> Option<String> {
    let containers = definition.fields.get("containerDefinitions").and_then(Value::as_array);
    let essential = containers.into_iter().flatten().filter(|it| it.get("essential") != Some(&Value::Bool(false)));
    let text = |it: &Value, at: &str| it.pointer(at).and_then(Value::as_str).map(str::to_owned);
    for container in essential {
        let name = text(container, "/name").unwrap_or_default();
        let ended = task.containers.iter().find(|it| it.name == name);
        let what = match ended.and_then(|it| it.exit_code) {
            Some(0) => continue,
            Some(code) => format!("container {name} exited with {code}"),
            None => format!("container {name} has no exit code"),
        };
        let said = ended.map(|it| it.reason.as_str()).filter(|it| !it.is_empty());
        let said = said.map_or(String::new(), |it| format!(" ({it})"));
        let option = |option: &str| text(container, &format!("/logConfiguration/options/{option}"));
        let log = match (option("awslogs-group"), option("awslogs-stream-prefix")) {
            (Some(group), Some(prefix)) => format!("; log group {group}, stream {prefix}/{name}/{}", task.id()),
            _ => format!("; task {}", task.id()),
        };
        return Some(format!("{what}{said}: {}{log}", task.reason));
    }
    None
}

/// Whether the very same run has been remembered by another service that asks for it.
fn done_for_another_service(case: &Case<'_>, family: &str, run: &str) -> Result<bool, Blocked> {
    let others = match case.all_services() {
        Some(services) => services,
        None => match look(case, Fact::Services)? {
            Observation::Services(services) => services,
            other => return Err(unavailable(other, UNREADABLE)),
        },
    };
    let remembers = |tags: &std::collections::BTreeMap<String, String>| {
        let migrated = tags.get(keys::MIGRATED).and_then(|it| it.parse::<Migrated>().ok());
        migrated.is_some_and(|it| it.run == run)
    };
    let asks = format!("migrate={family}");
    let others = others.iter().filter(|it| it.tags.get(keys::DEPLOY).is_some_and(|it| it.contains(&asks)));
    Ok(others.into_iter().any(|it| remembers(&it.tags)))
}

/// Begins the migration, with the new image where it uses the repository.
fn begin(candidate: Candidate<'_>, family: &str, run: String) -> Result<Act, Blocked> {
    let Candidate { case, memory, image, tag, .. } = candidate;
    let definition = match look(case, Fact::TaskDefinition(family.into()))? {
        Observation::TaskDefinition(it) => it,
        other => return Err(unavailable(other, UNREADABLE)),
    };
    let ours = |image: &str| ImageName::parse(image).is_some_and(|it| it.repository == case.image.repository);
    let containers: Vec<String> =
        definition.images().filter(|(_, image)| ours(image)).map(|(name, _)| name.to_owned()).collect();
    let next = definition.next(&containers, &case.image.pinned(&image.digest), &[(keys::IMAGE, tag)]);
    let as_it_is = containers.is_empty() || definition.next(&[], "", &[]) == next;
    let cleared = memory.approved.as_ref().filter(|it| it.digest == image.digest && it.cleared);
    let step = Migrate {
        service: case.service.name.clone(),
        family: family.into(),
        image: tag.into(),
        running: case.running_label(),
        revision: if as_it_is { Revision::Registered(definition.arn().into()) } else { Revision::Register(next) },
        in_vpc: definition.fields.get("networkMode").and_then(Value::as_str) == Some("awsvpc"),
        launch: case.service.launch.clone(),
        // ECS gives the same task for the same token; what a person cleared is to run again.
        token: cleared.map_or(run.clone(), |it| format!("{run}-{}", it.at.as_second())),
        run,
    };
    let uses = if containers.is_empty() { ", which does not use the repository and runs as it is" } else { "" };
    let why = format!("{tag} goes out after {}{uses}", short_name(definition.arn()));
    Ok((Step::Migrate(Box::new(step)), why))
}

fn remember(Candidate { case, now, tag, .. }: Candidate<'_>, family: &str, run: String) -> Act {
    let value = Some(Migrated { run, at: now.timestamp() }.to_string());
    let running = case.running_label();
    let step = Remember::new(case.service, MemoryChange::Migrated, tag, running, keys::MIGRATED, value);
    (Step::Remember(step), format!("every essential container of {family} exited with 0"))
}
