//! Images of ECR repositories: what is in use anywhere stays, and what cannot be read leaves everything as it is.

use serde_json::json;
use testkit::scripted::Script;

use crate::aws::{Aws, digest};
use crate::{invoke, invoke_with, told};

/// A repository `api` with images `v1` to `v9`, of which two stay, and one service that runs `v9`.
fn shop() -> Script<Aws> {
    let mut aws = Aws::default();
    aws.stock("api", "count=2", 9);
    let live = aws.define("api:9", "api:v9", &[]);
    aws.serve("shop", "api", &live);
    Script::new(aws)
}

fn left(script: &Script<Aws>) -> Vec<String> {
    script.aws().left("api")
}

#[tokio::test]
async fn every_use_keeps_an_image_whoever_it_is_of() {
    let script = shop();
    {
        let mut aws = script.aws();
        // A deployment in progress, and the way back from what was live before it.
        let (one, two) = (
            aws.define("web:2", "api:v2", &[("nightshift-state:previous", "web:1")]),
            aws.define("web:3", "api:v3", &[]),
        );
        aws.define("web:1", &format!("api@{}", digest(1)), &[]);
        let web = aws.serve("shop", "web", &one);
        web["deployments"][0]["taskDefinition"] = json!(two);
        web["tags"] =
            json!([{"key": "nightshift-state:approved", "value": format!("{} at=2026-11-20T03:00:00Z", digest(4))}]);
        // A task that was started by hand from a tag that has moved since.
        let by_hand = aws.define("batch:1", "api:latest", &[]);
        aws.run("jobs", &by_hand, "api:latest", 5);
    }
    let report = invoke(&script).await.unwrap();
    assert_eq!(told(&report), ["api delete-images Done"]);
    assert_eq!(left(&script), [1, 2, 3, 4, 5, 8, 9].map(digest));
    let deleted = &script.sent("BatchDeleteImage")[0];
    assert_eq!(deleted.body["imageIds"], json!([{"imageDigest": digest(6)}, {"imageDigest": digest(7)}]));
    assert_eq!(script.count("DescribeTaskDefinition"), 5);

    // Once more: nothing is left to do, and nobody hears of it.
    script.forget_calls();
    assert_eq!(told(&invoke(&script).await.unwrap()), Vec::<String>::new());
    assert_eq!((script.count("BatchDeleteImage"), script.count("Publish")), (0, 0));
}

#[tokio::test]
async fn what_an_instance_runs_stays_and_where_that_cannot_be_read_all_stays() {
    let script = shop();
    let runs = format!("{} at=2026-11-20T03:00:00Z before={}", digest(4), &digest(3)[71 - 12..]);
    let arn = "arn:aws:ec2:ap-northeast-2:123456789012:instance/i-0abc".to_owned();
    script.aws().instances.insert(arn, vec![("nightshift-state:runs", runs)]);
    // A group that sleeps has no instances, and remembers what they ran.
    let verdict = ("nightshift-state:verdict", format!("won {} at=2026-11-20T03:00:00Z", digest(2)));
    script.aws().groups.insert("web".into(), vec![verdict]);
    for (operation, resource) in [("GetResources", "ec2:instance"), ("DescribeAutoScalingGroups", "")] {
        script.refuse(operation, resource, 1, 400, "AccessDeniedException");
        let report = invoke(&script).await.unwrap();
        assert!(told(&report)[0].contains("which images are in use cannot be read"), "{:?}", told(&report));
        assert_eq!(left(&script).len(), 9);
    }
    invoke(&script).await.unwrap();
    assert_eq!(left(&script), [2, 3, 4, 8, 9].map(digest));
}

