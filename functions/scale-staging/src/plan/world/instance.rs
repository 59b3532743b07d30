//! An EC2 instance, as DescribeInstances shows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rules::compose::{Intent, Ordered};
use rules::keys;

/// The tag that Auto Scaling puts on the instances of its groups.
const GROUP: &str = "aws:autoscaling:groupName";

/// An EC2 instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    pub arn: String,
    pub id: String,
    /// `pending`, `running`, `stopping`, `stopped`, `shutting-down` or `terminated`.
    pub state: String,
    /// When it was started last.
    pub launched_at: Option<Timestamp>,
    /// When it was stopped, where EC2 says that a person or a function did so.
    pub stopped_at: Option<Timestamp>,
    /// Why it is in its state, in EC2's words, where it says so.
    pub state_reason: Option<String>,
    /// Such as `spot`; none for one that was bought on demand.
    pub lifecycle: Option<String>,
    /// `ebs` or `instance-store`.
    pub root_device: String,
    /// The AWS service that manages it.
    pub operator: Option<String>,
    /// Hibernation was configured when it was launched.
    pub can_hibernate: bool,
    pub tags: BTreeMap<String, String>,
}

impl Instance {
    /// The Auto Scaling group that it belongs to.
    pub fn group(&self) -> Option<&str> {
        self.tags.get(GROUP).map(String::as_str)
    }

    /// The name that people gave it.
    pub fn name(&self) -> Option<&str> {
        self.tags.get("Name").map(String::as_str).filter(|it| !it.is_empty())
    }

    /// The command that deploys an image to the project on it, if one may be under way.
    pub fn deployment(&self) -> Option<Ordered> {
        self.tags.get(keys::COMMAND)?.parse::<Ordered>().ok().filter(|it| it.intent != Intent::Look)
    }

    /// Whether a person means it by `name`: its id, or its name.
    pub fn is_called(&self, name: &str) -> bool {
        self.id == name || self.name() == Some(name)
    }
}
