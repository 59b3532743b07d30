//! What a service remembers about its deployments, read from its tags.

use jiff::Timestamp;
use rules::keys::DeployKeys;
use rules::memory::{Approved, Migrated, RollbackIntent, Shifted, Verdict};
use rules::migrating::Migrating;
use rules::rejections::{Cleared, Rejections};
use rules::soak::Soak;
use rules::{BadTag, Digest, keys};

use super::world::Service;

#[derive(Debug, Clone, Default)]
pub struct Memory {
    pub rejected: Option<Rejections>,
    pub cleared: Cleared,
    pub approved: Option<Approved>,
    pub verdict: Option<Verdict>,
    /// The image of which people were told that all traffic is on it; a verdict takes its place.
    pub shifted: Option<Shifted>,
    pub migrated: Option<Migrated>,
    /// The migration that was started, as long as its end is not known.
    pub migrating: Option<Migrating>,
    /// How long the image of the service that it promotes from has been live there.
    pub soak: Option<Soak>,
    /// Another function's request to roll back.
    pub rollback: Option<RollbackIntent>,
}

impl Memory {
    /// Reads what `service` remembers for one of its tags.
    pub fn read(service: &Service, keys: &'static DeployKeys) -> Result<Self, BadTag> {
        fn read<T: std::str::FromStr<Err = BadTag>>(service: &Service, key: &'static str) -> Result<Option<T>, BadTag> {
            service.tags.get(key).map(|it| it.parse()).transpose().map_err(|it| BadTag { key, ..it })
        }
        // What concerns the service as a whole belongs to the first tag.
        let first = keys.rule == keys::DEPLOY;
        let shifted = service.tags.get(keys.verdict).and_then(|it| Shifted::read(it));
        Ok(Memory {
            rejected: read(service, keys.rejected)?,
            cleared: read(service, keys.cleared)?.unwrap_or_default(),
            approved: read(service, keys.approved)?,
            verdict: if shifted.is_some() { None } else { read(service, keys.verdict)? },
            shifted,
            soak: read(service, keys.soak)?,
            migrated: read(service, keys::MIGRATED)?,
            migrating: read(service, keys::MIGRATING)?,
            rollback: if first { read(service, keys::ROLLBACK)? } else { None },
        })
    }

    /// When a person forgave this image whatever was known against it.
    pub fn forgiven_at(&self, digest: &Digest) -> Option<Timestamp> {
        let earlier_version = self.approved.as_ref().filter(|it| it.digest == *digest && it.cleared).map(|it| it.at);
        self.cleared.at(digest).max(earlier_version)
    }

    pub fn rejects(&self, digest: &Digest) -> bool {
        self.rejected.as_ref().is_some_and(|it| it.covers(digest))
    }
}
