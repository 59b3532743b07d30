//! One service with all that was observed of it put together and its tags read; or why it is left alone.

use std::collections::BTreeMap;

use choose::{Choice, Running, Selection};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rules::calendar::DeployWindow;
use rules::deploy::DeployRule;
use rules::keys::DeployKeys;
use rules::{BadTag, Digest, keys};

pub use super::leave::Leave;
use super::leave::deployable;
pub use super::memory::Memory;
use super::part::{Part, parts};
use super::proven::promoted;
use super::watched::{Watched, different_images};
use super::world::{
    Calendar, CodeDeploy, Controller, Fact, Image, ImageName, Observation, Rollout, Service, Shift, Strategy,
    TaskDefinition, World, family,
};

pub struct Case<'a> {
    pub service: &'a Service,
    /// The tag that this is about, and its memory.
    pub keys: &'static DeployKeys,
    /// The containers of the service that its other tags are about.
    pub others: Vec<String>,
    pub rule: DeployRule,
    pub memory: Memory,
    pub revision: &'a TaskDefinition,
    /// The names of the containers whose image this function changes.
    pub containers: Vec<String>,
    /// The image that the first of them is set to.
    pub image: ImageName,
    /// What the first is set to, where that is not an image of the repository.
    pub elsewhere: Option<String>,
    /// The repository: `NAME`, or `ACCOUNT/NAME` in the registry of another account.
    pub repository: String,
    pub images: &'a [Image],
    /// Images that no container of the service can be started from, with the reason.
    pub unfit: BTreeMap<Digest, String>,
    world: &'a World,
}

impl<'a> Case<'a> {
    /// What `world` knows of `service`, put together for each of its tags.
    pub fn all(service: &'a Service, world: &'a World) -> Vec<Result<Self, Leave>> {
        let parts = parts(&service.tags);
        if parts.is_empty() {
            return vec![Err(Leave::Skip(format!("it has no {} tag", keys::DEPLOY)))];
        }
        parts.into_iter().map(|part| Self::read(service, world, part)).collect()
    }

    fn read(service: &'a Service, world: &'a World, part: Result<Part, BadTag>) -> Result<Self, Leave> {
        let Part { keys, rule, others } = part.map_err(|it| Leave::problem("bad-tag", it.to_string()))?;
        if service.status != "ACTIVE" {
            return Err(Leave::Skip(format!("its status is {}", service.status)));
        }
        deployable(service)?;
        if service.task_definition.is_empty() {
            let message =
                "ECS names no task definition that it runs, so nothing is deployed: look at the service in ECS";
            return Err(Leave::problem("no-task-definition", message));
        }
        let memory =
            Memory::read(service, keys).map_err(|it| Leave::problem("bad-memory", format!("{it}; remove the tag")))?;
        let revision = revision_in_use(service, world)?;
        let watched = Watched::find(service, rule.container.as_deref(), rule.repository.as_ref(), revision);
        let watched = watched.map_err(|it| Leave::problem("no-container", it))?;
        let repository = watched.key(service);
        let images = match world.repositories.get(&repository) {
            Some(Ok(images)) => images,
            Some(Err(error)) => {
                let other = rule.repository.as_ref().is_some_and(|it| it.account.is_some());
                let hint = if other {
                    "; it takes a repository policy in that account, and the same actions in this function's role"
                } else {
                    ""
                };
                return Err(Leave::problem(
                    "unreadable-repository",
                    format!("the images of {repository} cannot be read: {error}{hint}"),
                ));
            }
            None => return Err(Leave::Elsewhere(format!("it uses the repository {repository}"))),
        };
        let Watched { containers, image, elsewhere } = watched;
        let unfit = BTreeMap::new();
        let mut case = Case {
            service,
            keys,
            others,
            rule,
            memory,
            revision,
            containers,
            image,
            elsewhere,
            repository,
            images,
            unfit,
            world,
        };
        case.ensure_one_image()?;
        case.unfit = case.find_unfit();
        Ok(case)
    }

    /// Containers are changed together only if they run the same image now: one repository may hold several, told apart
    /// by their tags.
    fn ensure_one_image(&self) -> Result<(), Leave> {
        let named = self.revision.images().filter(|(name, _)| self.containers.iter().any(|it| it == name));
        let images: Vec<(&str, ImageName)> =
            named.filter_map(|(name, image)| Some((name, ImageName::parse(image)?))).collect();
        let Some((name, first)) = images.first() else { return Ok(()) };
        let first = (first, self.digest_that_runs(name, first));
        let same = |(name, image): &(&str, ImageName)| {
            let by_reference = image.digest == first.0.digest && image.tag == first.0.tag;
            by_reference || first.1.is_some() && self.digest_that_runs(name, image) == first.1
        };
        match images.iter().all(same) {
            true => Ok(()),
            false => Err(Leave::problem("no-container", different_images(&images))),
        }
    }

