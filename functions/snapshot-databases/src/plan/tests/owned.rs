//! Found by index or one by one: the same snapshots.

use std::collections::BTreeSet;

use rules::database::{Database, Kind, Snapshot};

use super::model::{copy, database, snapshot};
use crate::plan::owned::Owned;

const KINDS: [Kind; 2] = [Kind::Instance, Kind::Cluster];
const NAMES: [&str; 2] = ["a", "b"];
const IDS: [Option<&str>; 3] = [None, Some("db-a"), Some("db-b")];

fn databases() -> Vec<Database> {
    let of = |(kind, name, id): (Kind, &str, Option<&str>)| Database {
        kind,
        resource_id: id.map(str::to_owned),
        ..database(name, "days=30")
    };
    every().map(of).collect()
}

/// Taken in this region, and copied from another one.
fn snapshots() -> Vec<Snapshot> {
    let of = |(number, (kind, name, id)): (usize, (Kind, &str, Option<&str>))| {
        let mut taken = Snapshot { kind, ..snapshot(name, 1) };
        taken.database_resource_id = id.map(str::to_owned);
        let mut both = [copy(&taken), taken];
        both.iter_mut().for_each(|it| it.arn += &number.to_string());
        both
    };
    every().enumerate().flat_map(of).collect()
}

fn every() -> impl Iterator<Item = (Kind, &'static str, Option<&'static str>)> {
    let names = KINDS.into_iter().flat_map(|kind| NAMES.map(|name| (kind, name)));
    names.flat_map(|(kind, name)| IDS.map(|id| (kind, name, id)))
}

#[test]
fn a_database_finds_each_snapshot_that_it_owns_once_and_no_other() {
    let (databases, snapshots) = (databases(), snapshots());
    let owned = Owned::of_all(&snapshots);
    let mut by_any = BTreeSet::new();
    for database in &databases {
        let mut found: Vec<&str> = owned.by(database).map(|it| it.arn.as_str()).collect();
        found.sort_unstable();
        let mut expected: Vec<&str> =
            snapshots.iter().filter(|it| database.owns(it)).map(|it| it.arn.as_str()).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{database:?}");
        assert!(!found.is_empty());
        by_any.extend(found);
    }
    assert_eq!(owned.by_any(&databases).into_iter().collect::<BTreeSet<_>>(), by_any);
}
