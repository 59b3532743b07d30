//! How a task definition is deployed to a service: by ECS itself, or by CodeDeploy with its own rules.

use jiff::{SignedDuration, Timestamp};
use reconcile::{Choice, CommandLine, Plan, Undo};
use rules::Digest;

use super::app_spec::AppSpec;
use super::case::Case;
use super::motion::{Motion, motion};
use super::offer;
use super::step::{CreateDeployment, DeployVia, Step, Stop, StoppedBy, Unchanged};
use super::world::{Attempt, CodeDeploy, Service, Source};

/// After this time a deployment is tried again that failed for permissions, limits or AWS.
const TRY_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// How a task definition gets into use; the error is a problem, with how to fix it.
pub fn via(case: &Case<'_>) -> Result<DeployVia, String> {
    match case.code_deploy() {
        Some(told) => create_deployment(told, case.service).map(DeployVia::CreateDeployment),
        None if case.by_code_deploy() => Err("CodeDeploy was not asked about it; the next sweep does".into()),
        None => Ok(DeployVia::UpdateService(unchanged(case))),
    }
}

fn unchanged(case: &Case<'_>) -> Unchanged {
    let number = |arn: &str| arn.rsplit_once(':').and_then(|(_, number)| number.parse::<u64>().ok());
    let newest = case.newer_revision().unwrap_or(case.revision);
    Unchanged {
        task_definition: case.service.task_definition.clone(),
        deployment: case.service.primary().map(|it| it.id.clone()),
        next_revision: number(newest.arn()).map(|it| it + 1),
        supersedes: case.shifts() && matches!(motion(case), Motion::Forward(_)),
    }
}

/// How CodeDeploy is asked to deploy `service` next; the error is a problem and how to fix it.
pub fn create_deployment(told: &CodeDeploy, service: &Service) -> Result<CreateDeployment, String> {
    Ok(CreateDeployment {
        application: told.group.application.clone(),
        group: told.group.name.clone(),
        app_spec: app_spec(told, service)?,
        since: told.since,
        known: told.known.clone(),
    })
}

/// Hooks and the like are in the AppSpec of the deployment before, and nowhere else.
fn app_spec(told: &CodeDeploy, service: &Service) -> Result<AppSpec, String> {
    let primary = service.task_sets.iter().find(|it| it.primary);
    let made_it = |it: &&Attempt| primary.is_some_and(|primary| primary.deployment.as_ref() == Some(&it.id));
    let last = told.attempts.iter().find(made_it);
    match last.map(|it| (&it.id, &it.app_spec)) {
        Some((id, Source::Text(content))) => AppSpec::like(content).ok_or_else(|| {
            format!("the AppSpec of its deployment {id} does not name one task definition by its ARN; {BY_HAND}")
        }),
        Some((id, Source::Elsewhere(place))) => Err(format!(
            "the AppSpec of its deployment {id} is in {place}, so it cannot be told which hooks belong to a \
             deployment; {BY_HAND}"
        )),
        Some((_, Source::Unread)) | None => match primary {
            Some(it) if !it.properties["LoadBalancerInfo"].is_null() => Ok(AppSpec::with(&it.properties)),
            _ => Err(format!("it has no task set with a load balancer that an AppSpec could be made of; {BY_HAND}")),
        },
    }
}

const BY_HAND: &str = "deploy once by hand with the AppSpec as AppSpecContent, and it is the model from then on";

