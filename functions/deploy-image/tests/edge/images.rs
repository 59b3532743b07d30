//! Which image runs and which is chosen, with the real SDK: service revisions, manifests, registries and their hosts.

use serde_json::{Value, json};

use super::aws::{Script, digest, image};
use super::{push_event, shop, told};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// `api` runs by its tag `stable`, and ECS has pinned `pinned` for it.
fn by_tag(script: &Script, pinned: Option<u32>) -> String {
    let api = script.serve("shop/api", "tag name=stable", ":stable");
    let mut aws = script.aws();
    let revision = "arn:aws:ecs:ap-northeast-2:123456789012:service-revision/shop/api/1";
    let service = aws.services.get_mut(&api).unwrap();
    let before = "arn:aws:ecs:ap-northeast-2:123456789012:service-revision/shop/api/0";
    let definition = service["taskDefinition"].clone();
    service["currentServiceRevisions"] = json!([{"arn": before}, {"arn": revision}]);
    let mut images = json!({"containerName": "app", "image": "api:stable"});
    if let Some(pinned) = pinned {
        images["imageDigest"] = json!(digest(pinned));
    }
    let old = json!({"serviceRevisionArn": before, "taskDefinition": "arn:other:1", "containerImages": []});
    let new = json!({"serviceRevisionArn": revision, "taskDefinition": definition, "containerImages": [images]});
    aws.revisions.extend([(before.to_owned(), old), (revision.to_owned(), new)]);
    api
}

#[tokio::test(start_paused = true)]
async fn promotion_by_another_tag_for_an_old_image_is_deployed() {
    let script = Script::new();
    by_tag(&script, Some(2));
    // Both were pushed before the deployment; `stable` named the second one then and names the first one now.
    script.push("api", "stable", 1, 0);
    script.push("api", "build-2", 2, 1);
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report), ["api deploy Done"]);
    assert_eq!(script.count("DescribeServiceRevisions"), 1);
    let image = script.sent("RegisterTaskDefinition")[0]["containerDefinitions"][0]["image"].clone();
    assert!(image.as_str().unwrap().ends_with(&digest(1)), "{image}");
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_asked_for_only_where_it_matters() {
    let script = Script::new();
    by_tag(&script, Some(1));
    script.push("api", "stable", 1, 0);
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report), ["api skipped: runs stable, the one that 'tag name=stable' selects in api"]);
    assert_eq!(script.count("DescribeServiceRevisions"), 1);
    // Pinned by its digest, a service needs no question.
    let script = Script::new();
    script.push("api", "v1.0.0", 1, 1);
    script.serve("shop/api", "newest", &format!("@{}", digest(1)));
    script.invoke(json!({})).await.unwrap();
    assert_eq!(script.count("DescribeServiceRevisions"), 0);
}

