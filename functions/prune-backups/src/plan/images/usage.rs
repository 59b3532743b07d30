//! What runs, and which images it uses or may come to use.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rules::compose::{ComposeRule, Ordered, Runs};
use rules::deploy::{Approval, DeployRule};
use rules::memory::{Approved, Verdict};
use rules::{BadTag, keys};

use super::named::Named;
use crate::plan::world::{Group, Instance, PinnedImage, Service, Usage};

/// Which images are in use or may come to be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InUse {
    /// What services, tasks and rollbacks name, each with who names it.
    pub images: Vec<(Named, String)>,
    /// Services with a gate that run this image: what was pushed after it may be waiting for a person or a scan.
    pub waiting: Vec<(Named, String)>,
    /// Services without a task that name an image by its tag, which nothing pins, with the moment of their deployment.
    pub sleeping: Vec<(Named, String, Option<Timestamp>)>,
}

/// The service revisions whose pinned images have to be read: those of services that name an image by tag, and those
/// that a deployment may go back to, however their images are named.
///
/// ECS pins what a tag means when a deployment begins, and starts that image for as long as the deployment lasts,
/// whatever the tag means by then.
pub fn tag_revisions(usage: &Usage) -> Vec<String> {
    let by_tag = |it: &&Service| images_of(it, usage).any(|it| matches!(it, Named::Tag { .. }));
    let of_rollbacks = usage.services.iter().flat_map(|it| &it.rollback_revisions);
    let revisions: BTreeSet<String> =
        usage.services.iter().filter(by_tag).flat_map(|it| &it.revisions).chain(of_rollbacks).cloned().collect();
    revisions.into_iter().collect()
}

/// The task definitions that services can go back to and those that they run before a deployment, as far as they are not
/// read yet.
pub fn ways_back(usage: &Usage) -> Vec<String> {
    let known = |name: &String| usage.definitions.keys().any(|arn| last(arn) == name);
    let wanted: BTreeSet<String> = usage
        .services
        .iter()
        .flat_map(|it| named_back(it, usage))
        .map(|(name, _)| name)
        .filter(|it| !known(it))
        .collect();
    wanted.into_iter().collect()
}

/// The same with the reason for which each is kept.
fn named_back(service: &Service, usage: &Usage) -> Vec<(String, String)> {
    let definitions = service.task_definitions.iter().filter_map(|it| usage.definitions.get(it));
    let previous = definitions.filter_map(|it| it.tags.get(keys::PREVIOUS));
    let previous = previous.map(|it| (it.clone(), format!("{it}, which {} can go back to", service.name)));
    let migration = rule(service).and_then(|it| it.migrate);
    let migration = migration.map(|it| (it.clone(), format!("{it}, which migrates for {}", service.name)));
    previous.chain(migration).collect()
}

impl InUse {
    /// Everything that keeps an image, each with the words for it.
    ///
    /// # Errors
    ///
    /// What an instance remembers cannot be read, so that nobody knows which image it runs.
    pub fn of(usage: &Usage) -> Result<Self, String> {
        let mut in_use = InUse::default();
        for instance in &usage.instances {
            in_use
                .add_instance(instance)
                .map_err(|bad| format!("{bad}, on the instance {}: correct the tag or remove it", instance.name()))?;
        }
        for group in &usage.groups {
            in_use.add_group(group).map_err(|bad| {
                format!("{bad}, on the Auto Scaling group {}: correct the tag or remove it", group.name)
            })?;
        }
        for task in &usage.tasks {
            let by = format!("the task {}", last(&task.arn));
            in_use.images.extend(task.images.iter().map(|it| (Named::read(it), by.clone())));
        }
        for service in &usage.services {
            for (name, by) in named_back(service, usage) {
                let definition = usage.definitions.iter().find(|(arn, _)| last(arn) == name);
                let images = definition.into_iter().flat_map(|(_, it)| &it.images);
                in_use.images.extend(images.map(|it| (Named::read(it), by.clone())));
            }
            for pinned in pinned(service, usage) {
                let by = format!("{}, whose deployment has pinned it", service.name);
                in_use.images.push((Named::Digest(pinned.digest.clone()), by));
            }
            let back = service.rollback_revisions.iter().filter_map(|it| usage.pinned.get(it)).flatten();
            for pinned in back {
                let by = format!("{}, whose deployment can go back to it", service.name);
                in_use.images.push((Named::Digest(pinned.digest.clone()), by));
            }
        }
        for (name, definition) in &usage.definitions {
            in_use.images.extend(definition.images.iter().map(|it| (Named::read(it), last(name).to_owned())));
        }
        usage.services.iter().for_each(|it| in_use.add_prospects(it, usage));
        Ok(in_use)
    }

