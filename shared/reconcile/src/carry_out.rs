//! Does what a plan says, and knows alone of dry runs, concurrency, deadlines and outcomes.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use futures_util::{StreamExt, stream};
use jiff::Zoned;
use serde_json::Value;

use crate::kind::MessageKind;
use crate::plan::{Plan, Planned, Step};
use crate::report::{Action, Outcome, Problem, Refused, Report, Trouble, Undone};
use crate::undo::Choice;

/// How a run is to behave.
pub struct Conduct<'a> {
    /// The function, as its folder is called.
    pub function: &'a str,
    /// The function's name in AWS, for the commands that people can paste.
    pub invoke_as: &'a str,
    /// Its region, for the same.
    pub region: Option<&'a str>,
    /// The moment for which the plan was made.
    pub now: &'a Zoned,
    /// Changes nothing.
    pub dry_run: bool,
    /// A plan with more steps is refused whole.
    pub max_changes: usize,
    /// Whether no step may be begun any more.
    pub out_of_time: &'a dyn Fn() -> bool,
}

/// Carries out `plan` and reports on every step of it.
///
/// Resources are changed side by side, the steps of one resource in their order.
/// A failing step ends the chain of its own resource only, unless it is dispensable; what was not tried is [`Outcome::Deferred`].
/// What `apply` returns is merged into the step's `after`: what only the doing could tell, such as a new revision.
///
/// ```
/// use reconcile::{Conduct, MessageKind, Outcome, Plan, Step, Undo, Undone, carry_out};
/// use serde_json::{Value, json};
///
/// struct Stop;
///
/// impl Step for Stop {
///     fn action(&self) -> &'static str { "stop" }
///     fn headline(&self) -> String { "app-db stops".into() }
///     fn before(&self) -> Value { json!({"status": "available"}) }
///     fn after(&self) -> Value { json!({"status": "stopping"}) }
///     fn undo(&self) -> Option<Undo> { Some(Undo::Command(json!({"start": "app-db"}))) }
///     fn tells(&self) -> Option<MessageKind> { Some(MessageKind::Routine) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let now: jiff::Zoned = "2026-11-21T20:00:00+09:00[Asia/Seoul]".parse().unwrap();
/// let (function, invoke_as, out_of_time) = ("stop-databases", "shop-stop-databases", || false);
/// let region = Some("ap-northeast-2");
/// let conduct = Conduct { function, invoke_as, region, now: &now, dry_run: false, max_changes: 500, out_of_time: &out_of_time };
/// let mut plan = Plan::new();
/// plan.act("arn:app-db", Stop, "its schedule ends at 20:00");
/// // Here the SDK is called; this one answers that the database is busy.
/// let report = carry_out(&plan, &conduct, async |_: &Stop| Err::<Value, _>(Undone::NotNow)).await;
/// assert_eq!(report.actions[0].outcome, Outcome::Deferred); // the next run does it
/// assert!(!report.failed());
/// # }
/// ```
pub async fn carry_out<S, E>(
    plan: &Plan<S>,
    conduct: &Conduct<'_>,
    apply: impl AsyncFn(&S) -> Result<Value, E>,
) -> Report
where
    S: Step,
    E: Into<Undone>,
{
    let mut report = Report {
        dry_run: conduct.dry_run,
        skipped: plan.skipped.clone(),
        problems: plan.problems.iter().map(|it| with_commands(it, conduct)).collect(),
        measures: plan.measures.clone(),
        hints: plan.hints.clone(),
        names: plan.names.clone(),
        facts: if conduct.dry_run { plan.facts.clone() } else { Vec::new() },
        ..Report::new(conduct.function, conduct.now.clone())
    };
    if let Some(why) = &plan.refused {
        report.refused = Some(Refused::Command(why.clone()));
        return report;
    }
    let too_many = too_many(plan, conduct.max_changes);
    if !too_many.is_empty() {
        let told = too_many.iter().map(|(kind, changes)| {
            let of = kind.map(|it| format!(" for {it}")).unwrap_or_default();
            format!("{changes} changes, more than the limit of {}{of}", conduct.max_changes)
        });
        report.refused = Some(Refused::Plan(format!(
            "the plan holds {}, so none of them was made; look at it with {{\"dry_run\":true}}, and raise the parameter \
             MaxChanges of the stack if it is right",
            told.collect::<Vec<_>>().join(", and ")
        )));
    }
    // A dry run still shows the plan: that is how a person finds out what was refused.
    if conduct.dry_run {
        report.actions = plan.steps.iter().map(|it| action(it, Outcome::Planned, conduct)).collect();
        return report;
    }
    let apply = &apply;
    // A list that grows, or is made of another, is copied on the way: that is memory where there are thousands.
    let mut places = Vec::with_capacity(plan.steps.len());
    report.actions.reserve_exact(plan.steps.len());
    let allowed = plan.steps.iter().filter(|it| !too_many.contains_key(&it.step.counts_as().1));
    let (first, then): (Vec<_>, Vec<_>) =
        chains(allowed).into_iter().partition(|it| it.iter().all(|(_, it)| it.step.needs().is_none()));
    let mut unfinished: BTreeSet<String> = BTreeSet::new();
    for wave in [first, then] {
        let lacks = |chain: &Chain<'_, S>| {
            chain.iter().any(|(_, it)| it.step.needs().is_some_and(|it| unfinished.contains(it)))
        };
        let wave: Vec<(bool, Chain<'_, S>)> = wave.into_iter().map(|chain| (lacks(&chain), chain)).collect();
        let carried_out = stream::iter(wave)
            .map(|(mut broken, chain)| async move {
                let mut actions = Vec::with_capacity(chain.len());
                let mut troubles = Vec::new();
                let mut all_done = true;
                for (index, planned) in chain {
                    let left_out = broken || !all_done && planned.step.comes_after_all();
                    let (action, trouble) = if left_out || (conduct.out_of_time)() {
                        (action(planned, Outcome::Deferred, conduct), None)
                    } else {
                        attempt(planned, conduct, apply).await
                    };
                    all_done &= action.outcome == Outcome::Done;
                    broken |= match action.outcome {
                        _ if left_out => false,
                        Outcome::Done => false,
                        Outcome::Failed => !planned.step.is_dispensable(),
                        // One that AWS refused stops the rest as a failure does; one whose time has not come always.
                        _ => trouble.is_none() || !planned.step.is_dispensable(),
                    };
                    troubles.extend(trouble);
                    actions.push((index, action));
                }
                (actions, troubles)
            })
            .buffer_unordered(S::AT_A_TIME);
        let mut carried_out = pin!(carried_out);
        while let Some((chain, troubles)) = carried_out.next().await {
            report.problems.extend(troubles);
            for (place, action) in chain {
                if action.outcome != Outcome::Done {
                    unfinished.insert(action.resource.clone());
                }
                places.push(place);
                report.actions.push(action);
            }
        }
    }
    put_in_place(&mut report.actions, places);
    report
}

