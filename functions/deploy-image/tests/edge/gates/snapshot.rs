//! The snapshot before a deployment: asked for, waited for, and what RDS says of it.

use serde_json::{Value, json};

use crate::aws::{Script, digest};
use crate::{push_event, shop, told};

const ID: &str = "nightshift-predeploy-app-db-000000000000";

fn snapshots(kind: &str, status: &str) -> String {
    let (operation, element) = if kind == "DB" {
        ("DescribeDBSnapshots", "DBSnapshot")
    } else {
        ("DescribeDBClusterSnapshots", "DBClusterSnapshot")
    };
    let arn = if kind == "DB" { "snapshot" } else { "cluster-snapshot" };
    let of = if kind == "DB" { "DBInstanceIdentifier" } else { "DBClusterIdentifier" };
    format!(
        "<{operation}Response><{operation}Result><{element}s><{element}><{element}Identifier>{ID}</{element}Identifier>\
         <{element}Arn>arn:aws:rds:ap-northeast-2:123456789012:{arn}:{ID}</{element}Arn><{of}>app-db</{of}>\
         <Status>{status}</Status><SnapshotType>manual</SnapshotType><TagList><Tag><Key>nightshift-state:made-by</Key>\
         <Value>snapshot-databases</Value></Tag></TagList></{element}></{element}s></{operation}Result></{operation}Response>"
    )
}

fn instance() -> String {
    "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance>\
     <DBInstanceIdentifier>app-db</DBInstanceIdentifier><DBInstanceArn>arn:aws:rds:ap-northeast-2:123456789012:db:app-db</DBInstanceArn>\
     <DBInstanceStatus>available</DBInstanceStatus><TagList><Tag><Key>nightshift:backup</Key><Value>days=30</Value></Tag></TagList>\
     </DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"
        .into()
}

fn available_event() -> Value {
    json!({"version": "0", "source": "aws.rds", "detail-type": "RDS DB Snapshot Event", "resources": [],
           "detail": {"EventID": "RDS-EVENT-0042", "SourceIdentifier": ID}})
}

#[tokio::test]
async fn the_snapshot_is_asked_of_its_function_and_opens_the_gate_by_its_event() {
    for kind in ["DB", "DBCluster"] {
        let script = Script::new();
        shop(&script, "newest snapshot=app-db");
        script.push("web", "v1.0.0", 1, 1);
        script.serve("shop/web", "newest snapshot=other-db", ":v1.0.0");
        script.aws().databases.insert("DescribeDBInstances", instance());
        let report = script.invoke(push_event("api")).await.unwrap();
        assert!(told(&report).contains(&"api ask-for-snapshot Done".to_owned()), "{:?}", told(&report));
        let request = json!({"snapshot": {"database": "app-db", "image": digest(2)}});
        let sent = json!({"function": "nightshift-snapshot-databases", "type": "Event", "payload": request});
        assert_eq!(script.sent("Invoke"), [sent]);
        assert_eq!(script.count("Publish"), 0, "whoever takes it tells of it");

        let operation = if kind == "DB" { "DescribeDBSnapshots" } else { "DescribeDBClusterSnapshots" };
        script.aws().databases.insert(operation, snapshots(kind, "creating"));
        let report = script.invoke(json!({})).await.unwrap();
        assert!(told(&report)[0].starts_with("api skipped: v1.1.0 waits for the snapshot "), "{:?}", told(&report));
        script.aws().databases.insert(operation, snapshots(kind, "available"));
        let report = script.invoke(available_event()).await.unwrap();
        assert_eq!(told(&report), ["api deploy Done"], "web waits for nothing of this name");
        assert_eq!(script.count("Invoke"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_told_and_nothing_goes_out() {
    let script = Script::new();
    shop(&script, "newest snapshot=app-db");
    let held = told(&script.invoke(push_event("api")).await.unwrap());
    assert!(held[0].starts_with("api no-database: v1.1.0 is not deployed: there is no database app-db"), "{held:?}");
    script.aws().databases.insert("DescribeDBInstances", instance());
    script.fail("Invoke", "app-db", 1, 403, "AccessDeniedException");
    let denied = told(&script.invoke(push_event("api")).await.unwrap());
    assert!(denied.iter().any(|it| it.starts_with("api denied: Invoke nightshift-snapshot-databases: ")), "{denied:?}");
    script.aws().databases.insert("DescribeDBSnapshots", snapshots("DB", "failed"));
    let held = told(&script.invoke(push_event("api")).await.unwrap());
    assert!(held[0].starts_with("api snapshot-failed: "), "{held:?}");
    assert_eq!(script.count("UpdateService"), 0);
}
