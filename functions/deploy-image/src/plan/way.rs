//! How a service is brought to a task definition: by ECS itself, or by CodeDeploy with its own rules.

use reconcile::Plan;

use super::case::Case;
use super::code_deploy::CodeDeploy;
use super::step::{Step, Stop, Way};
use super::verdict::{Motion, motion};

/// How a task definition gets into use; the error is a problem, with what mends it.
pub fn way(case: &Case<'_>) -> Result<Way, String> {
    match case.code_deploy() {
        Some(told) => told.next(case.service).map(Way::CreateDeployment),
        None if case.by_code_deploy() => Err("CodeDeploy was not asked about it; the next sweep does".into()),
        None => Ok(Way::UpdateService),
    }
}

/// Why a sleeping service that CodeDeploy deploys is left alone.
///
/// ECS replaces no task of a sleeping service; CodeDeploy shifts its traffic, to an image of which no task ever ran, and
/// until the old task set is gone the service can neither be woken without harm nor deployed again.
pub fn asleep(case: &Case<'_>) -> Option<&'static str> {
    let asleep = case.by_code_deploy() && case.service.desired == 0;
    asleep
        .then_some("it has no tasks, and CodeDeploy would give the traffic to an image that was never seen running, so this waits until it is awake")
}

/// Why nothing can be begun for a service that CodeDeploy deploys, not even a way back.
pub fn held(case: &Case<'_>) -> Option<&'static str> {
    let back = case.by_code_deploy() && motion(case) == Motion::Back;
    back.then_some("CodeDeploy is undoing a deployment, and nothing else can begin before that has ended")
        .or(asleep(case))
}

/// What CodeDeploy is bringing is not to stay: it stops, and goes back to what had the traffic before.
pub fn stop(case: &Case<'_>, asked: bool, plan: &mut Plan<Step>) {
    let service = case.service;
    let Some(under_way) = case.code_deploy().and_then(CodeDeploy::under_way) else { return };
    let label = case.running_label();
    let id = &under_way.id;
    if under_way.task_definition.as_deref() != Some(case.revision.arn()) {
        return plan.problem(
            &service.arn,
            "code-deploy",
            format!("{label} is not to stay, but CodeDeploy is bringing something else ({id}) that somebody began; stop that first, or wait for its end"),
        );
    }
    let before = Some(&service.task_definition).filter(|it| *it != case.revision.arn());
    let step = Stop {
        service: service.name.clone(),
        deployment: id.clone(),
        from: label.clone(),
        from_revision: case.revision.arn().into(),
        to_revision: before.cloned(),
    };
    let why = if asked { "somebody asked for it".into() } else { format!("{label} is rejected") };
    plan.act(&service.arn, Step::Stop(step), format!("{why}; {id} ({}) is under way", under_way.said));
}

/// Who carries out the service's deployments, for people.
pub fn deployer(case: &Case<'_>) -> &'static str {
    if case.by_code_deploy() { "CodeDeploy" } else { "ECS" }
}

/// The deployment that nothing supersedes, for people.
pub fn under_way(case: &Case<'_>) -> String {
    match case.code_deploy().and_then(CodeDeploy::under_way) {
        Some(it) => format!("deployment {} of CodeDeploy ({})", it.id, it.said),
        None => "a deployment that shifts traffic".into(),
    }
}

/// What to say of a deployment that waits until somebody lets it have the traffic.
pub fn waits(case: &Case<'_>) -> Option<String> {
    let waiting = case.code_deploy().and_then(CodeDeploy::under_way).filter(|it| it.said == "Ready")?;
    let (label, id) = (case.running_label(), &waiting.id);
    Some(format!(
        "the new tasks of {label} run and wait for their traffic; look at them, then let them have it with \
         aws deploy continue-deployment --deployment-id {id} --deployment-wait-type READY_WAIT, or send \"rollback\""
    ))
}
