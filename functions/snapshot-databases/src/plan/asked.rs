//! A snapshot that is asked for: before a deployment by `deploy-image` or a person, before a sleep by `scale-staging`.
//!
//! Nobody waits for it here. Whoever asked looks whether it is there, and asks again if it is not, so what prevents it
//! is told, and nothing is remembered but that.

use std::collections::BTreeMap;

use jiff::Zoned;
use reconcile::{Plan, Trouble};
use rules::database::{Database, Kind, predeploy_id, sleep_id};
use rules::keys;

use super::case::{Case, Existing, Readiness, broken};
use super::command::{Command, Occasion};
use super::opted_in::rule;
use super::owned::Shelves;
use super::step::Step;
use super::world::World;

/// The id of the snapshot that `command` asks for, of a database of this kind.
pub fn asked_id(command: &Command, kind: Kind, now: &Zoned) -> String {
    match &command.occasion {
        Occasion::Deployment(image) => predeploy_id(&command.database, image),
        Occasion::Sleep(begun) => sleep_id(kind, &command.database, &begun.to_zoned(now.time_zone().clone())),
    }
}

/// What is done about the one database of `world` that `command` names.
pub fn plan(world: &World, command: &Command, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::remembering(keys::PREDEPLOY_PROBLEM);
    let database = match the_one(&world.databases, &command.database) {
        Ok(database) => database,
        Err((resource, trouble)) => {
            plan.trouble(resource, trouble);
            return plan;
        }
    };
    let arn = &database.arn;
    let before_a_sleep = matches!(command.occasion, Occasion::Sleep(_));
    if !before_a_sleep {
        plan.examined(arn, &database.tags);
    }
    let rule = match rule(database) {
        Ok(rule) => rule,
        Err(trouble) => {
            plan.trouble(arn, trouble);
            return plan;
        }
    };
    let name = asked_id(command, database.kind, now);
    let counts = BTreeMap::new();
    let case = Case::new(database, rule, world, &Shelves::of(world), &counts, now);
    let failed = match case.existing(&name) {
        Existing::None => None,
        Existing::Failed(it) => Some(it),
        Existing::There(it) if matches!(it.status.as_str(), "available" | "creating") => {
            plan.skip(arn, format!("{name} is {}", it.status));
            return plan;
        }
        Existing::There(it) => {
            plan.problem(arn, "not-now", format!("{name} is {}: ask again when it is gone", it.status));
            return plan;
        }
        Existing::Taken(message) => {
            plan.problem(arn, "id-taken", message);
            return plan;
        }
    };
    let status = &database.status;
    match case.readiness() {
        Readiness::Ready => {
            let why = match (failed, before_a_sleep) {
                (Some(_), _) => format!("{name} failed"),
                (None, true) => "it is asked for before a sleep".into(),
                (None, false) => "it is asked for before a deployment".into(),
            };
            plan.act(arn, case.take(name, failed), why);
        }
        // `scale-staging` sees both by itself at each tick.
        Readiness::Asleep | Readiness::Busy if before_a_sleep => {
            plan.skip(arn, format!("it is {status} and cannot be snapshotted now; scale-staging asks again"));
        }
        Readiness::Asleep => plan.problem(
            arn,
            "asleep",
            format!("it is {status}, and AWS takes no snapshot of a stopped database: start it, then ask again"),
        ),
        Readiness::Busy => plan.problem(
            arn,
            "not-now",
            format!("it is {status} and cannot be snapshotted now: ask again when it is available"),
        ),
        Readiness::Broken => plan.problem(arn, "not-snapshottable", broken(status)),
    }
    plan
}

/// The database that is meant: one that opted in, and is not a member of a cluster.
///
/// An instance and a cluster may have the same name.
fn the_one<'a>(databases: &'a [Database], id: &'a str) -> Result<&'a Database, (&'a str, Trouble)> {
    let opted_in = |it: &&Database| it.member_of.is_none() && it.tags.contains_key(keys::BACKUP);
    match databases.iter().filter(opted_in).collect::<Vec<_>>()[..] {
        [database] => return Ok(database),
        [one, _, ..] => {
            let message = format!(
                "a DB instance and a DB cluster have this name; both have the tag {}: remove it from one of them",
                keys::BACKUP
            );
            return Err((&one.arn, Trouble::new("two-databases", message)));
        }
        [] => {}
    }
    if let Some(bare) = databases.iter().find(|it| it.member_of.is_none()) {
        let message = format!(
            "it has no tag {}; without it no snapshot of it may be taken: tag it, for example with days=30",
            keys::BACKUP
        );
        return Err((&bare.arn, Trouble::new("not-opted-in", message)));
    }
    Err(match databases.iter().find_map(|it| Some((it, it.member_of.as_ref()?))) {
        Some((member, cluster)) => {
            let message = format!(
                "it is a member of the DB cluster {cluster}, which is snapshotted as a whole: name {cluster}, with the tag {} on it",
                keys::BACKUP
            );
            (&member.arn, Trouble::new("member-instance", message))
        }
        None => {
            let message =
                "there is no DB instance and no DB cluster of this name in the region: name one that is there";
            (id, Trouble::new("no-such-database", message))
        }
    })
}
