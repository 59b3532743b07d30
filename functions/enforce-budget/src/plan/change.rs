//! What has happened to a budget since it was last looked at: steps passed, a limit raised, a figure confirmed.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use rules::budget::{Money, Seen, Warned};

use super::state::{Enforced, Figures};

/// The steps of what is spent that people are told of, whatever sleeps because of it.
pub const TOLD_AT: [u32; 2] = [80, 100];

/// A figure that was read twice, so long apart, is not one that AWS showed by mistake.
const CONFIRMED_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// What has happened to a budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What will be remembered, once people know.
    pub after: Warned,
    /// The percent spent that were passed and that people do not know of.
    pub passed: BTreeSet<u32>,
    /// The forecast has passed the percent of the tag.
    pub forecast: bool,
    /// The limit that was raised.
    pub raised_from: Option<Money>,
    /// A person releases what it holds.
    pub released: bool,
}

/// What a run knows besides the figures.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// At what percentages something sleeps.
    pub sleep_at: BTreeSet<u32>,
    /// Whether a person releases what the budget holds.
    pub release: bool,
    /// What a notification of AWS says was spent.
    pub witnessed: Option<Money>,
    pub now: Timestamp,
}

impl Enforced<'_> {
    /// What has changed, if anything has that must be told or remembered.
    pub fn change(&self, with: &Circumstances) -> Option<Change> {
        let fresh = Warned {
            period: self.period.first_day(),
            limit: None,
            actual: 0,
            told: 0,
            forecast: 0,
            raised: None,
            released: None,
            seen: None,
            last: None,
        };
        let before = self.memory.clone();
        let mut after = before.clone().unwrap_or_else(|| fresh.clone());
        let released = with.release && after.released.is_none();
        if released {
            after.released = Some(with.now);
        }
        let mut change = Change { passed: BTreeSet::new(), forecast: false, raised_from: None, released, after };
        if let Ok(figures) = &self.figures {
            change.reckon(figures, self, with);
        }
        let least = with.sleep_at.iter().copied().chain(TOLD_AT).min();
        // With sources beside it, AWS's figure may pass a step though it does not by itself.
        let matters = |it: &&Figures| !it.parts.sources.is_empty() || least.is_some_and(|least| least <= it.percent);
        if let Some(shown) = self.at_the_turn.as_ref().filter(matters) {
            change.after.last = Some(shown.parts.aws);
        }
        (change.is_told() || before.unwrap_or(fresh) != change.after).then_some(change)
    }
}

impl Change {
    /// Whether people hear of it; all else is only remembered.
    pub fn is_told(&self) -> bool {
        self.released || self.forecast || self.raised_from.is_some() || !self.passed.is_empty()
    }

    fn reckon(&mut self, figures: &Figures, budget: &Enforced<'_>, with: &Circumstances) {
        let after = &mut self.after;
        // AWS moves such a limit by itself, so that it says nothing of what people want.
        if let Some(before) = after.limit.filter(|it| *it < figures.limit.money && !budget.budget.adjusts_itself) {
            self.raised_from = Some(before);
            // What counted of the lower limit counts of the higher one as the amount that it was.
            let counted = before.share(after.actual).percent_of(figures.limit.money).unwrap_or(0);
            // A figure may have gone down since, but not because a source could not be read.
            let counted = if figures.parts.is_whole() { counted.min(figures.percent) } else { counted };
            (after.actual, after.told, after.forecast, after.seen) = (counted, 0, 0, None);
            after.raised = Some(with.now);
        }
        let steps: BTreeSet<u32> = with.sleep_at.iter().copied().chain(TOLD_AT).collect();
        confirm(after, &with.sleep_at, figures, with);
        let known = figures.percent.max(after.actual);
        self.passed = steps.iter().copied().filter(|it| after.told < *it && *it <= known).collect();
        let forecast = figures.forecast.as_ref().map_or(0, |(_, percent)| *percent);
        self.forecast = after.forecast < budget.rule.warn_at && budget.rule.warn_at <= forecast;
        if !self.passed.is_empty() {
            after.told = known;
        }
        if self.forecast {
            after.forecast = forecast;
        }
        if self.is_told() {
            self.after.limit = Some(figures.limit.money);
        }
    }
}

/// Counts what two witnesses agree on: two readings, or a reading and AWS's own notification.
///
/// AWS shows figures that are late or wrong; holding by one of them would cost a month of sleep.
fn confirm(memory: &mut Warned, steps: &BTreeSet<u32>, figures: &Figures, with: &Circumstances) {
    let uncounted = |percent: u32, memory: &Warned| steps.iter().any(|it| memory.actual < *it && *it <= percent);
    let read = figures.percent;
    // Both readings show at least the lower one. One that lacks a source says nothing against the other.
    if let Some(seen) = memory.seen.as_mut().filter(|_| figures.parts.is_whole()) {
        seen.percent = seen.percent.min(read);
    }
    let by_reading = memory.seen.filter(|it| with.now.duration_since(it.at) >= CONFIRMED_AFTER);
    let by_reading = by_reading.map(|it| it.percent.min(read));
    let by_notification = with.witnessed.and_then(|it| it.percent_of(figures.limit.money)).map(|it| it.min(read));
    let counted = by_reading.max(by_notification).unwrap_or(0);
    if uncounted(counted, memory) {
        memory.actual = counted;
    }
    if memory.seen.is_some_and(|it| !uncounted(it.percent, memory)) {
        memory.seen = None;
    }
    if memory.seen.is_none() && uncounted(read, memory) {
        memory.seen = Some(Seen { percent: read, at: with.now });
    }
}
