//! What its tags want of a service or database, and which of them counts.

use std::collections::BTreeMap;

use jiff::{Timestamp, Zoned};
use reconcile::when;
use rules::intent::{AwakeUntil, Boost, Hold};
use rules::keys;
use rules::schedule::{Act, Schedule, StackCalendar, Wanted};
use rules::sleep::{Asleep, Boosted, By, Refused, Woken};
use rules::tag::BadTag;

use super::needs::Need;
use super::times::{GRACE, TRIED_AGAIN_AFTER};

/// The tags of one service or database, read.
#[derive(Debug, Clone)]
pub struct Wants {
    pub schedule: Schedule,
    /// What is remembered of it, if it was put to sleep.
    pub asleep: Option<Asleep>,
    /// What is remembered of its size, if it was boosted.
    pub boosted: Option<Boosted>,
    /// Until when Nightshift's own memory keeps it awake; maybe over.
    pub kept_awake: Option<Timestamp>,
    /// That memory was written for a person.
    kept_awake_by_person: bool,
    /// What is remembered of it, if it was woken at a moment that no schedule tells.
    pub woken: Option<Woken>,
    refused: Option<Refused>,
    /// The sleep that people were told of before it last.
    pub noticed: Option<String>,
    hold: Option<Held>,
    /// A person has just put it to sleep, until then if that is known.
    put_to_sleep: Option<Option<Timestamp>>,
    /// Until when a person's tag keeps it awake; maybe over.
    awake_until: Option<Timestamp>,
    boosts: Vec<BoostIntent>,
    /// When a database is up for its maintenance, at this time or next, and the window in words.
    maintenance: Option<(Timestamp, Timestamp)>,
    /// The kinds of problems that people were told of last.
    told: Vec<String>,
}

/// Who holds it asleep, in words.
#[derive(Debug, Clone)]
enum Held {
    ByPerson(String),
    ByFunction(String),
}

/// More tasks, as a person or another function wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct BoostIntent {
    pub step: i32,
    pub until: Timestamp,
    /// Who wants it.
    pub by: String,
    /// The tag that says so.
    pub key: &'static str,
}

/// What counts now.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether it should be awake.
    pub awake: bool,
    pub source: Source,
    /// In words.
    pub why: String,
    /// Since when, if that is known.
    pub since: Option<Timestamp>,
    /// When the other becomes wanted, if that is known.
    pub until: Option<Timestamp>,
}

/// Who wants something to be awake or asleep.
///
/// A person outranks a budget: a person's hold comes first, then what a person keeps awake, then the hold of a budget,
/// then what an alarm keeps awake, then a person who put it to sleep, then the maintenance window, then the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Hold,
    /// A moment until which it is kept awake.
    AwakeUntil,
    /// A person who put it to sleep.
    Person,
    /// The database's own maintenance window.
    Maintenance,
    /// A service that needs the database.
    Needed,
    Schedule,
}

impl Wants {
    /// Reads the tags; without a schedule it did not opt in.
    pub fn read(
        tags: &BTreeMap<String, String>,
        now: &Zoned,
        calendar: &StackCalendar,
    ) -> Result<Option<Self>, BadTag> {
        let tag = |key: &str| tags.get(key).map(String::as_str);
        let Some(schedule) = tag(keys::SCHEDULE) else { return Ok(None) };
        let schedule = Schedule::read(schedule, calendar)?;
        let zone = schedule.zone(now.time_zone()).clone();
        let awake = |key| tag(key).map(|it| AwakeUntil::read(key, it)).transpose();
        let awake = |key| Ok::<_, BadTag>(awake(key)?.map(|it| it.0.instant(&zone)));
        let mut boosts = Vec::new();
        for key in [keys::BOOST, keys::BOOST_MEMORY] {
            let Some(value) = tag(key) else { continue };
            let Boost { step, until, by } = Boost::read(key, value)?;
            let step = i32::try_from(step).unwrap_or(i32::MAX);
            boosts.push(BoostIntent {
                step,
                until: until.instant(&zone),
                by: by.unwrap_or_else(|| key.to_owned()),
                key,
            });
        }
        let hold = match (tag(keys::HOLD), tag(keys::HOLD_MEMORY)) {
            (Some(reason), _) => Some(Held::ByPerson(format!("{}: {reason}", keys::HOLD))),
            (None, Some(hold)) => Some(Held::ByFunction(format!("a hold by {}", hold.parse::<Hold>()?.by))),
            (None, None) => None,
        };
        let kinds = tag(keys::SLEEP_PROBLEM).map(|it| it.split(' ').next().unwrap_or_default().split('+'));
        Ok(Some(Wants {
            asleep: tag(keys::ASLEEP).map(str::parse).transpose()?,
            boosted: tag(keys::BOOSTED).map(str::parse).transpose()?,
            kept_awake: awake(keys::AWAKE_UNTIL_MEMORY)?,
            kept_awake_by_person: tag(keys::AWAKE_UNTIL_MEMORY).is_some_and(|it| it.ends_with(" by=person")),
            awake_until: awake(keys::AWAKE_UNTIL)?,
            // What only saves a try or a look is not worth a problem where it cannot be read.
            woken: tag(keys::WOKEN).and_then(|it| it.parse().ok()),
            refused: tag(keys::REFUSED).and_then(|it| it.parse().ok()),
            noticed: tag(keys::NOTICED).map(str::to_owned),
            told: kinds.into_iter().flatten().map(str::to_owned).collect(),
            boosts,
            hold,
            put_to_sleep: None,
            maintenance: None,
            schedule,
        }))
    }

