//! What became of the last command: the instance remembers it, whoever hears of it first.

use jiff::{SignedDuration, Zoned};
use reconcile::{Choice, CommandLine, Plan, Trouble, Undo};
use rules::compose::{Intent, Ordered};
use rules::memory::Verdict;
use rules::{Digest, keys};

use super::draft::{Draft, Motion, SILENCE, Told};
use super::step::{Change, Step};
use super::world::{Answer, Invocation, Outcome};

/// Longer than any run of a Lambda: whoever wrote an older command and did not send it will not.
pub const SENT_WITHIN: SignedDuration = SignedDuration::from_mins(16);

/// What did not get through is tried again after this time.
pub const AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// So long after its end the output of a command may not be there yet.
const OUTPUT_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// How a command ends.
const ENDS: [&str; 6] = ["Success", "Failed", "TimedOut", "Cancelled", "Undeliverable", "Terminated"];

impl Draft<'_> {
    /// Reads what became of the command that the instance remembers.
    pub fn settle(&mut self, plan: &mut Plan<Step>, now: &Zoned) {
        let Some(order) = self.memory.order.clone() else { return };
        let age = now.timestamp().duration_since(order.at);
        match self.case.world.invocations.get(&self.case.instance.id) {
            None => self.motion = Motion::Busy("its last command was not looked up".into()),
            Some(Err(error)) => {
                let trouble = Trouble::unreadable("unreadable-command", "what became of its last command", error);
                self.motion = Motion::Held(Told { trouble, choices: Vec::new() });
            }
            Some(Ok(None)) if age < SENT_WITHIN => {
                self.motion = Motion::Busy(format!("{} is being sent", self.what(&order)));
            }
            // The run that wrote it down ended before it sent it. Why it had to look is no longer known then.
            Some(Ok(None)) => {
                self.must_look |= order.intent == Intent::Look;
                self.memory.order = None;
            }
            Some(Ok(Some(invocation))) => self.ended(&order, invocation, plan, now),
        }
    }

    fn what(&self, order: &Ordered) -> String {
        match &order.intent {
            Intent::Look => "a look at what runs".into(),
            Intent::Deploy(digest) => format!("the deployment of {}", self.case.label(digest)),
            Intent::GoBack(digest) => format!("the way back to {}", self.case.label(digest)),
        }
    }

    fn ended(&mut self, order: &Ordered, invocation: &Invocation, plan: &mut Plan<Step>, now: &Zoned) {
        let what = self.what(order);
        let id = &invocation.command;
        let is_over = invocation.answer.is_some() || ENDS.contains(&invocation.status.as_str());
        // A person has changed the tag meanwhile: what became of the other service says nothing of this one.
        if is_over && !self.case.is_here(order.of.as_ref()) {
            self.memory.order = None;
            self.must_look = true;
            return;
        }
        match (invocation.status.as_str(), &invocation.answer) {
            (_, Some(answer)) => self.answered(order, answer, invocation, plan, now),
            (_, None)
                if is_over
                    && invocation.ended_at.is_some_and(|it| now.timestamp().duration_since(it) < OUTPUT_WITHIN) =>
            {
                self.motion =
                    Motion::Busy(format!("{what} has ended, and its answer is read by the next run (command {id})"));
            }
            (_, None) if is_over => {
                let (details, status) = (&invocation.details, &invocation.status);
                let ended = if details.is_empty() { status } else { details };
                let undelivered =
                    ["Delivery", "Undeliver"].iter().any(|it| details.contains(it) || status.contains(it));
                match &order.intent {
                    // Whether it did anything is not known, so the image is not tried again by itself.
                    Intent::Deploy(digest) if !undelivered => {
                        let why = format!(
                            "{what} ended as {ended} and did not say what runs now (command {id}); what is found is told"
                        );
                        if let Some(runs) = &mut self.memory.runs {
                            runs.failed = Some(id.clone());
                        }
                        self.reject(&digest.clone(), SILENCE, &why, Change::Silent, plan, now);
                        self.must_look = true;
                    }
                    // That image ran before, and is the only way back: it does not count as bad for a machine that was
                    // stopped meanwhile. Where it does not run, it is gone back once more.
                    Intent::GoBack(_) if !undelivered => {
                        let message =
                            format!("{what} ended as {ended} and did not say what runs now, so that is read back");
                        let choices = vec![self.look_at(invocation)];
                        self.tell(plan, &Told { trouble: Trouble::new("no-answer", message), choices });
                        self.memory.order = None;
                        self.must_look = true;
                    }
                    _ => {
                        let message = format!(
                            "{what} gave no answer; it ended as {ended} and did not say what runs, so it is tried again"
                        );
                        self.hold(order, "no-answer", message, invocation, now);
                    }
                }
            }
            _ => self.motion = Motion::Busy(format!("{what} is under way (command {id})")),
        }
    }

    /// It did not get through. It is repeated later, and people are told until it does.
    fn hold(&mut self, order: &Ordered, kind: &'static str, message: String, sent: &Invocation, now: &Zoned) {
        let told = Told { trouble: Trouble::new(kind, message), choices: vec![self.look_at(sent)] };
        let due = now.timestamp().duration_since(order.at) >= AGAIN_AFTER;
        // Why it had to look is no longer known: what ran may have been of a command that said nothing either.
        self.must_look |= due && order.intent == Intent::Look;
        self.motion = if due { Motion::Again(told) } else { Motion::Held(told) };
    }

    /// The command line that shows what a command printed.
    fn look_at(&self, sent: &Invocation) -> Choice {
        look_at(&sent.command, &self.case.instance.id)
    }

    fn answered(&mut self, order: &Ordered, answer: &Answer, sent: &Invocation, plan: &mut Plan<Step>, now: &Zoned) {
        let case = self.case;
        let (at, label) = (now.timestamp(), order.intent.digest().map(|it| case.label(it)).unwrap_or_default());
        let downtime = downtime(answer.downtime);
        match (&order.intent, answer.outcome) {
            (Intent::Deploy(digest), Outcome::Refused) if answer.migration_failed => {
                self.memory.order = None;
                if answer.running.is_some() {
                    self.found(answer.running.clone(), None, at);
                }
                let why = format!("{}, so {label} was not started", answer.why);
                self.reject(&digest.clone(), "migration", &why, Change::Reject, plan, now);
            }
            (_, Outcome::Refused) => {
                let what = self.what(order);
                let message = format!("{what} changed nothing: {}. It is tried again each hour", answer.why);
                self.hold(order, "refused", message, sent, now);
            }
            (Intent::Look, _) => {
                self.memory.order = None;
                // People were told that it is not known what runs, or that nothing sound does.
                let change = if self.is_broken() { Change::Settled } else { Change::Found };
                self.found(answer.running.clone(), None, at);
                self.act(change, "", None, "it was read back from the instance", plan);
            }
            (Intent::Deploy(digest) | Intent::GoBack(digest), Outcome::Deployed | Outcome::Unchanged)
                if answer.running.as_ref() == Some(digest) =>
            {
                let from = self.runs_label();
                self.memory.order = None;
                self.found(Some(digest.clone()), answer.before.clone(), at);
                if let Some(runs) = &mut self.memory.runs {
                    runs.tag = (label != digest.short()).then(|| label.clone());
                }
                self.memory.verdict = Some(Verdict { digest: digest.clone(), at });
                let why = match answer.outcome {
                    Outcome::Deployed => format!("it was deployed in the place of {from} and is well; {downtime}"),
                    _ => "it ran there already".into(),
                };
                let change = if answer.outcome == Outcome::Deployed { Change::Live } else { Change::Found };
                self.act(change, &label, Some(digest), &why, plan);
            }
            (Intent::Deploy(digest) | Intent::GoBack(digest), Outcome::Restored) => {
                self.memory.order = None;
                self.found(answer.running.clone(), None, at);
                let why = format!("{}; {} was restored, {downtime}", answer.why, self.runs_label());
                self.reject(&digest.clone(), "compose", &why, Change::Restored, plan, now);
            }
            // Whatever else it says of another image: what was wanted does not run.
            (Intent::Deploy(digest) | Intent::GoBack(digest), _) => {
                self.memory.order = None;
                self.found(answer.running.clone(), answer.before.clone(), at);
                if let Some(runs) = &mut self.memory.runs {
                    runs.failed = Some(sent.command.clone());
                }
                let runs = self.runs_label();
                let why = format!("{}; {runs} runs now, {downtime} until then", answer.why);
                self.reject(&digest.clone(), "compose", &why, Change::Broken, plan, now);
            }
        }
    }

    pub fn act(
        &mut self,
        change: Change,
        image: &str,
        digest: Option<&Digest>,
        why: impl std::fmt::Display,
        plan: &mut Plan<Step>,
    ) {
        let Some(step) = self.record(change, image, digest) else { return };
        let arn = &self.case.instance.arn;
        // Each value holds those of the steps before it, so only the last one says that people were not told yet.
        if let Step::Record(it) = &step {
            if it.tags.iter().any(|(key, _)| *key == keys::REJECTED) {
                plan.steps.iter_mut().filter(|it| it.resource == *arn).for_each(|it| it.step.mark_as_told());
            }
            self.written.extend(it.tags.iter().cloned());
        }
        plan.act(arn, step, why);
    }

    /// Rejects an image, in the plan and for the rest of the decision.
    pub fn reject(&mut self, digest: &Digest, by: &str, why: &str, change: Change, plan: &mut Plan<Step>, now: &Zoned) {
        if !self.memory.rejects(digest) {
            self.add_rejection(digest, by, now.timestamp());
        }
        let label = self.case.label(digest);
        self.act(change, &label, Some(digest), why, plan);
    }
}

/// The command line that shows what a command printed.
pub fn look_at(command: &str, instance: &str) -> Choice {
    let words = ["aws", "ssm", "get-command-invocation", "--command-id", command, "--instance-id", instance];
    Choice::new("Look at its output", Undo::Shell(CommandLine::of(words)))
}

/// `4 s without an answer`.
fn downtime(seconds: u64) -> String {
    match seconds {
        0 => "it answered all the time".into(),
        seconds => format!("{seconds} s without an answer"),
    }
}
