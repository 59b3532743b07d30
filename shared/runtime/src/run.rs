//! One run of a function: its moment, its limits, and how a plan becomes changes, messages and a report.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws::Late;
use aws_sdk_sns::Client;
use jiff::civil::Time;
use jiff::{SignedDuration, Zoned};
use reconcile::memory::{Note, news};
use reconcile::message::{Message, Site, digest, messages};
use reconcile::{Action, Conduct, Failure, Outcome, Plan, Report, Routine, Skipped, Step, Trouble, Undone, carry_out};
use rules::calendar::Freeze;
use rules::partition::Partition;
use rules::retention::Region;
use rules::schedule::StackCalendar;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tracing::{error, info, warn};

use crate::event::Widget;
use crate::settings::{CopiedBuckets, Settings};
use crate::sns;

/// What people were told of things that hold no tag, such as the run as a whole, by name.
///
/// It lasts as long as Lambda keeps the process, which for what runs every few minutes is hours.
pub(crate) type Told = Mutex<BTreeMap<String, String>>;

/// One run of a function.
pub struct Run<'a> {
    /// The moment for which everything is decided, in the stack's zone.
    pub now: Zoned,
    /// Nothing may be changed.
    pub dry_run: bool,
    /// Where the answer is shown, if that is a custom widget of CloudWatch.
    pub widget: Option<Widget>,
    /// No step begins after this.
    pub last_start: Instant,
    /// What has not been answered by then is given up, so that people still hear of the rest.
    pub(crate) give_up: Instant,
    pub(crate) function: &'static str,
    pub(crate) told: &'a Told,
    pub(crate) settings: &'a Settings,
    pub(crate) sns: &'a Late<Client>,
}

/// When the last step may begin, and when those under way are given up.
///
/// The time that is kept back is for steps under way first, then for the message and the report.
pub(crate) fn deadlines(now: Instant, remaining: Duration) -> (Instant, Instant) {
    let kept_back = Duration::from_secs(20).min(remaining / 4);
    let last_start = now + (remaining - kept_back);
    (last_start, last_start + kept_back * 3 / 5)
}

