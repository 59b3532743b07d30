//! The repositories that opted in, and what runs anywhere in the region.

use std::collections::{BTreeMap, BTreeSet};

use aws::ec2::tag_of;
use aws::ec2_autoscaling::list_tagged_groups;
use aws::query::{EC2_AUTO_SCALING, Element, Query};
use aws::tagging::{self, Tagging};
use aws::{ECR, Error, JsonApi, Late, each, late};
use aws_config::SdkConfig;
use rules::keys;

use crate::plan::{self, Group, Instance, Repository, Usage};
use crate::{ecr, ecs};

/// How many repositories or task definitions are read side by side.
const AT_A_TIME: usize = 8;

/// The clients of the services that images depend on.
pub struct Registry {
    pub ecr: JsonApi,
    ecs: Late<aws_sdk_ecs::Client>,
    groups: Query,
    tagging: Tagging,
}

/// The repositories that opted in with their images, and what runs; why that cannot be told, if it cannot.
pub struct Images {
    pub repositories: Result<Vec<Repository>, String>,
    pub usage: Result<Usage, String>,
}

impl Registry {
    pub fn new(config: &SdkConfig) -> Self {
        Registry {
            ecr: JsonApi::new(ECR, config),
            ecs: late(config, aws_sdk_ecs::Client::new),
            groups: Query::new(EC2_AUTO_SCALING, config),
            tagging: Tagging::new(config),
        }
    }

    /// Reads all of it; where no repository opted in, that is one call.
    pub async fn read(&self) -> Images {
        let arns = match tagging::resources(&self.tagging, "ecr:repository", keys::KEEP_IMAGES).await {
            Ok(arns) => arns,
            Err(error) => return Images { repositories: Err(error.to_string()), usage: Ok(Usage::default()) },
        };
        if arns.is_empty() {
            return Images { repositories: Ok(Vec::new()), usage: Ok(Usage::default()) };
        }
        // The images first: what is put to use after they were listed is newer than all that may go.
        let repositories = each(arns, AT_A_TIME, async |arn| self.repository(arn).await).await;
        let usage = self.usage().await.map_err(|err| err.to_string());
        Images { repositories: Ok(repositories.into_iter().flatten().collect()), usage }
    }

    /// The repository of this ARN, unless it is gone. The index of tags may lag behind, so its tags are read again.
    async fn repository(&self, arn: String) -> Option<Repository> {
        let name = arn.split_once(":repository/").map_or(arn.as_str(), |(_, it)| it).to_owned();
        let tags = match ecr::list_tags(&self.ecr, &arn).await {
            Ok(tags) => tags,
            Err(error) if error.code == "RepositoryNotFoundException" => return None,
            Err(error) => {
                return Some(Repository { arn, name, tags: BTreeMap::new(), images: Err(error.to_string()) });
            }
        };
        if !tags.contains_key(keys::KEEP_IMAGES) {
            return Some(Repository { arn, name, tags, images: Ok(Vec::new()) });
        }
        match ecr::list_images(&self.ecr, &name).await {
            Err(error) if error.code == "RepositoryNotFoundException" => None,
            images => Some(Repository { arn, name, tags, images: images.map_err(|err| err.to_string()) }),
        }
    }

    async fn usage(&self) -> Result<Usage, Error> {
        let (mut services, tasks) = ecs::list_all(&self.ecs).await?;
        ecs::add_rollback_revisions(&self.ecs, &mut services).await?;
        let of_services = services.iter().flat_map(|it| it.task_definitions.iter().cloned());
        let live: BTreeSet<String> =
            of_services.chain(tasks.iter().map(|it| it.task_definition.clone())).filter(|it| !it.is_empty()).collect();
        // It remembers what it runs for as long as it is there, asleep or not, and after it has lost its rule.
        let instances = tagging::resources_with_tags(&self.tagging, "ec2:instance", keys::RUNS).await?;
        let instances = instances.into_iter().map(|(arn, tags)| Instance { arn, tags }).collect();
        let groups = list_tagged_groups(&self.groups, &[keys::DEPLOY], group).await?;
        let mut usage = Usage { services, tasks, instances, groups, ..Usage::default() };
        self.define(live.into_iter().collect(), false, &mut usage).await?;
        let back = plan::ways_back(&usage);
        self.define(back, true, &mut usage).await?;
        usage.pinned = ecs::pinned_images(&self.ecs, plan::tag_revisions(&usage)).await?;
        Ok(usage)
    }

    /// Reads task definitions. One that a service can go back to may have been deleted: then it cannot.
    async fn define(&self, names: Vec<String>, may_be_gone: bool, usage: &mut Usage) -> Result<(), Error> {
        let described =
            each(names, AT_A_TIME, async |name| match ecs::describe_task_definition(&self.ecs, &name).await {
                Err(error) if may_be_gone && error.code == "ClientException" => Ok(None),
                other => other.map(|it| Some((name, it))),
            });
        for it in described.await {
            usage.definitions.extend(it?);
        }
        Ok(())
    }
}

fn group(element: &mut Element<'_, '_>) -> Group {
    let mut group = Group::default();
    element.each(|name, it| match name {
        "AutoScalingGroupName" => group.name = it.text(),
        "Tags" => it.each(|_, it| group.tags.extend(tag_of(it))),
        _ => {}
    });
    group
}
