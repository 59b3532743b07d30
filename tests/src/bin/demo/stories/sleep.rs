//! A weekend of a staging environment, tick by tick: what sleeps, who wakes it, and what AWS starts by itself.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use testkit::{Error, LocalAws, Result};

use super::Story;
use crate::play::Play;
use crate::screen;

pub const STORY: Story = Story {
    name: "sleep",
    about: "Friday evening to Monday morning: services and databases sleep, and what people start by hand stays up.",
    functions: &["scale-staging"],
    play,
};

const FUNCTION: &str = "scale-staging";
const CLUSTER: &str = "codemate-dev";
const BACKEND: &str = "codemate-backend";
const FRONTEND: &str = "codemate-frontend";
const DATABASE: &str = "codemate-dev-db";
const ARCHIVE: &str = "codemate-archive-db";
const HOURS: &str = "mon-fri 08:00-20:00";

/// How everything was at some tick.
#[derive(Clone)]
struct Moment {
    when: String,
    backend: i64,
    frontend: i64,
    database: String,
    archive: String,
    what: String,
}

fn play(play: &Play) -> Result<()> {
    the_shop(play)?;
    let mut line = Vec::new();
    friday(play, &mut line)?;
    saturday(play, &mut line)?;
    monday(play, &mut line)?;
    play.chapter(5, "The weekend as a line");
    timeline(&line);
    Ok(())
}

fn the_shop(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(1, "A staging environment");
    screen::say("Two services and two databases carry the tag nightshift:schedule, which says when they are awake.");
    aws.ecs("CreateCluster", json!({"clusterName": CLUSTER}))?;
    // The archive was put to sleep last Saturday, so that its seven days are over this Saturday at noon; the rest joins on
    // a Friday, when it should be awake.
    create_database(aws, ARCHIVE, "never")?;
    aws.set_clock(&Play::full_name(FUNCTION), "2026-11-14T12:00:00+09:00")?;
    play.ask(FUNCTION, &json!({}))?;
    settled(aws, ARCHIVE)?;
    aws.set_clock(&Play::full_name(FUNCTION), "2026-11-20T19:50:00+09:00")?;
    let tags = [
        (BACKEND, format!("{HOURS} after={DATABASE}")),
        (FRONTEND, HOURS.to_owned()),
        (DATABASE, HOURS.to_owned()),
        (ARCHIVE, "never".to_owned()),
    ];
    for (name, schedule) in &tags[..2] {
        aws.push_image(name, "4f2c9aa", name)?;
        aws.start_service(CLUSTER, name, &aws.image_uri(name, ":4f2c9aa"), &[("nightshift:schedule", schedule)])?;
    }
    aws.scaling(
        "RegisterScalableTarget",
        json!({"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount",
               "ResourceId": format!("service/{CLUSTER}/{BACKEND}"), "MinCapacity": 2, "MaxCapacity": 6}),
    )?;
    create_database(aws, DATABASE, HOURS)?;
    let rows: Vec<[String; 2]> = tags.iter().map(|(name, schedule)| [name.to_string(), schedule.clone()]).collect();
    screen::table(["resource", "nightshift:schedule"], &rows);
    screen::say(
        "The backend scales between 2 and 6 tasks. The database is backed up; the archive is needed a few days a year, and has been stopped since last Saturday.",
    );
    Ok(())
}

