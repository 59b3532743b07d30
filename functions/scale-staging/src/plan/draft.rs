//! The calls that are being gathered for one service or database, and its tags as they will be.

use std::collections::BTreeMap;

use reconcile::Plan;
use rules::keys;
use serde_json::Value;

use super::step::{Call, Step, What};

/// Calls on their way to become a step.
pub struct Draft {
    arn: String,
    tags: BTreeMap<String, String>,
    calls: Vec<Call>,
    before: Value,
}

impl Draft {
    /// Nothing is to be done yet about something that is `now` so.
    pub fn new(arn: &str, tags: &BTreeMap<String, String>, now: Value) -> Self {
        Draft { arn: arn.into(), tags: tags.clone(), calls: Vec::new(), before: now }
    }

    /// Adds a call.
    pub fn call(&mut self, call: Call) {
        self.calls.push(call);
    }

    /// Writes a memory tag, unless it says so already.
    pub fn remember(&mut self, key: &'static str, value: String) {
        if self.tags.get(key) != Some(&value) {
            self.tags.insert(key.into(), value.clone());
            self.calls.push(Call::Remember(key, value));
        }
    }

    /// Removes those of these tags that are there.
    pub fn forget(&mut self, keys: &[&'static str]) {
        let keys: Vec<&'static str> = keys.iter().copied().filter(|it| self.tags.remove(*it).is_some()).collect();
        if !keys.is_empty() {
            self.calls.push(Call::Forget(keys));
        }
    }

    /// Takes over calls that only change memory.
    pub fn take_over(&mut self, calls: Vec<Call>) {
        for call in calls {
            match call {
                Call::Remember(key, value) => self.remember(key, value),
                Call::Forget(keys) => self.forget(&keys),
                other => self.call(other),
            }
        }
    }

    /// The calls so far become a step, if there are any.
    pub fn step(&mut self, what: What, headline: String, after: Value, reason: String, plan: &mut Plan<Step>) {
        if self.calls.is_empty() {
            return;
        }
        let before = std::mem::replace(&mut self.before, after.clone());
        let calls = std::mem::take(&mut self.calls);
        let holds = [keys::HOLD, keys::HOLD_MEMORY].into_iter().filter(|it| self.tags.contains_key(*it)).collect();
        let step = Step { arn: self.arn.clone(), what, calls, before, after, headline, holds };
        plan.act(&self.arn, step, reason);
    }
}