/// The steps of a resource, with their places in the plan.
type Chain<'a, S> = Vec<(usize, &'a Planned<S>)>;

/// How many changes there are of each kind of which there are more than `limit`.
fn too_many<S: Step>(plan: &Plan<S>, limit: usize) -> BTreeMap<Option<&'static str>, usize> {
    let mut changes = BTreeMap::new();
    for planned in &plan.steps {
        let (count, kind) = planned.step.counts_as();
        *changes.entry(kind).or_default() += count;
    }
    changes.retain(|_, it| *it > limit);
    changes
}

fn chains<'a, S>(steps: impl Iterator<Item = &'a Planned<S>>) -> Vec<Chain<'a, S>> {
    let mut place: BTreeMap<&str, usize> = BTreeMap::new();
    let mut chains: Vec<Chain<'_, S>> = Vec::new();
    for (index, planned) in steps.enumerate() {
        let chain = *place.entry(&planned.resource).or_insert_with(|| {
            chains.push(Vec::new());
            chains.len() - 1
        });
        chains[chain].push((index, planned));
    }
    chains
}

/// Puts each of `items` where `places` says.
fn put_in_place<T>(items: &mut [T], mut places: Vec<usize>) {
    for at in 0..items.len() {
        while places[at] != at {
            let place = places[at];
            items.swap(at, place);
            places.swap(at, place);
        }
    }
}

async fn attempt<S: Step, E: Into<Undone>>(
    planned: &Planned<S>,
    conduct: &Conduct<'_>,
    apply: &impl AsyncFn(&S) -> Result<Value, E>,
) -> (Action, Option<Problem>) {
    match apply(&planned.step).await {
        Ok(more) => {
            let mut action = action(planned, Outcome::Done, conduct);
            if let (Value::Object(after), Value::Object(more)) = (&mut action.after, more) {
                after.extend(more);
            }
            (action, None)
        }
        Err(error) => match error.into() {
            Undone::NotNow => (action(planned, Outcome::Deferred, conduct), None),
            Undone::Problem(Trouble { kind, message }) => {
                let resource = planned.resource.clone();
                let trouble = Problem {
                    resource,
                    problem: kind.into(),
                    message,
                    kind: MessageKind::NeedsYou,
                    story: None,
                    choices: Vec::new(),
                    monthly: false,
                };
                (action(planned, Outcome::Deferred, conduct), Some(trouble))
            }
            Undone::Failed(failure) => {
                let headline = planned.step.attempt();
                (Action { headline, error: Some(failure), ..action(planned, Outcome::Failed, conduct) }, None)
            }
        },
    }
}

