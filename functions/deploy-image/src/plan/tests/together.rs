//! Several tags on one service: `nightshift:deploy` for the container `app` and `nightshift:deploy-2` for `web`.

use proptest::prelude::*;
use proptest::strategy::Strategy;
use rules::keys;

use super::model::{Model, WEB, repository, service};
use super::stories::words;
use crate::plan::*;

fn sweep(model: &mut Model) -> Vec<String> {
    words(&model.run(&Scope::Everywhere, None, usize::MAX))
}

fn ask(model: &mut Model, command: Command) -> Vec<String> {
    words(&model.run(&service(), Some(&command), usize::MAX))
}

#[test]
fn what_is_new_for_several_containers_goes_out_as_one_revision() {
    let mut model = Model::with_web("semver", "newest");
    model.push("v1.1.0");
    model.push_web("web-2");
    let revisions = model.revisions.len();
    let plan = model.run(&Scope::Repository(WEB.into()), None, usize::MAX);
    let deploys: Vec<&str> =
        plan.steps.iter().filter(|it| matches!(it.step, Step::Deploy(_))).map(|it| it.reason.as_str()).collect();
    assert_eq!(
        deploys,
        [
            "v1.1.0 is the image that 'semver' selects in truegul-api-server; web-2 is the image that 'newest' selects in \
          truegul-web"
        ]
    );
    assert!(
        words(&plan).iter().any(|it| it.contains("deploying v1.1.0 and web-2 (was v1.0.0 and web-1)")),
        "{:?}",
        words(&plan)
    );
    assert_eq!((model.both().as_str(), model.revisions.len() - revisions), ("v1.1.0 web-2", 1));
    model.settle();
    assert!(model.service.tags["nightshift-state:verdict-2"].starts_with("won "), "{model}");
    assert!(model.service.tags[keys::VERDICT].starts_with("won "), "{model}");
    model.push_web("web-3");
    model.settle();
    assert_eq!((model.both().as_str(), model.revisions.len() - revisions), ("v1.1.0 web-3", 2));
}

#[test]
fn a_revision_that_fails_rejects_what_was_new_in_it_and_nothing_else() {
    for goes_back in [true, false] {
        for (app, web) in [(true, true), (true, false), (false, true)] {
            let mut model = Model::with_web("semver", "newest");
            model.service.safety = Safety { gives_up: true, goes_back };
            model.push("v1.1.0");
            model.push_web("web-2");
            model.settle();
            if app {
                model.push("v1.2.0");
            }
            if web {
                model.push_web("web-3");
            }
            let bad = if web { &model.web } else { &model.images };
            model.bad.push(bad.last().unwrap().digest.clone());
            model.settle();
            assert_eq!(model.both(), "v1.1.0 web-2", "{app} {web} {goes_back}: {model}");
            let rejected =
                (model.service.tags.get(keys::REJECTED), model.service.tags.get("nightshift-state:rejected-2"));
            assert_eq!((rejected.0.is_some(), rejected.1.is_some()), (app, web), "{goes_back}: {model}");
            let told = sweep(&mut model);
            assert!(
                !told.iter().any(|it| it.starts_with("restart-failed") || it.starts_with("no-way-back")),
                "{told:?}"
            );
            // A newer image of either goes out again.
            model.push_web("web-4");
            model.settle();
            assert_eq!(model.both(), "v1.1.0 web-4", "{model}");
        }
    }
}

#[test]
fn an_image_of_another_tag_does_not_overtake_a_way_back_that_pauses() {
    let mut model = Model::with_web("semver", "newest");
    model.push("v1.1.0");
    model.settle();
    model.ask_people(false);
    ask(&mut model, Command::Reject { image: "v1.1.0".into() });
    model.push_web("web-2");
    // Before the pause of the way back, at it, and after it was answered.
    let waits = |it: &&str| it.starts_with("skip: web-2 ");
    for (at, expected) in [
        ("before", "skip: web-2 waits: the service leaves v1.1.0 first"),
        ("at", "skip: web-2 is newer, but a deployment that pauses (stage POST_SCALE_UP) is under way"),
        ("after", "skip: web-2 waits: the service leaves v1.1.0 first"),
    ] {
        let said = sweep(&mut model);
        let said: Vec<&str> = said.iter().map(String::as_str).filter(waits).collect();
        assert!(matches!(said[..], [it] if it.starts_with(expected)), "{at}: {said:#?}");
        assert_eq!(model.both(), "v1.0.0 web-1", "{at}");
        if at != "at" {
            model.finish();
        }
    }
    sweep(&mut model);
    assert_eq!(model.both(), "v1.0.0 web-2", "{model}");
}

