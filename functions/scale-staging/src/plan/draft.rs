//! The steps, problems and reasons that are being gathered for one service or database, and its tags as they will be.

use std::collections::BTreeMap;

use reconcile::{Choice, CommandLine, Trouble, Undo};
use rules::keys;
use serde_json::Value;

use super::step::{Call, Change, IfRefused, Step, Target};

/// What was decided about one service or database.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What is done, each step with its reason; where that is nothing, `idle` says why.
    pub steps: Vec<(Step, String)>,
    pub troubles: Vec<Trouble>,
    pub idle: Option<String>,
}

/// Calls on their way to become steps.
pub struct Draft {
    target: Target,
    tags: BTreeMap<String, String>,
    calls: Vec<Call>,
    before: Value,
    if_refused: Option<IfRefused>,
    choices: Vec<Choice>,
    is_again: bool,
    awake_until: Option<String>,
    steps: Vec<(Step, String)>,
    troubles: Vec<Trouble>,
    idle: Option<String>,
}

impl Decision {
    /// Nothing is done, for this reason.
    pub fn idle(reason: impl Into<String>) -> Self {
        Decision { steps: Vec::new(), troubles: Vec::new(), idle: Some(reason.into()) }
    }

    /// Nothing is done, since something is wrong.
    pub fn trouble(trouble: Trouble) -> Self {
        Decision { steps: Vec::new(), troubles: vec![trouble], idle: None }
    }
}

impl Draft {
    pub fn new(target: Target, tags: &BTreeMap<String, String>, before: Value) -> Self {
        Draft {
            target,
            tags: tags.clone(),
            calls: Vec::new(),
            before,
            if_refused: None,
            choices: Vec::new(),
            is_again: false,
            awake_until: None,
            steps: Vec::new(),
            troubles: Vec::new(),
            idle: None,
        }
    }

    pub fn call(&mut self, call: Call) {
        self.calls.push(call);
    }

    /// What is left of the next step where AWS refuses it.
    pub fn if_refused(&mut self, it: IfRefused) {
        self.if_refused = Some(it);
    }

    /// The next step was told before, and is only tried again.
    pub fn again(&mut self) {
        self.is_again = true;
    }

    /// The message of the next step holds the command that keeps it awake until then.
    pub fn keep_awake_until(&mut self, moment: Option<String>) {
        self.awake_until = moment;
    }

    /// Writes a memory tag, unless it says so already.
    pub fn remember(&mut self, key: &'static str, value: String) {
        if self.tags.get(key) != Some(&value) {
            self.tags.insert(key.into(), value.clone());
            self.calls.push(Call::Remember(key, value));
        }
    }

    /// What a tag says after all that is drafted so far.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }

    /// Removes those of these tags that are there.
    pub fn forget(&mut self, keys: &[&'static str]) {
        let keys: Vec<&'static str> = keys.iter().copied().filter(|it| self.tags.remove(*it).is_some()).collect();
        if !keys.is_empty() {
            self.calls.push(Call::Forget(keys));
        }
    }

    pub fn trouble(&mut self, kind: &'static str, message: impl Into<String>) {
        self.add_trouble(Trouble::new(kind, message.into()));
    }

    pub fn add_trouble(&mut self, trouble: Trouble) {
        self.troubles.push(trouble);
    }

    /// What a person can decide about the next step.
    pub fn offer(&mut self, label: &'static str, line: CommandLine) {
        self.choices.push(Choice::new(label, Undo::Shell(line)));
    }

    /// Why nothing is done, where nothing is: of several reasons the last.
    pub fn leave(&mut self, reason: impl Into<String>) {
        self.idle = Some(reason.into());
    }

    /// The calls so far become a step, if there are any.
    pub fn step(&mut self, change: Change, headline: String, after: Value, reason: String) {
        let (if_refused, is_again) = (self.if_refused.take(), std::mem::take(&mut self.is_again));
        let awake_until = self.awake_until.take();
        if self.calls.is_empty() {
            return;
        }
        let choices = std::mem::take(&mut self.choices);
        let before = std::mem::replace(&mut self.before, after.clone());
        let calls = std::mem::take(&mut self.calls);
        let holds = [keys::HOLD, keys::HOLD_MEMORY].into_iter().filter(|it| self.tags.contains_key(*it)).collect();
        let target = self.target.clone();
        let step =
            Step { target, change, calls, before, after, headline, holds, is_again, if_refused, awake_until, choices };
        self.steps.push((step, reason));
    }

    /// Why nothing is done so far.
    pub fn idle(&self) -> Option<&str> {
        self.idle.as_deref()
    }

    /// Whether nothing is done so far.
    pub fn is_idle(&self) -> bool {
        self.steps.is_empty()
    }

    /// What was decided; `idle` says why nothing is done, where nothing is.
    pub fn finish(self, idle: Option<String>) -> Decision {
        Decision { steps: self.steps, troubles: self.troubles, idle }
    }
}
