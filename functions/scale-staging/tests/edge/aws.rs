//! A scripted AWS behind the real SDK: it answers over HTTP as ECS, RDS and the others would, and keeps what was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_config::{Region, SdkConfig};
use aws_sdk_ecs::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_http_client::test_util::infallible_client_fn;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use reconcile::Report;
use scale_staging::{Clients, handle};
use serde_json::{Value, json};

pub const SCHEDULE: &str = "nightshift:schedule";
pub const ASLEEP: &str = "nightshift-state:asleep";
const TOPIC: &str = "arn:aws:sns:ap-northeast-2:123456789012:nightshift";

/// One request that was made.
pub struct Call {
    pub operation: String,
    pub body: Value,
}

/// An answer that is not the usual one.
pub struct Fault {
    operation: &'static str,
    /// Only for requests whose body holds this.
    about: String,
    times: usize,
    status: u16,
    code: &'static str,
}

/// What is there, and what has happened.
#[derive(Default)]
pub struct Aws {
    /// Services by ARN, as DescribeServices shows them.
    pub services: BTreeMap<String, Value>,
    /// Scaling targets by resource id.
    pub targets: BTreeMap<String, Value>,
    /// DB instances by id: status and further elements as XML, and tags.
    pub instances: BTreeMap<String, (String, String, BTreeMap<String, String>)>,
    /// Messages of DescribeEvents, each with its moment.
    pub events: Vec<(&'static str, &'static str)>,
    pub snapshots: BTreeMap<String, Vec<String>>,
    /// What the databases have become when a call is refused.
    pub become_on_refusal: Option<&'static str>,
    /// How many resources are on a page.
    pub page: usize,
    pub calls: Vec<Call>,
    pub faults: Vec<Fault>,
}

/// A handle on the script that the client and the test share.
#[derive(Clone)]
pub struct Script(Arc<Mutex<Aws>>);

pub fn service_arn(name: &str) -> String {
    format!("arn:aws:ecs:ap-northeast-2:123456789012:service/{name}")
}

pub fn database_arn(id: &str) -> String {
    format!("arn:aws:rds:ap-northeast-2:123456789012:db:{id}")
}

impl Script {
    pub fn new() -> Self {
        Script(Arc::new(Mutex::new(Aws { page: 100, ..Aws::default() })))
    }

