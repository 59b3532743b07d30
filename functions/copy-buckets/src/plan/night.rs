//! The copy of tonight: begins it, follows its job, and records how it ended.

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::{Plan, Undo, when};
use rules::bucket::BucketRule;
use serde_json::json;

use super::case::{self, Case};
use super::step::{Begin, Place, Record, Step};
use super::world::{Folder, Job, Lost, MADE_BY, Marker, Obstacle, Scope, State, World};

/// A bucket without a good copy for this long has missed two nights, whatever the reason.
const TWO_NIGHTS: SignedDuration = SignedDuration::from_hours(50);

/// A look every quarter of an hour comes after this time on each day. What was to begin later would be due on no look: after
/// midnight it is the turn of another date.
const LAST_LOOK: Time = Time::constant(23, 45, 0, 0);

/// S3 may not know a job at once that it has created.
pub const KNOWN_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// What a job comes to once it has ended.
pub struct End {
    pub state: State,
    pub objects: u64,
    pub failed: u64,
    pub problems: Vec<String>,
}

/// The bucket that a command names, if it is copied each night; the error says why it is not.
pub fn case<'a>(world: &'a World, name: &str, now: &'a Zoned) -> Result<Case<'a>, String> {
    let bucket = world.bucket(name)?;
    let rule = match case::rule(bucket, world).map_err(|it| it.message)? {
        BucketRule::Copies(rule) => rule,
        BucketRule::Versions(_) => return Err(format!("{name} is not copied: its tag says mode=versions")),
    };
    Case::new(bucket, rule, world, now).map_err(|it| it.message)
}

/// Whether a person's command can be carried out; the error says why not.
pub fn may_copy(world: &World, name: &str, now: &Zoned) -> Result<(), String> {
    let case = case(world, name, now)?;
    match case.tonight().and_then(|it| it.marker.as_ref()) {
        Some(it) if it.state == State::Complete => Err(format!("the copy of {} is complete", now.date())),
        Some(it) if it.is_under_way() => Err(format!("the copy of {} is under way", now.date())),
        Some(it) if it.state == State::Deleting => Err(format!("the copy of {} is being deleted", now.date())),
        _ => Ok(()),
    }
}

