//! What a choice depends on, and what comes of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rules::Digest;
use rules::deploy::Selector;
use rules::memory::Approved;
use rules::rejections::Rejections;

use crate::image::Image;

/// The image that a service runs, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its digest, as the task definition or ECS pins it.
    pub digest: Option<Digest>,
    /// What it was called when it was deployed.
    pub tag: Option<String>,
    /// It was pushed no later than this.
    pub no_later_than: Timestamp,
    /// It is not an image of the repository that is chosen from: whatever is chosen there is newer.
    pub elsewhere: bool,
}

/// What a selection depends on.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'q, 'a> {
    /// The rule.
    pub selector: &'q Selector,
    /// The images of the repository.
    pub images: &'a [Image],
    /// The image that runs.
    pub running: &'q Running,
    /// The images that are not tried again.
    pub rejected: Option<&'q Rejections>,
    /// The image that a person let out.
    pub approved: Option<&'q Approved>,
    /// Each image waits for a person anyway.
    pub asks: bool,
    /// With a rule that promotes: the images that were live for long enough on the other service.
    pub promoted: [Option<&'q Digest>; 2],
    /// Images that no container of the service can be started from, with the reason.
    pub unfit: &'q BTreeMap<Digest, String>,
}

/// What a rule selects, seen from the image that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection<'a> {
    /// A newer image, or one that a person or a tag that moved asks for.
    Newer {
        /// The image.
        image: &'a Image,
        /// The tag by which it was selected.
        tag: String,
    },
    /// The image that runs.
    Current {
        /// The tag by which it was selected.
        tag: String,
    },
    /// An image that is older than the one that runs.
    Older {
        /// The tag by which it was selected.
        tag: String,
    },
    /// A newer image than the one that a person chose instead of it.
    Declined {
        /// The tag by which it was selected.
        tag: String,
    },
    /// Nothing but rejected images, and images that are older than one of them.
    Rejected {
        /// The newest of the latter: a person may let it out.
        older: Option<String>,
    },
    /// No image at all; the repository has, among others, these tags.
    NoMatch {
        /// Some of the repository's tags.
        seen: Vec<String>,
    },
    /// Images match, but none that a container of the service can be started from.
    Unfit {
        /// The tag of the newest.
        tag: String,
        /// What is wrong with it.
        why: String,
    },
    /// An image of which it cannot be told whether it is newer.
    CannotTell {
        /// The tag by which it was selected.
        tag: String,
    },
}
