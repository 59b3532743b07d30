//! What there is on AWS, and how ECS, RDS and the others answer and carry out what is asked.

use std::collections::BTreeMap;
use std::sync::MutexGuard;

use reconcile::Report;
use scale_staging::{Clients, handle};
use serde_json::{Value, json};
use testkit::scripted::{self, Answer, Call, TOPIC, Tables};

pub const SCHEDULE: &str = "nightshift:schedule";
pub const ASLEEP: &str = "nightshift-state:asleep";

/// What is there, and what has happened.
#[derive(Default)]
pub struct Aws {
    /// Services by ARN, as DescribeServices shows them.
    pub services: BTreeMap<String, Value>,
    /// Scaling targets by resource id.
    pub targets: BTreeMap<String, Value>,
    /// The tags of these, by their ARNs.
    pub copies: BTreeMap<String, Value>,
    /// Scheduled actions of these.
    pub scheduled_actions: Vec<Value>,
    /// DB instances by id.
    pub instances: BTreeMap<String, Database>,
    /// DB clusters by id.
    pub clusters: BTreeMap<String, Database>,
    /// EC2 instances by id.
    pub machines: BTreeMap<String, Machine>,
    /// Auto Scaling groups by name.
    pub groups: BTreeMap<String, Group>,
    /// Scheduled actions of groups, as XML.
    pub group_actions: String,
    /// The tags of groups of schedules, by their names.
    pub job_groups: BTreeMap<String, BTreeMap<String, String>>,
    /// Schedules as GetSchedule answers them, by `GROUP/NAME`.
    pub jobs: BTreeMap<String, Value>,
    /// Messages of DescribeEvents, each with its moment.
    pub events: Vec<(&'static str, &'static str)>,
    /// The tags of snapshots by their ids.
    pub snapshots: BTreeMap<String, Vec<String>>,
    /// The status of snapshots of clusters by their ids.
    pub cluster_snapshots: BTreeMap<String, String>,
    /// What an operation is refused with, and what the databases have become meanwhile.
    pub becomes: Option<(&'static str, &'static str, &'static str)>,
    /// How many resources are on a page.
    pub page: usize,
}

/// A DB instance or DB cluster; `more` is further XML of its description.
pub struct Database {
    pub status: String,
    pub more: String,
    pub tags: BTreeMap<String, String>,
}

/// An EC2 instance; `more` is further XML of its description.
pub struct Machine {
    pub state: &'static str,
    pub launched_at: &'static str,
    pub more: &'static str,
    pub tags: BTreeMap<String, String>,
}

/// An Auto Scaling group.
#[derive(Default)]
pub struct Group {
    pub min: i32,
    pub max: i32,
    pub desired: i32,
    pub suspended: Vec<String>,
    pub tags: BTreeMap<String, String>,
}

/// A handle on the script that the client and the test share.
#[derive(Clone)]
pub struct Script(scripted::Script<Aws>);

pub fn service_arn(name: &str) -> String {
    format!("arn:aws:ecs:ap-northeast-2:123456789012:service/{name}")
}

pub fn database_arn(id: &str) -> String {
    format!("arn:aws:rds:ap-northeast-2:123456789012:db:{id}")
}

pub fn job_group_arn(name: &str) -> String {
    format!("arn:aws:scheduler:ap-northeast-2:123456789012:schedule-group/{name}")
}

impl Script {
    pub fn new() -> Self {
        Script(scripted::Script::new(Aws { page: 100, ..Aws::default() }))
    }

    pub fn aws(&self) -> MutexGuard<'_, Aws> {
        self.0.aws()
    }

    /// Sends `payload` to the real function at `now` (local time in Seoul), whose SDK clients talk to this script.
    pub async fn invoke(&self, now: &str, payload: Value) -> Result<Report, String> {
        self.invoke_telling("none", now, payload).await
    }

