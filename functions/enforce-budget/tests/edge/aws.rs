//! AWS as a script: answers the real SDK's requests from a few tables, and keeps what it was sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_ecs::config::{Credentials, Region, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_http_client::test_util::infallible_client_fn;
use aws_smithy_types::body::SdkBody;
use enforce_budget::{Clients, handle};
use reconcile::Report;
use serde_json::{Value, json};

pub const TOPIC: &str = "arn:aws:sns:ap-northeast-2:123456789012:nightshift";
pub const BUDGET_TOPIC: &str = "arn:aws:sns:ap-northeast-2:123456789012:budgets";
pub const BUDGET: &str = "arn:aws:budgets::123456789012:budget/TrueGul Monthly";
pub const SERVICE: &str = "arn:aws:ecs:ap-northeast-2:123456789012:service/staging/api-server";

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Call {
    pub operation: String,
    pub host: String,
    pub signed_for: String,
    pub body: Value,
}

/// An answer that is not the usual one.
struct Fault {
    operation: &'static str,
    /// Only for requests whose body holds this.
    about: String,
    times: usize,
    code: &'static str,
}

/// What is there, and what has happened.
#[derive(Default)]
pub struct Aws {
    /// As DescribeBudgets shows them.
    pub budgets: Vec<Value>,
    /// Tags of budgets, services and databases by ARN.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
    /// What is on one page of DescribeBudgets.
    pub page: usize,
    pub calls: Vec<Call>,
    faults: Vec<Fault>,
}

/// A handle on the script that the client and the test share.
#[derive(Clone)]
pub struct Script(Arc<Mutex<Aws>>);

impl Script {
    /// A shop with an enforced budget of 300 USD of which so much is spent, and an expendable service.
    pub fn new(spent: &str) -> Self {
        let script = Script(Arc::default());
        script.aws().page = 100;
        script.add_budget("TrueGul Monthly", spent);
        script.tag(BUDGET, "nightshift:budget", "enforce");
        script.tag(SERVICE, "nightshift:budget", "sleep-at=100");
        script.tag(SERVICE, "nightshift:schedule", "always");
        script
    }

