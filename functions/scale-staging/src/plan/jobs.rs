//! Schedules of EventBridge Scheduler: disabled while what they need sleeps, and enabled again once it is up.
//!
//! They keep nothing up: a job that has no database to work on is better not run than a database kept up for it.

use jiff::Zoned;
use reconcile::{Plan, Trouble};
use rules::database::State;
use rules::keys;
use rules::sleep::{Asleep, By};
use serde_json::{Value, json};

use super::command::Scope;
use super::draft::{Decision, Draft};
use super::look::looks_for_those_left_behind;
use super::misplaced::{Kind, misplaced};
use super::service::missing_databases;
use super::step::{Call, Change, Step, Target};
use super::wants::Wants;
use super::world::{Job, JobGroup, World};

/// The groups whose schedules have to be read: those of which something may be due. `all` is a dry run.
pub fn jobs_to_read<'a>(world: &'a World, scope: &Scope, all: bool, now: &Zoned) -> Vec<&'a JobGroup> {
    let may_be_due = |group: &&JobGroup| {
        let Ok(Some(wants)) = Wants::read(&group.tags, now, &world.calendar) else { return false };
        let sleeps = |name: &String| world.backing().arns(name).into_iter().any(|it| sleeps_by_tags(it, world, now));
        // What is remembered on the group can have been taken away by another tool: once an hour its schedules tell.
        let hourly = looks_for_those_left_behind(scope, all, now);
        let asked = matches!(scope, Scope::Resource(_));
        let due = asked || hourly || wants.asleep.is_some() || !wants.verdict(now, &world.calendar).awake;
        is_in_question(group, world, scope) && (due || wants.schedule.after.iter().any(sleeps))
    };
    world.job_groups.iter().filter(may_be_due).collect()
}

/// Whether the request is about this group, or about something that it needs.
pub fn is_in_question(group: &JobGroup, world: &World, scope: &Scope) -> bool {
    match scope {
        Scope::Everywhere => true,
        Scope::LastDay => false,
        Scope::Resource(arn) => {
            let named = super::databases_named(&group.tags);
            named.iter().flat_map(|it| world.backing().arns(it)).any(|it| it == arn)
        }
    }
}

/// What to do about the schedules of a group whose tags are `wants`, after all else was decided.
pub fn decide(group: &JobGroup, wants: &Wants, world: &World, now: &Zoned, decided: &Plan<Step>) -> Decision {
    if let Some(trouble) = misplaced(&wants.schedule, Kind::Jobs) {
        return Decision::trouble(trouble);
    }
    let unknown = missing_databases(&wants.schedule.after, world);
    if !unknown.is_empty() {
        let troubles = unknown.iter().map(|it| no_such_thing(it)).collect();
        return Decision { steps: Vec::new(), troubles, idle: None };
    }
    let verdict = wants.verdict(now, &world.calendar);
    let down = |name: &&String| !world.backing().arns(name).into_iter().all(|it| is_up(it, world, decided));
    let asleep = match wants.schedule.after.iter().find(down) {
        _ if !verdict.awake => Some(verdict.why),
        Some(name) => Some(format!("{name} is not up")),
        None => None,
    };
    let jobs = match &group.jobs {
        None => return Decision::idle("its schedules run, and so does what they need"),
        Some(Err(error)) => {
            return Decision::trouble(Trouble::new("unreadable", format!("its schedules cannot be read: {error}")));
        }
        Some(Ok(jobs)) => jobs,
    };
    let enabled = jobs.iter().filter(|it| it.enabled).count();
    let target = Target::Jobs { arn: group.arn.clone(), name: group.name.clone() };
    let mut draft = Draft::new(target, &group.tags, view(enabled));
    let idle = match asleep {
        Some(why) => disable(group, jobs, wants, why, now, &mut draft),
        None => enable(group, jobs, wants, &mut draft),
    };
    let decision = draft.finish(None);
    let idle = decision.steps.is_empty().then_some(idle).filter(|_| decision.troubles.is_empty());
    Decision { idle, ..decision }
}

fn disable(group: &JobGroup, jobs: &[Job], wants: &Wants, why: String, now: &Zoned, draft: &mut Draft) -> String {
    let crowded: Vec<&str> = jobs
        .iter()
        .filter(|it| it.enabled && !it.marked && !it.once && !it.over && !it.has_room)
        .map(|it| it.name.as_str())
        .collect();
    if !crowded.is_empty() {
        let message = format!(
            "{} stays enabled, since its description has no room for the 26 characters that say who disabled it: make it \
             shorter",
            crowded.join(", ")
        );
        draft.trouble("long-description", message);
    }
    let names = named(jobs, Job::is_to_disable);
    let stays: Vec<&str> =
        jobs.iter().filter(|it| it.enabled && (it.once || it.marked)).map(|it| it.name.as_str()).collect();
    let stays = match stays.len() {
        0 => String::new(),
        1..=3 => format!(", but {}", stays.join(", ")),
        more => format!(", but {} and {} more", stays[0], more - 1),
    };
    if names.is_empty() {
        return format!("its schedules are disabled{stays}; {why}");
    }
    if wants.asleep.is_none() {
        let asleep = Asleep {
            since: now.timestamp(),
            // The number of those that were disabled by hand: more of them in the morning would mean that a mark is lost.
            desired: i32::try_from(disabled_by_hand(jobs).len()).ok(),
            limits: None,
            by: By::Schedule,
            until: None,
            snapshot: None,
            of: None,
            started: None,
        };
        draft.remember(keys::ASLEEP, asleep.to_string());
    }
    let (count, left) = (names.len(), jobs.iter().filter(|it| it.enabled).count() - names.len());
    draft.call(Call::Jobs { group: group.name.clone(), jobs: names, on: false });
    let headline = format!("{} disabled{stays}", schedules(count));
    draft.step(Change::Sleep, headline, view(left), why);
    String::new()
}