#[tokio::test(start_paused = true)]
async fn where_ecs_would_not_say_what_runs_nothing_is_guessed() {
    let script = Script::new();
    by_tag(&script, Some(2));
    script.push("api", "stable", 1, 0);
    script.fail("DescribeServiceRevisions", "", 99, 400, "AccessDeniedException");
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(report.problems[0].problem, "unknown-age", "{:?}", told(&report));
    assert_eq!(script.count("UpdateService"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_index_without_the_processor_of_the_tasks_is_told_and_a_cache_is_passed_over() {
    let with_media_type = |script: &Script| {
        let mut aws = script.aws();
        let last = aws.images.get_mut("api").unwrap().last_mut().unwrap().last_mut().unwrap();
        last["imageManifestMediaType"] = json!(INDEX);
    };
    let list = |entries: Value| json!({"mediaType": INDEX, "manifests": entries});
    let script = Script::new();
    shop(&script, "newest");
    with_media_type(&script);
    let arm = json!([{"digest": digest(9), "platform": {"os": "linux", "architecture": "arm64"}}]);
    script.aws().manifests.insert(digest(2), list(arm));
    let report = script.invoke(push_event("api")).await.unwrap();
    assert_eq!(told(&report), ["api skipped: runs v1.0.0, the one that 'newest' selects in api"]);
    assert_eq!(script.count("BatchGetImage"), 1);

    let script = Script::new();
    shop(&script, "newest");
    script.push("api", "buildcache", 3, 9);
    with_media_type(&script);
    let cache = json!([{"digest": digest(8), "mediaType": "application/vnd.buildkit.cacheconfig.v0"}]);
    script.aws().manifests.insert(digest(3), list(cache));
    let report = script.invoke(push_event("api")).await.unwrap();
    assert_eq!(told(&report), ["api deploy Done"]);
    let image = script.sent("RegisterTaskDefinition")[0]["containerDefinitions"][0]["image"].clone();
    assert!(image.as_str().unwrap().ends_with(&digest(2)), "{image}");
}

#[tokio::test(start_paused = true)]
async fn a_replicated_image_counts_as_pushed() {
    let script = Script::new();
    shop(&script, "newest");
    let mut event = push_event("api");
    event["detail-type"] = json!("ECR Replication Action");
    event["detail"]["action-type"] = json!("REPLICATE");
    let report = script.invoke(event).await.unwrap();
    assert_eq!(told(&report), ["api deploy Done"]);
}

#[tokio::test(start_paused = true)]
async fn the_registry_of_another_account_is_read_where_the_tag_names_it() {
    let host = "210987654321.dkr.ecr-fips.ap-northeast-2.amazonaws.com";
    let serve = |script: &Script, rule: &str| {
        let mut aws = script.aws();
        let fields = json!({"containerDefinitions": [{"name": "app", "image": format!("{host}/team/api:v1.0.0")}]});
        let revision = aws.add_revision("api", fields, json!([]));
        aws.images.insert("team/api".into(), vec![vec![image("v1.0.0", 1, 1), image("v1.1.0", 2, 5)]]);
        aws.add_service("shop/api", rule, &revision);
    };
    let script = Script::new();
    serve(&script, "newest");
    let report = script.invoke(json!({})).await.unwrap();
    assert!(
        report.problems[0].message.contains("add repository=210987654321/team/api to the tag"),
        "{:?}",
        told(&report)
    );

    let script = Script::new();
    serve(&script, "newest repository=210987654321/team/api");
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report), ["api deploy Done"]);
    let asked = &script.sent("DescribeImages")[0];
    assert_eq!((&asked["registryId"], &asked["repositoryName"]), (&json!("210987654321"), &json!("team/api")));
    let image = script.sent("RegisterTaskDefinition")[0]["containerDefinitions"][0]["image"].clone();
    assert_eq!(image, json!(format!("{host}/team/api@{}", digest(2))));

    let script = Script::new();
    serve(&script, "newest repository=210987654321/team/api");
    script.fail("DescribeImages", "", 99, 400, "AccessDeniedException");
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(report.problems[0].problem, "unreadable-repository");
    assert!(report.problems[0].message.contains("repository policy"), "{:?}", told(&report));
}

#[tokio::test(start_paused = true)]
async fn a_running_image_without_a_tag_is_told_where_the_repository_has_a_lifecycle_policy() {
    for policy in [true, false] {
        let script = Script::new();
        script.push("api", "", 1, 1);
        script.push("api", "v9", 2, 0);
        script.serve("shop/api", "newest", &format!("@{}", digest(1)));
        script.aws().lifecycle = policy;
        let report = script.invoke(json!({})).await.unwrap();
        assert_eq!(report.problems.iter().any(|it| it.problem == "untagged-image"), policy, "{:?}", told(&report));
        assert_eq!(script.count("GetLifecyclePolicy"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_new_for_two_containers_goes_out_as_one_revision() {
    let script = Script::new();
    let registry = "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com";
    let containers = json!({"containerDefinitions": [
        {"name": "app", "image": format!("{registry}/api@{}", digest(1)), "essential": true, "cpu": 128},
        {"name": "web", "image": format!("{registry}/web@{}", digest(3)), "essential": true}]});
    let revision = script.aws().add_revision("api", containers, json!([]));
    let api = script.aws().add_service("shop/api", "semver container=app", &revision);
    let second = json!({"key": "nightshift:deploy-2", "value": "newest container=web"});
    script.aws().services.get_mut(&api).unwrap()["tags"].as_array_mut().unwrap().push(second);
    script.push("api", "v1.0.0", 1, 1);
    script.push("api", "v1.1.0", 2, 5);
    script.push("web", "main-1", 3, 1);
    script.push("web", "main-2", 4, 6);
    let report = script.invoke(push_event("web")).await.unwrap();
    assert_eq!(told(&report), ["api deploy Done"]);
    let sent = script.sent("RegisterTaskDefinition");
    let image = |at: usize| sent[0]["containerDefinitions"][at]["image"].as_str().unwrap().to_owned();
    assert_eq!(
        (image(0), image(1)),
        (format!("{registry}/api@{}", digest(2)), format!("{registry}/web@{}", digest(4)))
    );
    assert_eq!(sent[0]["containerDefinitions"][0]["cpu"], 128);
    let tags = sent[0]["tags"].to_string();
    assert!(tags.contains("nightshift-state:image-2") && tags.contains("main-2") && tags.contains("v1.1.0"), "{tags}");
    assert_eq!((sent.len(), script.count("UpdateService"), script.count("DescribeImages")), (1, 1, 2));
    let again = script.invoke(push_event("api")).await.unwrap();
    assert_eq!((again.actions.len(), script.count("RegisterTaskDefinition")), (0, 1), "{:?}", told(&again));
}
