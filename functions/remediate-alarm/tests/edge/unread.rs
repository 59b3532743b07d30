//! Pages, throttling, and what cannot be read: it is told, and hides nothing else.

use crate::aws::{REMEDY, Script};
use crate::*;

#[tokio::test]
async fn a_tagged_alarm_that_is_not_described_is_a_problem_and_a_deleted_one_is_not() {
    let script = shop("restart");
    script.alarm("strange", "notify");
    script.aws().alarms.get_mut("strange").unwrap()["Hidden"] = json!(true);
    for payload in [by_event_bridge("strange"), json!({})] {
        let told = told(&script.invoke(payload).await.unwrap());
        let problem =
            "strange unreadable: the alarm cannot be read: its tags can be read, but DescribeAlarms does not show it";
        assert!(told.iter().any(|it| it.starts_with(problem)), "{told:?}");
    }
    assert_eq!(script.counts()["Publish"], 2, "the restart, and the problem once");
    script.alarm("deleted", "notify");
    script.refuse("ListTagsForResource", "alarm:deleted", 9, 404, "ResourceNotFoundException");
    script.aws().alarms.get_mut("deleted").unwrap()["Hidden"] = json!(true);
    let told = told(&script.invoke(json!({})).await.unwrap());
    assert!(told.contains(&"deleted skipped: it no longer exists".to_owned()), "{told:?}");
}

