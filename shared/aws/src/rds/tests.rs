use std::collections::BTreeMap;

use aws_sdk_rds::types as sdk;
use jiff::Timestamp;
use rules::database::{Database, Snapshot};
use rules::keys;
use testkit::scripted::{Answer, Call, HOME, Rds as Tables, Script};

use super::*;
use crate::{ErrorKind, moment};

fn rds<A: testkit::scripted::Tables + Send + 'static>(script: &Script<A>) -> Rds {
    Rds::new(&script.sdk(), None)
}

fn made_by(id: &str) -> String {
    rules::database::made_by("snapshot-databases", id, HOME)
}

#[tokio::test]
async fn every_page_is_read_and_only_what_is_wanted_is_kept() {
    let mut tables = Tables { page: 1, ..Tables::default() };
    for id in ["nightshift-a-2026-11-20", "by-hand", "nightshift-b-2026-11-20"] {
        tables.store(id, "kfood-db", "2026-11-20T03:00:00.125Z", &[(keys::MADE_BY, &made_by(id))]);
    }
    let script = Script::new(tables);
    let snapshots = list_snapshots(&rds(&script).query, Snapshot::is_ours).await.unwrap();
    let ids: Vec<&str> = snapshots.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["nightshift-a-2026-11-20", "nightshift-b-2026-11-20"]);
    assert!(snapshots[0].is_good());
    assert_eq!(snapshots[0].created_at, Some("2026-11-20T03:00:00.125Z".parse().unwrap()));
    assert_eq!((script.count("DescribeDBSnapshots"), script.count("DescribeDBClusterSnapshots")), (3, 1));
    let sent = &script.sent("DescribeDBSnapshots")[1];
    let fields = ["Version", "SnapshotType", "MaxRecords", "Marker"].map(|it| sent.text(it));
    assert_eq!(fields, ["2014-10-31", "manual", "100", "1"]);
    assert_eq!((sent.host.as_str(), sent.signed_for.as_str()), ("rds.ap-northeast-2.amazonaws.com", HOME));
}

/// One entry of each listing with every field that is read, in an order that is not that of the code, and some that are
/// not.
struct Full;

const INSTANCE: &str = "<DBInstance><AutomaticRestartTime>2026-11-28T03:00:00.250Z</AutomaticRestartTime>\
    <DBInstanceStatus>stopped</DBInstanceStatus><Endpoint><Address>app-1.x</Address><Port>5432</Port></Endpoint>\
    <DBSubnetGroup><Subnets><Subnet><SubnetStatus>Active</SubnetStatus></Subnet></Subnets></DBSubnetGroup>\
    <TagList><Tag><Key>nightshift:backup</Key><Value>days=30</Value></Tag><Tag><Value/><Key>a&amp;b </Key></Tag></TagList>\
    <DBClusterIdentifier>app</DBClusterIdentifier><InstanceCreateTime>2025-01-31T23:59:59.999Z</InstanceCreateTime>\
    <DbiResourceId>db-X</DbiResourceId><Engine>postgres</Engine><DBInstanceIdentifier>app-1</DBInstanceIdentifier>\
    <DBInstanceArn>arn:aws:rds:ap-northeast-2:123456789012:db:app-1</DBInstanceArn></DBInstance>\
    <DBInstance><DBInstanceIdentifier>without-arn</DBInstanceIdentifier></DBInstance>";

const CLUSTER: &str = "<DBCluster><DBClusterIdentifier>app</DBClusterIdentifier><Status>available</Status><Engine>aurora-mysql\
    </Engine><DBClusterMembers><DBClusterMember><DBInstanceIdentifier>app-2</DBInstanceIdentifier><IsClusterWriter>false\
    </IsClusterWriter></DBClusterMember><DBClusterMember><IsClusterWriter>true</IsClusterWriter><DBInstanceIdentifier>app-1\
    </DBInstanceIdentifier></DBClusterMember></DBClusterMembers><DbClusterResourceId>cluster-X</DbClusterResourceId>\
    <DBClusterArn>arn:aws:rds:ap-northeast-2:123456789012:cluster:app</DBClusterArn>\
    <ClusterCreateTime>2025-01-31T23:59:59Z</ClusterCreateTime><TagList/></DBCluster>";

