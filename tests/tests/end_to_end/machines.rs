//! An evening and a morning of an EC2 instance and of an Auto Scaling group, and a budget that is spent, with the
//! permissions of the template in force.

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

const FUNCTION: &str = "nightshift-scale-staging";
const BUDGETS: &str = "nightshift-enforce-budget";
const SCHEDULE: &str = "nightshift:schedule";

fn run(aws: &LocalAws, now: &str) -> Result<Vec<String>> {
    aws.set_clock(FUNCTION, now)?;
    let invocation = aws.invoke(FUNCTION, &json!({}))?;
    assert_eq!(invocation.error, None, "{}", invocation.payload);
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    assert_eq!(invocation.payload["problems"].as_array().map(Vec::len), Some(0), "{}", invocation.payload);
    let actions = invocation.payload["actions"].as_array().into_iter().flatten();
    Ok(actions.map(|it| format!("{} {}", text(&it["action"]), text(&it["outcome"]))).collect())
}

/// The same day: the money is spent, and both carry the tag that says what that means.
fn a_spent_budget_puts_them_to_sleep(aws: &LocalAws, shop: &str) -> Result<()> {
    let period = json!({"Start": 1_767_225_600, "End": 3_706_473_600_u64});
    let budget = json!({"BudgetName": "Table Order", "BudgetType": "COST", "TimeUnit": "MONTHLY", "TimePeriod": period,
                        "BudgetLimit": {"Amount": "31", "Unit": "USD"}});
    let enforced = json!([{"Key": "nightshift:budget", "Value": "enforce"}]);
    aws.budgets("CreateBudget", json!({"AccountId": LocalAws::ACCOUNT, "Budget": budget, "ResourceTags": enforced}))?;
    aws.change_budget("Table Order", "31.40", None)?;
    aws.ec2(
        "CreateTags",
        &[("ResourceId.1", shop), ("Tag.1.Key", "nightshift:budget"), ("Tag.1.Value", "sleep-at=100")],
    )?;
    let tag = [
        ("Tags.member.1.Key", "nightshift:budget"),
        ("Tags.member.1.Value", "sleep-at=100 budget=Table_Order"),
        ("Tags.member.1.ResourceId", "web"),
        ("Tags.member.1.ResourceType", "auto-scaling-group"),
        ("Tags.member.1.PropagateAtLaunch", "false"),
    ];
    aws.groups("CreateOrUpdateTags", &tag)?;
    aws.set_clock(FUNCTION, "2026-11-23T15:00:00+09:00")?;
    let asked = |now: &str, payload: Value| {
        aws.set_clock(BUDGETS, now)?;
        let invocation = aws.invoke(BUDGETS, &payload)?;
        assert_eq!((invocation.error, &invocation.payload["problems"]), (None, &json!([])), "{}", invocation.payload);
        let actions = invocation.payload["actions"].as_array().into_iter().flatten();
        Ok::<_, testkit::Error>(actions.filter(|it| it["outcome"] == "done").count())
    };
    // One reading holds nothing.
    assert_eq!(asked("2026-11-23T13:00:00+09:00", json!({}))?, 1);
    assert_eq!(asked("2026-11-23T15:00:00+09:00", json!({}))?, 3);
    aws.wait_until("both to sleep", || {
        Ok((state(aws, shop)? == ("stopped".into(), true) && size(aws)? == ("0".into(), "0".into(), true))
            .then_some(()))
    })?;
    assert_eq!(asked("2026-11-23T15:00:00+09:00", json!({"release": {"budget": "Table Order"}}))?, 3);
    aws.wait_until("both to wake", || {
        Ok((state(aws, shop)?.0 == "running" && size(aws)? == ("1".into(), "2".into(), false)).then_some(()))
    })
}

pub fn launch(aws: &LocalAws, tags: &[(&str, &str)]) -> Result<String> {
    let mut parameters = vec![
        ("ImageId".to_owned(), "ami-0abc".to_owned()),
        ("MinCount".into(), "1".into()),
        ("MaxCount".into(), "1".into()),
        ("TagSpecification.1.ResourceType".into(), "instance".into()),
    ];
    for (number, (key, value)) in (1..).zip(tags) {
        parameters.push((format!("TagSpecification.1.Tag.{number}.Key"), key.to_string()));
        parameters.push((format!("TagSpecification.1.Tag.{number}.Value"), value.to_string()));
    }
    let parameters: Vec<(&str, &str)> = parameters.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    Ok(LocalAws::element(&aws.ec2("RunInstances", &parameters)?, "instanceId")?.to_owned())
}

/// The state of an instance, and whether anything is remembered of it.
pub fn state(aws: &LocalAws, id: &str) -> Result<(String, bool)> {
    let answer = aws.ec2("DescribeInstances", &[("InstanceId.1", id)])?;
    let state = answer.split_once("<instanceState>").map_or("", |(_, after)| after);
    Ok((LocalAws::element(state, "name")?.to_owned(), answer.contains("nightshift-state:asleep")))
}

/// Least and desired size of the group, and whether anything is remembered of it.
fn size(aws: &LocalAws) -> Result<(String, String, bool)> {
    let answer = aws.groups("DescribeAutoScalingGroups", &[("AutoScalingGroupNames.member.1", "web")])?;
    let text = |name| LocalAws::element(&answer, name).map(str::to_owned);
    Ok((text("MinSize")?, text("DesiredCapacity")?, answer.contains("nightshift-state:asleep")))
}

#[test]
fn an_instance_and_a_group_sleep_at_night_and_for_a_budget_and_what_has_no_tag_does_not() -> Result<()> {
    let parameters =
        vec![("TimeZone".into(), "Asia/Seoul".into()), ("Schedules".into(), "office=mon-fri 08:00-20:00".into())];
    let aws = LocalAws::start(Options { parameters, ..Options::default() })?;
    let shop = launch(&aws, &[(SCHEDULE, "office"), ("Name", "shop")])?;
    let bare = launch(&aws, &[("Name", "bare")])?;
    let group = [
        ("AutoScalingGroupName", "web"),
        ("MinSize", "1"),
        ("MaxSize", "4"),
        ("DesiredCapacity", "2"),
        ("Tags.member.1.Key", SCHEDULE),
        ("Tags.member.1.Value", "office"),
        ("Tags.member.1.ResourceId", "web"),
        ("Tags.member.1.ResourceType", "auto-scaling-group"),
        ("Tags.member.1.PropagateAtLaunch", "false"),
    ];
    aws.groups("CreateAutoScalingGroup", &group)?;

    assert_eq!(run(&aws, "2026-11-20T20:00:00+09:00")?, ["sleep done", "sleep done"]);
    assert_eq!(state(&aws, &shop)?, ("stopped".into(), true));
    assert_eq!(state(&aws, &bare)?, ("running".into(), false));
    assert_eq!(size(&aws)?, ("0".into(), "0".into(), true));
    assert_eq!(run(&aws, "2026-11-21T03:00:00+09:00")?, [""; 0]);

    assert_eq!(run(&aws, "2026-11-23T08:00:00+09:00")?, ["wake done", "wake done"]);
    assert_eq!(run(&aws, "2026-11-23T08:05:00+09:00")?, ["remember done"]);
    assert_eq!(state(&aws, &shop)?, ("running".into(), false));
    assert_eq!(size(&aws)?, ("1".into(), "2".into(), false));
    a_spent_budget_puts_them_to_sleep(&aws, &shop)
}
