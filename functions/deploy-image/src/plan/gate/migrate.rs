//! `migrate=FAMILY`: a task of that family has run with the new image, once, and ended well.
//!
//! What was started is found again by its name: [`run_name`] goes into `startedBy`, so a doubled event comes to the same
//! task. ECS forgets a task an hour after it stopped; that it was started, and that it ended well, is therefore
//! remembered on the service.

mod outcome;

use std::fmt::Write;

use jiff::SignedDuration;
use reconcile::{Choice, CommandLine, Undo, when};
use rules::deploy::DeployRule;
use rules::memory::Migrated;
use rules::migrating::{Migrating, Start};
use rules::{Digest, keys};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Act, Blocked, Candidate, look, unavailable};
use crate::plan::case::Case;
use crate::plan::offer;
use crate::plan::step::{MemoryChange, Migrate, Remember, Revision, Step};
use crate::plan::world::{Fact, ImageName, Launch, Observation, Service, Task, TaskDefinition, short_name};
use outcome::{Outcome, outcome};

/// What `startedBy` of every migration begins with; the stack's rule goes by it.
pub const STARTED_BY: &str = "ns-";

/// The problem where ECS does not tell of the migration.
const UNREADABLE: &str = "unreadable-migration";

/// How often a task that does not start is tried before ECS has forgotten the first one.
const STARTS: usize = 3;

/// So long ECS lists a task that has stopped, with room for the clock of ECS.
const LISTED_FOR: SignedDuration = SignedDuration::from_mins(50);