impl Case<'_> {
    fn tonight(&self) -> Option<&Folder> {
        self.destination.folders.iter().find(|it| it.date == self.now.date())
    }

    /// The jobs that are under way, each with its folder.
    pub fn jobs(&self) -> Vec<(String, Place)> {
        let copying = self.copies().filter(|(_, it)| it.state == State::Copying);
        copying.filter_map(|(folder, it)| Some((it.job.clone()?, self.place(folder)))).collect()
    }

    pub fn night(&self, scope: &Scope, plan: &mut Plan<Step>) {
        let arn = self.bucket.arn.as_str();
        let (mut waits, mut is_made_good) = (false, false);
        let mut last_failed = None;
        for (folder, marker) in self.copies() {
            let ended = match marker.state {
                State::Failed => Some(marker.clone()),
                State::Copying | State::Starting => self.follow(folder, marker, plan),
                State::Complete | State::Deleting => None,
            };
            waits |= marker.is_under_way() && ended.is_none();
            is_made_good |= ended.as_ref().is_some_and(|it| it.state == State::Complete);
            last_failed = match (ended, marker.state) {
                (Some(it), _) if it.state == State::Failed => Some((folder, it)),
                (Some(_), _) | (None, State::Complete) => None,
                (None, _) => last_failed,
            };
        }
        let asked = matches!(scope, Scope::Copy(name) if *name == self.bucket.name);
        let again =
            asked && self.tonight().and_then(|it| it.marker.as_ref()).is_some_and(|it| it.state == State::Failed);
        if let Some((folder, marker)) = last_failed.filter(|_| !again) {
            self.tell_failed(folder, &marker, plan);
        }
        match self.tonight() {
            _ if waits => {}
            Some(folder) if folder.marker.as_ref().is_none_or(|it| it.source != self.bucket.name) => plan.problem(
                arn,
                "folder-taken",
                format!(
                    "the folder of tonight's copy is taken. {} has no marker of a copy of this bucket, so it is left alone: move \
                     it, or name another folder in to=",
                    self.place(folder).url()
                ),
            ),
            Some(folder) if again => {
                let attempt = folder.marker.as_ref().map_or(1, |it| it.attempt + 1);
                self.begin(attempt, "a person asks for it", plan);
            }
            Some(_) => {}
            None if asked => self.begin(1, "a person asks for it", plan),
            None if self.now.time() >= self.world.setup.at.min(LAST_LOOK) => {
                self.begin(1, format_args!("there is no copy of {}", self.now.date()), plan);
            }
            None => {}
        }
        if !is_made_good {
            self.tell_overdue(plan);
        }
    }

    /// What becomes of a copy that is under way; the marker that it ends with, if it has ended.
    fn follow(&self, folder: &Folder, marker: &Marker, plan: &mut Plan<Step>) -> Option<Marker> {
        let (arn, place) = (self.bucket.arn.as_str(), self.place(folder));
        let Some(id) = marker.job.as_ref().filter(|_| marker.state == State::Copying) else {
            // A run died between the marker and the job, or before it had noted the job.
            if folder.date == self.now.date() {
                plan.act(arn, self.begun(place, marker.clone()), "its job is not known");
                return None;
            }
            let never = vec!["its job is not known, and its night is over".to_owned()];
            let end = End { state: State::Failed, objects: 0, failed: 0, problems: never };
            return Some(self.record(place, marker, end, plan));
        };
        let end = match self.world.jobs.get(id) {
            None => return None,
            Some(Err(Lost::Unreadable(why))) => {
                plan.problem(arn, "unreadable", format!("the job {id} that copies it cannot be read: {why}"));
                return None;
            }
            Some(Err(Lost::Gone)) if self.since(marker.moment) < KNOWN_WITHIN => {
                plan.skip(arn, "S3 does not know its job yet");
                return None;
            }
            Some(Err(Lost::Gone)) => {
                let gone = vec![format!("S3 does not know its job {id} any more")];
                End { state: State::Failed, objects: 0, failed: 0, problems: gone }
            }
            Some(Ok(job)) => match ended(job) {
                Some(end) => end,
                None => {
                    let done = job.succeeded + job.failed;
                    plan.skip(arn, format!("its job is {}: {done} of {} objects", job.status, job.total));
                    if matches!(job.status.as_str(), "Suspended" | "Paused") {
                        let message = format!(
                            "the job that copies it is {}: resume or cancel it; it is {id} of S3 Batch Operations",
                            job.status
                        );
                        plan.problem(arn, "job-stopped", message);
                    }
                    return None;
                }
            },
        };
        Some(self.record(place, marker, end, plan))
    }

    fn record(&self, folder: Place, marker: &Marker, end: End, plan: &mut Plan<Step>) -> Marker {
        let End { state, objects, failed, problems } = end;
        let ended = Some(self.now.timestamp());
        let marker = Marker { state, objects: Some(objects), failed: Some(failed), problems, ended, ..marker.clone() };
        let reason = if state == State::Complete { "every object was copied" } else { "its job has ended" };
        plan.act(&self.bucket.arn, Step::Record(Record { folder, marker: marker.clone() }), reason);
        marker
    }

    fn begin(&self, attempt: u32, reason: impl std::fmt::Display, plan: &mut Plan<Step>) {
        let name = &self.bucket.name;
        if let Some(obstacle) = self.world.obstacles.get(name).and_then(|it| it.first()) {
            let (kind, message) = self::obstacle(obstacle, &self.rule.to.bucket);
            return plan.problem(&self.bucket.arn, kind, message);
        }
        let folder = Folder { date: self.now.date(), marker: None };
        let marker = Marker {
            made_by: MADE_BY.into(),
            source: name.clone(),
            prefix: self.rule.prefix.clone(),
            moment: self.now.timestamp(),
            attempt,
            state: State::Starting,
            job: None,
            objects: None,
            failed: None,
            problems: Vec::new(),
            ended: None,
            drilling: None,
            proven: None,
        };
        plan.act(&self.bucket.arn, self.begun(self.place(&folder), marker), reason);
    }

    fn begun(&self, folder: Place, marker: Marker) -> Step {
        // With the place: after another to= in the same night S3 would refuse the token of the first job.
        let token = format!("{} {}/{} {}", self.bucket.name, folder.to, folder.name, marker.attempt);
        Step::Begin(Begin { folder, class: self.rule.class, role: self.role.to_owned(), token, marker })
    }

    fn tell_failed(&self, folder: &Folder, marker: &Marker, plan: &mut Plan<Step>) {
        let (name, url) = (&self.bucket.name, self.place(folder).url());
        let why = match &marker.problems[..] {
            [] => "S3 does not say why".to_owned(),
            problems => problems.join("; "),
        };
        let count = match (marker.failed.unwrap_or(0), marker.objects.unwrap_or(0)) {
            (0, _) => String::new(),
            (failed, copied) => format!("{failed} of {} objects were not copied: ", failed + copied),
        };
        let message = format!(
            "the copy to {url} is not good, and does not count: {count}{why}.{} The next one is made in the coming night",
            hints(&marker.problems)
        );
        plan.problem(&self.bucket.arn, "copy-failed", message);
        if folder.date == self.now.date() {
            plan.choice("Copy again now", Undo::Command(json!({"copy": {"bucket": name}})));
        }
    }

    pub fn is_overdue(&self) -> bool {
        self.overdue_since().is_some()
    }

    fn overdue_since(&self) -> Option<Timestamp> {
        let first = self.copies().map(|(_, it)| it.moment).min();
        self.newest_good().or(first).filter(|it| self.since(*it) > TWO_NIGHTS)
    }

    fn tell_overdue(&self, plan: &mut Plan<Step>) {
        let Some(since) = self.overdue_since() else { return };
        let last = match self.newest_good() {
            Some(newest) => format!("its newest good copy is of {}", when(newest, self.now)),
            None => format!("it has no good copy since {}", when(since, self.now)),
        };
        plan.problem(
            &self.bucket.arn,
            "overdue",
            format!("two nights were missed: {last}. The next copy is made in the coming night"),
        );
        plan.choice("Copy it now", Undo::Command(json!({"copy": {"bucket": self.bucket.name}})));
    }
}