    /// The same with this value of SleepNotice.
    pub async fn invoke_telling(&self, notice: &str, now: &str, payload: Value) -> Result<Report, String> {
        let now = format!("{now}:00+09:00");
        let variables = [
            ("NIGHTSHIFT_SLEEP_NOTICE", notice),
            ("NIGHTSHIFT_TIME_ZONE", "Asia/Seoul"),
            ("NIGHTSHIFT_TOPIC_ARN", TOPIC),
            ("NIGHTSHIFT_NOW", now.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "nightshift-scale-staging"),
        ];
        let sdk = self.0.sdk();
        let answer = runtime::invoke_once("scale-staging", &sdk, &variables, Clients::new, handle, payload);
        answer.await.map_err(|it| it.error_message)
    }

    /// Adds a service with that many tasks.
    pub fn serve(&self, name: &str, schedule: &str, desired: i32) -> String {
        let arn = service_arn(name);
        let service = json!({
            "serviceArn": arn, "serviceName": name.rsplit('/').next(), "status": "ACTIVE",
            "schedulingStrategy": "REPLICA", "desiredCount": desired, "runningCount": desired,
            "createdAt": 1_790_000_000, "tags": [{"key": SCHEDULE, "value": schedule}],
            "deployments": [{"status": "PRIMARY", "rolloutState": "COMPLETED", "createdAt": 1_795_000_200}],
        });
        self.aws().services.insert(arn.clone(), service);
        arn
    }

    /// Gives a service a scaling target.
    pub fn scale(&self, name: &str, min: i32, max: i32) {
        let id = format!("service/{name}");
        let arn = format!("arn:aws:application-autoscaling:ap-northeast-2:123456789012:scalable-target/{name}");
        let target = json!({"ResourceId": id, "ScalableTargetARN": arn, "ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount",
            "MinCapacity": min, "MaxCapacity": max, "RoleARN": "arn:role", "CreationTime": 1_795_000_000});
        self.aws().targets.insert(id, target);
    }

    /// Adds an EC2 instance that runs.
    pub fn launch(&self, id: &str, schedule: &str) -> String {
        let tags = BTreeMap::from([(SCHEDULE.to_owned(), schedule.to_owned()), ("Name".into(), "shop & co".into())]);
        let machine = Machine { state: "running", launched_at: "2026-11-02T00:00:00.000Z", more: "", tags };
        self.aws().machines.insert(id.into(), machine);
        format!("arn:aws:ec2:ap-northeast-2:123456789012:instance/{id}")
    }

    /// Adds an Auto Scaling group.
    pub fn group(&self, name: &str, schedule: &str, (min, desired, max): (i32, i32, i32)) -> String {
        let tags = BTreeMap::from([(SCHEDULE.to_owned(), schedule.to_owned())]);
        self.aws().groups.insert(name.into(), Group { min, max, desired, tags, ..Group::default() });
        format!("arn:aws:autoscaling:ap-northeast-2:123456789012:autoScalingGroup:uuid:autoScalingGroupName/{name}")
    }

    /// Adds a schedule to a group that carries this tag.
    pub fn job(&self, group: &str, schedule: &str, name: &str, state: &str) {
        let tags = BTreeMap::from([(SCHEDULE.to_owned(), schedule.to_owned())]);
        let mut aws = self.aws();
        aws.job_groups.entry(group.into()).or_insert(tags);
        let job = json!({
            "Arn": format!("arn:aws:scheduler:ap-northeast-2:123456789012:schedule/{group}/{name}"), "Name": name,
            "GroupName": group, "State": state, "Description": format!("the {name}"),
            "ScheduleExpression": "cron(0 3 * * ? *)", "ScheduleExpressionTimezone": "Asia/Seoul",
            "FlexibleTimeWindow": {"Mode": "OFF"}, "Younger": [1],
            "Target": {"Arn": "arn:cluster", "RoleArn": "arn:role", "EcsParameters": {"TaskDefinitionArn": "arn:1"}},
        });
        aws.jobs.insert(format!("{group}/{name}"), job);
    }

    /// Adds a DB instance.
    pub fn store(&self, id: &str, status: &str, more: &str, tags: &[(&str, &str)]) -> String {
        self.aws().instances.insert(id.into(), database(status, more, tags));
        database_arn(id)
    }