impl Run<'_> {
    /// Carries out `plan`, tells people, remembers what they were told, and reports.
    ///
    /// `apply` makes one change, `remember` writes or removes what a resource remembers of the problems told about it.
    /// Nothing is remembered before it was told: dying in between tells twice, never not at all.
    pub async fn apply<S: Step>(
        &self,
        mut plan: Plan<S>,
        apply: impl AsyncFn(&S) -> Result<Value, aws::Error>,
        remember: impl AsyncFn(&Note) -> Result<(), aws::Error>,
    ) -> Report {
        let conduct = Conduct {
            function: self.function,
            invoke_as: self.invoke_as(),
            region: self.settings.region.as_deref(),
            now: &self.now,
            dry_run: self.dry_run,
            max_changes: self.settings.max_changes,
            out_of_time: &|| Instant::now() >= self.last_start,
        };
        let mut remembered = mem::take(&mut plan.remembered);
        let mut report = carry_out(&plan, &conduct, async |step: &S| {
            // Pinned where it is: futures of SDK calls are large, and dozens are under way.
            let call = pin!(apply(step));
            timeout_at(self.give_up, call)
                .await
                .unwrap_or_else(|_| Err(aws::Error::unanswered(step.action())))
                .map_err(Failed)
        })
        .await;
        if self.dry_run || report.refusal().is_some() && report.plan_refused().is_none() {
            return report;
        }
        let here = self.remembered_here(&report, &remembered);
        let without_tag: BTreeSet<String> = here.keys().cloned().collect();
        remembered.extend(here);
        let news = news(&report, &remembered, &self.now);
        // What was told before one of them failed is told once more: nothing is remembered that was not told.
        for message in messages(&report, &news, &self.site()) {
            if let Err(error) = self.tell(&message).await {
                report.notification_error = Some(error.to_string());
                return report;
            }
        }
        let (here, on_tags): (Vec<&Note>, Vec<&Note>) =
            news.notes.iter().partition(|it| without_tag.contains(&it.resource));
        for step in once_told(&plan, &report) {
            if let Err(error) = apply(&step).await {
                let function = self.function;
                warn!(function, reason = %error, "told, but not remembered: it will be told again");
            }
        }
        self.remember_here(&here);
        for note in on_tags {
            if let Err(error) = remember(note).await {
                let (function, resource) = (self.function, &note.resource);
                warn!(function, resource, reason = %error, "told, but not remembered: it will be told again");
            }
        }
        report
    }

    /// The answer that is this page and nothing else; nothing is done or told.
    pub fn show(&self, page: String) -> Report {
        Report { dry_run: self.dry_run, page: Some(page), ..Report::new(self.function, self.now.clone()) }
    }

    /// The answer that holds these lines, for another function that makes a message of them.
    pub fn answer(&self, lines: Vec<String>) -> Report {
        let told = |reason: String| Skipped { resource: self.function.to_owned(), reason };
        let skipped = lines.into_iter().map(told).collect();
        Report { dry_run: self.dry_run, skipped, ..Report::new(self.function, self.now.clone()) }
    }

    /// Tells people in one message what a report of some time says, a line for each thing.
    pub async fn tell_report(&self, title: &str, lines: Vec<String>) -> Report {
        let mut report = self.answer(lines.clone());
        if !self.dry_run
            && !lines.is_empty()
            && let Err(error) = self.tell(&digest(&report, title, &lines, &self.site())).await
        {
            report.notification_error = Some(error.to_string());
        }
        report
    }

    /// What this function is called in AWS.
    fn invoke_as(&self) -> &str {
        self.settings.function_name.as_deref().unwrap_or(self.function)
    }

    fn site(&self) -> Site<'_> {
        let region = self.settings.region.as_deref();
        let console = region.and_then(|it| Partition::of_region(it).console);
        let Settings { routine, ref runbooks, .. } = *self.settings;
        Site { invoke_as: self.invoke_as(), region, console, routine, runbooks: runbooks.as_ref() }
    }

    /// What `function` of this stack is called in AWS: as this one is, `STACK-FUNCTION`.
    ///
    /// `None` where this one has no such name, as in a trial outside of AWS: then nobody is there to be woken.
    pub fn sibling(&self, function: &str) -> Option<String> {
        let stack = self.settings.function_name.as_deref()?.strip_suffix(self.function)?;
        stack.ends_with('-').then(|| format!("{stack}{function}"))
    }

    /// The ARN of `function` of this stack, for a button that invokes it.
    ///
    /// It is made of where this function runs, and not of what an event says.
    pub fn sibling_arn(&self, function: &str) -> Option<String> {
        let (name, region) = (self.sibling(function)?, self.settings.region.as_deref()?);
        let (partition, account) = self.account()?;
        Some(format!("arn:{partition}:lambda:{region}:{account}:function:{name}"))
    }

    /// What becomes of routine news.
    pub fn routine(&self) -> Routine {
        self.settings.routine
    }

    /// How many percent of requests should be answered without an error of the server.
    pub fn slo(&self) -> Option<f64> {
        self.settings.slo
    }

    /// The region that this runs in; empty where nothing says.
    pub fn region(&self) -> &str {
        self.settings.region.as_deref().unwrap_or_default()
    }

    /// The document of Systems Manager that deploys on instances, if there is one.
    pub fn compose_document(&self) -> Option<&str> {
        self.settings.compose_document.as_deref()
    }

    /// The topic that AWS Budgets publishes to.
    pub fn budget_topic(&self) -> Option<&str> {
        self.settings.budget_topic.as_deref()
    }

    /// Partition and account that this runs in, as the topics of the stack tell: a call less than to ask AWS.
    pub fn account(&self) -> Option<(&str, &str)> {
        let topic = self.settings.budget_topic.as_deref().or(self.settings.topic.as_deref())?;
        let mut parts = topic.split(':').skip(1);
        Some((parts.next()?, parts.nth(2).filter(|it| !it.is_empty())?))
    }

    /// Days on which no schedule window starts, and schedules by name.
    pub fn calendar(&self) -> &StackCalendar {
        &self.settings.calendar
    }

    /// The ARNs of the roles with which schedules may be changed.
    pub fn schedule_roles(&self) -> &BTreeSet<String> {
        &self.settings.schedule_roles
    }

    /// When nothing is deployed.
    pub fn freeze(&self) -> Option<Freeze> {
        self.settings.freeze
    }

    /// The regions that snapshots may be copied to, each with the KMS key for the copies there.
    pub fn copy_regions(&self) -> &BTreeMap<Region, Option<String>> {
        &self.settings.copy_regions
    }

    /// How many changes a plan may hold.
    pub fn max_changes(&self) -> usize {
        self.settings.max_changes
    }

    /// What may be copied from which bucket to which, when, and with which role.
    pub fn buckets(&self) -> &CopiedBuckets {
        &self.settings.buckets
    }

    /// The time of the day from which restore drills begin.
    pub fn drill_at(&self) -> Time {
        self.settings.drill_at
    }

    /// How long before a sleep that people may not expect they are told of it, if at all.
    pub fn sleep_notice(&self) -> Option<SignedDuration> {
        self.settings.sleep_notice
    }

    /// How many restore drills there may be at once.
    pub fn max_drills(&self) -> usize {
        self.settings.max_drills as usize
    }

    /// How many remedies there may be within an hour, over all alarms.
    pub fn max_remedies(&self) -> u32 {
        self.settings.max_remedies
    }

    /// Whether each snapshot is asked if it is shared before it is deleted.
    pub fn keep_shared(&self) -> bool {
        self.settings.keep_shared
    }

    /// What this process remembers of everything that this report has trouble with and that is not among `on_tags`.
    fn remembered_here(
        &self,
        report: &Report,
        on_tags: &BTreeMap<String, Option<String>>,
    ) -> BTreeMap<String, Option<String>> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = report.actions.iter().filter(|it| it.outcome == Outcome::Failed).map(|it| &it.resource);
        let troubled = report.problems.iter().map(|it| &it.resource).chain(failed);
        // A run that came so far is the end of those that failed.
        let all = troubled.chain(std::iter::once(&report.function));
        all.filter(|it| !on_tags.contains_key(*it)).map(|it| (it.clone(), told.get(it).cloned())).collect()
    }

    fn remember_here(&self, notes: &[&Note]) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for Note { resource, value } in notes {
            match value {
                Some(value) => told.insert(resource.clone(), value.clone()),
                None => told.remove(resource),
            };
        }
    }

    /// Tells people that the run as a whole failed.
    pub(crate) async fn tell_failure(&self, error: &aws::Error) {
        let report = Report::of_failed_run(self.function, self.now.clone(), error);
        let remembered = self.remembered_here(&report, &BTreeMap::new());
        let news = news(&report, &remembered, &self.now);
        // A failure to tell adds nothing to the first one, which the caller reports.
        for message in messages(&report, &news, &self.site()) {
            if self.tell(&message).await.is_err() {
                return;
            }
        }
        self.remember_here(&news.notes.iter().collect::<Vec<_>>());
    }

    async fn tell(&self, message: &Message) -> Result<(), aws::Error> {
        let (function, subject) = (self.function, &message.subject);
        info!(function, subject, "telling people");
        let Some(topic) = &self.settings.topic else { return Ok(()) };
        sns::publish(self.sns, topic, self.function, message)
            .await
            .inspect_err(|error| error!(function, subject, reason = %error, "the message did not get through"))
    }
}

