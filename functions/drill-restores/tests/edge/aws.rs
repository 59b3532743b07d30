//! An RDS and an ECS with one shop, byte for byte.

use std::collections::BTreeMap;

use serde_json::json;
use testkit::scripted::{Answer, Call, HOME, Tables};

/// The tag that only a copy of a snapshot has.
pub const COPY_OF: &str = "nightshift-state:copy-of";

pub const DRILL: &str = "nightshift-drill-kfood-db-2026-12-01";

/// The snapshot that RDS took by itself.
pub const AUTOMATED: &str = "rds:kfood-db-2026-11-30-17-05";

/// A DB instance or DB cluster.
#[derive(Clone)]
pub struct Database {
    pub region: String,
    pub cluster: bool,
    pub id: String,
    pub status: String,
    pub member_of: Option<String>,
    pub created: String,
    pub loading: bool,
    pub tags: BTreeMap<String, String>,
}

pub struct Aws {
    pub databases: Vec<Database>,
    /// Clusters have cluster snapshots of the same names.
    pub snapshots: Vec<(String, BTreeMap<String, String>)>,
    /// How the check ends.
    pub exit_code: Option<i32>,
    pub task_stopped: bool,
    /// A region in which everything is denied.
    pub denied: &'static str,
}

pub fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

impl Aws {
    /// One database with this tag, and its snapshot of the night.
    pub fn shop(cluster: bool, rule: &str) -> Self {
        let original = Database {
            region: HOME.into(),
            cluster,
            id: "kfood-db".into(),
            status: "available".into(),
            member_of: None,
            created: "2025-01-01T00:00:00Z".into(),
            loading: false,
            tags: tags(&[("nightshift:drill", rule), ("team", "food")]),
        };
        let member = Database {
            cluster: false,
            id: "kfood-db-1".into(),
            member_of: Some("kfood-db".into()),
            ..original.clone()
        };
        let member = Database { tags: BTreeMap::new(), ..member };
        let databases = if cluster { vec![original, member] } else { vec![original] };
        let id = "nightshift-kfood-db-2026-12-01".to_owned();
        let made_by = format!("snapshot-databases {id} {HOME}");
        let snapshots = vec![(id, tags(&[("nightshift-state:made-by", made_by.as_str())]))];
        Aws { databases, snapshots, exit_code: Some(0), task_stopped: false, denied: "" }
    }

    pub fn find(&mut self, id: &str) -> &mut Database {
        self.databases.iter_mut().find(|it| it.id == id).unwrap_or_else(|| panic!("there is no {id}"))
    }

    fn describe(&self, call: &Call, cluster: bool) -> Answer {
        let noun = if cluster { "DBCluster" } else { "DBInstance" };
        let wanted = call.text(&format!("{noun}Identifier"));
        let found: Vec<String> = self
            .databases
            .iter()
            .filter(|it| it.region == call.region && it.cluster == cluster && (wanted.is_empty() || it.id == wanted))
            .map(|it| format!("<{noun}>{}</{noun}>", it.xml()))
            .collect();
        match found.is_empty() && !wanted.is_empty() {
            true => Answer::Refused(if cluster { "DBClusterNotFoundFault" } else { "DBInstanceNotFound" }),
            false => Answer::Xml(format!("<{noun}s>{}</{noun}s>", found.concat())),
        }
    }

    fn describe_snapshots(&self, call: &Call, cluster: bool) -> Answer {
        let noun = if cluster { "DBClusterSnapshot" } else { "DBSnapshot" };
        let region = &call.region;
        if self.databases.iter().any(|it| it.id == "kfood-db" && it.cluster != cluster) {
            return Answer::Xml(format!("<{noun}s></{noun}s>"));
        }
        let of = if cluster { "DBClusterIdentifier" } else { "DBInstanceIdentifier" };
        if call.text("SnapshotType") == "automated" {
            assert_eq!(call.text(of), "kfood-db");
            let kind = if cluster { "cluster-snapshot" } else { "snapshot" };
            let automated = |(id, kind_of): (&str, &str)| {
                format!(
                    "<{noun}><{noun}Identifier>{id}</{noun}Identifier><{noun}Arn>arn:aws:rds:{HOME}:123456789012:{kind}:{id}\
                     </{noun}Arn><{of}>kfood-db</{of}><SnapshotType>{kind_of}</SnapshotType><Status>available</Status>\
                     <SnapshotCreateTime>2026-11-30T17:05:00Z</SnapshotCreateTime></{noun}>"
                )
            };
            let both = [(AUTOMATED, "automated"), ("awsbackup:job-1", "awsbackup")];
            return Answer::Xml(format!("<{noun}s>{}</{noun}s>", both.map(automated).concat()));
        }
        assert!(call.text("SnapshotType") == "manual" || !call.text(&format!("{noun}Identifier")).is_empty());
        let one = |(id, tags): &(String, BTreeMap<String, String>)| {
            let kind = if cluster { "cluster-snapshot" } else { "snapshot" };
            format!(
                "<{noun}><{noun}Identifier>{id}</{noun}Identifier><{noun}Arn>arn:aws:rds:{region}:123456789012:{kind}:{id}\
                 </{noun}Arn><{of}>kfood-db</{of}><SnapshotType>manual</SnapshotType><Status>available</Status>\
                 <SnapshotCreateTime>2026-11-30T18:00:00Z</SnapshotCreateTime><StorageType>gp2</StorageType>\
                 <Engine>aurora-postgresql</Engine><EngineVersion>16.4</EngineVersion>{}</{noun}>",
                xml(tags)
            )
        };
        // The copies are in the other region, under names of their own.
        let here = self.snapshots.iter().filter(|(_, tags)| tags.contains_key(COPY_OF) == (call.region != HOME));
        Answer::Xml(format!("<{noun}s>{}</{noun}s>", here.map(one).collect::<String>()))
    }

