//! Alarms, services and databases as tables that answer the real SDK, and what the function makes of them.

use std::collections::BTreeMap;

use reconcile::Report;
use remediate_alarm::{Clients, handle};
use serde_json::{Map, Value, json};
use testkit::scripted::{Answer, Call, Script as Scripted, TOPIC, Tables};

pub const REMEDY: &str = "nightshift:remedy";
pub const REMEDIED: &str = "nightshift-state:remedied";

/// 2026-11-21T03:10:00+09:00, the moment of every run.
pub const NOW: i64 = 1_795_198_200;

/// What is there.
#[derive(Default)]
pub struct Aws {
    /// Alarms by name, as DescribeAlarms shows them; `Tags` are told by other calls only.
    pub alarms: BTreeMap<String, Value>,
    /// What is in ALARM of alarms that watch several things; one on a page.
    pub contributors: BTreeMap<String, Vec<Value>>,
    /// The mute rules in force, by alarm.
    pub mute_rules: BTreeMap<String, Vec<String>>,
    pub services: BTreeMap<String, Value>,
    pub databases: BTreeMap<String, Value>,
    /// ServiceDeploymentBriefs by service name, with the task definition under `taskDefinition`.
    pub history: BTreeMap<String, Vec<Value>>,
    /// Alarms on a page of DescribeAlarms, and resources on a page of the tag index.
    pub page: usize,
    /// What the tag index has not heard of yet.
    pub unindexed: Vec<String>,
}

/// A handle on the script that the client and the test share.
pub struct Script(Scripted<Aws>);

impl std::ops::Deref for Script {
    type Target = Scripted<Aws>;

    fn deref(&self) -> &Scripted<Aws> {
        &self.0
    }
}

impl Script {
    pub fn new() -> Self {
        Script(Scripted::new(Aws { page: 100, ..Aws::default() }))
    }

    /// Sends `payload` to the real function, whose SDK clients talk to this script.
    pub async fn invoke(&self, payload: Value) -> Result<Report, String> {
        let sdk = self.sdk();
        let variables = [
            ("NIGHTSHIFT_TIME_ZONE", "Asia/Seoul"),
            ("NIGHTSHIFT_TOPIC_ARN", TOPIC),
            ("NIGHTSHIFT_NOW", "2026-11-21T03:10:00+09:00"),
            ("NIGHTSHIFT_MAX_REMEDIES", "3"),
            ("AWS_LAMBDA_FUNCTION_NAME", "nightshift-remediate-alarm"),
        ];
        runtime::invoke_once("remediate-alarm", &sdk, &variables, Clients::new, handle, payload)
            .await
            .map_err(|it| it.error_message)
    }

    /// Adds an alarm on the service `api` of the cluster `shop` that fired a minute ago, and returns its ARN.
    pub fn alarm(&self, name: &str, rule: &str) -> String {
        let arn = format!("arn:aws:cloudwatch:ap-northeast-2:123456789012:alarm:{name}");
        let alarm = json!({
            "AlarmName": name, "AlarmArn": arn, "StateValue": "ALARM", "StateReason": "42 > 10", "ActionsEnabled": true,
            "StateUpdatedTimestamp": {"at": NOW - 30}, "StateTransitionedTimestamp": {"at": NOW - 60},
            "Dimensions": [{"Name": "ClusterName", "Value": "shop"}, {"Name": "ServiceName", "Value": "api"}],
            "Tags": if rule.is_empty() { json!({}) } else { json!({REMEDY: rule}) },
        });
        self.aws().alarms.insert(name.into(), alarm);
        arn
    }

    /// Adds a service of the cluster `shop` that opted in to everything.
    pub fn service(&self, name: &str) -> String {
        let arn = format!("arn:aws:ecs:ap-northeast-2:123456789012:service/shop/{name}");
        let revision = format!("arn:aws:ecs:ap-northeast-2:123456789012:task-definition/{name}:42");
        let group = format!("arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:targetgroup/{name}/6d0e");
        let tags = [("nightshift:deploy", "newest"), ("nightshift:schedule", "always")];
        let service = json!({
            "serviceArn": arn, "serviceName": name, "status": "ACTIVE", "desiredCount": 2, "runningCount": 2,
            "taskDefinition": revision, "loadBalancers": [{"targetGroupArn": group, "containerName": "app"}],
            "tags": tags.map(|(key, value)| json!({"key": key, "value": value})),
            "deployments": [{"id": "ecs-svc/1", "status": "PRIMARY", "rolloutState": "COMPLETED"}],
        });
        let mut aws = self.aws();
        aws.services.insert(arn.clone(), service);
        let brief = json!({"status": "SUCCESSFUL", "createdAt": NOW - 900, "finishedAt": NOW - 600, "taskDefinition": revision});
        aws.history.insert(name.into(), vec![brief]);
        arn
    }

