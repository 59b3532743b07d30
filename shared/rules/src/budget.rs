//! `nightshift:budget` on budgets and on what is expendable, and what is remembered of a budget's period.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::keys;
use crate::tag::{BadTag, Reader};

const PERCENT: &str = "a whole number of percent from 1 to 1000";
const MOMENT: &str = "2026-11-21T03:00:00Z";

/// What the tag `nightshift:budget` of a budget asks for: `enforce`, `enforce warn-at=90`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enforcement {
    /// People are told when this percentage of the limit is forecast.
    pub warn_at: u32,
}

/// What the tag `nightshift:budget` of a service or database allows: `sleep-at=100`, `sleep-at=120 budget=Team_Monthly`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expendable {
    /// It is put to sleep when this percentage of the limit is really spent.
    pub sleep_at: u32,
    /// By this budget alone, its name as in [`tag_name`]; otherwise by any that is enforced.
    pub budget: Option<String>,
}

/// `nightshift-state:warned`: how far a budget has come in its period, and what people know of it.
///
/// `period=2026-11-01 limit=300 actual=112 told=112 forecast=118`. Figures of AWS can go down again; these only go up,
/// until the period ends or the limit is raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warned {
    /// The first day of the period, in UTC as AWS reckons. In another period all of this is past.
    pub period: Date,
    /// The limit at the time, if there was one.
    pub limit: Option<Money>,
    /// The most percent of the limit that was seen spent when it made a difference.
    pub actual: u32,
    /// Up to how many percent spent people were told.
    pub told: u32,
    /// The most percent that people were told of as a forecast.
    pub forecast: u32,
    /// When the limit was raised: what was held before then is held no longer for that.
    pub raised: Option<Timestamp>,
    /// When a person released what was held: nothing is held any more in this period.
    pub released: Option<Timestamp>,
    /// A figure that one reading has shown and no second one confirmed yet.
    pub seen: Option<Seen>,
    /// The amount that AWS showed at the turn of the period: mostly the final one of the period before, which it may go
    /// on showing for a while.
    pub last: Option<Money>,
}

/// What one reading has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// How many percent of the limit were spent.
    pub percent: u32,
    /// When it was read.
    pub at: Timestamp,
}

/// An amount in some currency, to the millionth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(i64);

/// The text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no amount")]
pub struct BadMoney;

/// The name of a budget as tags can hold it: `_` for spaces, and for whatever else AWS takes in no tag.
pub fn tag_name(name: &str) -> String {
    let fits = |it: char| it.is_alphanumeric() || "_.:/=+-@".contains(it);
    name.chars().map(|it| if fits(it) { it } else { '_' }).collect()
}

impl FromStr for Enforcement {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let accepted = "enforce, enforce warn-at=80";
        let mut tag = Reader::new(keys::BUDGET, value)?;
        match tag.word() {
            Some("enforce") => {}
            Some(other) => return Err(tag.bad_word(other, &["enforce"])),
            None => return Err(tag.bad("no word", accepted)),
        }
        let warn_at = percent(&mut tag, "warn-at")?.unwrap_or(80);
        tag.finish().map(|()| Enforcement { warn_at })
    }
}

impl FromStr for Expendable {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::BUDGET, value)?;
        let sleep_at = percent(&mut tag, "sleep-at");
        let budget = tag.option("budget").map(str::to_owned);
        // A misspelt option is told before the one that it leaves missing.
        tag.clone().finish()?;
        let missing = || tag.bad("no option 'sleep-at'", format!("sleep-at={PERCENT}, such as sleep-at=100"));
        Ok(Expendable { sleep_at: sleep_at?.ok_or_else(missing)?, budget })
    }
}

fn percent(tag: &mut Reader<'_>, name: &'static str) -> Result<Option<u32>, BadTag> {
    match tag.parsed::<u32>(name, PERCENT)? {
        Some(percent) if !(1..=1000).contains(&percent) => Err(tag.bad_option(name, &percent.to_string(), PERCENT)),
        other => Ok(other),
    }
}

