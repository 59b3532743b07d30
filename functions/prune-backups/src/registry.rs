//! Observes the repositories that opted in, and which images are in use anywhere in the region.

use std::collections::{BTreeMap, BTreeSet};

use aws::{Error, each, tagging};
use aws_sdk_resourcegroupstagging::Client as Tagging;
use rules::deploy::{Approval, DeployRule};
use rules::keys;
use rules::memory::Approved;

use crate::plan::{InUse, Named, Repository};
use crate::{ecr, ecs};

/// How many repositories or task definitions are read side by side.
const AT_A_TIME: usize = 8;

/// The clients of the services that images depend on.
pub struct Registry {
    pub ecr: aws_sdk_ecr::Client,
    pub ecs: aws_sdk_ecs::Client,
    pub tagging: Tagging,
}

/// The repositories that opted in with their images, and which images are in use; why that cannot be told, if it cannot.
pub struct Images {
    pub repositories: Result<Vec<Repository>, String>,
    pub in_use: Result<InUse, String>,
}

impl Registry {
    /// Reads all of it; where no repository opted in, that is one call.
    pub async fn observe(&self) -> Images {
        let arns = match tagging::resources(&self.tagging, "ecr:repository", keys::KEEP_IMAGES).await {
            Ok(arns) => arns,
            Err(error) => return Images { repositories: Err(error.cause()), in_use: Ok(InUse::default()) },
        };
        if arns.is_empty() {
            return Images { repositories: Ok(Vec::new()), in_use: Ok(InUse::default()) };
        }
        // The images first: what is put to use after they were listed is newer than all that may go.
        let repositories = each(arns, AT_A_TIME, async |arn| self.repository(arn).await).await;
        let in_use = self.in_use().await.map_err(|err| err.cause());
        Images { repositories: Ok(repositories.into_iter().flatten().collect()), in_use }
    }

    /// The repository of this ARN, unless it is gone. The index of tags may lag behind, so its tags are read again.
    async fn repository(&self, arn: String) -> Option<Repository> {
        let name = arn.split_once(":repository/").map_or(arn.as_str(), |(_, it)| it).to_owned();
        let tags = match ecr::list_tags(&self.ecr, &arn).await {
            Ok(tags) => tags,
            Err(error) if error.code == "RepositoryNotFoundException" => return None,
            Err(error) => {
                return Some(Repository { arn, name, tags: BTreeMap::new(), images: Err(error.cause()) });
            }
        };
        if !tags.contains_key(keys::KEEP_IMAGES) {
            return Some(Repository { arn, name, tags, images: Ok(Vec::new()) });
        }
        match ecr::list_images(&self.ecr, &name).await {
            Err(error) if error.code == "RepositoryNotFoundException" => None,
            images => Some(Repository { arn, name, tags, images: images.map_err(|err| err.cause()) }),
        }
    }

    async fn in_use(&self) -> Result<InUse, Error> {
        let (services, tasks) = ecs::list_all(&self.ecs).await?;
        let mut in_use = InUse::default();
        for task in &tasks {
            let images = task.images.iter().map(|it| (Named::read(it), format!("the task {}", last(&task.arn))));
            in_use.images.extend(images);
        }
        let of_services = services.iter().flat_map(|it| it.task_definitions.iter().cloned());
        let live: BTreeSet<String> =
            of_services.chain(tasks.iter().map(|it| it.task_definition.clone())).filter(|it| !it.is_empty()).collect();
        let described = each(&live, AT_A_TIME, async |name| {
            ecs::describe_task_definition(&self.ecs, name).await.map(|it| (name.clone(), it))
        });
        let described: BTreeMap<String, ecs::TaskDefinition> = described.await.into_iter().collect::<Result<_, _>>()?;
        self.ways_back(&services, &described, &mut in_use).await?;
        for (name, definition) in &described {
            let images = definition.images.iter().map(|it| (Named::read(it), last(name).to_owned()));
            in_use.images.extend(images);
        }
        services.iter().for_each(|it| wishes(it, &described, &mut in_use));
        Ok(in_use)
    }

    /// The task definitions that a service can go back to, and those that it runs before a deployment.
    async fn ways_back(
        &self,
        services: &[ecs::Service],
        described: &BTreeMap<String, ecs::TaskDefinition>,
        in_use: &mut InUse,
    ) -> Result<(), Error> {
        let mut wanted: BTreeMap<String, String> = BTreeMap::new();
        for service in services {
            let definitions = service.task_definitions.iter().filter_map(|it| described.get(it));
            for previous in definitions.filter_map(|it| it.tags.get(keys::PREVIOUS)) {
                wanted.insert(previous.clone(), format!("{}, which {} can go back to", previous, service.name));
            }
            if let Some(family) = rule(service).and_then(|it| it.migrate) {
                wanted.insert(family.clone(), format!("{family}, which migrates for {}", service.name));
            }
        }
        let known = |name: &String| described.keys().any(|arn| last(arn) == name);
        wanted.retain(|name, _| !known(name));
        let answers =
            each(wanted, AT_A_TIME, async |(name, by)| (ecs::describe_task_definition(&self.ecs, &name).await, by));
        for (answer, by) in answers.await {
            match answer {
                Ok(it) => in_use.images.extend(it.images.iter().map(|it| (Named::read(it), by.clone()))),
                // It was deleted, so there is no way back to it.
                Err(error) if error.code == "ClientException" => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What a service may come to use: what people let through or choose from, and what it starts when it wakes up.
fn wishes(service: &ecs::Service, described: &BTreeMap<String, ecs::TaskDefinition>, in_use: &mut InUse) {
    let name = &service.name;
    let approved = service.tags.get(keys::APPROVED).map(|it| it.parse::<Approved>());
    // An approval that cannot be read may be of any image that is newer than what runs.
    let unclear = matches!(approved, Some(Err(_)));
    if let Some(Ok(approved)) = approved {
        let by = format!("{name}, for which it is approved");
        in_use.images.push((Named::Digest(approved.digest.to_string()), by));
    }
    let definitions = service.task_definitions.iter().filter_map(|it| described.get(it));
    let images: BTreeSet<Named> = definitions.flat_map(|it| &it.images).map(|it| Named::read(it)).collect();
    // A tag that cannot be read asks for something: it is not taken for one that asks for nothing.
    let waits = |rule: DeployRule| rule.approval == Some(Approval::Manual) || rule.has_gates();
    let waiting = unclear || service.tags.contains_key(keys::DEPLOY) && rule(service).is_none_or(waits);
    for image in images {
        if waiting {
            in_use.waiting.push((image.clone(), name.clone()));
        }
        if service.tasks == 0 && matches!(image, Named::Tag { .. }) {
            in_use.sleeping.push((image, name.clone(), service.deployed_at));
        }
    }
}

fn rule(service: &ecs::Service) -> Option<DeployRule> {
    service.tags.get(keys::DEPLOY)?.parse().ok()
}

/// `api:41` of `arn:aws:ecs:…:task-definition/api:41`.
fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
