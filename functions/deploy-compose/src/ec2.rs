//! Calls to EC2: the instances that opted in, and the memory tags on them.

use std::collections::BTreeMap;

use aws::Error;
use aws::query::{EC2, Element, Query, read};
use aws_config::SdkConfig;
use rules::keys;
use rules::partition::Partition;
use tokio::time::Instant;

use crate::plan::Instance;

/// How many instances are on a page, of at most 1,000: a page of these has some megabytes of XML.
const PAGE: usize = 500;

/// EC2 in the region of the function.
pub struct Ec2 {
    query: Query,
    pub region: String,
}

impl Ec2 {
    pub fn new(config: &SdkConfig) -> Self {
        let region = config.region().map(|it| it.to_string()).unwrap_or_default();
        Ec2 { query: Query::new(EC2, config), region }
    }
}

/// The instances that carry the tag, in the order of their ids. One that was terminated is listed for an hour.
pub async fn list_tagged(ec2: &Ec2) -> Result<Vec<Instance>, Error> {
    let (mut instances, mut token) = (Vec::new(), None);
    loop {
        let action = ec2.query.action("DescribeInstances").field("Filter.1.Name", "tag-key");
        let action = action.values("Filter.1.Value", [keys::DEPLOY]).field("MaxResults", PAGE);
        let answer = action.maybe("NextToken", token.take()).perform("instances", None).await?;
        token = described(&answer, &ec2.region, &mut instances)?;
        if token.is_none() {
            instances.retain(|it| !matches!(it.state.as_str(), "terminated" | "shutting-down"));
            instances.sort_by(|a, b| a.id.cmp(&b.id));
            return Ok(instances);
        }
    }
}

/// One instance as it is now.
pub async fn read_again(ec2: &Ec2, id: &str, until: Instant) -> Result<Option<Instance>, Error> {
    let action = ec2.query.action("DescribeInstances").values("InstanceId", [id]);
    let mut instances = Vec::new();
    described(&action.perform(id, Some(until)).await?, &ec2.region, &mut instances)?;
    Ok(instances.pop())
}

/// Writes tags of an instance, and removes those without a value.
pub async fn write_tags(ec2: &Ec2, id: &str, tags: &[(&str, Option<&str>)], until: Instant) -> Result<(), Error> {
    let written: Vec<_> = tags.iter().filter_map(|(key, value)| Some((*key, (*value)?))).collect();
    if !written.is_empty() {
        let action = ec2.query.action("CreateTags").values("ResourceId", [id]);
        let action = written.into_iter().zip(1..).fold(action, |action, ((key, value), number)| {
            action.field(format!("Tag.{number}.Key"), key).field(format!("Tag.{number}.Value"), value)
        });
        action.perform(id, Some(until)).await?;
    }
    let removed: Vec<_> = tags.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| *key).collect();
    if !removed.is_empty() {
        let action = ec2.query.action("DeleteTags").values("ResourceId", [id]);
        let action = removed
            .into_iter()
            .zip(1..)
            .fold(action, |action, (key, number)| action.field(format!("Tag.{number}.Key"), key));
        action.perform(id, Some(until)).await?;
    }
    Ok(())
}

/// Adds the instances of a page; returns where the next one begins.
fn described(answer: &str, region: &str, instances: &mut Vec<Instance>) -> Result<Option<String>, Error> {
    let mut token = None;
    read(answer, |name, it| match name {
        "nextToken" => token = Some(it.text()).filter(|it| !it.is_empty()),
        "reservationSet" => it.each(|_, it| instances.extend(reservation(it, region))),
        _ => {}
    })
    .map_err(|err| Error::unexpected("DescribeInstances", "instances", err))?;
    Ok(token)
}

fn reservation(reservation: &mut Element<'_, '_>, region: &str) -> Vec<Instance> {
    let (mut owner, mut instances) = (String::new(), Vec::new());
    reservation.each(|name, it| match name {
        "ownerId" => owner = it.text(),
        "instancesSet" => it.each(|_, it| instances.push(instance(it))),
        _ => {}
    });
    let partition = Partition::of_region(region).name;
    for instance in &mut instances {
        instance.arn = format!("arn:{partition}:ec2:{region}:{owner}:instance/{}", instance.id);
        instance.account.clone_from(&owner);
    }
    instances
}

fn instance(element: &mut Element<'_, '_>) -> Instance {
    let mut instance = Instance {
        arn: String::new(),
        id: String::new(),
        account: String::new(),
        state: String::new(),
        launched_at: None,
        tags: BTreeMap::new(),
    };
    element.each(|name, it| match name {
        "instanceId" => instance.id = it.text(),
        "instanceState" => it.each(|name, it| {
            if name == "name" {
                instance.state = it.text();
            }
        }),
        "launchTime" => instance.launched_at = it.text().parse().ok(),
        "tagSet" => it.each(|_, it| instance.tags.extend(tag(it))),
        _ => {}
    });
    instance
}

fn tag(element: &mut Element<'_, '_>) -> Option<(String, String)> {
    let (mut key, mut value) = (None, String::new());
    element.each(|name, it| match name {
        "key" => key = Some(it.text()),
        "value" => value = it.text(),
        _ => {}
    });
    Some((key?, value))
}
