//! What a budget means at a moment: its period, its figures, and whether it is enforced.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use reconcile::Trouble;
use rules::budget::{Enforcement, Warned, tag_name};
use rules::keys;

use super::period::{Period, day};
use super::spend::{LOOKED_BACK, Parts, Wanted};
use super::world::{Amount, Budget, Figure, TimeUnit};

/// In the first day of a period AWS may still show the figures of the last one.
const UNTIL_FIGURES_COUNT: SignedDuration = SignedDuration::from_hours(24);

/// The figures of a budget that can be reckoned with.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// The limit of the period.
    pub limit: Amount,
    /// What was spent, as far as it is known: AWS's part and those of all sources.
    pub actual: Amount,
    pub parts: Parts,
    /// What was spent, in percent of the limit.
    pub percent: u32,
    /// What is expected to be spent, and how many percent that is.
    pub forecast: Option<(Amount, u32)>,
}

/// An enforced budget in its period.
#[derive(Debug, Clone)]
pub struct Enforced<'a> {
    pub budget: &'a Budget,
    /// Its name as tags hold it.
    pub tag_name: String,
    pub rule: Enforcement,
    pub period: Period,
    /// The figures, or why nothing can be decided by them now.
    pub figures: Result<Figures, Unusable>,
    /// What AWS shows on the first day of the period, which is mostly what the last one came to.
    pub at_the_turn: Option<Figures>,
    /// What is remembered, of this period only.
    pub memory: Option<Warned>,
}

/// Why nothing can be decided by a budget's figures.
#[derive(Debug, Clone, PartialEq)]
pub enum Unusable {
    /// It passes by itself.
    NotYet(String),
    /// A person has to do something.
    Problem(Trouble),
}

