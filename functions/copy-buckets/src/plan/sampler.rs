//! Chooses the objects that a drill compares: as many as asked for, by a hash of the bucket, the copy and the
//! key alone. So every object has the same chance, and it does not matter in how many runs the list is read.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::pick::Version;
use super::world::{Chosen, Current, Marker, Sample};

/// What chooses.
pub struct Sampler {
    /// When the copy was begun.
    moment: Timestamp,
    /// When it was found to be whole.
    ended: Timestamp,
    seed: String,
    size: usize,
}

impl Sampler {
    /// For the copy that `marker` tells of, which was not ended later than `now`.
    pub fn new(marker: &Marker, size: usize, now: Timestamp) -> Self {
        let seed = format!("{} {} ", marker.source, marker.moment);
        Sampler { moment: marker.moment, ended: marker.ended.unwrap_or(now), seed, size }
    }

    /// Takes the next version into account; they come as S3 lists them, key by key, the newest of each first.
    pub fn add(&self, sample: &mut Sample, version: &Version) {
        let is_first = sample.current.as_ref().is_none_or(|it| it.key != version.key);
        if is_first {
            sample.current = Some(Current { key: version.key.clone(), later: None, is_decided: false });
        }
        let Some(current) = sample.current.as_mut().filter(|it| !it.is_decided) else { return };
        if version.at > self.moment {
            current.later = Some(version.at);
            return;
        }
        current.is_decided = true;
        let later = current.later;
        match later {
            _ if version.is_deletion => {}
            Some(later) if later <= self.ended => sample.changed += 1,
            _ => {
                sample.objects += 1;
                self.draw(sample, version, is_first);
            }
        }
    }

    fn draw(&self, sample: &mut Sample, version: &Version, is_newest: bool) {
        let digest = Sha256::digest(format!("{}{}", self.seed, version.key).as_bytes());
        let draw = digest.iter().take(8).fold(0, |sum, it| (sum << 8) | u64::from(*it));
        // What was written before versioning was enabled is called null, as is everything where it never was.
        let version_id = (version.id != "null" || !is_newest).then(|| version.id.clone());
        let Version { key, size, etag, .. } = version.clone();
        let chosen = Chosen { draw, key, version: version_id, size, etag };
        let place = sample.chosen.binary_search(&chosen).unwrap_or_else(|it| it);
        sample.chosen.insert(place, chosen);
        sample.chosen.truncate(self.size);
    }
}
