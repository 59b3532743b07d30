//! What an event or a person asks of a run: where to look, and which command to carry out.

use rules::compose::ComposeRule;

use super::world::Instance;

#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    Everywhere,
    /// At every instance that opted in and uses this ECR repository.
    Repository(String),
    /// At the instance of this id or name, and those with the same tag.
    Instance(String),
}

impl Scope {
    /// Whether an instance is looked at. A tag that cannot be read is told by the sweep.
    pub fn concerns(&self, instance: &Instance, rule: Option<&ComposeRule>) -> bool {
        match self {
            Scope::Everywhere => true,
            Scope::Repository(name) => rule.is_some_and(|it| it.repository.name == *name),
            Scope::Instance(name) => instance.is_called(name),
        }
    }
}

/// What a person asks. Images are named by a tag or a digest.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Let this image out.
    Approve { image: String },
    /// Never deploy this image; where it runs, go back.
    Reject { image: String },
    /// Deploy this image, whatever the rule selects; `now`: through no gate.
    Deploy { image: String, now: bool },
    /// Go back to the image before; with an image only if that one runs.
    RollBack { image: Option<String> },
    /// Forgive an image that was rejected; without one the only one that is.
    Clear { image: Option<String> },
    /// Read back what runs.
    Look,
    /// Say what runs and what waits.
    Status,
}
