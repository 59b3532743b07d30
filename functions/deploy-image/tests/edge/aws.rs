//! AWS as a script: answers the real SDK's requests byte for byte from a few tables, and keeps what it was sent.

use std::collections::BTreeMap;
use std::sync::MutexGuard;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use deploy_image::health::Probe;
use deploy_image::{Clients, handle};
use reconcile::Report;
use serde_json::{Value, json};
use testkit::scripted::{self, Answer, Call, TOPIC, Tables};

use crate::codedeploy::CodeDeploy;

const REGISTRY: &str = "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com";
/// What carries the same tag and is not for this function.
const NOT_HERE: [&str; 2] = [
    "arn:aws:ec2:ap-northeast-2:123456789012:instance/i-0abc",
    "arn:aws:ecs:ap-northeast-2:123456789012:task-definition/service/api:1",
];

const DEPLOY: &str = "nightshift:deploy";

/// What is there, and what has happened.
#[derive(Default)]
pub struct Aws {
    /// Services by ARN, as DescribeServices shows them.
    pub services: BTreeMap<String, Value>,
    /// Task definitions by ARN: the whole answer of DescribeTaskDefinition.
    pub task_definitions: Vec<(String, Value)>,
    /// The pages of DescribeImages by repository.
    pub images: BTreeMap<String, Vec<Vec<Value>>>,
    /// Service revisions by ARN, as DescribeServiceRevisions shows them.
    pub revisions: BTreeMap<String, Value>,
    /// Whether repositories have a lifecycle policy.
    pub lifecycle: bool,
    /// ServiceDeploymentBriefs by service name, with the task definition under `taskDefinition`.
    pub history: BTreeMap<String, Vec<Value>>,
    /// Service deployments by ARN, as DescribeServiceDeployments shows them.
    pub shifts: BTreeMap<String, Value>,
    /// The pages of DescribeImageScanFindings by digest; none is an image without a scan.
    pub scans: BTreeMap<String, Vec<Value>>,
    /// Manifests by digest.
    pub manifests: BTreeMap<String, Value>,
    pub codedeploy: CodeDeploy,
    /// What the tag index answers of alarms.
    pub alarms: Value,
    /// What the tag index answers of schedule groups.
    pub groups: Value,
    /// Schedules by name, as GetSchedule shows them.
    pub schedules: BTreeMap<String, Value>,
    /// What the schedule of this name is once it was read.
    pub schedule_changes_after_reading: Option<Value>,
    /// The parameter of that name.
    pub schedule_roles: String,
    /// Tasks by ARN, as DescribeTasks shows them.
    pub tasks: BTreeMap<String, Value>,
    /// What RDS answers, as XML, by operation.
    pub databases: BTreeMap<&'static str, String>,
    /// What each address answers, one after the other; 0 for no answer.
    pub health: Vec<u16>,
    /// The states of the targets by target group; one on each look, the last one stays.
    pub targets: BTreeMap<String, Vec<&'static str>>,
    /// How many deployments were begun.
    pub deployments: usize,
    /// A service that is deployed by something else once it was described.
    pub changes_after_reading: Option<String>,
    /// ECS has no room for the next task.
    pub no_capacity: bool,
    /// The first page of ListServiceDeployments is empty, and not the last one.
    pub empty_page: bool,
    /// How many resources are on a page of the tagging API.
    pub page: usize,
    /// The addresses that were asked.
    pub asked: Vec<Value>,
    /// The pages of GetTagKeys; none is an account whose role may not ask.
    pub tag_keys: Option<Vec<Vec<&'static str>>>,
    /// The roles, secrets, parameters and log groups that do not exist, by name or ARN; all others do.
    pub missing: Vec<&'static str>,
}

/// A handle on the script that the client and the test share.
#[derive(Clone)]
pub struct Script(scripted::Script<Aws>);

impl Script {
    pub fn new() -> Self {
        Script(scripted::Script::new(Aws { page: 100, tag_keys: Some(vec![]), ..Aws::default() }))
    }

