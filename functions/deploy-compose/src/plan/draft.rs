//! What is decided about one instance so far: what it will remember, and how it stands.

use std::collections::BTreeMap;

use jiff::Zoned;
use reconcile::{Choice, Plan, Trouble, Undo};
use rules::compose::{Intent, Ordered, Runs};
use rules::rejections::Rejection;
use rules::{Digest, keys};
use serde_json::json;

use super::case::{Case, Memory};
use super::step::{Change, Record, Send, Step};

/// By whom an image is rejected whose command ended without an answer.
pub const SILENCE: &str = "silence";

/// The decision about one instance while it is made.
pub struct Draft<'a> {
    pub case: &'a Case<'a>,
    pub memory: Memory,
    pub motion: Motion,
    /// A person wants it, or a command ended without a word: what runs is read back before anything else.
    pub must_look: bool,
    /// What the steps so far write: a later one differs from that, and not from the tags of now.
    pub written: BTreeMap<&'static str, Option<String>>,
}

/// How the last command stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Motion {
    /// None is under way.
    Still,
    /// One is: what people are told of it.
    Busy(String),
    /// It did not get through, and is not repeated yet.
    Held(Told),
    /// The same, and it is time to try again.
    Again(Told),
}

/// A problem, with what a person can decide about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub trouble: Trouble,
    pub choices: Vec<Choice>,
}

impl<'a> Draft<'a> {
    pub fn of(case: &'a Case<'a>) -> Self {
        Draft { case, memory: case.memory.clone(), motion: Motion::Still, must_look: false, written: BTreeMap::new() }
    }

    pub fn runs_label(&self) -> String {
        self.case.running_label(&self.memory)
    }

    /// Whether a deployment to it is under way or has not got through: nothing else of its fleet goes out then.
    pub fn is_deploying(&self) -> bool {
        let deploys = self.memory.order.as_ref().is_some_and(|it| it.intent != Intent::Look);
        deploys && matches!(self.motion, Motion::Busy(_) | Motion::Held(_))
    }

    /// Whether it was found to run this image well.
    pub fn is_well(&self, digest: &Digest) -> bool {
        self.memory.well().is_some_and(|(it, _)| it.digest == *digest)
    }

    /// Whether a deployment left it broken, as far as is known.
    pub fn is_broken(&self) -> bool {
        self.memory.runs.as_ref().is_some_and(|it| it.failed.is_some())
    }

    pub fn skip(&self, plan: &mut Plan<Step>, reason: impl std::fmt::Display) {
        plan.skip(&self.case.instance.arn, reason);
    }

    pub fn tell(&self, plan: &mut Plan<Step>, told: &Told) {
        plan.trouble(&self.case.instance.arn, told.trouble.clone());
        told.choices.iter().for_each(|it| plan.choice(it.label, it.command.clone()));
    }

    pub fn problem(&self, plan: &mut Plan<Step>, kind: &'static str, message: impl std::fmt::Display) {
        plan.problem(&self.case.instance.arn, kind, message);
    }

    /// `command` about this very image.
    pub fn offer(&self, label: &'static str, command: &str, image: &Digest) -> Choice {
        let about = json!({"instance": self.case.instance.id, "image": image.to_string()});
        Choice::new(label, Undo::Command(json!({command: about})))
    }

    /// Rejects an image for the rest of the decision; the tag has to be written by a step.
    pub fn add_rejection(&mut self, digest: &Digest, by: &str, at: jiff::Timestamp) {
        let case = self.case;
        let pushed_at = case.pushed_at(digest).unwrap_or(at);
        let label = case.label(digest);
        let tag = (label != digest.short()).then_some(label);
        let mut rejected = self.memory.rejected.clone().unwrap_or_default();
        let rejection = Rejection { digest: digest.clone(), pushed_at, tag, by: by.into() };
        rejected.add(rejection, |short| case.image(short).is_some());
        self.memory.rejected = Some(rejected);
    }

