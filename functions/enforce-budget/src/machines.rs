//! EC2 instances and Auto Scaling groups that are expendable, or held.

use std::collections::BTreeMap;

use aws::Error;
use aws::ec2::{instance_id, list_tagged_instances, tag_of, write_instance_tag};
use aws::ec2_autoscaling::{group_name, list_tagged_groups, write_group_tag};
use aws::query::{EC2, EC2_AUTO_SCALING, Element, Query};
use aws_config::SdkConfig;
use rules::keys;
use tokio::time::Instant;

use crate::plan::world::{Resource, Whole};

/// One that is held and has lost its tag meanwhile would be forgotten.
const TAGS: [&str; 2] = [keys::BUDGET, keys::HOLD_MEMORY];

/// The tag that Auto Scaling puts on the instances of its groups.
const GROUP: &str = "aws:autoscaling:groupName";

/// Both in the region of the function.
pub struct Machines {
    ec2: Query,
    groups: Query,
}

impl Machines {
    pub fn new(config: &SdkConfig) -> Self {
        Machines { ec2: Query::new(EC2, config), groups: Query::new(EC2_AUTO_SCALING, config) }
    }
}

pub async fn list_machines(machines: &Machines) -> Result<Vec<Resource>, Error> {
    let (instances, groups) = tokio::join!(
        list_tagged_instances(&machines.ec2, &TAGS, instance),
        list_tagged_groups(&machines.groups, &TAGS, group)
    );
    let instances = instances?.into_iter().filter_map(|(arn, it)| Some(Resource { arn, ..it? }));
    Ok(instances.chain(groups?.into_iter().flatten()).collect())
}

/// What is terminated is listed for an hour.
fn instance(element: &mut Element<'_, '_>) -> (String, Option<Resource>) {
    let (mut id, mut state, mut tags) = (String::new(), String::new(), BTreeMap::new());
    element.each(|name, it| match name {
        "instanceId" => id = it.text(),
        "instanceState" => it.each(|name, it| {
            if name == "name" {
                state = it.text();
            }
        }),
        "tagSet" => it.each(|_, it| tags.extend(tag_of(it))),
        _ => {}
    });
    let is_gone = ["shutting-down", "terminated"].contains(&state.as_str());
    let name = match tags.get("Name").filter(|it| !it.is_empty()) {
        Some(name) => name.clone(),
        None => id.clone(),
    };
    let member_of = tags.get(GROUP).cloned().map(Whole::Group);
    (id, (!is_gone).then_some(Resource { arn: String::new(), name, member_of, tags }))
}

/// Only one that is being deleted has a status.
fn group(element: &mut Element<'_, '_>) -> Option<Resource> {
    let mut group = Resource { arn: String::new(), name: String::new(), member_of: None, tags: BTreeMap::new() };
    let mut status = String::new();
    element.each(|field, it| match field {
        "AutoScalingGroupARN" => group.arn = it.text(),
        "AutoScalingGroupName" => group.name = it.text(),
        "Status" => status = it.text(),
        "Tags" => it.each(|_, it| group.tags.extend(tag_of(it))),
        _ => {}
    });
    status.is_empty().then_some(group)
}

/// Writes a memory tag of an instance or a group, or removes it where there is no value.
pub async fn write_tag_of(
    machines: &Machines,
    arn: &str,
    key: &str,
    value: Option<&str>,
    until: Instant,
) -> Result<(), Error> {
    match (instance_id(arn), group_name(arn)) {
        (Some(id), _) => write_instance_tag(&machines.ec2, id, key, value, until).await,
        (None, Some(group)) => write_group_tag(&machines.groups, group, key, value, until).await,
        (None, None) => {
            Err(Error::unexpected("CreateTags", arn, "it is neither an instance nor an Auto Scaling group"))
        }
    }
}
