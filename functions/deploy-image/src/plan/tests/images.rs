//! Stories of images: who else deploys, which digest runs, what cannot be started, and from where the first image comes.

use std::collections::BTreeMap;

use choose::kind::{Entry, Index};
use proptest::prelude::*;
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

fn named(image: &str) -> Option<String> {
    Some(image.into())
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
fn the_advice_after_a_rejection_leads_to_the_older_image_and_never_to_the_rejected_one() {
    let mut model = Model::new("newest approval=manual");
    let (older, bad) = (model.push("v1.2.0"), model.push("v1.3.0"));
    ask(&mut model, Command::Reject { image: "v1.3.0".into() });
    let said = push_event(&mut model);
    assert_eq!(
        said,
        [
            "skip: v1.3.0 is rejected, and v1.2.0, which is older, does not go out by itself; v1.0.0 stays. Send \"approve\" to \
          deploy v1.2.0 all the same"
        ]
    );
    let refused = ask(&mut model, Command::Approve { image: bad.to_string(), hook: None });
    assert_eq!(
        refused,
        ["rejected: v1.3.0 is rejected; send \"clear\" with this image first if it may be tried again"]
    );
    ask(&mut model, Command::Approve { image: "v1.2.0".into(), hook: None });
    model.settle();
    assert!(model.is_running(&older), "{model}");
    // To forgive is not to approve.
    ask(&mut model, Command::Clear { image: named("v1.3.0") });
    model.settle();
    assert!(model.is_running(&older), "{model}");
    assert_eq!(model.plan(&repository(), None).problems[0].problem, "needs-approval");
}

#[test]
fn one_of_several_rejected_images_is_forgiven_by_its_name() {
    let mut model = Model::new("newest");
    for version in ["v1.1.0", "v1.2.0"] {
        model.push(version);
        ask(&mut model, Command::Reject { image: version.into() });
    }
    let said = ask(&mut model, Command::Clear { image: None });
    assert_eq!(said, ["which-image: several images are rejected: v1.1.0, v1.2.0; name one as \"image\""]);
    let said = ask(&mut model, Command::Clear { image: named("v1.0.0") });
    assert_eq!(said[0], "skip: v1.0.0 is not rejected");
    ask(&mut model, Command::Clear { image: named("v1.2.0") });
    model.settle();
    assert_eq!(model.running(), "v1.2.0", "{model}");
    assert!(model.to_string().contains("rejected: v1.1.0 "), "{model}");
}

#[test]
fn an_older_image_that_a_person_approves_stays_until_something_newer_is_pushed() {
    let mut model = Model::new("newest");
    for version in ["v1.1.0", "v1.2.0"] {
        model.push(version);
        model.settle();
    }
    ask(&mut model, Command::Approve { image: "v1.1.0".into(), hook: None });
    model.settle();
    assert_eq!(model.running(), "v1.1.0", "{model}");
    assert!(!model.service.tags.contains_key(keys::REJECTED), "{model}");
    assert_eq!(push_event(&mut model), ["skip: v1.1.0, which a person approved instead of v1.2.0, stays"]);
    model.push("v1.3.0");
    model.settle();
    assert_eq!(model.running(), "v1.3.0", "{model}");
}

#[test]
fn an_older_image_that_a_person_approved_and_that_fails_leads_back_to_the_one_that_ran() {
    for rule in ["newest", "semver"] {
        for goes_back in [true, false] {
            let mut model = Model::new(rule);
            model.service.safety = Safety { gives_up: true, goes_back };
            let older = model.push("v1.1.0");
            model.bad.push(older);
            model.push("v1.2.0");
            model.settle();
            ask(&mut model, Command::Approve { image: "v1.1.0".into(), hook: None });
            let began = model.past.len();
            model.settle();
            assert_eq!(model.running(), "v1.2.0", "{model}");
            assert!(model.service.tags[keys::REJECTED].ends_with(" by=ecs tag=v1.1.0"), "{model}");
            // One way back, and nothing older than either of the two on it.
            assert_eq!(model.past.len() - began, usize::from(!goes_back), "{rule}, goes back: {goes_back}");
        }
    }
}

#[test]
fn an_approved_older_image_that_a_person_stops_is_rejected_and_its_approval_has_ended() {
    for (rule, live) in [("newest", false), ("semver", false), ("newest", true), ("semver", true)] {
        let mut model = Model::new(rule);
        for version in ["v1.1.0", "v1.2.0"] {
            model.push(version);
            model.settle();
        }
        let before = model.service.task_definition.clone();
        ask(&mut model, Command::Approve { image: "v1.1.0".into(), hook: None });
        if live {
            model.settle();
        }
        // A person deploys by hand what ran before.
        model.update_service(&before);
        model.settle();
        assert_eq!(model.running(), "v1.2.0", "{model}");
        let rejected = model.service.tags.get(keys::REJECTED);
        match live {
            // Left once it was live, it is only the older one of two that are fine.
            true => assert_eq!(rejected, None),
            false => assert!(rejected.unwrap().ends_with(" by=hand tag=v1.1.0"), "{model}"),
        }
        let deployments = model.past.len();
        model.settle();
        assert_eq!(model.past.len(), deployments, "{rule}, live: {live}: {model}");
    }
}

#[test]
fn a_rollback_from_an_approved_older_image_leads_to_the_one_that_ran() {
    let mut model = Model::new("semver");
    for version in ["v1.1.0", "v1.2.0"] {
        model.push(version);
        model.settle();
    }
    ask(&mut model, Command::Approve { image: "v1.1.0".into(), hook: None });
    model.settle();
    let revisions = model.revisions.len();
    ask(&mut model, Command::RollBack { image: None });
    assert_eq!((model.running().as_str(), model.revisions.len()), ("v1.2.0", revisions), "{model}");
    model.settle();
    assert_eq!(model.running(), "v1.2.0", "{model}");
}

#[test]
fn an_image_that_a_person_names_goes_out_through_the_gates_or_at_once_and_stays() {
    for (now, expected) in [(false, "v1.2.0"), (true, "v1.1.0")] {
        let mut model = Model::new("semver scan=high");
        let versions = ["v1.1.0", "v1.2.0"].map(|version| {
            let digest = model.push(version);
            model.scan(&digest, Scan::of(ScanState::Done));
            model.settle();
            digest
        });
        // Since then something was found in it.
        let finding = Finding { name: "CVE-2026-1".into(), package: None, grade: Grade::High, score: 9.0 };
        model.scan(&versions[0], Scan { findings: vec![finding], ..Scan::of(ScanState::Done) });
        let said = ask(&mut model, Command::Deploy { image: "v1.1.0".into(), now });
        model.settle();
        assert_eq!(model.running(), expected, "{said:?}");
        assert_eq!(said.iter().any(|it| it.starts_with("scan-findings: v1.1.0")), !now, "{said:?}");
        assert_eq!(said.iter().any(|it| it.contains("through no gate")), now, "{said:?}");
        let stays = "it stays until 'semver' selects an image that is pushed from now on";
        let again = ask(&mut model, Command::Deploy { image: "v1.1.0".into(), now });
        if now {
            assert_eq!(again, ["skip: v1.1.0, which a person approved instead of v1.2.0, stays"], "twice is once");
        }
        let digest = model.push("v1.3.0");
        model.scan(&digest, Scan::of(ScanState::Done));
        model.settle();
        assert_eq!(model.running(), "v1.3.0", "{model}");
        let mut other = Model::new("newest");
        other.push("v1.1.0");
        other.settle();
        let plan = other.plan(&service(), Some(&Command::Deploy { image: "v1.0.0".into(), now }));
        assert!(
            plan.steps.iter().any(|it| it.reason.contains(&stays.replace("semver", "newest"))),
            "{:?}",
            words(&plan)
        );
        ask(&mut other, Command::Reject { image: "v1.1.0".into() });
        other.settle();
        let refused = ask(&mut other, Command::Deploy { image: "v1.1.0".into(), now });
        assert!(refused[0].starts_with("rejected: v1.1.0 is rejected; send \"clear\""), "{refused:?}");
    }
}

#[test]
fn a_newer_tag_of_an_older_image_is_told_and_an_approval_deploys_it() {
    let mut model = Model::new("newest prefix=main-");
    let good = model.push("main-40");
    model.settle();
    model.push("main-41");
    model.settle();
    // The revert is built to the digest of before, and ECR adds a tag to it.
    model.images.iter_mut().find(|it| it.digest == good).unwrap().tags.push("main-42".into());
    let plan = model.run(&repository(), None, usize::MAX);
    let (problem, approve) = (
        &plan.problems[0],
        format!("{{\"approve\":{{\"service\":\"truegul-production/api-server\",\"image\":\"{good}\"}}}}"),
    );
    assert!(problem.problem == "older-image" && problem.monthly && plan.problems.len() == 1, "{:?}", words(&plan));
    let said = &problem.message;
    assert!(
        said.starts_with("main-42 looks newer than main-41, which runs, but names an image of")
            && offered(problem).contains(&approve),
        "{said}"
    );
    assert_eq!(
        model.run(&Scope::Everywhere, None, usize::MAX).problems,
        plan.problems,
        "the same words, so it is told once"
    );
    ask(&mut model, Command::Approve { image: good.to_string(), hook: None });
    model.settle();
    assert!(model.is_running(&good), "{model}");
    assert_eq!(model.plan(&repository(), None).problems, vec![]);
    model.push("main-43");
    model.settle();
    assert_eq!(model.running(), "main-43", "{model}");
}

#[test]
fn a_configuration_that_something_else_deploys_gets_the_image_and_rejects_nothing() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    model.settle();
    model.minutes += 3 * 24 * 60;
    let arn = foreign(&mut model, "v1.0.0");
    model.update_service(&arn);
    model.settle();
    assert_eq!(model.running(), "v1.1.0", "{model}");
    assert!(has_new_environment(&model) && !model.service.tags.contains_key(keys::REJECTED), "{model}");
}

