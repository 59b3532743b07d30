//! One bucket that is copied: what there is of it.

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::{Trouble, when};
use rules::bucket::{BucketRule, Copies, Destination as Folders};
use rules::keys;

use super::step::Place;
use super::world::{Bucket, Destination, Folder, Marker, State, World};

/// A bucket with a rule that can be carried out, and its copies.
pub struct Case<'a> {
    pub bucket: &'a Bucket,
    pub rule: Copies,
    pub destination: &'a Destination,
    pub role: &'a str,
    pub world: &'a World,
    pub now: &'a Zoned,
}

pub const NO_ROLE: &str = "the stack has no role for copies: name the bucket in its parameter BackupBuckets";

/// The rule of a bucket, or why it cannot be carried out.
pub fn rule(bucket: &Bucket, world: &World) -> Result<BucketRule, Trouble> {
    let rule = read(bucket)?;
    if !world.setup.sources.contains(&bucket.arn) {
        return Err(missing(&bucket.arn, "BackupBuckets"));
    }
    let BucketRule::Copies(copies) = &rule else { return Ok(rule) };
    may_write(bucket, &copies.to, &copies.prefix, world)?;
    let others = world.buckets.iter().filter(|it| it.name != bucket.name);
    let copied = |it: &Bucket| if let Ok(BucketRule::Copies(it)) = read(it) { Some(it) } else { None };
    let shared = others.filter_map(|it| Some((it, copied(it)?))).find(|(_, it)| it.to.overlaps(&copies.to));
    if let Some((other, _)) = shared {
        return Err(Trouble::new(
            "same-destination",
            format!("{} is copied there too: give each bucket a folder of its own in to=", other.name),
        ));
    }
    Ok(rule)
}

/// The same of a bucket that is copied each night; none where it is not.
pub fn copied(bucket: &Bucket, world: &World) -> Option<Copies> {
    if let Ok(BucketRule::Copies(it)) = rule(bucket, world) { Some(it) } else { None }
}

/// Why no object of `bucket` whose key begins with `prefix` may be written to `to`.
pub fn may_write(bucket: &Bucket, to: &Folders, prefix: &str, world: &World) -> Result<(), Trouble> {
    // Buckets of one partition only can be copied to each other.
    let target = bucket.arn.replace(&bucket.name, &to.bucket);
    if !world.setup.targets.contains(&target) {
        return Err(missing(&target, "BackupTargets"));
    }
    if to.bucket == bucket.name && format!("{}/", to.prefix).starts_with(prefix) {
        let wrong = "the copies would lie among the objects that are copied, and be copied again each night";
        return Err(Trouble::new(
            "inside-itself",
            format!("{wrong}: let to= name another bucket, or prefix= the objects that are meant"),
        ));
    }
    Ok(())
}

fn missing(arn: &str, parameter: &str) -> Trouble {
    Trouble::new("not-allowed", format!("{arn} is not in the parameter {parameter} of the stack: add it there"))
}

fn read(bucket: &Bucket) -> Result<BucketRule, Trouble> {
    let value = bucket.tags.get(keys::BACKUP).map(String::as_str).unwrap_or_default();
    value.parse().map_err(|it| Trouble::new("bad-tag", it))
}

impl<'a> Case<'a> {
    pub fn new(bucket: &'a Bucket, rule: Copies, world: &'a World, now: &'a Zoned) -> Result<Self, Trouble> {
        let Some(role) = &world.setup.role else { return Err(Trouble::new("not-allowed", NO_ROLE)) };
        match world.destinations.get(&bucket.name) {
            Some(Ok(destination)) => Ok(Case { bucket, rule, destination, role, world, now }),
            Some(Err(why)) => Err(Trouble::new("unreadable", format!("s3://{} cannot be read: {why}", rule.to))),
            None => Err(Trouble::new("unreadable", format!("s3://{} was not read", rule.to))),
        }
    }

    /// The folders that carry our marker about this bucket.
    pub fn copies(&self) -> impl Iterator<Item = (&'a Folder, &'a Marker)> {
        let ours = self.destination.folders.iter().filter_map(|it| Some((it, it.marker.as_ref()?)));
        ours.filter(|(_, marker)| marker.source == self.bucket.name)
    }

    /// The copies that can be restored from.
    pub fn good(&self) -> impl Iterator<Item = (&'a Folder, &'a Marker)> {
        self.copies().filter(|(_, it)| it.state == State::Complete)
    }

    pub fn newest_good(&self) -> Option<Timestamp> {
        self.good().map(|(_, it)| it.moment).max()
    }

    pub fn place(&self, folder: &Folder) -> Place {
        Place { region: self.destination.region.clone(), to: self.rule.to.clone(), name: folder.date.to_string() }
    }

    pub fn since(&self, moment: Timestamp) -> SignedDuration {
        self.now.timestamp().duration_since(moment)
    }

    /// How many hours old the newest good copy is, or the first attempt if there is none.
    pub fn age(&self) -> Option<f64> {
        let first = || self.copies().map(|(_, it)| it.moment).min();
        Some(self.since(self.newest_good().or_else(first)?).as_secs_f64().max(0.0) / 3600.0)
    }

    pub fn state(&self) -> String {
        match self.newest_good() {
            Some(newest) => {
                format!("its newest copy is of {}; there are {}", when(newest, self.now), self.good().count())
            }
            None => format!("it has no copy yet; it is copied from {} on", self.world.setup.at.strftime("%H:%M")),
        }
    }
}
