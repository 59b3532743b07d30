//! Carries out steps; decides nothing.

use aws::Error;
use runtime::Run;
use serde_json::{Value, json};

use crate::plan::{DeployVia, Revision, ServiceName, Step, short_name};
use crate::{Clients, codedeploy, ecs};

/// Carries out one step; returns what only the doing could tell.
pub async fn apply(clients: &Clients, run: &Run<'_>, step: &Step) -> Result<Value, Error> {
    match step {
        Step::Deploy(it) => {
            ensure_unchanged(clients, &it.via).await?;
            let revision = registered(clients, &it.revision).await?;
            let mut after = deploy(clients, &it.service, &it.via, &revision, &it.to).await?;
            after["task_definition"] = short_name(&revision).into();
            Ok(after)
        }
        Step::RollBack(it) => {
            ensure_unchanged(clients, &it.via).await?;
            deploy(clients, &it.service, &it.via, &it.to_revision, &it.to).await
        }
        Step::Stop(it) => codedeploy::stop_deployment(&clients.codedeploy, it).await.map(|()| Value::Null),
        Step::Migrate(it) => {
            let revision = registered(clients, &it.revision).await?;
            ecs::run_task(&clients.ecs, it, &revision).await
        }
        Step::AskForSnapshot(it) => {
            let missing =
                || Error::unexpected("Invoke", "snapshot-databases", "it is not deployed beside this function");
            let function = run.sibling("snapshot-databases").ok_or_else(missing)?;
            aws::lambda::wake(&clients.lambda, &function, &it.payload()).await?;
            Ok(Value::Null)
        }
        Step::Remember(it) => {
            aws::ecs::write_tag(&clients.ecs, &it.arn, it.key, it.value.as_deref()).await?;
            Ok(Value::Null)
        }
    }
}

/// With CodeDeploy: that no deployment has begun which the decision did not know of.
async fn ensure_unchanged(clients: &Clients, via: &DeployVia) -> Result<(), Error> {
    match via {
        DeployVia::UpdateService => Ok(()),
        DeployVia::CreateDeployment(how) => codedeploy::ensure_unchanged(&clients.codedeploy, how).await,
    }
}

/// The ARN of a revision, which is registered first if need be.
async fn registered(clients: &Clients, revision: &Revision) -> Result<String, Error> {
    match revision {
        Revision::Registered(arn) => Ok(arn.clone()),
        Revision::Register(fields) => ecs::register_task_definition(&clients.ecs, &clients.registrations, fields).await,
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
        DeployVia::UpdateService => {
            ecs::update_service(&clients.ecs, service, revision).await?;
            Ok(json!({}))
        }
        DeployVia::CreateDeployment(how) => {
            let id = codedeploy::create_deployment(&clients.codedeploy, how, revision, image).await?;
            Ok(json!({"deployment": id}))
        }
    }
}
