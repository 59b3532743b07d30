//! When a service or database is awake: `nightshift:schedule`, and what it wants at any instant.
//!
//! A window is `[start, end)` by the wall clock of its zone. Where clocks are put forward, a time that is skipped is the
//! moment of the change; where they are put back, a time that comes twice is the first one, as if the clock stood still
//! until it has caught up. So nothing is missed in a skipped hour and nothing is done twice in a doubled one.

mod window;

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

pub use window::Window;

use crate::keys;
use crate::tag::{BadTag, Reader};
use crate::zone;

const WORDS: &str =
    "always, never, or windows such as mon-fri 08:00-20:00 sat 10:00-14:00, then a zone such as Asia/Seoul";

/// The number of days that are looked back and ahead at first: longer than any window and than a week.
const NEAR: i32 = 10;

/// A schedule that does not change in this time, holidays included, does not change.
const FAR: i32 = 400;

/// Windows with a gap of at most this between them are one: who writes `10:00` and `10:01`, or lets a day end at `23:59`,
/// does not mean that everything stops for a minute.
const GAP: SignedDuration = SignedDuration::from_mins(1);

/// `nightshift:schedule`: when it is awake, and what is done about that.
///
/// ```
/// use rules::schedule::{Hours, Schedule};
///
/// let schedule: Schedule = "mon-fri 08:00-20:00 Asia/Seoul off=1".parse().unwrap();
/// assert!(matches!(schedule.hours, Hours::Windows(_)));
/// assert_eq!((schedule.off, schedule.zone.is_some()), (1, true));
/// // A word that is not understood is named, with what is accepted in its place.
/// let refused = "mon-fry 08:00-20:00".parse::<Schedule>().unwrap_err().to_string();
/// assert!(refused.contains("mon-fry"), "{refused}");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// When it is awake.
    pub hours: Hours,
    /// The zone of the windows, unless it is that of the stack.
    pub zone: Option<TimeZone>,
    /// How many tasks of a service run while it is asleep (`off=`).
    pub off: u32,
    /// The databases that have to serve before the service is woken, as they were written (`after=`).
    pub after: Vec<String>,
    /// A database is up in its own maintenance window as well (`maintenance=awake`).
    pub maintenance_awake: bool,
    /// Changes by hand are undone (`enforce=true`).
    pub enforce: bool,
    /// Which way it is changed (`act=`).
    pub act: Act,
    words: String,
}

/// When something is awake.
#[derive(Debug, Clone, PartialEq)]
pub enum Hours {
    /// Always.
    Always,
    /// Never.
    Never,
    /// While some window holds.
    Windows(Vec<Window>),
}

/// Which way a schedule changes things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It puts to sleep and wakes.
    Both,
    /// It puts to sleep, and leaves the waking to people.
    Sleep,
    /// It wakes, and leaves the rest to people.
    Wake,
}

/// What a schedule wants at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Whether it is to be awake.
    pub awake: bool,
    /// Since when, if that is not too long ago.
    pub since: Option<Timestamp>,
    /// When that changes, if it ever does.
    pub until: Option<Timestamp>,
}

impl Schedule {
    /// What it wants at `now`, in `zone` unless it names its own, if no window starts on `holidays`.
    pub fn wanted(&self, now: Timestamp, zone: &TimeZone, holidays: &[Date]) -> Wanted {
        self.hours.wanted(now, self.zone(zone), holidays)
    }

    /// Its zone, or that of the stack.
    pub fn zone<'a>(&'a self, of_the_stack: &'a TimeZone) -> &'a TimeZone {
        self.zone.as_ref().unwrap_or(of_the_stack)
    }
}

impl Hours {
    /// What they want at `now` in `zone`, if no window starts on `holidays`.
    pub(crate) fn wanted(&self, now: Timestamp, zone: &TimeZone, holidays: &[Date]) -> Wanted {
        let windows = match self {
            Hours::Always => return Wanted { awake: true, since: None, until: None },
            Hours::Never => return Wanted { awake: false, since: None, until: None },
            Hours::Windows(windows) => windows,
        };
        let near = wanted(windows, now, zone, holidays, NEAR);
        if near.until.is_some() { near } else { wanted(windows, now, zone, holidays, FAR) }
    }
}

/// As [`Schedule::wanted`], as far as `days` ahead tell.
fn wanted(windows: &[Window], now: Timestamp, zone: &TimeZone, holidays: &[Date], days: i32) -> Wanted {
    let today = zone.to_datetime(now).date();
    let (Ok(first), Ok(last)) = (today.checked_sub(NEAR.days()), today.checked_add(days.days())) else {
        return Wanted { awake: false, since: None, until: None };
    };
    let spans = spans(windows, first, last, zone, holidays);
    // What begins or ends where the search does begins or ends elsewhere.
    let (begin, end) =
        (reached(first.to_datetime(Default::default()), zone), reached(last.to_datetime(Default::default()), zone));
    let known = |it: Timestamp| Some(it).filter(|it| *it > begin && *it < end);
    match spans.iter().find(|(start, end)| *start <= now && now < *end) {
        Some((start, end)) => Wanted { awake: true, since: known(*start), until: known(*end) },
        None => Wanted {
            awake: false,
            since: spans.iter().rev().find(|(_, end)| *end <= now).and_then(|(_, end)| known(*end)),
            until: spans.iter().find(|(start, _)| now < *start).and_then(|(start, _)| known(*start)),
        },
    }
}