#[test]
fn a_revision_that_is_not_in_use_is_told_for_a_day_with_both_ways_out() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    model.settle();
    foreign(&mut model, "v1.0.0");
    model.push("v1.2.0");
    let plan = model.run(&repository(), None, usize::MAX);
    assert_eq!(plan.problems[0].problem, "newer-revision", "{:?}", words(&plan));
    let message = &plan.problems[0].message;
    assert!(message.starts_with("api-server:3 is newer than what runs and is not in use. "), "{message}");
    let once = " [Deploy it once: aws ecs update-service --cluster truegul-production --service api-server \
                --task-definition api-server:3]";
    assert!(message.contains("config=newest") && offered(&plan.problems[0]) == once, "{message}");
    assert!(!has_new_environment(&model));
    let mut later = Model::new("newest");
    foreign(&mut later, "v1.0.0");
    later.minutes += 25 * 60;
    assert_eq!(
        push_event(&mut later),
        [
            "skip: api-server:2 is newer than what runs and is not in use",
            "skip: runs v1.0.0, the one that 'newest' selects in truegul-api-server"
        ]
    );
}

#[test]
fn with_config_newest_a_new_configuration_goes_out_with_a_new_image_or_with_the_one_that_runs() {
    for with_image in [true, false] {
        let mut model = Model::new("newest config=newest");
        model.push("v1.1.0");
        model.settle();
        foreign(&mut model, "v1.0.0");
        if with_image {
            model.push("v1.2.0");
        }
        let said = push_event(&mut model);
        assert!(said[0].contains("with the configuration of api-server:3"), "{said:?}");
        model.settle();
        assert_eq!(model.running(), if with_image { "v1.2.0" } else { "v1.1.0" }, "{model}");
        assert!(has_new_environment(&model), "{model}");
        assert_eq!(model.revisions.len(), 4, "one more for each deployment");
    }
}

