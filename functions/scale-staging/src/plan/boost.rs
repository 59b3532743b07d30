//! More tasks for a while, and the way back from that.

use jiff::Timestamp;
use rules::keys;
use rules::sleep::Boosted;

use super::case::Case;
use super::step::Change;

impl Case<'_> {
    pub fn end_boost_that_is_over(&mut self) {
        if self.wants.asleep.is_none()
            && self.wants.boost(self.at()).is_none()
            && let Some(boosted) = self.wants.boosted.clone()
        {
            self.end_boost(&boosted);
        }
    }

    /// Begins or changes a boost.
    pub fn boost(&mut self) {
        if self.wants.asleep.is_some() || !self.verdict.awake {
            return;
        }
        let Some(intent) = self.wants.boost(self.at()).cloned() else { return };
        let boosted = self.wants.boosted.clone();
        let most = self.size.most();
        let from = boosted.as_ref().map_or(self.size.desired, |it| it.from);
        let to = from.saturating_add(intent.step).min(most);
        match boosted {
            Some(boosted) if to < boosted.to => {
                self.end_boost(&boosted);
                // From here on as if it had never been; the next time round there is no boost to be lowered.
                self.boost();
            }
            Some(boosted) if to > boosted.to && self.is_boosted_or_was_to_be(&boosted) => {
                self.begin_boost(Boosted { since: self.at(), to, ..boosted }, &intent.by, intent.until);
            }
            Some(boosted) => self.keep_boost(&boosted),
            None if from == 0 => {
                self.draft.leave(format!("{} asks for {} more, but it was set to 0 by hand", intent.by, intent.step));
            }
            None if to <= from => {
                let things = self.service.things();
                let reason = format!(
                    "{} asks for {} more, but it has {from} {things} of at most {most}",
                    intent.by, intent.step
                );
                self.draft.leave(reason);
            }
            None => {
                let min = self.size.target.map(|it| it.min);
                let boosted = Boosted { since: self.at(), from, to, min };
                self.begin_boost(boosted, &intent.by, intent.until);
            }
        }
    }

    /// Whether it has the tasks of its boost, or a run died before it got them.
    fn is_boosted_or_was_to_be(&self, boosted: &Boosted) -> bool {
        let desired = self.size.desired;
        desired == boosted.to || desired < boosted.to && self.is_fresh(boosted.since)
    }

    fn begin_boost(&mut self, boosted: Boosted, by: &str, until: Timestamp) {
        let before = self.size.desired;
        self.draft.remember(keys::BOOSTED, boosted.to_string());
        self.count(boosted.to);
        self.raise_least(&boosted);
        let (change, until) = (self.change_of_size(before, boosted.to), self.local(until));
        self.wants.boosted = Some(boosted);
        self.step(Change::Boost, format!("gets more {} ({change}) until {until}, as {by} asks", self.service.things()));
    }

    /// Finishes what a run that died left; later, what a person or the scaling did since stands.
    fn keep_boost(&mut self, boosted: &Boosted) {
        if self.is_fresh(boosted.since) {
            self.count(boosted.to.max(self.size.desired));
            self.raise_least(boosted);
        }
        self.step(Change::Boost, format!("gets more {} (to {})", self.service.things(), boosted.to));
        let more = boosted.to - boosted.from;
        self.draft.leave(format!("it has {} {}, {more} of them by a boost", self.size.desired, self.service.things()));
    }

    /// So that the scaling does not take the tasks away at once.
    fn raise_least(&mut self, boosted: &Boosted) {
        if let (Some(target), Some(_)) = (self.size.target, boosted.min) {
            self.limits(target.min.max(boosted.to.min(target.max)), target.suspended);
        }
    }

    pub fn end_boost(&mut self, boosted: &Boosted) {
        let before = self.size.desired;
        let wanted = if before == boosted.to { boosted.from } else { before };
        if let (Some(target), Some(min)) = (self.size.target, boosted.min)
            && target.min == boosted.to.min(target.max)
        {
            self.limits(min.min(target.max), target.suspended);
        }
        self.count(wanted);
        self.draft.forget(&[keys::BOOSTED]);
        self.wants.boosted = None;
        let headline = match before == self.size.desired {
            true => format!("the boost is over, and it keeps the {before} {} that it got since", self.service.things()),
            false => format!("the boost is over ({})", self.change_of_size(before, self.size.desired)),
        };
        self.step(Change::EndBoost, headline);
    }
}
