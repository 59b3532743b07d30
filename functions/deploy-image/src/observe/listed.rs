//! Which services and groups of schedules a run looks at.

use std::collections::BTreeMap;

use aws::scheduler::group_of_arn;
use aws::{Error, tagging};
use rules::keys;

use crate::plan::{self, Cause, Missing, ScheduleGroup, Scope, ServiceName};
use crate::{Clients, codedeploy};

/// What opted in: services with their tags, and groups of schedules without their schedules.
pub struct Tagged {
    pub services: tagging::Tagged,
    pub groups: Vec<ScheduleGroup>,
}

/// Both by one call, of whatever type: the index refuses a call that names a type which it does not know, such as groups
/// of schedules in a region without EventBridge Scheduler. What deploy-compose deploys to is listed too.
pub async fn tagged(clients: &Clients) -> Result<Tagged, Error> {
    let mut tagged = Tagged { services: BTreeMap::new(), groups: Vec::new() };
    for (arn, tags) in tagging::carriers_with_tags(&clients.tagging, keys::DEPLOY).await? {
        if let Some(name) = group_of_arn(&arn).map(str::to_owned) {
            tagged.groups.push(ScheduleGroup { arn, name, tags, schedules: None });
        } else if is_service(&arn) {
            tagged.services.insert(arn, tags);
        }
    }
    Ok(tagged)
}

/// Whether it is the ARN of an ECS service, a short one too, which names no cluster.
fn is_service(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':').skip(2);
    parts.next() == Some("ecs") && parts.nth(2).is_some_and(|it| it.starts_with("service/"))
}

/// The services and groups to look at, and those of the tag index that have no name.
#[derive(Default)]
pub struct Listed {
    pub names: Vec<ServiceName>,
    pub unnamed: Vec<Missing>,
    pub groups: Vec<ScheduleGroup>,
}

impl Listed {
    fn add(&mut self, services: impl IntoIterator<Item = String>) {
        for arn in services {
            match ServiceName::of_arn(&arn) {
                Some(name) => self.names.push(name),
                None => {
                    let cause = Cause::Denied("its ARN names no cluster; recreate it with a long ARN".into());
                    self.unnamed.push(Missing { resource: arn, cause });
                }
            }
        }
    }
}

pub async fn list(clients: &Clients, scope: &Scope) -> Result<Listed, Error> {
    let mut listed = Listed::default();
    match scope {
        Scope::Service(name) => listed.names.push(name.clone()),
        Scope::DeploymentGroup { application, group } => {
            let names = std::slice::from_ref(group);
            let groups = codedeploy::describe_groups(&clients.codedeploy, application, names).await?;
            listed.names = groups.into_iter().flat_map(|it| it.services).collect();
        }
        Scope::Followers(sources) => {
            let Tagged { services, groups } = tagged(clients).await?;
            let follow = services.into_iter().filter(|(_, tags)| plan::promotes_from(tags, sources));
            listed.names = follow.filter_map(|(arn, _)| ServiceName::of_arn(&arn)).collect();
            listed.groups = groups;
            listed.groups.retain(|it| plan::followed(it).is_some_and(|it| it.is_ok_and(|it| sources.contains(&it))));
        }
        Scope::Everywhere => {
            let Tagged { services, groups } = tagged(clients).await?;
            listed.add(services.into_keys());
            listed.groups = groups;
        }
        Scope::Repository(_) | Scope::Migration(_) | Scope::Snapshot(_) => {
            listed.add(tagging::resources(&clients.tagging, "ecs:service", keys::DEPLOY).await?);
        }
    }
    Ok(listed)
}