    /// Leaves out what is remembered of another resource; returns whether that was so.
    ///
    /// What is restored from a snapshot, or created anew under an old name, carries the tags of another one.
    pub fn leave_out_memory_of_another(&mut self, own: Option<&str>, created: Option<Timestamp>) -> bool {
        let foreign = self.asleep.as_ref().is_some_and(|it| it.is_of_another(own, created));
        if foreign {
            (self.asleep, self.boosted, self.refused, self.woken) = (None, None, None, None);
        }
        foreign
    }

    /// A database is kept up in this window, if its schedule says so.
    pub fn keep_up_for_maintenance(&mut self, window: Option<(Timestamp, Timestamp)>) {
        self.maintenance = window.filter(|_| self.schedule.maintenance_awake);
    }

    /// What the schedule alone wants.
    pub fn scheduled(&self, now: &Zoned, calendar: &StackCalendar) -> Wanted {
        self.schedule.wanted(now.timestamp(), now.time_zone(), calendar)
    }

    /// What counts; see [`Source`].
    pub fn verdict(&self, now: &Zoned, calendar: &StackCalendar) -> Verdict {
        let at = now.timestamp();
        let scheduled = self.scheduled(now, calendar);
        let awake_until = self.awake_until.filter(|it| at < *it).map(|it| (it, keys::AWAKE_UNTIL));
        let kept_awake = self.kept_awake.filter(|it| at < *it).map(|it| (it, keys::AWAKE_UNTIL_MEMORY));
        let by_person = awake_until.or(kept_awake.filter(|_| self.kept_awake_by_person));
        let held =
            |why: &String| Verdict { awake: false, source: Source::Hold, why: why.clone(), since: None, until: None };
        let keeps_awake = match (&self.hold, by_person) {
            (Some(Held::ByPerson(why)), _) => return held(why),
            (_, Some(it)) => Some(it),
            (Some(Held::ByFunction(why)), None) => return held(why),
            (None, None) => kept_awake,
        };
        if let Some((until, key)) = keeps_awake {
            let then = self.schedule.wanted(until, now.time_zone(), calendar);
            return Verdict {
                awake: true,
                source: Source::AwakeUntil,
                why: format!("{key} keeps it awake until {}", self.local(until, now)),
                since: None,
                until: if then.awake { then.until } else { Some(until) },
            };
        }
        if let Some(until) = self.put_to_sleep(at) {
            let then = until.map(|it| self.schedule.wanted(it, now.time_zone(), calendar));
            return Verdict {
                awake: false,
                source: Source::Person,
                why: "a person put it to sleep".into(),
                since: None,
                until: then.and_then(|it| if it.awake { until } else { it.until }),
            };
        }
        let maintenance = self.maintenance.filter(|(from, until)| !scheduled.awake && *from <= at && at < *until);
        if let Some((from, until)) = maintenance {
            return Verdict {
                awake: true,
                source: Source::Maintenance,
                why: format!("maintenance=awake keeps it up for its window until {}", self.local(until, now)),
                since: Some(from),
                until: Some(until),
            };
        }
        let state = if scheduled.awake { "awake" } else { "asleep" };
        Verdict {
            awake: scheduled.awake,
            source: Source::Schedule,
            why: format!("'{}' wants it {state}", self.schedule),
            since: scheduled.since,
            until: scheduled.until,
        }
    }

    /// What counts where others need it: what needs it outranks its schedule.
    pub fn verdict_where_needed(&self, needing: &[&Need], now: &Zoned, calendar: &StackCalendar) -> Verdict {
        let verdict = self.verdict(now, calendar);
        match needing.iter().find(|it| it.awake) {
            Some(need) if !verdict.awake && verdict.source == Source::Schedule => Verdict {
                awake: true,
                source: Source::Needed,
                why: format!("{} needs it", need.service),
                since: None,
                until: None,
            },
            _ => verdict,
        }
    }