    /// What a docker compose project runs on an instance, and what it may come to run: the images on the machine are not
    /// all that it needs, since a machine that is replaced pulls again.
    fn add_instance(&mut self, instance: &Instance) -> Result<(), BadTag> {
        let name = instance.name();
        let read = |key: &str| instance.tags.get(key);
        let runs: Option<Runs> = read(keys::RUNS).map(|it| it.parse()).transpose()?;
        let sent: Option<Ordered> = read(keys::COMMAND).map(|it| it.parse()).transpose()?;
        let approved: Option<Approved> = read(keys::APPROVED).map(|it| it.parse()).transpose()?;
        // A tag that cannot be read asks for something: it is not taken for one that asks for nothing.
        let waiting = read(keys::DEPLOY).is_some_and(|it| it.parse().map_or(true, has_gates));
        let mut add = |named: Named, by: String| self.images.push((named, by));
        if let Some(digest) = runs.as_ref().and_then(|it| it.digest.as_ref()) {
            add(Named::Digest(digest.to_string()), format!("the instance {name}"));
        }
        if let Some(before) = runs.as_ref().and_then(|it| it.before.clone()) {
            add(Named::End(before), format!("the instance {name}, which can go back to it"));
        }
        if let Some(digest) = sent.as_ref().and_then(|it| it.intent.digest()) {
            add(Named::Digest(digest.to_string()), format!("the instance {name}, to which it is being deployed"));
        }
        if let Some(approved) = approved {
            add(Named::Digest(approved.digest.to_string()), format!("the instance {name}, for which it is approved"));
        }
        if let Some(digest) = runs.and_then(|it| it.digest).filter(|_| waiting) {
            self.waiting.push((Named::Digest(digest.to_string()), format!("the instance {name}")));
        }
        Ok(())
    }

    /// What the next instance of a group will get, though none may run now: a group that sleeps has terminated all.
    fn add_group(&mut self, group: &Group) -> Result<(), BadTag> {
        let (name, read) = (&group.name, |key: &str| group.tags.get(key));
        let verdict: Option<Verdict> = read(keys::VERDICT).map(|it| it.parse()).transpose()?;
        let approved: Option<Approved> = read(keys::APPROVED).map(|it| it.parse()).transpose()?;
        let runs: Option<Runs> = read(keys::RUNS).map(|it| it.parse()).transpose()?;
        if let Some(before) = runs.and_then(|it| it.before) {
            let by = format!("the Auto Scaling group {name}, which can go back to it");
            self.images.push((Named::End(before), by));
        }
        if let Some(Verdict { digest, .. }) = verdict {
            let named = Named::Digest(digest.to_string());
            self.images.push((named.clone(), format!("the Auto Scaling group {name}, whose instances get it")));
            if read(keys::DEPLOY).is_some_and(|it| it.parse().map_or(true, has_gates)) {
                self.waiting.push((named, format!("the Auto Scaling group {name}")));
            }
        }
        if let Some(approved) = approved {
            let by = format!("the Auto Scaling group {name}, for which it is approved");
            self.images.push((Named::Digest(approved.digest.to_string()), by));
        }
        Ok(())
    }

    /// What a service may come to use: what people let through or choose from, and what it starts when it wakes up.
    fn add_prospects(&mut self, service: &Service, usage: &Usage) {
        let name = &service.name;
        let mut unclear = false;
        for approved in keys::DEPLOYS.iter().filter_map(|it| service.tags.get(it.approved)) {
            match approved.parse::<Approved>() {
                Ok(approved) => {
                    let by = format!("{name}, for which it is approved");
                    self.images.push((Named::Digest(approved.digest.to_string()), by));
                }
                // An approval that cannot be read may be of any image that is newer than what runs.
                Err(_) => unclear = true,
            }
        }
        // A tag that cannot be read asks for something: it is not taken for one that asks for nothing.
        let waits = |rule: DeployRule| rule.approval == Some(Approval::Manual) || rule.has_gates();
        let asks = |key: &'static str| service.tags.get(key).is_some_and(|it| it.parse().map_or(true, waits));
        let waiting = unclear || keys::DEPLOYS.iter().any(|it| asks(it.rule));
        let images: BTreeSet<Named> = images_of(service, usage).collect();
        for image in images {
            if waiting {
                self.waiting.push((image.clone(), name.clone()));
            }
            let is_pinned = pinned(service, usage).any(|it| Named::read(&it.image) == image);
            if service.tasks == 0 && matches!(image, Named::Tag { .. }) && !is_pinned {
                self.sleeping.push((image, name.clone(), service.deployed_at));
            }
        }
    }
}

fn has_gates(rule: ComposeRule) -> bool {
    rule.approval.is_some() || rule.scan.is_some() || rule.snapshot.is_some()
}

fn images_of<'a>(service: &'a Service, usage: &'a Usage) -> impl Iterator<Item = Named> {
    let definitions = service.task_definitions.iter().filter_map(|it| usage.definitions.get(it));
    definitions.flat_map(|it| &it.images).map(|it| Named::read(it))
}

fn pinned<'a>(service: &'a Service, usage: &'a Usage) -> impl Iterator<Item = &'a PinnedImage> {
    service.revisions.iter().filter_map(|it| usage.pinned.get(it)).flatten()
}

fn rule(service: &Service) -> Option<DeployRule> {
    service.tags.get(keys::DEPLOY)?.parse().ok()
}

/// `api:41` of `arn:aws:ecs:…:task-definition/api:41`.
fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
