//! `nightshift-state:remedied`: what was done about an alarm, as the alarm itself remembers it.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::keys;
use crate::remedy::Remedy;
use crate::tag::{BadTag, Reader};

const MOMENT: &str = "2026-11-21T03:00:00Z";

/// A remedy counts against the limit of the whole account for so long.
const AN_HOUR: SignedDuration = SignedDuration::from_hours(1);

/// `restart rung=1 at=2026-11-21T03:00:04Z hour=1 day=2026-11-21 count=2 fired=… since=… left`
///
/// A firing is the moment at which the alarm went into ALARM, as CloudWatch dates it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedied {
    /// The firing that was answered last.
    pub fired: Timestamp,
    /// Whether the answer was to leave it to a person.
    pub left: bool,
    /// Since which firing people have not been told that all is well again.
    pub since: Option<Timestamp>,
    /// The remedy that was begun last, if any was.
    pub last: Option<Taken>,
}

/// A remedy that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Which one.
    pub remedy: Remedy,
    /// Its place on the ladder, from 1.
    pub rung: u32,
    /// When it was begun.
    pub at: Timestamp,
    /// How many were begun within an hour of one another, this one included; telling a person does not count.
    pub hour: u32,
    /// The local day of those in `count`.
    pub day: Date,
    /// How many were begun on that day; telling a person does not count.
    pub count: u32,
}

impl Remedied {
    /// How many remedies of the hour before `now` this stands for.
    pub fn within_the_hour(&self, now: Timestamp) -> u32 {
        self.last.as_ref().filter(|it| is_recent(it.at, now)).map_or(0, |it| it.hour)
    }

    /// How many remedies were begun on the local day of `now`.
    pub fn today(&self, now: &Zoned) -> u32 {
        self.last.as_ref().filter(|it| it.day == now.date()).map_or(0, |it| it.count)
    }
}

impl Taken {
    /// The memory of `remedy`, begun now after `memory`.
    pub fn after(memory: Option<&Remedied>, remedy: Remedy, rung: u32, now: &Zoned) -> Self {
        let at = now.timestamp();
        let counts = u32::from(remedy.acts());
        Taken {
            remedy,
            rung,
            at,
            hour: memory.map_or(0, |it| it.within_the_hour(at)) + counts,
            day: now.date(),
            count: memory.map_or(0, |it| it.today(now)) + counts,
        }
    }
}

fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) < AN_HOUR
}

/// `alarm:NAME` for the `by=` of a request: what a tag cannot hold is written as `_`, and a long name cut.
pub fn by_alarm(name: &str) -> String {
    let fits = |it: char| it.is_ascii_alphanumeric() || "._:/+-@".contains(it);
    let name: String = name.chars().map(|it| if fits(it) { it } else { '_' }).take(100).collect();
    format!("alarm:{name}")
}

impl FromStr for Remedied {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::REMEDIED, value)?;
        let (mut left, mut remedy) = (false, None);
        while let Some(word) = tag.word() {
            match (word, word.parse::<Remedy>()) {
                ("left", _) => left = true,
                (_, Ok(it)) => remedy = Some(it),
                _ => return Err(tag.bad_word(word, &["left", "a remedy"])),
            }
        }
        let last = match remedy {
            None => None,
            Some(remedy) => Some(Taken {
                remedy,
                rung: tag.required("rung", "1")?,
                at: tag.required("at", MOMENT)?,
                hour: tag.required("hour", "1")?,
                day: tag.required("day", "2026-11-21")?,
                count: tag.required("count", "1")?,
            }),
        };
        let remedied =
            Remedied { fired: tag.required("fired", MOMENT)?, left, since: tag.parsed("since", MOMENT)?, last };
        tag.finish().map(|()| remedied)
    }
}

impl fmt::Display for Remedied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.left {
            f.write_str("left ")?;
        }
        if let Some(Taken { remedy, rung, at, hour, day, count }) = &self.last {
            write!(f, "{remedy} rung={rung} at={at} hour={hour} day={day} count={count} ")?;
        }
        write!(f, "fired={}", self.fired)?;
        self.since.iter().try_for_each(|it| write!(f, " since={it}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moments() -> impl Strategy<Value = Timestamp> {
        (0..4_000_000_000_000_000_000i64).prop_map(|it| Timestamp::from_nanosecond(it.into()).unwrap())
    }

    fn memories() -> impl Strategy<Value = Remedied> {
        let remedies = prop::sample::select(Remedy::ALL.to_vec());
        let taken =
            (remedies, 1..7u32, moments(), 0..99u32, 0..99u32).prop_map(|((remedy, _), rung, at, hour, count)| Taken {
                remedy,
                rung,
                at,
                hour,
                day: at.to_zoned(jiff::tz::TimeZone::UTC).date(),
                count,
            });
        (moments(), any::<bool>(), prop::option::of(moments()), prop::option::of(taken))
            .prop_map(|(fired, left, since, last)| Remedied { fired, left, since, last })
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_read_back_and_fits_a_tag(memory in memories()) {
            let value = memory.to_string();
            prop_assert!(value.len() <= 256, "{value}");
            prop_assert!(value.chars().all(|it| it.is_ascii_alphanumeric() || " _.:/=+-@".contains(it)), "{value}");
            prop_assert_eq!(value.parse(), Ok(memory));
        }

        #[test]
        fn no_value_makes_it_panic(value in any::<String>()) {
            let _ = value.parse::<Remedied>();
        }

        #[test]
        fn a_name_fits_into_a_request(name in any::<String>()) {
            let by = by_alarm(&name);
            prop_assert!(by.chars().count() <= 106 && !by.contains([' ', '=']), "{by}");
        }
    }

    #[test]
    fn the_hour_and_the_day_are_counted_apart_and_telling_counts_in_neither() {
        let at = |text: &str| -> Zoned { format!("2026-11-{text}:00+09:00[Asia/Seoul]").parse().unwrap() };
        let mut memory: Option<Remedied> = None;
        let mut counted = Vec::new();
        for (moment, remedy) in [
            ("20T23:10", Remedy::Restart),
            ("20T23:50", Remedy::Notify),
            ("20T23:55", Remedy::Rollback),
            ("21T00:10", Remedy::Restart),
            ("21T01:10", Remedy::Restart),
        ] {
            let now = at(moment);
            let taken = Taken::after(memory.as_ref(), remedy, 1, &now);
            counted.push((taken.hour, taken.count));
            memory = Some(Remedied { fired: now.timestamp(), left: false, since: None, last: Some(taken) });
        }
        assert_eq!(counted, [(1, 1), (1, 1), (2, 2), (3, 1), (1, 2)]);
    }

    #[test]
    fn a_memory_that_a_person_changed_is_refused() {
        for (value, error) in [
            ("restart", "no option 'rung' in 'restart'; accepted: rung=1"),
            ("fired=noon", "fired=noon cannot be understood in 'fired=noon'; accepted: fired=2026-11-21T03:00:00Z"),
            (
                "x fired=2026-11-21T03:00:00Z",
                "unknown word 'x' in 'x fired=2026-11-21T03:00:00Z'; accepted: left, a remedy",
            ),
        ] {
            let refused = value.parse::<Remedied>().unwrap_err().to_string();
            assert_eq!(refused, format!("nightshift-state:remedied: {error}"));
        }
    }
}
