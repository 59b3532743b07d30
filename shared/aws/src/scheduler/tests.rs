use serde_json::json;
use testkit::scripted::{Answer, Call, Script, Tables};

use super::*;

/// A group `shop` with two pages of schedules, of which one can be read.
struct Group(Value);

impl Tables for Group {
    fn answer(&mut self, call: &Call) -> Answer {
        let listed = |name: &str| json!({"GroupName": "shop", "Name": name, "State": "DISABLED"});
        match (call.operation.as_str(), call.text("Name"), call.text("NextToken")) {
            ("ListSchedules", _, "") if call.text("ScheduleGroup") == "shop" => {
                Answer::Json(json!({"Schedules": [listed("nightly")], "NextToken": "a+b/c="}))
            }
            ("ListSchedules", _, "a+b/c=") => Answer::Json(json!({"Schedules": [listed("weekly")], "NextToken": ""})),
            ("GetSchedule", "nightly", _) => Answer::Json(self.0.clone()),
            ("UpdateSchedule", "nightly", _) => {
                self.0 = call.body.clone();
                Answer::Json(json!({"ScheduleArn": "arn"}))
            }
            _ => Answer::Failed { status: 404, code: "ResourceNotFoundException", message: "it does not exist".into() },
        }
    }
}

fn nightly() -> Value {
    json!({
        "Arn": "arn:aws:scheduler:ap-northeast-2:123456789012:schedule/shop/nightly",
        "CreationDate": 1_764_300_000.5, "LastModificationDate": 1_764_300_000.5,
        "Name": "nightly", "GroupName": "shop", "State": "DISABLED", "Description": "the orders of a day",
        "ScheduleExpression": "cron(0 3 * * ? *)", "ScheduleExpressionTimezone": "Asia/Seoul",
        "StartDate": 1_764_300_000.25, "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
        "ActionAfterCompletion": "NONE", "KmsKeyArn": "arn:aws:kms:ap-northeast-2:123456789012:key/1",
        "Target": {"Arn": "arn:cluster", "RoleArn": "arn:role", "Input": "{\"a\":1}", "RetryPolicy": {"MaximumRetryAttempts": 3},
                   "EcsParameters": {"TaskDefinitionArn": "arn:1", "TaskCount": 1}},
        "YoungerThanThisVersion": {"kept": true},
    })
}

fn name(name: &str) -> ScheduleName {
    ScheduleName { group: "shop".into(), name: name.into() }
}

fn script() -> (Script<Group>, Scheduler) {
    let script = Script::new(Group(nightly()));
    let scheduler = Scheduler::new(&script.sdk());
    (script, scheduler)
}

#[tokio::test]
async fn a_group_is_listed_to_its_end_and_one_that_is_gone_has_no_schedules() {
    let (script, scheduler) = script();
    assert_eq!(scheduler.list_schedules("shop").await.unwrap(), [name("nightly"), name("weekly")]);
    assert_eq!(script.sent("ListSchedules")[1].text("NextToken"), "a+b/c=");
    assert_eq!(scheduler.list_schedules("gone").await.unwrap(), []);
    assert_eq!(scheduler.get_schedule(&name("gone")).await.unwrap(), None);
    script.refuse("ListSchedules", "", 1, 403, "AccessDeniedException");
    assert!(scheduler.list_schedules("shop").await.unwrap_err().is_denied());
}

#[tokio::test]
async fn a_schedule_that_is_changed_keeps_everything_else() {
    let (script, scheduler) = script();
    let mut schedule = scheduler.get_schedule(&name("nightly")).await.unwrap().unwrap();
    schedule["Target"]["EcsParameters"]["TaskDefinitionArn"] = "arn:2".into();
    scheduler.update_schedule(&name("nightly"), &schedule).await.unwrap();
    let mut expected = nightly();
    expected["Target"]["EcsParameters"]["TaskDefinitionArn"] = "arn:2".into();
    let fields = expected.as_object_mut().unwrap();
    ["Arn", "CreationDate", "LastModificationDate"].iter().for_each(|it| drop(fields.remove(*it)));
    // The name is in the path.
    assert_eq!(script.bodies("UpdateSchedule"), [expected]);
    let gone = scheduler.update_schedule(&name("gone"), &schedule).await.unwrap_err();
    assert_eq!(gone.to_string(), "UpdateSchedule shop/gone: ResourceNotFoundException: it does not exist");
}

#[test]
fn names_are_read_from_arns() {
    let arn = "arn:aws:scheduler:ap-northeast-2:123456789012:schedule/shop/nightly";
    assert_eq!(ScheduleName::of_arn(arn), Some(name("nightly")));
    assert_eq!(ScheduleName::of_arn("arn:aws:scheduler:ap-northeast-2:123456789012:schedule-group/shop"), None);
    assert_eq!(group_of_arn("arn:aws:scheduler:ap-northeast-2:123456789012:schedule-group/shop"), Some("shop"));
    assert_eq!(group_of_arn(arn), None);
}
