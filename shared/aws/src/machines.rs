//! EC2 instances and Auto Scaling groups by their tags: listings, and the tags that remember something on them.
//!
//! Their own APIs list tags as they are now; the index of tags is some seconds late.

use rules::partition::Partition;
use tokio::time::Instant;

use crate::query::{Element, Query, read};
use crate::{Error, ErrorKind};

/// How many instances are on a page, of at most 1,000: a page of these has some megabytes of XML.
const INSTANCES: usize = 500;

/// The most groups that a page may have.
const GROUPS: usize = 100;

/// What is between an ARN's beginning and the id of an instance, or the name of a group.
const INSTANCE: &str = ":instance/";
const GROUP: &str = ":autoScalingGroupName/";

/// The instances of the region that carry one of these tags, each with its ARN. `visit` reads one, and returns its id
/// beside what was read.
///
/// # Errors
///
/// A page that AWS does not give, or that cannot be read.
pub async fn list_tagged_instances<T>(
    ec2: &Query,
    keys: &[&str],
    mut visit: impl FnMut(&mut Element<'_, '_>) -> (String, T),
) -> Result<Vec<(String, T)>, Error> {
    let region = ec2.region();
    let partition = Partition::of_region(region).name;
    let (mut instances, mut token) = (Vec::new(), None);
    loop {
        let action = ec2.action("DescribeInstances").field("Filter.1.Name", "tag-key");
        let action = action.values("Filter.1.Value", keys).field("MaxResults", INSTANCES);
        let answer = action.maybe("NextToken", token.take()).perform("instances", None).await?;
        read(&answer, |name, it| match name {
            "nextToken" => token = Some(it.text()).filter(|it| !it.is_empty()),
            "reservationSet" => it.each(|_, reservation| {
                let (mut owner, mut members) = (String::new(), Vec::new());
                reservation.each(|name, it| match name {
                    "ownerId" => owner = it.text(),
                    "instancesSet" => it.each(|_, it| members.push(visit(it))),
                    _ => {}
                });
                let arn = |id: &str| format!("arn:{partition}:ec2:{region}:{owner}{INSTANCE}{id}");
                instances.extend(members.into_iter().map(|(id, it)| (arn(&id), it)));
            }),
            _ => {}
        })
        .map_err(|err| Error::unexpected("DescribeInstances", "instances", err))?;
        if token.is_none() {
            return Ok(instances);
        }
    }
}

/// The Auto Scaling groups of the region that carry one of these tags.
///
/// # Errors
///
/// A page that AWS does not give, or that cannot be read.
pub async fn list_tagged_groups<T>(
    groups: &Query,
    keys: &[&str],
    mut visit: impl FnMut(&mut Element<'_, '_>) -> T,
) -> Result<Vec<T>, Error> {
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let action = groups.action("DescribeAutoScalingGroups").field("MaxRecords", GROUPS);
        let action = action.field("Filters.member.1.Name", "tag-key").values("Filters.member.1.Values.member", keys);
        let answer = action.maybe("NextToken", token.take()).perform("groups", None).await?;
        token = page_of(&answer, "AutoScalingGroups", |it| found.push(visit(it)))
            .map_err(|err| Error::unexpected("DescribeAutoScalingGroups", "groups", err))?;
        if token.is_none() {
            return Ok(found);
        }
    }
}

/// Visits the members of a list in the result of an answer of Auto Scaling; returns the token of the next page.
///
/// # Errors
///
/// What is wrong with the XML.
pub fn page_of(
    answer: &str,
    list: &str,
    mut visit: impl FnMut(&mut Element<'_, '_>),
) -> Result<Option<String>, String> {
    let mut token = None;
    read(answer, |_, result| {
        result.each(|name, it| match name {
            "NextToken" => token = Some(it.text()).filter(|it| !it.is_empty()),
            name if name == list => it.each(|_, it| visit(it)),
            _ => {}
        });
    })?;
    Ok(token)
}

/// A tag; EC2 writes the names of its fields in small letters, Auto Scaling does not.
pub fn tag_of(element: &mut Element<'_, '_>) -> Option<(String, String)> {
    let (mut key, mut value) = (None, String::new());
    element.each(|name, it| match name {
        "key" | "Key" => key = Some(it.text()),
        "value" | "Value" => value = it.text(),
        _ => {}
    });
    Some((key?, value))
}

/// The id of the instance of this ARN.
pub fn instance_id(arn: &str) -> Option<&str> {
    arn.split_once(INSTANCE).map(|(_, id)| id)
}

/// The name of the Auto Scaling group of this ARN.
pub fn group_name(arn: &str) -> Option<&str> {
    arn.split_once(GROUP).map(|(_, name)| name)
}

/// Writes a tag of an instance, or removes it where there is no value.
///
/// # Errors
///
/// What AWS refuses.
pub async fn write_instance_tag(
    ec2: &Query,
    id: &str,
    key: &str,
    value: Option<&str>,
    until: Instant,
) -> Result<(), Error> {
    let action = match value {
        Some(value) => ec2.action("CreateTags").field("Tag.1.Value", value),
        None => ec2.action("DeleteTags"),
    };
    action.values("ResourceId", [id]).field("Tag.1.Key", key).perform(id, Some(until)).await.map(drop)
}

/// Writes a tag of a group, or removes it where there is no value. Its instances do not get it.
///
/// # Errors
///
/// What AWS refuses; [`not_during_an_activity`] tells what passes.
pub async fn write_group_tag(
    groups: &Query,
    group: &str,
    key: &str,
    value: Option<&str>,
    until: Instant,
) -> Result<(), Error> {
    let action = match value {
        Some(value) => {
            let action = groups.action("CreateOrUpdateTags").field("Tags.member.1.Value", value);
            action.field("Tags.member.1.PropagateAtLaunch", false)
        }
        None => groups.action("DeleteTags"),
    };
    let action = action.field("Tags.member.1.ResourceId", group);
    let action = action.field("Tags.member.1.ResourceType", "auto-scaling-group").field("Tags.member.1.Key", key);
    action.perform(group, Some(until)).await.map(drop).map_err(not_during_an_activity)
}

/// While a group changes its size, or another call does: the next run goes on.
pub fn not_during_an_activity(error: Error) -> Error {
    match error.code.as_str() {
        "ScalingActivityInProgress" | "ResourceContention" | "ResourceInUse" => {
            Error { kind: ErrorKind::NotNow, ..error }
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_says_which_machine_it_is() {
        let instance = "arn:aws:ec2:ap-northeast-2:123456789012:instance/i-0abc";
        let group = "arn:aws:autoscaling:ap-northeast-2:123456789012:autoScalingGroup:1:autoScalingGroupName/web";
        assert_eq!((instance_id(instance), group_name(instance)), (Some("i-0abc"), None));
        assert_eq!((instance_id(group), group_name(group)), (None, Some("web")));
    }
}
