//! What holds whatever happens, in whatever order, however often.

use proptest::prelude::*;
use proptest::strategy::Strategy;
use rules::keys;
use rules::memory::Approved;

use super::model::{Model, repository, service};
use crate::plan::*;

/// Something that happens to a service.
#[derive(Debug, Clone)]
enum Happening {
    /// A version is pushed, good or bad; a version that exists is pushed again with other contents.
    Push { version: u8, bad: bool },
    /// An event of the repository arrives, timely or late, once or again.
    PushEvent,
    /// An event of the service arrives.
    DeploymentEvent,
    /// The hourly sweep.
    Sweep,
    /// ECS moves.
    Ecs,
    /// A run that dies after that many calls.
    Dying(usize),
    /// A person asks.
    Command(Command),
    /// A person puts the service back to an earlier revision by hand.
    ByHand(usize),
    /// A person stops what CodeDeploy is doing.
    StopByHand,
    /// All tasks are replaced by new ones of the same revision, and start or not.
    Restart { broken: bool },
    /// The window of the service closes, a person freezes it, or both are over.
    Window(Option<&'static str>),
    /// This version is live on staging/api from now on, if there is such an image.
    Staging(u8),
    /// That service falls asleep, or is woken.
    StagingSleeps(bool),
    /// That many minutes go by.
    Minutes(i64),
    /// A person answers at the pause that waits, if one does.
    Answer { goes_on: bool },
}

fn version(number: u8) -> String {
    format!("v1.{number}.0")
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let image = || (0..6u8).prop_map(version);
    prop_oneof![
        4 => (0..6u8, any::<bool>()).prop_map(|(version, bad)| Push { version, bad }),
        4 => Just(PushEvent),
        4 => Just(DeploymentEvent),
        2 => Just(Sweep),
        6 => Just(Ecs),
        2 => (0..4usize).prop_map(Dying),
        1 => image().prop_map(|image| Command(crate::plan::Command::Approve { image, hook: None, now: false })),
        1 => (image(), any::<bool>()).prop_map(|(image, now)| Command(crate::plan::Command::Deploy { image, now })),
        1 => image().prop_map(|image| Command(crate::plan::Command::Reject { image })),
        1 => Just(Command(crate::plan::Command::RollBack { image: None })),
        1 => prop::option::of(image()).prop_map(|image| Command(crate::plan::Command::Clear { image })),
        1 => (0..3usize).prop_map(ByHand),
        1 => Just(StopByHand),
        2 => any::<bool>().prop_map(|broken| Restart { broken }),
        2 => prop::sample::select(vec![None, None, Some(keys::DEPLOY_WINDOW), Some(keys::FREEZE)]).prop_map(Window),
        3 => (0..6u8).prop_map(Staging),
        1 => any::<bool>().prop_map(StagingSleeps),
        3 => (1..200i64).prop_map(Minutes),
        3 => any::<bool>().prop_map(|goes_on| Answer { goes_on }),
    ]
}

const PROMOTES: &str = "promote from=staging/api soak=1h";

fn rules() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "newest",
        "semver",
        "semver range=1.x",
        "semver from=1.1 below=2.0 prefix=v",
        "newest approval=manual",
        PROMOTES,
        "promote from=staging/api soak=1h approval=manual",
    ])
}

fn safeties() -> impl Strategy<Value = Safety> {
    prop::sample::select(vec![
        Safety { gives_up: true, goes_back: true },
        Safety { gives_up: true, goes_back: false },
        Safety { gives_up: false, goes_back: false },
    ])
}

/// Who deploys: ECS with these settings, or CodeDeploy, which goes back by itself or not, and where what is bad fails
/// before it has the traffic or after.
#[derive(Debug, Clone)]
enum Deployer {
    Ecs(Safety),
    CodeDeploy {
        goes_back: bool,
        late: bool,
    },
    /// ECS, and each deployment pauses for a person.
    Asking {
        shifting: bool,
    },
}

