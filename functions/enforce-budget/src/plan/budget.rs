//! A budget as AWS tells of it, and how far it has come: its period, its figures, the steps that it has passed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use rules::budget::{Enforcement, Money, Warned, tag_name};
use rules::keys;

/// The steps of what is spent that people are told of, whatever is put to sleep by it.
pub const TOLD_AT: [u32; 2] = [80, 100];

/// In the first day of a period AWS may still show the figures of the last one.
const UNTIL_FIGURES_COUNT: SignedDuration = SignedDuration::from_hours(24);

/// The same for a daily budget.
const UNTIL_DAILY_FIGURES_COUNT: SignedDuration = SignedDuration::from_hours(12);

/// A budget of AWS Budgets.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// What it is about: `COST`, `USAGE`, `RI_COVERAGE`.
    pub kind: String,
    /// How long its periods are.
    pub unit: TimeUnit,
    /// When its first period starts.
    pub starts: Option<Timestamp>,
    /// When it ends for good.
    pub ends: Option<Timestamp>,
    /// Its limit.
    pub limit: Option<Amount>,
    /// Limits of single periods, by their starts.
    pub planned: BTreeMap<Timestamp, Amount>,
    /// AWS sets the limit anew from time to time.
    pub adjusts_itself: bool,
    /// What was spent in the period.
    pub actual: Option<Amount>,
    /// What AWS expects to be spent by its end.
    pub forecast: Option<Amount>,
    /// Why AWS says that its figures are out of date, if it does.
    pub unhealthy: Option<String>,
    /// Its tags, or why they cannot be read.
    pub tags: Result<BTreeMap<String, String>, String>,
}

/// How long a budget's periods are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeUnit {
    /// A day.
    Daily,
    /// A calendar month.
    Monthly,
    /// A calendar quarter.
    Quarterly,
    /// A calendar year.
    Annually,
    /// From the start to the end of the budget.
    Custom,
    /// One that this version does not know.
    Unknown(String),
}

/// An amount with its currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount {
    /// How much.
    pub money: Money,
    /// Such as `USD`.
    pub currency: String,
}

/// A budget's period, in UTC as AWS reckons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its first moment.
    pub start: Timestamp,
    /// The first moment of the next one, or the end of the budget.
    pub end: Timestamp,
}

/// The figures of a budget that can be reckoned with.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// The limit of the period.
    pub limit: Amount,
    /// What was spent.
    pub actual: Amount,
    /// The same in percent of the limit.
    pub percent: u32,
    /// What AWS expects to be spent, and how many percent that is.
    pub forecast: Option<(Amount, u32)>,
}

/// An enforced budget in its period.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// The budget.
    pub budget: &'a Budget,
    /// Its name as tags hold it.
    pub tag_name: String,
    /// What its tag asks for.
    pub rule: Enforcement,
    /// The period.
    pub period: Period,
    /// The figures, or why nothing can be decided by them now.
    pub figures: Result<Figures, Unusable>,
    /// What is remembered, of this period only.
    pub memory: Option<Warned>,
}

/// Why nothing can be decided by a budget's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// It passes by itself.
    NotYet(String),
    /// A person has to do something: the kind of problem, and the message.
    Problem(&'static str, String),
}

