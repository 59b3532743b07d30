//! Repositories with their images, and what runs in the region.

use std::collections::BTreeMap;

use choose::kind::Kind;
use jiff::Timestamp;

/// A repository that opted in.
#[derive(Debug, Clone, PartialEq)]
pub struct Repository {
    pub arn: String,
    pub name: String,
    pub tags: BTreeMap<String, String>,
    /// All images in it, or why they cannot be read.
    pub images: Result<Vec<Image>, String>,
}

/// An image, an index of images, or what refers to one, such as a signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    pub digest: String,
    pub tags: Vec<String>,
    pub pushed_at: Option<Timestamp>,
    /// Whether it is an image at all.
    pub kind: Kind,
    /// Of an index: the digests of what it lists.
    pub children: Vec<String>,
    /// Of a signature and the like: the digest of what it is about.
    pub subject: Option<String>,
}

/// All services and tasks of the region, and what they are made of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    pub services: Vec<Service>,
    pub tasks: Vec<Task>,
    pub instances: Vec<Instance>,
    pub groups: Vec<Group>,
    /// The task definitions that any of them names, by the name that it uses. One that was deleted is not there.
    pub definitions: BTreeMap<String, TaskDefinition>,
    /// The images that a deployment has pinned, by the ARN of its service revision.
    pub pinned: BTreeMap<String, Vec<PinnedImage>>,
}

/// A service, with all task definitions that it may start tasks of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Service {
    /// `cluster/name`.
    pub name: String,
    /// The task definitions of the service, of its deployments and of its task sets.
    pub task_definitions: Vec<String>,
    /// The ARNs of its service revisions that are in use.
    pub revisions: Vec<String>,
    /// The ARN of its deployment that is under way or was the last.
    pub deployment: Option<String>,
    /// The ARNs of the service revisions that this deployment started from and may go back to, though they may have no
    /// task any more.
    pub rollback_revisions: Vec<String>,
    /// How many tasks run or are about to.
    pub tasks: i32,
    /// When its newest deployment began.
    pub deployed_at: Option<Timestamp>,
    pub tags: BTreeMap<String, String>,
}

/// An EC2 instance that runs images with docker compose, as the tags on it remember them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Instance {
    pub arn: String,
    pub tags: BTreeMap<String, String>,
}

impl Instance {
    /// What people call it.
    pub fn name(&self) -> &str {
        let id = self.arn.rsplit('/').next().unwrap_or(&self.arn);
        self.tags.get("Name").map(|it| it.trim()).filter(|it| !it.is_empty()).unwrap_or(id)
    }
}

/// An Auto Scaling group of such instances. It remembers what they ran while it has none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    pub name: String,
    pub tags: BTreeMap<String, String>,
}

/// A task in any state before it is stopped. Until it has pulled its images, ECS tells them as they are named.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub arn: String,
    pub task_definition: String,
    /// The images of its containers, by digest where ECS knows it.
    pub images: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskDefinition {
    /// The images of its containers.
    pub images: Vec<String>,
    pub tags: BTreeMap<String, String>,
}

/// An image of a service revision: as the task definition names it, and what ECS took that to be.
#[derive(Debug, Clone, PartialEq)]
pub struct PinnedImage {
    pub image: String,
    pub digest: String,
}
