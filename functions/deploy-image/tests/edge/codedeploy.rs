//! CodeDeploy as part of the script: applications, deployment groups and deployments, as AWS tells of them.

use serde_json::{Value, json};

/// An answer, or an error's code and message.
type Answer = Result<Value, (&'static str, String)>;

/// What CodeDeploy knows.
pub struct CodeDeploy {
    /// Deployment groups, as BatchGetDeploymentGroups shows them.
    pub groups: Vec<Value>,
    /// Deployments, oldest first, as BatchGetDeployments shows them, but with the AppSpec's text under `content`.
    pub deployments: Vec<Value>,
    /// How many names are on a page.
    pub page: usize,
    /// Another deployment begins and ends right after the next listing of deployments.
    pub surprise: bool,
}

impl Default for CodeDeploy {
    fn default() -> Self {
        CodeDeploy { groups: vec![], deployments: vec![], page: 100, surprise: false }
    }
}

impl CodeDeploy {
    pub fn add_group(&mut self, application: &str, name: &str, service: &str) {
        let (cluster, service) = service.split_once('/').unwrap();
        self.groups.push(json!({
            "applicationName": application, "deploymentGroupName": name, "computePlatform": "ECS",
            "ecsServices": [{"clusterName": cluster, "serviceName": service}],
            "autoRollbackConfiguration": {"enabled": true, "events": ["DEPLOYMENT_FAILURE"]},
        }));
    }

    /// Adds a deployment of the group `kfood/kfood-backend` and returns its id.
    pub fn add_deployment(&mut self, status: &str, content: &str) -> String {
        let id = format!("d-{}", self.deployments.len() + 1);
        let minute = 1_795_195_000 + 60 * self.deployments.len();
        self.deployments.push(json!({
            "deploymentId": id, "applicationName": "kfood", "deploymentGroupName": "kfood-backend", "status": status,
            "creator": "user", "createTime": minute, "completeTime": minute + 30, "content": content,
        }));
        id
    }

    pub fn answer(&mut self, operation: &str, body: &Value) -> Answer {
        match operation {
            "ListApplications" => {
                let mut names: Vec<&str> = self.groups.iter().map(|it| text(it, "applicationName")).collect();
                names.dedup();
                self.paged("applications", &names, body)
            }
            "ListDeploymentGroups" => {
                let of = |it: &&Value| it["applicationName"] == body["applicationName"];
                let names: Vec<&str> =
                    self.groups.iter().filter(of).map(|it| text(it, "deploymentGroupName")).collect();
                self.paged("deploymentGroups", &names, body)
            }
            "BatchGetDeploymentGroups" => self.batch_get_deployment_groups(body),
            "ListDeployments" => {
                assert!(body["createTimeRange"]["start"].is_number(), "looks back without end: {body}");
                let of = |it: &&Value| it["deploymentGroupName"] == body["deploymentGroupName"];
                let ids: Vec<&str> =
                    self.deployments.iter().rev().filter(of).map(|it| text(it, "deploymentId")).collect();
                let answer = self.paged("deployments", &ids, body);
                if std::mem::take(&mut self.surprise) {
                    self.add_deployment("Succeeded", "of another");
                }
                answer
            }
            "BatchGetDeployments" => {
                let ids = body["deploymentIds"].as_array().unwrap();
                assert!((1..=25).contains(&ids.len()), "BatchGetDeployments takes 25");
                let told = self.deployments.iter().filter(|it| ids.contains(&it["deploymentId"])).map(described);
                Ok(json!({"deploymentsInfo": told.collect::<Vec<_>>()}))
            }
            "GetApplicationRevision" => self.application_revision(body),
            "CreateDeployment" => self.create_deployment(body),
            "StopDeployment" => {
                let found = self.deployments.iter_mut().find(|it| it["deploymentId"] == body["deploymentId"]).unwrap();
                if !is_open(found) {
                    return Err(("DeploymentAlreadyCompletedException", "The deployment is already complete".into()));
                }
                found["status"] = json!("Stopped");
                found["errorInformation"] = json!({"code": "MANUAL_STOP", "message": "stopped"});
                Ok(json!({"status": "Pending"}))
            }
            other => panic!("the script knows no {other}"),
        }
    }

    fn paged(&self, field: &str, names: &[&str], body: &Value) -> Answer {
        let from: usize = body["nextToken"].as_str().map_or(0, |it| it.parse().unwrap());
        let until = names.len().min(from + self.page);
        let mut answer = json!({field: names[from..until]});
        if until < names.len() {
            answer["nextToken"] = json!(until.to_string());
        }
        Ok(answer)
    }

    fn batch_get_deployment_groups(&self, body: &Value) -> Answer {
        let names = body["deploymentGroupNames"].as_array().unwrap();
        assert!(names.len() <= 100, "BatchGetDeploymentGroups takes a hundred");
        let of = |it: &&Value| it["applicationName"] == body["applicationName"];
        let groups: Vec<&Value> = self.groups.iter().filter(of).collect();
        if groups.is_empty() {
            return Err(("ApplicationDoesNotExistException", "No application found".into()));
        }
        let named = |it: &&&Value| names.contains(&it["deploymentGroupName"]);
        Ok(json!({"deploymentGroupsInfo": groups.iter().filter(named).collect::<Vec<_>>()}))
    }

    fn application_revision(&self, body: &Value) -> Answer {
        let hash = text(&body["revision"]["appSpecContent"], "sha256");
        let found = self.deployments.iter().find(|it| format!("hash of {}", text(it, "deploymentId")) == hash);
        let content = found.map(|it| it["content"].clone());
        let content = content.ok_or(("RevisionDoesNotExistException", "No such revision".to_owned()))?;
        let revision =
            json!({"revisionType": "AppSpecContent", "appSpecContent": {"content": content, "sha256": hash}});
        Ok(json!({"applicationName": body["applicationName"], "revision": revision}))
    }

    fn create_deployment(&mut self, body: &Value) -> Answer {
        let open = |it: &&Value| it["deploymentGroupName"] == body["deploymentGroupName"] && is_open(it);
        if let Some(open) = self.deployments.iter().find(open) {
            let message = format!("The Deployment Group already has an active Deployment {}", open["deploymentId"]);
            return Err(("DeploymentLimitExceededException", message));
        }
        assert_eq!(body["revision"]["revisionType"], "AppSpecContent");
        let id = self.add_deployment("Created", text(&body["revision"]["appSpecContent"], "content"));
        let made = self.deployments.last_mut().unwrap();
        made["description"] = body["description"].clone();
        made["applicationName"] = body["applicationName"].clone();
        made["deploymentGroupName"] = body["deploymentGroupName"].clone();
        Ok(json!({"deploymentId": id}))
    }
}

/// A deployment as CodeDeploy tells of it: without the text of its AppSpec.
fn described(it: &Value) -> Value {
    let mut told = it.clone();
    let fields = told.as_object_mut().unwrap();
    fields.remove("content");
    let hash = format!("hash of {}", text(it, "deploymentId"));
    let revision = json!({"revisionType": "AppSpecContent", "appSpecContent": {"sha256": hash}});
    fields.entry("revision").or_insert(revision);
    told
}

fn is_open(it: &Value) -> bool {
    !["Succeeded", "Failed", "Stopped"].contains(&text(it, "status"))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}
