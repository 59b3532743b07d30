//! The TrueGul shop: a writing practice app, an API server and an ML server on one ECS cluster.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::{LocalAws, Result};

pub const CLUSTER: &str = "truegul-production";

/// A service of the shop, with its repository and what its tag asks for.
pub struct Service {
    pub name: &'static str,
    pub repository: &'static str,
    pub rule: &'static str,
}

pub const API_SERVER: Service =
    Service { name: "api-server", repository: "truegul-api-server", rule: "semver range=1.x" };
pub const ML_SERVER: Service = Service { name: "ml-server", repository: "truegul-ml-server", rule: "newest" };
pub const SERVICES: [Service; 2] = [API_SERVER, ML_SERVER];

/// The tag that people write.
pub const DEPLOY: &str = "nightshift:deploy";

impl Service {
    /// `cluster/service`, as commands name it.
    pub fn full_name(&self) -> String {
        format!("{CLUSTER}/{}", self.name)
    }

    /// Starts it on an image that is tagged `version`.
    pub fn start(&self, aws: &LocalAws, version: &str) -> Result<String> {
        let digest = self.push(aws, version)?;
        let image = aws.image_uri(self.repository, &format!(":{version}"));
        aws.start_service(CLUSTER, self.name, &image, &[(DEPLOY, self.rule)])?;
        Ok(digest)
    }

    /// Pushes an image and returns its digest.
    pub fn push(&self, aws: &LocalAws, version: &str) -> Result<String> {
        aws.push_image(self.repository, version, &format!("{} {version}", self.repository))
    }

    /// Writes the tag, as a person does.
    pub fn retag(&self, aws: &LocalAws, rule: &str) -> Result<()> {
        let arn = aws.service(CLUSTER, self.name)?["serviceArn"].clone();
        aws.ecs("TagResource", json!({"resourceArn": arn, "tags": [{"key": DEPLOY, "value": rule}]})).map(drop)
    }

    /// What DescribeServices and DescribeTaskDefinition show of it.
    pub fn describe(&self, aws: &LocalAws) -> Result<Description> {
        let service = aws.service(CLUSTER, self.name)?;
        let mut deployments = Vec::new();
        for it in service["deployments"].as_array().into_iter().flatten() {
            let request = json!({"taskDefinition": it["taskDefinition"], "include": ["TAGS"]});
            let answer = aws.ecs("DescribeTaskDefinition", request)?;
            let image = text(&answer["taskDefinition"]["containerDefinitions"][0]["image"]);
            let reference = image.rsplit('/').next().unwrap_or_default().to_owned();
            let known_as = tags(&answer["tags"]).remove("nightshift-state:image");
            deployments.push(Deployment {
                id: text(&it["id"]),
                status: text(&it["status"]),
                rollout: text(&it["rolloutState"]),
                revision: text(&it["taskDefinition"]).rsplit('/').next().unwrap_or_default().to_owned(),
                version: known_as.unwrap_or_else(|| reference.rsplit(':').next().unwrap_or_default().to_owned()),
                image: reference,
            });
        }
        Ok(Description {
            tags: tags(&service["tags"]),
            tasks: format!("{} of {}", service["runningCount"], service["desiredCount"]),
            deployments,
        })
    }
}

/// A service as AWS describes it.
#[derive(Debug)]
pub struct Description {
    pub tags: BTreeMap<String, String>,
    /// How many tasks run, of how many.
    pub tasks: String,
    /// The primary first.
    pub deployments: Vec<Deployment>,
}

/// A deployment as DescribeServices shows it, and the image of its task definition.
#[derive(Debug)]
pub struct Deployment {
    /// `ecs-svc/…`, as in events.
    pub id: String,
    pub status: String,
    pub rollout: String,
    /// `api-server:2`
    pub revision: String,
    /// `truegul-api-server:v1.0.0` or `truegul-api-server@sha256:…`
    pub image: String,
    /// The tag that people know the image by.
    pub version: String,
}

impl Description {
    pub fn primary(&self) -> &Deployment {
        &self.deployments[0]
    }

    /// The image that the service is to run, and whether it already does.
    pub fn is_on(&self, version: &str, revision: &str, rollout: &str) -> bool {
        let primary = self.primary();
        (primary.version.as_str(), primary.revision.as_str(), primary.rollout.as_str()) == (version, revision, rollout)
    }
}

fn tags(tags: &Value) -> BTreeMap<String, String> {
    tags.as_array().into_iter().flatten().map(|it| (text(&it["key"]), text(&it["value"]))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