    /// Adds an Aurora cluster with one instance, which writes.
    pub fn cluster(&self, id: &str, status: &str, tags: &[(&str, &str)]) {
        let member = format!("{id}-1");
        let more = format!(
            "<DBClusterMembers><DBClusterMember><DBInstanceIdentifier>{member}</DBInstanceIdentifier>\
             <IsClusterWriter>true</IsClusterWriter></DBClusterMember></DBClusterMembers>"
        );
        self.aws().clusters.insert(id.into(), database(status, &more, tags));
        self.store(&member, status, &format!("<DBClusterIdentifier>{id}</DBClusterIdentifier>"), &[]);
    }

    /// From now on this operation fails, that many times, for requests whose body holds `about`.
    pub fn fail(&self, operation: &'static str, about: &str, times: usize, status: u16, code: &'static str) {
        self.0.refuse(operation, about, times, status, code);
    }

    /// From now on this operation is carried out, that many times, but its answer gets lost on the way.
    pub fn lose_answers(&self, operation: &'static str, times: usize) {
        self.0.lose_answers(operation, times);
    }

    /// How often each operation was called since the last time this was asked.
    pub fn counts(&self) -> Vec<(String, usize)> {
        let counts = self.0.counts().into_iter().collect();
        self.0.forget_calls();
        counts
    }

    /// The operations that were called, in their order.
    pub fn order(&self) -> Vec<String> {
        self.0.all_calls().into_iter().map(|it| it.operation).collect()
    }

    /// The bodies of all requests of an operation.
    pub fn sent(&self, operation: &str) -> Vec<Value> {
        self.0.bodies(operation)
    }
}

fn database(status: &str, more: &str, tags: &[(&str, &str)]) -> Database {
    let tags = tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Database { status: status.into(), more: more.into(), tags }
}

impl Tables for Aws {
    fn answer(&mut self, call: &Call) -> Answer {
        if let Some((operation, code, status)) = self.becomes
            && call.operation == operation
        {
            self.becomes = None;
            self.instances.values_mut().for_each(|it| it.status = status.into());
            return Answer::Refused(code);
        }
        // EC2 Auto Scaling and Application Auto Scaling have operations of the same names.
        match call.host.split('.').next() {
            Some("ec2") => return self.ec2(call),
            Some("scheduler") => return self.scheduler(call),
            Some("autoscaling") if call.body.get("Version").is_some() => return self.auto_scaling(call),
            _ => {}
        }
        let json = match call.operation.as_str() {
            "Invoke" => return Answer::Body(String::new()),
            "GetResources" => self.resources(call.text("PaginationToken")),
            "DescribeServices" => self.describe_services(call),
            "DescribeScalableTargets" => self.describe_targets(call),
            "ListTagsForResource" => json!({"Tags": self.copies.get(call.text("ResourceARN"))}),
            "TagResource" if call.text("ResourceARN").contains(":scalable-target/") => {
                let tags = call.body["Tags"].clone();
                self.copies.insert(call.text("ResourceARN").into(), tags);
                json!({})
            }
            "DescribeScheduledActions" => json!({"ScheduledActions": self.scheduled_actions}),
            "RegisterScalableTarget" => {
                let target = self.targets.get_mut(call.text("ResourceId")).unwrap();
                target["MinCapacity"] = call.body["MinCapacity"].clone();
                target["SuspendedState"] = call.body["SuspendedState"].clone();
                json!({})
            }
            "UpdateService" => {
                let arn = service_arn(&format!("{}/{}", call.text("cluster"), call.text("service")));
                let service = self.services.get_mut(&arn).unwrap();
                service["desiredCount"] = call.body["desiredCount"].clone();
                service["runningCount"] = call.body["desiredCount"].clone();
                json!({})
            }
            "TagResource" | "UntagResource" => {
                let tags = self.services.get_mut(call.text("resourceArn")).unwrap()["tags"].as_array_mut().unwrap();
                for key in call.body["tagKeys"].as_array().into_iter().flatten() {
                    tags.retain(|it| it["key"] != *key);
                }
                for tag in call.body["tags"].as_array().into_iter().flatten() {
                    tags.retain(|it| it["key"] != tag["key"]);
                    tags.push(tag.clone());
                }
                json!({})
            }
            _ => return self.rds(call),
        };
        Answer::Json(json)
    }
}

