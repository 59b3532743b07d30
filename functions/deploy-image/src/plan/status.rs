//! `{"status":…}`: where an image stands on a service, for people and for pipelines. Nothing is changed.
//!
//! The answer is what the next run would decide, in a word and a sentence. The words are a contract with pipelines.

use std::collections::BTreeSet;

use choose::Selection;
use jiff::Zoned;
use reconcile::{Plan, when};
use rules::deploy::Selector;
use rules::{Digest, keys};

use super::apply_command::find;
use super::case::{Case, Leave};
use super::draft::Draft;
use super::motion::{Motion, motion};
use super::step::{MemoryChange, Step};
use super::world::{Fact, Service};
use super::{deployer, shift, verdict};

/// What a pipeline has to know: whether to wait on, and if not, whether all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Live,
    /// Deployed to a service that sleeps: no task of it has run yet.
    Unproven,
    RollingOut,
    Waiting,
    Rejected,
    /// Another image is the one to deploy, or runs already.
    Superseded,
    /// The rule of the service does not select it.
    NotSelected,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Live => "live",
            State::Unproven => "unproven",
            State::RollingOut => "rolling-out",
            State::Waiting => "waiting",
            State::Rejected => "rejected",
            State::Superseded => "superseded",
            State::NotSelected => "not-selected",
        }
    }
}

/// Says where `image` stands on `service`.
pub fn tell(
    service: &Service,
    cases: &[Result<Case<'_>, Leave>],
    image: &str,
    now: &Zoned,
    plan: &mut Plan<Step>,
    lacking: &mut BTreeSet<Fact>,
) {
    let mut trouble = None;
    for case in cases {
        match case {
            Err(Leave::Skip(why) | Leave::Elsewhere(why)) => trouble = Some(format!("{}: {why}", service.name)),
            // It is told by every run; once it is fixed, the image goes on.
            Err(Leave::Problem(trouble)) => {
                return plan.skip(
                    &service.arn,
                    format_args!("{}: {}: {}", State::Waiting.word(), trouble.kind, trouble.message),
                );
            }
            Ok(case) => match digest(case, image) {
                Ok(digest) => {
                    let (state, why) = standing(case, &digest, now, lacking);
                    return plan.skip(&service.arn, format_args!("{}: {why}", state.word()));
                }
                Err(why) => trouble = trouble.or(Some(why)),
            },
        }
    }
    let nothing = || format!("{} has no {} tag", service.name, keys::DEPLOY);
    plan.refuse(trouble.unwrap_or_else(nothing));
}

/// The image that is asked about; one that is gone from the repository is known by its digest.
fn digest(case: &Case<'_>, image: &str) -> Result<Digest, String> {
    match find(case, image) {
        Ok(found) => Ok(found.digest.clone()),
        Err(trouble) => image.parse().map_err(|_| trouble.message),
    }
}

fn standing(case: &Case<'_>, digest: &Digest, now: &Zoned, lacking: &mut BTreeSet<Fact>) -> (State, String) {
    let mut plan = Plan::remembering(keys::PROBLEM);
    let mut draft = Draft::of(case, case.memory.clone(), now, &mut plan, lacking);
    draft.decide(None);
    let memory = draft.memory.clone();
    let label = case.label(digest);
    let waits = draft.waits.take();
    let said = waits.unwrap_or_else(|| said(&plan));
    if memory.rejects(digest) {
        let now = plan.steps.iter().find_map(|it| match &it.step {
            Step::Remember(step) if step.change == MemoryChange::Reject && step.digest.as_ref() == Some(digest) => {
                Some(it.reason.clone())
            }
            _ => None,
        });
        let is_last = |it: &&rules::rejections::Rejections| it.last().is_some_and(|it| it.is(digest));
        let by = memory.rejected.as_ref().filter(is_last).and_then(|it| it.by.as_ref());
        let by = || by.map_or(String::new(), |by| format!(" by {by}"));
        let why = now.unwrap_or_else(|| format!("{label} is rejected{}; {} runs", by(), case.running_label()));
        return (State::Rejected, why);
    }
    let running = case.running();
    if running.digest.as_ref() == Some(digest) {
        return of_running(case, &label, digest, now, said);
    }
    let goes_out = plan.steps.iter().any(|it| matches!(&it.step, Step::Deploy(it) if it.digest == *digest));
    if goes_out {
        return (State::Waiting, format!("{label} is deployed by the next run"));
    }
    let runs = case.running_label();
    let pushed_later = |than: Option<&Digest>| {
        let (one, other) = (case.pushed_at(digest), than.and_then(|it| case.pushed_at(it)));
        one.zip(other).is_some_and(|(one, other)| one > other)
    };
    let newer = case.choice(&memory, &running).is_newer(digest);
    match case.selection(&memory) {
        Selection::Newer { image, .. } if image.digest == *digest => (State::Waiting, said),
        Selection::Newer { image, tag } if newer.is_some() && image.digest != *digest => {
            (State::Superseded, format!("{tag} is deployed next, and not {label}; {runs} runs"))
        }
        // What is not live on the other service for long enough cannot be selected yet.
        _ if matches!(case.rule.selector, Selector::Promote { .. }) && pushed_later(running.digest.as_ref()) => {
            (State::Waiting, said)
        }
        _ if newer == Some(false) => (State::Superseded, format!("{runs} runs, which is newer than {label}")),
        _ if newer == Some(true) => (State::NotSelected, said),
        _ => {
            let rule = &case.rule.selector;
            (State::NotSelected, format!("'{rule}' does not select {label} in {}; {runs} runs", case.repository))
        }
    }
}

/// How far the image is that the service is set to.
fn of_running(case: &Case<'_>, label: &str, digest: &Digest, now: &Zoned, said: String) -> (State, String) {
    let verdict = case.memory.verdict.as_ref().filter(|it| it.digest == *digest);
    match motion(case) {
        Motion::Forward(_) if shift::is_paused(case) => (State::Waiting, said),
        Motion::Forward(_) if case.by_code_deploy() => {
            (State::RollingOut, format!("{label} is rolling out: {}", deployer::under_way(case)))
        }
        Motion::Forward(_) => {
            let place = shift::shift(case).map(shift::place).filter(|it| !it.is_empty());
            (
                State::RollingOut,
                format!("{label} is rolling out{}", place.map_or(String::new(), |it| format!(": {it}"))),
            )
        }
        Motion::Back => (State::RollingOut, format!("{} is going back to {label}", deployer::name(case))),
        Motion::Fallen(_) => (State::RollingOut, format!("the deployment of {label} has failed: {said}")),
        Motion::Still => match verdict {
            Some(verdict) => (State::Live, format!("{label} is live since {}", when(verdict.at, now))),
            // What an image has to show after its deployment (`health=`) is told before it counts as live.
            None if !said.is_empty() && case.rule.health.is_some() => (State::RollingOut, said),
            None if verdict::completes(case).is_some() => (State::RollingOut, said),
            None if case.proven() => (State::Live, format!("{label} is live")),
            None => (State::Unproven, format!("{label} is deployed to a service without tasks, so none of it has run")),
        },
    }
}

/// What the run would say first.
fn said(plan: &Plan<Step>) -> String {
    let problem = plan.problems.first().map(|it| format!("{}: {}", it.problem, it.message));
    let step = || plan.steps.first().map(|it| reconcile::Step::headline(&it.step));
    let skip = || plan.skipped.first().map(|it| it.reason.clone());
    problem.or_else(skip).or_else(step).unwrap_or_default()
}
