//! Calls to EventBridge Scheduler: the schedules of the groups that opted in, read and switched.

use std::cell::RefCell;
use std::collections::BTreeSet;

use aws::scheduler::{Schedule, ScheduleName, Scheduler};
use aws::{Error, ErrorKind, each};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use crate::plan::{Job, switched, without_past_start};

/// How many schedules of a group are read or changed at a time: the least that a region allows is 50 calls a second.
const SIDE_BY_SIDE: usize = 8;

/// The schedules of a group. One that goes meanwhile is left out.
pub async fn jobs_of(scheduler: &Scheduler, group: &str, now: Timestamp) -> Result<Vec<Job>, Error> {
    let names = scheduler.list_schedules(group).await?;
    let read = each(names, SIDE_BY_SIDE, async |it| {
        let schedule = scheduler.get_schedule(&it).await?;
        Ok::<_, Error>(schedule.map(|schedule| Job::read(&it.name, &schedule, now)))
    });
    let read: Result<Vec<Option<Job>>, Error> = read.await.into_iter().collect();
    let mut jobs: Vec<Job> = read?.into_iter().flatten().collect();
    jobs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(jobs)
}

/// When schedules are switched, and until when the switching may go on.
#[derive(Clone, Copy)]
pub struct Within {
    pub now: Timestamp,
    pub until: Instant,
}

/// Disables or enables schedules of a group, as far as that is still to do; the rest is for the next run.
pub async fn switch_jobs(
    scheduler: &Scheduler,
    group: &str,
    jobs: &[String],
    on: bool,
    within: Within,
) -> Result<(), Error> {
    let denied = RefCell::new(BTreeSet::new());
    let one = async |job: &String| {
        if Instant::now() >= within.until {
            return Err(Error::not_now());
        }
        let name = ScheduleName { group: group.to_owned(), name: job.clone() };
        // UpdateSchedule replaces the whole of it: what another wrote meanwhile must not be lost.
        let Some(changed) = scheduler.get_schedule(&name).await?.and_then(|it| switched(&it, on, within.now)) else {
            return Ok(());
        };
        // Of a thousand schedules with the same role one refusal is enough.
        let rests_on = rests_on(&changed);
        if denied.borrow().contains(&rests_on) {
            return Ok(());
        }
        let outcome = update(scheduler, &name, &changed, on, within.now).await;
        if outcome.as_ref().is_err_and(Error::is_denied) {
            denied.borrow_mut().insert(rests_on);
        }
        outcome.map_err(told)
    };
    // One before the others tells whether its role is denied.
    let Some((first, rest)) = jobs.split_first() else { return Ok(()) };
    let first = one(first).await;
    let rest = each(rest, SIDE_BY_SIDE, one).await;
    // What a person has to do comes before what the next run does anyway.
    let mut errors: Vec<Error> = std::iter::once(first).chain(rest).filter_map(Result::err).collect();
    errors.sort_by_key(Error::is_not_now);
    errors.into_iter().next().map_or(Ok(()), Err)
}

/// Writes a schedule. It must not stay disabled for a beginning that was still to come when it was read last.
async fn update(
    scheduler: &Scheduler,
    name: &ScheduleName,
    changed: &Schedule,
    on: bool,
    now: Timestamp,
) -> Result<(), Error> {
    let outcome = scheduler.update_schedule(name, changed).await;
    let is_invalid = outcome.as_ref().is_err_and(|it| it.code == "ValidationException");
    match without_past_start(changed, now).filter(|_| on && is_invalid) {
        Some(changed) => scheduler.update_schedule(name, &changed).await,
        None => outcome,
    }
}

/// What an update is authorised by beside the schedule itself.
fn rests_on(schedule: &Schedule) -> [String; 2] {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    [text(&schedule["Target"]["RoleArn"]), schedule.get("KmsKeyArn").map(text).unwrap_or_default()]
}

/// An update hands the role of the target on, which IAM has to allow. One beside another update is for the next run.
fn told(error: Error) -> Error {
    match error.code.as_str() {
        "ConflictException" => Error { kind: ErrorKind::NotNow, ..error },
        // It concerns this schedule alone: the others are switched.
        "ValidationException" => {
            let message =
                format!("a schedule cannot be changed: {error}. Correct it, or delete it if it is not used any more");
            error.told_as("schedule-refused", message)
        }
        _ if error.is_denied() => {
            let message = format!(
                "its schedules cannot be changed by this stack: {error}. Name the roles of their targets in the parameter \
                 ScheduleRoles"
            );
            error.told_as("no-schedule-roles", message)
        }
        _ => error,
    }
}
