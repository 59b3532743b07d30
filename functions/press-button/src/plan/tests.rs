//! Tests of the decision: stories of messages and their buttons, and the laws.

mod laws;
mod stories;

use board::DryRun;
use jiff::Zoned;
use reconcile::memory::news;
use reconcile::message::{Site, messages};
use reconcile::{Button, Choice, Fact, MessageKind, Plan, Problem, Report, Routine, Undo};
use serde_json::{Value, json};

use super::{Press, Pressed, plan};

pub const SERVICE: &str = "arn:aws:ecs:ap-northeast-2:123456789012:service/truegul-production/api-server";
pub const DATABASE: &str = "arn:aws:rds:ap-northeast-2:123456789012:db:codemate-dev-db";

pub fn at(text: &str) -> Zoned {
    format!("{text}+09:00[Asia/Seoul]").parse().unwrap()
}

/// What a function reports: these problems with what a person can decide, and these facts.
pub fn report(function: &str, now: &Zoned, problems: Vec<Problem>, facts: Value) -> Report {
    let facts = facts.as_array().cloned().unwrap_or_default().into_iter();
    let fact = |mut it: Value| {
        let resource = it.as_object_mut().unwrap().remove("resource").unwrap();
        Fact { resource: resource.as_str().unwrap().to_owned(), fact: it }
    };
    Report { problems, facts: facts.map(fact).collect(), ..Report::new(function, now.clone()) }
}

/// A problem that offers these commands.
pub fn asks(resource: &str, offers: &[Value]) -> Problem {
    let choice = |it: &Value| Choice::new("Approve", Undo::Command(it.clone()));
    Problem {
        resource: resource.into(),
        problem: "needs-approval".into(),
        kind: MessageKind::NeedsYou,
        story: None,
        choices: offers.iter().map(choice).collect(),
        monthly: false,
        message: "v1.1.0 waits for your approval (runs v1.0.0)".into(),
    }
}

/// The values of the buttons under the message about it.
pub fn buttons(report: &Report) -> Value {
    let site = Site {
        invoke_as: "nightshift",
        region: Some("ap-northeast-2"),
        console: Some("console.aws.amazon.com"),
        routine: Routine::Each,
        runbooks: None,
    };
    let told = messages(report, &news(report, &Default::default(), &report.at), &site);
    told.first().map_or(Value::Null, |it| it.chat["metadata"]["additionalContext"].clone())
}

/// What the function says now, as it is read from its answer.
pub fn dry_run(report: &Report) -> DryRun {
    let answer = serde_json::to_value(Report { dry_run: true, ..report.clone() }).unwrap();
    DryRun::read(&answer).unwrap()
}

/// What pressing the button of that value comes to.
pub fn press(value: &str, report: &Report, now: &Zoned) -> Plan<Press> {
    let button = Button::of_value(value).unwrap_or_else(|| panic!("{value} is not a button"));
    plan(Some(&Pressed { button, value: value.into() }), Some(&dry_run(report)), now)
}

/// The command that is sent; the error is what the person reads instead.
pub fn sent(value: &str, report: &Report, now: &Zoned) -> Result<Value, String> {
    let plan = press(value, report, now);
    match plan.steps.first() {
        Some(it) => Ok(it.step.command.clone()),
        None => Err(plan.skipped[0].reason.clone()),
    }
}

pub fn image(running: &str) -> Value {
    json!({"resource": SERVICE, "fact": "image", "service": "truegul-production/api-server", "running": "v1.1.0", "digest": running})
}
