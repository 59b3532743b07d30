//! Calls to EC2 and to EC2 Auto Scaling: the instances and groups that opted in, and the memory tags on them.

use std::collections::BTreeMap;

use aws::Error;
use aws::ec2::{list_tagged_instances, read_instance, tag_of};
use aws::ec2_autoscaling::{group_name, list_tagged_groups, write_group_tag};
use aws::query::{EC2, EC2_AUTO_SCALING, Element, Query};
use aws_config::SdkConfig;
use reconcile::memory::Note;
use rules::keys;
use tokio::time::Instant;

use crate::plan::{Group, Instance};

/// EC2 in the region of the function.
pub struct Ec2 {
    query: Query,
    groups: Query,
    pub region: String,
}

impl Ec2 {
    pub fn new(config: &SdkConfig) -> Self {
        let region = config.region().map(|it| it.to_string()).unwrap_or_default();
        Ec2 { query: Query::new(EC2, config), groups: Query::new(EC2_AUTO_SCALING, config), region }
    }
}

/// The instances that carry the tag, in the order of their ids. One that was terminated is listed for an hour.
pub async fn list_tagged(ec2: &Ec2) -> Result<Vec<Instance>, Error> {
    let listed = list_tagged_instances(&ec2.query, &[keys::DEPLOY], instance).await?;
    let mut instances: Vec<Instance> = listed.into_iter().map(known).collect();
    instances.retain(|it| !matches!(it.state.as_str(), "terminated" | "shutting-down"));
    instances.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(instances)
}

/// The Auto Scaling groups that carry the tag themselves.
pub async fn list_groups_of_fleets(ec2: &Ec2) -> Result<Vec<Group>, Error> {
    list_tagged_groups(&ec2.groups, &[keys::DEPLOY], group).await
}

/// Writes tags of a group, and removes those without a value.
pub async fn write_tags_of_group(
    ec2: &Ec2,
    group: &str,
    tags: &[(&str, Option<&str>)],
    until: Instant,
) -> Result<(), Error> {
    for (key, value) in tags {
        write_group_tag(&ec2.groups, group, key, *value, until).await?;
    }
    Ok(())
}

/// One instance as it is now.
pub async fn read_again(ec2: &Ec2, id: &str, until: Instant) -> Result<Option<Instance>, Error> {
    Ok(read_instance(&ec2.query, id, until, instance).await?.map(known))
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

/// Writes down what people were told of an instance or a group.
pub async fn remember(ec2: &Ec2, note: &Note, until: Instant) -> Result<(), Error> {
    let tags = [(keys::COMPOSE_PROBLEM, note.value.as_deref())];
    match group_name(&note.resource) {
        Some(group) => write_tags_of_group(ec2, group, &tags, until).await,
        None => write_tags(ec2, note.resource.rsplit('/').next().unwrap_or_default(), &tags, until).await,
    }
}

/// The instance with its ARN, in which EC2 tells the account.
fn known((arn, it): (String, Instance)) -> Instance {
    let account = arn.split(':').nth(4).unwrap_or_default().to_owned();
    Instance { arn, account, ..it }
}

fn instance(element: &mut Element<'_, '_>) -> (String, Instance) {
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
        "tagSet" => it.each(|_, it| instance.tags.extend(tag_of(it))),
        _ => {}
    });
    (instance.id.clone(), instance)
}

fn group(element: &mut Element<'_, '_>) -> Group {
    let mut group = Group { arn: String::new(), name: String::new(), members: BTreeMap::new(), tags: BTreeMap::new() };
    element.each(|name, it| match name {
        "AutoScalingGroupARN" => group.arn = it.text(),
        "AutoScalingGroupName" => group.name = it.text(),
        "Instances" => it.each(|_, it| {
            let (mut id, mut lifecycle) = (String::new(), String::new());
            it.each(|name, it| match name {
                "InstanceId" => id = it.text(),
                "LifecycleState" => lifecycle = it.text(),
                _ => {}
            });
            group.members.insert(id, lifecycle);
        }),
        "Tags" => it.each(|_, it| group.tags.extend(tag_of(it))),
        _ => {}
    });
    group
}
