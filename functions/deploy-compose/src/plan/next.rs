//! The one thing to do next on an instance, once it is known what became of the last one.

use choose::{Image, Selection};
use gates::Candidate;
use jiff::{SignedDuration, Zoned};
use reconcile::{Plan, Undo};
use rules::compose::Intent;
use rules::rejections::Rejections;
use rules::{Digest, keys};
use serde_json::json;

use super::decision::Decision;
use super::draft::{Draft, Motion, SILENCE};
use super::fleet::Others;
use super::gate::{self, Blocked};
use super::settle::look_at;
use super::step::{Change, Step};

/// What a person does on the instance is seen within this time.
const READ_BACK_WITHIN: SignedDuration = SignedDuration::from_hours(24);

impl<'a> Draft<'a> {
    /// Decides what is next; whether it deploys.
    pub fn next(&mut self, others: &Others, decision: &mut Decision, now: &Zoned) -> bool {
        let instance = self.case.instance;
        let plan = &mut decision.plan;
        let again = self.memory.order.as_ref().is_some_and(|it| it.again);
        match &self.motion {
            // What was told of the one before it is not over yet.
            Motion::Busy(_) if again => {}
            _ => plan.examined(&instance.arn, &instance.tags),
        }
        match self.motion.clone() {
            Motion::Busy(reason) => {
                self.skip(plan, reason);
                return false;
            }
            Motion::Held(told) => {
                self.tell(plan, &told);
                return false;
            }
            Motion::Again(told) => self.tell(plan, &told),
            Motion::Still => {}
        }
        self.tell_rejection(plan);
        if self.looks(plan, now) {
            return false;
        }
        let Some(runs) = self.memory.runs.clone() else { return false };
        let rejected = runs.digest.clone().filter(|it| self.memory.rejects(it));
        if let Some(running) = rejected.filter(|_| runs.failed.is_none()) {
            return self.go_back(&running, others, decision, now);
        }
        self.tell_broken(plan);
        self.deploy_selected(others, decision, now)
    }

    /// Reads back what runs, where that is not known or was long ago; whether nothing else is done until then.
    fn looks(&mut self, plan: &mut Plan<Step>, now: &Zoned) -> bool {
        let runs = self.memory.runs.as_ref();
        let launched = self.case.instance.launched_at;
        let (why, must) = match runs {
            None => ("it is not known yet what runs", true),
            Some(_) if self.must_look => ("what runs has to be read back", true),
            Some(it) if !self.case.is_here(it.of.as_ref()) => ("its tag names another service since", true),
            Some(it) if launched.is_some_and(|at| at > it.at) => {
                ("the instance was started since it was read back", false)
            }
            // A look would only say that something runs, and not that it is well again: that a person says.
            Some(it) if it.failed.is_none() && now.timestamp().duration_since(it.at) > READ_BACK_WITHIN => {
                ("it was read back more than a day ago", false)
            }
            Some(_) => return false,
        };
        match gate::reach(self, "a look at what runs", now) {
            Ok(()) => {
                let step = self.send(Intent::Look, "", false, now);
                plan.act(&self.case.instance.arn, step, why);
                true
            }
            // Nothing waits for it but the look itself, so it does not have to be told; that it cannot be reached at all does.
            Err(Blocked::NeedsPerson(kind, message)) if must => {
                self.problem(plan, kind, message);
                true
            }
            Err(Blocked::Scheduled(_, reason)) if must => {
                self.skip(plan, reason);
                true
            }
            Err(Blocked::Pending(wait)) if must => {
                self.skip(plan, wait);
                true
            }
            Err(_) => false,
        }
    }

    /// The run that rejected an image may have ended before it told people: then this one does.
    fn tell_rejection(&mut self, plan: &mut Plan<Step>) {
        let case = self.case;
        let rejected = self.memory.rejected.clone().filter(|it| it.untold && case.memory.rejected.as_ref() == Some(it));
        let Some((last, rejected)) = rejected.as_ref().and_then(|it| Some((it.last()?, it))) else { return };
        let digest = case.image(last).map_or_else(|| last.padded(), |it| it.digest.clone());
        let why = match rejected.by.as_deref() {
            Some("person") => "a person rejected it",
            Some("migration") => "its migration failed",
            Some(SILENCE) => "its deployment did not say what runs",
            _ => "its deployment failed",
        };
        let why = format!("{why}; the run that wrote this down may not have told it");
        let label = case.label(&digest);
        let mut told = Draft { memory: self.memory.clone(), ..Draft::of(case) };
        // The value is the same, and is written once more so that it can be told.
        told.memory.rejected = Some(Rejections { untold: true, ..rejected.clone() });
        if let Some(step) = told.rejection_again(&label, &digest) {
            plan.act(&case.instance.arn, step, why);
        }
    }

