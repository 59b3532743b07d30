//! Which images no container of a service can be started from: those for another processor, and build caches.

use std::collections::BTreeMap;

use choose::kind::{Index, Kind, Platform};
use jiff::SignedDuration;
use rules::Digest;

use super::case::Case;
use super::world::{Fact, Image, Observation};

/// The list of a multi-platform image is pushed right after its parts.
const PUSHED_TOGETHER: SignedDuration = SignedDuration::from_hours(24);

/// BatchGetImage takes a hundred; the nearest are enough to find the list that a part belongs to.
const INDEXES: usize = 20;

impl Case<'_> {
    /// What has to be known before `image` is deployed: an index lists the platforms that it is for, and an image of one
    /// platform may be a part of an index. Where the repository has no index, nothing has to be read.
    pub fn wanted_indexes(&self, image: &Image) -> Option<Fact> {
        let repository = self.repository.clone();
        let distance = |it: &Image| it.pushed_at.duration_since(image.pushed_at).abs();
        let mut near: Vec<&Image> = match image.kind() {
            Kind::Index => vec![image],
            _ => self.images.iter().filter(|it| it.kind() == Kind::Index && distance(it) < PUSHED_TOGETHER).collect(),
        };
        near.sort_by_key(|it| (distance(it), &it.digest));
        near.truncate(INDEXES);
        let digests: std::collections::BTreeSet<Digest> = near.into_iter().map(|it| it.digest.clone()).collect();
        (!digests.is_empty()).then_some(Fact::Indexes { repository, digests })
    }

    /// The images of the repository that no container of the service can be started from, as far as that is known.
    pub fn find_unfit(&self) -> BTreeMap<Digest, String> {
        let platform = self.revision.platform();
        let mut unfit = BTreeMap::new();
        for image in self.images.iter().filter(|it| it.kind() == Kind::Single) {
            let named: Vec<&str> = image.tags.iter().filter_map(|it| Platform::processor_of_tag(it)).collect();
            if let Some(other) = named.first().filter(|_| !named.contains(&platform.processor.as_str())) {
                unfit.insert(
                    image.digest.clone(),
                    format!("its tag says that it is for {other}, and tasks run on {platform}"),
                );
            }
        }
        for index in self.known_indexes() {
            let (digest, index) = index;
            if index.is_cache {
                unfit.insert(digest.clone(), "it is a build cache".into());
            } else if !index.suits(&platform) {
                let platforms: Vec<String> = index.images.iter().map(|(_, it)| it.to_string()).collect();
                let why =
                    format!("it is for {}, and tasks run on {platform} (runtimePlatform)", platforms.join(" and "));
                unfit.insert(digest.clone(), why);
            }
            let label = self.label(digest);
            for (part, other) in &index.images {
                if *other != platform {
                    unfit.insert(
                        part.clone(),
                        format!("it is the part of {label} for {other}, and tasks run on {platform}"),
                    );
                }
            }
        }
        unfit
    }

    fn known_indexes(&self) -> impl Iterator<Item = (&Digest, &Index)> {
        let of_repository = self.all_facts().filter_map(|(fact, observation)| match (fact, observation) {
            (Fact::Indexes { repository, .. }, Observation::Indexes(it)) if *repository == self.repository => Some(it),
            _ => None,
        });
        of_repository.flatten()
    }
}
