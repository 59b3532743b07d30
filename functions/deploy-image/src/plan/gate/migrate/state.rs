//! How far the migration of an image is, by its tasks and by the mark that was left when it was started.

use jiff::SignedDuration;
use rules::migrating::{Migrating, Start};

use super::outcome::{Outcome, outcome};
use crate::plan::case::Case;
use crate::plan::gate::{Blocked, Candidate, look, unavailable};
use crate::plan::world::{Fact, Observation, Task};

/// The problem where ECS does not tell of the migration.
pub const UNREADABLE: &str = "unreadable-migration";

/// How often a task that does not start is tried before ECS has forgotten the first one.
const STARTS: usize = 3;

/// So long ECS lists a task that has stopped, with room for the clock of ECS.
const LISTED_FOR: SignedDuration = SignedDuration::from_mins(50);

/// So long ECS may take to list a task that it has accepted.
pub const LISTED_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// How far the migration of an image is.
pub enum State<'a> {
    /// Its end is remembered, or it is known to have ended well.
    Done {
        remembered: bool,
    },
    Running(&'a Task),
    Failed(String),
    /// Something else than the image ended it: what.
    Interrupted(String),
    /// Its task did not start, several times: why.
    DoesNotStart(String),
    /// It was started, and ECS tells of no task.
    Forgotten(&'a Migrating),
    /// It has to be started. What ended before says which client token is a new one.
    NotStarted {
        after: Option<i64>,
    },
}

pub fn state<'a>(candidate: Candidate<'a>, family: &str, run: &str) -> Result<State<'a>, Blocked> {
    let Candidate { case, memory, image, now, .. } = candidate;
    if memory.migrated.as_ref().is_some_and(|it| it.run == run) {
        return Ok(State::Done { remembered: true });
    }
    let tasks = tasks(case, family)?;
    let forgiven = memory.forgiven_at(&image.digest);
    let (mut after, mut unstarted, mut interrupted) = (None, Vec::new(), None);
    for task in tasks.iter().filter(|it| it.started_by == run) {
        if !task.has_stopped() {
            return Ok(State::Running(task));
        }
        let definition = match look(case, Fact::TaskDefinition(task.task_definition.clone()))? {
            Observation::TaskDefinition(it) => it,
            other => return Err(unavailable(other, UNREADABLE, "how its migration stands")),
        };
        let outcome = outcome(definition, task, &case.image.repository);
        if matches!(outcome, Outcome::Well) {
            return Ok(State::Done { remembered: false });
        }
        after = after.max(task.stopped_at.map(|it| it.as_second()));
        if forgiven.is_some_and(|at| task.stopped_at.is_some_and(|stopped| stopped <= at)) {
            continue;
        }
        match outcome {
            Outcome::Failed(why) => return Ok(State::Failed(why)),
            Outcome::Interrupted(why) => interrupted = Some(why),
            Outcome::NotStarted(why) => unstarted.push(why),
            Outcome::Well => {}
        }
    }
    if let Some(why) = interrupted {
        return Ok(State::Interrupted(why));
    }
    let started = !unstarted.is_empty();
    let age = |mark: &Migrating| now.timestamp().duration_since(mark.since);
    if unstarted.len() >= STARTS {
        return Ok(unstarted.pop().map_or(State::NotStarted { after }, State::DoesNotStart));
    }
    match memory.migrating.as_ref().filter(|it| it.run == run) {
        Some(mark) if mark.start == Start::Refused => after = after.max(Some(mark.since.as_second())),
        // A run died while it asked, and ECS would still list what had come of it: asked again by the same token, it
        // starts no second task.
        Some(mark) if mark.start == Start::Asked && (LISTED_WITHIN..LISTED_FOR).contains(&age(mark)) => {}
        Some(mark) if !started && forgiven.is_none_or(|at| at < mark.since) => return Ok(State::Forgotten(mark)),
        _ => {}
    }
    Ok(State::NotStarted { after: after.max(forgiven.map(|it| it.as_second())) })
}

/// The tasks of the family in the service's cluster that ECS knows.
pub fn tasks<'a>(case: &'a Case<'a>, family: &str) -> Result<&'a [Task], Blocked> {
    let fact = Fact::Tasks { cluster: case.service.name.cluster.clone(), family: family.into() };
    match look(case, fact)? {
        Observation::Tasks(tasks) => Ok(tasks),
        other => Err(unavailable(other, UNREADABLE, "how its migration stands")),
    }
}
