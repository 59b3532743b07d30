//! Which snapshots a database has, without a look at all of them for each database.
//!
//! A thousand databases that each looked through their thousand snapshots were ten seconds of a full processor.

use std::collections::{BTreeMap, HashMap, HashSet};

use rules::database::{Database, Snapshot};
use rules::retention::Region;

use super::world::World;

/// The snapshots of a region, by the database that they are of.
#[derive(Debug, Default)]
pub struct Owned<'a> {
    by_resource: HashMap<&'a str, Vec<&'a Snapshot>>,
    by_name: HashMap<&'a str, Vec<&'a Snapshot>>,
}

impl<'a> Owned<'a> {
    pub fn of_all(snapshots: impl IntoIterator<Item = &'a Snapshot>) -> Self {
        let mut owned = Owned::default();
        for snapshot in snapshots {
            if let Some(id) = snapshot.resource_id_of_database() {
                owned.by_resource.entry(id).or_default().push(snapshot);
            }
            owned.by_name.entry(&snapshot.database).or_default().push(snapshot);
        }
        owned
    }

    /// Those that `database` owns.
    pub fn by(&self, database: &Database) -> impl Iterator<Item = &'a Snapshot> {
        let id = database.resource_id.as_deref();
        let by_resource = id.and_then(|it| self.by_resource.get(it)).into_iter().flatten();
        // Names count only where one of both has no id, and these are not among the others.
        let unsure = move |it: &&&Snapshot| id.is_none() || it.resource_id_of_database().is_none();
        let by_name = self.by_name.get(database.id.as_str()).into_iter().flatten().filter(unsure);
        by_resource.chain(by_name).copied().filter(|it| database.owns(it))
    }

    /// The ARNs of those that one of `databases` owns.
    pub fn by_any(&self, databases: &[Database]) -> HashSet<&'a str> {
        databases.iter().flat_map(|it| self.by(it)).map(|it| it.arn.as_str()).collect()
    }
}

/// What Nightshift made in the region of the function, and all that is in those that are copied to.
#[derive(Debug, Default)]
pub struct Shelves<'a> {
    pub here: Owned<'a>,
    there: BTreeMap<&'a Region, Owned<'a>>,
}

impl<'a> Shelves<'a> {
    pub fn of(world: &'a World) -> Self {
        let there = world.copies.iter().filter_map(|(region, it)| Some((region, Owned::of_all(it.as_ref().ok()?))));
        Shelves { here: Owned::of_all(world.snapshots.iter().filter(|it| it.is_ours())), there: there.collect() }
    }

    /// What `database` has in `region`.
    pub fn there(&self, region: &Region, database: &Database) -> Vec<&'a Snapshot> {
        self.there.get(region).into_iter().flat_map(|it| it.by(database)).collect()
    }
}
