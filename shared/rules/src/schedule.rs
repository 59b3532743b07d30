//! When a service or database is awake: `nightshift:schedule`, and what it wants at any instant.
//!
//! A window is `[start, end)` by the wall clock of its zone. Where clocks are put forward, a time that is skipped is the
//! moment of the change; where they are put back, a time that comes twice is the first one, as if the clock stood still
//! until it has caught up. So nothing is missed in a skipped hour and nothing is done twice in a doubled one.

mod dates;
mod days;
mod hours;
mod times;
mod window;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use hours::{Hours, Wanted, Windows};
pub use times::{BadSchedules, NamedSchedules, StackCalendar, Times};
pub use window::Window;

use crate::keys;
use crate::tag::{BadTag, Reader};

/// `nightshift:schedule`: when it is awake, and what is done about that.
///
/// ```
/// use rules::schedule::{Hours, Schedule, StackCalendar};
///
/// let stack = StackCalendar { schedules: "office=mon-fri 08:00-20:00 Asia/Seoul".parse().unwrap(), ..Default::default() };
/// let schedule = Schedule::read("office off=1", &stack).unwrap();
/// assert!(matches!(schedule.times.hours, Hours::Windows(_)));
/// assert_eq!((schedule.off, schedule.times.zone.is_some()), (1, true));
/// // A word that is not understood is named, with what is accepted in its place.
/// let refused = Schedule::read("ofice", &stack).unwrap_err().to_string();
/// assert!(refused.contains("'ofice'") && refused.contains("did you mean 'office'?"), "{refused}");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// When it is awake.
    pub times: Times,
    /// How many tasks of a service run while it is asleep (`off=`).
    pub off: u32,
    /// What has to serve before the service is woken, as it was written (`after=`): `app-db`, `ec2:i-0abc`, `asg:web`.
    pub after: Vec<String>,
    /// A database is up in its own maintenance window as well (`maintenance=awake`).
    pub maintenance_awake: bool,
    /// An EC2 instance hibernates instead of being stopped (`hibernate=true`).
    pub hibernate: bool,
    /// Changes by hand are undone (`enforce=true`).
    pub enforce: bool,
    /// Which way it is changed (`act=`).
    pub act: Act,
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

impl Schedule {
    /// Reads the value of the tag; a name in it is one of `stack`.
    pub fn read(value: &str, stack: &StackCalendar) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::SCHEDULE, value)?;
        let schedule = Schedule {
            times: Times::read(&mut tag, &stack.schedules)?,
            off: tag.parsed("off", "a number of tasks")?.unwrap_or(0),
            after: read_after(&mut tag)?,
            maintenance_awake: tag.parsed::<MaintenanceAwake>("maintenance", "awake")?.is_some(),
            hibernate: tag.parsed("hibernate", "true or false")?.unwrap_or(false),
            enforce: tag.parsed("enforce", "true or false")?.unwrap_or(false),
            act: tag.parsed("act", "both, sleep or wake")?.unwrap_or(Act::Both),
        };
        if schedule.off > i32::MAX as u32 {
            return Err(tag.bad_option("off", &schedule.off.to_string(), "a number of tasks"));
        }
        tag.finish().map(|()| schedule)
    }

    /// What it wants at `now`, in `zone` unless it names its own, if no window starts on the holidays of `stack`.
    pub fn wanted(&self, now: Timestamp, zone: &TimeZone, stack: &StackCalendar) -> Wanted {
        self.times.wanted(now, zone, stack)
    }

    /// Its zone, or that of the stack.
    pub fn zone<'a>(&'a self, of_the_stack: &'a TimeZone) -> &'a TimeZone {
        self.times.zone.as_ref().unwrap_or(of_the_stack)
    }
}

/// `after=app-db+ec2:i-0abc+asg:web`: all of them.
fn read_after(tag: &mut Reader<'_>) -> Result<Vec<String>, BadTag> {
    let Some(text) = tag.option("after") else { return Ok(Vec::new()) };
    let names: Vec<String> = text.split('+').map(str::to_owned).collect();
    // A colon is in no name of a database.
    let is_known = |it: &String| match it.split_once(':') {
        Some((kind, name)) => ["db", "ec2", "asg"].contains(&kind) && !name.is_empty(),
        None => !it.is_empty(),
    };
    if !names.iter().all(is_known) {
        let accepted = "the id of a DB instance or DB cluster, ec2:INSTANCE or asg:GROUP, or several joined by +";
        return Err(tag.bad_option("after", text, accepted));
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

/// As it was written, without what says nothing of the time.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.times.fmt(f)
    }
}

#[cfg(test)]
mod tests;
