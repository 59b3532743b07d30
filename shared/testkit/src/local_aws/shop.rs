//! What a shop has before Nightshift comes: images in the registry and services on a cluster.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::LocalAws;
use crate::{Error, Result};

impl LocalAws {
    /// Pushes an image and returns its digest. The same `seed` makes the same image; the repository is made if missing.
    pub fn push_image(&self, repository: &str, tag: &str, seed: &str) -> Result<String> {
        match self.ecr("CreateRepository", json!({"repositoryName": repository})) {
            Err(err) if err.code() != Some("RepositoryAlreadyExistsException") => return Err(err),
            _ => {}
        }
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let blob = |kind: &str, part: &str, size: u32| json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest_of(part, seed), "size": size});
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": blob("config.v1+json", "config", 1_500),
            "layers": [blob("layer.v1.tar+gzip", "layer", 31_000_000)],
        });
        let mut put = json!({
            "repositoryName": repository,
            "imageManifest": manifest.to_string(),
            "imageManifestMediaType": media_type,
        });
        if !tag.is_empty() {
            put["imageTag"] = tag.into();
        }
        let answer = self.ecr("PutImage", put)?;
        string(&answer["image"]["imageId"]["imageDigest"], "the digest of the image")
    }

    /// The name of an image for task definitions: `reference` is `:tag` or `@sha256:…`.
    pub fn image_uri(&self, repository: &str, reference: &str) -> String {
        format!("{}.dkr.ecr.{}.amazonaws.com/{repository}{reference}", Self::ACCOUNT, Self::REGION)
    }

    /// Starts a Fargate service of one container, named as the service, on two tasks, and waits until it is steady.
    /// Its circuit breaker rolls back. Returns the ARN of the service.
    pub fn start_service(&self, cluster: &str, name: &str, image: &str, tags: &[(&str, &str)]) -> Result<String> {
        let definition = self.ecs(
            "RegisterTaskDefinition",
            json!({
                "family": name,
                "networkMode": "awsvpc",
                "requiresCompatibilities": ["FARGATE"],
                "cpu": "512",
                "memory": "1024",
                "containerDefinitions": [{"name": name, "image": image, "essential": true}],
            }),
        )?;
        let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        let created = self.ecs(
            "CreateService",
            json!({
                "cluster": cluster,
                "serviceName": name,
                "taskDefinition": definition["taskDefinition"]["taskDefinitionArn"],
                "desiredCount": 2,
                "launchType": "FARGATE",
                "deploymentConfiguration": {
                    "deploymentCircuitBreaker": {"enable": true, "rollback": true},
                    "maximumPercent": 200,
                    "minimumHealthyPercent": 100,
                },
                "tags": tags,
            }),
        )?;
        self.wait_until(&format!("{cluster}/{name} to be steady"), || {
            let service = self.service(cluster, name)?;
            Ok((service["deployments"][0]["rolloutState"] == "COMPLETED").then_some(()))
        })?;
        string(&created["service"]["serviceArn"], "the ARN of the service")
    }

    /// A service as DescribeServices shows it, tags included.
    pub fn service(&self, cluster: &str, name: &str) -> Result<Value> {
        let answer =
            self.ecs("DescribeServices", json!({"cluster": cluster, "services": [name], "include": ["TAGS"]}))?;
        match &answer["services"][0] {
            Value::Null => Err(Error::new(format!("no service {cluster}/{name}: {answer}"))),
            service => Ok(service.clone()),
        }
    }

    /// The images that a service is to run, container by container.
    pub fn images(&self, cluster: &str, name: &str) -> Result<Vec<String>> {
        let definition = self.service(cluster, name)?["taskDefinition"].clone();
        let answer = self.ecs("DescribeTaskDefinition", json!({"taskDefinition": definition}))?;
        let containers = answer["taskDefinition"]["containerDefinitions"].as_array().into_iter().flatten();
        containers.map(|it| string(&it["image"], "the image of a container")).collect()
    }
}

fn string(value: &Value, what: &str) -> Result<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| Error::new(format!("{what} is missing: {value}")))
}

/// Not a real digest of anything, but different for each seed.
fn digest_of(part: &str, seed: &str) -> String {
    let word = |index: u8| {
        let mut hasher = DefaultHasher::new();
        (part, seed, index).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    };
    format!("sha256:{}", (0..4).map(word).collect::<String>())
}