    /// The digest that a container runs: the one that its task definition names, else the one that ECS pinned when the
    /// deployment began. Only where ECS tells none, what the tag means today, if that was pushed before.
    fn digest_that_runs(&self, container: &str, image: &ImageName) -> Option<Digest> {
        let pinned = self.world.pinned.get(&self.service.arn);
        let of_history = || {
            let latest = self.history().iter().find(|it| it.task_definition == self.revision.arn())?;
            latest.pinned.get(container).cloned()
        };
        let by_ecs = || pinned.and_then(|it| it.as_ref().ok()?.get(container).cloned()).or_else(of_history);
        let by_tag = || {
            // ECS knows it and would not say.
            if matches!(pinned, Some(Err(_))) {
                return None;
            }
            let holds = |it: &&Image| it.tags.iter().any(|tag| Some(tag) == image.tag.as_ref());
            let began = self.began();
            self.images.iter().find(holds).filter(|it| it.pushed_at <= began).map(|it| it.digest.clone())
        };
        image.digest.clone().or_else(by_ecs).or_else(by_tag)
    }

    /// When the deployment of what runs began: its image was pushed no later.
    fn began(&self) -> Timestamp {
        let by_code_deploy = self.code_deploy().and_then(|it| it.under_way()?.began);
        let began = by_code_deploy.or(self.service.primary().and_then(|it| it.began)).or(self.revision.registered_at());
        began.unwrap_or(Timestamp::MAX)
    }

