//! What a function has decided to do, and why, before anything is done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use serde::Serialize;
use serde_json::Value;

use crate::kind::MessageKind;
use crate::report::{Fact, Hint, Measure, Problem, Skipped, Trouble};
use crate::undo::{Choice, Undo};

/// One change to one resource, as plain data.
///
/// The views that people read (report, message, dry run) are made of these answers.
pub trait Step {
    /// How many resources are changed at a time.
    const AT_A_TIME: usize = 8;

    /// What is done, as an imperative in kebab case: `deploy`, `delete-snapshot`.
    fn action(&self) -> &'static str;

    /// One line for people: `api-server: deploying v1.1.0 (was v1.0.0)`.
    fn headline(&self) -> String;

    /// What the step changes, as it is now.
    fn before(&self) -> Value;

    /// What the step changes, as it will be.
    fn after(&self) -> Value;

    /// What it tries, as it is told where it failed: of a headline that says what is so people would read that it is not.
    fn attempt(&self) -> String {
        self.headline()
    }

    /// How a person takes it back, if that is possible.
    fn undo(&self) -> Option<Undo>;

    /// What else a person can decide about it.
    fn choices(&self) -> Vec<Choice> {
        Vec::new()
    }

    /// The resource whose own steps have to be done before this one, such as the one that remembers what it is for.
    ///
    /// All steps of a resource depend on the same one; where that one failed, they are deferred.
    fn needs(&self) -> Option<&str> {
        None
    }

    /// How many changes it is, as `MaxChanges` counts them, and of what: each kind has a limit of its own, so that
    /// hundreds of one do not stop the others.
    fn counts_as(&self) -> (usize, Option<&'static str>) {
        (1, None)
    }

    /// What kind of message tells people of it once it is done; `None` for bookkeeping, which is never sent.
    ///
    /// That it failed is always told, as [`MessageKind::Failed`].
    fn tells(&self) -> Option<MessageKind>;

    /// The report of the day tells it soon enough: with [`Routine::Daily`](crate::Routine::Daily) it is routine, whatever
    /// [`tells`](Step::tells) says. Without that report it is told at once.
    fn is_in_daily_report(&self) -> bool {
        false
    }

    /// The resource whose story it belongs to, if that is another one than it changes: people read the messages of an
    /// alarm and of the service that it watches as one.
    fn story(&self) -> Option<&str> {
        None
    }

    /// What is written only once people were told of this step. Until then the resource says that they were not, so the
    /// run after one that died in between tells them: perhaps twice, never not at all.
    fn once_told(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// Whether the steps after it are done although it failed: a deployment does not wait behind a note that cannot be
    /// written.
    fn is_dispensable(&self) -> bool {
        false
    }

    /// Whether this is done only if all steps before it on its resource were, also those that the rest could do without:
    /// what asked for them is not removed while one of them is still to be made up for.
    fn comes_after_all(&self) -> bool {
        false
    }
}

/// A step, the resource that it changes and the reason for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned<S> {
    /// The ARN of the resource that is changed.
    pub resource: String,
    /// The change.
    pub step: S,
    /// Why, in words.
    pub reason: String,
}

/// Everything that one run has decided: what to do, what to leave alone, what is wrong.
///
/// Every resource that was looked at gets an answer with a reason:
///
/// ```
/// use reconcile::{MessageKind, Plan, Step, Undo};
/// use serde_json::{Value, json};
///
/// struct Resize { from: u32, to: u32 }
///
/// impl Step for Resize {
///     fn action(&self) -> &'static str { "resize" }
///     fn headline(&self) -> String { format!("api: {} tasks (was {})", self.to, self.from) }
///     fn before(&self) -> Value { json!({"tasks": self.from}) }
///     fn after(&self) -> Value { json!({"tasks": self.to}) }
///     fn undo(&self) -> Option<Undo> { Some(Undo::Command(json!({"resize": self.from}))) }
///     fn tells(&self) -> Option<MessageKind> { Some(MessageKind::Changed) }
/// }
///
/// let mut plan = Plan::remembering("nightshift-state:resize-problem");
/// let tags = [("nightshift-state:resize-problem".into(), "bad-tag 1a2b told=2026-11-20T18:10:00Z".into())].into();
/// plan.examined("arn:api", &tags); // its tag says what people were told of it before
/// plan.act("arn:api", Resize { from: 2, to: 3 }, "it is Monday");
/// plan.skip("arn:web", "it has 3 tasks");
/// plan.problem("arn:old", "bad-tag", "unknown word 'x'");
/// assert_eq!((plan.steps.len(), plan.skipped.len(), plan.problems.len()), (1, 1, 1));
/// ```
///
/// Steps of one resource are carried out in the order in which they were added;
/// a failing one ends the chain of its resource and of no other.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan<S> {
    /// What to do.
    pub steps: Vec<Planned<S>>,
    /// What was looked at and left alone, with the reason.
    pub skipped: Vec<Skipped>,
    /// What needs a person.
    pub problems: Vec<Problem>,
    /// Figures for the metrics.
    pub measures: Vec<Measure>,
    /// What is so, for programs that draw it.
    pub facts: Vec<Fact>,
    /// Where people look, by resource.
    pub hints: BTreeMap<String, BTreeSet<Hint>>,
    /// What people call a resource whose ARN ends in an id that nobody knows.
    pub names: BTreeMap<String, String>,
    /// The resources that were examined and can hold a memory of what was told,
    /// with the memory that they hold now (see [`crate::memory`]).
    pub remembered: BTreeMap<String, Option<String>>,
    /// Why the command that asked for this plan is refused, if it is: then nothing is done.
    pub refused: Option<String>,
    /// The tag that holds the memory of what was told.
    memory: &'static str,
}

