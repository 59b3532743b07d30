//! EC2 instances and Auto Scaling groups, byte by byte: what is read, what is sent, and what AWS refuses.

use serde_json::json;

use super::{EVENING, HOURS, MORNING, NIGHT, expected, told};
use crate::aws::{ASLEEP, SCHEDULE, Script};

const REFUSED: &str = "nightshift-state:refused";

#[tokio::test(start_paused = true)]
async fn an_instance_is_stopped_in_the_evening_and_started_in_the_morning() {
    let script = Script::new();
    script.launch("i-0abc", HOURS);
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    assert_eq!(told(&report), ["i-0abc sleep Done"]);
    assert_eq!(report.actions[0].headline, "shop & co: is stopped");
    assert_eq!(script.aws().machines["i-0abc"].tags[ASLEEP], "since=2026-11-20T11:00:00Z by=schedule of=i-0abc");
    let stop = script.sent("StopInstances").remove(0);
    assert_eq!((stop["InstanceId.1"].as_str(), stop.get("Hibernate")), (Some("i-0abc"), None));
    script.counts();
    assert_eq!(told(&script.invoke(NIGHT, json!({})).await.unwrap()), [""; 0]);

    let report = script.invoke(MORNING, json!({})).await.unwrap();
    assert_eq!(told(&report), ["i-0abc wake Done"]);
    script.invoke("2026-11-23T08:05", json!({})).await.unwrap();
    let aws = script.aws();
    let machine = &aws.machines["i-0abc"];
    assert_eq!((machine.state, machine.tags.contains_key(ASLEEP)), ("running", false));
}

#[tokio::test(start_paused = true)]
async fn what_ec2_tells_of_an_instance_is_read() {
    let script = Script::new();
    for (id, more) in [
        ("i-spot", "<instanceLifecycle>spot</instanceLifecycle>"),
        ("i-managed", "<operator><managed>true</managed><principal>eks.amazonaws.com</principal></operator>"),
        ("i-own", "<operator><managed>false</managed></operator>"),
    ] {
        script.launch(id, HOURS);
        script.aws().machines.get_mut(id).unwrap().more = more;
    }
    script.launch("i-deep", "never hibernate=true");
    script.aws().machines.get_mut("i-deep").unwrap().more =
        "<hibernationOptions><configured>true</configured></hibernationOptions>";
    // Stopped by a person in the afternoon: that stands.
    script.launch("i-hand", HOURS);
    let by_hand = "<reason>User initiated (2026-11-20 06:00:00 GMT)</reason>";
    (script.aws().machines.get_mut("i-hand").unwrap().state, script.aws().machines.get_mut("i-hand").unwrap().more) =
        ("stopped", by_hand);
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    let told = told(&report);
    assert_eq!(&told[..3], ["i-hand remember Done", "i-deep sleep Done", "i-own sleep Done"]);
    assert!(told[3].starts_with("i-managed managed-instance: it is managed by eks.amazonaws.com"), "{told:?}");
    assert!(told[4].starts_with("i-spot not-stoppable: it was not bought on demand (spot)"), "{told:?}");
    let deep = script.sent("StopInstances").into_iter().find(|it| it["InstanceId.1"] == "i-deep").unwrap();
    assert_eq!(deep["Hibernate"], "true");
    assert!(script.aws().machines["i-hand"].tags[ASLEEP].contains("since=2026-11-20T06:00:00Z desired=0"));
}

#[tokio::test(start_paused = true)]
async fn a_protected_instance_is_told_and_tried_again_after_an_hour() {
    let script = Script::new();
    script.launch("i-0abc", HOURS);
    script.fail("StopInstances", "i-0abc", 1, 400, "OperationNotPermitted");
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    let problem = &report.problems[0];
    assert_eq!(problem.problem, "not-stoppable");
    assert!(
        problem.message.starts_with("it is protected from being stopped: turn its stop protection off"),
        "{problem:?}"
    );
    let tags = script.aws().machines["i-0abc"].tags.clone();
    assert!(
        tags[REFUSED].starts_with("since=2026-11-20T11:00:00Z StopInstances i-0abc: OperationNotPermitted"),
        "{tags:?}"
    );
    assert!(!tags.contains_key(ASLEEP));
    script.counts();
    script.invoke("2026-11-20T20:30", json!({})).await.unwrap();
    assert_eq!(script.sent("StopInstances").len(), 0);
    script.invoke("2026-11-20T21:00", json!({})).await.unwrap();
    assert_eq!(script.aws().machines["i-0abc"].state, "stopped");
}