impl Aws {
    /// The tag `key` of a service.
    pub fn tag(&self, arn: &str, key: &str) -> Option<String> {
        let tags = self.services[arn]["tags"].as_array()?;
        tags.iter().find(|it| it["key"] == key)?["value"].as_str().map(str::to_owned)
    }

    fn ec2(&mut self, call: &Call) -> Answer {
        let id = call.text("InstanceId.1").to_owned();
        let named = |it: &mut Self| it.machines.get_mut(&id).map(|it| it.state);
        match call.operation.as_str() {
            "DescribeInstances" => {
                assert_eq!((call.text("Filter.1.Name"), call.text("Filter.1.Value.2")), ("tag-key", ASLEEP));
                let from: usize = call.text("NextToken").parse().unwrap_or_default();
                let page = self.machines.iter().skip(from).take(self.page).map(|(id, it)| described_machine(id, it));
                let page: String = page.collect();
                let next =
                    if from + self.page < self.machines.len() { (from + self.page).to_string() } else { String::new() };
                let body = format!("<reservationSet>{page}</reservationSet><nextToken>{next}</nextToken>");
                return Answer::Body(format!(
                    "<?xml version=\"1.0\"?><DescribeInstancesResponse xmlns=\"x\">{body}</DescribeInstancesResponse>"
                ));
            }
            "StopInstances" => match named(self) {
                Some("pending") => return Answer::Refused("IncorrectInstanceState"),
                Some(_) => self.machines.get_mut(&id).unwrap().state = "stopped",
                None => return Answer::Refused("InvalidInstanceID.NotFound"),
            },
            "StartInstances" => self.machines.get_mut(&id).unwrap().state = "running",
            "CreateTags" | "DeleteTags" => {
                let tags = &mut self.machines.get_mut(call.text("ResourceId.1")).unwrap().tags;
                let key = call.text("Tag.1.Key").to_owned();
                match call.operation.as_str() {
                    "CreateTags" => drop(tags.insert(key, call.text("Tag.1.Value").into())),
                    _ => drop(tags.remove(&key)),
                }
            }
            other => panic!("EC2 knows no {other}"),
        }
        Answer::Body(format!("<{0}Response><return>true</return></{0}Response>", call.operation))
    }

    fn auto_scaling(&mut self, call: &Call) -> Answer {
        let inner = match call.operation.as_str() {
            "DescribeAutoScalingGroups" => {
                assert_eq!(call.text("Filters.member.1.Values.member.1"), SCHEDULE);
                let from: usize = call.text("NextToken").parse().unwrap_or_default();
                let page: String =
                    self.groups.iter().skip(from).take(self.page).map(|(name, it)| described_group(name, it)).collect();
                let next = if from + self.page < self.groups.len() {
                    format!("<NextToken>{}</NextToken>", from + self.page)
                } else {
                    String::new()
                };
                format!("<AutoScalingGroups>{page}</AutoScalingGroups>{next}")
            }
            "DescribeScheduledActions" => {
                format!("<ScheduledUpdateGroupActions>{}</ScheduledUpdateGroupActions>", self.group_actions)
            }
            "CreateOrUpdateTags" | "DeleteTags" => {
                let group = self.groups.get_mut(call.text("Tags.member.1.ResourceId")).unwrap();
                let key = call.text("Tags.member.1.Key").to_owned();
                assert_eq!(call.text("Tags.member.1.ResourceType"), "auto-scaling-group");
                match call.operation.as_str() {
                    "CreateOrUpdateTags" => {
                        assert_eq!(call.text("Tags.member.1.PropagateAtLaunch"), "false");
                        group.tags.insert(key, call.text("Tags.member.1.Value").into());
                    }
                    _ => drop(group.tags.remove(&key)),
                }
                String::new()
            }
            operation => {
                let group = self.groups.get_mut(call.text("AutoScalingGroupName")).unwrap();
                let named = call.texts("ScalingProcesses.member");
                match operation {
                    "SuspendProcesses" => {
                        assert!(!named.is_empty(), "none means all");
                        group.suspended.retain(|it| !named.contains(it));
                        group.suspended.extend(named);
                    }
                    "ResumeProcesses" => {
                        assert!(!named.is_empty(), "none means all");
                        group.suspended.retain(|it| !named.contains(it));
                    }
                    "UpdateAutoScalingGroup" => {
                        group.min = call.text("MinSize").parse().unwrap_or(group.min);
                        group.desired = call.text("DesiredCapacity").parse().unwrap_or(group.desired.max(group.min));
                    }
                    other => panic!("Auto Scaling knows no {other}"),
                }
                String::new()
            }
        };
        Answer::Xml(inner)
    }

