//! Two restore drills of one database: a good one, and one whose check finds what nobody had noticed.

use serde_json::{Value, json};
use testkit::{Error, LocalAws, Result};

use super::Story;
use crate::play::Play;
use crate::screen;

pub const STORY: Story = Story {
    name: "drill",
    about: "Backups that are tried: restored, checked, measured and deleted, once a month; in November the check fails.",
    functions: &["drill-restores"],
    play,
};

const FUNCTION: &str = "drill-restores";
const CLUSTER: &str = "kfood-cluster";
const DATABASE: &str = "kfood-db";
const CHECK: &str = "kfood-drill";
const RULE: &str = "monthly rto=1h rpo=24h check=kfood-drill service=kfood-cluster/kfood-backend";
const LOG: &str = "/ecs/kfood";

/// A database of a person, called as those of drills are.
const BY_HAND: &str = "nightshift-drill-x";

/// A drill of the story.
struct Drill {
    date: &'static str,
    /// In UTC, when its snapshot was taken, and when its check ends.
    taken: &'static str,
    checked: &'static str,
    exit_code: i32,
    /// What the check says last.
    line: &'static str,
}

const OCTOBER: Drill = Drill {
    date: "2026-10-01",
    taken: "2026-09-30T18:00:00Z",
    checked: "2026-10-01T01:31:00Z",
    exit_code: 0,
    line: "214 tables, newest order of 02:58",
};

/// The first of November is a Sunday.
const NOVEMBER: Drill = Drill {
    date: "2026-11-02",
    taken: "2026-11-01T18:00:00Z",
    checked: "2026-11-02T01:22:00Z",
    exit_code: 1,
    line: "table payments has 0 rows",
};

impl Drill {
    fn snapshot(&self) -> String {
        format!("nightshift-{DATABASE}-{}", self.date)
    }

    fn database(&self) -> String {
        format!("nightshift-drill-{DATABASE}-{}", self.date)
    }
}

fn play(play: &Play) -> Result<()> {
    the_shop(play)?;
    what_is_due(play)?;
    a_good_drill(play)?;
    a_check_that_fails(play)?;
    what_it_may_delete(play)
}

fn the_shop(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(1, "A promise");
    screen::say(
        "The shop has promised to be back within an hour, with data of at most a day. Nobody has tried that. Now its database carries the tag nightshift:drill.",
    );
    screen::table(["database", "nightshift:drill"], &[[DATABASE.to_owned(), RULE.to_owned()]]);
    create_database(aws, DATABASE, &[("nightshift:drill", RULE), ("team", "food")])?;
    create_database(aws, BY_HAND, &[("owner", "kim")])?;
    snapshot(aws, &OCTOBER)?;
    aws.ecs("CreateCluster", json!({"clusterName": CLUSTER}))?;
    aws.push_image("kfood-backend", "v1", "kfood-backend 1")?;
    let image = aws.image_uri("kfood-backend", ":v1");
    aws.start_service(CLUSTER, "kfood-backend", &image, &[])?;
    let log = json!({"logDriver": "awslogs", "options": {
        "awslogs-group": LOG, "awslogs-region": LocalAws::REGION, "awslogs-stream-prefix": "drill",
    }});
    let check = json!([{"name": "check", "image": image, "essential": true, "logConfiguration": log}]);
    aws.ecs("RegisterTaskDefinition", json!({"family": CHECK, "containerDefinitions": check}))?;
    aws.logs("CreateLogGroup", json!({"logGroupName": LOG})).map(drop)
}

fn what_is_due(play: &Play) -> Result<()> {
    play.chapter(2, "What is due, and what it costs");
    clock(play, "2026-10-01T09:00:00+09:00")?;
    screen::command(&format!(
        "printf %s '{{\"dry_run\":true}}' | aws lambda invoke --function-name nightshift-{FUNCTION} …"
    ));
    let report = play.ask(FUNCTION, &json!({"dry_run": true}))?;
    let left = report["skipped"].as_array().into_iter().flatten();
    let row = |it: &Value| {
        let text = |field: &str| it[field].as_str().unwrap_or_default().to_owned();
        [text("resource").rsplit(':').next().unwrap_or_default().to_owned(), text("reason")]
    };
    let rows: Vec<[String; 2]> = left.map(row).collect();
    screen::table(["database", "what would happen"], &rows);
    let due = rows.iter().any(|[_, why]| why.contains("the next one is due on Thu 2026-10-01 10:00 KST"));
    screen::claim("it is due on the first weekday of October at 10:00", due, &report)
}