    pub fn aws(&self) -> MutexGuard<'_, Aws> {
        self.0.lock().unwrap()
    }

    /// Sends `payload` to the real function at `now` (local time in Seoul), whose SDK clients talk to this script.
    pub async fn invoke(&self, now: &str, payload: Value) -> Result<Report, String> {
        let script = self.clone();
        let http = infallible_client_fn(move |request: http::Request<SdkBody>| {
            let (status, body) = script.aws().answer(&request);
            let answer = http::Response::builder().status(status).header("x-amzn-requestid", "req-1");
            answer.body(SdkBody::from(body)).unwrap()
        });
        let sdk = SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(Region::new("ap-northeast-2"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
            .retry_config(RetryConfig::standard().with_max_attempts(5))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(SharedTimeSource::new(SystemTimeSource::new()))
            .http_client(http)
            .build();
        let now = format!("{now}:00+09:00");
        let variables = [
            ("NIGHTSHIFT_TIME_ZONE", "Asia/Seoul"),
            ("NIGHTSHIFT_TOPIC_ARN", TOPIC),
            ("NIGHTSHIFT_NOW", now.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "nightshift-scale-staging"),
        ];
        let answer = runtime::invoke_once("scale-staging", &sdk, &variables, Clients::new, handle, payload);
        answer.await.map_err(|it| it.error_message)
    }

    /// Adds a service with so many tasks.
    pub fn serve(&self, name: &str, schedule: &str, desired: i32) -> String {
        let arn = service_arn(name);
        let service = json!({
            "serviceArn": arn, "serviceName": name.rsplit('/').next(), "status": "ACTIVE",
            "schedulingStrategy": "REPLICA", "desiredCount": desired, "runningCount": desired,
            "tags": [{"key": SCHEDULE, "value": schedule}],
            "deployments": [{"status": "PRIMARY", "rolloutState": "COMPLETED", "createdAt": 1_795_000_200}],
        });
        self.aws().services.insert(arn.clone(), service);
        arn
    }

    /// Gives a service a scaling target.
    pub fn scale(&self, name: &str, min: i32, max: i32) {
        let id = format!("service/{name}");
        let target = json!({"ResourceId": id, "ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount",
            "MinCapacity": min, "MaxCapacity": max, "RoleARN": "arn:role", "CreationTime": 1_795_000_000});
        self.aws().targets.insert(id, target);
    }

    /// Adds a DB instance; `more` is further XML of its description.
    pub fn store(&self, id: &str, status: &str, more: &str, tags: &[(&str, &str)]) -> String {
        let tags = tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        self.aws().instances.insert(id.into(), (status.into(), more.into(), tags));
        database_arn(id)
    }

    /// From now on this operation fails, so many times, for requests whose body holds `about`.
    pub fn fail(&self, operation: &'static str, about: &str, times: usize, status: u16, code: &'static str) {
        self.aws().faults.push(Fault { operation, about: about.into(), times, status, code });
    }

    /// How often each operation was called since the last time this was asked.
    pub fn counts(&self) -> Vec<(String, usize)> {
        let mut counts = BTreeMap::new();
        for call in std::mem::take(&mut self.aws().calls) {
            *counts.entry(call.operation).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    /// The bodies of all requests of an operation.
    pub fn sent(&self, operation: &str) -> Vec<Value> {
        self.aws().calls.iter().filter(|it| it.operation == operation).map(|it| it.body.clone()).collect()
    }
}

impl Aws {
    /// The tag `key` of a service.
    pub fn tag(&self, arn: &str, key: &str) -> Option<String> {
        let tags = self.services[arn]["tags"].as_array()?;
        tags.iter().find(|it| it["key"] == key)?["value"].as_str().map(str::to_owned)
    }

    fn answer(&mut self, request: &http::Request<SdkBody>) -> (u16, String) {
        let bytes = request.body().bytes().unwrap_or_default();
        let target = request.headers().get("x-amz-target").and_then(|it| it.to_str().ok());
        let (operation, body) = match target {
            Some(target) => (target.rsplit('.').next().unwrap().to_owned(), serde_json::from_slice(bytes).unwrap()),
            // RDS and SNS speak the older query protocol.
            None => form(std::str::from_utf8(bytes).unwrap()),
        };
        self.calls.push(Call { operation: operation.clone(), body: body.clone() });
        let text = body.to_string();
        let fault =
            self.faults.iter_mut().find(|it| it.operation == operation && it.times > 0 && text.contains(&it.about));
        if let Some(fault) = fault {
            fault.times -= 1;
            if let Some(status) = self.become_on_refusal {
                self.instances.values_mut().for_each(|it| it.0 = status.into());
            }
            return (fault.status, refusal(target.is_some(), fault.code));
        }
        match self.usual(&operation, &body) {
            Ok(answer) => (200, answer),
            Err(code) => (400, refusal(target.is_some(), code)),
        }
    }

    fn usual(&mut self, operation: &str, body: &Value) -> Result<String, &'static str> {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let answer = match operation {
            "GetResources" => self.resources(&text("PaginationToken")),
            "DescribeServices" => self.describe_services(body),
            "DescribeScalableTargets" => self.describe_targets(body),
            "RegisterScalableTarget" => {
                let target = self.targets.get_mut(&text("ResourceId")).unwrap();
                target["MinCapacity"] = body["MinCapacity"].clone();
                target["SuspendedState"] = body["SuspendedState"].clone();
                json!({})
            }
            "UpdateService" => {
                let arn = service_arn(&format!("{}/{}", text("cluster"), text("service")));
                let service = self.services.get_mut(&arn).unwrap();
                service["desiredCount"] = body["desiredCount"].clone();
                service["runningCount"] = body["desiredCount"].clone();
                json!({})
            }
            "TagResource" | "UntagResource" => {
                let tags = self.services.get_mut(&text("resourceArn")).unwrap()["tags"].as_array_mut().unwrap();
                for key in body["tagKeys"].as_array().into_iter().flatten() {
                    tags.retain(|it| it["key"] != *key);
                }
                for tag in body["tags"].as_array().into_iter().flatten() {
                    tags.retain(|it| it["key"] != tag["key"]);
                    tags.push(tag.clone());
                }
                json!({})
            }
            _ => return self.query(operation, &text),
        };
        Ok(answer.to_string())
    }

    fn query(&mut self, operation: &str, text: &dyn Fn(&str) -> String) -> Result<String, &'static str> {
        let id = text("DBInstanceIdentifier");
        let inner = match operation {
            "DescribeDBInstances" => {
                let wanted = self.instances.iter().filter(|(name, _)| id.is_empty() || **name == id);
                format!("<DBInstances>{}</DBInstances>", wanted.map(|(id, it)| described(id, it)).collect::<String>())
            }
            "DescribeDBClusters" => "<DBClusters></DBClusters>".into(),
            "StopDBInstance" => {
                let instance = self.instances.get_mut(&id).unwrap();
                if instance.0 != "available" {
                    return Err("InvalidDBInstanceState");
                }
                instance.0 = "stopping".into();
                let snapshot = text("DBSnapshotIdentifier");
                if !snapshot.is_empty() {
                    self.snapshots.insert(snapshot, Vec::new());
                }
                String::new()
            }
            "StartDBInstance" => {
                self.instances.get_mut(&id).unwrap().0 = "starting".into();
                String::new()
            }
            "DescribeDBSnapshots" => match self.snapshots.contains_key(&text("DBSnapshotIdentifier")) {
                true => format!(
                    "<DBSnapshots><DBSnapshot><DBSnapshotIdentifier>x</DBSnapshotIdentifier><DBSnapshotArn>arn:x</DBSnapshotArn>\
                     <DBInstanceIdentifier>{id}</DBInstanceIdentifier><Status>creating</Status></DBSnapshot></DBSnapshots>"
                ),
                false => return Err("DBSnapshotNotFound"),
            },
            "DescribeEvents" => {
                let event = |(message, date): &(&str, &str)| {
                    format!("<Event><Message>{message}</Message><Date>{date}</Date></Event>")
                };
                format!("<Events>{}</Events>", self.events.iter().map(event).collect::<String>())
            }
            "AddTagsToResource" | "RemoveTagsFromResource" => {
                let name = text("ResourceName").rsplit(':').next().unwrap().to_owned();
                if let Some(snapshot) = self.snapshots.get_mut(&name) {
                    let keys = (1..9).map(|it| text(&format!("Tags.Tag.{it}.Key")));
                    snapshot.extend(keys.filter(|it| !it.is_empty()));
                    return Ok(wrapped(operation, ""));
                }
                let Some((_, _, tags)) = self.instances.get_mut(&name) else { return Err("DBSnapshotNotFound") };
                for it in 1..9 {
                    let (key, value) = (text(&format!("Tags.Tag.{it}.Key")), text(&format!("Tags.Tag.{it}.Value")));
                    tags.remove(&text(&format!("TagKeys.member.{it}")));
                    if !key.is_empty() {
                        tags.insert(key, value);
                    }
                }
                String::new()
            }
            "Publish" => "<MessageId>1</MessageId>".into(),
            other => panic!("the script knows no {other}"),
        };
        Ok(wrapped(operation, &inner))
    }

    fn resources(&self, token: &str) -> Value {
        let from: usize = token.parse().unwrap_or_default();
        let mapping = |(arn, service): (&String, &Value)| {
            let tags = service["tags"].as_array().unwrap().iter();
            let tags: Vec<Value> = tags.map(|it| json!({"Key": it["key"], "Value": it["value"]})).collect();
            json!({"ResourceARN": arn, "Tags": tags})
        };
        let page: Vec<Value> = self.services.iter().skip(from).take(self.page).map(mapping).collect();
        let next = if from + self.page < self.services.len() { (from + self.page).to_string() } else { String::new() };
        json!({"ResourceTagMappingList": page, "PaginationToken": next})
    }

    fn describe_services(&self, body: &Value) -> Value {
        let names = body["services"].as_array().unwrap();
        assert!(names.len() <= 10, "DescribeServices takes ten");
        assert_eq!(body["include"], json!(["TAGS"]));
        let arn =
            |name: &Value| service_arn(&format!("{}/{}", body["cluster"].as_str().unwrap(), name.as_str().unwrap()));
        let (found, missing): (Vec<String>, Vec<String>) =
            names.iter().map(arn).partition(|it| self.services.get(it).is_some_and(|it| it["gone"].is_null()));
        let failure = |arn: &String| json!({"arn": arn, "reason": "MISSING"});
        json!({"services": found.iter().map(|it| &self.services[it]).collect::<Vec<_>>(),
               "failures": missing.iter().map(failure).collect::<Vec<_>>()})
    }

    fn describe_targets(&self, body: &Value) -> Value {
        let named = body["ResourceIds"].as_array();
        assert!(named.is_none_or(|it| it.len() <= 50), "DescribeScalableTargets takes fifty");
        let wanted = self.targets.values().filter(|it| named.is_none_or(|ids| ids.contains(&it["ResourceId"])));
        let from: usize = body["NextToken"].as_str().unwrap_or_default().parse().unwrap_or_default();
        let wanted: Vec<&Value> = wanted.collect();
        let mut answer = json!({"ScalableTargets": wanted.iter().skip(from).take(self.page).collect::<Vec<_>>()});
        if from + self.page < wanted.len() {
            answer["NextToken"] = json!((from + self.page).to_string());
        }
        answer
    }
}