    fn rds(&mut self, call: &Call) -> Answer {
        let (id, cluster) = (call.text("DBInstanceIdentifier").to_owned(), call.text("DBClusterIdentifier").to_owned());
        let inner = match call.operation.as_str() {
            "DescribeDBInstances" => {
                format!("<DBInstances>{}</DBInstances>", described(&self.instances, &id, "DBInstance"))
            }
            "DescribeDBClusters" => {
                format!("<DBClusters>{}</DBClusters>", described(&self.clusters, &cluster, "DBCluster"))
            }
            "StopDBInstance" | "StopDBCluster" => {
                let database = self.instances.get_mut(&id).or(self.clusters.get_mut(&cluster)).unwrap();
                let snapshot = call.text("DBSnapshotIdentifier");
                if self.snapshots.contains_key(snapshot) {
                    return Answer::Refused("DBSnapshotAlreadyExists");
                }
                if database.status != "available" {
                    return Answer::Refused("InvalidDBInstanceState");
                }
                database.status = "stopping".into();
                if !snapshot.is_empty() {
                    self.snapshots.insert(snapshot.into(), Vec::new());
                }
                String::new()
            }
            "StartDBInstance" | "StartDBCluster" => {
                self.instances.get_mut(&id).or(self.clusters.get_mut(&cluster)).unwrap().status = "starting".into();
                String::new()
            }
            "DescribeDBSnapshots" => match self.snapshots.contains_key(call.text("DBSnapshotIdentifier")) {
                true => "<DBSnapshots><DBSnapshot><DBSnapshotIdentifier>x</DBSnapshotIdentifier><DBSnapshotArn>arn:x\
                     </DBSnapshotArn><DBInstanceIdentifier>x</DBInstanceIdentifier><Status>creating</Status></DBSnapshot>\
                     </DBSnapshots>"
                    .into(),
                false => return Answer::Refused("DBSnapshotNotFound"),
            },
            "DescribeDBClusterSnapshots" => {
                let id = call.text("DBClusterSnapshotIdentifier");
                let Some(status) = self.cluster_snapshots.get(id) else {
                    return Answer::Refused("DBClusterSnapshotNotFoundFault");
                };
                let snapshot = format!(
                    "<DBClusterSnapshotIdentifier>{id}</DBClusterSnapshotIdentifier><DBClusterSnapshotArn>arn:x\
                     </DBClusterSnapshotArn><DBClusterIdentifier>x</DBClusterIdentifier><Status>{status}</Status>"
                );
                format!("<DBClusterSnapshots><DBClusterSnapshot>{snapshot}</DBClusterSnapshot></DBClusterSnapshots>")
            }
            "DescribeEvents" => {
                let event = |(message, date): &(&str, &str)| {
                    format!("<Event><Message>{message}</Message><Date>{date}</Date></Event>")
                };
                format!("<Events>{}</Events>", self.events.iter().map(event).collect::<String>())
            }
            "AddTagsToResource" | "RemoveTagsFromResource" => return self.tag_database(call),
            other => panic!("the script knows no {other}"),
        };
        Answer::Xml(inner)
    }

