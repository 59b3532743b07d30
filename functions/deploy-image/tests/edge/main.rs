//! The whole function from payload to report, with the real SDK on a scripted AWS: pages, faults, odd states, bytes.

#![recursion_limit = "256"]

mod around;
mod aws;
mod blue_green;
mod codedeploy;
mod follow;
mod gates;
mod images;
mod promote;
mod round_trip;
mod shift;

use aws::{Script, digest, image};
use reconcile::{Outcome, Report};
use serde_json::{Value, json};

fn push_event(repository: &str) -> Value {
    json!({"version": "0", "source": "aws.ecr", "detail-type": "ECR Image Action", "account": "123456789012",
           "region": "ap-northeast-2", "time": "2026-11-20T18:10:00Z", "resources": [],
           "detail": {"result": "SUCCESS", "repository-name": repository, "action-type": "PUSH", "image-tag": "x",
                      "image-digest": digest(1), "manifest-media-type": "application/vnd.oci.image.index.v1+json"}})
}

fn deployment_event(service: &str) -> Value {
    json!({"version": "0", "source": "aws.ecs", "detail-type": "ECS Deployment State Change",
           "resources": [format!("arn:aws:ecs:ap-northeast-2:123456789012:service/{service}")],
           "detail": {"eventType": "ERROR", "eventName": "SERVICE_DEPLOYMENT_FAILED", "deploymentId": "ecs-svc/1"}})
}

/// Actions with their outcomes, then skips and problems, each with the resource's short name.
fn told(report: &Report) -> Vec<String> {
    let short = |it: &str| it.rsplit('/').next().unwrap().to_owned();
    let mut lines: Vec<String> =
        report.actions.iter().map(|it| format!("{} {} {:?}", short(&it.resource), it.action, it.outcome)).collect();
    lines.extend(report.skipped.iter().map(|it| format!("{} skipped: {}", short(&it.resource), it.reason)));
    lines.extend(report.problems.iter().map(|it| format!("{} {}: {}", short(&it.resource), it.problem, it.message)));
    lines
}

/// `api` at v1.0.0 with v1.1.0 pushed.
fn shop(script: &Script, rule: &str) -> String {
    script.push("api", "v1.0.0", 1, 1);
    script.push("api", "v1.1.0", 2, 5);
    script.serve("shop/api", rule, ":v1.0.0")
}