/// All of them, those included that never end without a person.
fn all_deployers() -> impl Strategy<Value = Deployer> {
    prop_oneof![3 => deployers(), 2 => any::<bool>().prop_map(|shifting| Deployer::Asking { shifting })]
}

fn deployers() -> impl Strategy<Value = Deployer> {
    prop_oneof![
        safeties().prop_map(Deployer::Ecs),
        any::<(bool, bool)>().prop_map(|(goes_back, late)| Deployer::CodeDeploy { goes_back, late }),
    ]
}

impl Deployer {
    fn model(&self, rule: &str) -> Model {
        let mut model = match *self {
            Deployer::Ecs(safety) => {
                let mut model = Model::new(rule);
                model.service.safety = safety;
                model
            }
            Deployer::CodeDeploy { goes_back, late } => {
                let mut model = Model::by_code_deploy(rule);
                (model.blue_green.goes_back, model.blue_green.late) = (goes_back, late);
                model
            }
            Deployer::Asking { shifting } => {
                let mut model = Model::new(rule);
                model.ask_people(shifting);
                model
            }
        };
        model.add_staging();
        model
    }
}

impl Happening {
    /// Where a run looks that it begins, which does not die.
    fn place(&self) -> Option<Scope> {
        match self {
            Happening::PushEvent => Some(repository()),
            Happening::DeploymentEvent => Some(service()),
            Happening::Sweep => Some(Scope::Everywhere),
            _ => None,
        }
    }
}

/// The images that a plan goes back from.
fn ways_back(plan: &reconcile::Plan<Step>) -> Vec<Option<rules::Digest>> {
    let from = |step: &Step| match step {
        Step::RollBack(it) => Some(it.from_digest.clone()),
        _ => None,
    };
    plan.steps.iter().filter_map(|it| from(&it.step)).collect()
}

/// Lets it happen, and checks of every planned step that it does no harm.
fn happen(model: &mut Model, happening: &Happening) -> Result<(), TestCaseError> {
    match happening {
        Happening::Push { version: number, bad } => {
            let digest = model.push(&version(*number));
            model.bad.extend(bad.then_some(digest));
        }
        Happening::PushEvent => run(model, &repository(), None, usize::MAX)?,
        Happening::DeploymentEvent => run(model, &service(), None, usize::MAX)?,
        Happening::Sweep => run(model, &Scope::Everywhere, None, usize::MAX)?,
        Happening::Ecs => model.finish(),
        Happening::Dying(calls) => run(model, &Scope::Everywhere, None, *calls)?,
        Happening::Command(ask) => run(model, &service(), Some(ask), usize::MAX)?,
        Happening::ByHand(back) => {
            let earlier = model.revisions.len().saturating_sub(1 + back);
            let arn = model.revisions[earlier].arn().to_owned();
            model.deploy(&arn);
        }
        Happening::StopByHand => model.stop_deployment(),
        Happening::Restart { broken } => {
            model.broken = *broken;
            model.restart();
        }
        Happening::Window(Some(key)) => drop(model.service.tags.insert((*key).into(), "never".into())),
        Happening::Answer { goes_on } => {
            let Some(hook) = model.pause().map(|it| it.hook.clone()) else { return Ok(()) };
            let digest = model.past.last().unwrap().pinned["app"].clone();
            let image = digest.to_string();
            let bad =
                model.service.tags.get(keys::REJECTED).map(|it| it.parse::<rules::rejections::Rejections>().unwrap());
            let is_rejected = bad.is_some_and(|it| it.covers(&digest));
            let answer = match goes_on {
                true => Command::Approve { image, hook: Some(hook), now: false },
                false => Command::Reject { image },
            };
            run(model, &service(), Some(&answer), usize::MAX)?;
            // What is rejected takes a `clear` first.
            let answered = model.pause().is_none() || *goes_on && is_rejected;
            prop_assert!(answered, "a pause stays that was answered: {model}");
        }
        Happening::Staging(number) => {
            let tag = version(*number);
            if let Some(image) = model.images.iter().find(|it| it.tags.contains(&tag)) {
                let digest = image.digest.clone();
                model.stage_digest(digest, RolloutEnd::Successful);
            }
        }
        Happening::StagingSleeps(asleep) => model.sleep(*asleep),
        Happening::Minutes(minutes) => model.minutes += minutes,
        Happening::Window(None) => {
            model.service.tags.retain(|key, _| ![keys::DEPLOY_WINDOW, keys::FREEZE].contains(&&**key))
        }
    }
    Ok(())
}