#[tokio::test]
async fn a_sweep_reads_every_page_and_asks_only_about_what_may_need_an_answer() {
    let script = shop("restart");
    for number in 0..250 {
        script.alarm(&format!("quiet-{number}"), "restart");
        script.aws().alarms.get_mut(&format!("quiet-{number}")).unwrap()["StateValue"] = json!("OK");
    }
    script.alarm("odd", "restrat");
    script.aws().alarms.get_mut("odd").unwrap()["StateValue"] = json!("OK");
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(report.count(Outcome::Done), 1);
    assert_eq!(report.problems[0].problem, "bad-tag");
    assert_eq!(report.skipped.len(), 250);
    let counts = script.counts();
    let reads = ["GetResources", "DescribeAlarms", "ListTagsForResource", "DescribeServices"].map(|it| counts[it]);
    // The second reading of the tags comes before the restart.
    assert_eq!(reads, [3, 3, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out_and_what_cannot_be_read_is_told() {
    let script = shop("restart");
    for operation in ["DescribeAlarms", "ListTagsForResource", "TagResource", "DescribeServices", "UpdateService"] {
        script.refuse(operation, "", 2, 400, "ThrottlingException");
    }
    assert_eq!(told(&script.invoke(by_event_bridge("api-5xx")).await.unwrap()), ["api restart Done"]);

    let script = shop("restart");
    script.refuse("DescribeServices", "", 9, 400, "AccessDeniedException");
    let unreadable = "api-5xx unreadable: what it watches cannot be read: DescribeServices shop: AccessDeniedException: refused by the script";
    assert_eq!(told(&script.invoke(by_event_bridge("api-5xx")).await.unwrap()), [unreadable]);

    let script = shop("restart");
    script.refuse("DescribeAlarms", "", 9, 400, "AccessDeniedException");
    let error = script.invoke(by_event_bridge("api-5xx")).await.unwrap_err();
    assert!(error.starts_with("DescribeAlarms api-5xx: AccessDeniedException: refused by the script"), "{error}");
}

#[tokio::test]
async fn a_call_that_a_policy_forbids_is_told_once_and_stops_no_other() {
    let script = shop("restart");
    script.alarm("web-5xx", "restart service=shop/web");
    script.service("web");
    script.refuse("TagResource", "alarm:api-5xx", 1, 400, "AccessDeniedException");
    let report = script.invoke(json!({})).await.unwrap();
    let denied =
        format!("api denied: TagResource {ALARM}api-5xx: AccessDeniedException: refused by the script; a policy");
    let told_now = told(&report);
    assert!(told_now.contains(&"web restart Done".to_owned()), "{told_now:?}");
    assert!(told_now.iter().any(|it| it.starts_with(&denied)), "{told_now:?}");
    // Without the memory nothing was restarted; with it, it is.
    assert_eq!(script.count("UpdateService"), 1);
    assert_eq!(told(&script.invoke(json!({})).await.unwrap())[0], "api restart Done");
}

#[tokio::test]
async fn an_alarm_that_cannot_be_read_is_told_once_and_hides_no_other() {
    let script = shop("restart");
    script.alarm("other", "restart");
    script.refuse("ListTagsForResource", "alarm:other", 99, 400, "AccessDeniedException");
    let unreadable = format!(
        "other unreadable: the alarm cannot be read: ListTagsForResource {ALARM}other: AccessDeniedException: refused by the script"
    );
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report), ["api restart Done".to_owned(), unreadable.clone()]);
    assert_eq!(script.counts()["Publish"], 2);
    assert_eq!(told(&script.invoke(json!({})).await.unwrap())[1], unreadable);
    assert_eq!(script.counts()["Publish"], 2);
    // An event about nothing else is repeated by Lambda.
    assert!(script.invoke(by_event_bridge("other")).await.is_err());

    // Of two calls for alarms one fails.
    let script = Script::new();
    script.service("api");
    for number in 0..150 {
        script.alarm(&format!("quiet-{number:03}"), "restart");
        script.aws().alarms.get_mut(&format!("quiet-{number:03}")).unwrap()["StateValue"] = json!("OK");
    }
    script.alarm("a-first", "restart");
    script.refuse("DescribeAlarms", "quiet-149", 9, 400, "AccessDeniedException");
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!((report.count(Outcome::Done), report.skipped.len(), report.problems.len()), (1, 99, 51));
    let unreadable = "quiet-099 unreadable: the alarm cannot be read: DescribeAlarms quiet-099: AccessDeniedException: refused by the script";
    assert_eq!((report.actions[0].action, told(&report)[100].as_str()), ("restart", unreadable));

    // And one for the alarms that another is made of.
    let script = shop("restart");
    script.alarm("ill", "restart");
    script.aws().alarms.get_mut("ill").unwrap()["AlarmRule"] = json!("ALARM(child)");
    script.refuse("DescribeAlarms", "child", 9, 400, "AccessDeniedException");
    let report = script.invoke(json!({})).await.unwrap();
    let unreadable = "ill unreadable: what it watches cannot be read: DescribeAlarms child: AccessDeniedException: refused by the script";
    assert_eq!(told(&report), ["api restart Done", unreadable]);
}

#[tokio::test]
async fn a_service_that_cannot_be_read_hides_no_other_of_its_cluster() {
    let script = shop("restart");
    let deleted = script.service("old");
    script.aws().services.get_mut(&deleted).unwrap()["status"] = json!("INACTIVE");
    script.alarm("old-5xx", "restart service=shop/old");
    script.service("web");
    script.alarm("web-5xx", "restart service=shop/web");
    script.refuse("DescribeServices", "web", 9, 400, "AccessDeniedException");
    let expected = [
        "api restart Done",
        "old-5xx no-such-target: there is no ECS service shop/old",
        "web-5xx unreadable: what it watches cannot be read: DescribeServices shop: AccessDeniedException: refused by the script",
    ];
    assert_eq!(told(&script.invoke(json!({})).await.unwrap()), expected);
    assert_eq!(script.counts()["DescribeServices"], 4, "all in one call, then each by itself");
}

#[tokio::test]
async fn what_went_live_is_found_behind_an_empty_page_of_deployments() {
    let script = shop("rollback");
    let report = script.invoke(by_event_bridge("api-5xx")).await.unwrap();
    assert_eq!(told(&report), ["api rollback Done"]);
    assert_eq!(script.counts()["ListServiceDeployments"], 2);
    let undo = report.actions[0].undo.as_deref().unwrap();
    assert!(undo.contains("--function-name nightshift-deploy-image "), "{undo}");
}

#[tokio::test]
async fn what_one_alarm_lacks_hides_no_other_and_a_dry_run_changes_nothing() {
    let script = shop("restart");
    script.alarm("other", "reboot");
    let dry = script.invoke(json!({"dry_run": true})).await.unwrap();
    assert_eq!(told(&dry).len(), 2);
    assert!(["TagResource", "UpdateService", "Publish"].iter().all(|it| !script.counts().contains_key(*it)));
    let report = script.invoke(json!({})).await.unwrap();
    assert!(told(&report)[0].starts_with("api restart Done"), "{:?}", told(&report));
    assert!(told(&report)[1].starts_with("other no-target: "), "{:?}", told(&report));
    let problem = &script.aws().alarms["other"]["Tags"];
    assert!(problem["nightshift-state:remedy-problem"].as_str().unwrap().starts_with("no-target "), "{problem}");
    assert_eq!(problem[REMEDY], "reboot");
}