fn a_good_drill(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(3, "Thursday, the first of October");
    clock(play, "2026-10-01T10:03:00+09:00")?;
    let report = play.ask(FUNCTION, &json!({}))?;
    let restored = described(aws, &OCTOBER.database())?.unwrap_or_default();
    screen::say(&format!("At three past ten {} is restored as {}.", OCTOBER.snapshot(), OCTOBER.database()));
    let private = restored.contains("<PubliclyAccessible>false<") && restored.contains("<BackupRetentionPeriod>0<");
    screen::claim("it is not public, and has no backups of its own", private, &report)?;
    let tagged = restored.contains("<Key>team</Key><Value>food<") && !restored.contains("nightshift:drill");
    screen::claim("its cost is the team's, and no tag of Nightshift came along", tagged, &restored)?;

    screen::say(
        "At a quarter past it takes connections, although part of its data is still in S3. RDS's event wakes the function.",
    );
    clock(play, "2026-10-01T10:15:00+09:00")?;
    aws.restored(&OCTOBER.database(), "available", true)?;
    play.run(FUNCTION)?;
    end_check(play, &OCTOBER, "2026-10-01T10:32:00+09:00")?;
    let progress = tag(&described(aws, &OCTOBER.database())?.unwrap_or_default(), "nightshift-state:drill-progress");
    screen::fact("memory", &format!("nightshift-state:drill-progress = {progress}"));
    screen::claim("the check has found it right", progress.contains("proven=2026-10-01T01:31:00Z"), &progress)?;

    screen::say("At eight to eleven all data is there.");
    clock(play, "2026-10-01T10:52:00+09:00")?;
    aws.restored(&OCTOBER.database(), "available", false)?;
    play.run(FUNCTION)?;
    let mail = the_mail(play)?;
    screen::claim("people get both figures, and what the check has said", mail.contains(OCTOBER.line), &mail)?;
    gone(play, &OCTOBER)?;
    let proven = aws.rds("DescribeDBSnapshots", &[("DBSnapshotIdentifier", &OCTOBER.snapshot())])?;
    let known = tag(&proven, "nightshift-state:proven");
    screen::claim("the snapshot is known to be good, so the newest one like it stays", !known.is_empty(), &proven)?;
    let again = play.ask(FUNCTION, &json!({}))?;
    screen::claim("that was the drill of this month", again["actions"] == json!([]), &again["actions"])
}

fn a_check_that_fails(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(4, "Monday, the second of November");
    screen::say("A colleague has changed the nightly import in between. Every snapshot looks like those before.");
    snapshot(aws, &NOVEMBER)?;
    clock(play, "2026-11-02T10:03:00+09:00")?;
    play.ask(FUNCTION, &json!({}))?;
    clock(play, "2026-11-02T10:14:00+09:00")?;
    aws.restored(&NOVEMBER.database(), "available", false)?;
    play.run(FUNCTION)?;
    end_check(play, &NOVEMBER, "2026-11-02T10:23:00+09:00")?;
    let mail = the_mail(play)?;
    screen::claim("the empty table is found by a drill, not by a disaster", mail.contains(NOVEMBER.line), &mail)?;
    let drilled = tag(&described(aws, DATABASE)?.unwrap_or_default(), "nightshift-state:drilled");
    screen::fact("memory", &format!("nightshift-state:drilled = {drilled}"));
    let since = drilled.starts_with("failed ") && drilled.contains("good=2026-10-01");
    screen::claim("and since when there was no good drill", since, &drilled)?;
    gone(play, &NOVEMBER)
}

fn what_it_may_delete(play: &Play) -> Result<()> {
    play.chapter(5, "What it may delete");
    let aws = play.aws();
    let calls = play.calls_in_all(FUNCTION)?;
    let deleted: Vec<_> = calls.iter().filter(|it| it.action == "DeleteDBInstance").collect();
    screen::claim("two databases were restored, and these two were deleted", deleted.len() == 2, deleted.len())?;
    let there = described(aws, BY_HAND)?.is_some() && described(aws, DATABASE)?.is_some();
    screen::claim("kfood-db stays, and so does a person's nightshift-drill-x", there, "one of them is gone")?;
    let refused: Vec<_> = calls.iter().filter(|it| it.status == 403).collect();
    screen::claim("none of its calls was refused by its own role", refused.is_empty(), format_args!("{refused:?}"))
}

