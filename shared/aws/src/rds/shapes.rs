//! Databases and snapshots in RDS's XML, as `rds/2014-10-31` of the SDKs' models describes it.
//!
//! A field that is missing is left empty. An entry without a name or an ARN is skipped: it could not be acted on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rules::database::{Database, Kind, Snapshot};

use super::{AUTOMATED, MANUAL};
use crate::query::Element;

/// Reads a field that the listing of databases itself has no use for.
pub type Field<T> = fn(&str, &mut Element<'_, '_>, &mut T);

/// When a database was created; AWS leaves it out while one is `creating`.
pub fn created(name: &str, it: &mut Element<'_, '_>, at: &mut Option<Timestamp>) {
    if let "InstanceCreateTime" | "ClusterCreateTime" = name {
        *at = it.parsed();
    }
}

/// The member that takes writes, of the `DBClusterMembers` of a cluster.
pub fn writer_of_members(members: &mut Element<'_, '_>) -> Option<String> {
    let mut writer = None;
    members.each(|_, it| {
        let (mut id, mut writes) = (None, false);
        it.each(|name, it| match name {
            "DBInstanceIdentifier" => id = it.filled(),
            "IsClusterWriter" => writes = it.parsed() == Some(true),
            _ => {}
        });
        if writes && writer.is_none() {
            writer = id;
        }
    });
    writer
}

pub(super) fn database<T: Default>(kind: Kind, it: &mut Element<'_, '_>, also: Field<T>) -> Option<(Database, T)> {
    let mut more = T::default();
    let mut database = Database {
        kind,
        id: String::new(),
        arn: String::new(),
        resource_id: None,
        status: String::new(),
        engine: String::new(),
        member_of: None,
        restarts_at: None,
        tags: BTreeMap::new(),
    };
    it.each(|name, it| match (name, kind) {
        ("DBInstanceIdentifier", Kind::Instance) | ("DBClusterIdentifier", Kind::Cluster) => database.id = it.text(),
        ("DBClusterIdentifier", Kind::Instance) => database.member_of = it.filled(),
        ("DBInstanceArn", Kind::Instance) | ("DBClusterArn", Kind::Cluster) => database.arn = it.text(),
        ("DbiResourceId", Kind::Instance) | ("DbClusterResourceId", Kind::Cluster) => {
            database.resource_id = it.filled()
        }
        ("DBInstanceStatus", Kind::Instance) | ("Status", Kind::Cluster) => database.status = it.text(),
        ("Engine", _) => database.engine = it.text(),
        ("AutomaticRestartTime", _) => database.restarts_at = it.parsed(),
        ("TagList", _) => database.tags = tags(it),
        _ => also(name, it, &mut more),
    });
    let is_named = !database.id.is_empty() && !database.arn.is_empty();
    is_named.then_some((database, more))
}

/// A snapshot of another type, should AWS list one, is skipped: Nightshift takes manual ones only.
pub(super) fn manual_snapshot(kind: Kind, it: &mut Element<'_, '_>) -> Option<Snapshot> {
    let (snapshot, type_) = snapshot(kind, it)?;
    type_.is_none_or(|it| it == MANUAL).then_some(snapshot)
}

pub(super) fn automated_snapshot(kind: Kind, it: &mut Element<'_, '_>) -> Option<Snapshot> {
    let (snapshot, type_) = snapshot(kind, it)?;
    (type_.as_deref() == Some(AUTOMATED)).then_some(snapshot)
}

/// A snapshot and its type.
fn snapshot(kind: Kind, it: &mut Element<'_, '_>) -> Option<(Snapshot, Option<String>)> {
    let (mut type_, mut taken) = (None, None);
    let mut snapshot = Snapshot {
        kind,
        id: String::new(),
        arn: String::new(),
        database: String::new(),
        database_resource_id: None,
        status: String::new(),
        progress: None,
        created_at: None,
        engine: String::new(),
        encrypted: false,
        key: None,
        option_group: None,
        tags: BTreeMap::new(),
    };
    it.each(|name, it| match (name, kind) {
        ("DBSnapshotIdentifier", Kind::Instance) | ("DBClusterSnapshotIdentifier", Kind::Cluster) => {
            snapshot.id = it.text();
        }
        ("DBSnapshotArn", Kind::Instance) | ("DBClusterSnapshotArn", Kind::Cluster) => snapshot.arn = it.text(),
        ("DBInstanceIdentifier", Kind::Instance) | ("DBClusterIdentifier", Kind::Cluster) => {
            snapshot.database = it.text();
        }
        ("DbiResourceId", Kind::Instance) | ("DbClusterResourceId", Kind::Cluster) => {
            snapshot.database_resource_id = it.filled();
        }
        ("Encrypted", Kind::Instance) | ("StorageEncrypted", Kind::Cluster) => {
            snapshot.encrypted = it.parsed().unwrap_or_default();
        }
        ("OptionGroupName", Kind::Instance) => {
            snapshot.option_group = it.filled().filter(|it| !it.starts_with("default:"));
        }
        ("Status", _) => snapshot.status = it.text(),
        ("PercentProgress", _) => snapshot.progress = it.parsed(),
        ("SnapshotCreateTime", _) => snapshot.created_at = it.parsed(),
        // That of a copy is when it was copied; this one stays.
        ("OriginalSnapshotCreateTime", _) => taken = it.parsed(),
        ("Engine", _) => snapshot.engine = it.text(),
        ("KmsKeyId", _) => snapshot.key = it.filled(),
        ("SnapshotType", _) => type_ = it.filled(),
        ("TagList", _) => snapshot.tags = tags(it),
        _ => {}
    });
    snapshot.created_at = taken.or(snapshot.created_at);
    let is_named = ![&snapshot.id, &snapshot.arn, &snapshot.database].into_iter().any(String::is_empty);
    is_named.then_some((snapshot, type_))
}

fn tags(list: &mut Element<'_, '_>) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    list.each(|_, it| {
        let (mut key, mut value) = (String::new(), String::new());
        it.each(|name, it| match name {
            "Key" => key = it.whole_text(),
            "Value" => value = it.whole_text(),
            _ => {}
        });
        tags.insert(key, value);
    });
    tags
}
