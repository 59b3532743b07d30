//! What its tags want of a service or database, and which of them counts.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{Timestamp, Zoned};
use rules::keys;
use rules::schedule::{Act, Schedule, Wanted};
use rules::sleep::{Asleep, Boosted, By};
use rules::tag::BadTag;
use rules::wish::{AwakeUntil, Boost, Hold};

use super::GRACE;

/// The tags of one service or database, read.
#[derive(Debug, Clone)]
pub struct Wants {
    /// When it is awake.
    pub schedule: Schedule,
    /// What is remembered of it, if it was put to sleep.
    pub asleep: Option<Asleep>,
    /// What is remembered of its size, if it was boosted.
    pub boosted: Option<Boosted>,
    /// How long Nightshift's own memory keeps it awake; maybe over.
    pub kept_awake: Option<Timestamp>,
    hold: Option<String>,
    /// A person has just put it to sleep, until then if that is known.
    put_to_sleep: Option<Option<Timestamp>>,
    /// How long a person keeps it awake; maybe over.
    awake_until: Option<Timestamp>,
    boosts: Vec<Wish>,
    /// Whether the last change of it failed, as people were told.
    pub failed: bool,
    /// Whether people were told of any problem of it.
    pub told: bool,
}

/// A wish for more tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// How many.
    pub step: i32,
    /// Until when.
    pub until: Timestamp,
    /// Who wishes it.
    pub by: String,
    /// The tag that says so.
    pub key: &'static str,
}

/// What counts now.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether it is to be awake.
    pub awake: bool,
    /// Who wants that.
    pub source: Source,
    /// In words.
    pub why: String,
    /// Since when, if that is known.
    pub since: Option<Timestamp>,
    /// When the other becomes wanted, if that is known.
    pub until: Option<Timestamp>,
}

/// Who wants something to be awake or asleep, from the one that outranks the others down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A hold.
    Hold,
    /// A moment until which it is kept awake.
    AwakeUntil,
    /// A person who put it to sleep.
    Person,
    /// A service that needs the database.
    Needed,
    /// The schedule.
    Schedule,
}

/// The database that a service needs by its `after=`, as far as that can be told where another word of a tag is bad.
pub fn database_needed(tags: &BTreeMap<String, String>) -> Option<&str> {
    tags.get(keys::SCHEDULE)?.split_whitespace().find_map(|it| it.strip_prefix("after="))
}

impl Wants {
    /// Reads the tags; without a schedule it did not opt in.
    pub fn read(tags: &BTreeMap<String, String>, now: &Zoned) -> Result<Option<Self>, BadTag> {
        let tag = |key: &str| tags.get(key).map(String::as_str);
        let Some(schedule) = tag(keys::SCHEDULE) else { return Ok(None) };
        let schedule: Schedule = schedule.parse()?;
        let zone = schedule.zone(now.time_zone()).clone();
        let awake = |key| tag(key).map(|it| AwakeUntil::read(key, it)).transpose();
        let awake = |key| Ok::<_, BadTag>(awake(key)?.map(|it| it.0.instant(&zone)));
        let mut boosts = Vec::new();
        for key in [keys::BOOST, keys::BOOST_MEMORY] {
            let Some(value) = tag(key) else { continue };
            let Boost { step, until, by } = Boost::read(key, value)?;
            let step = i32::try_from(step).unwrap_or(i32::MAX);
            boosts.push(Wish { step, until: until.instant(&zone), by: by.unwrap_or_else(|| key.to_owned()), key });
        }
        let hold = match (tag(keys::HOLD), tag(keys::HOLD_MEMORY)) {
            (Some(reason), _) => Some(format!("{}: {reason}", keys::HOLD)),
            (None, Some(wish)) => Some(format!("a hold by {}", wish.parse::<Hold>()?.by)),
            (None, None) => None,
        };
        Ok(Some(Wants {
            asleep: tag(keys::ASLEEP).map(str::parse).transpose()?,
            boosted: tag(keys::BOOSTED).map(str::parse).transpose()?,
            kept_awake: awake(keys::AWAKE_UNTIL_MEMORY)?,
            awake_until: awake(keys::AWAKE_UNTIL)?,
            failed: tag(keys::SLEEP_PROBLEM)
                .is_some_and(|it| it.split(' ').next().unwrap_or_default().contains("failed")),
            told: tag(keys::SLEEP_PROBLEM).is_some(),
            boosts,
            hold,
            put_to_sleep: None,
            schedule,
        }))
    }

