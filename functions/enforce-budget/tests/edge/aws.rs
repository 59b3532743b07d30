//! Budgets, services and databases as tables that answer the real SDK, and what the function makes of them.

use std::collections::BTreeMap;

use enforce_budget::{Clients, handle};
use reconcile::Report;
use serde_json::{Value, json};
use testkit::scripted::{Answer, Call, Script as Scripted, Tables};

pub const TOPIC: &str = "arn:aws:sns:ap-northeast-2:123456789012:nightshift";
pub const BUDGET_TOPIC: &str = "arn:aws:sns:ap-northeast-2:123456789012:budgets";
pub const BUDGET: &str = "arn:aws:budgets::123456789012:budget/TrueGul Monthly";
/// One reading has shown that the budget is spent.
pub const SEEN: &str = "period=2026-11-01 actual=0 told=0 forecast=0 seen=101 at=2026-11-24T01:00:00Z";
pub const SERVICE: &str = "arn:aws:ecs:ap-northeast-2:123456789012:service/staging/api-server";

/// What is there.
#[derive(Default)]
pub struct Aws {
    /// As DescribeBudgets shows them.
    pub budgets: Vec<Value>,
    /// Tags of budgets, services and databases by ARN.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
    /// What is on one page of DescribeBudgets.
    pub page: usize,
    /// Sums of the one metric that CloudWatch has, by the beginnings of days.
    pub sums: Vec<(String, String)>,
    /// What another run remembers on a budget once this one has read its tags.
    pub overtaken: Option<&'static str>,
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
    /// A shop with an enforced budget of 300 USD of which so much is spent, and an expendable service.
    pub fn new(spent: &str) -> Self {
        let script = Script(Scripted::new(Aws { page: 100, ..Aws::default() }));
        script.add_budget("TrueGul Monthly", spent);
        script.tag(BUDGET, "nightshift:budget", "enforce");
        script.tag(SERVICE, "nightshift:budget", "sleep-at=100");
        script.tag(SERVICE, "nightshift:schedule", "always");
        script
    }

    /// The same, where the last run, two hours ago, saw the figure first.
    pub fn seen(spent: &str) -> Self {
        let script = Script::new(spent);
        script.tag(BUDGET, "nightshift-state:warned", SEEN);
        script
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
        let sdk = self.sdk();
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

    /// From now on this operation fails, that many times, for requests whose body holds `about`.
    pub fn fail(&self, operation: &'static str, about: &str, times: usize, code: &'static str) {
        self.refuse(operation, about, times, 400, code);
    }

    /// The operations that change or tell something.
    pub fn writes(&self) -> Vec<String> {
        let reads = ["Describe", "List", "Get"];
        let all = self.all_calls().into_iter().map(|it| it.operation);
        all.filter(|it| !reads.iter().any(|read| it.starts_with(read))).collect()
    }
}

impl Tables for Aws {
    fn answer(&mut self, call: &Call) -> Answer {
        let (operation, body) = (call.operation.as_str(), &call.body);
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
                if let Some(memory) = self.overtaken.take() {
                    let now = self.tags.entry(text("ResourceARN")).or_default();
                    now.insert("nightshift-state:warned".into(), memory.into());
                }
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
                let service = |name: &Value| {
                    let (cluster, name) = (text("cluster"), name.as_str().unwrap());
                    let arn = format!("arn:aws:ecs:ap-northeast-2:123456789012:service/{cluster}/{name}");
                    let tags = &self.tags[&arn];
                    let tags: Vec<Value> =
                        tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
                    json!({"serviceArn": arn, "status": "ACTIVE", "tags": tags})
                };
                let asked = body["services"].as_array().unwrap();
                assert!(asked.len() <= 10, "DescribeServices takes ten");
                json!({"services": asked.iter().map(service).collect::<Vec<_>>()})
            }
            "GetMetricStatistics" => {
                assert_eq!(call.host, "monitoring.ap-northeast-2.amazonaws.com");
                let point = |(at, sum): &(String, String)| {
                    format!("<member><Timestamp>{at}</Timestamp><Sum>{sum}</Sum><Unit>Count</Unit></member>")
                };
                let points: String = self.sums.iter().map(point).collect();
                return Answer::Xml(format!("<Datapoints>{points}</Datapoints><Label>Answers</Label>"));
            }
            "Invoke" => return Answer::Body(String::new()),
            "DescribeDBInstances" => return Answer::Xml(self.databases()),
            "DescribeDBClusters" => return Answer::Xml("<DBClusters/>".into()),
            "AddTagsToResource" => {
                let tag = (text("Tags.Tag.1.Key"), text("Tags.Tag.1.Value"));
                self.tags.entry(text("ResourceName")).or_default().extend([tag]);
                return Answer::Xml(String::new());
            }
            "RemoveTagsFromResource" => {
                self.tags.entry(text("ResourceName")).or_default().remove(&text("TagKeys.member.1"));
                return Answer::Xml(String::new());
            }
            other => panic!("the script knows no {other}"),
        };
        Answer::Json(answer)
    }
}

impl Aws {
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
        format!("<DBInstances>{instances}</DBInstances>")
    }
}
