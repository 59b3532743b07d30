//! The snapshot before a deployment, which `deploy-image` or a person asks for.
//!
//! Nobody waits for it here. Whoever asked looks whether it is there, and asks again if it is not, so whatever stands in
//! its way is told, and nothing is remembered but that.

use std::collections::BTreeMap;

use jiff::Zoned;
use reconcile::Plan;
use rules::database::{Database, predeploy_id};
use rules::keys;

use super::{Case, Existing, State, Step, World, broken, rule, state};
use crate::request::Wish;

/// What is done about the one database of `world` that `wish` names.
pub fn plan(world: &World, wish: &Wish, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::remembering(keys::PREDEPLOY_PROBLEM);
    let database = match the_one(&world.databases, &wish.database) {
        Ok(database) => database,
        Err((resource, kind, message)) => {
            plan.problem(&resource, kind, message);
            return plan;
        }
    };
    let arn = &database.arn;
    plan.examined(arn, &database.tags);
    let rule = match rule(database) {
        Ok(rule) => rule,
        Err((kind, message)) => {
            plan.problem(arn, kind, message);
            return plan;
        }
    };
    let name = predeploy_id(&database.id, &wish.image);
    let case = Case { database, rule, world, crowds: &BTreeMap::new(), now };
    let replaces = match case.existing(&name) {
        Existing::None => false,
        Existing::Failed => true,
        Existing::There(status @ ("available" | "creating")) => {
            plan.skip(arn, format!("{name} is {status}"));
            return plan;
        }
        Existing::There(status) => {
            plan.problem(arn, "not-now", format!("{name} is {status}: ask again when it is gone"));
            return plan;
        }
        Existing::Taken(message) => {
            plan.problem(arn, "id-taken", message);
            return plan;
        }
    };
    let status = &database.status;
    match state(database.kind, status) {
        State::Ready => {
            let why = if replaces { format!("{name} failed") } else { "it is asked for before a deployment".into() };
            plan.act(arn, case.take(name, replaces), why);
        }
        State::Asleep => plan.problem(
            arn,
            "asleep",
            format!("it is {status}, and AWS takes no snapshot of a stopped database: start it, then ask again"),
        ),
        State::Passing => plan.problem(
            arn,
            "not-now",
            format!("it is {status} and cannot be snapshotted now: ask again when it is available"),
        ),
        State::Broken => plan.problem(arn, "not-snapshottable", broken(status)),
    }
    plan
}

/// A resource, the kind of problem and the message.
type Trouble = (String, &'static str, String);

/// The database that is meant: one that opted in, and is no member of a cluster.
///
/// An instance and a cluster may have the same name.
fn the_one<'a>(databases: &'a [Database], id: &str) -> Result<&'a Database, Trouble> {
    let opted_in = |it: &&Database| it.member_of.is_none() && it.tags.contains_key(keys::BACKUP);
    match databases.iter().filter(opted_in).collect::<Vec<_>>()[..] {
        [database] => return Ok(database),
        [one, _, ..] => {
            let message = format!(
                "there are a DB instance and a DB cluster of this name, and both have the tag {}: take it off one of them",
                keys::BACKUP
            );
            return Err((one.arn.clone(), "two-databases", message));
        }
        [] => {}
    }
    if let Some(bare) = databases.iter().find(|it| it.member_of.is_none()) {
        let message = format!(
            "it has no tag {}, and without it no snapshot of it may be taken: tag it, for example with days=30",
            keys::BACKUP
        );
        return Err((bare.arn.clone(), "not-opted-in", message));
    }
    Err(match databases.iter().find_map(|it| Some((it, it.member_of.as_ref()?))) {
        Some((member, cluster)) => {
            let message = format!(
                "it is a member of the DB cluster {cluster}, which is snapshotted as a whole: name {cluster}, with the tag {} on it",
                keys::BACKUP
            );
            (member.arn.clone(), "member-instance", message)
        }
        None => {
            let message =
                "there is no DB instance and no DB cluster of this name in the region: name one that is there";
            (id.to_owned(), "no-such-database", message.into())
        }
    })
}
