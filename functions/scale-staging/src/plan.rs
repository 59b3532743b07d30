//! What sleeps, what wakes, and what is left alone. Pure: no clock, no environment, no AWS.
//!
//! From below: what was observed (`world`) and asked (`command`), what the tags want of it (`wants`), one service or group
//! (`case` and what is done to it: `service`, `sleep`, `wake`, `boost`, `woken`) or one machine (`machine`, `start`): a
//! database (`database`, `stop`, `snapshot`, `windows`) or an instance (`instance`, `stop_instance`); what services need
//! of them (`needs`); what is told before a sleep (`notice`); and jobs that need them (`jobs`).

mod boost;
mod case;
mod command;
mod copy;
mod database;
mod draft;
mod facts;
mod instance;
mod jobs;
mod last_day;
mod left_behind;
mod look;
mod machine;
mod misplaced;
mod needs;
mod notice;
mod person;
mod service;
mod size;
mod sleep;
mod snapshot;
mod start;
mod step;
mod stop;
mod stop_instance;
mod times;
mod wake;
mod wants;
mod windows;
mod woken;
mod world;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Zoned;
use reconcile::{Plan, Trouble};
use rules::keys;

pub use command::{Command, Request, Scope, Until};
pub use jobs::jobs_to_read;
pub use last_day::last_day;
pub use left_behind::is_left_behind;
pub use look::{
    copies_in_question, databases_in_question, looks_for_those_left_behind, pending_snapshots, services_to_look_at,
};
#[cfg(test)]
pub use step::Refusal;
pub use step::{Call, IfRefused, Step};
pub use world::{
    Backing, CannotStop, DatabaseName, Events, Instance, Job, JobGroup, LastEvent, Listed, Message, Missing, Scaled,
    ScheduledAction, Service, Sleeper, World, switched, without_past_start,
};

use draft::Decision;
use needs::{Need, Used, databases_named};
use wants::Wants;
use world::short_name;

/// What to do about the services and databases of `world`.
pub fn plan(world: &World, request: &Request, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::remembering(keys::SLEEP_PROBLEM);
    for instance in &world.instances {
        instance.name().into_iter().for_each(|it| plan.named(&instance.arn, it));
    }
    for missing in &world.missing {
        match &missing.refused {
            None => plan.skip(&missing.arn, "it no longer exists"),
            Some(error) => {
                // Without the tag that opts in IAM lets nothing be remembered.
                if missing.tags.contains_key(keys::SCHEDULE) {
                    plan.examined(&missing.arn, &missing.tags);
                }
                plan.trouble(&missing.arn, Trouble::unreadable("unreadable", "it", error));
            }
        }
    }
    let mut needs = decide_services(world, request, None, now, &mut plan);
    needs.extend(needs_of_those_not_looked_at(world, request, now, &mut plan));
    let of_groups = decide_services(world, request, Some(&needs), now, &mut plan);
    let of_instances = decide_instances(world, request, &needs, now, &mut plan);
    needs.extend(of_groups.into_iter().chain(of_instances));
    decide_databases(world, request, &needs, now, &mut plan);
    decide_jobs(world, request, now, &mut plan);
    tell_what_did_not_opt_in(world, request, &mut plan);
    left_behind::tell(world, &request.scope, now, &mut plan);
    databases_up_first_and_down_last(&mut plan);
    facts::note(world, &request.scope, now, &mut plan);
    plan
}

/// The steps of one resource stay in their order: one may rest on what the other has remembered.
fn databases_up_first_and_down_last(plan: &mut Plan<Step>) {
    let of = |is: fn(&Step) -> bool| {
        let steps = plan.steps.iter().filter(|it| is(&it.step));
        steps.map(|it| it.resource.clone()).collect::<BTreeSet<String>>()
    };
    let (started, stopped) = (of(Step::is_start), of(Step::is_stop));
    plan.steps.sort_by_key(|it| match (started.contains(&it.resource), stopped.contains(&it.resource)) {
        (true, _) => 0,
        (_, false) => 1,
        (_, true) => 2,
    });
}