#[test]
fn a_new_configuration_passes_the_gates_as_an_image_does() {
    let mut model = Model::new("newest config=newest approval=manual");
    foreign(&mut model, "v1.0.0");
    let plan = model.run(&Scope::Everywhere, None, usize::MAX);
    assert_eq!((plan.steps.len(), plan.problems[0].problem.as_str()), (0, "needs-approval"), "{:?}", words(&plan));
    ask(&mut model, Command::Approve { image: "v1.0.0".into(), hook: None });
    model.settle();
    assert!(has_new_environment(&model), "{model}");
}

#[test]
fn a_configuration_that_fails_is_told_and_not_tried_again() {
    let mut model = Model::new("newest config=newest");
    model.push("v1.1.0");
    model.settle();
    foreign(&mut model, "v1.0.0");
    model.broken = true;
    push_event(&mut model);
    for _ in 0..4 {
        model.finish();
    }
    let before = model.past.len();
    for scope in [service(), repository(), Scope::Everywhere] {
        let plan = model.run(&scope, None, usize::MAX);
        assert!(plan.steps.is_empty(), "{scope:?}: {:?}", words(&plan));
    }
    let told = model.plan(&service(), None).problems;
    assert!(told.iter().any(|it| it.problem == "config-failed"), "{told:?}");
    assert_eq!((model.past.len(), model.running().as_str()), (before, "v1.1.0"));
    assert!(!model.service.tags.contains_key(keys::REJECTED), "{model}");
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
        said.iter().any(|it| it.starts_with("unread-tag: release-1.2 was pushed to truegul-api-server after v1.1.0")),
        "{said:?}"
    );
    model.minutes += 25 * 60;
    let plan = model.plan(&Scope::Everywhere, None);
    assert_eq!(plan.problems, []);
    assert!(words(&plan)[0].contains("release-1.2 was pushed"), "{:?}", words(&plan));
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
            "unfit-image: 'newest' selects v1.1.0 in truegul-api-server, but it is for linux/arm64, and tasks run on linux/amd64 \
          (runtimePlatform)"
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
            told.is_none_or(|it| it.message.starts_with("main-1 (sha256:000000000000) runs, but no tag of")),
            "{told:?}"
        );
    }
}

