//! Calls to EventBridge Scheduler: the schedules of the groups that opted in, read and switched.

use aws::scheduler::{ScheduleName, Scheduler};
use aws::{Error, ErrorKind, each};
use tokio::time::Instant;

use crate::plan::{Job, switched};

/// How many schedules of a group are read or changed at a time: the least that a region allows is 50 calls a second.
const SIDE_BY_SIDE: usize = 8;

/// The schedules of a group. One that goes meanwhile is left out.
pub async fn jobs_of(scheduler: &Scheduler, group: &str) -> Result<Vec<Job>, Error> {
    let names = scheduler.list_schedules(group).await?;
    let read = each(names, SIDE_BY_SIDE, async |it| {
        let schedule = scheduler.get_schedule(&it).await?;
        Ok::<_, Error>(schedule.map(|schedule| Job::read(&it.name, &schedule)))
    });
    let read: Result<Vec<Option<Job>>, Error> = read.await.into_iter().collect();
    let mut jobs: Vec<Job> = read?.into_iter().flatten().collect();
    jobs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(jobs)
}

/// Disables or enables schedules of a group, as far as that is still to do; the rest is for the next run.
pub async fn switch_jobs(
    scheduler: &Scheduler,
    group: &str,
    jobs: &[String],
    on: bool,
    until: Instant,
) -> Result<(), Error> {
    let one = async |job: &String| {
        if Instant::now() >= until {
            return Err(Error::not_now());
        }
        let name = ScheduleName { group: group.to_owned(), name: job.clone() };
        // UpdateSchedule replaces the whole of it: what another wrote meanwhile must not be lost.
        match scheduler.get_schedule(&name).await?.and_then(|it| switched(&it, on)) {
            Some(changed) => scheduler.update_schedule(&name, &changed).await.map_err(told),
            None => Ok(()),
        }
    };
    // Where the first is denied, so are the others.
    let Some((first, rest)) = jobs.split_first() else { return Ok(()) };
    one(first).await?;
    each(rest, SIDE_BY_SIDE, one).await.into_iter().collect()
}

/// An update hands the role of the target on, which IAM has to allow. One beside another update is for the next run.
fn told(error: Error) -> Error {
    if error.code == "ConflictException" {
        return Error { kind: ErrorKind::NotNow, ..error };
    }
    if !error.is_denied() {
        return error;
    }
    let message = format!(
        "its schedules cannot be changed by this stack: {error}. Name the roles of their targets in the parameter \
         ScheduleRoles"
    );
    error.told_as("no-schedule-roles", message)
}
