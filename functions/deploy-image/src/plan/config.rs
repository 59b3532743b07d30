//! What others change beside the image that is chosen: revisions that something else registered and that are not in use,
//! tags that no rule reads, and images that may expire.

use jiff::{SignedDuration, Timestamp};
use reconcile::{Choice, CommandLine, Undo};
use rules::deploy::{Config, Selector};
use rules::keys;

use super::case::Case;
use super::draft::Draft;
use super::motion::{Motion, motion};
use super::offer;
use super::world::{Fact, Observation, RolloutEnd, ServiceName, TaskDefinition};

/// So long after it was registered a revision that is not in use is a problem; after that it is only mentioned.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(24);

impl<'a> Case<'a> {
    /// The newest revision that something else registered after the one in use.
    pub fn foreign_revision(&self) -> Option<&'a TaskDefinition> {
        let foreign = |it: &&TaskDefinition| {
            let later = it.family() == self.revision.family() && it.number() > self.revision.number();
            later && it.is_active() && keys::DEPLOYS.iter().all(|keys| !it.tags.contains_key(keys.image))
        };
        self.all_described().filter(foreign).max_by_key(|it| it.number())
    }

    /// The revision that the next one is made from: the one in use, or with `config=newest` a newer one of something else.
    pub fn base(&self) -> &'a TaskDefinition {
        self.new_config().unwrap_or(self.revision)
    }

    /// With `config=newest`, the revision whose configuration has yet to be deployed.
    pub fn new_config(&self) -> Option<&'a TaskDefinition> {
        self.rule.config.and_then(|Config::Newest| self.foreign_revision())
    }

    /// The numbers of revisions of the family between the one in use and the newest, which may be of something else.
    pub fn unknown_revisions(&self) -> Vec<String> {
        let (Some(Config::Newest), Some(newest)) = (self.rule.config, self.newer_revision()) else { return Vec::new() };
        let (registry, _) = self.revision.arn().rsplit_once('/').unwrap_or_default();
        let numbers = (self.revision.number() + 1..newest.number()).rev().take(5);
        numbers.map(|it| format!("{registry}/{}:{it}", self.revision.family())).collect()
    }
}

impl<'a> Draft<'a> {
    /// Says once that a newer revision is not in use, with both ways out.
    pub fn tell_foreign_revision(&mut self) {
        let case = self.case;
        let Some(newer) = case.foreign_revision().filter(|_| case.rule.config.is_none()) else { return };
        let name = newer.short_name();
        let fresh = |it: Timestamp| self.now.timestamp().duration_since(it) < TOLD_FOR;
        if !newer.registered_at().is_some_and(fresh) {
            return self.skip(format!("{name} is newer than what runs and is not in use"));
        }
        let message = format!(
            "{name} is registered, but not in use; it is newer than what runs. To have such revisions deployed, add config=newest to the tag \
             {}; or deploy it once, and the image is put on top of it",
            keys::DEPLOY,
        );
        let ServiceName { cluster, name: service } = &case.service.name;
        let call = ["aws", "ecs", "update-service", "--cluster", cluster, "--service", service];
        let once = CommandLine::of(call.into_iter().chain(["--task-definition", &name]));
        self.ask("newer-revision", message, [Choice::new("Deploy it once", Undo::Shell(once))]);
    }

    /// Deploys a new configuration with the image that runs; `false` where there is none.
    pub fn deploy_config(&mut self) -> bool {
        let case = self.case;
        let Some(base) = case.new_config() else { return false };
        let name = base.short_name();
        let motion = motion(case);
        if motion != Motion::Still {
            self.skip(format!("the configuration of {name} waits until what is under way has ended"));
            return true;
        }
        let running = case.running();
        let image = case.images.iter().find(|it| Some(&it.digest) == running.digest.as_ref() && it.is_deployable());
        let Some(image) = image else {
            let message = format!(
                "{name} should be deployed with the image that runs ({}), which is not in {} as it was; push a new image, \
                 or deploy {name} by hand",
                case.running_label(),
                case.repository
            );
            self.problem("unknown-image", message);
            return true;
        };
        if let Some(failed) = self.failed_config(base) {
            self.problem("config-failed", failed);
            return true;
        }
        self.deploy(image, &case.running_label(), &motion);
        true
    }

