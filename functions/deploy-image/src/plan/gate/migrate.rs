//! `migrate=FAMILY`: a task of that family has run with the new image, once, and ended well. `after-migration=FAMILY`: the
//! same, but another service runs it.
//!
//! What was started is found again by its name: [`run_name`] goes into `startedBy`, so a doubled event comes to the same
//! task. ECS forgets a task an hour after it stopped; that it was started, and that it ended well, is therefore
//! remembered on the service.

mod outcome;
mod start;
mod state;

use std::fmt::Write;

use reconcile::{Choice, CommandLine, Undo, when};
use rules::memory::Migrated;
use rules::migrating::{Migrating, Start};
use rules::{Digest, keys};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Act, Blocked, Candidate};
use crate::plan::offer;
use crate::plan::step::MemoryChange;
use state::{LISTED_WITHIN, State, state, tasks};

/// What `startedBy` of every migration begins with; the stack's rule goes by it.
pub const STARTED_BY: &str = "ns-";

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

/// The migration has run and ended well; what to remember of that first.
pub fn pass(candidate: Candidate<'_>) -> Result<Vec<Act>, Blocked> {
    let Candidate { case, image, tag, now, .. } = candidate;
    let Some(family) = case.rule.migration() else { return Ok(Vec::new()) };
    let follows = case.rule.after_migration.is_some();
    if family == case.revision.family() {
        return Err(Blocked::NeedsPerson(
            "bad-migration",
            format!(
                "{}={family} names the service's own task definition; give the migration a family of its own",
                if follows { "after-migration" } else { "migrate" }
            ),
        ));
    }
    let run = run_name(&case.service.name.cluster, family, &image.digest);
    const BY_HAND: &str = "What it did to the database only a person can tell: run it again, or reject the image";
    let by_hand = || {
        let choices = [("Run it again", "clear"), ("Reject the image", "reject")];
        choices.map(|(label, command)| offer::about(case, label, command, &image.digest))
    };
    match state(candidate, family, &run)? {
        State::Done { .. } => notes(candidate),
        // The service that runs it asks people what to do about it.
        State::Interrupted(why) | State::DoesNotStart(why) if follows => {
            let why = format!("{tag} waits for the migration that another service runs: {family}, {why}");
            Err(Blocked::pending(why, "it has run and ended well"))
        }
        State::Forgotten(_) | State::NotStarted { .. } if follows => start::follow(candidate, family, run),
        State::Running(task) => Err(Blocked::pending(
            format!("{tag} waits for its migration: {family} is running (task {})", task.id()),
            "the task has ended",
        )),
        State::Failed(why) => {
            Err(Blocked::Reject { by: "migration", why: format!("the migration of {tag} failed: {family}, {why}") })
        }
        State::Interrupted(why) => Err(Blocked::Asks {
            kind: "migration-interrupted",
            message: format!("{tag} is not deployed: its migration was interrupted. {family}: {why}. {BY_HAND}"),
            choices: by_hand().into(),
        }),
        State::DoesNotStart(why) => Err(Blocked::NeedsPerson(
            "migration-not-started",
            format!(
                "{tag} is not deployed: its migration does not start. {family}: {why}. It is tried again every hour"
            ),
        )),
        State::Forgotten(mark) if now.timestamp().duration_since(mark.since) < LISTED_WITHIN => {
            let latest = when(mark.since + LISTED_WITHIN, now);
            Err(Blocked::pending(
                format!("{tag} waits for its migration: {family} was started just now"),
                format!("ECS lists its task, by {latest} at the latest, and that has ended"),
            ))
        }
        State::Forgotten(mark) => {
            let migrated = Migrated { run: run.clone(), at: mark.since }.to_string();
            let tags = json!([{"key": keys::MIGRATED, "value": migrated}]).to_string();
            let say_so = ["aws", "ecs", "tag-resource", "--resource-arn", &case.service.arn, "--tags", &tags];
            let say_so = Choice::new("If it ended well", Undo::Shell(CommandLine::of(say_so)));
            let message = format!(
                "{tag} is not deployed: its migration's end is unknown. ECS no longer tells it of {family}, which was \
                 started at {}. Look at its log, and say so if it ended well. {BY_HAND}",
                when(mark.since, now)
            );
            let choices = [say_so].into_iter().chain(by_hand()).collect();
            Err(Blocked::Asks { kind: "migration-unknown", message, choices })
        }
        State::NotStarted { after } => start::start(candidate, family, run, after),
    }
}

/// What to remember of a migration, whatever else its image waits for: ECS forgets within an hour, and that
/// may take longer. The error is a failure, or what has to be observed first.
pub fn notes(candidate: Candidate<'_>) -> Result<Vec<Act>, Blocked> {
    let Candidate { case, memory, image, .. } = candidate;
    let Some(family) = case.rule.migration() else { return Ok(Vec::new()) };
    let run = run_name(&case.service.name.cluster, family, &image.digest);
    let marked = memory.migrating.is_some();
    let forget = || mark(candidate, None, "its end is known".into());
    if let Some(other) = memory.migrating.as_ref().filter(|it| it.run != run) {
        let running = tasks(case, family)?.iter().any(|it| it.started_by == other.run && !it.has_stopped());
        if !running
            && state(candidate, family, &run).is_ok_and(|it| !matches!(it, State::Done { .. } | State::Running(_)))
        {
            return Ok(vec![forget()]);
        }
    }
    match state(candidate, family, &run) {
        Ok(State::Done { remembered }) => {
            let done = (!remembered).then(|| {
                let value = Some(Migrated { run, at: candidate.now.timestamp() }.to_string());
                let why = format!("every container of {family} that runs the image exited with 0");
                (candidate.note(MemoryChange::Migrated, keys::MIGRATED, value), why)
            });
            Ok(done.into_iter().chain(marked.then(forget)).collect())
        }
        // The run that started it died before it could leave the mark, or it was started in the name of another service.
        Ok(State::Running(task))
            if case.rule.migrate.is_some()
                && memory.migrating.as_ref().is_none_or(|it| it.run != run || it.start != Start::Accepted) =>
        {
            let since = candidate.now.timestamp();
            let value = Migrating {
                run,
                since,
                task: Some(task.arn.clone()),
                family: Some(family.clone()),
                start: Start::Accepted,
            };
            Ok(vec![mark(candidate, Some(value.to_string()), format!("task {} runs", task.id()))])
        }
        Ok(State::DoesNotStart(_)) if marked => Ok(vec![forget()]),
        Ok(State::Failed(why)) => Err(Blocked::Reject {
            by: "migration",
            why: format!("the migration of {} failed: {family}, {why}", candidate.tag),
        }),
        Err(lacks @ Blocked::Lacks(_)) => Err(lacks),
        // What AWS does not tell is reported once it is the migration's turn.
        Ok(_) | Err(_) => Ok(Vec::new()),
    }
}

fn mark(candidate: Candidate<'_>, value: Option<String>, why: String) -> Act {
    (candidate.note(MemoryChange::Migrating, keys::MIGRATING, value), why)
}
