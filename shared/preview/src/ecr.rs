//! Reads of ECR.

use aws::Error;
use aws_sdk_ecr::Client;

/// The repositories of the region: ARN and name.
pub async fn list_repositories(ecr: &Client) -> Result<Vec<(String, String)>, Error> {
    let mut pages = ecr.describe_repositories().max_results(1000).into_paginator().send();
    let mut repositories = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|err| Error::new("DescribeRepositories", "all", err))?;
        let named = page.repositories().iter();
        repositories.extend(named.filter_map(|it| Some((it.repository_arn()?.into(), it.repository_name()?.into()))));
    }
    Ok(repositories)
}
