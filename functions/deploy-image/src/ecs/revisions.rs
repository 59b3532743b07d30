//! Service revisions: what ECS froze of a service when a deployment began, the digests of its images among it.

use std::collections::{BTreeMap, BTreeSet};

use aws::{Error, each};
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types as sdk;
use rules::Digest;

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
    ecs: &Client,
    about: &str,
    arns: impl IntoIterator<Item = String>,
) -> Result<BTreeMap<String, Revision>, Error> {
    let arns: Vec<String> = arns.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let batches: Vec<Vec<String>> = arns.chunks(REVISIONS_PER_CALL).map(<[String]>::to_vec).collect();
    let answers = each(batches, 4, async |batch| {
        let answer = ecs.describe_service_revisions().set_service_revision_arns(Some(batch)).send().await;
        answer.map_err(|err| Error::new("DescribeServiceRevisions", about, err))
    });
    let mut revisions = BTreeMap::new();
    for answer in answers.await {
        revisions.extend(answer?.service_revisions().iter().filter_map(revision));
    }
    Ok(revisions)
}

fn revision(it: &sdk::ServiceRevision) -> Option<(String, Revision)> {
    let digest = |it: &sdk::ContainerImage| Some((it.container_name()?.to_owned(), it.image_digest()?.parse().ok()?));
    let pinned = it.container_images().iter().filter_map(digest).collect();
    let resolved = it.resolved_configuration().map(|it| it.load_balancers()).unwrap_or_default();
    let target_groups = resolved.iter().filter_map(|it| it.target_group_arn().map(str::to_owned)).collect();
    let task_definition = it.task_definition()?.into();
    Some((it.service_revision_arn()?.into(), Revision { task_definition, pinned, target_groups }))
}
