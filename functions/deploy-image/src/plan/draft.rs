//! What is decided about one service so far: what it will remember, the steps, and the facts that are still lacking.

use std::collections::BTreeSet;

use jiff::{Timestamp, Zoned};
use reconcile::{Choice, Plan};
use rules::rejections::{Rejection, Rejections};
use rules::{Digest, ShortDigest};

use super::case::{Case, Memory};
use super::gate::Blocked;
use super::step::{MemoryChange, Remember, Step};
use super::world::Fact;

/// The decision about one service while it is made.
pub struct Draft<'a> {
    pub case: &'a Case<'a>,
    pub memory: Memory,
    pub now: &'a Zoned,
    pub plan: &'a mut Plan<Step>,
    /// The pauses that this run answers, for a person or by itself.
    pub answered: Vec<String>,
    /// What has to be observed before the decision is whole.
    pub lacking: &'a mut BTreeSet<Fact>,
    /// What the deployment in `plan` changes, if there is one.
    pub change: Option<Change>,
    /// The image that a person wants out through no gate.
    pub now_wanted: Option<Digest>,
    /// What becomes of the image on the service that this one promotes from.
    pub source: Promotion,
    /// The image that goes out as soon as something has ended, if one does.
    pub soon: Option<String>,
    /// What the image waits for that is to go out next, and until when.
    pub waits: Option<String>,
}

/// What became of the look at the service that is promoted from; `None` where the rule promotes nothing.
pub type Promotion = Option<Result<Live, Blocked>>;

/// The image that is live on the service that is promoted from.
#[derive(Debug, PartialEq)]
pub struct Live {
    pub digest: Digest,
    /// Its tasks run now.
    pub awake: bool,
    /// When it will have been live for long enough, as far as that can be told.
    pub earliest: Option<Timestamp>,
}

/// What a deployment changes in a task definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub containers: Vec<String>,
    pub image: String,
    pub memory: Vec<(&'static str, String)>,
}

impl<'a> Draft<'a> {
    pub fn of(
        case: &'a Case<'a>,
        memory: Memory,
        now: &'a Zoned,
        plan: &'a mut Plan<Step>,
        lacking: &'a mut BTreeSet<Fact>,
    ) -> Self {
        Draft {
            case,
            memory,
            now,
            plan,
            lacking,
            answered: Vec::new(),
            change: None,
            soon: None,
            waits: None,
            now_wanted: None,
            source: None,
        }
    }

    pub fn act(&mut self, step: Step, why: impl std::fmt::Display) {
        self.plan.act(&self.case.service.arn, step, why);
    }

    pub fn skip(&mut self, reason: impl std::fmt::Display) {
        self.plan.skip(&self.case.service.arn, reason);
    }

    pub fn problem(&mut self, kind: &'static str, message: impl std::fmt::Display) {
        self.plan.problem(&self.case.service.arn, kind, message);
    }

    /// The same with what a person can decide about it.
    pub fn ask(
        &mut self,
        kind: &'static str,
        message: impl std::fmt::Display,
        choices: impl IntoIterator<Item = Choice>,
    ) {
        self.problem(kind, message);
        choices.into_iter().for_each(|it| self.plan.choice(it.label, it.command));
    }

    /// Rejects an image, in the plan and for the rest of the decision.
    pub fn reject(&mut self, digest: Digest, pushed_at: Timestamp, by: &str, why: &str) {
        if self.memory.rejects(&digest) {
            return;
        }
        let label = self.case.label(&digest);
        let tag = (label != digest.short()).then(|| label.clone());
        let mut rejected = self.memory.rejected.clone().unwrap_or_default();
        let is_there = |short: &ShortDigest| self.case.images.iter().any(|it| short.is(&it.digest));
        rejected.add(Rejection { digest: digest.clone(), pushed_at, tag, by: by.into() }, is_there);
        self.only_the_last_is_marked_as_untold();
        self.remember_image(MemoryChange::Reject, self.case.keys.rejected, rejected.value(), &digest, why);
        self.memory.rejected = Some(rejected);
    }

    /// Of several rejections of one run each value holds those before it, so the last one is the one to be corrected.
    fn only_the_last_is_marked_as_untold(&mut self) {
        let (arn, key) = (&self.case.service.arn, self.case.keys.rejected);
        for planned in self.plan.steps.iter_mut().filter(|it| it.resource == *arn) {
            if let Step::Remember(it) = &mut planned.step
                && it.key == key
                && let Some(Ok(before)) = it.value.as_ref().map(|it| it.parse::<Rejections>())
            {
                it.value = Rejections { untold: false, ..before }.value();
            }
        }
    }

    /// Writes a memory tag, or removes it, about an image, so that a command can take that back.
    pub fn remember_image(
        &mut self,
        change: MemoryChange,
        key: &'static str,
        value: Option<String>,
        image: &Digest,
        why: impl std::fmt::Display,
    ) {
        let label = self.case.label(image);
        let step = Remember::new(self.case.service, change, &label, self.case.running_label(), key, value);
        self.act(Step::Remember(Remember { digest: Some(image.clone()), ..step }), why);
    }

    /// Writes a memory tag, or removes it; `image` is the one that it is about, for people.
    pub fn remember(
        &mut self,
        change: MemoryChange,
        key: &'static str,
        value: Option<String>,
        image: &str,
        why: impl std::fmt::Display,
    ) {
        let step = Remember::new(self.case.service, change, image, self.case.running_label(), key, value);
        self.act(Step::Remember(step), why);
    }
}
