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
pub fn list_tagged_instances<T>(
    ec2: &Query,
    keys: &[&str],
    visit: impl FnMut(&mut Element<'_, '_>) -> (String, T),
) -> impl Future<Output = Result<Vec<(String, T)>, Error>> {
    list_instance_pages(ec2, Some(keys), visit)
}

/// All instances of the region, as [`list_tagged_instances`] lists some of them.
///
/// # Errors
///
/// A page that AWS does not give, or that cannot be read.
pub fn list_all_instances<T>(
    ec2: &Query,
    visit: impl FnMut(&mut Element<'_, '_>) -> (String, T),
) -> impl Future<Output = Result<Vec<(String, T)>, Error>> {
    list_instance_pages(ec2, None, visit)
}

/// One instance as it is now, as [`list_tagged_instances`] lists it; none where AWS shows none of this id.
///
/// # Errors
///
/// What AWS refuses, as an id that it does not know, or an answer that cannot be read.
pub async fn read_instance<T>(
    ec2: &Query,
    id: &str,
    until: Instant,
    mut visit: impl FnMut(&mut Element<'_, '_>) -> (String, T),
) -> Result<Option<(String, T)>, Error> {
    let answer = ec2.action("DescribeInstances").values("InstanceId", [id]).perform(id, Some(until)).await?;
    let mut instances = Vec::new();
    add_instances(&answer, ec2.region(), &mut visit, &mut instances)?;
    Ok(instances.pop())
}

/// Whoever calls it returns its future and adds none: with one more the compiler gives up on the largest function.
async fn list_instance_pages<T>(
    ec2: &Query,
    keys: Option<&[&str]>,
    mut visit: impl FnMut(&mut Element<'_, '_>) -> (String, T),
) -> Result<Vec<(String, T)>, Error> {
    let (mut instances, mut token) = (Vec::new(), None);
    loop {
        let action = ec2.action("DescribeInstances").maybe("Filter.1.Name", keys.map(|_| "tag-key"));
        let action = action.values("Filter.1.Value", keys.unwrap_or_default()).field("MaxResults", INSTANCES);
        let answer = action.maybe("NextToken", token.take()).perform("instances", None).await?;
        token = add_instances(&answer, ec2.region(), &mut visit, &mut instances)?;
        if token.is_none() {
            return Ok(instances);
        }
    }
}

/// Adds the instances of a page; returns where the next one begins.
fn add_instances<T>(
    page: &str,
    region: &str,
    visit: &mut impl FnMut(&mut Element<'_, '_>) -> (String, T),
    instances: &mut Vec<(String, T)>,
) -> Result<Option<String>, Error> {
    let partition = Partition::of_region(region).name;
    let mut token = None;
    read(page, |name, it| match name {
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