fn friday(play: &Play, line: &mut Vec<Moment>) -> Result<()> {
    let aws = play.aws();
    play.chapter(2, "Friday evening");
    let tonight = dry_run(play, "2026-11-20T19:55:00+09:00")?;
    screen::say("Five to eight. What will happen tonight?");
    screen::command(&format!(
        "printf %s '{{\"dry_run\":true}}' | aws lambda invoke --function-name nightshift-{FUNCTION} …"
    ));
    screen::table(["resource", "state, what is wanted, and when that changes"], &tonight);
    screen::claim("all four are in the answer", tonight.len() == 4, tonight.len())?;
    line.push(tick(play, "2026-11-20T19:55:00+09:00")?);
    line.push(tick(play, "2026-11-20T20:00:00+09:00")?);
    line.push(tick(play, "2026-11-20T20:05:00+09:00")?);
    show(&line[..]);
    screen::say(
        "At five to eight it only writes down, and tells once, that the database sleeps through the windows in which RDS takes its own backups and does its maintenance.",
    );
    let backend = aws.service(CLUSTER, BACKEND)?;
    let memory = tag(&backend, "nightshift-state:asleep");
    screen::fact("memory", &format!("nightshift-state:asleep = {memory}"));
    screen::claim("the size is remembered on the service itself", memory.contains("desired=2 min=2 max=6"), &memory)?;
    let stopped = line[2].database == "stopped";
    screen::claim(
        "the database went down after the tasks that need it",
        line[1].database == "available" && stopped,
        &line[2].database,
    )?;
    let snapshots = aws.rds("DescribeDBSnapshots", &[("DBInstanceIdentifier", DATABASE)])?;
    screen::claim(
        "with a snapshot, since it is backed up",
        snapshots.contains("codemate-dev-db-2026-11-20-200500"),
        &snapshots,
    )?;
    e_mails(play)?;

    screen::say("A person wants to work late, and asks for the backend until half past eleven:");
    let arn = backend["serviceArn"].clone();
    let wake = json!({"wake": {"resource": arn, "until": "23:30"}});
    screen::command(&format!(
        "printf %s '{}' | aws lambda invoke --function-name nightshift-{FUNCTION} …",
        screen::json(&json!({"wake": {"resource": "…/codemate-backend", "until": "23:30"}}))
    ));
    line.push(ask(play, "2026-11-20T21:00:00+09:00", &wake)?);
    line.push(tick(play, "2026-11-20T21:05:00+09:00")?);
    line.push(tick(play, "2026-11-20T23:30:00+09:00")?);
    line.push(tick(play, "2026-11-20T23:35:00+09:00")?);
    show(&line[3..]);
    screen::claim(
        "the database came up first, for the service that needs it",
        line[3].database == "available",
        &line[3].database,
    )?;
    screen::claim(
        "at half past eleven both went back to sleep",
        line[5].backend == 0 && line[6].database == "stopped",
        &line[6].database,
    )
}

fn saturday(play: &Play, line: &mut Vec<Moment>) -> Result<()> {
    let aws = play.aws();
    play.chapter(3, "Saturday");
    let from = line.len();
    screen::say(
        "A colleague starts the database in the console. And after seven days AWS starts the archive by itself.",
    );
    aws.rds("StartDBInstance", &[("DBInstanceIdentifier", DATABASE)])?;
    settled(aws, DATABASE)?;
    line.push(tick(play, "2026-11-21T11:00:00+09:00")?);
    aws.start_after_seven_days(ARCHIVE)?;
    line.push(tick(play, "2026-11-21T20:00:00+09:00")?);
    line.push(tick(play, "2026-11-22T03:00:00+09:00")?);
    show(&line[from..]);
    screen::claim(
        "what the colleague started stays up until Monday",
        line[from + 2].database == "available",
        &line[from + 2].database,
    )?;
    screen::claim("what AWS started is stopped again", line[from + 1].archive == "stopped", &line[from + 1].archive)?;
    screen::say(
        "RDS's events tell the one from the other. What happens every night is in the report of the day, no e-mail:",
    );
    let told = e_mails(play)?;
    screen::claim("since Friday evening there was none", told == 0, told)
}

/// Shows the subjects of what was sent since the last time; how many there are.
fn e_mails(play: &Play) -> Result<usize> {
    let mails = play.messages()?;
    for message in &mails {
        screen::fact("e-mail", message.subject.as_deref().unwrap_or_default());
    }
    Ok(mails.len())
}

fn monday(play: &Play, line: &mut Vec<Moment>) -> Result<()> {
    let aws = play.aws();
    play.chapter(4, "Monday morning");
    let from = line.len();
    line.push(tick(play, "2026-11-23T07:55:00+09:00")?);
    line.push(tick(play, "2026-11-23T08:00:00+09:00")?);
    line.push(tick(play, "2026-11-23T08:05:00+09:00")?);
    show(&line[from..]);
    let targets = aws.scaling("DescribeScalableTargets", json!({"ServiceNamespace": "ecs"}))?;
    let target = &targets["ScalableTargets"][0];
    let awake = line[from + 2].backend == 2 && line[from + 2].frontend == 2;
    screen::claim("both services are back with the tasks that they had", awake, line[from + 2].backend)?;
    let scales = target["MinCapacity"] == 2 && target["SuspendedState"]["DynamicScalingOutSuspended"] == false;
    screen::claim("and the backend scales between 2 and 6 again", scales, target)?;
    let service = aws.service(CLUSTER, BACKEND)?;
    screen::claim(
        "nothing is remembered any more",
        !service.to_string().contains("nightshift-state:"),
        &service["tags"],
    )?;
    let refused: Vec<_> = play.calls_in_all(FUNCTION)?.into_iter().filter(|it| it.status == 403).collect();
    screen::claim("none of its calls was refused by its own role", refused.is_empty(), format_args!("{refused:?}"))
}

/// One tick of the schedule at a moment.
fn tick(play: &Play, now: &str) -> Result<Moment> {
    ask(play, now, &json!({}))
}