#[test]
fn one_image_waits_for_the_other_where_that_only_takes_time_and_not_where_it_takes_a_person() {
    let mut model = Model::with_web("semver approval=manual", "newest");
    model.push("v1.1.0");
    model.push_web("web-2");
    model.settle();
    assert_eq!(model.both(), "v1.0.0 web-2", "{model}");
    ask(&mut model, Command::Approve { image: "v1.1.0".into(), hook: None, now: false });
    model.settle();
    assert_eq!(model.both(), "v1.1.0 web-2", "{model}");

    let mut model = Model::with_web("semver scan=high", "newest");
    let digest = model.push("v1.1.0");
    model.push_web("web-2");
    model.scan(&digest, Scan::of(ScanState::Pending));
    assert!(sweep(&mut model).contains(&"skip: web-2 waits: it goes out together with v1.1.0, which waits".into()));
    assert_eq!(model.both(), "v1.0.0 web-1");
    model.scan(&digest, Scan::of(ScanState::Done));
    model.settle();
    assert_eq!(model.both(), "v1.1.0 web-2", "{model}");
}

#[test]
fn a_command_is_for_the_tag_whose_repository_has_the_image() {
    let mut model = Model::with_web("newest", "newest");
    model.push("v1.1.0");
    let web = model.push_web("web-2");
    model.settle();
    ask(&mut model, Command::Reject { image: "web-2".into() });
    model.settle();
    assert_eq!(model.both(), "v1.1.0 web-1", "{model}");
    assert!(!model.service.tags.contains_key(keys::REJECTED), "{model}");
    ask(&mut model, Command::Clear { image: None });
    model.settle();
    assert_eq!(model.both(), "v1.1.0 web-2", "{model}");
    // Both repositories have an image of this name.
    model.push("both");
    model.push_web("coth");
    model.web.last_mut().unwrap().tags = vec!["both".into()];
    let said = ask(&mut model, Command::Reject { image: "both".into() });
    assert!(said[0].starts_with("which-image: 'both' names several images: sha256:"), "{said:?}");
    let said = ask(&mut model, Command::Reject { image: web.to_string() });
    assert!(said.iter().any(|it| it.contains("web-2 is rejected")), "{said:?}");
}

#[test]
fn a_rollback_goes_back_to_the_revision_before_with_all_its_images() {
    let mut model = Model::with_web("semver", "newest");
    model.push("v1.1.0");
    model.push_web("web-2");
    model.settle();
    model.push("v1.2.0");
    model.push_web("web-3");
    model.settle();
    ask(&mut model, Command::RollBack { image: None });
    model.settle();
    assert_eq!(model.both(), "v1.1.0 web-2", "{model}");
    assert!(
        model.service.tags.contains_key(keys::REJECTED)
            && model.service.tags.contains_key("nightshift-state:rejected-2")
    );
}

#[test]
fn a_rollback_of_a_person_or_an_alarm_is_about_what_was_deployed_last() {
    for by_alarm in [true, false] {
        for last in ["web", "app"] {
            let mut model = Model::with_web("semver", "newest");
            model.push("v1.1.0");
            let app = model.images.last().unwrap().digest.clone();
            model.push_web("web-2");
            model.settle();
            match last {
                "web" => model.push_web("web-3"),
                _ => model.push("v1.2.0"),
            };
            model.settle();
            let running = if last == "web" { app } else { model.images.last().unwrap().digest.clone() };
            if by_alarm {
                // remediate-alarm names the image of the container of the first tag.
                let intent = format!("{running} by=alarm:api-5xx at=2026-11-21T03:00:00Z");
                model.service.tags.insert(keys::ROLLBACK.into(), intent);
                model.run(&service(), None, usize::MAX);
            } else {
                ask(&mut model, Command::RollBack { image: None });
            }
            model.settle();
            assert_eq!(model.both(), "v1.1.0 web-2", "{last}, alarm: {by_alarm}: {model}");
            let rejected =
                [keys::REJECTED, "nightshift-state:rejected-2"].map(|it| model.service.tags.contains_key(it));
            assert_eq!(rejected, [last == "app", last == "web"], "alarm: {by_alarm}: {model}");
            assert!(!model.service.tags.contains_key(keys::ROLLBACK), "{model}");
        }
    }
}

