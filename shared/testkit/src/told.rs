//! What people would be told, kept from the plans of a function's own tests: `docs/messages.md` is made of it.
//!
//! Nothing is kept unless the variable [`FOLDER`] names a folder; the test that makes the page sets it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use jiff::Zoned;
use reconcile::memory::news;
use reconcile::message::{Message, Site, digest, messages};
use reconcile::{Conduct, Failure, Outcome, Plan, Refused, Report, Routine, Step, Undone, carry_out};
use serde_json::{Value, json};

/// The variable that names the folder.
pub const FOLDER: &str = "NIGHTSHIFT_MESSAGES";

/// Where the function of the messages runs.
pub const SITE: Site<'_> = Site {
    invoke_as: "nightshift",
    region: Some("ap-northeast-2"),
    console: Some("console.aws.amazon.com"),
    routine: Routine::Each,
    runbooks: None,
};

thread_local! {
    /// What this test has kept: many plans of one test are the same.
    static KEPT: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// Keeps the messages of a run of `function` that carries out `plan`, and of one whose first step AWS refuses: a file of
/// lines for each test, so that their order is the same however many run at once. Random plans of laws are left out.
pub fn keep<S: Step>(function: &'static str, plan: &Plan<S>) {
    let Some(folder) = folder() else { return };
    let thread = thread::current();
    let Some(test) = thread.name().filter(|it| !it.contains("laws")) else { return };
    let steps = plan.steps.iter().map(|it| format!("{} {} {}", it.resource, it.step.headline(), it.reason));
    let problems = plan.problems.iter().map(|it| format!("{} {} {}", it.resource, it.problem, it.message));
    let is_new = KEPT.with_borrow_mut(|kept| kept.insert(steps.chain(problems).collect::<Vec<_>>().join("\n")));
    if !is_new {
        return;
    }
    write(&folder, function, test, &told(function, plan));
}

/// Keeps the report of some time with these lines, under the name of the test.
pub fn keep_report(function: &'static str, title: &str, lines: &[String]) {
    let Some(folder) = folder() else { return };
    let thread = thread::current();
    let Some(test) = thread.name().filter(|it| !it.contains("laws")) else { return };
    let (report, invoke_as) = (Report::new(function, now()), format!("nightshift-{function}"));
    let message = digest(&report, title, lines, &Site { invoke_as: &invoke_as, ..SITE });
    let about = test.rsplit("::").next().unwrap_or_default().replace('_', " ");
    write(&folder, function, test, &[spelled(function, &[about], &message, &[])]);
}

/// What people are told of a run as a whole, whichever function it is of.
fn of_runs() -> Vec<Value> {
    let (function, name) = ("deploy-image", "all functions");
    let site = Site { invoke_as: "nightshift-deploy-image", ..SITE };
    let refused = "the plan holds 612 changes, more than the limit of 500, so none of them was made; look at it with \
                   {\"dry_run\":true}, and raise the parameter MaxChanges of the stack if it is right";
    let refused = Report { refused: Some(Refused::Plan(refused.into())), ..Report::new(function, now()) };
    let failed = Report::of_failed_run(function, now(), "ListClusters: ThrottlingException: Rate exceeded");
    let all = [("too many changes", refused), ("run-failed", failed)].into_iter().flat_map(|(about, report)| {
        let news = news(&report, &Default::default(), &report.at);
        messages(&report, &news, &site).iter().map(|it| spelled(name, &[about.to_owned()], it, &[])).collect::<Vec<_>>()
    });
    all.collect()
}

fn write(folder: &str, function: &str, test: &str, messages: &[Value]) {
    let file = Path::new(folder).join(format!("{function}.{}.jsonl", test.replace("::", ".")));
    let lines: String = messages.iter().map(|it| format!("{it}\n")).collect();
    let kept = fs::create_dir_all(folder)
        .and_then(|()| OpenOptions::new().create(true).append(true).open(&file)?.write_all(lines.as_bytes()));
    assert!(kept.is_ok(), "{}: {kept:?}", file.display());
}

/// The kinds and subjects of what people are sent of a run that carries out `plan`, with that setting.
pub fn sent<S: Step>(function: &'static str, plan: &Plan<S>, routine: Routine) -> Vec<String> {
    let report = report(function, plan, |_| Ok(Value::Null));
    let news = news(&report, &Default::default(), &report.at);
    let told = messages(&report, &news, &Site { routine, ..SITE });
    told.into_iter().map(|it| format!("{} {}", it.kind, it.subject)).collect()
}

#[expect(clippy::disallowed_methods, reason = "the test that makes the page says where in the environment")]
fn folder() -> Option<String> {
    std::env::var(FOLDER).ok()
}

fn told<S: Step>(function: &'static str, plan: &Plan<S>) -> Vec<Value> {
    // Of any function, and the same of all.
    let mut told = if function == "deploy-image" { of_runs() } else { Vec::new() };
    let mut keep = |report: &Report| {
        let stories: BTreeSet<&str> = report
            .actions
            .iter()
            .map(|it| story(it.story.as_deref(), &it.resource))
            .chain(report.problems.iter().map(|it| it.resource.as_str()))
            .collect();
        for it in stories {
            told.extend(of_story(function, report, it));
        }
    };
    keep(&report(function, plan, |_| Ok(Value::Null)));
    let refused = Failure {
        code: "AccessDeniedException".into(),
        message: "AccessDeniedException: the role may not do that".into(),
        request_id: None,
    };
    let mut refused = report(function, plan, |_| Err(Undone::Failed(refused.clone())));
    refused.problems.clear();
    refused.actions.retain(|it| it.outcome == Outcome::Failed);
    refused.actions.truncate(1);
    keep(&refused);
    told
}

fn now() -> Zoned {
    "2026-11-21T03:10:00+09:00[Asia/Seoul]".parse().expect("a moment")
}

fn story<'a>(story: Option<&'a str>, resource: &'a str) -> &'a str {
    story.unwrap_or(resource)
}

/// What a run comes to if AWS answers every call so.
fn report<S: Step>(function: &'static str, plan: &Plan<S>, answer: impl Fn(&S) -> Result<Value, Undone>) -> Report {
    let now = now();
    let invoke_as = format!("nightshift-{function}");
    let conduct = Conduct {
        function,
        invoke_as: &invoke_as,
        region: SITE.region,
        now: &now,
        dry_run: false,
        max_changes: 500,
        out_of_time: &|| false,
    };
    let mut run = pin!(carry_out(plan, &conduct, async |step: &S| answer(step)));
    // Nothing in it waits for anything.
    loop {
        if let Poll::Ready(report) = run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return report;
        }
    }
}

