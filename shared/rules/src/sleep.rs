//! What is remembered of a sleeping service or database, of a boosted service and of one that was just woken: the values of
//! `nightshift-state:asleep`, `:boosted`, `:refused` and `:woken`.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::keys;
use crate::tag::{BadTag, Reader};

const MOMENT: &str = "2026-11-20T11:00:00Z";
const NUMBER: &str = "a number of tasks";

/// `nightshift-state:asleep`: what something was before it was put to sleep.
///
/// `since=2026-11-20T11:00:00Z desired=3 min=2 max=6 suspended=in+out by=schedule`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asleep {
    /// When it was put to sleep.
    pub since: Timestamp,
    /// How many tasks a service had. Of a database only ever 0: a person had stopped it before, so it stays so.
    pub desired: Option<i32>,
    /// The limits of its scaling target, where there is one.
    pub limits: Option<Limits>,
    /// On whose behalf it sleeps.
    pub by: By,
    /// When it wakes, where a person put it to sleep until then.
    pub until: Option<Timestamp>,
    /// The snapshot that is taken with the stop, as long as it does not carry its tags.
    pub snapshot: Option<String>,
    /// What AWS calls this very resource: a restored database carries the tags of the one that it was made of, and a
    /// recreated service those of its predecessor.
    pub of: Option<String>,
    /// When a database was last started, as long as it does not serve.
    pub started: Option<Timestamp>,
}

/// The limits of a scaling target, and what of it is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The least number of tasks.
    pub min: i32,
    /// The greatest.
    pub max: i32,
    /// What is suspended.
    pub suspended: Suspended,
}

/// The parts of a target's scaling that are suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Suspended {
    /// Scaling in by policies.
    pub scale_in: bool,
    /// Scaling out by policies.
    pub scale_out: bool,
    /// Scheduled actions.
    pub scheduled: bool,
}

/// On whose behalf something sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Its schedule.
    Schedule,
    /// A hold.
    Hold,
    /// The command of a person.
    Person,
}

/// `nightshift-state:boosted`: what a service was before it was boosted.
///
/// `since=2026-11-20T11:00:00Z from=1 to=3 min=1`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boosted {
    /// When it was boosted.
    pub since: Timestamp,
    /// How many tasks it had.
    pub from: i32,
    /// How many it got.
    pub to: i32,
    /// The least number of tasks of its scaling target before, where there is one.
    pub min: Option<i32>,
}

/// `nightshift-state:refused`: AWS refused to stop or start a database in a state that allows it, so that the next try is
/// an hour later. `since=2026-11-20T11:00:00Z StopDBCluster shop: InvalidDBClusterStateFault: …`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// When it was tried last.
    pub since: Timestamp,
    /// What AWS said, as far as a tag can hold it.
    pub said: String,
}

/// `nightshift-state:woken`: a service was woken at a moment that its schedule does not tell, and is not up yet.
///
/// `since=2026-11-20T11:00:00Z`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Woken {
    /// When it was woken.
    pub since: Timestamp,
}

impl Suspended {
    /// All of it.
    pub const ALL: Suspended = Suspended { scale_in: true, scale_out: true, scheduled: true };
}

impl Asleep {
    /// Whether this is the memory of another resource than the one that AWS calls `own`, which exists since `created`.
    ///
    /// Memory of older versions names no resource: then one that was made after it cannot be the one that slept.
    pub fn is_of_another(&self, own: Option<&str>, created: Option<Timestamp>) -> bool {
        match (self.of.as_deref(), own) {
            (Some(of), Some(own)) => of != own,
            (None, Some(_)) => created.is_some_and(|it| it > self.since),
            (_, None) => false,
        }
    }

    /// Whether a person put it to sleep, and that still holds.
    pub fn is_wanted_by_person(&self, now: Timestamp) -> bool {
        self.by == By::Person && self.until.is_none_or(|it| now < it)
    }
}

impl FromStr for Asleep {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::ASLEEP, value)?;
        let (min, max) = (tag.parsed("min", NUMBER)?, tag.parsed("max", NUMBER)?);
        let suspended = tag.parsed("suspended", "in, out, scheduled, joined by +")?.unwrap_or_default();
        let limits = match (min, max) {
            (Some(min), Some(max)) => Some(Limits { min, max, suspended }),
            (None, None) => None,
            _ => return Err(tag.bad("only one of min and max", "both or none")),
        };
        let asleep = Asleep {
            since: tag.required("since", MOMENT)?,
            desired: tag.parsed("desired", NUMBER)?,
            limits,
            by: tag.required("by", "schedule, hold or person")?,
            until: tag.parsed("until", MOMENT)?,
            snapshot: tag.option("snapshot").map(str::to_owned),
            of: tag.option("of").map(str::to_owned),
            started: tag.parsed("started", MOMENT)?,
        };
        tag.finish().map(|()| asleep)
    }
}

