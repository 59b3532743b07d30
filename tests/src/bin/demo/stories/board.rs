//! The board of a shop on this machine: what it shows, and what a button on it does.

use nightshift_tests::board_page::{Served, button, request};
use serde_json::json;
use testkit::{Error, LocalAws, Result};

use super::Story;
use crate::play::Play;
use crate::screen;

pub const STORY: Story = Story {
    name: "board",
    about: "The board of a shop: a person presses Approve on it, and the image that waited is deployed.",
    functions: &[
        "copy-buckets",
        "deploy-compose",
        "deploy-image",
        "drill-restores",
        "enforce-budget",
        "prune-backups",
        "remediate-alarm",
        "report-operations",
        "scale-staging",
        "snapshot-databases",
    ],
    play,
};

const STAGING: &str = "codemate-dev";
const PRODUCTION: &str = "codemate-cluster";
const BACKEND: &str = "codemate-backend";
const FRONTEND: &str = "codemate-frontend";
const DATABASE: &str = "codemate-db";
const HOURS: &str = "mon-fri 08:00-20:00";

/// Friday afternoon, and Monday morning, when people look.
const FRIDAY: &str = "2026-11-20T14:00:00+09:00";
const MONDAY: &str = "2026-11-23T10:15:00+09:00";

fn play(play: &Play) -> Result<()> {
    the_shop(play)?;
    let served = Served::start(LocalAws::STACK, play.aws().invoker()).map_err(Error::new)?;
    let page = the_board(play, &served)?;
    a_person_presses_it(play, &served, &page)?;
    let refused: Vec<_> =
        play.aws().calls()?.into_iter().filter(|it| it.function.is_some() && it.status == 403).collect();
    screen::claim("no role refused a call", refused.is_empty(), format_args!("{refused:?}"))?;
    screen::say("cargo demo board --keep leaves it open, for you to press the buttons.");
    Ok(())
}

fn the_shop(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(1, "CodeMate on a Monday morning");
    screen::say(
        "CodeMate has a staging that sleeps at night, and a production where a person approves each image of the \
         backend. The board is drawn from dry runs, so nothing has to happen before it is looked at.",
    );
    aws.deliver_events("lost")?;
    at(play, FRIDAY)?;
    let staging = [("nightshift:deploy", "newest except=latest"), ("nightshift:schedule", HOURS)];
    let backend = [
        ("nightshift:deploy", "newest except=latest approval=manual"),
        ("nightshift:deploy-window", "mon-thu 10:00-16:00 Asia/Seoul"),
    ];
    let frontend =
        [("nightshift:deploy", "newest except=latest"), ("nightshift:freeze", "\u{c7ac}\u{ace0} \u{c870}\u{c0ac}")];
    for cluster in [STAGING, PRODUCTION] {
        aws.ecs("CreateCluster", json!({"clusterName": cluster}))?;
    }
    for name in [BACKEND, FRONTEND] {
        aws.push_image(name, "c0ffee1", &format!("{name} 1"))?;
        aws.start_service(STAGING, name, &aws.image_uri(name, ":c0ffee1"), &staging)?;
    }
    aws.start_service(PRODUCTION, BACKEND, &aws.image_uri(BACKEND, ":c0ffee1"), &backend)?;
    aws.start_service(PRODUCTION, FRONTEND, &aws.image_uri(FRONTEND, ":c0ffee1"), &frontend)?;
    the_database(aws)?;
    the_budget(aws)?;
    the_alarm(aws)?;
    // The first run notes which images it has found.
    play.ask("deploy-image", &json!({}))?;
    at(play, "2026-11-23T09:40:00+09:00")?;
    aws.push_image(BACKEND, "c0ffee2", &format!("{BACKEND} 2"))?;
    play.ask("deploy-image", &json!({}))?;
    at(play, MONDAY)?;
    let rows = [
        [format!("{STAGING}/*"), staging[1].0.to_owned(), staging[1].1.to_owned()],
        [format!("{PRODUCTION}/{BACKEND}"), backend[0].0.to_owned(), backend[0].1.to_owned()],
        [format!("{PRODUCTION}/{BACKEND}"), backend[1].0.to_owned(), backend[1].1.to_owned()],
        [format!("{PRODUCTION}/{FRONTEND}"), frontend[1].0.to_owned(), frontend[1].1.to_owned()],
    ];
    screen::table(["resource", "tag", "value"], &rows);
    Ok(())
}

/// A database with its nights, of which one failed.
fn the_database(aws: &LocalAws) -> Result<()> {
    let instance = [
        ("DBInstanceIdentifier", DATABASE),
        ("DBInstanceClass", "db.t4g.small"),
        ("Engine", "postgres"),
        ("AllocatedStorage", "20"),
        ("MasterUsername", "owner"),
        ("MasterUserPassword", "not-a-secret"),
        ("Tags.Tag.1.Key", "nightshift:backup"),
        ("Tags.Tag.1.Value", "days=7"),
    ];
    aws.rds("CreateDBInstance", &instance)?;
    for day in 14..24 {
        let id = format!("nightshift-{DATABASE}-2026-11-{day}");
        let made_by = format!("snapshot-databases {id} {}", LocalAws::REGION);
        let snapshot = [
            ("DBInstanceIdentifier", DATABASE),
            ("DBSnapshotIdentifier", id.as_str()),
            ("Tags.Tag.1.Key", "nightshift-state:made-by"),
            ("Tags.Tag.1.Value", made_by.as_str()),
        ];
        aws.rds("CreateDBSnapshot", &snapshot)?;
        // It is three in the morning in Seoul.
        let (taken, status) =
            (format!("2026-11-{:02}T18:00:00Z", day - 1), if day == 19 { "failed" } else { "available" });
        aws.change_snapshot(&id, &taken, status)?;
    }
    Ok(())
}