/// What the job has come to, if it has ended. `Complete` says only that every object was tried.
pub fn ended(job: &Job) -> Option<End> {
    let end = |state, problems| {
        Some(End { state, objects: job.succeeded, failed: job.total.saturating_sub(job.succeeded), problems })
    };
    match job.status.as_str() {
        "Complete" if job.total == 0 => end(State::Failed, vec!["there was nothing to copy".to_owned()]),
        "Complete" if job.failed == 0 && job.succeeded == job.total => end(State::Complete, Vec::new()),
        "Complete" => end(State::Failed, job.failures.clone()),
        "Failed" | "Cancelled" => {
            let status = format!("its job is {}", job.status);
            end(State::Failed, [vec![status], job.reasons.clone(), job.failures.clone()].concat())
        }
        _ => None,
    }
}

/// What stands against writing into `target`: the kind of the problem, and the words.
pub fn obstacle(obstacle: &Obstacle, target: &str) -> (&'static str, String) {
    match obstacle {
        Obstacle::RequesterPays => (
            "requester-pays",
            "who reads from it pays for that (requester pays), which a job that copies does not do".to_owned(),
        ),
        Obstacle::PublicTarget => ("public-target", format!("the policy of {target} lets anybody in: close it first")),
        Obstacle::Unreadable(why) => ("unreadable", format!("whether it can be copied cannot be read: {why}")),
    }
}

/// What to do about the codes in a report.
pub fn hints(problems: &[String]) -> String {
    let holds = |code: &str| problems.iter().any(|it| it.contains(code));
    let mut hints = String::new();
    if holds("AccessDenied") {
        hints +=
            " AccessDenied is mostly a KMS key, or the policy of a bucket, that does not let the role CopyJobRole in.";
    }
    if holds("InvalidObjectState") {
        hints += " InvalidObjectState is an object in an archive class: restore it first, or leave it out by prefix=.";
    }
    if holds("EntityTooLarge") || holds("InvalidRequest") {
        hints +=
            " A job copies no object above 5 GB, and none with a key of the customer (SSE-C): leave it out by prefix=.";
    }
    hints
}