/// The check runs, says its last line, and ends; the event of that wakes the function.
fn end_check(play: &Play, drill: &Drill, then: &str) -> Result<()> {
    let aws = play.aws();
    let running = aws.ecs("ListTasks", json!({"cluster": CLUSTER, "family": CHECK, "desiredStatus": "RUNNING"}))?;
    let newest = running["taskArns"].as_array().and_then(|it| it.last()).and_then(Value::as_str);
    let arn = newest.ok_or_else(|| Error::new("the check does not run"))?;
    let task = arn.rsplit('/').next().unwrap_or_default();
    let stream = format!("drill/check/{task}");
    aws.logs("CreateLogStream", json!({"logGroupName": LOG, "logStreamName": stream}))?;
    let line = json!({"timestamp": 1_790_000_000_000_i64, "message": drill.line});
    aws.logs("PutLogEvents", json!({"logGroupName": LOG, "logStreamName": stream, "logEvents": [line]}))?;
    screen::say(&format!("The check {CHECK} runs against it, and ends with exit code {}.", drill.exit_code));
    clock(play, then)?;
    aws.end_tasks_at(CHECK, drill.exit_code, drill.checked)?;
    play.run(FUNCTION).map(drop)
}

/// The restored database is gone, and the run is over that the event of that has begun.
fn gone(play: &Play, drill: &Drill) -> Result<()> {
    let left = described(play.aws(), &drill.database())?;
    screen::claim("the restored database is deleted", left.is_none(), left.unwrap_or_default())?;
    play.run(FUNCTION).map(drop)
}

/// Shows the mail about the end of a drill, and returns its text in one line.
fn the_mail(play: &Play) -> Result<String> {
    let mails = play.messages()?;
    let end = mails.last().ok_or_else(|| Error::new("no mail has come"))?;
    screen::mail(crate::play::ADDRESS, end);
    screen::claim("people hear how it ends, and nothing before", mails.len() == 1, mails.len())?;
    Ok(end.body.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn clock(play: &Play, moment: &str) -> Result<()> {
    play.aws().set_clock(&Play::full_name(FUNCTION), moment)
}

/// What snapshot-databases left behind in the night.
fn snapshot(aws: &LocalAws, drill: &Drill) -> Result<()> {
    let id = drill.snapshot();
    let made_by = format!("snapshot-databases {id} {}", LocalAws::REGION);
    let parameters = [("DBInstanceIdentifier", DATABASE), ("DBSnapshotIdentifier", id.as_str())];
    call(aws, "CreateDBSnapshot", &parameters, &[("nightshift-state:made-by", &made_by)])?;
    aws.change_snapshot(&id, drill.taken, "available")
}

fn create_database(aws: &LocalAws, name: &str, tags: &[(&str, &str)]) -> Result<()> {
    let parameters = [
        ("DBInstanceIdentifier", name),
        ("DBInstanceClass", "db.t3.medium"),
        ("Engine", "postgres"),
        ("AllocatedStorage", "20"),
        ("MasterUsername", "owner"),
        ("MasterUserPassword", "not-a-secret"),
    ];
    call(aws, "CreateDBInstance", &parameters, tags)
}

fn call(aws: &LocalAws, action: &str, parameters: &[(&str, &str)], tags: &[(&str, &str)]) -> Result<()> {
    let keys = (1..=tags.len()).map(|it| (format!("Tags.Tag.{it}.Key"), format!("Tags.Tag.{it}.Value")));
    let keys: Vec<(String, String)> = keys.collect();
    let mut all = parameters.to_vec();
    for ((key, value), (tag, text)) in keys.iter().zip(tags) {
        all.extend([(key.as_str(), *tag), (value.as_str(), *text)]);
    }
    aws.rds(action, &all).map(drop)
}

/// What RDS says of a database, and nothing where there is none.
fn described(aws: &LocalAws, name: &str) -> Result<Option<String>> {
    let all = aws.rds("DescribeDBInstances", &[])?;
    let mut each = all.split("<DBInstance>").skip(1);
    Ok(each.find(|it| it.contains(&format!("<DBInstanceIdentifier>{name}<"))).map(str::to_owned))
}

/// The value of a tag in a description; empty without it.
fn tag(description: &str, key: &str) -> String {
    let value = description.split(&format!("<Key>{key}</Key><Value>")).nth(1).and_then(|it| it.split('<').next());
    value.unwrap_or_default().to_owned()
}