const SNAPSHOT: &str = "<DBSnapshot><DBSnapshotIdentifier>s</DBSnapshotIdentifier><DBInstanceIdentifier>app-1\
    </DBInstanceIdentifier><SnapshotCreateTime>2026-11-21T03:00:00.5Z</SnapshotCreateTime><OriginalSnapshotCreateTime>\
    2026-11-20T03:00:00.75Z</OriginalSnapshotCreateTime><Encrypted>true</Encrypted><KmsKeyId>arn:aws:kms:r:1:key/1</KmsKeyId>\
    <PercentProgress>100</PercentProgress><SnapshotType>manual</SnapshotType><Status>available</Status>\
    <OptionGroupName>audit</OptionGroupName><DbiResourceId>db-X</DbiResourceId><Engine>postgres</Engine>\
    <DBSnapshotArn>arn:aws:rds:ap-northeast-2:123456789012:snapshot:s</DBSnapshotArn>\
    <TagList><Tag><Key>team</Key><Value>food</Value></Tag></TagList></DBSnapshot>\
    <DBSnapshot><DBSnapshotIdentifier>rds:app-1-2026-11-21</DBSnapshotIdentifier><DBSnapshotArn>arn:2</DBSnapshotArn>\
    <DBInstanceIdentifier>app-1</DBInstanceIdentifier><SnapshotType>automated</SnapshotType></DBSnapshot>";

const CLUSTER_SNAPSHOT: &str = "<DBClusterSnapshot><DBClusterSnapshotIdentifier>c</DBClusterSnapshotIdentifier>\
    <DBClusterIdentifier>app</DBClusterIdentifier><SnapshotCreateTime>2026-11-21T03:00:00Z</SnapshotCreateTime>\
    <StorageEncrypted>true</StorageEncrypted><KmsKeyId/><PercentProgress>50</PercentProgress><SnapshotType>manual\
    </SnapshotType><Status>creating</Status><DbClusterResourceId>cluster-X</DbClusterResourceId><Engine>aurora-mysql</Engine>\
    <DBClusterSnapshotArn>arn:aws:rds:ap-northeast-2:123456789012:cluster-snapshot:c</DBClusterSnapshotArn>\
    </DBClusterSnapshot>";

impl testkit::scripted::Tables for Full {
    fn answer(&mut self, call: &Call) -> Answer {
        let (list, entries) = match call.operation.as_str() {
            "DescribeDBInstances" => ("DBInstances", INSTANCE),
            "DescribeDBClusters" => ("DBClusters", CLUSTER),
            "DescribeDBSnapshots" => ("DBSnapshots", SNAPSHOT),
            "DescribeDBClusterSnapshots" => ("DBClusterSnapshots", CLUSTER_SNAPSHOT),
            other => panic!("the script knows no {other}"),
        };
        Answer::Xml(format!("<Marker/><{list}>{entries}</{list}>"))
    }
}

fn tags(tags: &[sdk::Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|it| (it.key().unwrap_or_default().into(), it.value().unwrap_or_default().into())).collect()
}

fn text(it: Option<&str>) -> Option<String> {
    it.filter(|it| !it.is_empty()).map(str::to_owned)
}

/// The typed client reads every field where the model of RDS says that it is.
#[tokio::test]
async fn what_is_read_of_a_database_is_what_the_typed_client_of_the_sdk_reads() {
    let script = Script::new(Full);
    let rds = rds(&script);
    let found = list_databases_with(&rds.query, created, created).await.unwrap();
    let answer = rds.client.describe_db_instances().send().await.unwrap();
    let it = &answer.db_instances()[0];
    let instance = Database {
        kind: Kind::Instance,
        id: it.db_instance_identifier().unwrap().into(),
        arn: it.db_instance_arn().unwrap().into(),
        resource_id: text(it.dbi_resource_id()),
        status: it.db_instance_status().unwrap().into(),
        engine: it.engine().unwrap().into(),
        member_of: text(it.db_cluster_identifier()),
        restarts_at: it.automatic_restart_time().and_then(moment),
        tags: tags(it.tag_list()),
    };
    let created_at = it.instance_create_time().and_then(moment);
    assert!(instance.restarts_at.is_some() && created_at.is_some() && instance.tags.contains_key("a&b "));
    let answer = rds.client.describe_db_clusters().send().await.unwrap();
    let it = &answer.db_clusters()[0];
    let cluster = Database {
        kind: Kind::Cluster,
        id: it.db_cluster_identifier().unwrap().into(),
        arn: it.db_cluster_arn().unwrap().into(),
        resource_id: text(it.db_cluster_resource_id()),
        status: it.status().unwrap().into(),
        engine: it.engine().unwrap().trim().into(),
        member_of: None,
        restarts_at: None,
        tags: BTreeMap::new(),
    };
    assert_eq!(found, [(instance, created_at), (cluster, it.cluster_create_time().and_then(moment))]);
}