fn run(model: &mut Model, scope: &Scope, command: Option<&Command>, calls: usize) -> Result<(), TestCaseError> {
    let before = model.clone();
    let plan = model.run(scope, command, calls);
    // Neither a window nor a freeze keeps the service from going back.
    let mut open = before.clone();
    open.service.tags.retain(|key, _| ![keys::DEPLOY_WINDOW, keys::FREEZE].contains(&&**key));
    let goes_back =
        |it: &reconcile::Plan<Step>| it.steps.iter().any(|it| matches!(it.step, Step::RollBack(_) | Step::Stop(_)));
    if open.service.tags != before.service.tags && goes_back(&open.plan(scope, command)) {
        prop_assert!(goes_back(&plan), "a way back waits: {before}");
    }
    // What a person is asked about goes on or back, and nothing overtakes it.
    let paused = before.pause();
    let left = before.left_on_the_way_back();
    if paused.is_some() && left.is_none() && matches!(command, Some(Command::RollBack { image: None })) {
        prop_assert!(goes_back(&plan), "a way back waits at a pause: {before}");
    }
    let bad: Option<rules::rejections::Rejections> =
        before.service.tags.get(keys::REJECTED).map(|it| it.parse().unwrap());
    if paused.is_some() && left.as_ref().zip(bad).is_some_and(|(left, bad)| bad.covers(left)) && command.is_none() {
        let goes_on = plan.steps.iter().any(|it| matches!(it.step, Step::Continue(_)));
        prop_assert!(goes_on || goes_back(&plan), "a way back pauses for a person: {before}");
    }
    let mut rejected: Option<rules::rejections::Rejections> =
        before.service.tags.get(keys::REJECTED).map(|it| it.parse().unwrap());
    for planned in &plan.steps {
        match &planned.step {
            Step::Deploy(it) => {
                prop_assert!(paused.is_none(), "{} overtakes a person's answer: {before}", it.to);
                let pushed_at = before.images.iter().find(|image| image.digest == it.digest).unwrap().pushed_at;
                prop_assert!(
                    rejected.as_ref().is_none_or(|rejected| !rejected.covers(&it.digest)),
                    "deploys {}, which is rejected: {before}",
                    it.to
                );
                // By versions a later push may well be the older image; `select.rs` has that law.
                let by_push = before.service.tags[keys::DEPLOY].starts_with("newest");
                let newer = before.running_pushed_at().is_none_or(|running| pushed_at >= running);
                let approved = before.service.tags.get(keys::APPROVED).and_then(|it| it.parse::<Approved>().ok());
                let by_person =
                    matches!(command, Some(crate::plan::Command::Approve { .. } | crate::plan::Command::Deploy { .. }))
                        || approved.is_some_and(|by| by.digest == it.digest);
                prop_assert!(!by_push || newer || by_person, "goes to older {}: {before}", it.to);
                let closed = [keys::DEPLOY_WINDOW, keys::FREEZE].iter().any(|it| before.service.tags.contains_key(*it));
                let at_once = matches!(command, Some(crate::plan::Command::Deploy { now: true, .. }));
                prop_assert!(!closed || at_once, "goes out while nothing may: {}: {before}", it.to);
                let rejected_left =
                    left.as_ref().is_some_and(|left| rejected.as_ref().is_some_and(|it| it.covers(left)));
                let overtakes = before.asks && rejected_left && !before.hangs();
                prop_assert!(!overtakes || at_once, "{} overtakes a way back: {before}", it.to);
                let promotes = before.service.tags[keys::DEPLOY].starts_with("promote");
                let repairs = before.is_running(&it.digest);
                let soaked = before.minutes_live_on_staging(&it.digest) >= 60;
                prop_assert!(!promotes || soaked || by_person || repairs, "{} has not soaked: {before}", it.to);
            }
            Step::Stop(it) if it.by == StoppedBy::CodeDeploy => {
                let told = before.told();
                let under_way = told.under_way().map(|it| &it.id);
                prop_assert_eq!(Some(&it.deployment), under_way, "stops what is over: {}", before);
            }
            Step::Stop(it) => {
                let under_way = before.shift.as_ref().filter(|it| it.under_way).map(|it| &it.arn);
                prop_assert_eq!(Some(&it.deployment), under_way, "stops what is over: {}", before);
            }
            Step::Continue(it) => {
                let by_person = matches!(command, Some(Command::Approve { .. } | Command::Deploy { .. }));
                prop_assert!(by_person || left.is_some(), "goes on without a person: {before}");
                prop_assert_eq!(Some(&it.hook), paused.map(|it| &it.hook), "answers what nobody asked: {}", before);
                let digest = it.digest.as_ref().unwrap();
                prop_assert!(
                    !rejected.as_ref().is_some_and(|it| it.covers(digest)),
                    "{} is rejected: {before}",
                    it.image
                );
            }
            Step::RollBack(it) => {
                prop_assert!(it.to_revision != before.service.task_definition, "goes back to what runs: {before}");
            }
            Step::Remember(it) if it.key == keys::REJECTED => {
                let known = |it: &rules::Digest| rejected.as_ref().is_some_and(|known| known.covers(it));
                let new = it.digest.as_ref().filter(|it| command.is_none() && !known(it));
                let nobody_answered = new.is_some_and(|it| before.was_never_answered(it));
                prop_assert!(!nobody_answered, "{} is rejected, and nobody answered: {before}", it.image);
                rejected = it.value.as_ref().map(|it| it.parse().unwrap())
            }
            Step::Migrate(_) | Step::AskForSnapshot(_) | Step::Follow(_) | Step::Remember(_) => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn never_older_never_rejected_and_always_done_once_it_is_done(
        rule in rules(), deployer in all_deployers(), happenings in prop::collection::vec(happening(), 1..25)
    ) {
        let mut model = deployer.model(rule);
        // The images that were left by themselves since a person last said or did something.
        let mut left: Vec<Option<rules::Digest>> = Vec::new();
        for it in &happenings {
            if matches!(it, Happening::Command(_) | Happening::Answer { .. } | Happening::ByHand(_) | Happening::StopByHand | Happening::Restart { .. }) {
                left.clear();
            } else if let Some(place) = it.place() {
                for from in ways_back(&model.plan(&place, None)) {
                    prop_assert!(!left.contains(&from), "a second way back by itself: {}", model);
                    left.push(from);
                }
            }
            happen(&mut model, it)?;
            // Planning again after everything was applied yields nothing.
            let mut after = model.clone();
            let done = after.run(&Scope::Everywhere, None, usize::MAX);
            if done.steps.iter().any(|it| matches!(it.step, Step::RollBack(_) | Step::Stop(_))) {
                // First back to what is known to be good, and only from there to what else was pushed.
                after.run(&Scope::Everywhere, None, usize::MAX);
            }
            let again = after.plan(&Scope::Everywhere, None);
            // But for a soak that was over while those runs took place: time alone changes what is due then.
            let counts = again.steps.iter().any(|it| matches!(&it.step, Step::Remember(it) if it.key == keys::SOAK));
            // Or a way back that hangs since, which nothing newer waits for any more.
            let hangs = after.hangs() && !model.hangs();
            prop_assert!(counts || hangs || again.steps.is_empty(), "{:?} after {:?}: {}", again.steps, it, after);
        }
        model.settle();
    }

    #[test]
    fn the_newest_image_wins_in_whatever_order_events_come(
        deployer in deployers(), pushes in prop::collection::vec(1..6u8, 1..6), noise in prop::collection::vec(0..4u8, 0..20)
    ) {
        let mut model = deployer.model("newest");
        let mut noise = noise.into_iter();
        for number in &pushes {
            model.push(&version(*number));
            match noise.next() {
                Some(0) => drop(model.run(&repository(), None, usize::MAX)),
                Some(1) => drop(model.run(&Scope::Everywhere, None, usize::MAX)),
                Some(2) => model.finish(),
                _ => {}
            }
        }
        model.settle();
        let newest = model.images.iter().max_by_key(|it| it.pushed_at).unwrap().clone();
        prop_assert_eq!(model.running_pushed_at(), Some(newest.pushed_at));
        // One revision for each image that was deployed, however often events came.
        let mut images: Vec<String> = model.revisions.iter().map(|it| it.images().next().unwrap().1.to_owned()).collect();
        let deployed = images.len();
        images.sort();
        images.dedup();
        prop_assert_eq!(images.len(), deployed);
    }

    #[test]
    fn a_restart_that_fails_says_nothing_against_what_was_live(
        safety in safeties(), restarts in 1..4usize, forgetful in any::<bool>(), places in prop::collection::vec(0..3usize, 0..6)
    ) {
        let mut model = Model::new("newest");
        model.service.safety = safety;
        model.push("v1.1.0");
        model.settle();
        for _ in 0..restarts {
            if forgetful {
                model.past.clear();
            }
            model.broken = safety.gives_up;
            model.restart();
            for place in &places {
                let place = [repository(), service(), Scope::Everywhere][*place].clone();
                run(&mut model, &place, None, usize::MAX)?;
                // ECS goes back to what it knows, however old that is.
                if !(forgetful && safety.goes_back) {
                    model.finish();
                }
            }
            if !(forgetful && safety.goes_back) {
                model.settle();
            }
            prop_assert_eq!(model.running(), "v1.1.0");
            prop_assert!(!model.service.tags.contains_key(keys::REJECTED), "{}", model);
        }
    }

    #[test]
    fn runs_that_overlap_do_no_harm(
        deployer in deployers(), same in any::<bool>(), late_first in any::<bool>(), ecs in prop::collection::vec(any::<bool>(), 3)
    ) {
        let mut model = deployer.model("newest");
        model.push("v1.1.0");
        let early = model.plan(&repository(), None);
        if !same {
            model.push("v1.2.0");
        }
        let late = model.plan(&Scope::Everywhere, None);
        let both = if late_first { [late, early] } else { [early, late] };
        for (plan, ecs) in both.iter().zip(ecs) {
            model.carry_out(plan, usize::MAX);
            if ecs {
                model.finish();
            }
        }
        model.settle();
        prop_assert_eq!(model.running(), if same { "v1.1.0" } else { "v1.2.0" });
        prop_assert!(!model.service.tags.contains_key(keys::REJECTED), "{}", model);
        let attempts = model.blue_green.attempts.len();
        prop_assert!(attempts <= if same { 1 } else { 2 }, "CodeDeploy was asked {} times: {}", attempts, model);
    }

    #[test]
    fn a_run_that_dies_anywhere_is_finished_by_the_next(deployer in deployers(), calls in 0..4usize, bad in any::<bool>()) {
        let story = |dying: bool| {
            let mut model = deployer.model("newest");
            let digest = model.push("v1.1.0");
            model.bad.extend(bad.then_some(digest));
            if dying {
                model.run(&repository(), None, calls);
            }
            model.settle();
            (model.running(), model.revisions.len())
        };
        prop_assert_eq!(story(true), story(false));
    }
}