/// What is written now that people were told of what was done.
fn once_told<S: Step>(plan: &Plan<S>, report: &Report) -> Vec<S> {
    let done = |step: &S, resource: &str| {
        let (action, headline) = (step.action(), step.headline());
        let is_it = |it: &Action| it.resource == resource && it.action == action && it.headline == headline;
        report.actions.iter().any(|it| it.outcome == Outcome::Done && is_it(it))
    };
    let told = plan.steps.iter().filter_map(|it| Some((it.step.once_told()?, it)));
    told.filter(|(_, it)| done(&it.step, &it.resource)).map(|(step, _)| step).collect()
}

/// A step that AWS refused.
struct Failed(aws::Error);

impl From<Failed> for Undone {
    fn from(Failed(error): Failed) -> Self {
        // In one place for every function: a policy does not change by itself, and runs come every five minutes.
        let error = error.told_if_denied();
        match error.kind {
            aws::ErrorKind::NotNow => Undone::NotNow,
            aws::ErrorKind::Problem(kind) => Undone::Problem(Trouble::new(kind, error.message)),
            aws::ErrorKind::Failed | aws::ErrorKind::Refused => {
                let message = error.to_string();
                Undone::Failed(Failure { code: error.code, message, request_id: error.request_id.map(String::from) })
            }
        }
    }
}
