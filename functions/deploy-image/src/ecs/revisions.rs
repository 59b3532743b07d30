//! Service revisions: what ECS froze of a service when a deployment began, the digests of its images among it.

use std::collections::{BTreeMap, BTreeSet};

use aws::{Error, JsonApi, each};
use rules::Digest;
use serde_json::{Value, json};

/// DescribeServiceRevisions takes no more.
const REVISIONS_PER_CALL: usize = 20;

pub struct Revision {
    pub task_definition: String,
    /// The digests that ECS resolved the tags of its containers to. A service that never had a task has none, and neither
    /// has a container whose `versionConsistency` is `disabled`.
    pub pinned: BTreeMap<String, Digest>,
    /// Where ECS registers its tasks, by ARN.
    pub target_groups: Vec<String>,
}

/// The service revisions of these ARNs, by ARN; they never change. `about` is the resource for error messages.
pub async fn describe_revisions(
    ecs: &JsonApi,
    about: &str,
    arns: impl IntoIterator<Item = String>,
) -> Result<BTreeMap<String, Revision>, Error> {
    let arns: Vec<String> = arns.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let batches: Vec<Vec<String>> = arns.chunks(REVISIONS_PER_CALL).map(<[String]>::to_vec).collect();
    let answers = each(batches, 4, async |batch| {
        ecs.call("DescribeServiceRevisions", about, json!({"serviceRevisionArns": batch})).await
    });
    let mut revisions = BTreeMap::new();
    for answer in answers.await {
        let told = answer?.remove("serviceRevisions").unwrap_or_default();
        revisions.extend(told.as_array().into_iter().flatten().filter_map(revision));
    }
    Ok(revisions)
}

fn revision(it: &Value) -> Option<(String, Revision)> {
    let digest =
        |it: &Value| Some((it["containerName"].as_str()?.to_owned(), it["imageDigest"].as_str()?.parse().ok()?));
    let pinned = it["containerImages"].as_array().into_iter().flatten().filter_map(digest).collect();
    let balancers = it["resolvedConfiguration"]["loadBalancers"].as_array();
    let group = |it: &Value| it["targetGroupArn"].as_str().map(str::to_owned);
    let target_groups = balancers.into_iter().flatten().filter_map(group).collect();
    let task_definition = it["taskDefinition"].as_str()?.into();
    Some((it["serviceRevisionArn"].as_str()?.into(), Revision { task_definition, pinned, target_groups }))
}