/// What a budget means for what is expendable.
#[derive(Debug, Clone)]
pub enum Standing<'a> {
    /// It is enforced.
    Enforced(Box<Case<'a>>),
    /// It is not enforced, or not any more, for this reason; what it held is free. A person is told if it is a problem.
    NotEnforced(String, Option<&'static str>),
    /// It cannot be judged: what it holds stays held, and nothing else is. The kind of problem, and the message.
    Unclear(&'static str, String),
}

impl Budget {
    /// The value of one of its tags.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.as_ref().ok()?.get(key).map(String::as_str)
    }

    /// What it means at `now`, among `others` of the account.
    pub fn standing(&self, others: &[Budget], now: Timestamp) -> Standing<'_> {
        if let Err(error) = &self.tags {
            return Standing::Unclear("unreadable-tags", format!("its tags cannot be read: {error}"));
        }
        let Some(tag) = self.tag(keys::BUDGET) else {
            return Standing::NotEnforced(format!("it has no tag {}", keys::BUDGET), None);
        };
        let rule: Enforcement = match tag.parse() {
            Ok(rule) => rule,
            Err(bad) => return Standing::Unclear("bad-tag", bad.to_string()),
        };
        let tag_name = tag_name(&self.name);
        let same = |it: &&Budget| it.name != self.name && rules::budget::tag_name(&it.name) == tag_name;
        if let Some(other) = others.iter().filter(|it| it.tag(keys::BUDGET).is_some()).find(same) {
            let message = format!("'{}' and '{}' are both {tag_name} in tags: rename one", self.name, other.name);
            return Standing::Unclear("same-tag-name", message);
        }
        if self.kind != "COST" {
            let kind = self.kind.to_lowercase().replace('_', " ");
            let message = format!("it is a {kind} budget, and only cost budgets are enforced: remove its tag");
            return Standing::NotEnforced(message, Some("not-enforceable"));
        }
        let period = match self.period(now) {
            Ok(period) => period,
            Err(standing) => return standing,
        };
        let memory = match self.tag(keys::WARNED).map(str::parse::<Warned>) {
            Some(Err(bad)) => {
                let message = format!("{bad}; remove the tag, and what has been told in this period is told again");
                return Standing::Unclear("unreadable-memory", message);
            }
            Some(Ok(memory)) if memory.period == period.first_day() => Some(memory),
            _ => None,
        };
        let figures = self.figures(period, now);
        Standing::Enforced(Box::new(Case { budget: self, tag_name, rule, period, figures, memory }))
    }

    /// The period that `now` lies in, or what it means that there is none.
    fn period(&self, now: Timestamp) -> Result<Period, Standing<'_>> {
        let off = |why: String| Err(Standing::NotEnforced(why, None));
        if let Some(starts) = self.starts.filter(|it| *it > now) {
            return off(format!("it begins on {}", day(starts)));
        }
        if let Some(ends) = self.ends.filter(|it| *it <= now) {
            return off(format!("it ended on {}", day(ends)));
        }
        let today = now.to_zoned(TimeZone::UTC).date();
        let (first, after) = match &self.unit {
            TimeUnit::Daily => (today, 1.day()),
            TimeUnit::Monthly => (today.first_of_month(), 1.month()),
            TimeUnit::Quarterly => (date(today.year(), (today.month() - 1) / 3 * 3 + 1, 1), 3.months()),
            TimeUnit::Annually => (date(today.year(), 1, 1), 1.year()),
            TimeUnit::Custom => {
                let Some((start, end)) = self.starts.zip(self.ends) else {
                    let message = "it has a period of its own, but AWS tells no start or no end of it";
                    return Err(Standing::Unclear("unclear-period", message.into()));
                };
                return Ok(Period { start, end });
            }
            TimeUnit::Unknown(unit) => {
                let message = format!("its period is {unit}, which this version does not know: remove its tag");
                return Err(Standing::Unclear("unclear-period", message));
            }
        };
        let end = midnight(first.saturating_add(after));
        Ok(Period {
            start: self.starts.map_or(midnight(first), |it| it.max(midnight(first))),
            end: self.ends.map_or(end, |it| it.min(end)),
        })
    }

    fn figures(&self, period: Period, now: Timestamp) -> Result<Figures, Unusable> {
        let problem = |kind, message: String| Err(Unusable::Problem(kind, message));
        if let Some(why) = &self.unhealthy {
            return problem("outdated-figures", format!("AWS says that its figures are out of date: {why}"));
        }
        // A budget's first period has none before it.
        let first = self.starts.is_some_and(|it| it >= period.start);
        let wait = if self.unit == TimeUnit::Daily { UNTIL_DAILY_FIGURES_COUNT } else { UNTIL_FIGURES_COUNT };
        if !first && now.duration_since(period.start) < wait {
            let until = (period.start + wait).strftime("%Y-%m-%d %H:%M UTC");
            let message = format!("a new period has begun, and AWS may show the figures of the last one until {until}");
            return Err(Unusable::NotYet(message));
        }
        let planned = self.planned.range(..=now).next_back().map(|(_, limit)| limit);
        let Some(limit) = planned.or(self.limit.as_ref()) else {
            return problem("no-limit", "it has no limit, so nothing can be reckoned: give it one".into());
        };
        let Some(actual) = &self.actual else {
            return Err(Unusable::NotYet("AWS has no figures for it yet".into()));
        };
        let other =
            [Some(actual), self.forecast.as_ref()].into_iter().flatten().find(|it| it.currency != limit.currency);
        if let Some(other) = other {
            let message = format!(
                "its limit is in {}, its figures are in {}: set the limit anew",
                limit.currency, other.currency
            );
            return problem("mixed-currencies", message);
        }
        let Some(percent) = actual.money.percent_of(limit.money) else {
            return problem("no-limit", format!("its limit is {limit}, of which there are no percent: raise it"));
        };
        let forecast = self.forecast.as_ref().and_then(|it| Some((it.clone(), it.money.percent_of(limit.money)?)));
        Ok(Figures { limit: limit.clone(), actual: actual.clone(), percent, forecast })
    }
}