#[tokio::test(start_paused = true)]
async fn a_push_to_a_hundred_services_costs_no_more_than_it_must() {
    let script = Script::new();
    {
        let mut aws = script.aws();
        // Ten families of ten services each, all on one repository; half of the services run the new image already.
        for family in 0..10 {
            let tag = if family < 5 { "v1.0.0" } else { "v1.1.0" };
            let fields = json!({"containerDefinitions": [{"name": "app",
                "image": format!("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/api:{tag}")}]});
            let revision = aws.add_revision(&format!("family-{family}"), fields, json!([]));
            for service in 0..10 {
                aws.add_service(&format!("shop/service-{family}-{service}"), "semver", &revision);
            }
        }
    }
    script.push("api", "v1.0.0", 1, 1);
    script.push("api", "v1.1.0", 2, 2);
    let report = script.invoke(push_event("api")).await.unwrap();
    assert_eq!(report.count(Outcome::Done), 50);
    let counts = script.counts();
    let expected = [
        ("DescribeImages", 1),
        ("DescribeServices", 15),
        ("DescribeTaskDefinition", 10),
        ("GetResources", 1),
        ("RegisterTaskDefinition", 50),
        ("UpdateService", 50),
    ];
    assert_eq!(counts.iter().map(|(name, count)| (name.as_str(), *count)).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn every_page_is_read_before_anything_is_decided() {
    let script = Script::new();
    script.aws().page = 1;
    shop(&script, "semver");
    script.push("web", "v1.0.0", 1, 1);
    script.serve("shop/web", "semver", ":v1.0.0");
    script.aws().images.get_mut("api").unwrap().extend([vec![], vec![image("v1.2.0", 3, 6), image("", 4, 7)]]);
    let report = script.invoke(json!({})).await.unwrap();
    let expected = ["api deploy Done", "web skipped: runs v1.0.0, the one that 'semver' selects in web"];
    assert_eq!(told(&report), expected);
    assert_eq!(report.actions[0].after["digest"], digest(3));
    assert_eq!((script.count("GetResources"), script.count("DescribeImages")), (2, 4));
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out() {
    let script = Script::new();
    shop(&script, "newest");
    for operation in ["GetResources", "DescribeServices", "DescribeImages", "RegisterTaskDefinition", "UpdateService"] {
        script.fail(operation, "", 2, 400, "ThrottlingException");
    }
    let report = script.invoke(push_event("api")).await.unwrap();
    assert_eq!(told(&report), ["api deploy Done"]);
    assert_eq!(script.count("RegisterTaskDefinition"), 3);
}

#[tokio::test]
async fn one_refused_service_stops_no_other_and_the_run_ends_as_an_error() {
    let script = Script::new();
    for name in ["a", "b", "c"] {
        script.push(name, "v1.0.0", 1, 1);
        script.push(name, "v1.1.0", 2, 5);
        script.serve(&format!("shop/{name}"), "newest", ":v1.0.0");
    }
    script.fail("UpdateService", "\"b\"", 1, 400, "AccessDeniedException");
    let report = script.invoke(json!({})).await.unwrap();
    let outcomes: Vec<Outcome> = report.actions.iter().map(|it| it.outcome).collect();
    assert_eq!(outcomes, [Outcome::Done, Outcome::Deferred, Outcome::Done]);
    let message = "UpdateService shop/b: AccessDeniedException: refused by the script; a policy forbids the call: ";
    assert_eq!(report.problems[0].problem, "denied");
    assert!(report.problems[0].message.starts_with(message), "{:?}", report.problems);

    // The revision that was registered in vain is used by the next run, not registered a second time.
    let report = script.invoke(json!({})).await.unwrap();
    assert!(told(&report).contains(&"b deploy Done".into()), "{:?}", told(&report));
    assert_eq!(script.count("RegisterTaskDefinition"), 3);
}

#[tokio::test]
async fn a_service_that_may_not_be_read_hides_no_other() {
    let script = Script::new();
    for name in ["a", "b", "c"] {
        script.push(name, "v1.0.0", 1, 1);
        script.serve(&format!("shop/{name}"), "newest", ":v1.0.0");
    }
    script.fail("DescribeServices", "\"b\"", 9, 400, "AccessDeniedException");
    script.aws().services.get_mut("arn:aws:ecs:ap-northeast-2:123456789012:service/shop/c").unwrap()["gone"] =
        json!(true);
    let report = script.invoke(json!({})).await.unwrap();
    let expected = [
        "c skipped: it no longer exists",
        "a skipped: runs v1.0.0, the one that 'newest' selects in a",
        "b unreadable: the service cannot be read: DescribeServices shop: AccessDeniedException: refused by the script",
    ];
    assert_eq!(told(&report), expected);
}

#[tokio::test]
async fn a_cluster_that_is_gone_is_gone_with_its_services() {
    let script = Script::new();
    shop(&script, "newest");
    script.push("old", "v1.0.0", 1, 1);
    script.serve("closed/old", "newest", ":v1.0.0");
    script.fail("DescribeServices", "\"closed\"", 1, 400, "ClusterNotFoundException");
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report), ["api deploy Done", "old skipped: it no longer exists"]);
}

#[tokio::test]
async fn a_repository_that_is_gone_concerns_its_services_alone() {
    let script = Script::new();
    shop(&script, "newest");
    script.serve("shop/lost", "newest", ":v1.0.0");
    let report = script.invoke(json!({})).await.unwrap();
    let expected = [
        "api deploy Done",
        "lost unreadable-repository: the images of lost cannot be read: DescribeImages lost: RepositoryNotFoundException: \
         The repository with name 'lost' does not exist",
    ];
    assert_eq!(told(&report), expected);
}

#[tokio::test]
async fn a_push_to_a_repository_that_no_service_uses_changes_nothing() {
    let script = Script::new();
    shop(&script, "newest");
    let report = script.invoke(push_event("elsewhere")).await.unwrap();
    assert_eq!(told(&report), ["api skipped: it uses the repository api"]);
    assert_eq!(script.count("Publish"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_task_definition_that_cannot_be_read_is_told_and_left_alone() {
    for (code, about) in [("AccessDeniedException", "\"api\""), ("ThrottlingException", "api")] {
        let script = Script::new();
        shop(&script, "newest");
        script.fail("DescribeTaskDefinition", about, 99, 400, code);
        let report = script.invoke(json!({})).await.unwrap();
        assert!(
            told(&report)[0].starts_with(
                "api unreadable-task-definition: its task definition cannot be read: DescribeTaskDefinition "
            ),
            "{:?}",
            told(&report)
        );
        assert_eq!(script.count("UpdateService"), 0);
    }
}

#[tokio::test]
async fn a_run_that_cannot_find_the_services_fails_whole_and_says_so() {
    let script = Script::new();
    script.fail("GetResources", "", 1, 400, "AccessDeniedException");
    let error = script.invoke(json!({})).await.unwrap_err();
    assert_eq!(error, "GetResources nightshift:deploy: AccessDeniedException: refused by the script");
    let message = &script.sent("Publish")[0];
    let subject = message["Subject"].to_string();
    assert!(
        subject.contains("[Nightshift] deploy-image: nothing was done: GetResources nightshift:deploy: "),
        "{subject}"
    );
}

#[tokio::test]
async fn a_dry_run_shows_the_plan_and_writes_nothing() {
    let script = Script::new();
    shop(&script, "newest");
    let report = script.invoke(json!({"dry_run": true})).await.unwrap();
    assert_eq!(told(&report), ["api deploy Planned"]);
    let reads = [
        "DescribeImages",
        "DescribeServices",
        "DescribeTaskDefinition",
        "GetResources",
        "GetTagKeys",
        "ListServiceDeployments",
    ];
    assert_eq!(script.counts().keys().collect::<Vec<_>>(), reads);
}

#[tokio::test]
async fn a_dry_run_of_everything_names_tag_keys_that_no_function_knows() {
    let script = Script::new();
    let api = shop(&script, "tag name=v1.0.0");
    let first = vec!["Name", "nightshift:deploi", "nightshift:deploy", "nightshift-state:image"];
    script.aws().tag_keys = Some(vec![first, vec![], vec!["nightshift:colour"]]);
    let problems = async |payload: Value| {
        let report = script.invoke(payload).await.unwrap();
        report.problems.iter().map(|it| format!("{} {}: {}", it.resource, it.problem, it.message)).collect::<Vec<_>>()
    };
    let all = problems(json!({"dry_run": true})).await;
    let deploi = "nightshift:deploi unknown-tag: no function knows this tag; did you mean 'nightshift:deploy'?";
    assert_eq!(all[0], deploi);
    assert!(all[1].starts_with("nightshift:colour unknown-tag: no function knows this tag; accepted: nightshift:"));
    assert_eq!(all.len(), 2, "{all:?}");
    // A sweep tells nobody, and asks for nothing more; neither does a look at one service.
    assert!(problems(json!({})).await.is_empty());
    assert!(problems(json!({"dry_run": true, "resource": api})).await.is_empty());
    assert_eq!(script.count("GetTagKeys"), 3);
    // What cannot be listed does not keep the plan back.
    script.aws().tag_keys = None;
    let refused = problems(json!({"dry_run": true})).await;
    assert!(
        refused[0].starts_with(
            "tag keys unreadable: which tags there are cannot be read: GetTagKeys all: AccessDeniedException"
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_same_problem_is_told_once_and_forgotten_when_it_is_fixed() {
    let script = Script::new();
    let api = shop(&script, "newst");
    script.invoke(json!({})).await.unwrap();
    script.invoke(push_event("api")).await.unwrap();
    assert_eq!(script.count("Publish"), 1);
    let memory = script.aws().tag(&api, "nightshift-state:problem").unwrap();
    assert!(memory.starts_with("bad-tag ") && memory.ends_with(" told=2026-11-20T18:10:00Z"), "{memory}");
    let message = &script.sent("Publish")[0];
    let subject = message["Subject"].to_string();
    assert!(subject.contains("[Nightshift] shop/api: nightshift:deploy: "), "{subject}");
    assert_eq!(message["MessageStructure"], "json");
    let forms: Value = serde_json::from_str(message["Message"].as_str().unwrap()).unwrap();
    let mail = forms["email"].as_str().unwrap();
    assert!(mail.contains("unknown word 'newst' in 'newst'\nDid you mean 'newest'?"), "{mail}");
    let chat: Value = serde_json::from_str(forms["https"].as_str().unwrap()).unwrap();
    assert_eq!(chat["source"], "custom");

    script.aws().services.get_mut(&api).unwrap()["tags"][0]["value"] = json!("tag name=v1.0.0");
    script.invoke(json!({})).await.unwrap();
    assert_eq!(script.aws().tag(&api, "nightshift-state:problem"), None);
    assert_eq!(script.count("Publish"), 1);
}

/// A service that runs v1.0.0 again after a deployment of v1.1.0, of which ECS tells as `status`.
async fn after(status: &str, strategy: &str) -> (Script, String, Report) {
    let script = Script::new();
    let api = shop(&script, "newest");
    {
        let mut aws = script.aws();
        let pinned = format!("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/api@{}", digest(2));
        let tags = json!([{"key": "nightshift-state:image", "value": "v1.1.0"}, {"key": "nightshift-state:previous", "value": "api:1"}]);
        let fields = json!({"containerDefinitions": [{"name": "app", "image": pinned, "essential": true}]});
        let tried = aws.add_revision("api", fields, tags);
        let first = tried.replace(":2", ":1").replace("ap-northeast-1", "ap-northeast-2");
        aws.history.insert("api".into(), vec![
            json!({"status": "SUCCESSFUL", "createdAt": 1_795_000_200, "taskDefinition": first}),
            json!({"status": status, "statusReason": "tasks failed to start", "createdAt": 1_795_001_000, "taskDefinition": tried}),
        ]);
        aws.services.get_mut(&api).unwrap()["deploymentConfiguration"]["strategy"] = json!(strategy);
        if strategy != "ROLLING" {
            aws.services.get_mut(&api).unwrap()["deployments"][0].as_object_mut().unwrap().remove("rolloutState");
        }
    }
    let report = script.invoke(deployment_event("shop/api")).await.unwrap();
    (script, api, report)
}

#[tokio::test]
async fn a_deployment_that_ecs_took_back_is_rejected_and_told() {
    for strategy in ["ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"] {
        for (status, by) in [
            ("ROLLBACK_SUCCESSFUL", "ecs"),
            ("ROLLBACK_IN_PROGRESS", "ecs"),
            ("ROLLBACK_REQUESTED", "ecs"),
            ("ROLLBACK_FAILED", "ecs"),
            ("STOPPED", "hand"),
        ] {
            let (script, api, report) = after(status, strategy).await;
            assert_eq!(told(&report)[0], "api reject Done", "{strategy} {status}");
            let rejected = script.aws().tag(&api, "nightshift-state:rejected").unwrap();
            assert_eq!(
                rejected,
                format!("{} pushed=2026-11-18T11:11:40Z by={by} tag=v1.1.0", digest(2)),
                "{strategy} {status}"
            );
            assert_eq!(script.count("UpdateService"), 0);
            let reason = if by == "ecs" { "tasks failed to start" } else { "a person rolled the service back" };
            assert!(report.actions[0].reason.contains(reason), "{}", report.actions[0].reason);
            script.invoke(push_event("api")).await.unwrap();
            assert_eq!(script.count("UpdateService"), 0, "tried again after {strategy} {status}");
        }
    }
}

#[tokio::test]
async fn a_deployment_that_is_still_under_way_or_unknown_is_waited_for() {
    for strategy in ["BLUE_GREEN", "CANARY"] {
        let (script, _, report) = after("IN_PROGRESS", strategy).await;
        assert!(told(&report)[0].contains("a deployment that shifts traffic is under way"), "{:?}", told(&report));
        assert_eq!(script.count("UpdateService"), 0);
    }
}

#[tokio::test]
async fn a_person_is_answered() {
    let script = Script::new();
    let api = shop(&script, "newest approval=manual");
    let report = script.invoke(push_event("api")).await.unwrap();
    assert!(
        told(&report)[0].starts_with("api needs-approval: v1.1.0 waits for your approval (runs v1.0.0). "),
        "{:?}",
        told(&report)
    );
    let approve = |service: &str| json!({"approve": {"service": service, "image": "v1.1.0"}});
    let report = script.invoke(approve("shop/api")).await.unwrap();
    assert_eq!(told(&report), ["api approve Done", "api deploy Done"]);
    assert!(script.aws().tag(&api, "nightshift-state:approved").unwrap().starts_with(&digest(2)));
    assert_eq!(script.aws().tag(&api, "nightshift-state:problem"), None, "nothing waits any more");
    let report = script.invoke(approve("shop/nobody")).await.unwrap();
    assert!(told(&report)[0].starts_with("nobody no-such-service: there is no such service in this region: "));
}
