//! What has to be read before it can be decided about the alarms of a world.

use std::collections::BTreeSet;

use jiff::Zoned;
use rules::keys;
use rules::remedied::Remedied;
use rules::remedy::Remedy;

use super::case::{self, AlarmCase, Reading};
use super::next_remedy::NextRemedy;
use super::scope::{Options, Scope};
use super::target;
use super::world::{Alarm, State, Wanted, World};

/// What is lacking, as far as it is known by what was read until now: where this is empty, all is there.
pub fn wanted(world: &World, options: Options<'_>, now: &Zoned) -> BTreeSet<Wanted> {
    let mut wanted = BTreeSet::new();
    for alarm in &world.alarms {
        match case::read(alarm, world, options, now) {
            Reading::Lacks(lacking) => drop(wanted.insert(lacking)),
            Reading::Cases(cases) => wanted.extend(cases.iter().flat_map(of_case)),
            Reading::NotOptedIn | Reading::Trouble(_) => {}
        }
    }
    wanted
}

fn of_case(case: &AlarmCase<'_>) -> BTreeSet<Wanted> {
    let mut wanted = BTreeSet::new();
    let Some(fired) = case.fired().filter(|_| case.alarm.silenced.is_none() && case.options.command.is_none()) else {
        return wanted;
    };
    let next = case.next_remedy(fired);
    if !matches!(next, NextRemedy::Nothing(_)) {
        wanted.insert(Wanted::MuteRules(case.alarm.name.clone()));
    }
    let NextRemedy::Due { remedy, .. } = next else { return wanted };
    if !remedy.acts() {
        return wanted;
    }
    // Only what is about to act needs to know how many others did; a sweep has read all of them.
    wanted.extend((*case.options.scope != Scope::EveryAlarm).then_some(Wanted::OtherAlarms));
    wanted.extend(target::wanted(case.alarm, case.contributor, &case.rule, remedy, case.world));
    if remedy == Remedy::Rollback
        && let Ok(found) = target::find(case.alarm, case.contributor, &case.rule, remedy, case.world)
    {
        wanted.insert(Wanted::History(found.arn().into()));
    }
    wanted
}

/// Whether anything has to be decided about `alarm` that depends on more than its state: then its own tags have to be
/// read, since the tag index lags behind.
pub fn is_of_interest(alarm: &Alarm) -> bool {
    let mut memories =
        alarm.tags.iter().filter(|(key, _)| *key == keys::REMEDIED || key.starts_with(keys::REMEDIED_OF));
    let open = memories
        .any(|(key, value)| key != keys::REMEDIED || value.parse().map_or(true, |it: Remedied| it.since.is_some()));
    alarm.unreadable.is_none() && (alarm.state == State::Alarm || open)
}
