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
        match call.host.split('.').next() {
            Some("ec2") => return self.ec2(call),
            Some("autoscaling") => return self.auto_scaling(call),
            _ => {}
        }
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

/// Resources by their ARNs, with their tags.
type Listed<'a> = Vec<(&'a String, &'a BTreeMap<String, String>)>;

/// The tags that a listing asks for.
const ASKED: [&str; 2] = ["nightshift:budget", "nightshift-state:hold"];

impl Aws {
    /// Tagged resources of a kind, in pages of two: those from `token` on, and the token of the next page.
    fn page_of(&self, kind: &str, token: &str) -> (Listed<'_>, String) {
        let asked = |tags: &BTreeMap<String, String>| ASKED.iter().any(|it| tags.contains_key(*it));
        let all = self.tags.iter().filter(|(arn, tags)| arn.contains(kind) && asked(tags)).collect::<Vec<_>>();
        let from: usize = token.parse().unwrap_or_default();
        let next = if from + 2 < all.len() { (from + 2).to_string() } else { String::new() };
        (all.into_iter().skip(from).take(2).collect(), next)
    }

    fn ec2(&mut self, call: &Call) -> Answer {
        let id = call.text("ResourceId.1");
        let arn = format!("arn:aws:ec2:ap-northeast-2:123456789012:instance/{id}");
        match call.operation.as_str() {
            "DescribeInstances" => {
                assert_eq!(call.text("Filter.1.Name"), "tag-key");
                assert_eq!(ASKED, [call.text("Filter.1.Value.1"), call.text("Filter.1.Value.2")]);
                let (page, next) = self.page_of(":instance/", call.text("NextToken"));
                let tag =
                    |(key, value): (&String, &String)| format!("<item><key>{key}</key><value>{value}</value></item>");
                let instance = |(arn, tags): &(&String, &BTreeMap<String, String>)| {
                    let id = arn.rsplit('/').next().unwrap();
                    let state = if id.contains("gone") { "terminated" } else { "running" };
                    format!(
                        "<item><ownerId>123456789012</ownerId><instancesSet><item><instanceId>{id}</instanceId>\
                         <instanceState><name>{state}</name></instanceState><tagSet>{}</tagSet></item></instancesSet></item>",
                        tags.iter().map(tag).collect::<String>()
                    )
                };
                let page: String = page.iter().map(instance).collect();
                return Answer::Body(format!(
                    "<DescribeInstancesResponse><reservationSet>{page}</reservationSet><nextToken>{next}</nextToken>\
                     </DescribeInstancesResponse>"
                ));
            }
            "CreateTags" => {
                let tag = (call.text("Tag.1.Key").to_owned(), call.text("Tag.1.Value").to_owned());
                self.tags.get_mut(&arn).unwrap().extend([tag]);
            }
            "DeleteTags" => drop(self.tags.get_mut(&arn).unwrap().remove(call.text("Tag.1.Key"))),
            other => panic!("EC2 knows no {other}"),
        }
        Answer::Body(format!("<{0}Response><return>true</return></{0}Response>", call.operation))
    }

    fn auto_scaling(&mut self, call: &Call) -> Answer {
        let name = call.text("Tags.member.1.ResourceId");
        let key = call.text("Tags.member.1.Key").to_owned();
        let group = self.tags.iter_mut().find(|(arn, _)| arn.ends_with(&format!("autoScalingGroupName/{name}")));
        let inner = match call.operation.as_str() {
            "DescribeAutoScalingGroups" => {
                let asked =
                    [call.text("Filters.member.1.Values.member.1"), call.text("Filters.member.1.Values.member.2")];
                assert_eq!((call.text("Filters.member.1.Name"), asked), ("tag-key", ASKED));
                let (page, next) = self.page_of("autoScalingGroupName/", call.text("NextToken"));
                let tag = |(key, value): (&String, &String)| {
                    format!("<member><Key>{key}</Key><Value>{value}</Value></member>")
                };
                let group = |(arn, tags): &(&String, &BTreeMap<String, String>)| {
                    let name = arn.rsplit('/').next().unwrap();
                    let status = if name.contains("gone") { "<Status>Delete in progress</Status>" } else { "" };
                    format!(
                        "<member><AutoScalingGroupARN>{arn}</AutoScalingGroupARN><AutoScalingGroupName>{name}\
                         </AutoScalingGroupName>{status}<Tags>{}</Tags></member>",
                        tags.iter().map(tag).collect::<String>()
                    )
                };
                let page: String = page.iter().map(group).collect();
                format!("<AutoScalingGroups>{page}</AutoScalingGroups><NextToken>{next}</NextToken>")
            }
            "CreateOrUpdateTags" => {
                assert_eq!(call.text("Tags.member.1.PropagateAtLaunch"), "false");
                group.unwrap().1.extend([(key, call.text("Tags.member.1.Value").to_owned())]);
                String::new()
            }
            "DeleteTags" => {
                drop(group.unwrap().1.remove(&key));
                String::new()
            }
            other => panic!("Auto Scaling knows no {other}"),
        };
        Answer::Body(format!("<{0}Response><{0}Result>{inner}</{0}Result></{0}Response>", call.operation))
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
        format!("<DBInstances>{instances}</DBInstances>")
    }
}