impl fmt::Display for Asleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "since={:.0}", self.since)?;
        self.desired.iter().try_for_each(|it| write!(f, " desired={it}"))?;
        if let Some(Limits { min, max, suspended }) = self.limits {
            write!(f, " min={min} max={max}")?;
            if suspended != Suspended::default() {
                write!(f, " suspended={suspended}")?;
            }
        }
        self.snapshot.iter().try_for_each(|it| write!(f, " snapshot={it}"))?;
        write!(f, " by={}", self.by)?;
        self.until.iter().try_for_each(|it| write!(f, " until={it:.0}"))?;
        self.started.iter().try_for_each(|it| write!(f, " started={it:.0}"))?;
        self.of.iter().try_for_each(|it| write!(f, " of={it}"))
    }
}

impl Refused {
    /// What AWS said to a call at `since`, as far as a tag can hold it.
    pub fn new(since: Timestamp, said: &str) -> Self {
        let allowed = |it: char| it.is_ascii_alphanumeric() || "_.:/=+-@".contains(it);
        let plain: String = said.chars().map(|it| if allowed(it) { it } else { ' ' }).collect();
        let mut said = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        said.truncate(Self::LONGEST);
        Refused { since, said: said.trim_end().to_owned() }
    }

    /// Leaves room for the moment.
    const LONGEST: usize = 220;
}

impl FromStr for Refused {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let (since, said) = value.split_once(' ').unwrap_or((value, ""));
        let mut tag = Reader::new(keys::REFUSED, since)?;
        let since = tag.required("since", MOMENT)?;
        tag.finish().map(|()| Refused { since, said: said.to_owned() })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "since={:.0} {}", self.since, self.said)
    }
}

impl FromStr for Woken {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::WOKEN, value)?;
        let woken = Woken { since: tag.required("since", MOMENT)? };
        tag.finish().map(|()| woken)
    }
}

impl fmt::Display for Woken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "since={:.0}", self.since)
    }
}

impl FromStr for Boosted {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::BOOSTED, value)?;
        let boosted = Boosted {
            since: tag.required("since", MOMENT)?,
            from: tag.required("from", NUMBER)?,
            to: tag.required("to", NUMBER)?,
            min: tag.parsed("min", NUMBER)?,
        };
        tag.finish().map(|()| boosted)
    }
}

impl fmt::Display for Boosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "since={:.0} from={} to={}", self.since, self.from, self.to)?;
        self.min.iter().try_for_each(|it| write!(f, " min={it}"))
    }
}

impl FromStr for Suspended {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut suspended = Suspended::default();
        for part in text.split('+') {
            match part {
                "in" => suspended.scale_in = true,
                "out" => suspended.scale_out = true,
                "scheduled" => suspended.scheduled = true,
                _ => return Err(()),
            }
        }
        Ok(suspended)
    }
}

impl fmt::Display for Suspended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.scale_in, "in"), (self.scale_out, "out"), (self.scheduled, "scheduled")];
        let parts: Vec<&str> = parts.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
        f.write_str(&parts.join("+"))
    }
}

impl FromStr for By {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "schedule" => Ok(By::Schedule),
            "hold" => Ok(By::Hold),
            "person" => Ok(By::Person),
            _ => Err(()),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            By::Schedule => "schedule",
            By::Hold => "hold",
            By::Person => "person",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_reads_as_people_would_write_it() {
        let value = "since=2026-11-20T11:00:00Z desired=3 min=2 max=6 suspended=in+scheduled by=schedule";
        let asleep: Asleep = value.parse().unwrap();
        let suspended = Suspended { scale_in: true, scale_out: false, scheduled: true };
        assert_eq!(asleep.limits, Some(Limits { min: 2, max: 6, suspended }));
        assert_eq!((asleep.desired, asleep.by, asleep.to_string().as_str()), (Some(3), By::Schedule, value));
    }

