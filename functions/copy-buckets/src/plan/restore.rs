//! A restore to a moment: whether it may begin, and how it goes on.

use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use reconcile::{Plan, when};
use rules::bucket::{BucketRule, Destination};
use rules::keys;

use super::case;
use super::night::{KNOWN_WITHIN, ended, hints, obstacle};
use super::step::{Place, RecordRestore, Restore, Step};
use super::world::{
    Bucket, Contents, Lost, RESTORED_BY, RestoreMarker, RestoreState, Restoring, State, Wanted, World, folder_name,
    remembered,
};

/// A run lists versions for five minutes at most.
const BUSY_FOR: SignedDuration = SignedDuration::from_mins(10);

/// Tags hold no longer values.
const LONGEST_MEMORY: usize = 256;

/// The moment and the folder that a command means; the error says why it cannot be carried out.
pub fn place(world: &World, wanted: &Wanted, now: &Zoned) -> Result<(Timestamp, String), String> {
    let bucket = world.bucket(&wanted.bucket)?;
    let rule = case::rule(bucket, world).map_err(|it| it.message)?;
    case::may_write(bucket, &wanted.to, rule.prefix(), world).map_err(|it| it.message)?;
    outside_of_copies(world, wanted)?;
    let at = wanted.at.timestamp(now.time_zone()).ok_or("the moment is beyond the calendar")?;
    if at > now.timestamp() {
        return Err(format!("{} has not come yet", when(at, now)));
    }
    if let BucketRule::Versions(rule) = &rule
        && now.checked_sub(i32::from(rule.days).days()).is_ok_and(|it| at < it.timestamp())
    {
        let days = rule.days;
        return Err(format!(
            "{} is more than {days} days ago, and days={days} keeps old versions no longer",
            when(at, now)
        ));
    }
    let name = folder_name(at, now);
    if format!("{}/{name}", wanted.to).len() > LONGEST_MEMORY {
        return Err(format!("to: {} is too long: use at most 230 characters", wanted.to));
    }
    Ok((at, name))
}

/// What lies in the folder of a copy is deleted with it, and would be copied over it.
fn outside_of_copies(world: &World, wanted: &Wanted) -> Result<(), String> {
    let below =
        |it: &Destination| it.bucket == wanted.to.bucket && wanted.to.prefix.starts_with(&format!("{}/", it.prefix));
    let copied = world.buckets.iter().filter_map(|it| Some((it, case::copied(it, world)?.to)));
    match copied.into_iter().find(|(_, to)| below(to)) {
        Some((bucket, to)) => {
            let message = format!(
                "to: {} lies in {to}, where the copies of {} are, and would be deleted with one of them: name another folder",
                wanted.to, bucket.name
            );
            Err(message)
        }
        None => Ok(()),
    }
}

/// The first step of a restore; the error says why it cannot be carried out.
pub fn begin(world: &World, wanted: &Wanted, now: &Zoned) -> Result<(Bucket, Restore), String> {
    let (at, name) = place(world, wanted, now)?;
    let bucket = world.bucket(&wanted.bucket)?;
    let role = world.setup.role.clone().ok_or(case::NO_ROLE)?;
    let versioning = match world.versioning.get(&bucket.name) {
        Some(Ok(it)) => it,
        Some(Err(why)) => return Err(format!("whether old versions are kept cannot be read: {why}")),
        None => return Err("whether old versions are kept was not read".into()),
    };
    if versioning.status.is_none() {
        return Err(format!("versioning of {} is not enabled, so that there are no old versions", bucket.name));
    }
    if let Some(Ok(other)) = world.restores.get(&bucket.name)
        && let Some(marker) = other.marker.as_ref().filter(|it| !it.has_ended())
    {
        return Err(format!("a restore of {} to {} is under way", bucket.name, when(marker.at, now)));
    }
    let site = match &world.site {
        Some(Ok(site)) => site,
        Some(Err(why)) => return Err(format!("s3://{} cannot be read: {why}", wanted.to)),
        None => return Err(format!("s3://{} was not read", wanted.to)),
    };
    if let Some(found) = site.obstacles.first() {
        return Err(obstacle(found, &wanted.to.bucket).1);
    }
    let folder = Place { region: site.region.clone(), to: wanted.to.clone(), name };
    let earlier = match &site.contents {
        Contents::Nothing => None,
        Contents::Restore(it) if it.source == bucket.name => Some(it),
        Contents::Restore(_) | Contents::Other => {
            return Err(format!(
                "{} is there already and is not a restore of this bucket: name another to",
                folder.url()
            ));
        }
    };
    match earlier.map(|it| it.state) {
        Some(RestoreState::Complete) => return Err(format!("{} is complete already", folder.url())),
        Some(RestoreState::Copying) => return Err(format!("{} is being copied", folder.url())),
        _ => {}
    }
    let marker = RestoreMarker {
        made_by: RESTORED_BY.into(),
        source: bucket.name.clone(),
        prefix: case::rule(bucket, world).map_err(|it| it.message)?.prefix().to_owned(),
        at,
        begun: now.timestamp(),
        state: RestoreState::Listing,
        busy_until: Some(busy_until(now)),
        listing: None,
        manifest: None,
        job: None,
        objects: None,
        failed: None,
        problems: Vec::new(),
        untold: false,
    };
    Ok((bucket.clone(), Restore { folder, arn: bucket.arn.clone(), role, marker }))
}

