//! EC2 Auto Scaling groups by their tags: the listing, and the tags that remember something on them.

use tokio::time::Instant;

use crate::query::{Element, Query, read};
use crate::{Error, ErrorKind};

/// The most groups that a page may have.
const GROUPS: usize = 100;

/// What is between an ARN's beginning and the name of a group.
const GROUP: &str = ":autoScalingGroupName/";

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

/// The name of the Auto Scaling group of this ARN.
pub fn group_name(arn: &str) -> Option<&str> {
    arn.split_once(GROUP).map(|(_, name)| name)
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
    fn an_arn_says_which_group_it_is() {
        let group = "arn:aws:autoscaling:ap-northeast-2:123456789012:autoScalingGroup:1:autoScalingGroupName/web";
        assert_eq!(group_name(group), Some("web"));
        assert_eq!(group_name("arn:aws:ec2:ap-northeast-2:123456789012:instance/i-0abc"), None);
    }
}