impl FromStr for Warned {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::WARNED, value)?;
        let number = "a whole number of percent";
        let actual = tag.parsed("actual", number)?.unwrap_or(0);
        let warned = Warned {
            period: tag.required("period", "2026-11-01")?,
            limit: tag.parsed("limit", "an amount")?,
            actual,
            told: tag.parsed("told", number)?.unwrap_or(actual),
            forecast: tag.parsed("forecast", number)?.unwrap_or(0),
            raised: tag.parsed("raised", MOMENT)?,
            released: tag.parsed("released", MOMENT)?,
            seen: match tag.parsed("seen", number)? {
                Some(percent) => Some(Seen { percent, at: tag.required("at", MOMENT)? }),
                None => None,
            },
            last: tag.parsed("last", "an amount")?,
        };
        tag.finish().map(|()| warned)
    }
}

impl fmt::Display for Warned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "period={}", self.period)?;
        self.limit.iter().try_for_each(|it| write!(f, " limit={it}"))?;
        write!(f, " actual={} told={} forecast={}", self.actual, self.told, self.forecast)?;
        self.raised.iter().try_for_each(|it| write!(f, " raised={it:.0}"))?;
        self.released.iter().try_for_each(|it| write!(f, " released={it:.0}"))?;
        self.seen.iter().try_for_each(|it| write!(f, " seen={} at={:.0}", it.percent, it.at))?;
        self.last.iter().try_for_each(|it| write!(f, " last={it}"))
    }
}

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);

    const ONE: i64 = 1_000_000;

    /// This number of cents, or whatever the hundredth is called.
    pub const fn cents(cents: i64) -> Self {
        Money(cents * (Self::ONE / 100))
    }

    /// How many whole percent of `limit` this is; nothing spent, or less than nothing, is 0.
    ///
    /// Of no limit, or of one below nothing, there are no percent.
    pub fn percent_of(self, limit: Money) -> Option<u32> {
        let percent = i128::from(self.0.max(0)) * 100 / Some(i128::from(limit.0)).filter(|it| *it > 0)?;
        Some(u32::try_from(percent).unwrap_or(u32::MAX))
    }

    /// The amount nearest to a number; none where it is too large, or not a number.
    pub fn of(number: f64) -> Option<Money> {
        let millionths = (number * Self::ONE as f64).round();
        // Beyond this a float does not hold whole millionths.
        (millionths.abs() <= 9e15).then_some(Money(millionths as i64))
    }

    /// Both together.
    pub fn plus(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }

    /// What is left of this without `other`.
    pub fn minus(self, other: Money) -> Money {
        Money(self.0.saturating_sub(other.0))
    }

    /// What this comes to in `whole`, where it was reached in `part` of it.
    pub fn extrapolated(self, part: i64, whole: i64) -> Money {
        let amount = i128::from(self.0) * i128::from(whole) / i128::from(part.max(1));
        Money(i64::try_from(amount).unwrap_or(i64::MAX))
    }

    /// A percentage of this.
    pub fn share(self, percent: u32) -> Money {
        let share = i128::from(self.0) * i128::from(percent) / 100;
        Money(i64::try_from(share).unwrap_or(i64::MAX))
    }

    /// Whether this is more than `other` by more than a hundredth, which rounding may have made of it.
    pub fn clearly_exceeds(self, other: Money) -> bool {
        self.0.saturating_sub(other.0) > Self::ONE / 100
    }

    /// For people: to the hundredth, without one if it is even.
    pub fn rounded(self) -> String {
        let hundredths = (i128::from(self.0) * 100 + i128::from(Self::ONE / 2)).div_euclid(i128::from(Self::ONE));
        let (sign, hundredths) = (if hundredths < 0 { "-" } else { "" }, hundredths.unsigned_abs());
        match (hundredths / 100, hundredths % 100) {
            (whole, 0) => format!("{sign}{whole}"),
            (whole, part) => format!("{sign}{whole}.{part:02}"),
        }
    }
}

impl FromStr for Money {
    type Err = BadMoney;

