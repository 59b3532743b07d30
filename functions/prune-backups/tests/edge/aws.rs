//! What there is: databases and snapshots, repositories, and services with their tasks.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::scripted::{Answer, Call, Rds, Tables};

const ECS: &str = "arn:aws:ecs:ap-northeast-2:123456789012";
const ECR: &str = "arn:aws:ecr:ap-northeast-2:123456789012:repository";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The default key of RDS.
pub const DEFAULT_KEY: &str = "arn:aws:kms:ap-northeast-2:123456789012:key/default";

/// Everything that the function reads.
#[derive(Default)]
pub struct Aws {
    pub rds: Rds,
    /// The images of each repository, as DescribeImages shows them, with what an index lists under `children`.
    pub repositories: BTreeMap<String, Vec<Value>>,
    /// The tags of each instance, by its ARN.
    pub instances: BTreeMap<String, Vec<(&'static str, String)>>,
    /// The tags of each Auto Scaling group.
    pub groups: BTreeMap<String, Vec<(&'static str, String)>>,
    /// The tags of each repository.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
    /// Services by cluster, as DescribeServices shows them.
    pub services: BTreeMap<String, Vec<Value>>,
    /// Running tasks by cluster, as DescribeTasks shows them.
    pub tasks: BTreeMap<String, Vec<Value>>,
    /// The answer of DescribeTaskDefinition for each `family:revision`.
    pub task_definitions: BTreeMap<String, Value>,
    /// The answer of DescribeServiceRevisions for each ARN.
    pub revisions: BTreeMap<String, Value>,
    /// The answer of DescribeServiceDeployments for each ARN.
    pub deployments: BTreeMap<String, Value>,
    /// How many entries a page has.
    pub page: usize,
    /// What ECR refuses to delete, with the code.
    pub refused: BTreeMap<String, &'static str>,
}

pub fn digest(number: usize) -> String {
    format!("sha256:{number:064x}")
}

impl Aws {
    /// Adds a repository with images `v1` to `vN`, a day apart, the newest pushed yesterday.
    pub fn stock(&mut self, repository: &str, rule: &str, images: usize) {
        self.tags.entry(repository.into()).or_default().insert("nightshift:keep-images".into(), rule.into());
        let pushed = |it: usize| 1_795_210_000 - 86_400 * (images - it) as i64;
        let image = |it: usize| json!({"imageDigest": digest(it), "imageTags": [format!("v{it}")], "imagePushedAt": pushed(it)});
        self.repositories.insert(repository.into(), (1..=images).map(image).collect());
    }

    /// Makes an image an index of these parts, which are pushed without tags.
    pub fn list(&mut self, repository: &str, index: usize, parts: &[usize]) {
        let images = self.repositories.get_mut(repository).unwrap();
        let index = images.iter_mut().find(|it| it["imageDigest"] == digest(index)).unwrap();
        index["imageManifestMediaType"] = json!(INDEX);
        index["children"] = json!(parts.iter().map(|it| digest(*it)).collect::<Vec<_>>());
        let pushed = index["imagePushedAt"].clone();
        let part = |it: &usize| json!({"imageDigest": digest(*it), "imagePushedAt": pushed});
        images.extend(parts.iter().map(part));
    }

    /// Adds a task definition and returns its name.
    pub fn define(&mut self, name: &str, image: &str, tags: &[(&str, &str)]) -> String {
        let image = format!("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/{image}");
        let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        let containers = json!([{"name": "app", "image": image}]);
        let answer = json!({"taskDefinition": {"containerDefinitions": containers}, "tags": tags});
        self.task_definitions.insert(name.into(), answer);
        format!("{ECS}:task-definition/{name}")
    }

    /// Adds a service with one running task.
    pub fn serve(&mut self, cluster: &str, name: &str, task_definition: &str) -> &mut Value {
        let services = self.services.entry(cluster.into()).or_default();
        services.push(
            json!({"serviceArn": format!("{ECS}:service/{cluster}/{name}"), "serviceName": name, "status": "ACTIVE",
            "runningCount": 1, "pendingCount": 0, "taskDefinition": task_definition,
            "deployments": [{"status": "PRIMARY", "taskDefinition": task_definition, "createdAt": 1_795_209_000}]}),
        );
        services.last_mut().unwrap()
    }

    /// Adds a running task of its own.
    pub fn run(&mut self, cluster: &str, task_definition: &str, image: &str, number: usize) {
        let tasks = self.tasks.entry(cluster.into()).or_default();
        tasks.push(
            json!({"taskArn": format!("{ECS}:task/{cluster}/{}", tasks.len()), "taskDefinitionArn": task_definition,
            "containers": [{"name": "app", "image": image, "imageDigest": digest(number)}]}),
        );
    }

    /// The digests that are left in a repository.
    pub fn left(&self, repository: &str) -> Vec<String> {
        self.repositories[repository].iter().map(|it| it["imageDigest"].as_str().unwrap().to_owned()).collect()
    }

    /// A page of `all`, under the name of the list.
    fn page<T>(&self, call: &Call, list: &str, all: &[T], entry: impl Fn(&T) -> Value) -> Answer {
        let size = if self.page == 0 { 100 } else { self.page };
        let from: usize = call.text("nextToken").parse().unwrap_or_default();
        let mut body = json!({list: all.iter().skip(from).take(size).map(entry).collect::<Vec<_>>()});
        if from + size < all.len() {
            body["nextToken"] = json!((from + size).to_string());
        }
        Answer::Json(body)
    }

    fn clusters(&self) -> Vec<String> {
        let mut names: Vec<String> = self.services.keys().chain(self.tasks.keys()).cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// Those of `all` that are asked for, in the place of each other's names.
    fn described(call: &Call, asked: &str, most: usize, all: Option<&Vec<Value>>, arn: &str, list: &str) -> Answer {
        let asked = call.body[asked].as_array().unwrap();
        assert!(asked.len() <= most, "{list} takes {most}");
        // Services are asked for by name or by ARN, whose last part the name is.
        let is = |known: &Value, it: &Value| {
            let name = |it: &Value| it.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            name(&known[arn]) == name(it)
        };
        let find = |it: &&Value| all.into_iter().flatten().find(|known| is(known, it)).cloned();
        let failure = |it: &Value| json!({"arn": it, "reason": "MISSING"});
        let missing: Vec<Value> = asked.iter().filter(|it| find(it).is_none()).map(failure).collect();
        Answer::Json(json!({list: asked.iter().filter_map(|it| find(&it)).collect::<Vec<_>>(), "failures": missing}))
    }

    fn task_definition(&self, name: &str) -> Answer {
        let known = self.task_definitions.get(name.rsplit('/').next().unwrap());
        known.cloned().map_or(Answer::Refused("ClientException"), Answer::Json)
    }

    fn repository_tags(&mut self, call: &Call) -> Answer {
        let name = call.text("resourceArn").rsplit('/').next().unwrap().to_owned();
        let Some(tags) = self.tags.get_mut(&name) else { return Answer::Refused("RepositoryNotFoundException") };
        for tag in call.body["tags"].as_array().into_iter().flatten() {
            tags.insert(tag["Key"].as_str().unwrap().into(), tag["Value"].as_str().unwrap().into());
        }
        for key in call.body["tagKeys"].as_array().into_iter().flatten() {
            tags.remove(key.as_str().unwrap());
        }
        let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        Answer::Json(json!({"tags": tags}))
    }

    fn manifests(&self, call: &Call) -> Answer {
        let images = &self.repositories[call.text("repositoryName")];
        let asked = call.body["imageIds"].as_array().unwrap();
        let (mut found, mut failures) = (vec![], vec![]);
        for id in asked {
            match images.iter().find(|it| it["imageDigest"] == id["imageDigest"]) {
                Some(image) => {
                    let parts = image["children"].as_array().unwrap();
                    let manifests: Vec<Value> = parts.iter().map(|it| json!({"digest": it})).collect();
                    let manifest = json!({"schemaVersion": 2, "manifests": manifests}).to_string();
                    found.push(json!({"imageId": id, "imageManifest": manifest}));
                }
                None => failures.push(json!({"imageId": id, "failureCode": "ImageNotFound"})),
            }
        }
        Answer::Json(json!({"images": found, "failures": failures}))
    }

    fn delete(&mut self, call: &Call) -> Answer {
        let images = self.repositories.get_mut(call.text("repositoryName")).unwrap();
        let ids = call.body["imageIds"].as_array().unwrap();
        assert!(ids.len() <= 100, "BatchDeleteImage takes 100");
        let mut failures = vec![];
        for id in ids {
            let digest = id["imageDigest"].as_str().unwrap();
            let listed =
                images.iter().any(|it| it["children"].as_array().is_some_and(|it| it.contains(&json!(digest))));
            let code = match images.iter().position(|it| it["imageDigest"] == digest) {
                _ if self.refused.contains_key(digest) => self.refused[digest],
                None => "ImageNotFound",
                Some(_) if listed => "ImageReferencedByManifestList",
                Some(place) => {
                    images.remove(place);
                    continue;
                }
            };
            failures.push(json!({"imageId": id, "failureCode": code, "failureReason": "refused by the script"}));
        }
        Answer::Json(json!({"imageIds": [], "failures": failures}))
    }
}

impl Tables for Aws {
    fn answer(&mut self, call: &Call) -> Answer {
        let cluster = call.text("cluster").rsplit('/').next().unwrap_or_default();
        let none = vec![];
        match call.operation.as_str() {
            "GetResources" if call.body["ResourceTypeFilters"] == json!(["ec2:instance"]) => {
                let tags = |it: &Vec<(&'static str, String)>| {
                    it.iter().map(|(key, it)| json!({"Key": key, "Value": it})).collect::<Vec<_>>()
                };
                let mapping =
                    |(arn, it): (&String, &Vec<(&'static str, String)>)| json!({"ResourceARN": arn, "Tags": tags(it)});
                let listed: Vec<Value> = self.instances.iter().map(mapping).collect();
                Answer::Json(json!({"ResourceTagMappingList": listed, "PaginationToken": ""}))
            }
            "DescribeAutoScalingGroups" => {
                let groups: String = self
                    .groups
                    .iter()
                    .map(|(name, tags)| {
                        let tag = |(key, it): &(&str, String)| {
                            format!("<member><Key>{key}</Key><Value>{it}</Value></member>")
                        };
                        let tags: String = tags.iter().map(tag).collect();
                        format!(
                            "<member><AutoScalingGroupName>{name}</AutoScalingGroupName><Tags>{tags}</Tags></member>"
                        )
                    })
                    .collect();
                assert_eq!(call.text("Filters.member.1.Values.member.1"), "nightshift:deploy");
                Answer::Body(format!("<A><R><AutoScalingGroups>{groups}</AutoScalingGroups></R></A>"))
            }
            "GetResources" => {
                let mapping = |it: &String| json!({"ResourceARN": format!("{ECR}/{it}"), "Tags": [{"Key": "nightshift:keep-images", "Value": "?"}]});
                Answer::Json(
                    json!({"ResourceTagMappingList": self.tags.keys().map(mapping).collect::<Vec<_>>(), "PaginationToken": ""}),
                )
            }
            "ListTagsForResource" | "TagResource" | "UntagResource" => self.repository_tags(call),
            "DescribeImages" => match self.repositories.get(call.text("repositoryName")) {
                Some(images) => self.page(call, "imageDetails", images, Value::clone),
                None => Answer::Refused("RepositoryNotFoundException"),
            },
            "BatchGetImage" => self.manifests(call),
            "BatchDeleteImage" => self.delete(call),
            "DescribeKey" => Answer::Json(json!({"KeyMetadata": {
                "KeyManager": if call.text("KeyId") == DEFAULT_KEY { "AWS" } else { "CUSTOMER" },
            }})),
            "ListClusters" => {
                self.page(call, "clusterArns", &self.clusters(), |it| json!(format!("{ECS}:cluster/{it}")))
            }
            "ListServices" => self
                .page(call, "serviceArns", self.services.get(cluster).unwrap_or(&none), |it| it["serviceArn"].clone()),
            "DescribeServices" => {
                Self::described(call, "services", 10, self.services.get(cluster), "serviceArn", "services")
            }
            "ListTasks" => {
                self.page(call, "taskArns", self.tasks.get(cluster).unwrap_or(&none), |it| it["taskArn"].clone())
            }
            "DescribeTasks" => Self::described(call, "tasks", 100, self.tasks.get(cluster), "taskArn", "tasks"),
            "DescribeServiceDeployments" => {
                let asked = call.body["serviceDeploymentArns"].as_array().unwrap();
                assert!(asked.len() <= 20, "DescribeServiceDeployments takes 20");
                let found = asked.iter().filter_map(|it| self.deployments.get(it.as_str().unwrap()).cloned());
                Answer::Json(json!({"serviceDeployments": found.collect::<Vec<_>>(), "failures": []}))
            }
            "DescribeServiceRevisions" => {
                let asked = call.body["serviceRevisionArns"].as_array().unwrap();
                assert!(asked.len() <= 20, "DescribeServiceRevisions takes 20");
                let found = asked.iter().filter_map(|it| self.revisions.get(it.as_str().unwrap()).cloned());
                Answer::Json(json!({"serviceRevisions": found.collect::<Vec<_>>(), "failures": []}))
            }
            "DescribeTaskDefinition" => self.task_definition(call.text("taskDefinition")),
            _ => self.rds.answer(call),
        }
    }
}