#[tokio::test]
async fn what_is_read_of_a_snapshot_is_what_the_typed_client_of_the_sdk_reads() {
    let script = Script::new(Full);
    let rds = rds(&script);
    let found = list_snapshots(&rds.query, |_| true).await.unwrap();
    let answer = rds.client.describe_db_snapshots().send().await.unwrap();
    let it = &answer.db_snapshots()[0];
    let of_instance = Snapshot {
        kind: Kind::Instance,
        id: it.db_snapshot_identifier().unwrap().into(),
        arn: it.db_snapshot_arn().unwrap().into(),
        database: it.db_instance_identifier().unwrap().trim().into(),
        database_resource_id: text(it.dbi_resource_id()),
        status: it.status().unwrap().into(),
        progress: it.percent_progress(),
        created_at: Some("2026-11-20T03:00:00.75Z".parse().unwrap()),
        engine: it.engine().unwrap().into(),
        encrypted: it.encrypted().unwrap(),
        key: text(it.kms_key_id()),
        option_group: text(it.option_group_name()),
        tags: tags(it.tag_list()),
    };
    let answer = rds.client.describe_db_cluster_snapshots().send().await.unwrap();
    let it = &answer.db_cluster_snapshots()[0];
    let of_cluster = Snapshot {
        kind: Kind::Cluster,
        id: it.db_cluster_snapshot_identifier().unwrap().into(),
        arn: it.db_cluster_snapshot_arn().unwrap().into(),
        database: it.db_cluster_identifier().unwrap().into(),
        database_resource_id: text(it.db_cluster_resource_id()),
        status: it.status().unwrap().into(),
        progress: it.percent_progress(),
        created_at: it.snapshot_create_time().and_then(moment),
        engine: it.engine().unwrap().into(),
        encrypted: it.storage_encrypted().unwrap(),
        key: None,
        option_group: None,
        tags: BTreeMap::new(),
    };
    assert!(of_instance.encrypted && of_cluster.encrypted && of_cluster.created_at.is_some());
    assert_eq!(found, [of_instance, of_cluster]);

    let automated = list_automated_snapshots(&rds.query, Kind::Instance, "app-1").await.unwrap();
    assert_eq!(automated.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["rds:app-1-2026-11-21"]);
    let sent = script.sent("DescribeDBSnapshots").pop().unwrap();
    assert_eq!((sent.text("SnapshotType"), sent.text("DBInstanceIdentifier")), ("automated", "app-1"));
}

#[tokio::test]
async fn the_writer_of_a_cluster_is_the_member_that_says_so() {
    let writer = |name: &str, it: &mut crate::query::Element<'_, '_>, found: &mut Option<String>| {
        if name == "DBClusterMembers" {
            *found = writer_of_members(it);
        }
    };
    let found = find_databases_with(&rds(&Script::new(Full)).query, "app", |_, _, _| (), writer).await.unwrap();
    assert_eq!(found.into_iter().map(|(_, writer)| writer).collect::<Vec<_>>(), [None, Some("app-1".into())]);
}