fn enable(group: &JobGroup, jobs: &[Job], wants: &Wants, draft: &mut Draft) -> String {
    let names = named(jobs, |it| it.marked);
    let count = jobs.iter().filter(|it| it.marked && !it.enabled).count();
    let enabled = jobs.iter().filter(|it| it.enabled).count() + count;
    if !names.is_empty() {
        draft.call(Call::Jobs { group: group.name.clone(), jobs: names, on: true });
    }
    let lost = lost_marks(jobs, wants);
    match lost.is_empty() {
        true => draft.forget(&[keys::ASLEEP]),
        false => draft.trouble("lost-mark", told_of_lost_marks(&lost)),
    }
    let (change, headline) = match count {
        0 if !lost.is_empty() => {
            (Change::Remember, "its schedules are enabled, as far as they say who disabled them".to_owned())
        }
        0 => (Change::Remember, "its schedules were enabled by hand".to_owned()),
        _ => (Change::Wake, format!("{} enabled again", schedules(count))),
    };
    draft.step(change, headline, view(enabled), "what they need is up".into());
    "its schedules run, and so does what they need".into()
}

/// Those that are disabled, and not by this function as far as they say.
fn disabled_by_hand(jobs: &[Job]) -> Vec<&Job> {
    jobs.iter().filter(|it| !it.enabled && !it.marked && !it.over && !it.once).collect()
}

/// The same, where there are more of them than before the sleep: whoever wrote the description anew, as Terraform does where
/// it ignores the state alone, took away what would enable it again.
fn lost_marks<'a>(jobs: &'a [Job], wants: &Wants) -> Vec<&'a str> {
    let before = wants.asleep.as_ref().and_then(|it| it.desired).and_then(|it| usize::try_from(it).ok());
    let now = disabled_by_hand(jobs);
    let more = before.is_some_and(|it| now.len() > it);
    if more { now.into_iter().map(|it| it.name.as_str()).collect() } else { Vec::new() }
}

fn told_of_lost_marks(names: &[&str]) -> String {
    let (shown, more) = names.split_at(names.len().min(5));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    format!(
        "more of its schedules are disabled than before the night, and nothing in their description says that Nightshift \
         disabled them ({}{more}): something wrote the description anew, such as terraform apply. Enable those that are to \
         run, and have Terraform ignore state and description; if they are to stay disabled, remove the tag {} of the group",
        shown.join(", "),
        keys::ASLEEP
    )
}

fn named(jobs: &[Job], is: impl Fn(&Job) -> bool) -> Vec<String> {
    jobs.iter().filter(|it| is(it)).map(|it| it.name.clone()).collect()
}

fn schedules(count: usize) -> String {
    if count == 1 { "1 schedule is".into() } else { format!("{count} schedules are") }
}

fn view(enabled: usize) -> Value {
    json!({"enabled": enabled})
}

/// Whether something serves, and is not put to sleep by this very run.
fn is_up(arn: &str, world: &World, decided: &Plan<Step>) -> bool {
    let goes = decided.steps.iter().any(|it| it.resource == arn && it.step.change == Change::Sleep);
    !goes && serves(arn, world)
}

fn serves(arn: &str, world: &World) -> bool {
    let database = world.databases.iter().find(|it| it.database.arn == arn);
    let instance = world.instances.iter().find(|it| it.arn == arn);
    let group = world.services.iter().find(|it| it.arn == arn);
    database.is_some_and(|it| world.condition(it).state == State::Serving)
        || instance.is_some_and(|it| it.state == "running")
        || group.is_some_and(|it| it.desired > 0)
}

/// Whether something does not serve, or its own tags want it asleep.
fn sleeps_by_tags(arn: &str, world: &World, now: &Zoned) -> bool {
    let database = world.databases.iter().find(|it| it.database.arn == arn).map(|it| &it.database.tags);
    let instance = world.instances.iter().find(|it| it.arn == arn).map(|it| &it.tags);
    let group = world.services.iter().find(|it| it.arn == arn).map(|it| &it.tags);
    let tags = database.or(instance).or(group);
    let asleep = |tags| matches!(Wants::read(tags, now, &world.calendar), Ok(Some(it)) if !it.verdict(now, &world.calendar).awake);
    !serves(arn, world) || tags.is_some_and(asleep)
}

fn no_such_thing(name: &str) -> Trouble {
    let (kind, what) = match name.starts_with("ec2:") || name.starts_with("asg:") {
        true => ("no-such-machine", format!("there is nothing of that name with the tag {}", keys::SCHEDULE)),
        false => ("no-such-database", "there is no such database".into()),
    };
    Trouble::new(kind, format!("after={name}: {what}, so its schedules are left as they are"))
}