/// Asks the function at a moment, and waits until RDS has done what it was told.
fn ask(play: &Play, now: &str, payload: &Value) -> Result<Moment> {
    let aws = play.aws();
    aws.set_clock(&Play::full_name(FUNCTION), now)?;
    let report = play.ask(FUNCTION, payload)?;
    settled(aws, DATABASE)?;
    settled(aws, ARCHIVE)?;
    let desired = |name| Ok::<_, Error>(aws.service(CLUSTER, name)?["desiredCount"].as_i64().unwrap_or_default());
    let actions = report["actions"].as_array().into_iter().flatten();
    let short = |it: &Value| it.as_str().unwrap_or_default().rsplit([':', '/']).next().unwrap_or_default().to_owned();
    let done = actions.map(|it| format!("{} {}", it["action"].as_str().unwrap_or_default(), short(&it["resource"])));
    let done: Vec<String> = done.collect();
    Ok(Moment {
        when: told(now)?,
        backend: desired(BACKEND)?,
        frontend: desired(FRONTEND)?,
        database: status(aws, DATABASE)?,
        archive: status(aws, ARCHIVE)?,
        what: if done.is_empty() { "nothing to do".into() } else { done.join(", ") },
    })
}

/// State, intent and next change of each resource.
fn dry_run(play: &Play, now: &str) -> Result<Vec<[String; 2]>> {
    play.aws().set_clock(&Play::full_name(FUNCTION), now)?;
    let report = play.ask(FUNCTION, &json!({"dry_run": true}))?;
    let skipped = report["skipped"].as_array().into_iter().flatten();
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let name = |it: &Value| text(it).rsplit([':', '/']).next().unwrap_or_default().to_owned();
    Ok(skipped.map(|it| [name(&it["resource"]), text(&it["reason"])]).collect())
}

/// The moment that the function's clock shows, as the tables have it: `Fri 20:00`.
fn told(now: &str) -> Result<String> {
    let moment: Timestamp = now.parse().map_err(|err| Error::new(format!("{now}: {err}")))?;
    let seoul = TimeZone::get("Asia/Seoul").map_err(|err| Error::new(err.to_string()))?;
    Ok(moment.to_zoned(seoul).strftime("%a %H:%M").to_string())
}

fn show(moments: &[Moment]) {
    let tasks = |it: i64| if it == 0 { "asleep".to_owned() } else { format!("{it} tasks") };
    let row = |it: &Moment| {
        [
            it.when.clone(),
            tasks(it.backend),
            tasks(it.frontend),
            it.database.clone(),
            it.archive.clone(),
            it.what.clone(),
        ]
    };
    let rows: Vec<[String; 6]> = moments.iter().map(row).collect();
    screen::table(["Seoul", "backend", "frontend", "database", "archive", "what the function did"], &rows);
}

/// A column for each resource, `■` where it was awake.
fn timeline(line: &[Moment]) {
    let mark = |awake: bool| if awake { "■" } else { "·" }.to_owned();
    let row = |it: &Moment| {
        [
            it.when.clone(),
            mark(it.backend > 0),
            mark(it.frontend > 0),
            mark(it.database == "available"),
            mark(it.archive == "available"),
        ]
    };
    let rows: Vec<[String; 5]> = line.iter().map(row).collect();
    screen::table(["Seoul", "backend", "frontend", "database", "archive"], &rows);
}

fn create_database(aws: &LocalAws, name: &str, schedule: &str) -> Result<()> {
    let parameters = [
        ("DBInstanceIdentifier", name),
        ("DBInstanceClass", "db.t4g.micro"),
        ("Engine", "postgres"),
        ("AllocatedStorage", "20"),
        ("MasterUsername", "codemate"),
        ("MasterUserPassword", "not-a-secret"),
        ("Tags.Tag.1.Key", "nightshift:schedule"),
        ("Tags.Tag.1.Value", schedule),
        ("Tags.Tag.2.Key", "nightshift:backup"),
        ("Tags.Tag.2.Value", "days=30"),
    ];
    aws.rds("CreateDBInstance", &parameters).map(drop)
}

fn status(aws: &LocalAws, name: &str) -> Result<String> {
    let xml = aws.rds("DescribeDBInstances", &[("DBInstanceIdentifier", name)])?;
    LocalAws::element(&xml, "DBInstanceStatus").map(str::to_owned)
}

fn settled(aws: &LocalAws, name: &str) -> Result<()> {
    aws.wait_until(&format!("{name} to come to rest"), || {
        Ok(["available", "stopped"].contains(&status(aws, name)?.as_str()).then_some(()))
    })
}

fn tag(service: &Value, key: &str) -> String {
    let tags = service["tags"].as_array().into_iter().flatten();
    tags.filter(|it| it["key"] == key).filter_map(|it| it["value"].as_str()).collect()
}