/// What becomes of the restore that a tag of the bucket says is under way.
pub fn follow(bucket: &Bucket, world: &World, now: &Zoned, plan: &mut Plan<Step>) {
    let arn = bucket.arn.as_str();
    let Some(value) = bucket.tags.get(keys::BUCKET_RESTORE) else { return };
    let Some((to, name)) = remembered(value) else {
        return forget(bucket, "its tag names no restore", plan);
    };
    let found = match world.restores.get(&bucket.name) {
        Some(Ok(found)) => found,
        Some(Err(why)) => {
            return plan.problem(arn, "unreadable", format!("the restore s3://{value}/ cannot be read: {why}"));
        }
        None => return,
    };
    let folder = Place { region: found.region.clone(), to, name };
    let Some(marker) = found.marker.as_ref().filter(|it| it.source == bucket.name) else {
        return forget(bucket, "there is no restore of it", plan);
    };
    match marker.state {
        RestoreState::Complete | RestoreState::Failed if marker.untold => {
            let record = RecordRestore { folder, marker: marker.clone() };
            let why = "it has ended, and the run that saw it could not tell people";
            plan.act(arn, Step::RecordRestore(record), why);
        }
        RestoreState::Complete | RestoreState::Failed => forget(bucket, "it has ended, and people were told", plan),
        RestoreState::Listing if marker.busy_until.is_some_and(|it| now.timestamp() < it) => {
            plan.skip(arn, format!("its versions are being listed for {}", folder.url()));
        }
        RestoreState::Listing => {
            let Some(role) = world.setup.role.clone() else { return plan.problem(arn, "not-allowed", case::NO_ROLE) };
            let marker = RestoreMarker { busy_until: Some(busy_until(now)), ..marker.clone() };
            plan.act(arn, Step::Restore(Restore { folder, arn: arn.into(), role, marker }), "its list is not complete");
        }
        RestoreState::Copying => follow_job(bucket, found, &folder, marker, now, plan),
    }
}

fn follow_job(
    bucket: &Bucket,
    found: &Restoring,
    folder: &Place,
    marker: &RestoreMarker,
    now: &Zoned,
    plan: &mut Plan<Step>,
) {
    let (arn, id) = (bucket.arn.as_str(), marker.job.as_deref().unwrap_or_default());
    let (state, objects, failed, problems) = match &found.job {
        None => return,
        Some(Err(Lost::Unreadable(why))) => {
            let message = format!("the job {id} that restores it cannot be read: {why}");
            return plan.problem(arn, "unreadable", message);
        }
        Some(Err(Lost::Gone)) if now.timestamp().duration_since(marker.begun) < KNOWN_WITHIN => {
            return plan.skip(arn, "S3 does not know its job yet");
        }
        Some(Err(Lost::Gone)) => (State::Failed, 0, 0, vec![format!("S3 does not know its job {id} any more")]),
        Some(Ok(job)) => match ended(job) {
            Some(end) => (end.state, end.objects, end.failed, end.problems),
            None => {
                let done = job.succeeded + job.failed;
                return plan.skip(arn, format!("restoring to {}: {done} of {} objects", folder.url(), job.total));
            }
        },
    };
    let state = if state == State::Complete { RestoreState::Complete } else { RestoreState::Failed };
    let reason = match &problems[..] {
        [] if state == RestoreState::Complete => "every object was copied".to_owned(),
        [] => format!("{failed} of {} objects were not copied, and S3 does not say why", objects + failed),
        problems if failed > 0 => {
            let hints = hints(problems);
            let dot = if hints.is_empty() { "" } else { "." };
            format!("{failed} of {} objects were not copied: {}{dot}{hints}", objects + failed, problems.join("; "))
        }
        problems => problems.join("; "),
    };
    let marker =
        RestoreMarker { state, objects: Some(objects), failed: Some(failed), problems, untold: true, ..marker.clone() };
    // The tag stays until people were told: the next run removes it.
    plan.act(arn, Step::RecordRestore(RecordRestore { folder: folder.clone(), marker }), reason);
}

fn forget(bucket: &Bucket, reason: &str, plan: &mut Plan<Step>) {
    plan.act(&bucket.arn, Step::ForgetRestore(bucket.clone()), reason);
}

fn busy_until(now: &Zoned) -> Timestamp {
    now.timestamp().saturating_add(BUSY_FOR).unwrap_or(Timestamp::MAX)
}