    #[test]
    fn memory_belongs_to_one_resource() {
        let check = |memory: &str, own: Option<&str>, created: Option<&str>, other: bool| {
            let asleep: Asleep = format!("since=2026-11-20T11:00:00Z by=schedule{memory}").parse().unwrap();
            let created = created.map(|it| it.parse().unwrap());
            assert_eq!(asleep.is_of_another(own, created), other, "{memory} {own:?} {created:?}");
        };
        check(" of=db-A", Some("db-A"), Some("2026-01-01T00:00:00Z"), false);
        check(" of=db-A", Some("db-B"), None, true);
        check(" of=db-A", None, None, false);
        check("", Some("db-B"), Some("2026-11-20T12:00:00Z"), true);
        check("", Some("db-B"), Some("2026-11-20T10:00:00Z"), false);
        check("", Some("db-B"), None, false);
        check("", None, Some("2026-11-20T12:00:00Z"), false);
    }

    #[test]
    fn a_refusal_keeps_what_aws_said_in_letters_that_a_tag_may_hold() {
        let since = "2026-11-20T11:00:00Z".parse().unwrap();
        let refused = Refused::new(since, "StopDBCluster shop: InvalidDBClusterStateFault: it's in (blue/green)");
        let value = "since=2026-11-20T11:00:00Z StopDBCluster shop: InvalidDBClusterStateFault: it s in blue/green";
        assert_eq!((refused.to_string().as_str(), value.parse()), (value, Ok(refused)));
    }

    #[test]
    fn what_is_wrong_is_quoted_and_what_is_accepted_listed() {
        let asleep = |value: &str| value.parse::<Asleep>().unwrap_err().to_string();
        let boosted = |value: &str| value.parse::<Boosted>().unwrap_err().to_string();
        for (error, expected) in [
            (asleep("desired=3 by=hold"), "nightshift-state:asleep: no option 'since' in 'desired=3 by=hold';"),
            (asleep("since=2026-11-20T11:00:00Z desired=3"), "nightshift-state:asleep: no option 'by' in"),
            (asleep("since=2026-11-20T11:00:00Z min=3 by=hold"), "nightshift-state:asleep: only one of min and max in"),
            (asleep("since=2026-11-20T11:00:00Z by=me"), "nightshift-state:asleep: by=me cannot be understood in"),
            (asleep("min=1 max=2 suspended=all"), "nightshift-state:asleep: suspended=all cannot be understood in"),
            (boosted("from=1"), "nightshift-state:boosted: no option 'since' in 'from=1'"),
        ] {
            assert!(error.starts_with(expected), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_and_fits_a_tag(
            seconds in 0..4_000_000_000i64, desired in proptest::option::of(0..10_000i32),
            limits in proptest::option::of((0..10_000i32, 0..10_000i32, any::<(bool, bool, bool)>())),
            by in 0..3usize, until in any::<bool>(), is_database in any::<bool>(),
            snapshot in proptest::option::of("nightshift-[a-z0-9-]{1,63}-2026-11-20-2000")
        ) {
            // A service is not snapshotted, and a database does not scale.
            let (limits, snapshot) = (limits.filter(|_| !is_database), snapshot.filter(|_| is_database));
            let since = Timestamp::from_second(seconds).unwrap();
            let limits = limits.map(|(min, max, (scale_in, scale_out, scheduled))| {
                Limits { min, max, suspended: Suspended { scale_in, scale_out, scheduled } }
            });
            let by = [By::Schedule, By::Hold, By::Person][by];
            let of = if is_database { "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ".to_owned() } else { since.to_string() };
            let (until, started) = (until.then_some(since), is_database.then_some(since));
            let asleep = Asleep { since, desired, limits, by, until, snapshot, of: Some(of), started };
            prop_assert!(asleep.to_string().len() <= crate::tag::LONGEST);
            prop_assert_eq!(asleep.to_string().parse(), Ok(asleep));
            let boosted = Boosted { since, from: 1, to: 3, min: desired };
            prop_assert_eq!(boosted.to_string().parse(), Ok(boosted));
        }

        #[test]
        fn no_value_makes_it_panic(value in any::<String>()) {
            let _ = (value.parse::<Asleep>(), value.parse::<Boosted>(), value.parse::<Refused>(), value.parse::<Woken>());
        }

        #[test]
        fn whatever_aws_says_fits_a_tag_and_is_read_back(said in any::<String>(), seconds in 0..4_000_000_000i64) {
            let refused = Refused::new(Timestamp::from_second(seconds).unwrap(), &said);
            let value = refused.to_string();
            prop_assert!(value.len() <= crate::tag::LONGEST && value.chars().all(|it| it.is_ascii() && !it.is_ascii_control()));
            prop_assert_eq!(value.trim_end().parse(), Ok(refused));
        }
    }
}
