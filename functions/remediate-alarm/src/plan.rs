//! What to do about each alarm. Pure: no clock, no environment, no AWS.
//!
//! A firing, which is the moment at which an alarm went into ALARM, gets one answer: a remedy, or a refusal that hands
//! it to a person. What cannot be done now is tried again by the sweep. A remedy that did not help is followed by the
//! next one on the ladder.

mod blocked;
mod case;
mod composite;
mod decide;
mod evidence;
mod guard;
mod limits;
mod next_remedy;
mod remedies;
pub mod scope;
pub mod step;
mod target;
mod wanted;
pub mod world;

#[cfg(test)]
mod tests;

use jiff::Zoned;
use reconcile::{Hint, Plan};
use rules::keys;

use case::{MOST_TAGS, Reading};
use limits::Started;
use scope::{Options, Scope};
use step::Step;
use world::{Alarm, World};

pub use target::OPT_IN;
pub use wanted::{is_of_interest, wanted};

/// What to do about the alarms of `world`.
pub fn plan(world: &World, options: Options<'_>, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::remembering(keys::REMEDY_PROBLEM);
    for arn in &world.gone {
        plan.skip(arn, "it no longer exists");
    }
    let alarms = meant(world, options, &mut plan);
    let mut started = Started::default();
    for alarm in alarms {
        let reading = case::read(alarm, world, options, now);
        // What has no room for a tag cannot remember what people were told.
        let remembers = alarm.tags.contains_key(keys::REMEDY_PROBLEM) || alarm.tags.len() < MOST_TAGS;
        if remembers && alarm.tags.contains_key(keys::REMEDY) {
            plan.examined(&alarm.arn, &alarm.tags);
        }
        match reading {
            Reading::NotOptedIn => plan.skip(&alarm.arn, format_args!("it has no tag {}", keys::REMEDY)),
            Reading::Trouble(trouble) => plan.trouble(&alarm.arn, trouble),
            Reading::Lacks(_) => plan.skip(&alarm.arn, "what is in ALARM of it was not read"),
            Reading::Cases(cases) => {
                alarm.runbook().into_iter().for_each(|it| plan.hint(&alarm.arn, Hint::Runbook(it)));
                for case in &cases {
                    plan.fact(&alarm.arn, case.fact());
                    let before = plan.problems.len();
                    case.decide(&mut started, &mut plan);
                    if plan.problems.len() > before {
                        let story = case.story();
                        plan.problems[before..].iter_mut().for_each(|it| it.story.clone_from(&story));
                    }
                }
            }
        }
    }
    plan
}

/// The alarms that a run is about, those that fired first before the others; what events name in vain is skipped.
fn meant<'a>(world: &'a World, options: Options<'_>, plan: &mut Plan<Step>) -> Vec<&'a Alarm> {
    let mut alarms: Vec<&Alarm> = world.alarms.iter().collect();
    if let Scope::Alarms(names) = options.scope {
        for name in names {
            match world.alarms.iter().find(|it| it.name == name.name) {
                None if options.command.is_some() => {
                    plan.refuse(format_args!("there is no alarm '{}' in this account and region", name.about()));
                }
                None => plan.skip(name.about(), "there is no such alarm in this account and region"),
                Some(alarm) if !name.is_about(&alarm.arn) => {
                    plan.skip(name.about(), "it is an alarm of another account or region");
                }
                Some(_) => {}
            }
        }
        alarms.retain(|alarm| names.iter().any(|it| it.name == alarm.name && it.is_about(&alarm.arn)));
    }
    alarms.sort_by(|a, b| (a.since, &a.arn).cmp(&(b.since, &b.arn)));
    alarms
}
