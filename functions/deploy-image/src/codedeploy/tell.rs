//! What CodeDeploy tells of services: finds the deployment group of each, then the group's past.

use std::collections::{BTreeMap, BTreeSet};

use aws::{Error, JsonApi, each};
use jiff::Timestamp;

use super::past;
use crate::plan::{CodeDeploy, Group, Service, group_of};

/// How many reads are under way at a time.
const READS: usize = 8;

/// What CodeDeploy tells of each of `services`, by ARN, or why nothing, and how to fix that; of the past since `since`.
///
/// The groups of all are found together: those that made the present task sets are read first, and only if a service is
/// in none of them, all that there are.
pub async fn tell(
    codedeploy: &JsonApi,
    services: &[&Service],
    since: Timestamp,
) -> BTreeMap<String, Result<CodeDeploy, String>> {
    let likely = likely_groups(codedeploy, services).await;
    let found = |it: &&Service| likely.as_ref().is_ok_and(|groups| group_of(&it.name, groups).is_ok());
    let all = match services.iter().all(found) {
        true => None,
        false => Some(super::list_groups(codedeploy).await),
    };
    let answers = each(services, READS, async |it| {
        let groups = if found(it) { likely.as_ref() } else { all.as_ref().unwrap_or(&likely).as_ref() };
        (it.arn.clone(), tell_of(codedeploy, it, groups, since).await)
    });
    answers.await.into_iter().collect()
}

/// The groups that made the task sets of `services`, as they are now.
async fn likely_groups(codedeploy: &JsonApi, services: &[&Service]) -> Result<Vec<Group>, Error> {
    let made = |it: &&Service| it.task_sets.iter().filter_map(|it| it.deployment.clone()).collect::<Vec<_>>();
    let ids: BTreeSet<String> = services.iter().flat_map(made).collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let mut applications: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (application, group) in past::deployment_groups(codedeploy, &ids).await?.into_values() {
        applications.entry(application).or_default().insert(group);
    }
    let answers = each(applications, READS, async |(application, names)| {
        let names: Vec<String> = names.into_iter().collect();
        super::describe_groups(codedeploy, &application, &names).await
    });
    Ok(answers.await.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

async fn tell_of(
    codedeploy: &JsonApi,
    service: &Service,
    groups: Result<&Vec<Group>, &Error>,
    since: Timestamp,
) -> Result<CodeDeploy, String> {
    let groups = groups.map_err(|err| err.to_string())?;
    let group = group_of(&service.name, groups)?.clone();
    let past = async {
        let known = past::list_deployments(codedeploy, &group.application, &group.name, since).await?;
        let attempts = past::attempts(codedeploy, &group, &known, &service.task_sets).await?;
        Ok::<_, Error>((known, attempts))
    };
    let (known, attempts) = past.await.map_err(|error| error.to_string())?;
    Ok(CodeDeploy { group, attempts, known, since })
}