impl<S> Default for Plan<S> {
    fn default() -> Self {
        Plan {
            steps: Vec::new(),
            skipped: Vec::new(),
            problems: Vec::new(),
            measures: Vec::new(),
            facts: Vec::new(),
            hints: BTreeMap::new(),
            names: BTreeMap::new(),
            remembered: BTreeMap::new(),
            refused: None,
            memory: "",
        }
    }
}

impl<S> Plan<S> {
    /// An empty plan of resources that remember nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty plan of resources that remember in the tag `key` what people were told of them.
    pub fn remembering(key: &'static str) -> Self {
        Plan { memory: key, ..Self::default() }
    }

    /// Does `step` to `resource`.
    pub fn act(&mut self, resource: &str, step: S, reason: impl Display) {
        self.steps.push(Planned { resource: resource.into(), step, reason: reason.to_string() });
    }

    /// Leaves `resource` alone.
    pub fn skip(&mut self, resource: &str, reason: impl Display) {
        self.skipped.push(Skipped { resource: resource.into(), reason: reason.to_string() });
    }

    /// Leaves `resource` alone and says what is wrong with it.
    ///
    /// `problem` names the kind (`bad-tag`); the message must read the same as long as the cause is the same,
    /// since a changed message is told again: no ages, counters or request ids.
    pub fn problem(&mut self, resource: &str, problem: &'static str, message: impl Display) {
        self.problems.push(Problem {
            resource: resource.into(),
            problem: problem.into(),
            message: message.to_string(),
            kind: MessageKind::NeedsYou,
            story: None,
            choices: Vec::new(),
            monthly: false,
        });
    }

    /// The same, told again after a month and not after a day: nothing fails, but it should not be forgotten.
    pub fn monthly(&mut self, resource: &str, problem: &'static str, message: impl Display) {
        self.problem(resource, problem, message);
        self.problems.iter_mut().rev().take(1).for_each(|it| it.monthly = true);
    }

    /// Adds to the problem that was told last what a person can decide about it, as a command to paste.
    pub fn choice(&mut self, label: &'static str, command: Undo) {
        self.problems.iter_mut().rev().take(1).for_each(|it| it.choices.push(Choice::new(label, command.clone())));
    }

    /// Leaves `resource` alone and says what is wrong with it.
    pub fn trouble(&mut self, resource: &str, trouble: Trouble) {
        self.problem(resource, trouble.kind, trouble.message);
    }

    /// Refuses the command that asked for this plan: its author reads why in the answer, nothing is done, and nobody
    /// else is told.
    pub fn refuse(&mut self, why: impl Display) {
        self.refused = Some(why.to_string());
    }

    /// Notes a figure for the metrics.
    pub fn measure(&mut self, measure: Measure) {
        self.measures.push(measure);
    }

    /// Notes what is so of `resource`, for the report of a dry run.
    pub fn fact(&mut self, resource: &str, fact: impl Serialize) {
        // What has no form as JSON would only be missing in a drawing.
        let fact = serde_json::to_value(fact).unwrap_or_default();
        self.facts.push(Fact { resource: resource.into(), fact });
    }

    /// Says where people look who are told of `resource`.
    pub fn hint(&mut self, resource: &str, hint: Hint) {
        self.hints.entry(resource.into()).or_default().insert(hint);
    }

    /// Says what people call `resource`, where its ARN ends in an id that they do not know.
    pub fn named(&mut self, resource: &str, name: impl Display) {
        self.names.insert(resource.into(), name.to_string());
    }

    /// Takes in what was decided about other resources.
    pub fn extend(&mut self, other: Self) {
        self.steps.extend(other.steps);
        self.skipped.extend(other.skipped);
        self.problems.extend(other.problems);
        self.measures.extend(other.measures);
        self.facts.extend(other.facts);
        for (resource, hints) in other.hints {
            self.hints.entry(resource).or_default().extend(hints);
        }
        self.names.extend(other.names);
        self.remembered.extend(other.remembered);
        self.refused = self.refused.take().or(other.refused);
    }

    /// Notes that `resource` was examined, and what its tags remember of problems told before.
    ///
    /// Only what was examined can be found free of problems.
    pub fn examined(&mut self, resource: &str, tags: &BTreeMap<String, String>) {
        self.remembered.insert(resource.into(), tags.get(self.memory).cloned());
    }
}

/// The [`attempt`](Step::attempt) of a step that only writes down what its headline, `NAME: WHAT`, says.
pub fn writing_down(headline: &str) -> String {
    match headline.split_once(": ") {
        Some((name, what)) => format!("{name}: writing down \"{what}\""),
        None => format!("writing down \"{headline}\""),
    }
}