#[tokio::test(start_paused = true)]
async fn lack_of_capacity_in_the_morning_is_told_and_a_person_may_try_at_once() {
    let script = Script::new();
    let arn = script.launch("i-0abc", HOURS);
    script.invoke(EVENING, json!({})).await.unwrap();
    // AWS answers with a status that is tried again at once, in vain.
    script.fail("StartInstances", "i-0abc", 5, 500, "InsufficientInstanceCapacity");
    let report = script.invoke(MORNING, json!({})).await.unwrap();
    assert_eq!(report.problems[0].problem, "no-capacity");
    assert!(script.aws().machines["i-0abc"].tags.contains_key(ASLEEP));
    let report = script.invoke("2026-11-23T08:10", json!({"wake": {"resource": arn}})).await.unwrap();
    assert_eq!(told(&report), ["i-0abc wake Done"]);
}

#[tokio::test(start_paused = true)]
async fn what_changes_meanwhile_is_left_for_the_next_run() {
    let script = Script::new();
    script.launch("i-0abc", HOURS);
    script.group("web", HOURS, (1, 2, 4));
    script.fail("StopInstances", "", 1, 400, "IncorrectInstanceState");
    script.fail("UpdateAutoScalingGroup", "", 1, 400, "ScalingActivityInProgress");
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    assert_eq!(told(&report), ["web sleep Deferred", "i-0abc sleep Deferred"]);
    script.invoke("2026-11-20T20:05", json!({})).await.unwrap();
    let aws = script.aws();
    assert_eq!((aws.machines["i-0abc"].state, aws.groups["web"].desired), ("stopped", 0));
}

#[tokio::test(start_paused = true)]
async fn a_group_gets_its_size_back_and_what_a_person_suspended_stays_suspended() {
    let script = Script::new();
    script.group("web", HOURS, (2, 3, 6));
    script.aws().groups.get_mut("web").unwrap().suspended = vec!["Launch".into(), "ScheduledActions".into()];
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    assert_eq!(told(&report), ["web sleep Done"]);
    {
        let aws = script.aws();
        let web = &aws.groups["web"];
        assert_eq!((web.min, web.desired, web.max), (0, 0, 6));
        assert_eq!(web.suspended, ["Launch", "AlarmNotification", "ScheduledActions"]);
        let memory = "desired=3 min=2 max=6 suspended=scheduled by=schedule of=2026-01-01T00:00:00Z";
        assert_eq!(web.tags[ASLEEP], format!("since=2026-11-20T11:00:00Z {memory}"));
    }
    let writes = [("CreateOrUpdateTags", 1), ("SuspendProcesses", 1), ("UpdateAutoScalingGroup", 2)];
    let counts = script.counts();
    assert!(expected(&writes).iter().all(|it| counts.contains(it)), "{counts:?}");
    assert_eq!(told(&script.invoke(NIGHT, json!({})).await.unwrap()), [""; 0]);
    script.invoke(MORNING, json!({})).await.unwrap();
    let aws = script.aws();
    let web = &aws.groups["web"];
    assert_eq!((web.min, web.desired, web.tags.contains_key(ASLEEP)), (2, 3, false));
    assert_eq!(web.suspended, ["Launch", "ScheduledActions"]);
}

#[tokio::test(start_paused = true)]
async fn a_group_with_scheduled_actions_of_its_own_is_left_alone() {
    let script = Script::new();
    script.group("web", HOURS, (1, 2, 4));
    script.aws().group_actions = "<member><AutoScalingGroupName>web</AutoScalingGroupName><ScheduledActionName>night\
        </ScheduledActionName></member>"
        .into();
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    assert_eq!((report.problems[0].problem.as_str(), report.actions.len()), ("scheduled-actions", 0));
    assert!(report.problems[0].message.starts_with("its group has a schedule of its own (the scheduled action night)"));
}

#[tokio::test(start_paused = true)]
async fn every_page_of_machines_is_read_and_each_is_looked_at_by_its_arn() {
    let script = Script::new();
    script.aws().page = 1;
    let arns = [
        script.launch("i-1", HOURS),
        script.launch("i-2", HOURS),
        script.group("a", HOURS, (1, 1, 1)),
        script.group("b", HOURS, (1, 1, 1)),
    ];
    let report = script.invoke(EVENING, json!({"dry_run": true})).await.unwrap();
    assert_eq!(report.actions.len(), 4);
    for arn in arns {
        let report = script.invoke(EVENING, json!({"resource": arn})).await.unwrap();
        assert_eq!(report.actions.iter().map(|it| it.resource.as_str()).collect::<Vec<_>>(), [arn]);
    }
    let gone = "arn:aws:ec2:ap-northeast-2:123456789012:instance/i-9";
    let report = script.invoke(EVENING, json!({"resource": gone})).await.unwrap();
    assert!(report.skipped[0].reason.contains(SCHEDULE), "{:?}", report.skipped);
}
