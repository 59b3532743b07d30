//! What is told where AWS says less than a decision needs: nothing is guessed.

use super::model::{Model, SERVICE, digest, service};
use super::stories::words;
use crate::plan::*;

/// The decision where the world differs from that of the model.
fn said(model: &Model, change: impl FnOnce(&mut World), command: Option<&Command>) -> Vec<String> {
    let mut world = model.world(&service());
    change(&mut world);
    words(&plan(&world, &service(), command, &model.now()).plan)
}

/// The image that runs is gone from the repository, which has another one of that time, and ECS does not say which one it
/// pinned.
fn lose_what_runs(world: &mut World) {
    let images = world.repositories.values_mut().filter_map(|it| it.as_mut().ok()).flatten();
    for image in images {
        (image.digest, image.tags) = (digest("main-1"), vec!["main-1".into()]);
    }
    world.pinned.insert(SERVICE.into(), Err("DescribeServiceRevisions: AccessDeniedException: no".into()));
    let past = world.history.values_mut().filter_map(|it| it.as_mut().ok()).flatten();
    past.for_each(|it| it.pinned.clear());
}

#[test]
fn a_command_about_a_service_that_is_not_there_is_told() {
    let gone = |world: &mut World| {
        world.services.clear();
        world.missing.push(Missing { resource: SERVICE.into(), cause: Cause::NotFound });
    };
    let expected =
        "no-such-service: there is no such service in this region: name one that is there, as CLUSTER/SERVICE";
    let model = Model::new("newest");
    assert_eq!(said(&model, gone, Some(&Command::RollBack { image: None })), [expected]);
}

#[test]
fn a_service_without_a_task_definition_is_told() {
    let told = said(&Model::new("newest"), |world| world.services[0].task_definition.clear(), None);
    assert!(told[0].starts_with("no-task-definition: ECS names no task definition that it runs, so"), "{told:?}");
}

#[test]
fn where_it_cannot_be_told_what_runs_nothing_is_deployed_and_nothing_rejected() {
    let model = Model::new("newest");
    let told = said(&model, lose_what_runs, None);
    assert!(
        told[0].starts_with("unknown-age: cannot tell whether main-1 is newer: v1.0.0 is gone from the registry. "),
        "{told:?}"
    );
    let told = said(&model, lose_what_runs, Some(&Command::RollBack { image: None }));
    assert!(
        told[0].starts_with("unknown-image: cannot go back: which image runs is not known. v1.0.0 is not"),
        "{told:?}"
    );
}

#[test]
fn a_deployment_that_may_not_be_read_is_told_and_waited_for() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    model.run(&service(), None, usize::MAX);
    let denied = "DescribeServiceDeployments truegul-production/api-server: AccessDeniedException: no";
    let told = said(&model, |world| drop(world.shifts.insert(SERVICE.into(), Err(denied.into()))), None);
    assert!(
        told.contains(&format!("unreadable-deployment: how far its deployment is cannot be read: {denied}")),
        "{told:?}"
    );
    assert!(!told.iter().any(|it| it.contains(": deploying ")), "{told:?}");
}