    /// What the schedule alone wants.
    pub fn scheduled(&self, now: &Zoned, holidays: &[Date]) -> Wanted {
        self.schedule.wanted(now.timestamp(), now.time_zone(), holidays)
    }

    /// What counts: a hold, else what keeps it awake, else a person who put it to sleep, else the schedule.
    pub fn verdict(&self, now: &Zoned, holidays: &[Date]) -> Verdict {
        let at = now.timestamp();
        let scheduled = self.scheduled(now, holidays);
        if let Some(why) = &self.hold {
            return Verdict { awake: false, source: Source::Hold, why: why.clone(), since: None, until: None };
        }
        if let Some((until, key)) = self.keeps_awake(at) {
            let then = self.schedule.wanted(until, now.time_zone(), holidays);
            return Verdict {
                awake: true,
                source: Source::AwakeUntil,
                why: format!("{key} keeps it awake until {}", self.local(until, now)),
                since: None,
                until: if then.awake { then.until } else { Some(until) },
            };
        }
        if let Some(until) = self.put_to_sleep(at) {
            let then = until.map(|it| self.schedule.wanted(it, now.time_zone(), holidays));
            return Verdict {
                awake: false,
                source: Source::Person,
                why: "a person put it to sleep".into(),
                since: None,
                until: then.and_then(|it| if it.awake { until } else { it.until }),
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

    /// On whose behalf it is put to sleep where this verdict says so, and until when if a person said that.
    pub fn on_behalf(&self, verdict: &Verdict, now: Timestamp) -> (By, Option<Timestamp>) {
        match verdict.source {
            Source::Hold => (By::Hold, None),
            Source::Person => (By::Person, self.put_to_sleep(now).flatten()),
            _ => (By::Schedule, None),
        }
    }

    /// Whether its schedule wakes it though a person stopped it: always with `enforce=true`, with `act=wake` as a window
    /// begins.
    pub fn wakes_what_people_stopped(&self, verdict: &Verdict, now: Timestamp) -> bool {
        let begins = verdict.since.is_some_and(|it| now.duration_since(it) < GRACE);
        let says_so = self.schedule.enforce || self.schedule.act == Act::Wake && begins;
        verdict.source == Source::Schedule && says_so
    }

    /// Until when it is kept awake, and the tag that says so: a person's counts before Nightshift's own.
    pub fn keeps_awake(&self, now: Timestamp) -> Option<(Timestamp, &'static str)> {
        let by = [(self.awake_until, keys::AWAKE_UNTIL), (self.kept_awake, keys::AWAKE_UNTIL_MEMORY)];
        by.into_iter().find_map(|(until, key)| Some((until.filter(|it| now < *it)?, key)))
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

    /// Whether a hold puts it to sleep.
    pub fn is_held(&self) -> bool {
        self.hold.is_some()
    }

    /// Whether a person's own tag keeps it awake.
    pub fn is_kept_awake_by_person(&self, now: Timestamp) -> bool {
        self.awake_until.is_some_and(|it| now < it)
    }

    /// The wish for more tasks that counts: a person's before another function's.
    pub fn boost(&self, now: Timestamp) -> Option<&Wish> {
        self.boosts.iter().find(|it| now < it.until)
    }

    /// Memory and wishes of functions that are over.
    pub fn over(&self, now: Timestamp) -> Vec<&'static str> {
        let awake = self.kept_awake.filter(|it| *it <= now).map(|_| keys::AWAKE_UNTIL_MEMORY);
        let boost = self.boosts.iter().find(|it| it.key == keys::BOOST_MEMORY && it.until <= now).map(|it| it.key);
        awake.into_iter().chain(boost).collect()
    }

    /// A moment for people, in the zone of the schedule.
    pub fn local(&self, moment: Timestamp, now: &Zoned) -> String {
        let zone = self.schedule.zone(now.time_zone());
        let text = moment.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M").to_string();
        match zone.iana_name() {
            Some(name) if zone != now.time_zone() => format!("{text} {name}"),
            _ => text,
        }
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