    pub fn aws(&self) -> MutexGuard<'_, Aws> {
        self.0.lock().unwrap()
    }

    pub fn add_budget(&self, name: &str, spent: &str) {
        self.aws().budgets.push(json!({
            "BudgetName": name, "BudgetType": "COST", "TimeUnit": "MONTHLY",
            "BudgetLimit": {"Amount": "300.0", "Unit": "USD"},
            "CalculatedSpend": {"ActualSpend": {"Amount": spent, "Unit": "USD"}},
            "TimePeriod": {"Start": 1_767_225_600, "End": 3_706_473_600_u64},
        }));
    }

    pub fn tag(&self, arn: &str, key: &str, value: &str) {
        self.aws().tags.entry(arn.into()).or_default().insert(key.into(), value.into());
    }

    pub fn tag_of(&self, arn: &str, key: &str) -> Option<String> {
        self.aws().tags.get(arn)?.get(key).cloned()
    }

    pub fn spent(&self, amount: &str) {
        self.aws().budgets[0]["CalculatedSpend"]["ActualSpend"]["Amount"] = json!(amount);
    }

    /// Sends `payload` to the real function, whose SDK clients talk to this script.
    pub async fn invoke(&self, payload: Value) -> Result<Report, String> {
        self.invoke_with(payload, &[("NIGHTSHIFT_BUDGET_TOPIC_ARN", BUDGET_TOPIC), ("NIGHTSHIFT_TOPIC_ARN", TOPIC)])
            .await
    }

    /// The same, with these variables in the environment.
    pub async fn invoke_with(&self, payload: Value, topics: &[(&str, &str)]) -> Result<Report, String> {
        let script = self.clone();
        let http = infallible_client_fn(move |request: http::Request<SdkBody>| {
            let (status, body) = script.aws().answer(&request);
            http::Response::builder()
                .status(status)
                .header("x-amzn-requestid", "req-1")
                .body(SdkBody::from(body))
                .unwrap()
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
        let variables = [
            &[
                ("NIGHTSHIFT_TIME_ZONE", "Asia/Seoul"),
                ("NIGHTSHIFT_NOW", "2026-11-24T12:00:00+09:00"),
                ("AWS_LAMBDA_FUNCTION_NAME", "nightshift-enforce-budget"),
            ],
            topics,
        ]
        .concat();
        runtime::invoke_once("enforce-budget", &sdk, &variables, Clients::new, handle, payload)
            .await
            .map_err(|it| it.error_message)
    }

    /// From now on this operation fails, so many times, for requests whose body holds `about`.
    pub fn fail(&self, operation: &'static str, about: &str, times: usize, code: &'static str) {
        self.aws().faults.push(Fault { operation, about: about.into(), times, code });
    }

    /// From now on nothing fails.
    pub fn mend(&self) {
        self.aws().faults.clear();
    }

    pub fn count(&self, operation: &str) -> usize {
        self.sent(operation).len()
    }

    /// The bodies of all requests of an operation.
    pub fn sent(&self, operation: &str) -> Vec<Value> {
        self.aws().calls.iter().filter(|it| it.operation == operation).map(|it| it.body.clone()).collect()
    }

    /// The operations that change or tell something.
    pub fn writes(&self) -> Vec<String> {
        let reads = ["Describe", "List", "Get"];
        let all = self.aws().calls.iter().map(|it| it.operation.clone()).collect::<Vec<_>>();
        all.into_iter().filter(|it| !reads.iter().any(|read| it.starts_with(read))).collect()
    }
}

impl Aws {
    fn answer(&mut self, request: &http::Request<SdkBody>) -> (u16, String) {
        let bytes = request.body().bytes().unwrap_or_default();
        let header = |name: &str| request.headers().get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
        let path = request.uri().path();
        let (operation, body) = match (header("x-amz-target"), path.split_once("/functions/")) {
            (Some(target), _) => {
                (target.rsplit('.').next().unwrap().to_owned(), serde_json::from_slice(bytes).unwrap())
            }
            (None, Some((_, function))) => {
                let payload: Value = serde_json::from_slice(bytes).unwrap();
                let function = function.trim_end_matches("/invocations");
                (
                    "Invoke".to_owned(),
                    json!({"function": function, "type": header("x-amz-invocation-type"), "payload": payload}),
                )
            }
            // SNS and RDS speak the older query protocol.
            (None, None) => form(std::str::from_utf8(bytes).unwrap()),
        };
        let scope = header("authorization").unwrap_or_default();
        let signed_for = scope.split('/').nth(2).unwrap_or_default().to_owned();
        let host = request.uri().host().unwrap_or_default().to_owned();
        self.calls.push(Call { operation: operation.clone(), host, signed_for, body: body.clone() });
        let text = body.to_string();
        let fault =
            self.faults.iter_mut().find(|it| it.operation == operation && it.times > 0 && text.contains(&it.about));
        if let Some(fault) = fault {
            fault.times -= 1;
            let error = json!({"__type": format!("com.amazonaws#{}", fault.code), "message": "refused by the script"});
            let xml = format!(
                "<ErrorResponse><Error><Code>{}</Code><Message>refused</Message></Error></ErrorResponse>",
                fault.code
            );
            return (400, if operation == "Publish" { xml } else { error.to_string() });
        }
        (200, self.usual(&operation, &body))
    }

    fn usual(&mut self, operation: &str, body: &Value) -> String {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let answer = match operation {
            "DescribeBudgets" => {
                assert_eq!((text("AccountId").as_str(), body["MaxResults"].as_u64()), ("123456789012", Some(1000)));
                let from: usize = text("NextToken").parse().unwrap_or_default();
                let page: Vec<&Value> = self.budgets.iter().skip(from).take(self.page).collect();
                let mut answer = json!({"Budgets": page});
                if from + self.page < self.budgets.len() {
                    answer["NextToken"] = json!((from + self.page).to_string());
                }
                answer
            }
            "ListTagsForResource" => {
                let tags = self.tags.get(&text("ResourceARN")).cloned().unwrap_or_default();
                let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
                json!({"ResourceTags": tags})
            }
            "TagResource" | "UntagResource" => {
                let arn = if body["ResourceARN"].is_null() { text("resourceArn") } else { text("ResourceARN") };
                let tags = self.tags.entry(arn).or_default();
                for key in
                    [&body["tagKeys"], &body["ResourceTagKeys"]].into_iter().filter_map(Value::as_array).flatten()
                {
                    tags.remove(key.as_str().unwrap());
                }
                for tag in [&body["tags"], &body["ResourceTags"]].into_iter().filter_map(Value::as_array).flatten() {
                    let field = |lower: &str, upper: &str| {
                        let it = if tag[lower].is_null() { &tag[upper] } else { &tag[lower] };
                        it.as_str().unwrap().to_owned()
                    };
                    tags.insert(field("key", "Key"), field("value", "Value"));
                }
                json!({})
            }
            "GetResources" => {
                let key = body["TagFilters"][0]["Key"].as_str().unwrap().to_owned();
                let has = self.tags.iter().filter(|(arn, tags)| arn.contains(":ecs:") && tags.contains_key(&key));
                let mapping = |arn: &String| json!({"ResourceARN": arn, "Tags": [{"Key": key, "Value": "?"}]});
                json!({"ResourceTagMappingList": has.map(|(arn, _)| mapping(arn)).collect::<Vec<_>>(), "PaginationToken": ""})
            }
            "DescribeServices" => {
                let service = |arn: &Value| {
                    let tags = &self.tags[arn.as_str().unwrap()];
                    let tags: Vec<Value> =
                        tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
                    json!({"serviceArn": arn, "status": "ACTIVE", "tags": tags})
                };
                let asked = body["services"].as_array().unwrap();
                assert!(asked.len() <= 10, "DescribeServices takes ten");
                json!({"services": asked.iter().map(service).collect::<Vec<_>>()})
            }
            "Invoke" => return String::new(),
            "DescribeDBInstances" => return self.databases(),
            "DescribeDBClusters" => {
                return "<DescribeDBClustersResponse><DescribeDBClustersResult><DBClusters/></DescribeDBClustersResult></DescribeDBClustersResponse>".into();
            }
            "AddTagsToResource" => {
                let tag = (text("Tags.Tag.1.Key"), text("Tags.Tag.1.Value"));
                self.tags.entry(text("ResourceName")).or_default().extend([tag]);
                return "<AddTagsToResourceResponse/>".into();
            }
            "RemoveTagsFromResource" => {
                self.tags.entry(text("ResourceName")).or_default().remove(&text("TagKeys.member.1"));
                return "<RemoveTagsFromResourceResponse/>".into();
            }
            "Publish" => {
                return "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"
                    .into();
            }
            other => panic!("the script knows no {other}"),
        };
        answer.to_string()
    }

    fn databases(&self) -> String {
        let tag = |(key, value): (&String, &String)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
        let instance = |(arn, tags): (&String, &BTreeMap<String, String>)| {
            let tags: String = tags.iter().map(tag).collect();
            let name = arn.rsplit(':').next().unwrap();
            format!(
                "<DBInstance><DBInstanceIdentifier>{name}</DBInstanceIdentifier><DBInstanceArn>{arn}</DBInstanceArn>\
                 <DBInstanceStatus>available</DBInstanceStatus><TagList>{tags}</TagList></DBInstance>"
            )
        };
        let instances: String = self.tags.iter().filter(|(arn, _)| arn.contains(":rds:")).map(instance).collect();
        format!(
            "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances>{instances}</DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"
        )
    }
}

/// The operation and the fields of a request in the query protocol.
fn form(text: &str) -> (String, Value) {
    let decoded = |it: &str| {
        let it = it.replace('+', " ");
        let mut bytes = Vec::new();
        let mut rest = it.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            let hex =
                (*first == b'%').then(|| u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
            bytes.push(hex.unwrap_or(*first));
            rest = if hex.is_some() { &after[2..] } else { after };
        }
        String::from_utf8(bytes).unwrap()
    };
    let pairs = text.split('&').filter_map(|it| it.split_once('='));
    let fields: serde_json::Map<String, Value> =
        pairs.map(|(key, value)| (decoded(key), json!(decoded(value)))).collect();
    (fields["Action"].as_str().unwrap().to_owned(), Value::Object(fields))
}
