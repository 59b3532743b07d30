//! A person's yes and no, to images newer and older than the one that runs.

use proptest::prelude::*;

use super::*;

fn named(image: &str) -> Option<String> {
    Some(image.into())
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
    let refused = ask(&mut model, Command::Approve { image: bad.to_string(), hook: None, now: false });
    assert_eq!(
        refused,
        ["rejected: v1.3.0 is rejected; send \"clear\" with this image first if it may be tried again"]
    );
    ask(&mut model, Command::Approve { image: "v1.2.0".into(), hook: None, now: false });
    model.settle();
    assert!(model.is_running(&older), "{model}");
    // Forgiving does not approve.
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
    ask(&mut model, Command::Approve { image: "v1.1.0".into(), hook: None, now: false });
    model.settle();
    assert_eq!(model.running(), "v1.1.0", "{model}");
    assert!(!model.service.tags.contains_key(keys::REJECTED), "{model}");
    assert_eq!(
        push_event(&mut model),
        ["skip: v1.1.0, which a person approved instead of v1.2.0, stays until something newer is pushed"]
    );
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
            ask(&mut model, Command::Approve { image: "v1.1.0".into(), hook: None, now: false });
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
        ask(&mut model, Command::Approve { image: "v1.1.0".into(), hook: None, now: false });
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
    ask(&mut model, Command::Approve { image: "v1.1.0".into(), hook: None, now: false });
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
            assert_eq!(
                again,
                ["skip: v1.1.0, which a person approved instead of v1.2.0, stays until something newer is pushed"],
                "twice is once"
            );
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
        said.starts_with(
            "main-42 is not deployed: it was pushed before main-41, which runs. It looks newer, but names an image of"
        ) && offered(problem).contains(&approve),
        "{said}"
    );
    assert_eq!(
        model.run(&Scope::Everywhere, None, usize::MAX).problems,
        plan.problems,
        "the same words, so it is told once"
    );
    ask(&mut model, Command::Approve { image: good.to_string(), hook: None, now: false });
    model.settle();
    assert!(model.is_running(&good), "{model}");
    assert_eq!(model.plan(&repository(), None).problems, vec![]);
    model.push("main-43");
    model.settle();
    assert_eq!(model.running(), "main-43", "{model}");
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
                0 => Command::Approve { image: image.clone(), hook: None, now: false },
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
    ask(&mut model, Command::Approve { image: bad.to_string(), hook: None, now: false });
    // Instead of waiting for that, a person goes back by hand to the image that never ran, and it fails.
    let arn = model.revisions[model.revisions.len() - 3].arn().to_owned();
    model.update_service(&arn);
    model.finish();
    let said = sweep_words(&mut model);
    let rejected = said.iter().filter(|it| it.contains("is rejected")).count();
    assert_eq!(rejected, 2, "{said:?}: {model}");
    assert_eq!(model.plan(&Scope::Everywhere, None).steps, vec![], "{model}");
}