#[tokio::test]
async fn every_page_is_read_and_what_is_batched_stays_within_bounds() {
    let script = shop();
    {
        let mut aws = script.aws();
        aws.page = 7;
        aws.stock("api", "count=2", 260);
        // What keeps `v1` stands on the last page of everything.
        for number in 0..35 {
            let revision = aws.define(&format!("service-{number}:1"), &format!("api:v{}", 259 + number % 2), &[]);
            aws.serve("shop", &format!("service-{number}"), &revision);
        }
        let last = aws.define("last:1", "api:v1", &[]);
        aws.serve("shop", "z-last", &last);
        for number in 0..15 {
            aws.run("shop", &last, "api:v2", if number == 14 { 2 } else { 260 });
        }
    }
    let report = invoke(&script).await.unwrap();
    assert_eq!(told(&report), ["api delete-images Done"]);
    assert_eq!(left(&script), [1, 2, 9, 259, 260].map(digest));
    assert_eq!(script.count("BatchDeleteImage"), 3);
    // 37 services and 15 tasks by sevens, services described by ten, each task definition once.
    let counts =
        ["ListServices", "DescribeServices", "ListTasks", "DescribeTasks", "DescribeTaskDefinition", "ListClusters"];
    assert_eq!(counts.map(|it| script.count(it)), [6, 4, 3, 1, 37, 1]);
}

#[tokio::test]
async fn an_index_goes_with_its_parts_and_stays_with_them() {
    let script = shop();
    script.aws().list("api", 3, &[31, 32]);
    script.aws().list("api", 9, &[91, 92]);
    let report = invoke(&script).await.unwrap();
    assert_eq!(told(&report), ["api delete-images Done"]);
    assert_eq!(left(&script), [8, 9, 91, 92].map(digest));
    assert_eq!((script.count("BatchGetImage"), script.count("BatchDeleteImage")), (1, 2));
    // The service goes on running one part of an index that is old by now.
    script.aws().stock("api", "count=1", 9);
    script.aws().list("api", 3, &[31, 32]);
    script.aws().run("shop", "api:9", "api:v3", 31);
    invoke(&script).await.unwrap();
    assert_eq!(left(&script), [3, 9, 31, 32].map(digest));
}