/// The problem with what a person can decide about it as command lines of this stack.
fn with_commands(problem: &Problem, conduct: &Conduct<'_>) -> Problem {
    Problem { choices: spelled(&problem.choices, conduct), ..problem.clone() }
}

fn spelled(choices: &[Choice], conduct: &Conduct<'_>) -> Vec<Choice> {
    choices.iter().map(|it| it.spelled(conduct.invoke_as, conduct.region)).collect()
}

fn action<S: Step>(planned: &Planned<S>, outcome: Outcome, conduct: &Conduct<'_>) -> Action {
    let offer = planned.step.undo();
    Action {
        resource: planned.resource.clone(),
        action: planned.step.action(),
        headline: planned.step.headline(),
        tells: planned.step.tells(),
        is_in_daily_report: planned.step.is_in_daily_report(),
        reason: planned.reason.clone(),
        before: planned.step.before(),
        after: planned.step.after(),
        outcome,
        story: planned.step.story().map(str::to_owned),
        error: None,
        choices: spelled(&planned.step.choices(), conduct),
        undo: offer.as_ref().map(|it| it.command_line(conduct.invoke_as, conduct.region)),
        offer,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use serde_json::json;

    use super::*;
    use crate::report::Failure;
    use crate::undo::Undo;

    /// A step that sets something to a number; odd numbers fail.
    #[derive(Debug, Clone, PartialEq)]
    struct Set(u32);

    impl Step for Set {
        fn action(&self) -> &'static str {
            "set"
        }
        fn headline(&self) -> String {
            format!("setting {}", self.0)
        }
        fn before(&self) -> Value {
            json!({"value": 0})
        }
        fn after(&self) -> Value {
            json!({"value": self.0})
        }
        fn undo(&self) -> Option<Undo> {
            Some(Undo::Command(json!({"unset": self.0})))
        }
        fn tells(&self) -> Option<MessageKind> {
            Some(MessageKind::Changed)
        }
        fn is_dispensable(&self) -> bool {
            self.0 == 78 || self.0 == 79
        }
        fn comes_after_all(&self) -> bool {
            self.0 == 90
        }
        fn needs(&self) -> Option<&str> {
            // From 1000 on it depends on what is done to "memory".
            (self.0 >= 1000).then_some("memory")
        }
    }

    fn failure(code: &str) -> Undone {
        Undone::Failed(Failure { code: code.into(), message: code.into(), request_id: None })
    }

    /// Runs `steps` (resource, value) and returns the report and the values that were really set.
    async fn run(steps: &[(&str, u32)], dry_run: bool, max_changes: usize, attempts: usize) -> (Report, Vec<u32>) {
        let mut plan = Plan::new();
        for (resource, value) in steps {
            plan.act(resource, Set(*value), "for the test");
        }
        let set = RefCell::new(Vec::new());
        let left = Cell::new(attempts);
        let now: Zoned = "2026-11-21T03:10:00+09:00[Asia/Seoul]".parse().unwrap();
        let conduct = Conduct {
            function: "test",
            invoke_as: "stack-test",
            region: Some("eu-west-1"),
            now: &now,
            dry_run,
            max_changes,
            out_of_time: &|| left.get() == 0,
        };
        let report = carry_out(&plan, &conduct, async |step: &Set| {
            left.set(left.get().saturating_sub(1));
            if step.0 == 99 {
                return Err(Undone::NotNow);
            }
            if [77, 78].contains(&step.0) {
                return Err(Undone::Problem(Trouble::new("refused", "AWS says no")));
            }
            if step.0 % 2 == 1 {
                return Err(failure("Odd"));
            }
            set.borrow_mut().push(step.0);
            Ok(json!({"by": "apply"}))
        })
        .await;
        (report, set.into_inner())
    }

    fn outcomes(report: &Report) -> Vec<Outcome> {
        report.actions.iter().map(|it| it.outcome).collect()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_failing_step_ends_its_own_chain_and_no_other() {
        let (report, set) = run(&[("a", 2), ("b", 1), ("a", 4), ("b", 6), ("c", 8)], false, 10, 100).await;
        use Outcome::*;
        assert_eq!(outcomes(&report), [Done, Failed, Done, Deferred, Done]);
        assert_eq!(report.actions[1].error.as_ref().map(|it| it.code.as_str()), Some("Odd"));
        assert!(report.failed());
        let mut set = set;
        set.sort();
        assert_eq!(set, [2, 4, 8]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_step_comes_after_what_it_needs_and_not_at_all_where_that_failed() {
        use Outcome::*;
        let (report, set) = run(&[("a", 1000), ("b", 2), ("memory", 4), ("c", 1002)], false, 10, 100).await;
        assert_eq!(outcomes(&report), [Done, Done, Done, Done]);
        assert!(set[..2].iter().all(|it| *it < 1000) && set[2..].iter().all(|it| *it >= 1000), "{set:?}");
        let (report, set) = run(&[("a", 1000), ("b", 2), ("memory", 3), ("c", 1002)], false, 10, 100).await;
        assert_eq!(outcomes(&report), [Deferred, Done, Failed, Deferred]);
        assert_eq!(set, [2]);
        // What nothing is done to need not be waited for.
        let (report, _) = run(&[("a", 1000)], false, 10, 100).await;
        assert_eq!(outcomes(&report), [Done]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_comes_after_all_waits_for_those_that_the_rest_does_without() {
        use Outcome::*;
        for (first, outcome) in [(79, Failed), (78, Deferred)] {
            let (report, set) = run(&[("a", first), ("a", 2), ("a", 90), ("a", 4), ("b", 90)], false, 10, 100).await;
            assert_eq!(outcomes(&report), [outcome, Done, Deferred, Done, Done]);
            assert_eq!(set.iter().filter(|it| **it == 90).count(), 1);
        }
        let (report, _) = run(&[("a", 2), ("a", 90)], false, 10, 100).await;
        assert_eq!(outcomes(&report), [Done, Done]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_refused_for_a_while_is_a_problem_and_no_failure() {
        let (report, set) = run(&[("a", 77), ("a", 2), ("b", 4)], false, 10, 100).await;
        use Outcome::*;
        assert_eq!((outcomes(&report), set), (vec![Deferred, Deferred, Done], vec![4]));
        let problems: Vec<_> = report.problems.iter().map(|it| (it.resource.as_str(), it.problem.as_str())).collect();
        assert_eq!((problems, report.failed()), (vec![("a", "refused")], false));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_dry_run_applies_nothing_and_shows_everything() {
        let (report, set) = run(&[("a", 2), ("b", 1)], true, 10, 100).await;
        assert_eq!(outcomes(&report), [Outcome::Planned, Outcome::Planned]);
        assert!(set.is_empty());
        assert!(!report.failed());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_plan_over_the_limit_is_refused_whole_and_a_dry_run_of_it_still_shown() {
        let (report, set) = run(&[("a", 2), ("b", 4)], false, 1, 100).await;
        assert_eq!((outcomes(&report), set), (vec![], vec![]));
        assert!(report.failed());
        assert!(report.refusal().unwrap().contains("2 changes, more than the limit of 1,"));
        let (report, _) = run(&[("a", 2), ("b", 4)], true, 1, 100).await;
        assert_eq!(report.actions.len(), 2);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_does_not_fit_before_the_deadline_is_deferred() {
        let (report, set) = run(&[("a", 2), ("a", 4), ("a", 6)], false, 10, 2).await;
        use Outcome::*;
        assert_eq!(outcomes(&report), [Done, Done, Deferred]);
        assert_eq!(set, [2, 4]);
        assert!(!report.failed());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_step_whose_turn_did_not_come_is_deferred_and_no_failure() {
        let (report, set) = run(&[("a", 99), ("a", 4), ("b", 6)], false, 10, 100).await;
        use Outcome::*;
        assert_eq!(outcomes(&report), [Deferred, Deferred, Done]);
        assert_eq!((set, report.failed()), (vec![6], false));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_refused_step_that_the_others_can_do_without_is_told_and_stops_none_of_them() {
        use Outcome::*;
        let (report, set) = run(&[("a", 78), ("a", 2), ("a", 77), ("a", 4)], false, 10, 100).await;
        assert_eq!((outcomes(&report), set), (vec![Deferred, Done, Deferred, Deferred], vec![2]));
        assert_eq!((report.problems.len(), report.failed()), (2, false));
    }

    #[test]
    fn what_another_function_did_is_undone_by_that_function() {
        let undo = Undo::Sibling { own: "resize", function: "grow", payload: json!({"clear": "it"}) };
        let invoked = |invoke_as: &str| undo.command_line(invoke_as, None).split(' ').nth(8).map(str::to_owned);
        assert_eq!(invoked("shop-resize").as_deref(), Some("shop-grow"));
        assert_eq!(invoked("resize").as_deref(), Some("grow"));
        assert!(
            undo.command_line("shop-resize", None)
                .starts_with(r#"printf %s '{"clear":"it","format":"text"}' | aws lambda"#)
        );
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_the_doing_told_is_merged_into_after() {
        let (report, _) = run(&[("a", 2)], false, 10, 100).await;
        assert_eq!(report.actions[0].after, json!({"value": 2, "by": "apply"}));
        assert_eq!(
            report.actions[0].undo.as_deref(),
            Some(
                "printf %s '{\"unset\":2,\"format\":\"text\"}' | aws lambda invoke --region eu-west-1 --function-name stack-test \
                 --payload fileb:///dev/stdin /dev/stderr >/dev/null"
            )
        );
    }
}