    /// On whose behalf it is put to sleep where this verdict says so, and until when if a person said that.
    pub fn on_behalf(&self, verdict: &Verdict, now: Timestamp) -> (By, Option<Timestamp>) {
        match verdict.source {
            Source::Hold => (By::Hold, None),
            Source::Person => (By::Person, self.put_to_sleep(now).flatten()),
            _ => (By::Schedule, None),
        }
    }

    /// Whether its schedule wakes it though a person stopped it: with `enforce=true`, and with `act=wake` as a window
    /// begins. With `act=sleep` the waking is left to people, whatever else it says.
    pub fn wakes_what_people_stopped(&self, verdict: &Verdict, now: Timestamp) -> bool {
        let begins = verdict.since.is_some_and(|it| now.duration_since(it) < GRACE);
        let says_so = match self.schedule.act {
            Act::Sleep => false,
            Act::Wake => self.schedule.enforce || begins,
            Act::Both => self.schedule.enforce,
        };
        verdict.source == Source::Schedule && says_so
    }

    /// Keeps it awake until then, as a person wants it; returns the value of the tag that remembers that.
    pub fn keep_awake_for_person(&mut self, until: Timestamp) -> String {
        (self.kept_awake, self.kept_awake_by_person) = (Some(until), true);
        format!("{until:.0} by=person")
    }

    /// Whether a person's command keeps it awake until that very moment.
    pub fn is_kept_awake_for_person_until(&self, until: Timestamp) -> bool {
        self.kept_awake_by_person && self.kept_awake == Some(until)
    }

    /// Whether it was kept awake beyond that moment, and is no longer.
    pub fn was_kept_awake_after(&self, moment: Timestamp, now: Timestamp) -> bool {
        [self.awake_until, self.kept_awake].into_iter().flatten().any(|until| moment < until && until <= now)
    }

    /// Until when a person put it to sleep, if one did and that still holds.
    pub fn put_to_sleep(&self, now: Timestamp) -> Option<Option<Timestamp>> {
        self.put_to_sleep.or_else(|| self.asleep.as_ref().filter(|it| it.is_wanted_by_person(now)).map(|it| it.until))
    }

    /// From now on a person wants it asleep, until then if that is known.
    pub fn put_to_sleep_until(&mut self, until: Option<Timestamp>) {
        self.put_to_sleep = Some(until);
    }

    /// Whether a tag or a memory keeps it awake until this very moment.
    pub fn is_kept_awake_until(&self, until: Timestamp) -> bool {
        [self.awake_until, self.kept_awake].contains(&Some(until))
    }

    pub fn is_held(&self) -> bool {
        self.hold.is_some()
    }

    pub fn is_held_by_person(&self) -> bool {
        matches!(self.hold, Some(Held::ByPerson(_)))
    }

    /// Whether a person's own tag keeps it awake.
    pub fn is_kept_awake_by_tag(&self, now: Timestamp) -> bool {
        self.awake_until.is_some_and(|it| now < it)
    }

    /// The boost that counts: a person's before another function's.
    pub fn boost(&self, now: Timestamp) -> Option<&BoostIntent> {
        self.boosts.iter().find(|it| now < it.until)
    }

    /// Memory and intents of functions that are over.
    pub fn over(&self, now: Timestamp) -> Vec<&'static str> {
        let awake = self.kept_awake.filter(|it| *it <= now).map(|_| keys::AWAKE_UNTIL_MEMORY);
        let boost = self.boosts.iter().find(|it| it.key == keys::BOOST_MEMORY && it.until <= now).map(|it| it.key);
        awake.into_iter().chain(boost).collect()
    }

    /// What AWS said when it refused within the last hour to stop or start it.
    pub fn refused(&self, now: Timestamp) -> Option<&str> {
        let recent = self.refused.as_ref().filter(|it| now.duration_since(it.since) < TRIED_AGAIN_AFTER);
        recent.map(|it| it.said.as_str())
    }

    /// Whether the last change of it failed, as people were told.
    pub fn has_failed(&self) -> bool {
        self.was_told_of("failed")
    }

    pub fn was_told(&self) -> bool {
        !self.told.is_empty()
    }

    pub fn was_told_of(&self, kind: &str) -> bool {
        self.told.iter().any(|it| it == kind)
    }

    /// A moment for people, in the zone of the schedule.
    pub fn local(&self, moment: Timestamp, now: &Zoned) -> String {
        when(moment, &now.with_time_zone(self.schedule.zone(now.time_zone()).clone()))
    }

    /// When it changes next, for people.
    pub fn next(&self, verdict: &Verdict, now: &Zoned) -> String {
        let change = if verdict.awake { "sleeps" } else { "wakes" };
        match verdict.until {
            Some(until) => format!("{change} {}", self.local(until, now)),
            None if verdict.source == Source::Hold => "sleeps until the hold is removed".into(),
            None => "no next change".into(),
        }
    }
}