fn described(id: &str, (status, more, tags): &(String, String, BTreeMap<String, String>)) -> String {
    let tags: String =
        tags.iter().map(|(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>")).collect();
    format!(
        "<DBInstance><DBInstanceIdentifier>{id}</DBInstanceIdentifier><DBInstanceArn>{}</DBInstanceArn>\
         <DBInstanceStatus>{status}</DBInstanceStatus><Engine>postgres</Engine>{more}<TagList>{tags}</TagList></DBInstance>",
        database_arn(id)
    )
}

fn wrapped(operation: &str, inner: &str) -> String {
    format!("<{operation}Response><{operation}Result>{inner}</{operation}Result></{operation}Response>")
}

fn refusal(json: bool, code: &str) -> String {
    match json {
        true => json!({"__type": format!("com.amazonaws#{code}"), "message": "refused by the script"}).to_string(),
        false => format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>refused by the script</Message></Error>\
             <RequestId>req-1</RequestId></ErrorResponse>"
        ),
    }
}

/// The operation and the fields of a request in the query protocol.
fn form(body: &str) -> (String, Value) {
    let pair = |it: &str| {
        let (name, value) = it.split_once('=').unwrap();
        (name.to_owned(), Value::String(decoded(value)))
    };
    let fields: serde_json::Map<String, Value> = body.split('&').map(pair).collect();
    (fields["Action"].as_str().unwrap().to_owned(), Value::Object(fields))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}
