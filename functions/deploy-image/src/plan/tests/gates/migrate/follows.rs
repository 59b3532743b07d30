//! `after-migration=`: the migration that another service runs is waited for, and never started.

use proptest::prelude::*;
use rules::keys;
use rules::memory::Migrated;

use super::{FAMILY, RULE, of_migration, run, shop};
use crate::plan::tests::model::{Model, service};
use crate::plan::*;

const AFTER: &str = "newest after-migration=truegul-production-migrate";

/// The service waits for the migration of `worker`, which has this rule, and v1.1.0 is pushed.
fn follower(rule: &str) -> Model {
    let mut model = shop(AFTER);
    let mut worker = model.service.clone();
    worker.arn = worker.arn.replace("api-server", "worker");
    worker.name = ServiceName::of_arn(&worker.arn).unwrap();
    worker.tags.insert(keys::DEPLOY.into(), rule.into());
    model.others.push(worker);
    model.push("v1.1.0");
    model
}

/// The worker runs the migration of the newest image.
fn started(model: &mut Model) -> String {
    let digest = model.images.last().unwrap().digest.clone();
    let name = run_name("truegul-production", FAMILY, &digest);
    let definition = model.migrations.last().unwrap().arn().to_owned();
    model.tasks.push(Task {
        arn: "arn:aws:ecs:ap-northeast-2:123456789012:task/truegul-production/1".into(),
        started_by: name.clone(),
        task_definition: definition,
        status: "RUNNING".into(),
        reason: String::new(),
        stop_code: String::new(),
        started: true,
        stopped_at: None,
        containers: Vec::new(),
    });
    name
}

#[test]
fn it_waits_until_the_other_service_has_migrated_and_goes_out_in_the_same_run() {
    let mut model = follower(RULE);
    let waits = "skip: v1.1.0 waits for its migration truegul-production-migrate, which truegul-production/worker starts. It goes on when it has run and ended well";
    assert_eq!(run(&mut model, &service()), [waits]);
    started(&mut model);
    let waits = "skip: v1.1.0 waits for its migration: truegul-production-migrate is running (task 1). It goes on when the task has ended";
    assert_eq!(run(&mut model, &service()), [waits]);
    assert!(!model.service.tags.contains_key(keys::MIGRATING), "{model}");
    model.stop_tasks(Some(0));
    let said = run(&mut model, &of_migration());
    assert!(said[0].contains("the migration for v1.1.0 has ended well"), "{said:?}");
    assert_eq!((model.running().as_str(), model.tokens.len()), ("v1.1.0", 0));
}

#[test]
fn what_the_other_service_remembers_counts_when_ecs_has_forgotten_the_task() {
    let mut model = follower(RULE);
    let run_name = started(&mut model);
    model.tasks.clear();
    let migrated = Migrated { run: run_name, at: model.now().timestamp() };
    model.others[0].tags.insert(keys::MIGRATED.into(), migrated.to_string());
    let said = run(&mut model, &service());
    assert!(
        said[0].ends_with("truegul-production-migrate has ended well for another service of this image"),
        "{said:?}"
    );
    assert_eq!(model.running(), "v1.1.0");
}

#[test]
fn a_migration_that_failed_rejects_the_image_here_as_well() {
    let mut model = follower(RULE);
    started(&mut model);
    model.stop_tasks(Some(3));
    let said = run(&mut model, &of_migration());
    assert!(said[0].starts_with("truegul-production/api-server: v1.1.0 is rejected, v1.0.0 stays: "), "{said:?}");
}

#[test]
fn without_a_service_that_runs_it_a_person_is_told() {
    let mut model = follower("newest");
    let expected = "bad-migration: v1.1.0 is not deployed: no other service runs its migration. \
                    after-migration= waits for one in the cluster truegul-production with migrate=truegul-production-migrate in its tag nightshift:deploy";
    assert_eq!(run(&mut model, &service()), [expected]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_never_starts_the_migration_and_never_goes_out_before_its_end(
        rule in prop::sample::select(vec![RULE, "newest"]), begins in any::<bool>(), ends in prop::option::of(0..4i32),
        forgets in any::<bool>(), hours in 0..5i64
    ) {
        let mut model = follower(rule);
        if begins {
            started(&mut model);
            run(&mut model, &service());
            if ends.is_some() {
                model.stop_tasks(ends);
            }
            model.minutes += hours * 60;
            if forgets {
                model.tasks.clear();
            }
        }
        let plan = model.run(&service(), None, usize::MAX);
        let migrates = plan.steps.iter().any(|it| matches!(it.step, Step::Migrate(_)));
        let deploys = plan.steps.iter().any(|it| matches!(it.step, Step::Deploy(_)));
        prop_assert!(!migrates, "{plan:?}");
        prop_assert_eq!(deploys, begins && ends == Some(0) && !forgets, "{:?}", plan);
    }
}
