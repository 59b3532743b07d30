//! What a person asks of a service or database by a command.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::civil::Time;
use jiff::{ToSpan, Zoned};
use rules::keys;
use rules::sleep::By;
use rules::wish::Moment;

use super::step::Call;
use super::wants::Wants;

/// What a person asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Wake it, and keep it awake until then.
    Wake(Until),
    /// Put it to sleep until its schedule wakes it.
    Sleep,
}

/// How long a person wants something awake.
#[derive(Debug, Clone, PartialEq)]
pub enum Until {
    /// Until the schedule changes next.
    NextChange,
    /// Until the clock of the schedule's zone shows this time next.
    Time(Time),
    /// Until this moment.
    Moment(Moment),
}

/// Changes `wants` to what a person asks and returns the calls that remember it; the error is a problem.
pub fn heed(ask: &Ask, wants: &mut Wants, now: &Zoned, holidays: &[Date]) -> Result<Vec<Call>, (&'static str, String)> {
    let scheduled = wants.scheduled(now, holidays);
    match ask {
        Ask::Wake(_) if wants.is_held() => {
            let keys = format!("{} or {}", keys::HOLD, keys::HOLD_MEMORY);
            Err(("held", format!("a hold outranks the command: remove the tag {keys} first")))
        }
        // Its schedule wants it awake for ever: then only the word of the person who put it to sleep has to be taken back.
        Ask::Wake(Until::NextChange) if scheduled.awake && scheduled.until.is_none() => {
            let Some(asleep) = wants.asleep.as_mut().filter(|it| it.by == By::Person) else { return Ok(Vec::new()) };
            (asleep.by, asleep.until) = (By::Schedule, None);
            Ok(vec![Call::Remember(keys::ASLEEP, asleep.to_string())])
        }
        Ask::Wake(until) => {
            let Some(until) = resolved(until, scheduled.until, wants, now) else {
                return Err((
                    "no-next-change",
                    format!("'{}' never changes: say until when, as in \"until\":\"23:00\"", wants.schedule),
                ));
            };
            if until <= now.timestamp() {
                return Err(("in-the-past", format!("{} is over", wants.local(until, now))));
            }
            if wants.kept_awake == Some(until) {
                return Ok(Vec::new());
            }
            wants.kept_awake = Some(until);
            Ok(vec![Call::Remember(keys::AWAKE_UNTIL_MEMORY, format!("{until:.0}"))])
        }
        Ask::Sleep if wants.is_kept_awake_by_person(now.timestamp()) => {
            Err(("kept-awake", format!("the tag {} keeps it awake: remove that first", keys::AWAKE_UNTIL)))
        }
        Ask::Sleep => {
            let mut calls = Vec::new();
            if wants.kept_awake.take().is_some() {
                calls.push(Call::Forget(vec![keys::AWAKE_UNTIL_MEMORY]));
            }
            if scheduled.awake && !wants.is_held() {
                wants.put_to_sleep_until(scheduled.until);
            }
            Ok(calls)
        }
    }
}

fn resolved(until: &Until, next: Option<Timestamp>, wants: &Wants, now: &Zoned) -> Option<Timestamp> {
    let zone = wants.schedule.zone(now.time_zone());
    match until {
        Until::NextChange => next,
        Until::Moment(moment) => Some(moment.instant(zone)),
        Until::Time(time) => {
            let today = now.with_time_zone(zone.clone()).date();
            let on = |date: Date| zone.to_timestamp(date.to_datetime(*time)).ok();
            on(today).filter(|it| *it > now.timestamp()).or_else(|| on(today.checked_add(1.day()).ok()?))
        }
    }
}