    fn tag_database(&mut self, call: &Call) -> Answer {
        let name = call.text("ResourceName").rsplit(':').next().unwrap().to_owned();
        let removed = call.texts("TagKeys.member");
        let added = (1..9).map(|it| {
            let field = |name: &str| call.text(&format!("Tags.Tag.{it}.{name}")).to_owned();
            (field("Key"), field("Value"))
        });
        let added: Vec<(String, String)> = added.filter(|(key, _)| !key.is_empty()).collect();
        if let Some(snapshot) = self.snapshots.get_mut(&name) {
            snapshot.retain(|it| !removed.contains(it));
            snapshot.extend(added.into_iter().map(|(key, _)| key));
        } else if let Some(database) = self.instances.get_mut(&name).or(self.clusters.get_mut(&name)) {
            removed.iter().for_each(|it| drop(database.tags.remove(it)));
            database.tags.extend(added);
        } else {
            return Answer::Refused("DBSnapshotNotFound");
        }
        Answer::Xml(String::new())
    }

    fn resources(&self, token: &str) -> Value {
        let from: usize = token.parse().unwrap_or_default();
        let mapping = |(arn, service): (&String, &Value)| {
            let tags = service["tags"].as_array().unwrap().iter();
            let tags: Vec<Value> = tags.map(|it| json!({"Key": it["key"], "Value": it["value"]})).collect();
            json!({"ResourceARN": arn, "Tags": tags})
        };
        let of_jobs = |(name, tags): (&String, &BTreeMap<String, String>)| {
            let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
            json!({"ResourceARN": job_group_arn(name), "Tags": tags})
        };
        let mut page: Vec<Value> = self.services.iter().skip(from).take(self.page).map(mapping).collect();
        // What else carries the tag is listed too.
        if from == 0 {
            page.extend(self.job_groups.iter().map(of_jobs));
        }
        let next = if from + self.page < self.services.len() { (from + self.page).to_string() } else { String::new() };
        json!({"ResourceTagMappingList": page, "PaginationToken": next})
    }

    fn scheduler(&mut self, call: &Call) -> Answer {
        let name = format!("{}/{}", call.text("groupName"), call.text("Name"));
        Answer::Json(match call.operation.as_str() {
            "ListSchedules" => {
                let group = call.text("ScheduleGroup");
                let of_group = self.jobs.values().filter(|it| it["GroupName"] == group);
                let listed: Vec<Value> = of_group.map(|it| json!({"GroupName": group, "Name": it["Name"]})).collect();
                json!({"Schedules": listed})
            }
            "GetSchedule" => self.jobs[&name].clone(),
            "UpdateSchedule" => {
                let name = format!("{}/{}", call.text("GroupName"), call.text("Name"));
                let mut changed = call.body.clone();
                changed["Arn"] = self.jobs[&name]["Arn"].clone();
                self.jobs.insert(name, changed);
                json!({"ScheduleArn": "arn"})
            }
            operation => {
                let group = call.text("Name").rsplit('/').next().unwrap().to_owned();
                let tags = self.job_groups.get_mut(&group).unwrap();
                match operation {
                    "TagResource" => {
                        let tag = &call.body["Tags"][0];
                        let text = |field: &str| tag[field].as_str().unwrap().to_owned();
                        tags.insert(text("Key"), text("Value"));
                    }
                    "UntagResource" => drop(tags.remove(call.text("TagKeys"))),
                    other => panic!("Scheduler knows no {other}"),
                }
                json!({})
            }
        })
    }

    fn describe_services(&self, call: &Call) -> Value {
        let names = call.body["services"].as_array().unwrap();
        assert!(names.len() <= 10, "DescribeServices takes ten");
        assert_eq!(call.body["include"], json!(["TAGS"]));
        let arn = |name: &Value| service_arn(&format!("{}/{}", call.text("cluster"), name.as_str().unwrap()));
        let (found, missing): (Vec<String>, Vec<String>) =
            names.iter().map(arn).partition(|it| self.services.get(it).is_some_and(|it| it["gone"].is_null()));
        let failure = |arn: &String| json!({"arn": arn, "reason": "MISSING"});
        json!({"services": found.iter().map(|it| &self.services[it]).collect::<Vec<_>>(),
               "failures": missing.iter().map(failure).collect::<Vec<_>>()})
    }

