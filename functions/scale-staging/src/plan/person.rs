//! What a person's command changes of what is wanted.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, Zoned};
use reconcile::Trouble;
use rules::keys;
use rules::schedule::StackCalendar;
use rules::sleep::By;

use super::command::{Command, Until};
use super::draft::Draft;
use super::wants::Wants;

/// Changes `wants` to what a person asks and drafts what remembers it. A command that cannot be carried out is a problem,
/// and the rest goes on without it; returns whether it is carried out.
pub fn apply_command(
    command: Option<&Command>,
    wants: &mut Wants,
    draft: &mut Draft,
    now: &Zoned,
    calendar: &StackCalendar,
) -> bool {
    let Some(command) = command else { return false };
    let outcome = match command {
        Command::Wake(until) => wake(until, wants, draft, now, calendar),
        Command::Sleep => sleep(wants, draft, now, calendar),
    };
    let carried_out = outcome.is_ok();
    if let Err(trouble) = outcome {
        draft.add_trouble(trouble);
    }
    carried_out
}

fn wake(
    until: &Until,
    wants: &mut Wants,
    draft: &mut Draft,
    now: &Zoned,
    calendar: &StackCalendar,
) -> Result<(), Trouble> {
    let scheduled = wants.scheduled(now, calendar);
    if wants.is_held_by_person() {
        return Err(Trouble::new(
            "held",
            format!("the hold of a person outranks the command: remove the tag {} first", keys::HOLD),
        ));
    }
    // Its schedule wants it awake for ever: then only the command of the person who put it to sleep has to be taken back.
    if *until == Until::NextChange && scheduled.awake && scheduled.until.is_none() && !wants.is_held() {
        if let Some(asleep) = wants.asleep.as_mut().filter(|it| it.by == By::Person) {
            (asleep.by, asleep.until) = (By::Schedule, None);
            draft.remember(keys::ASLEEP, asleep.to_string());
        }
        return Ok(());
    }
    let Some(until) = resolved(until, scheduled.until, wants, now) else {
        return Err(Trouble::new(
            "no-next-change",
            format!("'{}' never changes: say until when, as in \"until\":\"23:00\"", wants.schedule),
        ));
    };
    if until <= now.timestamp() {
        return Err(Trouble::new("in-the-past", format!("{} is over", wants.local(until, now))));
    }
    if !wants.is_kept_awake_for_person_until(until) {
        let value = wants.keep_awake_for_person(until);
        draft.remember(keys::AWAKE_UNTIL_MEMORY, value);
    }
    Ok(())
}

fn sleep(wants: &mut Wants, draft: &mut Draft, now: &Zoned, calendar: &StackCalendar) -> Result<(), Trouble> {
    if wants.is_kept_awake_by_tag(now.timestamp()) {
        return Err(Trouble::new(
            "kept-awake",
            format!("the tag {} keeps it awake: remove that first", keys::AWAKE_UNTIL),
        ));
    }
    if wants.kept_awake.take().is_some() {
        draft.forget(&[keys::AWAKE_UNTIL_MEMORY]);
    }
    let scheduled = wants.scheduled(now, calendar);
    if scheduled.awake && !wants.is_held() {
        wants.put_to_sleep_until(scheduled.until);
    }
    Ok(())
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
