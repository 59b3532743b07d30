//! Capacity changes that others request of `scale-staging`, which alone changes it: a hold, a boost, a
//! moment until which it stays awake.
//!
//! People write these under `nightshift:`, functions under `nightshift-state:`; where both speak, the person's counts.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::keys;
use crate::tag::{BadTag, Reader};

const MOMENT: &str = "a moment such as 2026-11-21T23:00, local or with an offset";

/// A moment as a person writes it: local wall time (`2026-11-21T23:00`), or with an offset or `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// In the zone of the schedule, or else of the stack.
    Local(DateTime),
    /// The same everywhere.
    Exact(Timestamp),
}

/// What is neither a wall time nor an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("accepted: {MOMENT}")]
pub struct BadMoment;

/// `nightshift:awake-until`, `nightshift-state:awake-until`: whatever the schedule says, awake until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwakeUntil(pub Moment);

/// `nightshift-state:hold`: a function's request that this sleeps until the request is withdrawn.
///
/// `by=budget:Team_Monthly since=2026-11-21T03:00:00Z`. A person's `nightshift:hold` is free text and not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Who asks for it: `budget:NAME`, the name with `_` for spaces.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}

/// `nightshift:boost`, `nightshift-state:boost`: this many more tasks until then.
///
/// `step=1 until=2026-11-21T23:00`, and `by=alarm:NAME` where a function asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boost {
    /// How many tasks more than otherwise, from 1.
    pub step: u32,
    /// When it ends.
    pub until: Moment,
    /// Who asks for it, unless a person does.
    pub by: Option<String>,
}

impl Moment {
    /// The instant meant in `zone`: a time that a clock change skips is the one after the gap, a doubled one the first.
    ///
    /// Local times that no timestamp can hold are the latest one.
    pub fn instant(&self, zone: &TimeZone) -> Timestamp {
        match self {
            Moment::Exact(timestamp) => *timestamp,
            Moment::Local(local) => zone.to_timestamp(*local).unwrap_or(Timestamp::MAX),
        }
    }
}

impl FromStr for Moment {
    type Err = BadMoment;

    fn from_str(text: &str) -> Result<Self, BadMoment> {
        if let Ok(exact) = text.parse() {
            return Ok(Moment::Exact(exact));
        }
        // A wall time would be read out of a longer text too, and what that says of the offset be lost.
        let plain = |it: char| it.is_ascii_digit() || matches!(it, '-' | ':' | 'T' | '.');
        let wall_time = text.contains('T') && text.chars().all(plain) && text.matches('-').count() == 2;
        match text.parse() {
            Ok(local) if wall_time => Ok(Moment::Local(local)),
            _ => Err(BadMoment),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Local(local) => local.fmt(f),
            Moment::Exact(timestamp) => timestamp.fmt(f),
        }
    }
}

impl AwakeUntil {
    /// Reads the value of the tag `key`, which is one of the two.
    pub fn read(key: &'static str, value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(key, value)?;
        let Some(word) = tag.word() else { return Err(tag.bad("no moment", MOMENT)) };
        let moment = word.parse().map_err(|_| tag.bad_word(word, &[MOMENT]))?;
        // A function may say for whom it keeps it awake; a person's tag says that by its name.
        if key == keys::AWAKE_UNTIL_MEMORY {
            tag.option("by");
        }
        tag.finish().map(|()| AwakeUntil(moment))
    }
}

impl Boost {
    /// Reads the value of the tag `key`, which is one of the two.
    pub fn read(key: &'static str, value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(key, value)?;
        let step = tag.required("step", "a whole number from 1")?;
        let until = tag.required("until", MOMENT)?;
        let by = tag.option("by").map(str::to_owned);
        if step == 0 {
            return Err(tag.bad("no step", "step=N from 1"));
        }
        tag.finish().map(|()| Boost { step, until, by })
    }
}

impl fmt::Display for Boost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step={} until={}", self.step, self.until)?;
        self.by.iter().try_for_each(|it| write!(f, " by={it}"))
    }
}

