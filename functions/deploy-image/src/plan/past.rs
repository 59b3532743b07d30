//! What the revisions of a service tell: what ran before, whether that in use is proven, and what else it changed.

use rules::keys;

use super::case::Case;
use super::world::{RolloutEnd, RolloutState, TaskDefinition};

impl Case<'_> {
    /// The ARNs of the revisions that were in use before, as each remembers the one before it, latest first.
    pub fn earlier_revisions(&self) -> Vec<String> {
        let mut arns: Vec<String> = Vec::new();
        let mut revision = Some(self.revision);
        while let Some(previous) = revision.and_then(|it| it.tags.get(keys::PREVIOUS)) {
            let (registry, _) = self.revision.arn().rsplit_once('/').unwrap_or_default();
            let arn = format!("{registry}/{previous}");
            if arns.contains(&arn) || arns.len() == 10 {
                break;
            }
            revision = self.described(&arn);
            arns.push(arn);
        }
        arns
    }

    /// Whether two revisions set the containers of the other tags to the same images.
    pub fn has_same_others(&self, one: &TaskDefinition, other: &TaskDefinition) -> bool {
        let image = |of: &TaskDefinition, container: &String| {
            of.images().find(|(name, _)| name == container).map(|(_, image)| image.to_owned())
        };
        self.others.iter().all(|it| image(one, it) == image(other, it))
    }

    /// Whether tasks of the revision in use have run: a deployment to a sleeping service completes without any.
    pub fn proven(&self) -> bool {
        let found_live = || {
            let digest = self.digest_of_ours(self.revision);
            digest.is_some() && self.memory.verdict.as_ref().map(|it| &it.digest) == digest.as_ref()
        };
        self.completed() && (self.service.desired > 0 && self.service.running > 0 || found_live())
    }

    fn completed(&self) -> bool {
        let Some(primary) = self.service.primary() else { return false };
        match primary.state {
            RolloutState::Completed => true,
            RolloutState::InProgress | RolloutState::Failed => false,
            RolloutState::Unsaid => {
                let latest = self.history().iter().find(|it| it.task_definition == self.revision.arn());
                latest.is_none_or(|it| it.end == RolloutEnd::Successful)
            }
        }
    }
}