    fn rejection_again(&self, label: &str, digest: &Digest) -> Option<Step> {
        let value = self.memory.rejected.as_ref()?.value();
        let step = super::step::Record {
            id: self.case.instance.id.clone(),
            name: self.case.name(),
            change: Change::Reject,
            image: label.into(),
            digest: Some(digest.clone()),
            running: (!self.is_broken()).then(|| self.runs_label()),
            is_staging: false,
            before: vec![(keys::REJECTED, value.clone())],
            tags: vec![(keys::REJECTED, value)],
        };
        Some(Step::Record(step))
    }

    /// What is wrong with what runs, until it is read back that it is well again.
    fn tell_broken(&self, plan: &mut Plan<Step>) {
        let Some(runs) = &self.memory.runs else { return };
        let (service, id) = (&self.case.rule.service, &self.case.instance.id);
        let arn = &self.case.instance.arn;
        if let Some(command) = &runs.failed {
            let now_runs = match &runs.digest {
                Some(digest) => format!("{} runs, and is not known to be well", self.case.label(digest)),
                None => format!("no container of {service} runs"),
            };
            let message = format!(
                "a deployment failed and so did the way back: {now_runs}. Start it on the instance, then have it read back"
            );
            plan.problem(arn, "failed", message);
            let look = look_at(command, id);
            plan.choice(look.label, look.command);
            plan.choice("Have it read back", Undo::Command(json!({"look": {"instance": id}})));
        } else if let (None, Some(before)) = (&runs.digest, &runs.before) {
            let was = self.case.image(before);
            let name = was.map_or_else(|| format!("sha256:…{before}"), |it| self.case.label(&it.digest));
            let message =
                format!("no container of {service} runs; {name} ran last. Start it on the instance, or deploy it");
            plan.problem(arn, "not-running", message);
            if let Some(image) = was.filter(|it| !self.memory.rejects(&it.digest)) {
                let offer = self.offer("Deploy it again", "deploy", &image.digest);
                plan.choice(offer.label, offer.command);
            }
        }
    }

    /// Deploys what the rule selects, or says why not.
    pub fn deploy_selected(&mut self, others: &Others, decision: &mut Decision, now: &Zoned) -> bool {
        let Some(runs) = self.memory.runs.clone() else { return false };
        let running = self.case.known(&runs);
        let rejected = self.rejected_anywhere(others);
        let (rule, repository) = (self.case.rule.selector.to_string(), &self.case.repository);
        if let (None, Some(image)) = (&runs.digest, self.wanted_again(&runs)) {
            let tag = self.case.label(&image.digest);
            return self.deploy(image, &tag, others, decision, now);
        }
        let arn = &self.case.instance.arn;
        let label = self.runs_label();
        let choice = self.choice(&running, rejected.as_ref(), others.chosen(self.memory.approved.as_ref()));
        if let Some(image) = self.joins(others, &choice) {
            return self.join(image, others, decision, now);
        }
        let plan = &mut decision.plan;
        match choice.select() {
            Selection::Newer { image, tag } => {
                let digest = image.digest.clone();
                let image = self.case.images.iter().find(|it| it.digest == digest);
                return image.is_some_and(|it| self.deploy(it, &tag, others, decision, now));
            }
            Selection::Current { tag } => {
                plan.skip(arn, format!("runs {tag}, the one that '{rule}' selects in {repository}"));
            }
            Selection::Older { tag } => {
                let message = format!("{tag}, which '{rule}' selects in {repository}, is older than {label}, which runs");
                plan.skip(arn, message);
            }
            Selection::Declined { tag } => {
                plan.skip(arn, format!("{label}, which a person approved instead of {tag}, stays"));
            }
            Selection::Rejected { older } => plan.skip(
                arn,
                match older {
                    Some(older) => format!(
                        "what '{rule}' selects is rejected, and {older}, which is older, does not go out by itself; {label} \
                         stays"
                    ),
                    None => format!("what '{rule}' selects is rejected; {label} stays"),
                },
            ),
            Selection::Unfit { tag, why } => {
                plan.problem(arn, "unfit-image", format!("{tag} is not deployed: {why}; '{rule}' selects it in {repository}"));
            }
            Selection::NoMatch { seen } if seen.is_empty() => {
                plan.problem(arn, "no-image", format!("the repository {repository} holds no tagged image: push one"));
            }
            Selection::NoMatch { seen } => {
                let tags = seen.join(", ");
                let message = format!("its rule selects no image; '{rule}' is for {repository}, which has the tags {tags}");
                plan.problem(arn, "no-image", message);
            }
            Selection::CannotTell { tag } => plan.problem(
                arn,
                "unknown-age",
                format!(
                    "cannot tell whether {tag} is newer: {label} is not in {repository}. '{rule}' selects {tag}: push a new image, or send \"deploy\" with {tag} once"
                ),
            ),
        }
        false
    }