    fn describe_targets(&self, call: &Call) -> Value {
        let named = call.body["ResourceIds"].as_array();
        assert!(named.is_none_or(|it| it.len() <= 50), "DescribeScalableTargets takes fifty");
        let wanted = self.targets.values().filter(|it| named.is_none_or(|ids| ids.contains(&it["ResourceId"])));
        let from: usize = call.text("NextToken").parse().unwrap_or_default();
        let wanted: Vec<&Value> = wanted.collect();
        let mut answer = json!({"ScalableTargets": wanted.iter().skip(from).take(self.page).collect::<Vec<_>>()});
        if from + self.page < wanted.len() {
            answer["NextToken"] = json!((from + self.page).to_string());
        }
        answer
    }
}

/// Those databases that are asked for, as `DBInstance` or `DBCluster`.
fn described(all: &BTreeMap<String, Database>, wanted: &str, kind: &str) -> String {
    let (status, arn) = match kind {
        "DBInstance" => ("DBInstanceStatus", ":db:"),
        _ => ("Status", ":cluster:"),
    };
    let engine = if kind == "DBInstance" { "postgres" } else { "aurora-postgresql" };
    let one = |(id, it): (&String, &Database)| {
        let tags = it.tags.iter().map(|(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>"));
        format!(
            "<{kind}><{kind}Identifier>{id}</{kind}Identifier><{kind}Arn>{}</{kind}Arn><{status}>{}</{status}>\
             <Engine>{engine}</Engine>{}<TagList>{}</TagList></{kind}>",
            database_arn(id).replace(":db:", arn),
            it.status,
            it.more,
            tags.collect::<String>()
        )
    };
    all.iter().filter(|(id, _)| wanted.is_empty() || *id == wanted).map(one).collect()
}

fn described_machine(id: &str, it: &Machine) -> String {
    let escaped = |it: &String| it.replace('&', "&amp;");
    let tags =
        it.tags.iter().map(|(key, value)| format!("<item><key>{key}</key><value>{}</value></item>", escaped(value)));
    format!(
        "<item><reservationId>r-1</reservationId><ownerId>123456789012</ownerId><groupSet/><instancesSet><item>\
         <instanceId>{id}</instanceId><instanceState><code>16</code><name>{}</name></instanceState>\
         <launchTime>{}</launchTime><rootDeviceType>ebs</rootDeviceType>{}<tagSet>{}</tagSet></item></instancesSet></item>",
        it.state,
        it.launched_at,
        it.more,
        tags.collect::<String>()
    )
}

fn described_group(name: &str, it: &Group) -> String {
    let tags = it.tags.iter().map(|(key, value)| format!("<member><Key>{key}</Key><Value>{value}</Value></member>"));
    let suspended = it.suspended.iter().map(|it| {
        format!("<member><ProcessName>{it}</ProcessName><SuspensionReason>User suspended</SuspensionReason></member>")
    });
    let member = "<member><InstanceId>i-1</InstanceId><LifecycleState>InService</LifecycleState></member>";
    format!(
        "<member><AutoScalingGroupName>{name}</AutoScalingGroupName><AutoScalingGroupARN>\
         arn:aws:autoscaling:ap-northeast-2:123456789012:autoScalingGroup:uuid:autoScalingGroupName/{name}\
         </AutoScalingGroupARN><MinSize>{}</MinSize><MaxSize>{}</MaxSize><DesiredCapacity>{}</DesiredCapacity>\
         <CreatedTime>2026-01-01T00:00:00.000Z</CreatedTime><Instances>{}</Instances>\
         <SuspendedProcesses>{}</SuspendedProcesses><Tags>{}</Tags></member>",
        it.min,
        it.max,
        it.desired,
        member.repeat(it.desired as usize),
        suspended.collect::<String>(),
        tags.collect::<String>()
    )
}