    pub fn aws(&self) -> MutexGuard<'_, Aws> {
        self.0.aws()
    }

    /// Sends `payload` to the real function, whose SDK clients talk to this script.
    pub async fn invoke(&self, payload: Value) -> Result<Report, String> {
        self.invoke_with(self.0.sdk(), payload).await
    }

    /// The same, and each answer lets other runs make their next call first.
    pub async fn invoke_in_lockstep(&self, payload: Value) -> Result<Report, String> {
        let sdk = self.0.sdk();
        let inner = sdk.http_client().expect("a script has one");
        let sdk = sdk.to_builder().http_client(InLockstep(inner)).build();
        self.invoke_with(sdk, payload).await
    }

    async fn invoke_with(&self, sdk: SdkConfig, payload: Value) -> Result<Report, String> {
        let roles = self.aws().schedule_roles.clone();
        let variables = [
            ("NIGHTSHIFT_TIME_ZONE", "Asia/Seoul"),
            ("NIGHTSHIFT_TOPIC_ARN", TOPIC),
            ("NIGHTSHIFT_NOW", "2026-11-21T03:10:00+09:00"),
            ("AWS_LAMBDA_FUNCTION_NAME", "nightshift-deploy-image"),
            ("NIGHTSHIFT_SCHEDULE_ROLES", roles.as_str()),
        ];
        let clients = |sdk: &SdkConfig| Clients::new(sdk).with_probe(Probe::of(self.clone()));
        runtime::invoke_once("deploy-image", &sdk, &variables, clients, handle, payload)
            .await
            .map_err(|it| it.error_message)
    }

    /// Adds a service that runs `image` (`:tag` or `@digest` of its own repository) in a family of its own.
    pub fn serve(&self, name: &str, rule: &str, image: &str) -> String {
        let mut aws = self.aws();
        let family = name.rsplit('/').next().unwrap();
        let revision = aws.add_revision(
            family,
            json!({"containerDefinitions": [
            {"name": "app", "image": format!("{REGISTRY}/{family}{image}"), "essential": true}]}),
            json!([]),
        );
        aws.add_service(name, rule, &revision)
    }

    /// Adds an image to the last page of a repository.
    pub fn push(&self, repository: &str, tag: &str, number: u32, minute: u32) {
        let image = image(tag, number, minute);
        self.aws().images.entry(repository.into()).or_insert_with(|| vec![vec![]]).last_mut().unwrap().push(image);
    }

    /// From now on this operation fails, that many times, for requests whose body holds `about`.
    pub fn fail(&self, operation: &'static str, about: &str, times: usize, status: u16, code: &'static str) {
        self.0.refuse(operation, about, times, status, code);
    }

    /// How often each operation was called.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.0.counts()
    }

    /// How often an operation was called, or with `GET` an address asked.
    pub fn count(&self, operation: &str) -> usize {
        self.sent(operation).len()
    }

    /// The bodies of all requests of an operation.
    pub fn sent(&self, operation: &str) -> Vec<Value> {
        if operation == "GET" { self.aws().asked.clone() } else { self.0.bodies(operation) }
    }
}

/// A client whose answers arrive when all others that run beside it have made their call as well.
#[derive(Debug, Clone)]
struct InLockstep<T>(T);

impl HttpClient for InLockstep<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(InLockstep(self.0.http_connector(settings, parts)))
    }
}

impl HttpConnector for InLockstep<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            tokio::task::yield_now().await;
            answer.await
        })
    }
}

/// The addresses that are asked after a deployment.
impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut aws = self.aws();
        aws.asked.push(json!(request.uri()));
        HttpConnectorFuture::ready(match aws.health.remove(0) {
            0 => Err(ConnectorError::other("as the script says".into(), None)),
            status => Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::empty())),
        })
    }
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

pub fn digest(number: u32) -> String {
    format!("sha256:{number:064x}")
}

pub fn image(tag: &str, number: u32, minute: u32) -> Value {
    let tags = if tag.is_empty() { json!([]) } else { json!([tag]) };
    json!({"imageDigest": digest(number), "imageTags": tags, "imagePushedAt": 1_795_000_000 + minute * 60, "imageStatus": "ACTIVE"})
}

impl Tables for Aws {
    fn answer(&mut self, call: &Call) -> Answer {
        let refused = |(code, message)| Answer::Failed { status: 400, code, message };
        self.usual(&call.operation, &call.body).unwrap_or_else(refused)
    }
}