    /// Nothing runs, and a person asked to deploy the image that ran last.
    fn wanted_again(&self, runs: &rules::compose::Runs) -> Option<&'a Image> {
        let approved =
            self.memory.approved.as_ref().filter(|it| it.at > runs.at && !self.memory.rejects(&it.digest))?;
        self.case.images.iter().find(|it| it.digest == approved.digest && it.is_deployable())
    }

    /// What was rejected here, and on the other instances of the fleet.
    pub fn rejected_anywhere(&self, others: &Others) -> Option<Rejections> {
        let mut all = self.memory.rejected.clone().unwrap_or_default();
        for other in &others.rejected {
            // Those of this instance stay the last ones.
            let more: Vec<_> = other.images.iter().filter(|it| !all.images.contains(it)).cloned().collect();
            all.images.splice(0..0, more);
            all.pushed_at = all.pushed_at.max(other.pushed_at);
        }
        (!all.images.is_empty()).then_some(all)
    }

    fn deploy(&mut self, image: &'a Image, tag: &str, others: &Others, decision: &mut Decision, now: &Zoned) -> bool {
        let case = self.case;
        let running = self.runs_label();
        let candidate = Candidate { on: "instance", running: &running, repository: &case.repository, image, tag, now };
        let is_well = others.is_well(&image.digest);
        let let_out = others.let_out(&image.digest) || is_well;
        let turn = || match others.before(self) {
            Some(first) => {
                Err(Blocked::pending(format!("{tag} is newer, but it is the turn of {first}"), "that is done"))
            }
            None => Ok(()),
        };
        // Where it runs already, a migration has changed the database: a snapshot of now would be too late.
        let snapshot = || if is_well { Ok(()) } else { gate::snapshot(self, &candidate) };
        let passed = gate::pass(self, &candidate, let_out)
            .and_then(|()| gate::reach(self, tag, now))
            .and_then(|()| turn())
            .and_then(|()| snapshot());
        if let Err(blocked) = passed {
            self.hold_back(blocked, decision);
            return false;
        }
        // A migration is for the database, which the instances of a fleet share.
        let step = self.send(Intent::Deploy(image.digest.clone()), tag, !is_well, now);
        let why = format!("{tag} is the image that '{}' selects in {}", case.rule.selector, case.repository);
        decision.plan.act(&case.instance.arn, step, why);
        true
    }

    pub fn hold_back(&self, blocked: Blocked, decision: &mut Decision) {
        let arn = &self.case.instance.arn;
        let plan = &mut decision.plan;
        match blocked {
            Blocked::Lacks(fact) => {
                decision.lacking.insert(fact);
            }
            Blocked::Pending(wait) => plan.skip(arn, wait),
            Blocked::NeedsPerson(kind, message) => plan.problem(arn, kind, message),
            Blocked::Asks { kind, message, choices } => {
                plan.problem(arn, kind, message);
                choices.into_iter().for_each(|it| plan.choice(it.label, it.command));
            }
            Blocked::Scheduled(kind, message) => plan.monthly(arn, kind, message),
            Blocked::Requires(acts) => acts.into_iter().for_each(|(step, why)| plan.act(arn, step, why)),
            // No gate that an instance passes rejects an image.
            Blocked::Reject { why, .. } => plan.skip(arn, why),
        }
    }
}