/// What each service needs, whether or not it is in question: databases depend on that. With the needs of services it is
/// the turn of the groups.
fn decide_services(
    world: &World,
    request: &Request,
    of_services: Option<&[Need]>,
    now: &Zoned,
    plan: &mut Plan<Step>,
) -> Vec<Need> {
    let groups = of_services.is_some();
    let mut services: Vec<&Service> = world.services.iter().filter(|it| it.is_group() == groups).collect();
    services.sort_by(|a, b| a.arn.cmp(&b.arn));
    let mut needs = Vec::new();
    for service in services {
        let asked = request.scope.holds(&service.arn);
        let in_question = asked || groups && look::is_named_by_one_in(&service.arn, world, &request.scope);
        let command = request.command.as_ref().filter(|_| asked);
        let (decision, need) = match Wants::read(&service.tags, now, &world.calendar) {
            Ok(Some(wants)) => service::decide(service, wants, command, of_services.unwrap_or_default(), world, now),
            Ok(None) => {
                if in_question {
                    plan.skip(&service.arn, format!("it has no tag {}", keys::SCHEDULE));
                }
                continue;
            }
            Err(bad) => {
                let used = match service::used(service, now) {
                    Used::No => Used::No,
                    _ => Used::Unknown,
                };
                let need = Need { awake: false, used, ..need_of(&service.arn, &service.tags) };
                (Decision::trouble(Trouble::new("bad-tag", bad)), need)
            }
        };
        needs.push(need);
        if in_question {
            plan.examined(&service.arn, &service.tags);
            carry_over(&service.arn, decision, plan);
        }
    }
    needs
}

/// Of services that cannot be read, and of those that were only listed.
fn needs_of_those_not_looked_at(world: &World, request: &Request, now: &Zoned, plan: &mut Plan<Step>) -> Vec<Need> {
    let awake = |tags| matches!(Wants::read(tags, now, &world.calendar), Ok(Some(it)) if it.verdict(now, &world.calendar).awake);
    let mut refused: Vec<&Missing> = world.missing.iter().filter(|it| it.refused.is_some()).collect();
    refused.sort_by(|a, b| a.arn.cmp(&b.arn));
    let refused = refused.into_iter().map(|it| Need { awake: awake(&it.tags), ..need_of(&it.arn, &it.tags) });
    let mut needs: Vec<Need> = refused.collect();
    let mut listed: Vec<&Listed> = world.listed.iter().collect();
    listed.sort_by(|a, b| a.arn.cmp(&b.arn));
    for listed in listed {
        let Ok(Some(wants)) = Wants::read(&listed.tags, now, &world.calendar) else { continue };
        let verdict = wants.verdict(now, &world.calendar);
        if request.scope.holds(&listed.arn) {
            let unknown = service::missing_databases(&wants.schedule.after, world);
            if !unknown.is_empty() {
                plan.examined(&listed.arn, &listed.tags);
            }
            for name in unknown {
                plan.trouble(&listed.arn, service::no_such_database(&name));
            }
            plan.skip(&listed.arn, look::state(&wants, &verdict, now));
        }
        // What may be stopped has had its services described. A service that was only listed belongs to something that
        // another one seemed to need, by its tags, and that one may turn out to be going.
        let used = if wants.asleep.is_some() { Used::Unseen } else { Used::ByTasks };
        needs.push(Need { awake: verdict.awake, used, ..need_of(&listed.arn, &listed.tags) });
    }
    needs
}

fn decide_instances(
    world: &World,
    request: &Request,
    of_services: &[Need],
    now: &Zoned,
    plan: &mut Plan<Step>,
) -> Vec<Need> {
    let mut instances: Vec<&Instance> = world.instances.iter().collect();
    instances.sort_by(|a, b| a.arn.cmp(&b.arn));
    let mut needs = Vec::new();
    for instance in instances {
        let asked = request.scope.holds(&instance.arn);
        let in_question = asked || look::is_named_by_one_in(&instance.arn, world, &request.scope);
        let command = request.command.as_ref().filter(|_| asked);
        let (decision, need) = match Wants::read(&instance.tags, now, &world.calendar) {
            Ok(Some(wants)) => instance::decide(instance, wants, command, of_services, world, now),
            Ok(None) => continue,
            Err(bad) => {
                let trouble = Decision::trouble(Trouble::new("bad-tag", bad));
                (trouble, need_of(&instance.arn, &instance.tags))
            }
        };
        needs.push(need);
        if in_question {
            plan.examined(&instance.arn, &instance.tags);
            carry_over(&instance.arn, decision, plan);
        }
    }
    needs
}

