//! A month of a budget: staging is put to sleep on the 24th, when the money is spent, and is free again on the 1st.

use serde_json::{Value, json};
use testkit::{Error, LocalAws, Result};

use super::Story;
use crate::play::{ADDRESS, Play};
use crate::screen;

pub const STORY: Story = Story {
    name: "budget",
    about: "A month of a budget: staging sleeps from the 24th, when the money is spent, to the 1st.",
    functions: &["enforce-budget", "scale-staging"],
    play,
};

const FUNCTION: &str = "enforce-budget";
const CLUSTER: &str = "truegul";
const BUDGET: &str = "TrueGul Monthly";
const HOLD: &str = "nightshift-state:hold";
const TAGS: [(&str, &str); 2] = [("nightshift:budget", "sleep-at=100"), ("nightshift:schedule", "always")];

/// The services, and whether they are expendable.
const SERVICES: [(&str, bool); 3] = [("staging-api", true), ("staging-ml", true), ("production-api", false)];

/// What a day costs in cents, with staging and without.
const DAY: (i64, i64) = (1_270, 840);

fn play(play: &Play) -> Result<()> {
    what_is_expendable(play)?;
    let mut month = Month::default();
    until_the_money_is_spent(play, &mut month)?;
    late_doubled_and_forged(play, &month)?;
    until_the_month_is_over(play, &mut month)
}

fn what_is_expendable(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(1, "What is expendable");
    screen::say(
        "TrueGul may cost 300 USD a month. AWS Budgets would mail when that is spent, and do no more. \
         Two services say by a tag that they may sleep then; the budget says that it is enforced.",
    );
    aws.ecs("CreateCluster", json!({"clusterName": CLUSTER}))?;
    aws.push_image("truegul", "v1.0.0", "truegul 1.0.0")?;
    for (name, expendable) in SERVICES {
        let image = aws.image_uri("truegul", ":v1.0.0");
        aws.start_service(CLUSTER, name, &image, if expendable { &TAGS } else { &[] })?;
    }
    let tag = |expendable| if expendable { TAGS[0].1 } else { "" };
    screen::table(["service", "nightshift:budget"], &SERVICES.map(|(name, it)| [name.to_owned(), tag(it).to_owned()]));
    let period = json!({"Start": 1_767_225_600, "End": 3_706_473_600_u64});
    let budget = json!({"BudgetName": BUDGET, "BudgetType": "COST", "TimeUnit": "MONTHLY", "TimePeriod": period,
                        "BudgetLimit": {"Amount": "300", "Unit": "USD"}});
    let enforced = json!([{"Key": "nightshift:budget", "Value": "enforce"}]);
    aws.budgets("CreateBudget", json!({"AccountId": LocalAws::ACCOUNT, "Budget": budget, "ResourceTags": enforced}))?;
    Ok(())
}

/// What November has cost so far, and how each of its days went.
#[derive(Default)]
struct Month {
    cents: i64,
    /// A letter for each day.
    days: String,
}

impl Month {
    /// A day passes: AWS has new figures by the evening.
    fn pass(&mut self, play: &Play, day: i64, asleep: bool) -> Result<()> {
        self.cents += if asleep { DAY.1 } else { DAY.0 };
        // AWS reckons with a forecast when it has seen enough of the month.
        let forecast = (day >= 15).then(|| dollars(self.cents * 30 / day));
        play.aws().change_budget(BUDGET, &dollars(self.cents), forecast.as_deref())?;
        set_clock(play, &format!("2026-11-{day:02}T18:00:00+09:00"))
    }
}

fn until_the_money_is_spent(play: &Play, month: &mut Month) -> Result<()> {
    play.chapter(2, "November, day by day");
    screen::say("Four times a day the function reads the figures. On most days there is nothing to say.");
    let mut told = Vec::new();
    for day in 1..24 {
        month.pass(play, day, false)?;
        let report = play.ask(FUNCTION, &json!({}))?;
        month.days.push('·');
        for action in report["actions"].as_array().into_iter().flatten() {
            told.push((day, action["action"].as_str().unwrap_or_default().to_owned()));
            screen::fact(&format!("Nov {day}"), action["reason"].as_str().unwrap_or_default());
        }
    }
    let steps = [(15, "warn".to_owned()), (19, "warn".to_owned())];
    screen::claim("the forecast is told once, and 80 % once", told == steps, format_args!("{told:?}"))?;
    screen::claim("a forecast puts nothing to sleep", held(play)?.is_empty(), "a hold")?;
    for message in play.messages()? {
        screen::fact("mail", message.subject.as_deref().unwrap_or_default());
    }
    month.pass(play, 24, false)?;
    month.days.push('·');
    screen::say("The 24th: AWS Budgets notifies the stack's topic that all of it is spent.");
    notify(play, &dollars(month.cents))?;
    let run = play.run(FUNCTION)?;
    for name in ["staging-api", "staging-ml"] {
        screen::fact(name, run.reason(name, "hold")?);
    }
    for message in play.messages()? {
        screen::mail(ADDRESS, &message);
    }
    screen::claim("both services of staging are held", held(play)? == ["staging-api", "staging-ml"], "no hold")?;
    screen::claim("production is not held", tag(play, "production-api", HOLD)?.is_none(), "a hold")?;
    let calls = play.calls_in_all(FUNCTION)?;
    let woken = calls.iter().filter(|it| it.action == "InvokeFunction").count();
    screen::claim("scale-staging, which alone changes capacity, was woken for each", woken == 2, woken)
}