    fn create(&mut self, call: &Call, cluster: bool, member_of: Option<String>) -> Answer {
        let named = if cluster { "DBClusterIdentifier" } else { "DBInstanceIdentifier" };
        let id = [call.text("TargetDBInstanceIdentifier"), call.text(named)].concat();
        let there = |it: &Database| it.region == call.region && it.cluster == cluster && it.id == id;
        if self.databases.iter().any(there) {
            return Answer::Refused(if cluster { "DBClusterAlreadyExistsFault" } else { "DBInstanceAlreadyExists" });
        }
        let text = |name: String| call.body[name].as_str().map(str::to_owned);
        let tag = |it: usize| Some((text(format!("Tags.Tag.{it}.Key"))?, text(format!("Tags.Tag.{it}.Value"))?));
        let tags: BTreeMap<String, String> = (1..).map_while(tag).collect();
        // It is created when its drill begins.
        let begun = tags["nightshift-state:drill"].split("begun=").nth(1).and_then(|it| it.split(' ').next());
        self.databases.push(Database {
            region: call.region.clone(),
            cluster,
            id,
            status: "creating".into(),
            member_of,
            created: begun.unwrap_or_default().to_owned(),
            loading: false,
            tags,
        });
        Answer::Xml(String::new())
    }

    fn delete(&mut self, call: &Call, cluster: bool) -> Answer {
        assert_eq!(call.text("SkipFinalSnapshot"), "true");
        let id = call.text(if cluster { "DBClusterIdentifier" } else { "DBInstanceIdentifier" });
        if cluster && self.databases.iter().any(|it| it.member_of.as_deref() == Some(id)) {
            return Answer::Refused("InvalidDBClusterStateFault");
        }
        let count = self.databases.len();
        self.databases.retain(|it| it.region != call.region || it.cluster != cluster || it.id != id);
        match self.databases.len() < count {
            true => Answer::Xml(String::new()),
            false => Answer::Refused("DBInstanceNotFound"),
        }
    }

    fn tag(&mut self, call: &Call) -> Answer {
        let arn = call.text("ResourceName");
        assert!(arn.starts_with(&format!("arn:aws:rds:{}:", call.region)), "{arn} is asked for in {}", call.region);
        let name = arn.rsplit(':').next().unwrap_or_default().to_owned();
        let cluster = call.text("ResourceName").contains(":cluster:");
        let databases = self.databases.iter_mut().filter(|it| it.cluster == cluster).map(|it| (&it.id, &mut it.tags));
        let snapshots = self.snapshots.iter_mut().map(|it| (&it.0, &mut it.1));
        let Some((_, kept)) = databases.chain(snapshots).find(|(id, _)| **id == name) else {
            return Answer::Refused("DBInstanceNotFound");
        };
        match call.text("Tags.Tag.1.Key") {
            "" => drop(kept.remove(&call.texts("TagKeys.member")[0])),
            key => drop(kept.insert(key.into(), call.text("Tags.Tag.1.Value").into())),
        }
        Answer::Xml(String::new())
    }
}

