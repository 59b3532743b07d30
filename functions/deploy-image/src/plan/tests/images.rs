//! Stories of images: which digest runs, what cannot be started, and from where the first image comes.

mod approvals;
mod config;

use std::collections::BTreeMap;

use choose::kind::{Entry, Index};
use rules::{Digest, keys};
use serde_json::json;

use super::model::{Model, REGISTRY, REPOSITORY, digest, repository, service};
use super::stories::{offered, words};
use crate::plan::*;

fn push_event(model: &mut Model) -> Vec<String> {
    words(&model.run(&repository(), None, usize::MAX))
}

fn ask(model: &mut Model, command: Command) -> Vec<String> {
    words(&model.run(&service(), Some(&command), usize::MAX))
}

/// A revision as Terraform or CDK registers it: another environment, the image as their code has it.
fn foreign(model: &mut Model, image: &str) -> String {
    model.register(&json!({"family": "api-server", "containerDefinitions": [
        {"name": "app", "image": format!("{REGISTRY}/{REPOSITORY}:{image}"), "essential": true,
         "environment": [{"name": "NEW", "value": "1"}]},
        {"name": "log", "image": "public.ecr.aws/fluent-bit:2"}]}))
}

fn has_new_environment(model: &Model) -> bool {
    model.revision(&model.service.task_definition).fields["containerDefinitions"].to_string().contains("NEW")
}

fn retag(model: &mut Model, tag: &str, to: &Digest) {
    model.minutes += 1;
    for image in &mut model.images {
        image.tags.retain(|it| it != tag);
    }
    // ECR keeps the moment of the push.
    model.images.iter_mut().find(|it| it.digest == *to).unwrap().tags.push(tag.into());
}

#[test]
fn what_ecs_pinned_runs_and_not_what_the_tag_means_today() {
    let mut model = Model::new("tag name=production");
    let (old, new) = (model.push("build-1"), model.push("build-2"));
    retag(&mut model, "production", &old);
    let arn = model.register(&json!({"family": "api-server", "containerDefinitions": [
        {"name": "app", "image": format!("{REGISTRY}/{REPOSITORY}:production"), "essential": true}]}));
    model.update_service(&arn);
    model.finish();
    // Promotion by another tag: the image was pushed long before the deployment of what runs.
    retag(&mut model, "production", &new);
    model.run(&Scope::Everywhere, None, usize::MAX);
    assert!(model.is_running(&new), "{model}");
    model.settle();
    retag(&mut model, "production", &old);
    model.settle();
    assert!(model.is_running(&old), "back as well: {model}");
}

#[test]
fn a_higher_version_on_an_older_build_goes_out_after_a_rejection() {
    let mut model = Model::new("semver");
    let built = model.push("sha-fix");
    let bad = model.push("v1.2.3");
    model.bad.push(bad);
    model.settle();
    assert!(model.service.tags.contains_key(keys::REJECTED), "{model}");
    retag(&mut model, "v1.2.4", &built);
    model.settle();
    assert!(model.is_running(&built), "{model}");
}

#[test]
fn a_newer_tag_that_is_not_a_version_is_a_problem_once_and_mentioned_after_that() {
    let mut model = Model::new("semver");
    model.push("v1.1.0");
    model.settle();
    model.push("release-1.2");
    let said = push_event(&mut model);
    assert!(
        said.iter().any(|it| it.starts_with("unread-tag: release-1.2 is left out: 'semver' does not read it as a version. It was pushed to truegul-api-server")),
        "{said:?}"
    );
    model.minutes += 25 * 60;
    let plan = model.plan(&Scope::Everywhere, None);
    assert_eq!(plan.problems, []);
    assert!(words(&plan)[0].contains("release-1.2 is left out"), "{:?}", words(&plan));
    model.push("v1.2.0");
    assert!(push_event(&mut model).iter().all(|it| !it.contains("release-1.2")));
}

#[test]
fn containers_that_run_several_images_of_one_repository_need_a_name() {
    let mut model = Model::new("newest prefix=app-");
    for tag in ["app-1", "nginx-1"] {
        model.push(tag);
    }
    let image = |tag: &str| format!("{REGISTRY}/{REPOSITORY}:{tag}");
    let arn = model.register(&json!({"family": "api-server", "containerDefinitions": [
        {"name": "app", "image": image("app-1"), "essential": true},
        {"name": "nginx", "image": image("nginx-1"), "essential": true}]}));
    model.update_service(&arn);
    model.finish();
    model.push("app-2");
    let said = push_event(&mut model);
    assert!(
        said[0].starts_with(
            "no-container: its containers run several images of one repository: app (truegul-api-server:app-1), nginx"
        ),
        "{said:?}"
    );
    model.service.tags.insert(keys::DEPLOY.into(), "newest prefix=app- container=app".into());
    model.settle();
    let set: Vec<String> =
        model.revision(&model.service.task_definition).images().map(|(_, it)| it.to_owned()).collect();
    assert_eq!(set, [format!("{REGISTRY}/{REPOSITORY}@{}", digest("app-2")), image("nginx-1")]);
}