    /// The step that writes what differs between the tags of the instance and the memory.
    pub fn record(&self, change: Change, image: &str, digest: Option<&Digest>) -> Option<Step> {
        let case = self.case;
        let memory = &self.memory;
        let values = [
            (keys::APPROVED, memory.approved.as_ref().map(ToString::to_string)),
            (keys::COMMAND, memory.order.as_ref().map(ToString::to_string)),
            (keys::REJECTED, memory.rejected.as_ref().and_then(|it| it.value())),
            (keys::RUNS, memory.runs.as_ref().map(ToString::to_string)),
            (keys::VERDICT, memory.verdict.as_ref().map(ToString::to_string)),
        ];
        let before = |key: &str| self.written.get(key).cloned().unwrap_or_else(|| case.instance.tags.get(key).cloned());
        let tags: Vec<_> = values.into_iter().filter(|(key, value)| before(key) != *value).collect();
        let record = Record {
            id: case.instance.id.clone(),
            name: case.name(),
            change,
            image: image.into(),
            digest: digest.cloned(),
            running: (!self.is_broken()).then(|| self.runs_label()),
            is_staging: case.instance.tags.contains_key(keys::SCHEDULE),
            before: tags.iter().map(|(key, _)| (*key, before(key))).collect(),
            tags,
        };
        (!record.tags.is_empty()).then_some(Step::Record(record))
    }

    /// The command that does `intent`, for the image that people call `to`.
    pub fn send(&self, intent: Intent, to: &str, migrate: bool, now: &Zoned) -> Step {
        let case = self.case;
        let rule = &case.rule;
        let again =
            matches!(self.motion, Motion::Again(_)) && self.memory.order.as_ref().is_some_and(|it| it.intent == intent);
        let seconds = now.timestamp().as_second();
        let what = intent.digest().map_or_else(|| "look".into(), |it| it.digits()[..12].to_owned());
        let key = format!("ns-{what}-{seconds}");
        let (mode, image) = match intent.digest() {
            None => ("look", case.reference()),
            Some(digest) => ("deploy", format!("{}@{digest}", case.reference())),
        };
        let migrate = rule.migrate.clone().filter(|_| migrate).unwrap_or_default();
        let parameters = vec![
            ("Mode", mode.to_owned()),
            ("Path", rule.path.clone()),
            ("Service", rule.service.clone()),
            ("Image", image),
            ("Health", rule.health.clone().unwrap_or_default()),
            ("Wait", rule.wait.as_secs().to_string()),
            ("Migrate", migrate),
            ("Key", key.clone()),
        ];
        let seen = case.instance.tags.get(keys::COMMAND).cloned();
        let left = self.memory.order.as_ref().map(ToString::to_string);
        let mut expects = vec![seen, left];
        expects.dedup();
        Step::Send(Box::new(Send {
            id: case.instance.id.clone(),
            name: case.name(),
            order: Ordered { intent, key, at: now.timestamp(), again, of: Some(rule.place()), on: None },
            to: to.into(),
            from: self.runs_label(),
            from_digest: self.memory.running().cloned(),
            parameters,
            expects,
            needs: None,
        }))
    }

    /// What was read back is what runs. What ran before it can be gone back to.
    pub fn found(&mut self, running: Option<Digest>, before: Option<Digest>, at: jiff::Timestamp) {
        // What was known of another service, before the tag was changed, is not gone back to.
        let known = self.memory.runs.take().filter(|it| self.case.is_here(it.of.as_ref()));
        let same = known.as_ref().is_some_and(|it| it.digest == running);
        let earlier = known.as_ref().and_then(|it| it.digest.as_ref().map(rules::ShortDigest::of));
        let kept = known.as_ref().and_then(|it| it.before.clone());
        let before = before.filter(|it| Some(it) != running.as_ref()).map(|it| rules::ShortDigest::of(&it));
        let is_running = |it: &rules::ShortDigest| running.as_ref().is_some_and(|digest| it.is(digest));
        let before = if same { kept.or(before) } else { before.or(earlier).or(kept) };
        self.memory.runs = Some(Runs {
            before: before.filter(|it| !is_running(it)),
            tag: known.and_then(|it| it.tag).filter(|_| same),
            digest: running,
            at,
            failed: None,
            of: Some(self.case.rule.place()),
        });
    }
}