    /// The choice of an image, by the rule and by what is remembered.
    pub fn choice<'b>(&'b self, memory: &'b Memory, running: &'b Running) -> Choice<'b, 'a> {
        Choice {
            selector: &self.rule.selector,
            images: self.images,
            running,
            rejected: memory.rejected.as_ref(),
            approved: memory.approved.as_ref(),
            asks: self.rule.approval.is_some(),
            promoted: promoted(&self.rule.selector, self.images, self.world, memory),
            unfit: &self.unfit,
        }
    }

    /// What was observed of `fact`, if it was looked at.
    pub fn observation(&self, fact: &Fact) -> Option<&'a Observation> {
        self.world.facts.get(fact)
    }

    /// All services that opted in, if this run looks at all of them.
    pub fn all_services(&self) -> Option<&'a [Service]> {
        self.world.whole.then_some(&self.world.services)
    }

    /// When deployments to the service may begin, if its tag says so. Where the tag is wrong only these wait.
    pub fn window(&self) -> Result<Option<DeployWindow>, BadTag> {
        gates::window_of(&self.service.tags, self.calendar())
    }

    /// When the stack deploys nothing.
    pub fn calendar(&self) -> &'a Calendar {
        &self.world.calendar
    }

    /// When deployments may begin again after `at`, if ever.
    pub fn opens(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        gates::opens(self.window().ok().flatten().as_ref(), self.calendar(), at, zone)
    }

    /// What the rule selects, seen from the image that runs.
    pub fn selection(&self, memory: &Memory) -> Selection<'a> {
        self.choice(memory, &self.running()).select()
    }

    /// The image in use, if some of several containers are not set to it yet.
    pub fn repair(&self) -> Option<&'a Image> {
        let digest = self.image.digest.as_ref()?;
        let image = self.images.iter().find(|it| it.digest == *digest && !it.archived)?;
        (!self.is_set_to(self.revision, &self.image.pinned(digest))).then_some(image)
    }

    /// The image that the service runs, as far as it can be known.
    pub fn running(&self) -> Running {
        let no_later_than = self.began();
        if self.elsewhere.is_some() {
            return Running { digest: None, tag: None, no_later_than, elsewhere: true };
        }
        let digest = self.digest_that_runs(&self.containers[0], &self.image);
        let tag = self.revision.tags.get(self.keys.image).or(self.image.tag.as_ref()).cloned();
        Running { digest, tag, no_later_than, elsewhere: false }
    }

    /// How people know the image that the service runs.
    pub fn running_label(&self) -> String {
        let running = self.running();
        match (running.tag, running.digest) {
            (Some(tag), _) => tag,
            (None, Some(digest)) => self.label(&digest),
            (None, None) => self.elsewhere.clone().unwrap_or_else(|| self.repository.clone()),
        }
    }

    /// How people know an image: by a tag of its, or by the beginning of its digest.
    pub fn label(&self, digest: &Digest) -> String {
        let tags = self.images.iter().filter(|it| it.digest == *digest).flat_map(|it| &it.tags);
        tags.filter(|it| *it != "latest").min().cloned().unwrap_or_else(|| digest.short().to_string())
    }

    /// When the image was pushed, if the repository still has it.
    pub fn pushed_at(&self, digest: &Digest) -> Option<Timestamp> {
        self.images.iter().find(|it| it.digest == *digest).map(|it| it.pushed_at)
    }

    /// Whether all containers that are ours to change are set to exactly `image`.
    pub fn is_set_to(&self, revision: &TaskDefinition, image: &str) -> bool {
        self.containers.iter().all(|name| revision.images().any(|(container, set)| container == name && set == image))
    }

    /// The image that a revision sets the first of our containers to.
    pub fn image_of(&self, revision: &TaskDefinition) -> Option<ImageName> {
        let (_, image) = revision.images().find(|(name, _)| *name == self.containers[0])?;
        ImageName::parse(image).filter(|it| it.repository() == self.image.repository())
    }

    /// The digest that a revision pins, if this function registered it.
    pub fn digest_of_ours(&self, revision: &TaskDefinition) -> Option<Digest> {
        revision.tags.get(self.keys.image)?;
        self.image_of(revision)?.digest
    }

    /// A revision that was described, by its ARN.
    pub fn described(&self, arn: &str) -> Option<&'a TaskDefinition> {
        self.world.task_definitions.get(arn)
    }

    /// All that was observed for gates, of this service and of others.
    pub fn all_facts(&self) -> impl Iterator<Item = (&'a Fact, &'a Observation)> + use<'a> {
        self.world.facts.iter()
    }

    pub fn all_described(&self) -> impl Iterator<Item = &'a TaskDefinition> + use<'a> {
        self.world.task_definitions.values()
    }

    /// The newest revision of the family, if it is not the one in use.
    pub fn newer_revision(&self) -> Option<&'a TaskDefinition> {
        let arn = self.world.newest_revision.get(self.revision.family())?;
        self.described(arn).filter(|it| it.arn() != self.revision.arn())
    }

    /// The same, unless it says what the one in use says: a run that overlapped with another one registered it in vain.
    pub fn unused_revision(&self) -> Option<&'a TaskDefinition> {
        let content = |it: &TaskDefinition| it.next(&[], "", &[]);
        self.newer_revision().filter(|it| content(it) != content(self.revision))
    }

    /// The service's past deployments, newest first, if they were asked for and could be read.
    pub fn history(&self) -> &'a [Rollout] {
        match self.world.history.get(&self.service.arn) {
            Some(Ok(history)) => history,
            _ => &[],
        }
    }

    /// The newest deployment, if it shifts traffic or pauses and could be read.
    pub fn shift(&self) -> Option<&'a Shift> {
        self.world.shifts.get(&self.service.arn)?.as_ref().ok()
    }

    /// Why the newest deployment could not be read, if so.
    pub fn shift_error(&self) -> Option<&'a str> {
        self.world.shifts.get(&self.service.arn)?.as_ref().err().map(String::as_str)
    }

    /// Why the past deployments could not be read, if so.
    pub fn history_error(&self) -> Option<&'a str> {
        self.world.history.get(&self.service.arn)?.as_ref().err().map(String::as_str)
    }

    /// What CodeDeploy told of the service, if it is CodeDeploy that deploys it, and it was asked and had an answer.
    pub fn code_deploy(&self) -> Option<&'a CodeDeploy> {
        self.world.code_deploy.get(&self.service.arn)?.as_ref().ok()
    }

    /// Why CodeDeploy cannot be made to deploy the service, if so, and how to fix it.
    pub fn code_deploy_error(&self) -> Option<&'a str> {
        self.world.code_deploy.get(&self.service.arn)?.as_ref().err().map(String::as_str)
    }

    /// Whether CodeDeploy deploys the service and not ECS.
    pub fn by_code_deploy(&self) -> bool {
        self.service.controller == Controller::CodeDeploy
    }

    /// Whether traffic is shifted instead of task by task replaced, which tells less of its progress.
    pub fn shifts(&self) -> bool {
        matches!(self.service.strategy, Strategy::Shifting(_))
    }
}

/// The revision in use. The rest of its family has to be known as well: it tells of images that were tried before.
fn revision_in_use<'a>(service: &Service, world: &'a World) -> Result<&'a TaskDefinition, Leave> {
    // What CodeDeploy deploys is known by its deployment before ECS knows of it.
    let told = world.code_deploy.get(&service.arn).and_then(|it| it.as_ref().ok());
    let target = told.and_then(CodeDeploy::target).and_then(|it| world.task_definitions.get(it));
    if let Some(target) = target {
        return Ok(target);
    }
    let arn = &service.task_definition;
    let unreadable = world.unreadable.get(arn).or(world.unreadable.get(family(arn)));
    match (unreadable, world.task_definitions.get(arn)) {
        (None, Some(revision)) => Ok(revision),
        (error, _) => Err(Leave::problem(
            "unreadable-task-definition",
            match error {
                Some(error) => format!("its task definition cannot be read: {error}"),
                None => format!("its task definition {arn} was not read"),
            },
        )),
    }
}
