//! What an image passes before it goes out to an instance: the gates that are the same everywhere, and whether the
//! instance can be reached.

use gates::Candidate;
use jiff::{SignedDuration, Zoned};
use rules::database::predeploy_id;
use rules::keys;

use super::draft::Draft;
use super::step::Step;
use super::world::{Fact, Observation};

/// Why an image does not go out now.
pub type Blocked = gates::Blocked<Fact, (Step, String)>;

/// So long after its start the agent of an instance may not have spoken yet.
const STARTS: SignedDuration = SignedDuration::from_mins(10);

/// The image may go out; `approved` says that a person let it out elsewhere in the fleet.
pub fn pass(draft: &Draft<'_>, candidate: &Candidate<'_>, approved: bool) -> Result<(), Blocked> {
    let case = draft.case;
    let digest = &candidate.image.digest;
    let by_person = draft.memory.approved.as_ref().filter(|it| it.digest == *digest);
    // A person wants it out through no gate.
    if by_person.is_some_and(|it| it.now) {
        return Ok(());
    }
    if let Some(level) = case.rule.scan {
        let fact = Fact::Scan { repository: case.repository.clone(), digest: digest.clone() };
        match look(draft, fact)? {
            Observation::Scans(scans) => gates::scan(candidate, level, scans)?,
            other => return Err(unavailable(other, "unreadable-scan", format!("the scan of {}", candidate.tag))),
        }
    }
    if case.rule.approval.is_some() && !approved {
        gates::approval(candidate, by_person, |label, command| draft.offer(label, command, digest))?;
    }
    gates::window(candidate, &case.instance.tags, &case.world.calendar)
}

/// The database has its snapshot. It is taken only when nothing else is in the way: it may sleep with the instance.
pub fn snapshot(draft: &Draft<'_>, candidate: &Candidate<'_>) -> Result<(), Blocked> {
    let case = draft.case;
    let digest = &candidate.image.digest;
    let now_wanted = draft.memory.approved.as_ref().is_some_and(|it| it.digest == *digest && it.now);
    let Some(database) = case.rule.snapshot.as_ref().filter(|_| !now_wanted) else { return Ok(()) };
    let fact = Fact::Snapshot { database: database.clone(), id: predeploy_id(database, digest) };
    let backup = match look(draft, fact)? {
        Observation::Backup(backup) => backup,
        other => return Err(unavailable(other, "unreadable-snapshot", format!("whether {database} has its snapshot"))),
    };
    let take = |step, why| (Step::AskForSnapshot(step), why);
    gates::snapshot(candidate, "deploy-compose", case.name(), database, backup, take)
}

/// Systems Manager reaches the instance; `what` waits otherwise.
pub fn reach(draft: &Draft<'_>, what: &str, now: &Zoned) -> Result<(), Blocked> {
    let instance = draft.case.instance;
    if instance.tags.contains_key(keys::ASLEEP) {
        let held = [keys::HOLD, keys::HOLD_MEMORY].into_iter().any(|it| instance.tags.contains_key(it));
        let until = if held { "the hold on it ends" } else { "its schedule wakes it" };
        return Err(Blocked::Scheduled("asleep", format!("{what} waits: the instance sleeps until {until}")));
    }
    let group = draft.case.group.as_ref().map(|(it, _)| *it);
    if let Some(group) = group.filter(|it| it.lets_go(&instance.id)) {
        let why = format!("{what} waits: the Auto Scaling group {} is about to terminate the instance", group.name);
        return Err(Blocked::pending(why, "the group keeps it after all"));
    }
    match instance.state.as_str() {
        "running" => {}
        "stopped" | "stopping" if group.is_some_and(|it| it.keeps_warm(&instance.id)) => {
            let why = format!("{what} waits: the instance is in the warm pool of its Auto Scaling group");
            return Err(Blocked::pending(why, "the group starts it"));
        }
        "pending" => return Err(Blocked::pending(format!("{what} waits: the instance is starting"), "it runs")),
        _ => {
            let message = format!("{what} waits: the instance is stopped. It goes out once it is started");
            return Err(Blocked::Scheduled("off", message));
        }
    }
    let ping = match &draft.case.world.pings {
        Ok(pings) => pings.get(&instance.id).map(String::as_str),
        Err(error) => {
            let message = format!("{what} waits: whether Systems Manager reaches it cannot be read: {error}");
            return Err(Blocked::NeedsPerson("unreachable", message));
        }
    };
    let fresh = instance.launched_at.is_some_and(|it| now.timestamp().duration_since(it) < STARTS);
    let how = match ping {
        Some("Online") => return Ok(()),
        _ if fresh => {
            let why = format!("{what} waits: the instance was started just now");
            return Err(Blocked::pending(why, "Systems Manager knows it"));
        }
        Some(_) => "Systems Manager has lost the connection to its agent",
        None => "Systems Manager does not know it",
    };
    let message = format!(
        "{what} waits: {how}. The instance needs the SSM Agent, an instance profile with AmazonSSMManagedInstanceCore and a \
         route to Systems Manager"
    );
    Err(Blocked::NeedsPerson("unreachable", message))
}

fn look<'a>(draft: &Draft<'a>, fact: Fact) -> Result<&'a Observation, Blocked> {
    draft.case.world.facts.get(&fact).ok_or(Blocked::Lacks(fact))
}

/// AWS did not tell what a gate asked for: the error is the problem `kind`.
fn unavailable(observation: &Observation, kind: &'static str, what: String) -> Blocked {
    match observation {
        Observation::Unavailable(error) => Blocked::NeedsPerson(kind, format!("{what} cannot be read: {error}")),
        other => Blocked::NeedsPerson(kind, format!("the answer was not the expected one: {other:?}")),
    }
}
