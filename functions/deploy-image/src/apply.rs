//! Carries out steps; decides nothing.

use aws::Error;
use aws::scheduler::group_of_arn;
use reconcile::memory::Note;
use rules::keys;
use rules::migrating::Start;
use runtime::Run;
use serde_json::{Value, json};

use crate::ecs::Started;
use crate::plan::{DeployVia, Migrate, Revision, ServiceName, Step, StoppedBy, short_name};
use crate::recheck::Recheck;
use crate::{Clients, codedeploy, ecs, scheduler};

/// Carries out one step; returns what only the doing could tell.
pub async fn apply(clients: &Clients, run: &Run<'_>, recheck: &Recheck, step: &Step) -> Result<Value, Error> {
    match step {
        Step::Deploy(it) => {
            let revision = match &it.revision {
                Revision::Registered(arn) => {
                    recheck.ensure_unchanged(clients, &it.service, &it.via).await?;
                    arn.clone()
                }
                Revision::Register(fields) => recheck.register(clients, &it.service, &it.via, fields).await?,
            };
            let mut after = deploy(clients, &it.service, &it.via, &revision, &it.to).await?;
            after["task_definition"] = short_name(&revision).into();
            Ok(after)
        }
        Step::RollBack(it) => {
            recheck.ensure_unchanged(clients, &it.service, &it.via).await?;
            deploy(clients, &it.service, &it.via, &it.to_revision, &it.to).await
        }
        Step::Stop(it) => {
            match it.by {
                StoppedBy::CodeDeploy => codedeploy::stop_deployment(&clients.codedeploy, it).await?,
                StoppedBy::Ecs => ecs::stop_deployment(&clients.ecs, &it.deployment).await?,
            }
            Ok(Value::Null)
        }
        Step::Continue(it) => {
            ecs::continue_deployment(&clients.ecs, &it.deployment, &it.hook).await?;
            Ok(Value::Null)
        }
        Step::Migrate(it) => migrate(clients, it).await,
        Step::Follow(it) => {
            scheduler::follow_revision(&clients.scheduler, it).await?;
            Ok(Value::Null)
        }
        Step::AskForSnapshot(it) => {
            let (function, payload) = ("snapshot-databases", it.payload().to_string());
            aws::lambda::wake_sibling(&clients.lambda, function, run.sibling(function), &payload).await?;
            Ok(Value::Null)
        }
        Step::Remember(it) => {
            aws::ecs::write_tag(&clients.memory, &it.arn, it.key, it.value.as_deref()).await?;
            Ok(Value::Null)
        }
    }
}

pub async fn remember(clients: &Clients, note: &Note) -> Result<(), Error> {
    if group_of_arn(&note.resource).is_some() {
        return clients.scheduler.write_schedule_group_tag(&note.resource, keys::PROBLEM, note.value.as_deref()).await;
    }
    aws::ecs::write_tag(&clients.memory, &note.resource, keys::PROBLEM, note.value.as_deref()).await
}

/// Starts a migration, and leaves the mark of it on the service, before and after: ECS forgets a task within an hour
/// after its end, and a run may die at any call. A migration does not wait for a mark that cannot be written.
async fn migrate(clients: &Clients, it: &Migrate) -> Result<Value, Error> {
    let revision = registered(clients, &it.revision).await?;
    let mark = async |start: Start, task: Option<String>| {
        let value = it.mark(start, task).to_string();
        aws::ecs::write_tag(&clients.memory, &it.arn, keys::MIGRATING, Some(&value)).await
    };
    let asked = mark(Start::Asked, None).await;
    match ecs::run_task(&clients.ecs, it, &revision).await {
        Ok(Started::Task(arn)) => {
            mark(Start::Accepted, Some(arn.clone())).await?;
            Ok(json!({"task": short_name(&arn), "task_definition": short_name(&revision)}))
        }
        Ok(Started::Elsewhere) => asked.map(|()| json!({"task": "started by another run"})),
        Ok(Started::Refused(reason)) => {
            mark(Start::Refused, None).await?;
            Err(Error::unexpected("RunTask", &it.family, format!("no task was started: {reason}")))
        }
        Err(error) => {
            // Without an answer it is not known whether the task was started.
            let answered =
                !["Timeout", "NoAnswer", "UnreadableAnswer", "ServerException"].contains(&error.code.as_str());
            if answered {
                mark(Start::Refused, None).await?;
            }
            Err(error)
        }
    }
}

/// The ARN of a revision, which is registered first if need be.
async fn registered(clients: &Clients, revision: &Revision) -> Result<String, Error> {
    match revision {
        Revision::Registered(arn) => Ok(arn.clone()),
        Revision::Register(fields) => {
            clients.task_definitions.turn().await;
            ecs::register_task_definition(&clients.task_definitions, fields).await
        }
    }
}

/// Begins the deployment of a revision, and returns what only the doing could tell.
async fn deploy(
    clients: &Clients,
    service: &ServiceName,
    via: &DeployVia,
    revision: &str,
    image: &str,
) -> Result<Value, Error> {
    match via {
        DeployVia::UpdateService(seen) => {
            ecs::update_service(&clients.ecs, service, revision, seen.supersedes).await?;
            Ok(json!({}))
        }
        DeployVia::CreateDeployment(how) => {
            let id = codedeploy::create_deployment(&clients.codedeploy, how, revision, image).await?;
            Ok(json!({"deployment": id}))
        }
    }
}