/// The messages about one story, and what else of it holds a command.
fn of_story(function: &str, report: &Report, resource: &str) -> Vec<Value> {
    let mut report = report.clone();
    report.actions.retain(|it| story(it.story.as_deref(), &it.resource) == resource);
    report.problems.retain(|it| it.resource == resource);
    let undo = report.actions.iter().filter_map(|it| it.undo.clone());
    let of_problems = report.problems.iter().flat_map(|it| &it.choices);
    let choices = of_problems.chain(report.actions.iter().flat_map(|it| &it.choices));
    let commands: Vec<String> = undo.chain(choices.map(|it| it.line())).collect();
    let invoke_as = format!("nightshift-{function}");
    let news = news(&report, &Default::default(), &report.at);
    let told = messages(&report, &news, &Site { invoke_as: &invoke_as, ..SITE });
    let told = told.iter().map(|it| spelled(function, &about(&report), it, &commands));
    let told: Vec<Value> = told.collect();
    // A step that nobody is told of has an undo in the answer all the same.
    if told.is_empty() && !commands.is_empty() {
        vec![json!({"function": function, "commands": commands})]
    } else {
        told
    }
}

/// The kinds of the problems and the actions.
fn about(report: &Report) -> Vec<String> {
    let problems = report.problems.iter().map(|it| it.problem.clone());
    let done = report.actions.iter().filter(|it| it.tells.is_some() && it.outcome == Outcome::Done);
    let failed = report.actions.iter().filter(|it| it.outcome == Outcome::Failed).map(|_| "failed".to_owned());
    let mut about: Vec<String> = problems.chain(failed).chain(done.map(|it| it.action.to_owned())).collect();
    about.dedup();
    about
}

/// A message as a line of a file.
pub fn spelled(function: &str, about: &[String], message: &Message, commands: &[String]) -> Value {
    json!({
        "function": function,
        "about": about,
        "kind": message.kind.as_str(),
        "subject": message.subject,
        "text": message.text,
        "card": message.chat,
        "commands": commands,
    })
}