fn late_doubled_and_forged(play: &Play, month: &Month) -> Result<()> {
    let aws = play.aws();
    play.chapter(3, "Late, doubled, forged");
    screen::say("The notification comes twice more, and then a credit makes the figures smaller than they were.");
    play.calls(FUNCTION)?;
    for _ in 0..2 {
        notify(play, &dollars(month.cents))?;
        play.run(FUNCTION)?;
    }
    aws.change_budget(BUDGET, "270.00", None)?;
    let report = play.ask(FUNCTION, &json!({}))?;
    let wrote: Vec<_> = play.calls(FUNCTION)?.into_iter().filter(changes).map(|it| it.action).collect();
    screen::claim("nothing is written, nothing is sent", wrote.is_empty(), format_args!("{wrote:?}"))?;
    screen::claim("and what sleeps stays asleep", held(play)?.len() == 2, &report)?;
    aws.change_budget(BUDGET, &dollars(month.cents), None)?;
    screen::say("A person sends what looks like a notification: 9,999 dollars spent.");
    notify(play, "9,999.00")?;
    let run = play.run(FUNCTION)?;
    screen::fact("told", run.reason(BUDGET, "problem: unconfirmed")?);
    play.messages()?;
    Ok(())
}

fn until_the_month_is_over(play: &Play, month: &mut Month) -> Result<()> {
    play.chapter(4, "The 1st");
    let mut quiet = true;
    for day in 25..31 {
        month.pass(play, day, true)?;
        let report = play.ask(FUNCTION, &json!({}))?;
        month.days.push('☾');
        quiet &= report["actions"] == json!([]);
    }
    screen::claim("until the 30th nothing changes, and nothing is said", quiet, "a change")?;
    set_clock(play, "2026-12-01T09:17:00+09:00")?;
    let report = play.ask(FUNCTION, &json!({}))?;
    let released = report["actions"].as_array().into_iter().flatten().find(|it| it["action"] == "release");
    screen::fact("why", released.and_then(|it| it["reason"].as_str()).unwrap_or_default());
    screen::claim(
        "both are free again, seventeen minutes into December as AWS counts it, in UTC",
        held(play)?.is_empty(),
        &report,
    )?;
    for message in play.messages()? {
        screen::mail(ADDRESS, &message);
    }
    let spent = dollars(month.cents);
    let otherwise = dollars(DAY.0 * 30);
    screen::say("November, a sign for each day. Awake is ·, asleep is ☾.");
    screen::put(format_args!("\n  staging  {}·\n", month.days));
    screen::say(&format!(
        "It has cost {spent} USD; with staging awake it would have been {otherwise}. A budget is a slow brake: \
         figures of AWS are hours late."
    ));
    let december = play.ask(FUNCTION, &json!({}))?;
    screen::claim(
        "until AWS has figures of December, nothing is decided by those of November",
        december["actions"] == json!([]),
        &december,
    )
}

fn dollars(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn set_clock(play: &Play, moment: &str) -> Result<()> {
    play.aws().set_environment(&Play::full_name(FUNCTION), &[("NIGHTSHIFT_NOW", moment)])
}

/// Publishes what AWS Budgets would.
fn notify(play: &Play, amount: &str) -> Result<()> {
    let text = format!(
        "AWS Budget Notification November 24, 2026\nAWS Account {}\n\nDear AWS Customer,\n\nBudget Name: {BUDGET}\n\
         Budget Type: Cost\nBudgeted Amount: $300.00\nAlert Type: ACTUAL\nAlert Threshold: > $300.00\nACTUAL Amount: ${amount}\n",
        LocalAws::ACCOUNT
    );
    let subject = format!("AWS Budgets: {BUDGET} has exceeded your alert threshold");
    let topic = play.aws().output("BudgetTopicArn")?;
    play.aws().sns("Publish", &[("TopicArn", topic), ("Subject", &subject), ("Message", &text)]).map(drop)
}

/// The services that a budget holds.
fn held(play: &Play) -> Result<Vec<&'static str>> {
    let mut held = Vec::new();
    for (name, _) in SERVICES {
        if tag(play, name, HOLD)?.is_some_and(|it| it.starts_with("by=budget:TrueGul_Monthly ")) {
            held.push(name);
        }
    }
    Ok(held)
}

fn tag(play: &Play, service: &str, key: &str) -> Result<Option<String>> {
    let tags: Value = play.aws().service(CLUSTER, service)?["tags"].clone();
    let tags = tags.as_array().ok_or_else(|| Error::new(format!("{service} has no tags at all")))?;
    Ok(tags.iter().find(|it| it["key"] == key).and_then(|it| it["value"].as_str()).map(str::to_owned))
}

/// Whether a call changes or sends something; ViewBudget is IAM's word for reading.
fn changes(call: &testkit::Call) -> bool {
    crate::function::is_write(call) && call.action != "ViewBudget" && call.action != "AssumeRole"
}