impl FromStr for Hold {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::HOLD_MEMORY, value)?;
        let hold = Hold { by: tag.required("by", "budget:NAME")?, since: tag.required("since", MOMENT)? };
        tag.finish().map(|()| hold)
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by={} since={}", self.by, self.since)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment(text: &str) -> Option<String> {
        let seoul = TimeZone::get("Asia/Seoul").unwrap();
        text.parse::<Moment>().ok().map(|it| it.instant(&seoul).to_string())
    }

    #[test]
    fn a_wall_time_is_local_and_an_offset_is_kept() {
        for (text, instant) in [
            ("2026-11-21T23:00", Some("2026-11-21T14:00:00Z")),
            ("2026-11-21T23:00:30", Some("2026-11-21T14:00:30Z")),
            ("2026-11-21T23:00Z", Some("2026-11-21T23:00:00Z")),
            ("2026-11-21T23:00+02:00", Some("2026-11-21T21:00:00Z")),
            ("2026-11-21T23:00-05:00", Some("2026-11-22T04:00:00Z")),
            ("2026-11-21", None),
            ("23:00", None),
            ("2026-11-21T25:00", None),
            ("2026-11-21T23:00-99:00", None),
            ("2026-11-21T23:00[Europe/Berlin]", None),
            ("tonight", None),
        ] {
            assert_eq!(moment(text).as_deref(), instant, "{text}");
        }
    }

    #[test]
    fn a_wall_time_that_a_clock_change_skips_is_after_the_gap_and_a_doubled_one_the_first() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let instant = |text: &str| text.parse::<Moment>().unwrap().instant(&berlin).to_string();
        assert_eq!(instant("2026-03-29T02:30"), "2026-03-29T01:30:00Z");
        assert_eq!(instant("2026-10-25T02:30"), "2026-10-25T00:30:00Z");
    }

    #[test]
    fn what_is_wrong_is_quoted_and_what_is_accepted_listed() {
        let boost = |value| Boost::read(keys::BOOST, value).unwrap_err().to_string();
        let awake = |value| AwakeUntil::read(keys::AWAKE_UNTIL, value).unwrap_err().to_string();
        for (error, expected) in [
            (boost("step=2"), "nightshift:boost: no option 'until' in 'step=2'; accepted: until=a moment such as"),
            (boost("step=0 until=2026-11-21T23:00"), "nightshift:boost: no step in 'step=0 until=2026-11-21T23:00';"),
            (boost("step=1 until=noon"), "nightshift:boost: until=noon cannot be understood in 'step=1 until=noon';"),
            (boost("more step=1 until=2026-11-21T23:00"), "nightshift:boost: unknown word 'more' in 'more step=1"),
            (awake(""), "nightshift:awake-until: no moment in ''; accepted: a moment such as 2026-11-21T23:00"),
            (awake("late"), "nightshift:awake-until: unknown word 'late' in 'late'; accepted: a moment such as"),
            ("by=x".parse::<Hold>().unwrap_err().to_string(), "nightshift-state:hold: no option 'since' in 'by=x'"),
        ] {
            assert!(error.starts_with(expected), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            seconds in 0..4_000_000_000i64, step in 1..100u32, name in "[a-zA-Z0-9._:/@+-]{1,60}", by in any::<bool>()
        ) {
            let since = Timestamp::from_second(seconds).unwrap();
            let local = TimeZone::UTC.to_datetime(since);
            for until in [Moment::Exact(since), Moment::Local(local)] {
                let boost = Boost { step, until, by: by.then(|| name.clone()) };
                prop_assert_eq!(Boost::read(keys::BOOST_MEMORY, &boost.to_string()), Ok(boost));
                prop_assert_eq!(AwakeUntil::read(keys::AWAKE_UNTIL, &until.to_string()), Ok(AwakeUntil(until)));
            }
            let hold = Hold { by: name, since };
            prop_assert_eq!(hold.to_string().parse(), Ok(hold));
        }

        #[test]
        fn no_value_makes_it_panic(value in any::<String>()) {
            let _ = (Boost::read(keys::BOOST, &value), AwakeUntil::read(keys::AWAKE_UNTIL, &value), value.parse::<Hold>());
        }
    }
}