#[test]
fn tags_that_contradict_each_other_are_told_and_the_others_go_on() {
    let check = |tags: &[(&'static str, &str)], expected: &str, runs: &str| {
        let mut model = Model::with_web("semver", "newest");
        model.service.tags.extend(tags.iter().map(|(key, value)| (key.to_string(), value.to_string())));
        model.push("v1.1.0");
        model.push_web("web-2");
        let said = sweep(&mut model);
        assert!(said.iter().any(|it| it.starts_with(expected)), "{said:?}");
        assert_eq!(model.both(), runs);
    };
    let help = "accepted: container=NAME, a container of its own in each of these tags";
    check(
        &[(keys::DEPLOY_2, "newest container=app")],
        &format!(
            "bad-tag: nightshift:deploy-2: container=app stands in nightshift:deploy as well in 'newest container=app'; {help}"
        ),
        "v1.1.0 web-1",
    );
    check(
        &[(keys::DEPLOY_2, "newest")],
        "bad-tag: nightshift:deploy-2: no option 'container' in 'newest'",
        "v1.1.0 web-1",
    );
    check(
        &[(keys::DEPLOY, "semver")],
        &format!("bad-tag: nightshift:deploy: no option 'container' beside nightshift:deploy-2 in 'semver'; {help}"),
        "v1.0.0 web-2",
    );
    check(&[(keys::DEPLOY_3, "newest container=log")], "no-container: container=log: ", "v1.1.0 web-2");
    let mut without = Model::with_web("semver", "newest");
    without.service.tags.remove(keys::DEPLOY);
    without.push_web("web-2");
    assert_eq!(sweep(&mut without), ["skip: it has no nightshift:deploy tag"]);
}

#[derive(Debug, Clone)]
enum Happening {
    App { bad: bool },
    Web { bad: bool },
    Sweep { calls: usize },
    Event,
    Ecs,
    RollBack,
    Reject { web: bool },
    Clear { web: bool },
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    prop_oneof![
        3 => any::<bool>().prop_map(|bad| App { bad }),
        3 => any::<bool>().prop_map(|bad| Web { bad }),
        4 => prop::sample::select(vec![0, 1, 2, 3, 99]).prop_map(|calls| Sweep { calls }),
        2 => Just(Event),
        5 => Just(Ecs),
        1 => Just(RollBack),
        1 => any::<bool>().prop_map(|web| Reject { web }),
        1 => any::<bool>().prop_map(|web| Clear { web }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happens_no_rejected_image_goes_out_and_it_is_done_once_it_is_done(
        goes_back in any::<bool>(), happenings in prop::collection::vec(happening(), 1..25)
    ) {
        let mut model = Model::with_web("newest", "newest");
        model.service.safety = Safety { gives_up: true, goes_back };
        for (number, it) in happenings.iter().enumerate() {
            let last = |web: bool, model: &Model| if web { &model.web } else { &model.images }.last().unwrap().digest.to_string();
            let (scope, command, calls) = match it {
                Happening::App { bad } => {
                    let digest = model.push(&format!("v{number}"));
                    model.bad.extend(bad.then_some(digest));
                    continue;
                }
                Happening::Web { bad } => {
                    let digest = model.push_web(&format!("w{number}"));
                    model.bad.extend(bad.then_some(digest));
                    continue;
                }
                Happening::Ecs => {
                    model.finish();
                    continue;
                }
                Happening::Sweep { calls } => (Scope::Everywhere, None, *calls),
                Happening::Event => (repository(), None, usize::MAX),
                Happening::RollBack => (service(), Some(Command::RollBack { image: None }), usize::MAX),
                Happening::Reject { web } => (service(), Some(Command::Reject { image: last(*web, &model) }), usize::MAX),
                Happening::Clear { web } => (service(), Some(Command::Clear { image: Some(last(*web, &model)) }), usize::MAX),
            };
            let plan = model.run(&scope, command.as_ref(), calls);
            let replacing = plan.steps.iter().filter(|it| matches!(it.step, Step::Deploy(_) | Step::RollBack(_))).count();
            prop_assert!(replacing <= 1, "{:?}", words(&plan));
            let rejected: Vec<rules::rejections::Rejections> = keys::DEPLOYS.iter()
                .filter_map(|keys| {
                    let planned = plan.steps.iter().rev().find_map(|it| match &it.step {
                        Step::Remember(it) if it.key == keys.rejected => Some(it.value.clone()),
                        _ => None,
                    });
                    planned.unwrap_or_else(|| model.service.tags.get(keys.rejected).cloned())
                })
                .map(|it| it.parse().unwrap())
                .collect();
            for step in &plan.steps {
                let Step::Deploy(Deploy { revision: Revision::Register(fields), .. }) = &step.step else { continue };
                for container in fields["containerDefinitions"].as_array().unwrap() {
                    let image = container["image"].as_str().unwrap();
                    let Some((_, digest)) = image.rsplit_once('@') else { continue };
                    let digest = digest.parse().unwrap();
                    prop_assert!(!rejected.iter().any(|it| it.covers(&digest)), "deploys {image}, which is rejected: {model}");
                }
            }
        }
        model.settle();
        let again = model.plan(&Scope::Everywhere, None);
        prop_assert_eq!(again.steps, vec![], "{}", model);
    }
}