/// What has happened to a budget since it was last told of.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What is to be remembered, once people know.
    pub after: Warned,
    /// The percent spent that were passed.
    pub passed: BTreeSet<u32>,
    /// The forecast has passed the percent of the tag.
    pub forecast: bool,
    /// The limit that was raised.
    pub raised_from: Option<Money>,
    /// A person releases what it holds.
    pub released: bool,
}

impl Case<'_> {
    /// What has changed, given what percentages something sleeps at, and whether a person releases all at `now`.
    pub fn change(&self, sleep_at: &BTreeSet<u32>, release: bool, now: Timestamp) -> Option<Change> {
        let fresh = Warned {
            period: self.period.first_day(),
            limit: None,
            actual: 0,
            told: 0,
            forecast: 0,
            raised: None,
            released: None,
        };
        let mut after = self.memory.clone().unwrap_or_else(|| fresh.clone());
        let released = release && after.released.is_none();
        if released {
            after.released = Some(now);
        }
        let mut change = Change { passed: BTreeSet::new(), forecast: false, raised_from: None, released, after };
        if let Ok(figures) = &self.figures {
            change.reckon(figures, self, sleep_at, now);
        }
        let something = change.released || change.forecast || change.raised_from.is_some() || !change.passed.is_empty();
        something.then_some(change)
    }

    /// What is remembered if nothing changes.
    pub fn reached(&self) -> u32 {
        self.memory.as_ref().map_or(0, |it| it.actual)
    }
}

impl Change {
    fn reckon(&mut self, figures: &Figures, case: &Case<'_>, sleep_at: &BTreeSet<u32>, now: Timestamp) {
        let after = &mut self.after;
        // AWS moves such a limit by itself, so that it says nothing of what people want.
        if let Some(before) = after.limit.filter(|it| *it < figures.limit.money && !case.budget.adjusts_itself) {
            self.raised_from = Some(before);
            (after.actual, after.told, after.forecast, after.raised) = (0, 0, 0, Some(now));
        }
        let steps = sleep_at.iter().chain(&TOLD_AT);
        self.passed =
            steps.copied().filter(|it| after.told < *it && *it <= figures.percent.max(after.actual)).collect();
        let forecast = figures.forecast.as_ref().map_or(0, |(_, percent)| *percent);
        self.forecast = after.forecast < case.rule.warn_at && case.rule.warn_at <= forecast;
        if !self.passed.is_empty() {
            after.actual = after.actual.max(figures.percent);
            after.told = after.actual;
        }
        if self.forecast {
            after.forecast = forecast;
        }
        if self.forecast || self.released || self.raised_from.is_some() || !self.passed.is_empty() {
            after.limit = Some(figures.limit.money);
        }
    }
}

impl Period {
    /// Its first day in UTC, by which it is remembered.
    pub fn first_day(&self) -> Date {
        self.start.to_zoned(TimeZone::UTC).date()
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.money.rounded(), self.currency)
    }
}

/// The day of a moment in UTC.
pub fn day(moment: Timestamp) -> Date {
    moment.to_zoned(TimeZone::UTC).date()
}

fn midnight(date: Date) -> Timestamp {
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX)
}