/// What a budget means for what is expendable.
#[derive(Debug, Clone)]
pub enum BudgetState<'a> {
    Enforced(Box<Enforced<'a>>),
    /// It is not enforced, or not any more, for this reason; what it held is free. People are told if it is a problem.
    NotEnforced(String, Option<&'static str>),
    /// It cannot be judged: what it holds stays held, and nothing else is.
    Unclear(Trouble),
    /// Its tags are not known, so that it may not even be enforced; what it holds stays held.
    Unknown(String),
}

impl Budget {
    /// What it means at `now`, among `others` of the account.
    pub fn state(&self, others: &[Budget], now: Timestamp) -> BudgetState<'_> {
        if let Err(no_tags) = &self.tags {
            return BudgetState::Unknown(no_tags.why.clone());
        }
        let Some(tag) = self.tag(keys::BUDGET) else {
            let sources =
                if self.has_sources() { format!(", so that {}… counts nothing", keys::SPEND) } else { String::new() };
            return BudgetState::NotEnforced(format!("it has no tag {}{sources}", keys::BUDGET), None);
        };
        let rule: Enforcement = match tag.parse() {
            Ok(rule) => rule,
            Err(bad) => return BudgetState::Unclear(Trouble::new("bad-tag", bad)),
        };
        let tag_name = tag_name(&self.name);
        let same = |it: &&Budget| it.name != self.name && rules::budget::tag_name(&it.name) == tag_name;
        if let Some(other) = others.iter().filter(|it| it.tag(keys::BUDGET).is_some()).find(same) {
            let message = format!("in tags it and '{}' are both called {tag_name}: rename one", other.name);
            return BudgetState::Unclear(Trouble::new("same-tag-name", message));
        }
        let not_enforceable = |message: String| BudgetState::NotEnforced(message, Some("not-enforceable"));
        if self.kind != "COST" {
            let kind = self.kind.to_lowercase().replace('_', " ");
            return not_enforceable(format!("a {kind} budget cannot be enforced, only a cost budget: remove its tag"));
        }
        if self.unit == TimeUnit::Daily {
            let message = "a daily budget cannot be enforced; AWS's figures of a day come 8 to 24 hours late, when the day is over: \
                           enforce a monthly one, and remove the tag of this one";
            return not_enforceable(message.into());
        }
        let period = match self.period(now) {
            Ok(period) => period,
            Err(state) => return state,
        };
        let memory = match self.tag(keys::WARNED).map(str::parse::<Warned>) {
            Some(Err(bad)) => {
                let message = format!("{bad}; remove the tag, and what has been told in this period is told again");
                return BudgetState::Unclear(Trouble::new("unreadable-memory", message));
            }
            other => other.and_then(Result::ok),
        };
        let memory = memory.filter(|it| it.period == period.first_day());
        let shown = self.figures(period, now);
        let at_the_turn = shown.clone().ok().filter(|_| self.is_first_day(period, now));
        let last = memory.as_ref().and_then(|it| it.last);
        let figures = match shown {
            Ok(_) if at_the_turn.is_some() => {
                let until = (period.start + UNTIL_FIGURES_COUNT).strftime("%Y-%m-%d %H:%M UTC");
                let what = "a new period has begun, and AWS may show the figures of the last one until";
                Err(Unusable::NotYet(format!("{what} {until}")))
            }
            Ok(it) if last == Some(it.parts.aws) => Err(Unusable::NotYet(format!(
                "{} {} is to the cent what AWS showed at the turn of the period, so it counts once it shows another figure",
                it.parts.aws.rounded(),
                it.actual.currency
            ))),
            other => other,
        };
        BudgetState::Enforced(Box::new(Enforced { budget: self, tag_name, rule, period, figures, at_the_turn, memory }))
    }

    /// The period that `now` lies in, or what it means that there is none.
    fn period(&self, now: Timestamp) -> Result<Period, BudgetState<'_>> {
        let off = |why: String| Err(BudgetState::NotEnforced(why, None));
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
                    return Err(BudgetState::Unclear(Trouble::new("unclear-period", message)));
                };
                return Ok(Period { start, end });
            }
            TimeUnit::Unknown(unit) => {
                let message = format!("its period is {unit}, which this version does not know: remove its tag");
                return Err(BudgetState::Unclear(Trouble::new("unclear-period", message)));
            }
        };
        let end = midnight(first.saturating_add(after));
        Ok(Period {
            start: self.starts.map_or(midnight(first), |it| it.max(midnight(first))),
            end: self.ends.map_or(end, |it| it.min(end)),
        })
    }

    /// A budget's first period has none before it, whose figures could be shown.
    fn is_first_day(&self, period: Period, now: Timestamp) -> bool {
        let first = self.starts.is_some_and(|it| it >= period.start);
        !first && now.duration_since(period.start) < UNTIL_FIGURES_COUNT
    }

    /// What has to be read of CloudWatch before anything is decided.
    pub fn wanted(&self, now: Timestamp) -> Vec<Wanted> {
        let Some(period) = self.counted_period(now) else { return Vec::new() };
        let Ok(from) = period.start.checked_sub(LOOKED_BACK) else { return Vec::new() };
        let readable = self.sources().filter_map(|(key, _, source)| Some((key.to_owned(), source.ok()?)));
        readable.map(|(key, source)| Wanted { key, source, from, until: now }).collect()
    }

    /// The period in which its figures count, if it can be enforced at all.
    fn counted_period(&self, now: Timestamp) -> Option<Period> {
        let counts = self.tag(keys::BUDGET).is_some() && self.kind == "COST" && self.unit != TimeUnit::Daily;
        self.period(now).ok().filter(|_| counts)
    }

    /// The figures as AWS shows them, with what the sources of its tags come to.
    fn figures(&self, period: Period, now: Timestamp) -> Result<Figures, Unusable> {
        let problem = |kind, message: String| Err(Unusable::Problem(Trouble::new(kind, message)));
        if let Some(why) = &self.unhealthy {
            return problem("outdated-figures", format!("AWS says that its figures are out of date: {why}"));
        }
        let planned = self.planned.range(..=now).next_back().map(|(_, limit)| limit);
        let Some(limit) = planned.or(self.limit.as_ref()) else {
            return problem("no-limit", "it has no limit, so nothing can be reckoned: give it one".into());
        };
        let Some(actual) = &self.actual else {
            return Err(Unusable::NotYet("AWS has no figures for it yet".into()));
        };
        let (limit, actual) = (readable(limit, "its limit")?, readable(actual, "what was spent")?);
        let forecast = self.forecast.as_ref().and_then(|it| it.as_ref().ok());
        let other = [Some(actual), forecast].into_iter().flatten().find(|it| it.currency != limit.currency);
        if let Some(other) = other {
            let message = format!(
                "its limit is in {}, its figures are in {}: set the limit again",
                limit.currency, other.currency
            );
            return problem("mixed-currencies", message);
        }
        let parts = self.parts(actual.money, limit.money, period, now);
        let actual = Amount { money: parts.total(), currency: actual.currency.clone() };
        let Some(percent) = actual.money.percent_of(limit.money) else {
            return problem("no-limit", format!("its limit is {limit}, of which there are no percent: raise it"));
        };
        let forecast = forecast.and_then(|it| {
            let amount = Amount { money: parts.forecast(it.money, period, now), currency: it.currency.clone() };
            let percent = amount.money.percent_of(limit.money)?;
            Some((amount, percent))
        });
        Ok(Figures { limit: limit.clone(), actual, parts, percent, forecast })
    }

    /// A forecast that cannot be read is told, though what was spent counts all the same.
    pub fn unreadable_forecast(&self) -> Option<String> {
        Some(unreadable(self.forecast.as_ref()?.as_ref().err()?, "its forecast"))
    }
}

/// What cannot be read is never taken for what is not there.
fn readable<'a>(figure: &'a Figure, what: &str) -> Result<&'a Amount, Unusable> {
    figure.as_ref().map_err(|text| Unusable::Problem(Trouble::new("unreadable-figure", unreadable(text, what))))
}

fn unreadable(text: &str, what: &str) -> String {
    format!(
        "AWS says '{text}' of {what}, which is not an amount that this version can read, so nothing is decided by it"
    )
}

fn midnight(date: Date) -> Timestamp {
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX)
}
