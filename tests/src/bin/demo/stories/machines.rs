//! A shop on machines: an instance, a group and their database asleep over a weekend, a morning without capacity, and a
//! budget that is spent.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use testkit::{Error, LocalAws, Result};

use super::Story;
use crate::play::{ADDRESS, Play};
use crate::screen;

pub const STORY: Story = Story {
    name: "machines",
    about: "An EC2 instance, an Auto Scaling group and their database sleep at night and for a budget; one morning AWS has no capacity.",
    functions: &["scale-staging", "enforce-budget"],
    play,
};

const FUNCTION: &str = "scale-staging";
const BUDGETS: &str = "enforce-budget";
const GROUP: &str = "table-order-web";
const DATABASE: &str = "table-order-db";
const BUDGET: &str = "Table Order";
const HOURS: &str = "mon-fri 08:00-20:00";

/// How everything was at some tick.
struct Moment {
    when: String,
    instance: String,
    group: i64,
    database: String,
    what: String,
}

fn play(play: &Play) -> Result<()> {
    let instance = the_shop(play)?;
    friday(play, &instance)?;
    monday(play, &instance)?;
    the_budget(play, &instance)?;
    let mut calls = play.calls_in_all(FUNCTION)?;
    calls.extend(play.calls_in_all(BUDGETS)?);
    // What the story itself has AWS refuse is not a matter of permissions.
    let refused: Vec<_> = calls.into_iter().filter(|it| it.status == 403).collect();
    screen::claim("none of their calls was refused by their own roles", refused.is_empty(), format_args!("{refused:?}"))
}