    /// Adds a DB instance that opted in to everything.
    pub fn database(&self, id: &str) {
        let it = json!({"id": id, "status": "available", "multi_az": "true",
                        "tags": {"nightshift:backup": "days=30", "nightshift:schedule": "always"}});
        self.aws().databases.insert(id.into(), it);
    }

    /// What an alarm remembers.
    pub fn memory(&self, name: &str) -> Option<String> {
        self.aws().alarms[name]["Tags"][REMEDIED].as_str().map(str::to_owned)
    }
}

impl Tables for Aws {
    fn answer(&mut self, call: &Call) -> Answer {
        let (operation, body) = (call.operation.as_str(), &call.body);
        let text = |name: &str| call.text(name).to_owned();
        let answer = match operation {
            "DescribeAlarms" => self.describe_alarms(body),
            "ListTagsForResource" => match self.alarm_tags(&text("ResourceARN")) {
                Some(tags) => {
                    json!({"Tags": tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect::<Vec<_>>()})
                }
                None => return missing("ResourceNotFoundException"),
            },
            "TagResource" | "UntagResource" if body["ResourceARN"].is_string() => {
                let arn = text("ResourceARN");
                let alarm = self.alarms.values_mut().find(|it| it["AlarmArn"] == arn).expect("the alarm is there");
                let tags = alarm["Tags"].as_object_mut().unwrap();
                for tag in body["Tags"].as_array().into_iter().flatten() {
                    tags.insert(tag["Key"].as_str().unwrap().into(), tag["Value"].clone());
                }
                body["TagKeys"].as_array().into_iter().flatten().for_each(|it| drop(tags.remove(it.as_str().unwrap())));
                json!({})
            }
            "ListAlarmMuteRules" => {
                assert_eq!(body["Statuses"], json!(["ACTIVE"]));
                let arn = |it: &String| format!("arn:aws:cloudwatch:ap-northeast-2:123456789012:alarm-mute-rule:{it}");
                let muted = self.mute_rules.get(&text("AlarmName")).map(Vec::as_slice).unwrap_or_default();
                let rules: Vec<Value> =
                    muted.iter().map(|it| json!({"AlarmMuteRuleArn": arn(it), "Status": "ACTIVE"})).collect();
                json!({"AlarmMuteRuleSummaries": rules})
            }
            "DescribeAlarmContributors" => {
                let all = self.contributors.get(&text("AlarmName")).cloned().unwrap_or_default();
                let from: usize = text("NextToken").parse().unwrap_or_default();
                let mut page = json!({"AlarmContributors": all.iter().skip(from).take(1).collect::<Vec<_>>()});
                if from + 1 < all.len() {
                    page["NextToken"] = json!((from + 1).to_string());
                }
                page
            }
            "GetResources" => self.resources(body),
            "DescribeServices" => self.describe_services(body),
            "DescribeTaskDefinition" => {
                let image = format!("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/api@sha256:{:064x}", 2);
                json!({"taskDefinition": {"containerDefinitions": [{"name": "app", "image": image}]}})
            }
            // The first page is empty, as AWS may answer.
            "ListServiceDeployments" if text("nextToken").is_empty() => {
                json!({"serviceDeployments": [], "nextToken": "1"})
            }
            "ListServiceDeployments" => {
                let past = self.history.get(&text("service")).cloned().unwrap_or_default();
                let brief = |(number, it): (usize, &Value)| {
                    let mut brief = it.clone();
                    brief["targetServiceRevisionArn"] = json!(format!("arn:revision/{}/{number}", text("service")));
                    brief
                };
                json!({"serviceDeployments": past.iter().enumerate().map(brief).collect::<Vec<_>>()})
            }
            "DescribeServiceRevisions" => {
                let revision = |arn: &Value| {
                    let mut parts = arn.as_str().unwrap().split('/').skip(1);
                    let past = &self.history[parts.next().unwrap()];
                    let number: usize = parts.next().unwrap().parse().unwrap();
                    json!({"serviceRevisionArn": arn, "taskDefinition": past[number]["taskDefinition"]})
                };
                let arns = body["serviceRevisionArns"].as_array().unwrap();
                json!({"serviceRevisions": arns.iter().map(revision).collect::<Vec<_>>()})
            }
            "UpdateService" | "TagResource" => json!({}),
            "Invoke" => return Answer::Body(String::new()),
            "RebootDBInstance" | "AddTagsToResource" => return Answer::Xml(String::new()),
            "DescribeDBInstances" => return self.describe_database(call.text("DBInstanceIdentifier")),
            "DescribeDBClusters" => return missing("DBClusterNotFoundFault"),
            other => panic!("the script knows no {other}"),
        };
        Answer::Json(answer)
    }
}