#[tokio::test]
async fn what_is_looked_for_by_its_name_need_not_exist() {
    let mut tables = Tables::default();
    tables.serve("app", &[(keys::BACKUP, "days=30")]).status = "stopped".into();
    let rds = rds(&Script::new(tables));
    let found = find_databases(&rds.query, "app").await.unwrap();
    assert_eq!((found.len(), found[0].is_asleep(), found[0].tags[keys::BACKUP].as_str()), (1, true, "days=30"));
    assert_eq!(find_databases(&rds.query, "other").await, Ok(Vec::new()));
    for kind in [Kind::Instance, Kind::Cluster] {
        assert_eq!(find_snapshot(&rds.query, kind, "nightshift-app").await, Ok(None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_page_is_asked_for_again_and_a_denied_one_is_an_error() {
    let script = Script::new(Tables::default());
    script.refuse("DescribeDBSnapshots", "", 3, 400, "Throttling");
    assert_eq!(list_snapshots(&rds(&script).query, |_| true).await, Ok(Vec::new()));
    assert_eq!(script.count("DescribeDBSnapshots"), 4);

    script.refuse("DescribeDBSnapshots", "", 1, 403, "AccessDenied");
    let error = list_snapshots(&rds(&script).query, |_| true).await.unwrap_err();
    assert!(error.is_denied());
    assert_eq!(error.to_string(), "DescribeDBSnapshots all: AccessDenied: refused by the script");
}

/// Reads and writes draw on one limit of the account.
#[tokio::test(start_paused = true)]
async fn reads_and_writes_share_a_pace() {
    let mut tables = Tables::default();
    let arn = tables.serve("app", &[]).arn();
    let script = Script::new(tables);
    let (rds, other) = (rds(&script), rds(&script));
    let now = tokio::time::Instant::now();
    for _ in 0..4 {
        rds.query.action("DescribeDBInstances").perform("all", Some(now)).await.unwrap();
    }
    let late = write_tag(&rds, &arn, "k", Some("v"), Some(now)).await.unwrap_err();
    assert!(late.is_not_now(), "{late}");
    write_tag(&other, &arn, "k", Some("v"), Some(now)).await.unwrap();
}

/// Databases that are not in a cut answer would be without a snapshot, and theirs would seem to be those of none.
#[tokio::test]
async fn an_answer_that_is_not_a_whole_listing_is_an_error() {
    struct Broken(&'static str);
    impl testkit::scripted::Tables for Broken {
        fn answer(&mut self, _: &Call) -> Answer {
            Answer::Body(self.0.into())
        }
    }
    for body in [
        "",
        "<html><body>sign in</body></html>",
        "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance>",
        "<DescribeDBClustersResponse><DescribeDBClustersResult/></DescribeDBClustersResponse>",
    ] {
        let error = list_databases(&rds(&Script::new(Broken(body))).query).await.unwrap_err();
        assert_eq!((error.operation, error.code.as_str()), ("DescribeDBInstances", "UnexpectedAnswer"), "{body}");
    }
}

#[tokio::test]
async fn events_are_those_of_two_weeks_of_one_source() {
    let mut tables = Tables::default();
    let told = ("2026-11-21T03:00:00.123Z".to_owned(), "DB instance stopped".to_owned());
    tables.events.insert("app".into(), vec![told, ("soon".into(), "x".into())]);
    let script = Script::new(tables);
    let events = list_rds_events(&rds(&script).query, "db-instance", "app", None).await.unwrap();
    let at: Timestamp = "2026-11-21T03:00:00.123Z".parse().unwrap();
    assert_eq!(events, [(at, "DB instance stopped".to_owned())]);
    let sent = script.sent("DescribeEvents").remove(0);
    assert_eq!((sent.text("SourceType"), sent.text("Duration")), ("db-instance", "20160"));
}

#[tokio::test]
async fn deleting_what_is_gone_is_not_an_error_and_what_is_refused_is_told() {
    let mut tables = Tables::default();
    tables.store("nightshift-a", "app", "2026-11-20T03:00:00Z", &[]);
    let script = Script::new(tables);
    let rds = rds(&script);
    script.refuse("DeleteDBSnapshot", "", 1, 400, "InvalidDBSnapshotState");
    let error = delete_snapshot(&rds, Kind::Instance, "nightshift-a", None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Problem("busy-snapshot"));
    let told = "DeleteDBSnapshot nightshift-a: InvalidDBSnapshotState: refused by the script; ";
    assert!(error.message.starts_with(told), "{error}");
    assert_eq!(delete_snapshot(&rds, Kind::Instance, "nightshift-a", None).await, Ok(true));
    for kind in [Kind::Instance, Kind::Cluster] {
        assert_eq!(delete_snapshot(&rds, kind, "nightshift-a", None).await, Ok(false));
    }
}