fn need_of(arn: &str, tags: &BTreeMap<String, String>) -> Need {
    let service = short_name(arn).to_owned();
    Need { service, databases: databases_named(tags), awake: false, used: Used::Unknown }
}

fn decide_databases(world: &World, request: &Request, needs: &[Need], now: &Zoned, plan: &mut Plan<Step>) {
    let mut databases: Vec<&Sleeper> = world.databases.iter().collect();
    databases.sort_by(|a, b| a.database.arn.cmp(&b.database.arn));
    for sleeper in databases {
        let database = &sleeper.database;
        let asked = request.scope.holds(&database.arn);
        let in_question = asked || look::is_named_by_one_in(&database.arn, world, &request.scope);
        if !database.tags.contains_key(keys::SCHEDULE) || !in_question {
            continue;
        }
        let command = request.command.as_ref().filter(|_| asked);
        let decision = match Wants::read(&database.tags, now, &world.calendar) {
            Ok(Some(wants)) => database::decide(sleeper, wants, command, needs, world, now),
            Ok(None) => continue,
            Err(bad) => Decision::trouble(Trouble::new("bad-tag", bad)),
        };
        plan.examined(&database.arn, &database.tags);
        carry_over(&database.arn, decision, plan);
    }
}

/// After all else: what this very run stops is down for them.
fn decide_jobs(world: &World, request: &Request, now: &Zoned, plan: &mut Plan<Step>) {
    let mut groups: Vec<&JobGroup> = world.job_groups.iter().collect();
    groups.sort_by(|a, b| a.arn.cmp(&b.arn));
    for group in groups.into_iter().filter(|it| jobs::is_in_question(it, world, &request.scope)) {
        let decision = match Wants::read(&group.tags, now, &world.calendar) {
            Ok(Some(wants)) => jobs::decide(group, &wants, world, now, plan),
            Ok(None) => continue,
            Err(bad) => Decision::trouble(Trouble::new("bad-tag", bad)),
        };
        plan.examined(&group.arn, &group.tags);
        carry_over(&group.arn, decision, plan);
    }
}

fn carry_over(arn: &str, decision: Decision, plan: &mut Plan<Step>) {
    for (step, reason) in decision.steps {
        plan.act(arn, step, reason);
    }
    if let Some(reason) = decision.idle {
        plan.skip(arn, reason);
    }
    for trouble in decision.troubles {
        plan.trouble(arn, trouble);
    }
}

/// A person asked for a certain resource that must not be touched.
fn tell_what_did_not_opt_in(world: &World, request: &Request, plan: &mut Plan<Step>) {
    let Scope::Resource(arn) = &request.scope else { return };
    let instance = world.instances.iter().any(|it| it.arn == *arn && it.tags.contains_key(keys::SCHEDULE));
    let service = world.services.iter().any(|it| it.arn == *arn) || world.missing.iter().any(|it| it.arn == *arn);
    let service = service || instance;
    let database = world.databases.iter().find(|it| it.database.arn == *arn);
    match database {
        None if service => {}
        None if arn.contains(":instance/") || arn.contains(":autoScalingGroup:") => {
            plan.skip(arn, format!("there is no such instance or group with the tag {}", keys::SCHEDULE));
        }
        None => plan.skip(arn, "there is no such service or database"),
        Some(it) if !it.database.tags.contains_key(keys::SCHEDULE) => {
            plan.skip(arn, format!("it has no tag {}", keys::SCHEDULE));
        }
        Some(_) => {}
    }
}