/// When some window holds, as instants: in order, and windows that touch, or almost do, are one.
fn spans(
    windows: &[Window],
    first: Date,
    last: Date,
    zone: &TimeZone,
    holidays: &[Date],
) -> Vec<(Timestamp, Timestamp)> {
    let mut spans: Vec<(Timestamp, Timestamp)> = Vec::new();
    for date in first.series(1.day()).take_while(|it| *it <= last).filter(|it| !holidays.contains(it)) {
        for (start, end) in windows.iter().filter_map(|it| it.on(date)) {
            let (start, end) = (reached(start, zone), reached(end, zone));
            if start < end {
                spans.push((start, end));
            }
        }
    }
    spans.sort();
    spans.dedup_by(|next, before| {
        let touches = next.0.duration_since(before.1) <= GAP;
        if touches {
            before.1 = before.1.max(next.1);
        }
        touches
    });
    spans
}

/// The first instant at which the wall clock of `zone` shows `time` or later.
fn reached(time: DateTime, zone: &TimeZone) -> Timestamp {
    let instant = |it: Result<Timestamp, _>| it.unwrap_or(Timestamp::MAX);
    match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            instant(offset.to_timestamp(time))
        }
        // Read with the later offset, a skipped time lies before the change.
        AmbiguousOffset::Gap { after, .. } => {
            let before = instant(after.to_timestamp(time));
            zone.following(before).next().map_or(before, |it| it.timestamp())
        }
    }
}

impl FromStr for Schedule {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::SCHEDULE, value)?;
        let (hours, zone) = read_words(&mut tag)?;
        let words: Vec<&str> = value.split_whitespace().take_while(|it| !it.contains('=')).collect();
        let schedule = Schedule {
            hours,
            zone,
            off: tag.parsed("off", "a number of tasks")?.unwrap_or(0),
            after: read_after(&mut tag)?,
            maintenance_awake: tag.parsed::<MaintenanceAwake>("maintenance", "awake")?.is_some(),
            enforce: tag.parsed("enforce", "true or false")?.unwrap_or(false),
            act: tag.parsed("act", "both, sleep or wake")?.unwrap_or(Act::Both),
            words: words.join(" "),
        };
        if schedule.off > i32::MAX as u32 {
            return Err(tag.bad_option("off", &schedule.off.to_string(), "a number of tasks"));
        }
        tag.finish().map(|()| schedule)
    }
}

/// The hours and the zone that a tag begins with.
pub(crate) fn read_words(tag: &mut Reader<'_>) -> Result<(Hours, Option<TimeZone>), BadTag> {
    let mut hours = None;
    let mut windows = Vec::new();
    // The days that were named last, and whether a time has followed them.
    let mut days: Option<(window::Days, &str, bool)> = None;
    let mut zone = None;
    while let Some(word) = tag.word() {
        let lower = word.to_ascii_lowercase();
        if zone.is_some() {
            return Err(tag.bad(format!("the word '{word}' after the zone"), "the zone last"));
        } else if lower == "always" || lower == "never" {
            if hours.is_some() || days.is_some() {
                return Err(tag.bad(format!("'{word}' beside something else"), WORDS));
            }
            hours = Some(if lower == "always" { Hours::Always } else { Hours::Never });
        } else if let (Some(named), None) = (window::Days::read(&lower), &hours) {
            if let Some((_, days, false)) = days {
                return Err(tag.bad(format!("no time after '{days}'"), WORDS));
            }
            days = Some((named, word, false));
        } else if word.starts_with(|it: char| it.is_ascii_digit()) {
            let Some((on, _, timed)) = &mut days else {
                return Err(tag.bad(format!("no days before '{word}'"), WORDS));
            };
            windows.push(Window::read(*on, word).map_err(|accepted| tag.bad(format!("no window '{word}'"), accepted))?);
            *timed = true;
        } else {
            zone = Some(zone::named(word).map_err(|it| match it.place {
                Some(_) => tag.bad(it, "the IANA name of a place"),
                None => tag.bad_word(word, &[WORDS]),
            })?);
        }
    }
    match (hours, days) {
        (Some(hours), _) => Ok((hours, zone)),
        (None, Some((_, _, true))) => Ok((Hours::Windows(windows), zone)),
        (None, Some((_, days, false))) => Err(tag.bad(format!("no time after '{days}'"), WORDS)),
        (None, None) => Err(tag.bad("no window", WORDS)),
    }
}

/// `after=app-db+cache-db`: all of them.
fn read_after(tag: &mut Reader<'_>) -> Result<Vec<String>, BadTag> {
    let Some(text) = tag.option("after") else { return Ok(Vec::new()) };
    let names: Vec<String> = text.split('+').map(str::to_owned).collect();
    if names.iter().any(String::is_empty) {
        return Err(tag.bad_option("after", text, "the id of a DB instance or DB cluster, or several joined by +"));
    }
    Ok(names)
}

/// The one value that `maintenance=` has.
struct MaintenanceAwake;

impl FromStr for MaintenanceAwake {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        (text == "awake").then_some(MaintenanceAwake).ok_or(())
    }
}

impl FromStr for Act {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "both" => Ok(Act::Both),
            "sleep" => Ok(Act::Sleep),
            "wake" => Ok(Act::Wake),
            _ => Err(()),
        }
    }
}

/// The words as they were written, without the options.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

#[cfg(test)]
mod tests;