#[tokio::test(start_paused = true)]
async fn whatever_cannot_be_read_nothing_is_deleted_and_it_is_told_once() {
    for operation in
        ["ListClusters", "ListServices", "DescribeServices", "ListTasks", "DescribeTasks", "DescribeTaskDefinition"]
    {
        let script = shop();
        let live = script.aws().services["shop"][0]["taskDefinition"].as_str().unwrap().to_owned();
        script.aws().run("shop", &live, "api:v9", 9);
        script.refuse(operation, "", 2, 400, "AccessDeniedException");
        for _ in 0..2 {
            let report = invoke(&script).await.unwrap();
            let expected = format!(
                "api unreadable-use: which images are in use cannot be read, so none of its images is deleted: {operation} "
            );
            assert!(told(&report)[0].starts_with(&expected), "{:?}", told(&report));
        }
        assert_eq!(
            (left(&script).len(), script.count("BatchDeleteImage"), script.count("Publish")),
            (9, 0, 1),
            "{operation}"
        );
        // It can be read again.
        assert_eq!(told(&invoke(&script).await.unwrap()), ["api delete-images Done"]);
        assert!(!script.aws().tags["api"].contains_key("nightshift-state:prune-problem"));
    }
    for (operation, kind) in [
        ("GetResources", "ECR repositories unreadable-repositories"),
        ("ListTagsForResource", "api unreadable-images"),
        ("DescribeImages", "api unreadable-images"),
        ("BatchGetImage", "api unreadable-images"),
    ] {
        let script = shop();
        script.aws().list("api", 3, &[31]);
        script.refuse(operation, "", 1, 400, "AccessDeniedException");
        let report = invoke(&script).await.unwrap();
        assert!(told(&report)[0].starts_with(kind), "{:?}", told(&report));
        assert_eq!(left(&script).len(), 10, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out_and_what_vanished_is_no_failure() {
    let script = shop();
    for operation in ["GetResources", "DescribeImages", "ListServices", "DescribeTaskDefinition", "BatchDeleteImage"] {
        script.refuse(operation, "", 2, 400, "ThrottlingException");
    }
    script.lose_answers("BatchDeleteImage", 1);
    let report = invoke(&script).await.unwrap();
    assert_eq!(told(&report), ["api delete-images Done"]);
    assert_eq!(left(&script), [8, 9].map(digest));
}

#[tokio::test]
async fn what_ecr_does_not_delete_is_reported_and_stops_no_other() {
    let script = shop();
    script.aws().refused.insert(digest(2), "KmsError");
    let report = invoke(&script).await.unwrap_err();
    let expected = format!("1 images were not deleted; {}: KmsError: refused by the script", digest(2));
    assert!(report.contains(&expected), "{report}");
    assert_eq!(left(&script), [2, 8, 9].map(digest));
}

#[tokio::test]
async fn a_batch_that_ecr_refuses_stops_no_other() {
    let script = shop();
    script.aws().stock("api", "count=2", 260);
    script.refuse("BatchDeleteImage", "", 1, 400, "AccessDeniedException");
    let problem = "api denied: BatchDeleteImage api: AccessDeniedException: ";
    let report = invoke(&script).await.unwrap();
    assert!(told(&report).last().unwrap().starts_with(problem), "{:?}", told(&report));
    // The first hundred are there, the others are gone; the next night tries again.
    assert_eq!((left(&script).len(), script.count("BatchDeleteImage")), (103, 3));
    invoke(&script).await.unwrap();
    assert_eq!(left(&script), [9, 259, 260].map(digest));
}

#[tokio::test]
async fn an_approval_that_cannot_be_read_may_be_of_anything_newer_than_what_runs() {
    let script = shop();
    let revision = script.aws().define("web:1", "api:v4", &[]);
    script.aws().serve("shop", "web", &revision)["tags"] =
        json!([{"key": "nightshift-state:approved", "value": "yes"}]);
    invoke(&script).await.unwrap();
    assert_eq!(left(&script), [4, 5, 6, 7, 8, 9].map(digest));
}

#[tokio::test]
async fn a_repository_that_is_gone_or_lost_its_tag_is_left_alone() {
    let script = shop();
    script.aws().stock("old", "count=1", 3);
    script.aws().repositories.remove("old");
    script.aws().stock("bare", "count=1", 3);
    script.aws().tags.get_mut("bare").unwrap().clear();
    let report = invoke(&script).await.unwrap();
    assert_eq!(told(&report), ["api delete-images Done"]);
    assert_eq!(script.aws().left("bare").len(), 3);
    // Nobody opted in: one call finds that out.
    let script = Script::new(Aws::default());
    invoke(&script).await.unwrap();
    assert_eq!((script.count("GetResources"), script.count("ListClusters")), (1, 0));
}

#[tokio::test]
async fn each_image_counts_as_a_change_and_a_dry_run_deletes_none() {
    let script = shop();
    let report = invoke_with(&script, json!({}), &[("NIGHTSHIFT_MAX_CHANGES", "6")]).await.unwrap_err();
    assert!(report.contains("the plan holds 7 changes, more than the limit of 6"), "{report}");
    let report = invoke_with(&script, json!({"dry_run": true}), &[]).await.unwrap();
    assert_eq!(told(&report), ["api delete-images Planned"]);
    assert_eq!(left(&script).len(), 9);
}

#[tokio::test]
async fn too_many_images_do_not_stop_the_snapshots() {
    let script = shop();
    {
        let mut aws = script.aws();
        let made_by = [("nightshift-state:made-by", "snapshot-databases")];
        aws.rds.serve("app", &[("nightshift:backup", "daily=1")]);
        for night in ["2026-11-18", "2026-11-19", "2026-11-20"] {
            aws.rds.store(&format!("nightshift-app-{night}"), "app", &format!("{night}T18:00:00Z"), &made_by);
        }
    }
    let report = invoke_with(&script, json!({}), &[("NIGHTSHIFT_MAX_CHANGES", "6")]).await.unwrap_err();
    assert!(report.contains("the plan holds 7 changes, more than the limit of 6 for images, so none"), "{report}");
    assert_eq!((script.count("DeleteDBSnapshot"), script.count("BatchDeleteImage")), (2, 0));
    assert_eq!(left(&script).len(), 9);
    // Seven images and two snapshots are nine changes, and within a limit of seven for each.
    let report = invoke_with(&script, json!({}), &[("NIGHTSHIFT_MAX_CHANGES", "7")]).await.unwrap();
    assert_eq!(told(&report), ["api delete-images Done"]);
}

#[tokio::test]
async fn a_sleeping_service_starts_what_its_deployment_has_pinned_and_that_stays() {
    let script = shop();
    {
        let mut aws = script.aws();
        let asleep = aws.define("staging:1", "api:v9", &[]);
        let revision = "arn:aws:ecs:ap-northeast-2:123456789012:service-revision/shop/staging/1";
        let staging = aws.serve("shop", "staging", &asleep);
        staging["runningCount"] = json!(0);
        staging["deployments"][0]["createdAt"] = json!(1_795_000_000);
        staging["currentServiceRevisions"] = json!([{"arn": revision}]);
        let image = json!({"containerName": "app", "image": "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/api:v9",
            "imageDigest": digest(3)});
        aws.revisions.insert(revision.into(), json!({"serviceRevisionArn": revision, "containerImages": [image]}));
    }
    let report = invoke(&script).await.unwrap();
    assert_eq!(told(&report), ["api delete-images Done"]);
    assert_eq!(left(&script), [3, 8, 9].map(digest));
    assert_eq!(script.count("DescribeServiceRevisions"), 1);
}

#[tokio::test]
async fn what_a_deployment_under_way_can_go_back_to_stays() {
    let script = shop();
    let arn = |kind: &str, id: &str| format!("arn:aws:ecs:ap-northeast-2:123456789012:{kind}/shop/web/{id}");
    let (deployment, blue, older) =
        (arn("service-deployment", "d"), arn("service-revision", "1"), arn("service-revision", "0"));
    {
        let mut aws = script.aws();
        let green = aws.define("web:2", &format!("api@{}", digest(9)), &[]);
        let web = aws.serve("shop", "web", &green);
        web["currentServiceDeployment"] = json!(deployment);
        // The blue tasks have ended: only the deployment still names what it came from, and what it is going back to.
        let told = json!({"serviceDeploymentArn": deployment, "status": "IN_PROGRESS",
            "sourceServiceRevisions": [{"arn": blue}], "rollback": {"serviceRevisionArn": older}});
        aws.deployments.insert(deployment, told);
        for (revision, number) in [(blue, 3), (older, 2)] {
            let image =
                json!({"containerName": "app", "image": format!("api:v{number}"), "imageDigest": digest(number)});
            aws.revisions.insert(revision.clone(), json!({"serviceRevisionArn": revision, "containerImages": [image]}));
        }
    }
    invoke(&script).await.unwrap();
    assert_eq!(left(&script), [2, 3, 8, 9].map(digest));
    assert_eq!((script.count("DescribeServiceDeployments"), script.count("DescribeServiceRevisions")), (1, 1));
    // Where it cannot be told, nothing goes.
    let script = self::shop();
    script.aws().services.get_mut("shop").unwrap()[0]["currentServiceDeployment"] = json!("arn:x");
    script.refuse("DescribeServiceDeployments", "", 1, 400, "AccessDeniedException");
    let report = told(&invoke(&script).await.unwrap());
    assert!(report[0].starts_with("api unreadable-use: ") && left(&script).len() == 9, "{report:?}");
}

#[tokio::test]
async fn a_sleeping_service_on_a_tag_that_has_moved_leaves_everything_as_it_is() {
    let script = shop();
    {
        let mut aws = script.aws();
        let asleep = aws.define("staging:1", "api:v9", &[]);
        let staging = aws.serve("shop", "staging", &asleep);
        staging["runningCount"] = json!(0);
        staging["deployments"][0]["createdAt"] = json!(1_795_000_000);
    }
    let report = invoke(&script).await.unwrap();
    assert_eq!(told(&report), Vec::<String>::new());
    assert!(report.skipped[0].reason.starts_with("shop/staging has no task, and api:v9 has moved"), "{report:?}");
}