fn the_shop(play: &Play) -> Result<String> {
    let aws = play.aws();
    play.chapter(1, "A shop on machines");
    screen::say(
        "Table Order runs on one EC2 instance; an Auto Scaling group answers its web pages, and both use one database. \
         The same tag as on ECS says when each is awake.",
    );
    set_clocks(play, "2026-11-20T19:50:00+09:00")?;
    let needs_database = format!("{HOURS} after={DATABASE}");
    let database = [
        ("DBInstanceIdentifier", DATABASE),
        ("DBInstanceClass", "db.t4g.micro"),
        ("Engine", "postgres"),
        ("AllocatedStorage", "20"),
        ("MasterUsername", "table"),
        ("MasterUserPassword", "not-a-secret"),
        ("Tags.Tag.1.Key", "nightshift:schedule"),
        ("Tags.Tag.1.Value", HOURS),
    ];
    aws.rds("CreateDBInstance", &database)?;
    let instance = [
        ("ImageId", "ami-0abc"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", "table-order"),
        ("TagSpecification.1.Tag.2.Key", "nightshift:schedule"),
        ("TagSpecification.1.Tag.2.Value", &needs_database),
    ];
    let instance = LocalAws::element(&aws.ec2("RunInstances", &instance)?, "instanceId")?.to_owned();
    let group = [
        ("AutoScalingGroupName", GROUP),
        ("MinSize", "1"),
        ("MaxSize", "4"),
        ("DesiredCapacity", "2"),
        ("Tags.member.1.Key", "nightshift:schedule"),
        ("Tags.member.1.Value", &needs_database),
        ("Tags.member.1.ResourceId", GROUP),
        ("Tags.member.1.ResourceType", "auto-scaling-group"),
        ("Tags.member.1.PropagateAtLaunch", "false"),
    ];
    aws.groups("CreateAutoScalingGroup", &group)?;
    settled(aws)?;
    let rows = [("instance", "table-order", &needs_database), ("group", GROUP, &needs_database)];
    let rows = rows.map(|(kind, name, tag)| [kind.to_owned(), name.to_owned(), tag.clone()]);
    let database = ["database".to_owned(), DATABASE.to_owned(), HOURS.to_owned()];
    screen::table(["kind", "name", "nightshift:schedule"], &[&rows[..], &[database]].concat());
    Ok(instance)
}

fn friday(play: &Play, instance: &str) -> Result<()> {
    play.chapter(2, "Friday evening");
    let line = [
        tick(play, instance, "2026-11-20T19:55:00+09:00")?,
        tick(play, instance, "2026-11-20T20:00:00+09:00")?,
        tick(play, instance, "2026-11-20T20:05:00+09:00")?,
    ];
    show(&line);
    let memory = memory_of_group(play.aws())?;
    screen::fact("memory", &format!("nightshift-state:asleep = {memory}"));
    screen::claim(
        "the group's size is remembered on the group itself",
        memory.contains("desired=2 min=1 max=4"),
        &memory,
    )?;
    screen::claim(
        "the instance is stopped, and the group has no instances",
        line[1].instance == "stopped" && line[1].group == 0,
        &line[1].instance,
    )?;
    screen::claim(
        "the database went down after both",
        line[1].database == "available" && line[2].database == "stopped",
        &line[2].database,
    )?;
    play.messages().map(drop)
}

fn monday(play: &Play, instance: &str) -> Result<()> {
    let aws = play.aws();
    play.chapter(3, "Monday morning, and AWS has no capacity");
    screen::say(
        "The database is woken first. Then AWS has no room for an instance of this type in this zone, which can \
         happen to every instance that was stopped.",
    );
    let mut line = vec![tick(play, instance, "2026-11-23T08:00:00+09:00")?];
    aws.fail_calls("ec2", "StartInstances", 1, "InsufficientInstanceCapacity")?;
    line.push(tick(play, instance, "2026-11-23T08:05:00+09:00")?);
    line.push(tick(play, instance, "2026-11-23T08:10:00+09:00")?);
    show(&line);
    screen::claim(
        "the database serves before anything else is woken",
        line[0].instance == "stopped" && line[0].group == 0 && line[1].database == "available",
        &line[1].database,
    )?;
    screen::claim("the group has its two instances back", line[1].group == 2, line[1].group)?;
    screen::claim("the instance is still stopped", line[2].instance == "stopped", &line[2].instance)?;
    let mails = play.messages()?;
    let told: Vec<_> = mails.iter().filter(|it| it.body.contains("no capacity for its instance type")).collect();
    screen::claim("you are told once, with what helps", told.len() == 1, told.len())?;
    for message in told {
        screen::mail(ADDRESS, message);
    }
    screen::say("Nobody does anything. An hour later it is tried again:");
    let line = [tick(play, instance, "2026-11-23T09:05:00+09:00")?, tick(play, instance, "2026-11-23T09:10:00+09:00")?];
    show(&line);
    screen::claim("the instance runs, and nothing is remembered any more", is_awake(aws, instance)?, &line[1].instance)
}

fn the_budget(play: &Play, instance: &str) -> Result<()> {
    let aws = play.aws();
    play.chapter(4, "31 USD a month");
    screen::say("The shop may cost 31 USD a month. What may sleep once that is spent says so by a second tag.");
    let period = json!({"Start": 1_767_225_600, "End": 3_706_473_600_u64});
    let budget = json!({"BudgetName": BUDGET, "BudgetType": "COST", "TimeUnit": "MONTHLY", "TimePeriod": period,
                        "BudgetLimit": {"Amount": "31", "Unit": "USD"}});
    let enforced = json!([{"Key": "nightshift:budget", "Value": "enforce"}]);
    aws.budgets("CreateBudget", json!({"AccountId": LocalAws::ACCOUNT, "Budget": budget, "ResourceTags": enforced}))?;
    let (key, value) = ("nightshift:budget", "sleep-at=100");
    screen::command(&format!("aws ec2 create-tags --resources {instance} --tags Key={key},Value={value}"));
    aws.ec2("CreateTags", &[("ResourceId.1", instance), ("Tag.1.Key", key), ("Tag.1.Value", value)])?;
    let database = format!("arn:aws:rds:{}:{}:db:{DATABASE}", LocalAws::REGION, LocalAws::ACCOUNT);
    aws.rds("AddTagsToResource", &[("ResourceName", &database), ("Tags.Tag.1.Key", key), ("Tags.Tag.1.Value", value)])?;
    aws.change_budget(BUDGET, "31.40", None)?;
    set_clocks(play, "2026-11-24T13:00:00+09:00")?;
    let first = play.ask(BUDGETS, &json!({}))?;
    screen::claim("one reading of 101 % puts nothing to sleep", count(&first, "hold") == 0, &first)?;
    set_clocks(play, "2026-11-24T15:00:00+09:00")?;
    let second = play.ask(BUDGETS, &json!({}))?;
    screen::claim("the second one, two hours later, holds both", count(&second, "hold") == 2, &second)?;
    // Each hold wakes the function that puts to sleep.
    let mut holds = second["actions"].as_array().into_iter().flatten().filter(|it| it["action"] == "hold");
    holds.try_for_each(|_| play.run(FUNCTION).map(drop))?;
    let mut line =
        vec![tick(play, instance, "2026-11-24T15:05:00+09:00")?, tick(play, instance, "2026-11-25T12:00:00+09:00")?];
    screen::claim(
        "the instance and its database sleep by day too, and the group goes on",
        line[1].instance == "stopped" && line[1].group == 2,
        &line[1].instance,
    )?;
    aws.change_budget(BUDGET, "0.40", None)?;
    set_clocks(play, "2026-12-02T09:30:00+09:00")?;
    let released = play.ask(BUDGETS, &json!({}))?;
    screen::claim("in December both are free again", count(&released, "release") == 2, &released)?;
    (0..2).try_for_each(|_| play.run(FUNCTION).map(drop))?;
    line.push(tick(play, instance, "2026-12-02T09:35:00+09:00")?);
    line.push(tick(play, instance, "2026-12-02T09:40:00+09:00")?);
    show(&line);
    screen::claim("and awake", is_awake(aws, instance)? && line[3].database == "available", &line[3].instance)
}

/// How many actions of this name were carried out.
fn count(report: &Value, action: &str) -> usize {
    let actions = report["actions"].as_array().into_iter().flatten();
    actions.filter(|it| it["action"] == action && it["outcome"] == "done").count()
}

fn set_clocks(play: &Play, now: &str) -> Result<()> {
    [FUNCTION, BUDGETS].iter().try_for_each(|it| play.aws().set_clock(&Play::full_name(it), now))
}

/// One tick of the schedule at a moment; waits until RDS has done what it was told.
fn tick(play: &Play, instance: &str, now: &str) -> Result<Moment> {
    let aws = play.aws();
    set_clocks(play, now)?;
    let report = play.ask(FUNCTION, &json!({}))?;
    settled(aws)?;
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let name = |it: &Value| {
        let name = text(it).rsplit([':', '/']).next().unwrap_or_default().to_owned();
        if name == instance { "table-order".to_owned() } else { name }
    };
    let actions = report["actions"].as_array().into_iter().flatten();
    let mut done: Vec<String> = actions
        .filter(|it| it["outcome"] == "done")
        .map(|it| format!("{} {}", text(&it["action"]), name(&it["resource"])))
        .collect();
    let problems = report["problems"].as_array().into_iter().flatten();
    done.extend(problems.map(|it| format!("{}: {}", name(&it["resource"]), text(&it["problem"]))));
    Ok(Moment {
        when: told(now)?,
        instance: state(aws, instance)?,
        group: size(aws)?,
        database: status(aws)?,
        what: if done.is_empty() { "nothing to do".into() } else { done.join(", ") },
    })
}

/// The moment that the function's clock shows, as the tables have it: `Fri 20 20:00`.
fn told(now: &str) -> Result<String> {
    let moment: Timestamp = now.parse().map_err(|err| Error::new(format!("{now}: {err}")))?;
    let seoul = TimeZone::get("Asia/Seoul").map_err(|err| Error::new(err.to_string()))?;
    Ok(moment.to_zoned(seoul).strftime("%a %d %H:%M").to_string())
}

fn show(moments: &[Moment]) {
    let row = |it: &Moment| {
        let group = if it.group == 0 { "asleep".to_owned() } else { format!("{} of 2", it.group) };
        [it.when.clone(), it.instance.clone(), group, it.database.clone(), it.what.clone()]
    };
    let rows: Vec<[String; 5]> = moments.iter().map(row).collect();
    screen::table(["Seoul", "instance", "group", "database", "what the function did"], &rows);
}

fn described(aws: &LocalAws, instance: &str) -> Result<String> {
    aws.ec2("DescribeInstances", &[("InstanceId.1", instance)])
}

fn state(aws: &LocalAws, instance: &str) -> Result<String> {
    let answer = described(aws, instance)?;
    let state = answer.split_once("<instanceState>").map_or("", |(_, after)| after);
    LocalAws::element(state, "name").map(str::to_owned)
}

/// It runs, and carries no memory of a sleep.
fn is_awake(aws: &LocalAws, instance: &str) -> Result<bool> {
    Ok(state(aws, instance)? == "running" && !described(aws, instance)?.contains("nightshift-state:asleep"))
}

fn group(aws: &LocalAws) -> Result<String> {
    aws.groups("DescribeAutoScalingGroups", &[("AutoScalingGroupNames.member.1", GROUP)])
}

fn size(aws: &LocalAws) -> Result<i64> {
    Ok(LocalAws::element(&group(aws)?, "DesiredCapacity")?.parse().unwrap_or_default())
}

fn memory_of_group(aws: &LocalAws) -> Result<String> {
    let group = group(aws)?;
    let after = group.split_once("nightshift-state:asleep").map_or("", |(_, after)| after);
    LocalAws::element(after, "Value").map(str::to_owned)
}

fn status(aws: &LocalAws) -> Result<String> {
    let xml = aws.rds("DescribeDBInstances", &[("DBInstanceIdentifier", DATABASE)])?;
    LocalAws::element(&xml, "DBInstanceStatus").map(str::to_owned)
}

fn settled(aws: &LocalAws) -> Result<()> {
    aws.wait_until(&format!("{DATABASE} to come to rest"), || {
        Ok(["available", "stopped"].contains(&status(aws)?.as_str()).then_some(()))
    })
}