impl Aws {
    pub fn add_revision(&mut self, family: &str, fields: Value, tags: Value) -> String {
        let number = 1 + self.task_definitions.iter().filter(|(arn, _)| family_of(arn) == family).count();
        let arn = format!("arn:aws:ecs:ap-northeast-2:123456789012:task-definition/{family}:{number}");
        let mut definition = fields;
        definition["taskDefinitionArn"] = json!(arn);
        definition["family"] = json!(family);
        definition["revision"] = json!(number);
        definition["status"] = json!("ACTIVE");
        definition["registeredAt"] = json!(1_795_000_100.5);
        self.task_definitions.push((arn.clone(), json!({"taskDefinition": definition, "tags": tags})));
        arn
    }

    pub fn add_service(&mut self, name: &str, rule: &str, revision: &str) -> String {
        let arn = format!("arn:aws:ecs:ap-northeast-2:123456789012:service/{name}");
        let short = name.rsplit('/').next().unwrap();
        let service = json!({
            "serviceArn": arn, "serviceName": short, "status": "ACTIVE", "desiredCount": 2, "runningCount": 2,
            "taskDefinition": revision, "tags": [{"key": DEPLOY, "value": rule}],
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
            "deployments": [{"id": "ecs-svc/1", "status": "PRIMARY", "taskDefinition": revision, "rolloutState": "COMPLETED",
                             "createdAt": 1_795_000_200, "updatedAt": 1_795_000_300}],
        });
        self.services.insert(arn.clone(), service);
        arn
    }

    /// The tag `key` of a service.
    pub fn tag(&self, arn: &str, key: &str) -> Option<String> {
        let tags = self.services[arn]["tags"].as_array()?;
        tags.iter().find(|it| it["key"] == key)?["value"].as_str().map(str::to_owned)
    }