proptest! {
    #[test]
    fn what_was_rejected_last_is_never_deployed_whatever_a_person_says_before_and_after(
        rule in prop::sample::select(vec!["newest", "semver", "newest approval=manual", "semver approval=manual"]),
        words in prop::collection::vec((0..3usize, 0..4usize), 1..10)
    ) {
        let mut model = Model::new(rule);
        let versions = ["v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0"];
        versions.iter().for_each(|it| drop(model.push(it)));
        let mut rejected = std::collections::BTreeSet::new();
        for (word, at) in words {
            let image = versions[at].to_owned();
            let command = match word {
                0 => Command::Approve { image: image.clone(), hook: None },
                1 => Command::Reject { image: image.clone() },
                _ => Command::Clear { image: Some(image.clone()) },
            };
            match word {
                1 => drop(rejected.insert(image)),
                2 => drop(rejected.remove(&image)),
                _ => {}
            }
            ask(&mut model, command);
            model.settle();
            prop_assert!(!rejected.contains(&model.running()), "{} runs: {}", model.running(), model);
        }
    }

    #[test]
    fn a_foreign_revision_never_causes_a_rejection(
        rule in prop::sample::select(vec!["newest", "semver", "newest config=newest"]),
        happenings in prop::collection::vec(0..4u8, 1..12)
    ) {
        let mut model = Model::new(rule);
        for (number, happening) in happenings.iter().enumerate() {
            match happening {
                0 => drop(model.push(&format!("v1.{}.0", number + 1))),
                1 => {
                    let arn = foreign(&mut model, "v1.0.0");
                    model.update_service(&arn);
                }
                2 => drop(foreign(&mut model, "v1.0.0")),
                _ => model.finish(),
            }
            model.run(&service(), None, usize::MAX);
            prop_assert!(!model.service.tags.contains_key(keys::REJECTED), "{}", model);
        }
        model.settle();
        prop_assert!(!model.service.tags.contains_key(keys::REJECTED), "{}", model);
        let newest = model.images.iter().max_by_key(|it| it.pushed_at).unwrap().digest.clone();
        prop_assert!(model.is_running(&newest) || model.running() == "v1.0.0" && model.images.len() == 1, "{}", model);
    }
}

#[test]
fn two_images_that_did_not_stay_are_rejected_in_one_run() {
    let mut model = Model::new("newest");
    model.service.safety = Safety { gives_up: true, goes_back: false };
    let bad = model.push("v1.0.0");
    model.bad.push(bad.clone());
    push_event(&mut model);
    model.restart();
    model.push("v1.1.0");
    push_event(&mut model);
    ask(&mut model, Command::RollBack { image: None });
    ask(&mut model, Command::Clear { image: None });
    model.finish();
    ask(&mut model, Command::Approve { image: bad.to_string(), hook: None });
    // Instead of waiting for that, a person goes back by hand to the image that never ran, and it fails.
    let arn = model.revisions[model.revisions.len() - 3].arn().to_owned();
    model.update_service(&arn);
    model.finish();
    let said = sweep_words(&mut model);
    let rejected = said.iter().filter(|it| it.contains("is rejected")).count();
    assert_eq!(rejected, 2, "{said:?}: {model}");
    assert_eq!(model.plan(&Scope::Everywhere, None).steps, vec![], "{model}");
}

fn sweep_words(model: &mut Model) -> Vec<String> {
    words(&model.run(&Scope::Everywhere, None, usize::MAX))
}