    /// Reads what AWS writes, such as `300`, `36.69`, `-0.5`, and `1.53E+7` of large ones; what is beyond the millionth
    /// is cut off.
    fn from_str(text: &str) -> Result<Self, BadMoney> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text.strip_prefix('+').unwrap_or(text)), |it| (-1, it));
        let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| BadMoney)?),
            None => (digits, 0),
        };
        let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
        // No amount that fits has an exponent beyond this; more would only be zeros to be counted.
        if !all_digits(whole) || !all_digits(part) || (whole.is_empty() && part.is_empty()) || exponent.abs() > 40 {
            return Err(BadMoney);
        }
        // The digits up to the millionth, wherever the exponent moves the point to.
        let digits = whole.chars().chain(part.chars());
        let up_to_millionth = whole.len() as i64 + i64::from(exponent) + 6;
        let count = usize::try_from(up_to_millionth).unwrap_or(0);
        let millionths: String = digits.chain(std::iter::repeat('0')).take(count).collect();
        let millionths = millionths.trim_start_matches('0');
        let millionths: i64 = if millionths.is_empty() { 0 } else { millionths.parse().map_err(|_| BadMoney)? };
        Ok(Money(sign * millionths))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (one, all) = (Self::ONE.unsigned_abs(), self.0.unsigned_abs());
        let part = format!("{:06}", all % one);
        match part.trim_end_matches('0') {
            "" => write!(f, "{sign}{}", all / one),
            part => write!(f, "{sign}{}.{part}", all / one),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::option::of;
    use proptest::prelude::*;

    use super::*;
    use crate::tag::LONGEST;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_wrong_is_quoted_and_what_is_accepted_listed() {
        let enforce = |value: &str| value.parse::<Enforcement>().map(|it| it.warn_at).map_err(|it| it.to_string());
        let sleep = |value: &str| value.parse::<Expendable>().map(|it| it.sleep_at).map_err(|it| it.to_string());
        assert_eq!((enforce("enforce"), enforce(" enforce  warn-at=95 ")), (Ok(80), Ok(95)));
        assert_eq!((sleep("sleep-at=100"), sleep("budget=Team_Monthly sleep-at=120")), (Ok(100), Ok(120)));
        for (result, error) in [
            (enforce(""), "nightshift:budget: no word in ''; accepted: enforce, enforce warn-at=80"),
            (
                enforce("enforced"),
                "nightshift:budget: unknown word 'enforced' in 'enforced'; did you mean 'enforce'? Accepted: enforce",
            ),
            (
                enforce("enforce warn-at=0"),
                "nightshift:budget: warn-at=0 cannot be understood in 'enforce warn-at=0'; accepted: warn-at=a whole number of percent from 1 to 1000",
            ),
            (
                enforce("enforce sleep-at=100"),
                "nightshift:budget: unknown option 'sleep-at' in 'enforce sleep-at=100'; accepted: warn-at",
            ),
            (
                sleep("sleepat=100"),
                "nightshift:budget: unknown option 'sleepat' in 'sleepat=100'; did you mean 'sleep-at'? Accepted: sleep-at, budget",
            ),
            (
                sleep("enforce"),
                "nightshift:budget: unknown word 'enforce' in 'enforce'; accepted: no word here, but the options sleep-at, budget",
            ),
            (
                sleep("budget=Team"),
                "nightshift:budget: no option 'sleep-at' in 'budget=Team'; accepted: sleep-at=a whole number of percent from 1 to 1000, such as sleep-at=100",
            ),
            (
                sleep("sleep-at=100%"),
                "nightshift:budget: sleep-at=100% cannot be understood in 'sleep-at=100%'; accepted: sleep-at=a whole number of percent from 1 to 1000",
            ),
        ] {
            assert_eq!(result, Err(error.to_owned()));
        }
    }

    #[test]
    fn amounts_are_read_as_aws_writes_them() {
        for (text, exact, rounded) in [
            ("300", "300", "300"),
            ("300.0", "300", "300"),
            (".5", "0.5", "0.50"),
            ("36.69", "36.69", "36.69"),
            ("0.9567891234", "0.956789", "0.96"),
            ("-12.345", "-12.345", "-12.34"),
            ("-0.001", "-0.001", "0"),
            ("1200000.10", "1200000.1", "1200000.10"),
            ("1.53E+7", "15300000", "15300000"),
            ("1e3", "1000", "1000"),
            ("+2.5e-3", "0.0025", "0"),
            ("-1.25E2", "-125", "-125"),
            ("604.4560000000000172803993336856365203857421875", "604.456", "604.46"),
        ] {
            assert_eq!(
                (money(text).to_string(), money(text).rounded()),
                (exact.to_owned(), rounded.to_owned()),
                "{text}"
            );
        }
        for text in [
            "",
            ".",
            "-",
            "1,000",
            "1.2.3",
            "USD 3",
            "1e",
            "e3",
            "1e3.5",
            "1E99",
            "9E18",
            "NaN",
            "99999999999999999999",
        ] {
            assert_eq!(text.parse::<Money>(), Err(BadMoney), "{text}");
        }
    }

    #[test]
    fn percent_are_whole_and_reached_to_the_cent() {
        for (spent, limit, percent) in [
            ("0", "300", Some(0)),
            ("239.99", "300", Some(79)),
            ("240", "300", Some(80)),
            ("19.28", "24.10", Some(80)),
            ("300", "300", Some(100)),
            ("-40", "300", Some(0)),
            ("10", "0", None),
            ("10", "-5", None),
            ("9000000000000", "0.000001", Some(u32::MAX)),
        ] {
            assert_eq!(money(spent).percent_of(money(limit)), percent, "{spent} of {limit}");
        }
        assert_eq!((money("300").share(101), money("0.01").share(50)), (money("303"), money("0.005")));
        assert_eq!((money("300").plus(money("1.5")), money("300").minus(money("100"))), (money("301.5"), money("200")));
        assert_eq!(
            (money("131").extrapolated(10, 30), money("131").extrapolated(0, 30)),
            (money("393"), money("3930"))
        );
        assert_eq!((Money::of(131.0000004), Money::of(-0.5)), (Some(money("131")), Some(money("-0.5"))));
        assert_eq!((Money::of(f64::NAN), Money::of(1e300), Money::of(f64::INFINITY)), (None, None, None));
        assert!(money("36.71").clearly_exceeds(money("36.69")));
        assert!(!money("36.69").clearly_exceeds(money("36.685")));
    }

    #[test]
    fn a_name_becomes_one_that_tags_can_hold() {
        assert_eq!(tag_name("TrueGul Monthly"), "TrueGul_Monthly");
        assert_eq!(tag_name("R&D (staging), 한국"), "R_D__staging___한국");
    }

    proptest! {
        #[test]
        fn a_memory_is_read_back_and_fits_a_tag(
            days in 0..20_000i64, limit in of(0..i64::MAX), actual in any::<u32>(), told in any::<u32>(),
            forecast in any::<u32>(), raised in of(0..4_000_000_000i64), released in of(0..4_000_000_000i64),
            seen in of((any::<u32>(), 0..4_000_000_000i64)), last in of(0..i64::MAX)
        ) {
            let moment = |it: i64| Timestamp::from_second(it).unwrap();
            let warned = Warned {
                period: moment(days * 86_400).to_zoned(jiff::tz::TimeZone::UTC).date(),
                limit: limit.map(Money), actual, told, forecast,
                raised: raised.map(moment), released: released.map(moment),
                seen: seen.map(|(percent, at)| Seen { percent, at: moment(at) }),
                last: last.map(Money),
            };
            let text = warned.to_string();
            prop_assert!(text.len() <= LONGEST, "{}", text.len());
            prop_assert_eq!(text.parse(), Ok(warned));
        }

        #[test]
        fn no_value_makes_it_panic(value in any::<String>()) {
            let _ = (value.parse::<Enforcement>(), value.parse::<Expendable>(), value.parse::<Warned>(), value.parse::<Money>());
        }

        #[test]
        fn what_is_reached_is_reached_exactly(cents in 0..10_000_000i64, limit in 1..10_000_000i64, percent in 1..1000u32) {
            let reached = Money::cents(cents).percent_of(Money::cents(limit)).unwrap() >= percent;
            prop_assert_eq!(reached, cents * 100 >= limit * i64::from(percent));
        }
    }
}