    fn usual(&mut self, operation: &str, body: &Value) -> Result<Answer, (&'static str, String)> {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let answer = match operation {
            "GetResources" if body["ResourceTypeFilters"] == json!(["cloudwatch:alarm"]) => self.alarms.clone(),
            "ListSchedules" => {
                let listed = |name: &String| json!({"GroupName": body["ScheduleGroup"], "Name": name});
                json!({"Schedules": self.schedules.keys().map(listed).collect::<Vec<_>>()})
            }
            "GetSchedule" => {
                let schedule = self.schedules.get(&text("Name")).cloned().unwrap_or_default();
                if let Some(changed) = self.schedule_changes_after_reading.take_if(|it| it["Name"] == body["Name"]) {
                    self.schedules.insert(text("Name"), changed);
                }
                schedule
            }
            "UpdateSchedule" => {
                self.schedules.insert(text("Name"), body.clone());
                json!({})
            }
            "TagResource" if text("Name").contains(":schedule-group/") => json!({}),
            "UntagResource" if text("Name").contains(":schedule-group/") => json!({}),
            "GetResources" => self.resources(body["ResourceTypeFilters"].is_null(), &text("PaginationToken")),
            "GetTagKeys" => {
                let pages = self.tag_keys.as_ref().ok_or(("AccessDeniedException", "no".to_owned()))?;
                let at: usize = text("PaginationToken").parse().unwrap_or_default();
                let next = if at + 1 < pages.len() { (at + 1).to_string() } else { String::new() };
                json!({"TagKeys": pages.get(at).cloned().unwrap_or_default(), "PaginationToken": next})
            }
            "DescribeServices" => {
                let answer = self.describe_services(body);
                if let Some(arn) = self.changes_after_reading.take() {
                    let service = self.services.get_mut(&arn).unwrap();
                    service["deployments"][0]["id"] = json!("ecs-svc/of-something-else");
                    service["runningCount"] = json!(1);
                }
                answer
            }
            "DescribeTaskDefinition" => self.describe_task_definition(&text("taskDefinition"))?,
            "DescribeImages" => self.describe_images(&text("repositoryName"), &text("nextToken"))?,
            "DescribeImageScanFindings" => {
                let digest = body["imageId"]["imageDigest"].as_str().unwrap();
                let missing = || ("ScanNotFoundException", "Image scan does not exist for the image".to_owned());
                let pages = self.scans.get(digest).ok_or_else(missing)?;
                let at: usize = text("nextToken").parse().unwrap_or_default();
                let mut answer = pages[at].clone();
                if at + 1 < pages.len() {
                    answer["nextToken"] = json!((at + 1).to_string());
                }
                answer
            }
            "BatchGetImage" => {
                let digest = body["imageIds"][0]["imageDigest"].as_str().unwrap();
                let single = json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []});
                let manifest = self.manifests.get(digest).unwrap_or(&single);
                json!({"images": [{"imageId": {"imageDigest": digest}, "imageManifest": manifest.to_string()}], "failures": []})
            }
            "GetLifecyclePolicy" if self.lifecycle => json!({"lifecyclePolicyText": "{}"}),
            "GetLifecyclePolicy" => return Err(("LifecyclePolicyNotFoundException", "there is none".into())),
            "ListTasks" => self.list_tasks(&text("family"), &text("desiredStatus"), &text("nextToken")),
            "DescribeTasks" => {
                let arns = body["tasks"].as_array().unwrap();
                assert!(arns.len() <= 100, "DescribeTasks takes a hundred");
                json!({"tasks": arns.iter().filter_map(|it| self.tasks.get(it.as_str()?)).collect::<Vec<_>>(), "failures": []})
            }
            "RunTask" if std::mem::take(&mut self.no_capacity) => {
                json!({"tasks": [], "failures": [{"reason": "RESOURCE:CPU", "detail": "no room"}]})
            }
            "RunTask" => {
                let arn = format!("arn:aws:ecs:ap-northeast-2:123456789012:task/shop/{}", self.tasks.len() + 1);
                let task = json!({"taskArn": arn, "startedBy": body["startedBy"], "taskDefinitionArn": body["taskDefinition"],
                    "desiredStatus": "RUNNING", "lastStatus": "PROVISIONING", "containers": []});
                self.tasks.insert(arn, task.clone());
                json!({"tasks": [task], "failures": []})
            }
            "RegisterTaskDefinition" => {
                let arn = self.add_revision(&text("family"), body.clone(), body["tags"].clone());
                json!({"taskDefinition": {"taskDefinitionArn": arn}})
            }
            "UpdateService" => {
                let arn =
                    format!("arn:aws:ecs:ap-northeast-2:123456789012:service/{}/{}", text("cluster"), text("service"));
                let service = self.services.get_mut(&arn).unwrap();
                service["taskDefinition"] = body["taskDefinition"].clone();
                self.deployments += 1;
                service["deployments"] = json!([{"id": format!("ecs-svc/new-{}", self.deployments), "status": "PRIMARY", "taskDefinition": body["taskDefinition"],
                    "rolloutState": "IN_PROGRESS", "createdAt": 1_795_197_000}]);
                json!({})
            }
            "TagResource" | "UntagResource" => {
                let service = self.services.get_mut(&text("resourceArn")).unwrap();
                let tags = service["tags"].as_array_mut().unwrap();
                for key in body["tagKeys"].as_array().into_iter().flatten() {
                    tags.retain(|it| it["key"] != *key);
                }
                for tag in body["tags"].as_array().into_iter().flatten() {
                    tags.retain(|it| it["key"] != tag["key"]);
                    tags.push(tag.clone());
                }
                json!({})
            }
            "ListServiceDeployments" => {
                let past = self.history.get(&text("service")).cloned().unwrap_or_default();
                let brief = |(number, it): (usize, &Value)| {
                    let mut brief = it.clone();
                    brief["targetServiceRevisionArn"] = json!(format!("arn:revision/{}/{number}", text("service")));
                    brief
                };
                let all = past.iter().enumerate().map(brief);
                let token = text("nextToken");
                if self.empty_page && token.is_empty() {
                    return Ok(Answer::Json(json!({"serviceDeployments": [], "nextToken": "0"})));
                }
                let from: usize = token.parse().unwrap_or_default();
                let mut answer = json!({"serviceDeployments": all.skip(from).take(self.page).collect::<Vec<_>>()});
                if from + self.page < past.len() {
                    answer["nextToken"] = json!((from + self.page).to_string());
                }
                answer
            }
            "DescribeServiceDeployments" => {
                let arns = body["serviceDeploymentArns"].as_array().unwrap();
                assert!(arns.len() <= 20, "DescribeServiceDeployments takes twenty");
                json!({"serviceDeployments": arns.iter().filter_map(|it| self.shifts.get(it.as_str()?)).collect::<Vec<_>>(), "failures": []})
            }
            "StopServiceDeployment" | "ContinueServiceDeployment" => {
                let arn = text("serviceDeploymentArn");
                let shift = self.shifts.get_mut(&arn).unwrap();
                let waits = shift["lifecycleHookDetails"][0]["status"] == "AWAITING_ACTION";
                if operation == "ContinueServiceDeployment" && !waits {
                    return Err(("InvalidParameterException", "The hook is not awaiting an action.".into()));
                }
                shift["lifecycleHookDetails"][0]["status"] = json!("SUCCEEDED");
                json!({"serviceDeploymentArn": arn})
            }
            "DescribeServiceRevisions" => {
                let revision = |arn: &Value| {
                    if let Some(known) = self.revisions.get(arn.as_str().unwrap()) {
                        return known.clone();
                    }
                    let mut parts = arn.as_str().unwrap().split('/').skip(1);
                    let past = &self.history[parts.next().unwrap()];
                    let number: usize = parts.next().unwrap().parse().unwrap();
                    json!({"serviceRevisionArn": arn, "taskDefinition": past[number]["taskDefinition"]})
                };
                let arns = body["serviceRevisionArns"].as_array().unwrap();
                json!({"serviceRevisions": arns.iter().map(revision).collect::<Vec<_>>()})
            }
            "GetRole" if self.missing.contains(&text("RoleName").as_str()) => {
                return Err(("NoSuchEntity", "The role cannot be found.".into()));
            }
            "GetRole" => return Ok(Answer::Xml(format!("<Role><RoleName>{}</RoleName></Role>", text("RoleName")))),
            "DescribeSecret" if self.missing.contains(&text("SecretId").as_str()) => {
                return Err(("ResourceNotFoundException", "Secrets Manager can't find the specified secret.".into()));
            }
            "DescribeSecret" => json!({"ARN": body["SecretId"], "VersionIdsToStages": {"0123": ["AWSCURRENT"]}}),
            "DescribeLogGroups" => {
                let prefix = text("logGroupNamePrefix");
                let there = (!self.missing.contains(&prefix.as_str())).then(|| prefix.clone());
                let groups = there.into_iter().chain([format!("{prefix}-2")]).map(|it| json!({"logGroupName": it}));
                json!({"logGroups": groups.collect::<Vec<_>>()})
            }
            "DescribeParameters" => {
                let names = body["ParameterFilters"][0]["Values"].as_array().unwrap();
                assert!(names.len() <= 50, "a filter takes fifty");
                // A page may be empty and not the last one.
                if text("NextToken").is_empty() {
                    return Ok(Answer::Json(json!({"Parameters": [], "NextToken": "1"})));
                }
                let there = names.iter().filter(|it| !self.missing.contains(&it.as_str().unwrap()));
                json!({"Parameters": there.map(|it| json!({"Name": it})).collect::<Vec<_>>()})
            }
            "Invoke" => return Ok(Answer::Body(String::new())),
            "DescribeDBSnapshots" | "DescribeDBClusterSnapshots" | "DescribeDBInstances" | "DescribeDBClusters" => {
                return Ok(Answer::Body(self.databases.get(operation).cloned().unwrap_or_else(|| {
                    format!("<{operation}Response><{operation}Result></{operation}Result></{operation}Response>")
                })));
            }
            "DescribeTargetHealth" => {
                let states = self.targets.get_mut(&text("TargetGroupArn")).unwrap();
                let state = if states.len() > 1 { states.remove(0) } else { states[0] };
                return Ok(Answer::Xml(format!(
                    "<TargetHealthDescriptions><member><HealthCheckPort>80</HealthCheckPort><Target><Id>10.0.0.7</Id></Target>\
                     <TargetHealth><State>{state}</State><Reason>Target.Timeout</Reason></TargetHealth></member>\
                     <member><Target><Id>10.0.0.8</Id></Target><TargetHealth><State>draining</State></TargetHealth></member>\
                     </TargetHealthDescriptions>"
                )));
            }
            other => self.codedeploy.answer(other, body)?,
        };
        Ok(Answer::Json(answer))
    }

    /// With what is not a service on the last page, if `of_any_type` is asked for.
    fn resources(&self, of_any_type: bool, token: &str) -> Value {
        let from: usize = token.parse().unwrap_or_default();
        let rule = |arn: &String| self.tag(arn, DEPLOY).unwrap_or_else(|| "?".into());
        let mapping = |arn: &String| json!({"ResourceARN": arn, "Tags": [{"Key": DEPLOY, "Value": rule(arn)}]});
        let mut page: Vec<Value> = self.services.keys().skip(from).take(self.page).map(mapping).collect();
        let next = if from + self.page < self.services.len() { (from + self.page).to_string() } else { String::new() };
        if of_any_type && next.is_empty() {
            page.extend(self.groups["ResourceTagMappingList"].as_array().into_iter().flatten().cloned());
            page.extend(NOT_HERE.map(|arn| json!({"ResourceARN": arn, "Tags": [{"Key": DEPLOY, "Value": "newest"}]})));
        }
        json!({"ResourceTagMappingList": page, "PaginationToken": next})
    }

    fn list_tasks(&self, family: &str, status: &str, token: &str) -> Value {
        let of = |it: &Value| {
            family_of(it["taskDefinitionArn"].as_str().unwrap()) == family && it["desiredStatus"] == status
        };
        let arns: Vec<&String> = self.tasks.iter().filter(|(_, it)| of(it)).map(|(arn, _)| arn).collect();
        let from: usize = token.parse().unwrap_or_default();
        let mut answer = json!({"taskArns": arns.iter().skip(from).take(self.page).collect::<Vec<_>>()});
        if from + self.page < arns.len() {
            answer["nextToken"] = json!((from + self.page).to_string());
        }
        answer
    }

    fn describe_services(&self, body: &Value) -> Value {
        let names = body["services"].as_array().unwrap();
        assert!(names.len() <= 10, "DescribeServices takes ten");
        // Right before a change only what a deployment changes is looked at again.
        assert!(body["include"] == json!(["TAGS"]) || body.get("include").is_none());
        let arn = |name: &Value| {
            let (cluster, name) = (body["cluster"].as_str().unwrap(), name.as_str().unwrap());
            format!("arn:aws:ecs:ap-northeast-2:123456789012:service/{cluster}/{name}")
        };
        let (found, missing): (Vec<String>, Vec<String>) =
            names.iter().map(arn).partition(|it| self.services.get(it).is_some_and(|it| it["gone"].is_null()));
        let failure = |arn: &String| json!({"arn": arn, "reason": "MISSING"});
        json!({"services": found.iter().map(|it| &self.services[it]).collect::<Vec<_>>(),
               "failures": missing.iter().map(failure).collect::<Vec<_>>()})
    }

    fn describe_task_definition(&self, name: &str) -> Result<Value, (&'static str, String)> {
        let is = |arn: &str| arn == name || arn.ends_with(&format!("/{name}")) || family_of(arn) == name;
        let found = self.task_definitions.iter().rev().find(|(arn, _)| is(arn));
        found.map(|(_, it)| it.clone()).ok_or_else(|| ("ClientException", "Unable to describe task definition.".into()))
    }

    fn describe_images(&self, repository: &str, token: &str) -> Result<Value, (&'static str, String)> {
        let missing =
            || ("RepositoryNotFoundException", format!("The repository with name '{repository}' does not exist"));
        let pages = self.images.get(repository).ok_or_else(missing)?;
        let at: usize = token.parse().unwrap_or_default();
        let mut answer = json!({"imageDetails": pages[at]});
        if at + 1 < pages.len() {
            answer["nextToken"] = json!((at + 1).to_string());
        }
        Ok(answer)
    }
}

fn family_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap().split(':').next().unwrap()
}