impl Aws {
    fn describe_alarms(&self, body: &Value) -> Value {
        assert_eq!(body["AlarmTypes"], json!(["MetricAlarm", "CompositeAlarm", "LogAlarm"]));
        let names = body["AlarmNames"].as_array().expect("alarms are asked for by name");
        assert!(!names.is_empty() && names.len() <= 100, "{} names", names.len());
        let from: usize = body["NextToken"].as_str().unwrap_or_default().parse().unwrap_or_default();
        let shown = |it: &&Value| it["Hidden"].is_null();
        let found: Vec<&Value> =
            names.iter().filter_map(|it| self.alarms.get(it.as_str().unwrap()).filter(shown)).collect();
        let page: Vec<Value> = found.iter().skip(from).take(self.page).map(|it| without_tags(it)).collect();
        let (composite, others): (Vec<Value>, Vec<Value>) =
            page.into_iter().partition(|it| it["AlarmRule"].is_string());
        let (log, metric): (Vec<Value>, Vec<Value>) =
            others.into_iter().partition(|it| it["QueryResultsToAlarm"].is_u64());
        let mut answer = json!({"MetricAlarms": metric, "CompositeAlarms": composite, "LogAlarms": log});
        if from + self.page < found.len() {
            answer["NextToken"] = json!((from + self.page).to_string());
        }
        answer
    }

    fn alarm_tags(&self, arn: &str) -> Option<&Map<String, Value>> {
        self.alarms.values().find(|it| it["AlarmArn"] == arn)?["Tags"].as_object()
    }

    fn resources(&self, body: &Value) -> Value {
        let key = body["TagFilters"][0]["Key"].as_str().unwrap();
        let pair = |key: &str, value: &Value| json!({"Key": key, "Value": value});
        let mut all: Vec<Value> = Vec::new();
        if body["ResourceTypeFilters"] == json!(["cloudwatch:alarm"]) {
            for it in self.alarms.values() {
                let arn = it["AlarmArn"].as_str().unwrap();
                let mut tags = it["Tags"].as_object().unwrap().clone();
                if self.unindexed.iter().any(|it| it == arn) {
                    tags.remove(REMEDIED);
                }
                let tags: Vec<Value> = tags.iter().map(|(key, value)| pair(key, value)).collect();
                all.push(json!({"ResourceARN": arn, "Tags": tags}));
            }
        } else {
            let tags = |it: &Value| {
                it["tags"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|it| pair(it["key"].as_str().unwrap(), &it["value"]))
                    .collect::<Vec<_>>()
            };
            all.extend(self.services.iter().map(|(arn, it)| json!({"ResourceARN": arn, "Tags": tags(it)})));
        }
        all.retain(|it| it["Tags"].as_array().unwrap().iter().any(|tag| tag["Key"] == key));
        let from: usize = body["PaginationToken"].as_str().unwrap_or_default().parse().unwrap_or_default();
        let next = if from + self.page < all.len() { (from + self.page).to_string() } else { String::new() };
        let page: Vec<Value> = all.into_iter().skip(from).take(self.page).collect();
        json!({"ResourceTagMappingList": page, "PaginationToken": next})
    }

    fn describe_services(&self, body: &Value) -> Value {
        let names = body["services"].as_array().unwrap();
        assert!(names.len() <= 10, "DescribeServices takes ten");
        let arn = |name: &Value| {
            let (cluster, name) = (body["cluster"].as_str().unwrap(), name.as_str().unwrap());
            format!("arn:aws:ecs:ap-northeast-2:123456789012:service/{cluster}/{name}")
        };
        let found: Vec<&Value> = names.iter().filter_map(|it| self.services.get(&arn(it))).collect();
        json!({"services": found, "failures": []})
    }

    fn describe_database(&self, id: &str) -> Answer {
        // RDS finds an identifier however it is written, and shows it in lower case.
        let id = id.to_lowercase();
        let Some(it) = self.databases.get(&id) else { return missing("DBInstanceNotFound") };
        let field = |name: &str| it[name].as_str().unwrap();
        let tags = it["tags"].as_object().unwrap().iter();
        let tags: String = tags
            .map(|(key, value)| format!("<Tag><Key>{key}</Key><Value>{}</Value></Tag>", value.as_str().unwrap()))
            .collect();
        Answer::Xml(format!(
            "<DBInstances><DBInstance>\
             <DBInstanceIdentifier>{id}</DBInstanceIdentifier><DBInstanceStatus>{}</DBInstanceStatus>\
             <DBInstanceArn>arn:aws:rds:ap-northeast-2:123456789012:db:{id}</DBInstanceArn><MultiAZ>{}</MultiAZ>\
             <TagList>{tags}</TagList></DBInstance></DBInstances>",
            field("status"),
            field("multi_az"),
        ))
    }
}

fn without_tags(alarm: &Value) -> Value {
    let mut it = alarm.clone();
    it.as_object_mut().unwrap().remove("Tags");
    it
}

/// What is asked for is not there.
fn missing(code: &'static str) -> Answer {
    Answer::Failed { status: 404, code, message: "gone".into() }
}