    /// What to say of a configuration that was tried with the image that runs, and did not stay.
    fn failed_config(&self, base: &TaskDefinition) -> Option<String> {
        let tried = self.case.newer_revision().filter(|it| it.number() > base.number())?;
        let last = self.case.history().iter().find(|it| it.task_definition == tried.arn())?;
        let failed = matches!(last.end, RolloutEnd::TakenBack | RolloutEnd::GoingBack | RolloutEnd::Stopped);
        failed.then(|| {
            format!(
                "{}, which has the configuration of {} and the image that runs, was deployed and did not stay: {}. \
                 Register a corrected revision; the image is not rejected",
                tried.short_name(),
                base.short_name(),
                if last.reason.is_empty() { "it gave no reason" } else { &last.reason },
            )
        })
    }

    /// Says of a newer image that the rule cannot read, once for each tag as a problem.
    pub fn tell_unread(&mut self) {
        let case = self.case;
        let running = case.running();
        let Some((image, tag)) = case.choice(&self.memory, &running).unread() else { return };
        let rule = &case.rule.selector;
        let (kind, examples) = match rule {
            Selector::Number { .. } => ("number", "Numbers are build-412, 412-7f3a2b1 and main-7f3a2b1-1764300000"),
            _ => ("version", "Versions are v1.2.3, 1.2.3, 1.4 and 2026.01.04"),
        };
        let message = format!(
            "{tag} is left out: '{rule}' does not read it as a {kind}. It was pushed to {} after {}",
            case.repository,
            case.running_label()
        );
        match self.now.timestamp().duration_since(image.pushed_at) < TOLD_FOR {
            true => self.problem("unread-tag", format!("{message}. {examples}")),
            false => self.skip(message),
        }
    }

    /// Says of a tag that looks newer than the image that runs and names an older one, once a month: `newest` goes by the
    /// push, and a build that gives the digest of before only adds a tag to it.
    pub fn tell_older_image(&mut self) {
        let case = self.case;
        let running = case.running();
        let Some((image, tag)) = case.choice(&self.memory, &running).newer_tag_of_older_image() else { return };
        let message = format!(
            "{tag} is not deployed: it was pushed before {runs}, which runs. It looks newer, but names an image of {} that \
             is older ({}), and '{}' goes by the push: ECR does not tell when a tag was put on an image. If {tag} is meant, \
             approve it; or use the selector semver, number or tag",
            case.repository,
            image.digest.short(),
            case.rule.selector,
            runs = case.running_label(),
        );
        self.plan.monthly(&case.service.arn, "older-image", message);
        let approve = offer::about(case, "Approve", "approve", &image.digest);
        self.plan.choice(approve.label, approve.command);
    }

    /// Says that the image that runs may expire: it has no tag left, and tasks that start later pull it once more.
    pub fn tell_unpullable(&mut self) {
        let case = self.case;
        let running = case.running();
        let Some(image) = case.images.iter().find(|it| Some(&it.digest) == running.digest.as_ref()) else { return };
        if !image.tags.is_empty() {
            return;
        }
        let fact = Fact::Lifecycle(case.repository.clone());
        match case.observation(&fact) {
            None => drop(self.lacking.insert(fact)),
            Some(Observation::Lifecycle(true)) => self.problem(
                "untagged-image",
                format!(
                    "the image that runs may expire: {} has lost its tag. No tag of {} names {} any more, and the \
                     repository has a lifecycle policy: once that lets the image expire, no task of it can start. Give it \
                     a tag that no rule of the policy selects, or remove the rule for untagged images and tag the repository with {}",
                    case.running_label(),
                    case.repository,
                    image.digest.short(),
                    keys::KEEP_IMAGES,
                ),
            ),
            // Without a policy nothing expires; the image does not wait for a policy that cannot be read.
            Some(_) => {}
        }
    }
}
