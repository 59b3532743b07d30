//! Events, commands and tags with mistakes in them: nothing panics, and nothing takes more than in proportion to them.

use fuzz::used;
use rules::keys;
use runtime::Request as _;
use serde_json::json;

use super::model::*;
use crate::plan::app_spec::{AppSpec, task_definition_in};
use crate::request::Request;

#[test]
fn events_and_commands() {
    fuzz::events("deploy-image", |payload| used(runtime::event(payload).and_then(Request::read)));
}

#[test]
fn tags_of_services() {
    let digest = "sha256:1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d";
    let approved = format!("{digest} at=2026-11-21T03:00:00Z from=1a2b3c4d1a2b now=true");
    let rejected = format!("{digest} pushed=2026-11-20T03:00:00Z by=hand tag=v1.1.0");
    let (won, back) =
        (format!("won {digest} at=2026-11-21T03:00:00Z"), format!("{digest} by=api-5xx at=2026-11-20T18:02:00Z"));
    let samples = [
        (keys::DEPLOY, "semver range=1.x approval=manual container=app scan=high"),
        (keys::DEPLOY, "newest except=latest prefix=v migrate=truegul-migrate snapshot=kfood-db"),
        (keys::DEPLOY, "promote from=staging/api soak=24h"),
        (keys::DEPLOY_2, "number prefix=main- container=log"),
        (keys::DEPLOY_WINDOW, "mon-thu 10:00-16:00 Asia/Seoul"),
        (keys::FREEZE, "until monday"),
        (keys::APPROVED, approved.as_str()),
        (keys::REJECTED, &rejected),
        (keys::CLEARED, "1a2b3c4d1a2b@2026-11-21T03:00:00Z"),
        (keys::VERDICT, &won),
        (keys::ROLLBACK, &back),
        (keys::MIGRATED, "ns-1a2b3c4d at=2026-11-21T03:00:00Z"),
        (
            keys::MIGRATING,
            "ns-1a2b3c4d since=2026-11-20T18:00:00Z task=0123456789abcdef family=truegul-migrate start=asked",
        ),
    ];
    let mut model = Model::new("semver");
    model.push("v1.1.0");
    fuzz::tags(&samples, |tags| {
        let mut model = model.clone();
        model.service.tags.clone_from(tags);
        used(model.plan(&service(), None));
    });
}

/// People give images any tag that ECR takes, and more are tried here.
#[test]
fn tags_of_images() {
    let models = ["newest", "semver range=1.x", "number prefix=main-", "tag name=latest"].map(Model::new);
    fuzz::texts(&["v1.1.0", "main-42", "1.2.3-alpine", "latest", "2026.11.21"], |tag| {
        for model in &models {
            let mut model = model.clone();
            model.push("v1.1.0");
            model.images.last_mut().unwrap().tags.push(tag.into());
            used(model.plan(&service(), None));
        }
    });
}

#[test]
fn app_specs() {
    let arn = "arn:aws:ecs:ap-northeast-2:123456789012:task-definition/kfood-backend:7";
    let spec =
        format!("version: 0.0\nResources:\n  - TargetService:\n      Properties:\n        TaskDefinition: {arn}\n");
    let next = arn.replace(":7", ":8");
    fuzz::texts(&[&spec, &json!({"Resources": [{"TargetService": {"TaskDefinition": arn}}]}).to_string()], |text| {
        if let Some(spec) = AppSpec::like(text) {
            let old = task_definition_in(text).unwrap();
            assert_eq!(spec.naming(&next), text.replacen(old, &next, 1), "only the task definition changes");
        }
    });
}

#[test]
fn task_definitions() {
    let sample = json!({
        "taskDefinitionArn": "arn:aws:ecs:r:1:task-definition/api:7", "family": "api", "revision": 7, "status": "ACTIVE",
        "registeredAt": 1_795_000_000.25, "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        "containerDefinitions": [{"name": "app", "image": "123456789012.dkr.ecr.r.amazonaws.com/api:v1", "essential": true}],
    });
    fuzz::values(&[sample], |it| {
        let Some(fields) = it.as_object() else { return };
        let definition = crate::plan::TaskDefinition { fields: fields.clone(), tags: Default::default() };
        used((definition.images().count(), definition.platform(), definition.number(), definition.registered_at()));
        let next = definition.next(&["app".to_owned()], "api@sha256:1a", &[(keys::IMAGE, "v1")]);
        assert!(next["taskDefinitionArn"].is_null() && next["tags"].is_array());
    });
}
