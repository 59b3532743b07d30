//! EC2 instances by their tags: the listing, and the tags that remember something on them.
//!
//! DescribeInstances lists tags as they are now; the index of tags is some seconds late.

use rules::partition::Partition;
use tokio::time::Instant;

use crate::Error;
use crate::query::{Element, Query, read};

/// How many instances are on a page, of at most 1,000: a page of these has some megabytes of XML.
const INSTANCES: usize = 500;

/// What is between an ARN's beginning and the id of an instance.
const INSTANCE: &str = ":instance/";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_says_which_instance_it_is() {
        assert_eq!(instance_id("arn:aws:ec2:ap-northeast-2:123456789012:instance/i-0abc"), Some("i-0abc"));
        assert_eq!(instance_id("arn:aws:rds:ap-northeast-2:123456789012:db:instance"), None);
    }
}