/// So long ECS may take to list a task that it has accepted.
const LISTED_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// What the one run of a migration for an image is called: in whichever service's name it is begun, it is the same.
pub fn run_name(cluster: &str, family: &str, digest: &Digest) -> String {
    let short = digest.short().trim_start_matches("sha256:");
    let hash = Sha256::digest(format!("{cluster}\n{family}\n{digest}"));
    hash.iter().take(8).fold(format!("{STARTED_BY}{short}-"), |mut name, byte| {
        // Writing into a text cannot fail.
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// How far the migration of an image is.
enum State<'a> {
    /// Its end is remembered, or it is known to have ended well.
    Done {
        remembered: bool,
    },
    Running(&'a Task),
    Failed(String),
    /// Something else than the image ended it: what.
    Interrupted(String),
    /// Its task did not start, several times: why.
    DoesNotStart(String),
    /// It was started, and ECS tells of no task.
    Forgotten(&'a Migrating),
    /// It has to be started. What ended before says which client token is a new one.
    NotStarted {
        after: Option<i64>,
    },
}

/// The migration has run and ended well; what is to be remembered of that first.
pub fn pass(candidate: Candidate<'_>) -> Result<Vec<Act>, Blocked> {
    let Candidate { case, image, tag, now, .. } = candidate;
    let Some(family) = &case.rule.migrate else { return Ok(Vec::new()) };
    if family == case.revision.family() {
        return Err(Blocked::NeedsPerson(
            "bad-migration",
            format!("migrate={family} names the service's own task definition; give the migration a family of its own"),
        ));
    }
    let run = run_name(&case.service.name.cluster, family, &image.digest);
    const BY_HAND: &str = "What it did to the database only a person can tell: run it again, or reject the image";
    let by_hand = || {
        let choices = [("Run it again", "clear"), ("Reject the image", "reject")];
        choices.map(|(label, command)| offer::about(case, label, command, &image.digest))
    };
    match state(candidate, family, &run)? {
        State::Done { .. } => notes(candidate),
        State::Running(task) => {
            Err(Blocked::Pending(format!("{tag} waits for its migration: {family} is running (task {})", task.id())))
        }
        State::Failed(why) => {
            Err(Blocked::Reject { by: "migration", why: format!("the migration of {tag} failed: {family}, {why}") })
        }
        State::Interrupted(why) => Err(Blocked::Asks {
            kind: "migration-interrupted",
            message: format!("{tag} is not deployed: its migration was interrupted: {family}, {why}. {BY_HAND}"),
            choices: by_hand().into(),
        }),
        State::DoesNotStart(why) => Err(Blocked::NeedsPerson(
            "migration-not-started",
            format!(
                "{tag} is not deployed: the task of its migration does not start: {family}, {why}. It is tried again every hour"
            ),
        )),
        State::Forgotten(mark) if now.timestamp().duration_since(mark.since) < LISTED_WITHIN => {
            Err(Blocked::Pending(format!("{tag} waits for its migration: {family} was started just now")))
        }
        State::Forgotten(mark) => {
            let migrated = Migrated { run: run.clone(), at: mark.since }.to_string();
            let tags = json!([{"key": keys::MIGRATED, "value": migrated}]).to_string();
            let say_so = ["aws", "ecs", "tag-resource", "--resource-arn", &case.service.arn, "--tags", &tags];
            let say_so = Choice::new("If it ended well", Undo::Shell(CommandLine::of(say_so)));
            let message = format!(
                "{tag} is not deployed: its migration {family} was started at {}, and ECS no longer tells how it ended. \
                 Look at its log, and say so if it ended well. {BY_HAND}",
                when(mark.since, now)
            );
            let choices = [say_so].into_iter().chain(by_hand()).collect();
            Err(Blocked::Asks { kind: "migration-unknown", message, choices })
        }
        State::NotStarted { after } => start(candidate, family, run, after),
    }
}

/// What is to be remembered of a migration, whatever else its image waits for: ECS forgets within an hour, and that
/// may take longer. The error is a failure, or what has to be observed first.
pub fn notes(candidate: Candidate<'_>) -> Result<Vec<Act>, Blocked> {
    let Candidate { case, memory, image, .. } = candidate;
    let Some(family) = &case.rule.migrate else { return Ok(Vec::new()) };
    let run = run_name(&case.service.name.cluster, family, &image.digest);
    let marked = memory.migrating.is_some();
    let forget = || mark(candidate, None, "its end is known".into());
    if let Some(other) = memory.migrating.as_ref().filter(|it| it.run != run) {
        let running = tasks(case, family)?.iter().any(|it| it.started_by == other.run && !it.has_stopped());
        if !running
            && state(candidate, family, &run).is_ok_and(|it| !matches!(it, State::Done { .. } | State::Running(_)))
        {
            return Ok(vec![forget()]);
        }
    }
    match state(candidate, family, &run) {
        Ok(State::Done { remembered }) => {
            let done = (!remembered).then(|| {
                let value = Some(Migrated { run, at: candidate.now.timestamp() }.to_string());
                let why = format!("every container of {family} that runs the image exited with 0");
                (note(candidate, MemoryChange::Migrated, keys::MIGRATED, value), why)
            });
            Ok(done.into_iter().chain(marked.then(forget)).collect())
        }
        // The run that started it died before it could leave the mark, or it was started in the name of another service.
        Ok(State::Running(task))
            if memory.migrating.as_ref().is_none_or(|it| it.run != run || it.start != Start::Accepted) =>
        {
            let since = candidate.now.timestamp();
            let value = Migrating {
                run,
                since,
                task: Some(task.arn.clone()),
                family: Some(family.clone()),
                start: Start::Accepted,
            };
            Ok(vec![mark(candidate, Some(value.to_string()), format!("task {} runs", task.id()))])
        }
        Ok(State::DoesNotStart(_)) if marked => Ok(vec![forget()]),
        Ok(State::Failed(why)) => Err(Blocked::Reject {
            by: "migration",
            why: format!("the migration of {} failed: {family}, {why}", candidate.tag),
        }),
        Err(lacks @ Blocked::Lacks(_)) => Err(lacks),
        // What AWS does not tell is reported once it is the migration's turn.
        Ok(_) | Err(_) => Ok(Vec::new()),
    }
}

fn state<'a>(candidate: Candidate<'a>, family: &str, run: &str) -> Result<State<'a>, Blocked> {
    let Candidate { case, memory, image, now, .. } = candidate;
    if memory.migrated.as_ref().is_some_and(|it| it.run == run) {
        return Ok(State::Done { remembered: true });
    }
    let tasks = tasks(case, family)?;
    let forgiven = memory.forgiven_at(&image.digest);
    let (mut after, mut unstarted, mut interrupted) = (None, Vec::new(), None);
    for task in tasks.iter().filter(|it| it.started_by == run) {
        if !task.has_stopped() {
            return Ok(State::Running(task));
        }
        let definition = match look(case, Fact::TaskDefinition(task.task_definition.clone()))? {
            Observation::TaskDefinition(it) => it,
            other => return Err(unavailable(other, UNREADABLE)),
        };
        let outcome = outcome(definition, task, &case.image.repository);
        if matches!(outcome, Outcome::Well) {
            return Ok(State::Done { remembered: false });
        }
        after = after.max(task.stopped_at.map(|it| it.as_second()));
        if forgiven.is_some_and(|at| task.stopped_at.is_some_and(|stopped| stopped <= at)) {
            continue;
        }
        match outcome {
            Outcome::Failed(why) => return Ok(State::Failed(why)),
            Outcome::Interrupted(why) => interrupted = Some(why),
            Outcome::NotStarted(why) => unstarted.push(why),
            Outcome::Well => {}
        }
    }
    if let Some(why) = interrupted {
        return Ok(State::Interrupted(why));
    }
    let started = !unstarted.is_empty();
    let age = |mark: &Migrating| now.timestamp().duration_since(mark.since);
    if unstarted.len() >= STARTS {
        return Ok(unstarted.pop().map_or(State::NotStarted { after }, State::DoesNotStart));
    }
    match memory.migrating.as_ref().filter(|it| it.run == run) {
        Some(mark) if mark.start == Start::Refused => after = after.max(Some(mark.since.as_second())),
        // A run died while it asked, and ECS would still list what had come of it: asked again by the same token, it
        // starts no second task.
        Some(mark) if mark.start == Start::Asked && (LISTED_WITHIN..LISTED_FOR).contains(&age(mark)) => {}
        Some(mark) if !started && forgiven.is_none_or(|at| at < mark.since) => return Ok(State::Forgotten(mark)),
        _ => {}
    }
    Ok(State::NotStarted { after: after.max(forgiven.map(|it| it.as_second())) })
}

/// The tasks of the family in the service's cluster that ECS knows.
fn tasks<'a>(case: &'a Case<'a>, family: &str) -> Result<&'a [Task], Blocked> {
    let fact = Fact::Tasks { cluster: case.service.name.cluster.clone(), family: family.into() };
    match look(case, fact)? {
        Observation::Tasks(tasks) => Ok(tasks),
        other => Err(unavailable(other, UNREADABLE)),
    }
}

/// Starts the migration, unless it is another one's turn or another service has seen to it.
fn start(candidate: Candidate<'_>, family: &str, run: String, after: Option<i64>) -> Result<Vec<Act>, Blocked> {
    let Candidate { case, image, tag, now, .. } = candidate;
    if let Some(other) = tasks(case, family)?.iter().find(|it| !it.has_stopped()) {
        let reason = format!("{tag} waits: {family} still runs for another image (task {})", other.id());
        return Err(Blocked::Pending(reason));
    }
    if forgiven_none(candidate) {
        match of_another_service(case, family, &run)? {
            Some(Elsewhere::Done) => {
                let value = Some(Migrated { run, at: now.timestamp() }.to_string());
                let why = format!("{family} has ended well for another service of this image");
                return Ok(vec![(note(candidate, MemoryChange::Migrated, keys::MIGRATED, value), why)]);
            }
            Some(Elsewhere::Started(service)) => {
                return Err(Blocked::Pending(format!(
                    "{tag} waits: {family} was started in the name of {service}, and how it ended is not known yet"
                )));
            }
            None => {}
        }
    }
    let definition = match look(case, Fact::TaskDefinition(family.into()))? {
        Observation::TaskDefinition(it) => it,
        other => return Err(unavailable(other, UNREADABLE)),
    };
    let ours = |image: &str| ImageName::parse(image).is_some_and(|it| it.repository() == case.image.repository());
    let containers: Vec<String> =
        definition.images().filter(|(_, image)| ours(image)).map(|(name, _)| name.to_owned()).collect();
    let next = definition.next(&containers, &case.image.pinned(&image.digest), &[(keys::IMAGE, tag)]);
    let as_it_is = containers.is_empty() || definition.next(&[], "", &[]) == next;
    let step = Migrate {
        service: case.service.name.clone(),
        arn: case.service.arn.clone(),
        digest: image.digest.clone(),
        family: family.into(),
        image: tag.into(),
        running: case.running_label(),
        revision: if as_it_is { Revision::Registered(definition.arn().into()) } else { Revision::Register(next) },
        in_vpc: definition.fields.get("networkMode").and_then(Value::as_str) == Some("awsvpc"),
        launch: on_demand(&case.service.launch, definition),
        // ECS answers the same to the same token, a refusal included.
        token: after.map_or(run.clone(), |it| format!("{run}-{it}")),
        run,
        at: now.timestamp(),
    };
    let uses = if containers.is_empty() { ", which does not use the repository and runs as it is" } else { "" };
    let why = format!("{tag} goes out after {}{uses}", short_name(definition.arn()));
    Err(Blocked::Requires(vec![(Step::Migrate(Box::new(step)), why)]))
}

/// Whether no person asked for another run: what another service knows of the first one counts then.
fn forgiven_none(Candidate { memory, image, .. }: Candidate<'_>) -> bool {
    memory.forgiven_at(&image.digest).is_none()
}

/// What another service remembers of the same run.
enum Elsewhere<'a> {
    Done,
    Started(&'a rules::ServiceName),
}

fn of_another_service<'a>(case: &'a Case<'a>, family: &str, run: &str) -> Result<Option<Elsewhere<'a>>, Blocked> {
    let services = match case.all_services() {
        Some(services) => services,
        None => match look(case, Fact::Services)? {
            Observation::Services(services) => services,
            other => return Err(unavailable(other, UNREADABLE)),
        },
    };
    let asks = |it: &&Service| {
        let rule = it.tags.get(keys::DEPLOY).and_then(|it| it.parse::<DeployRule>().ok());
        it.arn != case.service.arn && rule.is_some_and(|it| it.migrate.as_deref() == Some(family))
    };
    let mut started = None;
    for other in services.iter().filter(asks) {
        let migrated = other.tags.get(keys::MIGRATED).and_then(|it| it.parse::<Migrated>().ok());
        if migrated.is_some_and(|it| it.run == run) {
            return Ok(Some(Elsewhere::Done));
        }
        let migrating = other.tags.get(keys::MIGRATING).and_then(|it| it.parse::<Migrating>().ok());
        if migrating.is_some_and(|it| it.run == run && it.may_run()) {
            started = Some(Elsewhere::Started(&other.name));
        }
    }
    Ok(started)
}

/// The way in which the service's tasks are started, but never on Spot: an interruption in the middle of a change of
/// the database leaves it half done.
fn on_demand(launch: &Launch, definition: &TaskDefinition) -> Launch {
    let mut launch = launch.clone();
    let fargate = launch.capacity.iter().any(|it| it.provider.starts_with("FARGATE"));
    launch.capacity.retain(|it| !it.provider.starts_with("FARGATE"));
    if fargate {
        // Beside the providers of Fargate a strategy may hold no others.
        (launch.launch_type, launch.capacity) = (Some("FARGATE".into()), Vec::new());
    } else if launch.launch_type.is_none() && launch.capacity.is_empty() {
        // Without either the cluster's default strategy would decide, which may well be Spot.
        let compatible = definition.fields.get("requiresCompatibilities").and_then(Value::as_array);
        let fargate = compatible.is_some_and(|it| it.iter().any(|it| it == "FARGATE"));
        launch.launch_type = Some(if fargate { "FARGATE" } else { "EC2" }.into());
    }
    launch
}

fn mark(candidate: Candidate<'_>, value: Option<String>, why: String) -> Act {
    (note(candidate, MemoryChange::Migrating, keys::MIGRATING, value), why)
}

fn note(candidate: Candidate<'_>, change: MemoryChange, key: &'static str, value: Option<String>) -> Step {
    let Candidate { case, tag, .. } = candidate;
    Step::Remember(Remember::new(case.service, change, tag, case.running_label(), key, value))
}