/// Why a sleeping service that CodeDeploy deploys is left alone.
///
/// ECS replaces no task of a sleeping service; CodeDeploy shifts its traffic, to an image of which no task ever ran, and
/// until the old task set is gone the service can neither be woken without harm nor deployed again.
pub fn asleep(case: &Case<'_>) -> Option<&'static str> {
    let asleep = case.by_code_deploy() && case.service.desired == 0;
    asleep.then_some("it has no tasks, and CodeDeploy would give the traffic to an image that was never seen running")
}

/// Why nothing can be begun for a service that CodeDeploy deploys, not even a way back.
pub fn blocked(case: &Case<'_>) -> Option<&'static str> {
    let back = case.by_code_deploy() && motion(case) == Motion::Back;
    back.then_some("CodeDeploy is undoing a deployment, and nothing else can begin meanwhile").or(asleep(case))
}

/// What CodeDeploy is deploying must be replaced: it stops, and goes back to what had the traffic before.
pub fn stop(case: &Case<'_>, asked: Option<&str>, plan: &mut Plan<Step>) {
    let service = case.service;
    let Some(under_way) = case.code_deploy().and_then(CodeDeploy::under_way) else { return };
    let label = case.running_label();
    let id = &under_way.id;
    if under_way.task_definition.as_deref() != Some(case.revision.arn()) {
        return plan.problem(
            &service.arn,
            "code-deploy",
            format!("{label} must be replaced, but CodeDeploy is deploying something else ({id}) that a person started; stop that first, or wait for its end"),
        );
    }
    let before = Some(&service.task_definition).filter(|it| *it != case.revision.arn());
    let step = Stop {
        service: service.name.clone(),
        deployment: id.clone(),
        by: StoppedBy::CodeDeploy,
        from: label.clone(),
        from_digest: case.running().digest,
        from_revision: case.revision.arn().into(),
        to_revision: before.cloned(),
    };
    let why = asked.map_or_else(|| format!("{label} is rejected"), str::to_owned);
    plan.act(&service.arn, Step::Stop(step), format!("{why}; {id} ({}) is under way", under_way.said));
}

/// The last deployment of an image by CodeDeploy, if it failed for something that the image has nothing to do with.
pub struct Setback {
    pub message: String,
    /// It has just been, so that another try would most likely fail as well.
    pub just_now: bool,
}

/// What kept CodeDeploy from deploying `image`, if its last try failed for that.
pub fn setback(case: &Case<'_>, image: &Digest, now: Timestamp) -> Option<Setback> {
    let last = case.code_deploy()?.attempts.iter().find(|it| !it.undoes).filter(|it| it.failed_otherwise())?;
    let revision = case.described(last.task_definition.as_deref()?)?;
    if case.digest_of_ours(revision).as_ref() != Some(image) {
        return None;
    }
    let ended = last.ended.or(last.began)?;
    let message = format!(
        "deployment {} of {} by CodeDeploy failed, and not for what the image does: {}. Fix that; the image is deployed \
         again within two hours, and at once when a newer one is pushed",
        last.id,
        case.label(image),
        if last.reason.is_empty() { "it gave no reason" } else { last.reason.trim_end_matches('.') }
    );
    Some(Setback { message, just_now: now.duration_since(ended) < TRY_AGAIN_AFTER })
}

/// Who carries out the service's deployments, for people.
pub fn name(case: &Case<'_>) -> &'static str {
    if case.by_code_deploy() { "CodeDeploy" } else { "ECS" }
}

/// The deployment that nothing supersedes, for people.
pub fn under_way(case: &Case<'_>) -> String {
    match case.code_deploy().and_then(CodeDeploy::under_way) {
        Some(it) => format!("deployment {} of CodeDeploy ({})", it.id, it.said),
        None => super::shift::under_way(case),
    }
}

/// What to say of a deployment that waits until a person reroutes the traffic.
pub fn waits(case: &Case<'_>) -> Option<(String, Vec<Choice>)> {
    let waiting = case.code_deploy().and_then(CodeDeploy::under_way).filter(|it| it.said == "Ready")?;
    let label = case.running_label();
    let call = ["aws", "deploy", "continue-deployment", "--deployment-id", &waiting.id];
    let route = CommandLine::of(call.into_iter().chain(["--deployment-wait-type", "READY_WAIT"]));
    let message = format!(
        "the new tasks of {label} run and wait for their traffic; look at them, then let them have it, or go back"
    );
    let choices = [Choice::new("Let them have it", Undo::Shell(route))].into_iter();
    Some((message, choices.chain(offer::about_running(case, "Go back", "rollback")).collect()))
}