impl Tables for Aws {
    fn answer(&mut self, call: &Call) -> Answer {
        if call.region == self.denied {
            return Answer::Refused("AccessDenied");
        }
        match call.operation.as_str() {
            "DescribeDBInstances" => self.describe(call, false),
            "DescribeDBClusters" => self.describe(call, true),
            "DescribeDBSnapshots" => self.describe_snapshots(call, false),
            "DescribeDBClusterSnapshots" => self.describe_snapshots(call, true),
            "RestoreDBInstanceFromDBSnapshot" => self.create(call, false, None),
            "RestoreDBClusterFromSnapshot" => self.create(call, true, None),
            "RestoreDBInstanceToPointInTime" => self.create(call, false, None),
            "RestoreDBClusterToPointInTime" => self.create(call, true, None),
            "CreateDBInstance" => self.create(call, false, Some(call.text("DBClusterIdentifier").into())),
            "DeleteDBInstance" => self.delete(call, false),
            "DeleteDBCluster" => self.delete(call, true),
            "AddTagsToResource" | "RemoveTagsFromResource" => self.tag(call),
            "DescribeServices" => Answer::Json(json!({"services": [{
                "serviceArn": format!("arn:aws:ecs:{}:123456789012:service/kfood-cluster/kfood-backend", call.region),
                "status": "ACTIVE",
                "launchType": "FARGATE",
                "platformVersion": "LATEST",
                "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}},
            }]})),
            "DescribeTaskDefinition" => Answer::Json(json!({"taskDefinition": {
                "family": "kfood-drill", "containerDefinitions": [
                    {"name": "log-router", "logConfiguration": {"logDriver": "awslogs", "options": {
                        "awslogs-group": "/ecs/kfood", "awslogs-stream-prefix": "router",
                    }}},
                    {"name": "check", "logConfiguration": {"logDriver": "awslogs", "options": {
                        "awslogs-group": "/ecs/kfood", "awslogs-stream-prefix": "drill",
                    }}},
                ],
            }})),
            "GetLogEvents" => {
                assert_eq!(call.text("logGroupName"), "/ecs/kfood");
                assert_eq!(call.text("logStreamName"), "drill/check/0123abcd");
                Answer::Json(
                    json!({"events": [{"message": "connected"}, {"message": "214 tables\n"}, {"message": " "}]}),
                )
            }
            "RunTask" => Answer::Json(json!({"tasks": [{
                "taskArn": format!("arn:aws:ecs:{HOME}:123456789012:task/kfood-cluster/0123abcd"),
            }]})),
            "DescribeTasks" => Answer::Json(json!({"tasks": [{
                "taskArn": format!("arn:aws:ecs:{HOME}:123456789012:task/kfood-cluster/0123abcd"),
                "lastStatus": if self.task_stopped { "STOPPED" } else { "RUNNING" },
                "stoppedAt": 1_796_088_000,
                "containers": [{"name": "check", "exitCode": self.exit_code}],
            }]})),
            other => panic!("the script knows no {other}"),
        }
    }
}

impl Database {
    fn xml(&self) -> String {
        let Database { region, id, status, created, .. } = self;
        let tags = xml(&self.tags);
        if self.cluster {
            return format!(
                "<DBClusterIdentifier>{id}</DBClusterIdentifier><DBClusterArn>arn:aws:rds:{region}:123456789012:cluster:{id}\
                 </DBClusterArn><Status>{status}</Status><Engine>aurora-postgresql</Engine><DBSubnetGroup>kfood\
                 </DBSubnetGroup><DBClusterParameterGroup>kfood-cluster</DBClusterParameterGroup><Endpoint>{id}.cluster\
                 </Endpoint><Port>5432</Port><LatestRestorableTime>2026-12-01T00:58:00Z</LatestRestorableTime><ClusterCreateTime>{created}</ClusterCreateTime>{tags}"
            );
        }
        let member: String =
            self.member_of.iter().map(|it| format!("<DBClusterIdentifier>{it}</DBClusterIdentifier>")).collect();
        let loading = match self.loading {
            true => "<StorageOperationStatus>Initializing</StorageOperationStatus>",
            false => "",
        };
        format!(
            "<DBInstanceIdentifier>{id}</DBInstanceIdentifier><DBInstanceArn>arn:aws:rds:{region}:123456789012:db:{id}\
             </DBInstanceArn><DBInstanceStatus>{status}</DBInstanceStatus><Engine>postgres</Engine>{member}\
             <DBInstanceClass>db.t3.medium</DBInstanceClass><InstanceCreateTime>{created}</InstanceCreateTime>{loading}\
             <DBSubnetGroup><DBSubnetGroupName>kfood</DBSubnetGroupName></DBSubnetGroup><DBName>kfood</DBName>\
             <LatestRestorableTime>2026-12-01T00:58:00Z</LatestRestorableTime><StorageType>gp2</StorageType>\
             <VpcSecurityGroups><VpcSecurityGroupMembership><VpcSecurityGroupId>sg-db</VpcSecurityGroupId>\
             </VpcSecurityGroupMembership></VpcSecurityGroups><DBParameterGroups><DBParameterGroup><DBParameterGroupName>\
             kfood-16</DBParameterGroupName></DBParameterGroup></DBParameterGroups><OptionGroupMemberships>\
             <OptionGroupMembership><OptionGroupName>default:postgres-16</OptionGroupName></OptionGroupMembership>\
             </OptionGroupMemberships><Endpoint><Address>{id}.rds</Address><Port>5432</Port></Endpoint>{tags}"
        )
    }
}

fn xml(tags: &BTreeMap<String, String>) -> String {
    let tag = |(key, value): (&String, &String)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    format!("<TagList>{}</TagList>", tags.iter().map(tag).collect::<String>())
}