#[test]
fn a_service_with_a_placeholder_gets_its_first_image_from_the_repository_that_is_named() {
    let mut model = Model::new("newest");
    let arn = model.register(&json!({"family": "api-server", "containerDefinitions": [
        {"name": "app", "image": "public.ecr.aws/nginx/nginx:stable", "essential": true}]}));
    model.update_service(&arn);
    model.finish();
    let said = words(&model.plan(&Scope::Everywhere, None));
    assert!(said[0].starts_with("no-container: ") && said[0].contains("repository=NAME"), "{said:?}");
    model.service.tags.insert(keys::DEPLOY.into(), format!("newest repository={REPOSITORY}"));
    model.settle();
    assert_eq!(model.running(), "v1.0.0", "{model}");
}

#[test]
fn an_image_for_another_processor_is_never_deployed() {
    let index = |model: &Model, parts: &[(&str, &str)]| {
        let digests: Vec<String> = parts.iter().map(|(name, _)| digest(name).to_string()).collect();
        let entries = parts.iter().zip(&digests).map(|((_, processor), digest)| Entry {
            digest: Some(digest),
            os: Some("linux"),
            processor: Some(processor),
            ..Entry::default()
        });
        let _ = model;
        Index::of(entries)
    };
    // The parts have tags of their own, and one of them is pushed last.
    let mut model = Model::new("newest");
    model.push("v1.1-x");
    let list = model.push("v1.1.0");
    model.images.last_mut().unwrap().media_type = Some("application/vnd.oci.image.index.v1+json".into());
    model.push("v1.1-a");
    let known = index(&model, &[("v1.1-x", "amd64"), ("v1.1-a", "arm64")]);
    let fact = Fact::Indexes { repository: REPOSITORY.into(), digests: [list.clone()].into() };
    model.facts.insert(fact, Observation::Indexes(BTreeMap::from([(list.clone(), known.clone())])));
    model.settle();
    assert!(model.is_running(&list), "{model}");
    // A list that lacks the processor of the tasks is told, and nothing is deployed.
    let mut model = Model::new("newest");
    let list = model.push("v1.1.0");
    model.images.last_mut().unwrap().media_type = Some("application/vnd.oci.image.index.v1+json".into());
    model.images.retain(|it| it.digest == list);
    let arm = index(&model, &[("v1.1-a", "arm64")]);
    let fact = Fact::Indexes { repository: REPOSITORY.into(), digests: [list.clone()].into() };
    model.facts.insert(fact, Observation::Indexes(BTreeMap::from([(list, arm)])));
    let said = push_event(&mut model);
    assert_eq!(
        said,
        [
            "unfit-image: v1.1.0 is not deployed: it is for linux/arm64, and tasks run on linux/amd64 (runtimePlatform); \
             'newest' selects it in truegul-api-server"
        ]
    );
    // A tag that names another processor is enough.
    let mut model = Model::new("newest");
    model.push("v1.1.0-arm64");
    assert_eq!(push_event(&mut model), ["skip: runs v1.0.0, the one that 'newest' selects in truegul-api-server"]);
}

#[test]
fn an_image_that_runs_without_a_tag_is_told_where_it_may_expire() {
    for policy in [true, false] {
        let mut model = Model::new("newest prefix=main-");
        model.push("main-1");
        model.settle();
        model.images.last_mut().unwrap().tags.clear();
        model.push("v9.9.9");
        model.facts.insert(Fact::Lifecycle(REPOSITORY.into()), Observation::Lifecycle(policy));
        let problems = model.plan(&Scope::Everywhere, None).problems;
        let told = problems.iter().find(|it| it.problem == "untagged-image");
        assert_eq!(told.is_some(), policy, "{problems:?}");
        assert!(
            told.is_none_or(|it| it.message.starts_with("the image that runs may expire: main-1 has lost its tag. ")),
            "{told:?}"
        );
    }
}

fn sweep_words(model: &mut Model) -> Vec<String> {
    words(&model.run(&Scope::Everywhere, None, usize::MAX))
}