fn the_budget(aws: &LocalAws) -> Result<()> {
    let period = json!({"Start": 1_767_225_600, "End": 3_706_473_600_u64});
    let budget = json!({"BudgetName": "CodeMate", "BudgetType": "COST", "TimeUnit": "MONTHLY", "TimePeriod": period,
                        "BudgetLimit": {"Amount": "675", "Unit": "USD"}});
    let enforced = json!([{"Key": "nightshift:budget", "Value": "enforce"}]);
    aws.budgets("CreateBudget", json!({"AccountId": LocalAws::ACCOUNT, "Budget": budget, "ResourceTags": enforced}))?;
    aws.change_budget("CodeMate", "521.40", Some("680.00"))
}

fn the_alarm(aws: &LocalAws) -> Result<()> {
    let remedy = format!("scale-out service={PRODUCTION}/{FRONTEND} step=1 max=5 then=notify");
    let alarm = json!({
        "AlarmName": "frontend-cpu", "Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average",
        "Period": 300, "EvaluationPeriods": 1, "Threshold": 80, "ComparisonOperator": "GreaterThanThreshold",
        "Tags": [{"Key": "nightshift:remedy", "Value": remedy}]});
    aws.cloudwatch("PutMetricAlarm", alarm)?;
    let reason = "Threshold Crossed: 91 % was more than 80 %";
    let state = json!({"AlarmName": "frontend-cpu", "StateValue": "ALARM", "StateReason": reason});
    aws.cloudwatch("SetAlarmState", state).map(drop)
}

/// Returns the page.
fn the_board(play: &Play, served: &Served) -> Result<String> {
    play.chapter(2, "The board");
    screen::say(&format!("It is at http://{}, for browsers of this machine only.", served.address()));
    play.aws().forget_calls()?;
    let page = asked(served, "GET /", "")?;
    let mut rows = Vec::new();
    for (part, text) in [
        ("Needs you", "c0ffee2 waits for your approval"),
        ("Images", "next c0ffee2"),
        ("Tonight", "awake Mon 10:15 to Mon 20:00"),
        ("Tonight", "may be deployed Mon 10:15 to Mon 16:00"),
        ("Tonight", "frozen</span> nightshift:freeze: \u{c7ac}\u{ace0} \u{c870}\u{c0ac}"),
        ("Backups", "1 failed"),
        ("Money", "521.40 of 675 USD (77 %)"),
        ("Alarms", "frontend-cpu"),
    ] {
        let is_there = page.contains(&format!("<h3>{part}</h3>")) && page.contains(text);
        if !is_there {
            return Err(Error::new(format!("{part} does not say {text:?}: {page}")));
        }
        rows.push([part.to_owned(), text.replace("</span>", "")]);
    }
    screen::table(["part", "what it says, among others"], &rows);
    screen::claim("every function was asked and has answered", !page.contains("could not be read"), &page)?;
    let kilobytes = page.len() / 1000;
    screen::claim(&format!("all of it is {kilobytes} KB of HTML, without a script of its own"), kilobytes < 60, &page)?;
    Ok(page)
}

fn a_person_presses_it(play: &Play, served: &Served, page: &str) -> Result<()> {
    let aws = play.aws();
    play.chapter(3, "A person presses Approve");
    let pressed = button(page, "Approve").ok_or_else(|| Error::new("the board has no button Approve"))?;
    screen::fact("sends", &pressed["payload"].to_string());
    let said = asked(served, "POST /press", &pressed.to_string())?;
    screen::claim("the window of the button says what is done", said.contains("c0ffee2"), &said)?;
    let deployed = || -> Result<usize> {
        Ok(aws.calls()?.iter().filter(|it| it.function.is_some() && it.action == "UpdateService").count())
    };
    aws.wait_until("the image to be deployed", || {
        let definition = aws.service(PRODUCTION, BACKEND)?["taskDefinition"].clone();
        let answer = aws.ecs("DescribeTaskDefinition", json!({"taskDefinition": definition, "include": ["TAGS"]}))?;
        let mut tags = answer["tags"].as_array().into_iter().flatten();
        let runs = tags.any(|it| it["key"] == "nightshift-state:image" && it["value"] == "c0ffee2");
        Ok(runs.then_some(()))
    })?;
    screen::claim("production runs c0ffee2", deployed()? == 1, deployed()?)?;
    let page = asked(served, "GET /", "")?;
    screen::claim("the board has nothing left to approve", button(&page, "Approve").is_none(), &page)?;
    screen::say("Another person has had the page open since before, and presses the same button:");
    asked(served, "POST /press", &pressed.to_string())?;
    screen::claim("nothing is deployed again", deployed()? == 1, deployed()?)
}

// ------------------------------------------------------------------------------------------------ turns of phrase

fn asked(served: &Served, what: &str, body: &str) -> Result<String> {
    let host = served.address().to_string();
    let headers = [("host", host.as_str()), ("content-type", "application/json")];
    let (status, text) = request(served.address(), what, &headers, body).map_err(Error::new)?;
    if status == 200 { Ok(text) } else { Err(Error::new(format!("{what} is answered with {status}: {text}"))) }
}

/// From now on it is this moment for AWS and for the functions.
fn at(play: &Play, moment: &str) -> Result<()> {
    let names: Vec<String> = STORY.functions.iter().map(|it| Play::full_name(it)).collect();
    play.aws().set_moment(moment, &names.iter().map(String::as_str).collect::<Vec<_>>())
}
