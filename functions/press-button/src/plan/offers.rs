//! What is on offer now, by the dry run of the function that takes the command.

use std::collections::BTreeSet;

use board::DryRun;
use jiff::civil::{Date, time};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use reconcile::Button;
use rules::facts::{Budget, Fact, Image, Sleep, SleepState};
use serde_json::{Value, json};

/// Something that a button can do now.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The ARN of what it is about.
    pub resource: String,
    /// What people call that.
    pub about: String,
    pub command: Value,
    /// The values of the buttons that mean it.
    pub values: BTreeSet<String>,
}

/// How far back a message can offer something that is still so. Nothing sleeps, and no period of a budget lasts, longer.
const MOST_DAYS: i32 = 370;

/// What `button` can do now.
pub fn of(button: Button, run: &DryRun, now: &Zoned) -> Vec<Offer> {
    match button {
        Button::Approve | Button::Reject => decisions(button, run, now),
        Button::RollBack => {
            let images = facts(run, |it| if let Fact::Image(it) = it { Some(it) } else { None });
            images.filter_map(|(arn, it)| rollback(arn, it, now)).collect()
        }
        Button::Wake => {
            let sleeps = facts(run, |it| if let Fact::Sleep(it) = it { Some(it) } else { None });
            sleeps.map(|(arn, it)| wake(arn, it, now)).collect()
        }
        Button::Release => {
            let budgets = facts(run, |it| if let Fact::Budget(it) = it { Some(it) } else { None });
            budgets.filter_map(|(arn, it)| release(arn, it, now)).collect()
        }
    }
}

fn facts<'a, T: 'a>(run: &'a DryRun, of: impl Fn(&'a Fact) -> Option<&'a T>) -> impl Iterator<Item = (&'a str, &'a T)> {
    run.facts.iter().filter_map(move |(arn, fact)| Some((arn.as_str(), of(fact)?)))
}

/// What a person can decide about problems. Another function's command is not this button's.
fn decisions(button: Button, run: &DryRun, now: &Zoned) -> Vec<Offer> {
    let choices = run.problems.iter().flat_map(|it| it.choices.iter().map(move |choice| (it, choice)));
    choices
        .filter(|(_, choice)| choice.function.as_deref().is_none_or(|it| it == button.function()))
        .filter_map(|(problem, choice)| {
            let (of, value) = Button::value(&choice.payload, now.date())?;
            let about = choice.payload[button.name()]["service"].as_str()?.to_owned();
            let resource = problem.resource.clone();
            (of == button).then(|| Offer { resource, about, command: choice.payload.clone(), values: [value].into() })
        })
        .collect()
}

fn rollback(arn: &str, it: &Image, now: &Zoned) -> Option<Offer> {
    let command = json!({"rollback": {"service": it.service, "image": it.digest.as_ref()?}});
    let (_, value) = Button::value(&command, now.date())?;
    Some(Offer { resource: arn.into(), about: it.service.clone(), command, values: [value].into() })
}

/// A message that something sleeps, or soon will, offers to wake it: as long as that sleep lasts, or on that day.
fn wake(arn: &str, it: &Sleep, now: &Zoned) -> Offer {
    let since = it.since.filter(|_| it.state != SleepState::Awake);
    let values = values(&json!({"wake": {"resource": arn}}), since.unwrap_or(now.timestamp()), now);
    let command = json!({"wake": {"resource": arn, "until": evening(now).to_string()}});
    Offer { resource: arn.into(), about: it.name.clone(), command, values }
}

/// A message that something sleeps for a budget offers to release it, as long as the period of the budget lasts.
fn release(arn: &str, it: &Budget, now: &Zoned) -> Option<Offer> {
    let command = json!({"release": {"budget": it.name}});
    let values = values(&command, it.from, now);
    let is_now = it.from <= now.timestamp() && now.timestamp() < it.until;
    (is_now && !it.held.is_empty()).then(|| Offer { resource: arn.into(), about: it.name.clone(), command, values })
}

/// The values of the buttons of messages that were sent from `since` until now.
fn values(command: &Value, since: Timestamp, now: &Zoned) -> BTreeSet<String> {
    let first: Date = since.to_zoned(now.time_zone().clone()).date();
    let first = first.max(now.date().saturating_sub(MOST_DAYS.days()));
    let days = first.series(1.day()).take_while(|it| *it <= now.date());
    days.filter_map(|it| Button::value(command, it).map(|it| it.1)).collect()
}

/// Eight in the evening of the stack's zone; a person who presses shortly before or after that gets four hours.
fn evening(now: &Zoned) -> Timestamp {
    let eight = now.date().to_datetime(time(20, 0, 0, 0)).to_zoned(now.time_zone().clone());
    let soon = now.timestamp() + SignedDuration::from_hours(1);
    let eight = eight.map(|it| it.timestamp()).ok().filter(|it| *it >= soon);
    let minutes = |it: Timestamp| Timestamp::from_second(it.as_second().div_euclid(60) * 60).unwrap_or(it);
    eight.unwrap_or_else(|| minutes(now.timestamp() + SignedDuration::from_hours(4)))
}
