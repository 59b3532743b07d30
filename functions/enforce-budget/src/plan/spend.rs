//! What is spent outside of the bill of AWS, by the sources that the tags of a budget name.

use jiff::{SignedDuration, Timestamp};
use rules::budget::Money;
use rules::facts;
use rules::spend::{Source, name_of};

use super::period::Period;
use super::world::Budget;

/// A metric that had no value for so long before the period is more likely misspelt than unused.
pub(super) const LOOKED_BACK: SignedDuration = SignedDuration::from_hours(31 * 24);

/// How long CloudWatch keeps the values of a day.
const KEPT: SignedDuration = SignedDuration::from_hours(455 * 24);

/// What has to be read of CloudWatch.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The key of the tag that names it.
    pub key: String,
    pub source: Source,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// A part of what was spent in a period.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// `LLM` of `nightshift:spend-LLM`.
    pub name: String,
    pub actual: Result<Money, Unknown>,
    /// Its share of the limit.
    pub limit: Option<Money>,
}

/// Why it is not known what was spent with a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Unknown {
    /// The kind of problem; none where a later run may well know.
    pub problem: Option<&'static str>,
    pub message: String,
}

/// What AWS and all sources come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// The bill of AWS.
    pub aws: Money,
    /// The limit without the shares of all sources, if each has one and something is left.
    pub aws_limit: Option<Money>,
    pub sources: Vec<Part>,
}

impl Budget {
    /// The sources that its tags name, each by its key and as far as it is understood.
    pub(super) fn sources(&self) -> impl Iterator<Item = (&str, &str, Result<Source, String>)> {
        let tags = self.tags.iter().flatten();
        tags.filter_map(|(key, value)| {
            let name = name_of(key)?;
            let read = match name.is_empty() {
                true => Err(format!("{key}: no name behind it; accepted: a key such as {key}LLM")),
                false => Source::read(key, value),
            };
            Some((key.as_str(), name, read))
        })
    }

    pub fn has_sources(&self) -> bool {
        self.sources().next().is_some()
    }

    /// What was spent in the period, AWS's part of it given.
    pub(super) fn parts(&self, aws: Money, limit: Money, period: Period, now: Timestamp) -> Parts {
        let sources: Vec<Part> = self
            .sources()
            .map(|(key, name, source)| Part {
                name: name.into(),
                limit: source.as_ref().ok().and_then(|it| it.limit),
                actual: source
                    .map_err(|message| Unknown { problem: Some("bad-tag"), message })
                    .and_then(|it| self.spent(key, &it, period, now)),
            })
            .collect();
        let shares: Option<Money> = sources.iter().try_fold(Money::ZERO, |sum, it| Some(sum.plus(it.limit?)));
        let aws_limit = shares.map(|it| limit.minus(it)).filter(|it| *it > Money::ZERO);
        Parts { aws, aws_limit, sources }
    }

    fn spent(&self, key: &str, source: &Source, period: Period, now: Timestamp) -> Result<Money, Unknown> {
        let unknown = |problem, message| Err(Unknown { problem, message });
        if now.duration_since(period.start) > KEPT {
            let message = "CloudWatch keeps values for 455 days, and the period of the budget began before";
            return unknown(Some("unreadable-spend"), format!("{key}: {message}: give the budget a shorter one"));
        }
        let sums = match self.readings.get(key) {
            None => return unknown(None, format!("{key}: it was not read")),
            Some(Err(it)) if it.for_now => return unknown(None, format!("{key}: {}", it.why)),
            Some(Err(it)) => return unknown(Some("unreadable-spend"), format!("{key}: {}", it.why)),
            Some(Ok(sums)) => sums,
        };
        if sums.is_empty() {
            let message = format!(
                "{key} finds no value in CloudWatch. There is none of {} in this period and the month before it: correct the tag, or remove it",
                source.title()
            );
            return unknown(Some("no-values"), message);
        }
        let count: f64 = sums.iter().filter(|(at, _)| *at >= period.start).map(|(_, sum)| sum).sum();
        match source.cost_of(count) {
            Some(cost) => Ok(cost),
            None => {
                let message = format!("{key}: the values of {} do not come to an amount", source.title());
                unknown(Some("unreadable-spend"), message)
            }
        }
    }
}

impl Parts {
    /// All that is known to be spent.
    pub fn total(&self) -> Money {
        self.known().fold(self.aws, Money::plus)
    }

    /// What is expected by the end of the period: AWS's own forecast, and each source at its rate so far.
    pub fn forecast(&self, aws: Money, period: Period, now: Timestamp) -> Money {
        let part = now.duration_since(period.start).as_secs();
        let whole = period.end.duration_since(period.start).as_secs();
        self.known().map(|it| it.extrapolated(part, whole)).fold(aws, Money::plus)
    }

    fn known(&self) -> impl Iterator<Item = Money> {
        self.sources.iter().filter_map(|it| it.actual.as_ref().ok().copied())
    }

    pub fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        self.sources.iter().filter_map(|it| it.actual.as_ref().err())
    }

    /// Whether each source is known.
    pub fn is_whole(&self) -> bool {
        self.unknown().next().is_none()
    }

    /// ` (AWS 187 of 200, LLM 131 of 100)`; nothing where there is only AWS.
    pub fn in_words(&self) -> String {
        let of = |limit: Option<Money>| limit.map(|it| format!(" of {}", it.rounded())).unwrap_or_default();
        let source = |it: &Part| {
            let actual = it.actual.as_ref().map_or_else(|_| "unknown".into(), |it| it.rounded());
            format!("{} {actual}{}", it.name, of(it.limit))
        };
        if self.sources.is_empty() {
            return String::new();
        }
        let parts: Vec<String> = self.sources.iter().map(source).collect();
        format!(" (AWS {}{}, {})", self.aws.rounded(), of(self.aws_limit), parts.join(", "))
    }

    /// For the board and the report; nothing where there is only AWS.
    pub fn facts(&self) -> Vec<facts::Part> {
        let aws = facts::Part {
            name: "AWS".into(),
            actual: Some(self.aws.to_string()),
            limit: self.aws_limit.map(|it| it.to_string()),
        };
        let sources = self.sources.iter().map(|it| facts::Part {
            name: it.name.clone(),
            actual: it.actual.as_ref().ok().map(Money::to_string),
            limit: it.limit.map(|it| it.to_string()),
        });
        if self.sources.is_empty() { Vec::new() } else { std::iter::once(aws).chain(sources).collect() }
    }
}
