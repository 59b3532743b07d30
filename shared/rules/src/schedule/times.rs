//! The words of a schedule: its windows or its name, its zone, and on which dates; and the schedules that a stack names.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::dates::Dates;
use super::days::Days;
use super::hours::{Hours, Wanted, Windows};
use super::window::Window;
use crate::days_off::{DAYS, DayOff, DaysOff};
use crate::tag::{BadTag, Reader, closest};
use crate::zone;

/// Where an error about a schedule of the stack comes from.
const SETTING: &str = "NIGHTSHIFT_SCHEDULES";

const WORDS: &str =
    "always, never, or windows such as mon-fri 08:00-20:00 sat 10:00-14:00, then a zone such as Asia/Seoul";

const DATES: [&str; 3] = ["day", "month", "skip"];

/// When something holds: what a schedule and a window for deployments have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Times {
    /// When it holds.
    pub hours: Hours,
    /// The zone of the windows, unless it is that of the stack.
    pub zone: Option<TimeZone>,
    /// As it was written, with what a name stands for.
    words: String,
}

/// What a stack says about all schedules.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StackCalendar {
    /// Days on which no window starts.
    pub holidays: DaysOff,
    /// Schedules that a tag can name.
    pub schedules: NamedSchedules,
}

/// The schedules of a stack, by their names: `office=mon-fri 08:00-20:00; demo=always`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NamedSchedules(BTreeMap<String, Times>);

/// Why the schedules of a stack cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedules {
    /// What is before `=` cannot be a name.
    #[error("'{0}' is not a name for a schedule")]
    Name(String),
    /// A name stands there twice.
    #[error("'{0}' is there twice")]
    Twice(String),
    /// What a name stands for cannot be read.
    #[error("'{name}' stands for '{}': {}; {}", wrong.value, wrong.wrong, wrong.help)]
    Times {
        /// The name.
        name: String,
        /// What is wrong.
        wrong: BadTag,
    },
}

impl Times {
    /// Reads the words that a tag begins with, and its options `day`, `month` and `skip`.
    pub(crate) fn read(tag: &mut Reader<'_>, named: &NamedSchedules) -> Result<Self, BadTag> {
        let written = words(tag.value());
        let mut times = read_words(tag, named)?;
        times.words = match times.words.as_str() {
            "" => written,
            stands_for => format!("{written} ({stands_for})"),
        };
        type ReadDates = fn(&str) -> Option<Dates>;
        let on_dates: [(_, ReadDates, _); 2] = [
            ("day", Dates::of_days, "days of the month such as 1-5, 1+15 or last"),
            ("month", Dates::of_months, "months such as mar-nov or jan+jul"),
        ];
        for (name, read, accepted) in on_dates {
            let Some(text) = tag.option(name) else { continue };
            let dates = read(text).ok_or_else(|| tag.bad_option(name, text, accepted))?;
            let windows = times.windows(tag, name)?.clone().on_dates(dates);
            let windows = windows.ok_or_else(|| {
                tag.bad(format!("no day that {name}={text} leaves of a window"), "days that there are, in these months")
            })?;
            times.hours = Hours::Windows(windows);
        }
        if let Some(text) = tag.option("skip") {
            let days: Result<DaysOff, ()> = text.split('+').map(str::parse::<DayOff>).collect();
            let accepted = format!("{DAYS}, several joined by +");
            let days = days.map_err(|()| tag.bad_option("skip", text, &accepted))?;
            times.hours = Hours::Windows(times.windows(tag, "skip")?.clone().without(&days));
        }
        Ok(times)
    }

    fn windows(&self, tag: &Reader<'_>, option: &str) -> Result<&Windows, BadTag> {
        match &self.hours {
            Hours::Windows(windows) => Ok(windows),
            _ => Err(tag.bad(
                format!("{option}= beside what has no windows"),
                format!("{option}= beside windows such as mon-sun 00:00-24:00"),
            )),
        }
    }

    /// What they want at `now`, in `zone` unless they name their own.
    pub fn wanted(&self, now: Timestamp, zone: &TimeZone, stack: &StackCalendar) -> Wanted {
        self.hours.wanted(now, self.zone.as_ref().unwrap_or(zone), &stack.holidays)
    }
}

/// What of a tag says when: its words, and the options about dates.
fn words(value: &str) -> String {
    let says_when = |it: &&str| it.split_once('=').is_none_or(|(name, _)| DATES.contains(&name));
    value.split_whitespace().filter(says_when).collect::<Vec<_>>().join(" ")
}

