//! `{"status":…}`: what runs on an instance and what is under way. Nothing is decided.

use jiff::Zoned;
use reconcile::{Plan, when};

use super::draft::Draft;
use super::step::Step;

impl Draft<'_> {
    /// Says what runs and what is under way; nothing is decided.
    pub fn status(&self, plan: &mut Plan<Step>, now: &Zoned) {
        let runs = match &self.memory.runs {
            None => "it is not known yet what runs".to_owned(),
            Some(runs) => format!("{} runs, as it was read back {}", self.runs_label(), when(runs.at, now)),
        };
        let order = self.memory.order.as_ref().map(|it| format!("; last command {} of {}", it.key, when(it.at, now)));
        let rejected: Vec<String> = self
            .memory
            .rejected
            .iter()
            .flat_map(|it| &it.images)
            .map(|short| {
                self.case.image(short).map_or_else(|| format!("sha256:…{short}"), |it| self.case.label(&it.digest))
            })
            .collect();
        let rejected = if rejected.is_empty() { String::new() } else { format!("; rejected: {}", rejected.join(", ")) };
        self.skip(plan, format!("{runs}{}{rejected}", order.unwrap_or_default()));
    }
}