/// The words are those that a name stands for; none where there is no name.
fn read_words(tag: &mut Reader<'_>, named: &NamedSchedules) -> Result<Times, BadTag> {
    let mut hours: Option<Hours> = None;
    let mut windows = Vec::new();
    // The days that were named last, and whether a time has followed them.
    let mut days: Option<(Days, &str, bool)> = None;
    let (mut zone, mut zone_of_name, mut stands_for) = (None, None, String::new());
    while let Some(word) = tag.word() {
        let lower = word.to_ascii_lowercase();
        if zone.is_some() {
            return Err(tag.bad(format!("the word '{word}' after the zone"), "the zone last"));
        } else if lower == "always" || lower == "never" {
            if hours.is_some() || days.is_some() {
                return Err(tag.bad(format!("'{word}' beside something else"), named.accepted()));
            }
            hours = Some(if lower == "always" { Hours::Always } else { Hours::Never });
        } else if let (Some(read), None) = (Days::read(&lower), &hours) {
            if let Some((_, days, false)) = days {
                return Err(tag.bad(format!("no time after '{days}'"), named.accepted()));
            }
            days = Some((read, word, false));
        } else if word.starts_with(|it: char| it.is_ascii_digit()) {
            let Some((on, _, timed)) = &mut days else {
                return Err(tag.bad(format!("no days before '{word}'"), named.accepted()));
            };
            windows.push(Window::read(*on, word).map_err(|accepted| tag.bad(format!("no window '{word}'"), accepted))?);
            *timed = true;
        } else if let Some(times) = named.0.get(&lower) {
            if hours.is_some() || days.is_some() {
                return Err(tag.bad(format!("'{word}' beside something else"), named.accepted()));
            }
            hours = Some(times.hours.clone());
            zone_of_name = times.zone.clone();
            stands_for = times.words.clone();
        } else {
            zone = Some(zone::named(word).map_err(|it| match it.place {
                Some(_) => tag.bad(it, "the IANA name of a place"),
                None => named.unknown(tag, word),
            })?);
        }
    }
    let hours = match (hours, days) {
        (Some(hours), _) => hours,
        (None, Some((_, _, true))) => Hours::Windows(Windows::new(windows)),
        (None, Some((_, days, false))) => return Err(tag.bad(format!("no time after '{days}'"), named.accepted())),
        (None, None) => return Err(tag.bad("no window", named.accepted())),
    };
    Ok(Times { hours, zone: zone.or(zone_of_name), words: stands_for })
}

impl NamedSchedules {
    fn accepted(&self) -> String {
        let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
        match &names[..] {
            [] => format!("{WORDS}; the stack's parameter Schedules names no schedule"),
            names => format!("{WORDS}; or a schedule of the stack: {}", names.join(", ")),
        }
    }

    fn unknown(&self, tag: &Reader<'_>, word: &str) -> BadTag {
        let mut error = tag.bad(format!("unknown word '{word}'"), self.accepted());
        let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
        if let Some(meant) = closest(&word.to_ascii_lowercase(), &names) {
            error.suggest(meant);
        }
        error
    }
}

impl FromStr for NamedSchedules {
    type Err = BadSchedules;

    fn from_str(text: &str) -> Result<Self, BadSchedules> {
        let mut schedules = BTreeMap::new();
        for part in text.split(';').map(str::trim).filter(|it| !it.is_empty()) {
            let (name, words) = part.split_once('=').ok_or_else(|| BadSchedules::Name(part.into()))?;
            let (name, words) = (name.trim().to_ascii_lowercase(), words.trim());
            if !is_name(&name) {
                return Err(BadSchedules::Name(name));
            }
            // In the terms of its own: a schedule cannot name another one.
            let read = || {
                let mut tag = Reader::new(SETTING, words)?;
                let times = Times::read(&mut tag, &NamedSchedules::default())?;
                tag.finish().map(|()| times)
            };
            let times = read().map_err(|wrong| BadSchedules::Times { name: name.clone(), wrong })?;
            if schedules.insert(name.clone(), times).is_some() {
                return Err(BadSchedules::Twice(name));
            }
        }
        Ok(NamedSchedules(schedules))
    }
}

/// Whether a word can be nothing else than a name.
fn is_name(text: &str) -> bool {
    let letters = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-' || it == '_';
    let plain = text.starts_with(|it: char| it.is_ascii_lowercase()) && text.chars().all(letters) && text.len() <= 32;
    // What the list of zones refuses with a better name is one that people mean as a zone.
    let is_zone = zone::named(text).map_or_else(|it| it.place.is_some(), |_| true);
    plain && text != "always" && text != "never" && Days::read(text).is_none() && !is_zone
}

/// As they were written.
impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}
