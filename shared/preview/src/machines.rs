//! Reads of EC2 and EC2 Auto Scaling: instances and groups, as far as a schedule can be put on them.

use std::collections::BTreeMap;

use aws::Error;
use aws::ec2::{list_all_instances, tag_of};
use aws::query::{Element, Query, read};

/// The most groups of a page.
const GROUPS: usize = 100;

/// An EC2 instance or an Auto Scaling group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Machine {
    pub arn: String,
    /// What people call it.
    pub name: String,
    pub tags: BTreeMap<String, String>,
    /// It is there only for a while, or what manages it would not let it sleep.
    pub is_unfit: bool,
}

/// The instances of the region that run or are stopped.
pub async fn list_instances(ec2: &Query) -> Result<Vec<Machine>, Error> {
    let listed = list_all_instances(ec2, instance).await?;
    Ok(listed.into_iter().filter_map(|(arn, it)| Some(Machine { arn, ..it? })).collect())
}

/// One that is neither running nor stopped is left out.
fn instance(element: &mut Element<'_, '_>) -> (String, Option<Machine>) {
    let (mut id, mut state, mut machine) = (String::new(), String::new(), Machine::default());
    element.each(|name, it| match name {
        "instanceId" => id = it.text(),
        "instanceState" => it.each(|name, it| {
            if name == "name" {
                state = it.text();
            }
        }),
        // Spot instances and capacity blocks.
        "instanceLifecycle" => machine.is_unfit |= !it.text().is_empty(),
        "rootDeviceType" => machine.is_unfit |= it.text() == "instance-store",
        "operator" => it.each(|name, it| machine.is_unfit |= name == "managed" && it.text() == "true"),
        "tagSet" => it.each(|_, it| machine.tags.extend(tag_of(it))),
        _ => {}
    });
    // Of a member the group sleeps.
    machine.is_unfit |= machine.tags.contains_key("aws:autoscaling:groupName");
    machine.name = match machine.tags.get("Name").filter(|it| !it.is_empty()) {
        Some(name) => format!("{id} ({name})"),
        None => id.clone(),
    };
    let stays = ["running", "stopped"].contains(&state.as_str());
    (id, stays.then_some(machine))
}

/// The groups of the region.
pub async fn list_groups(groups: &Query) -> Result<Vec<Machine>, Error> {
    let (mut machines, mut token) = (Vec::new(), None);
    loop {
        let action = groups.action("DescribeAutoScalingGroups").field("MaxRecords", GROUPS);
        let answer = action.maybe("NextToken", token.take()).perform("groups", None).await?;
        read(&answer, |_, result| {
            result.each(|name, it| match name {
                "NextToken" => token = Some(it.text()).filter(|it| !it.is_empty()),
                "AutoScalingGroups" => it.each(|_, it| machines.push(group(it))),
                _ => {}
            });
        })
        .map_err(|err| Error::unexpected("DescribeAutoScalingGroups", "groups", err))?;
        if token.is_none() {
            return Ok(machines);
        }
    }
}

fn group(element: &mut Element<'_, '_>) -> Machine {
    let mut machine = Machine::default();
    element.each(|name, it| match name {
        "AutoScalingGroupARN" => machine.arn = it.text(),
        "AutoScalingGroupName" => machine.name = it.text(),
        // It is being deleted.
        "Status" => machine.is_unfit |= !it.text().is_empty(),
        "Tags" => it.each(|_, it| machine.tags.extend(tag_of(it))),
        _ => {}
    });
    // The capacity of ECS services sleeps only where these say so with after=.
    machine.is_unfit |= machine.tags.contains_key("AmazonECSManaged");
    machine
}

#[cfg(test)]
mod tests {
    use aws::query::{EC2, EC2_AUTO_SCALING};
    use testkit::scripted::{Answer, Call, HOME, Script, Tables};

    use super::*;

    /// An EC2 with two pages, and a group.
    struct Machines;

    fn instance(id: &str, state: &str, more: &str) -> String {
        format!("<item><instanceId>{id}</instanceId><instanceState><name>{state}</name></instanceState>{more}</item>")
    }

    impl Tables for Machines {
        fn answer(&mut self, call: &Call) -> Answer {
            let tag = |key: &str| format!("<tagSet><item><key>{key}</key><value>shop</value></item></tagSet>");
            let (instances, next) = match (call.operation.as_str(), call.text("NextToken")) {
                ("DescribeAutoScalingGroups", _) => {
                    return Answer::Xml(
                        "<AutoScalingGroups><member><AutoScalingGroupARN>arn:aws:autoscaling:r:1:autoScalingGroup:u:\
                         autoScalingGroupName/web</AutoScalingGroupARN><AutoScalingGroupName>web</AutoScalingGroupName>\
                         </member><member><AutoScalingGroupARN>arn:ecs</AutoScalingGroupARN><AutoScalingGroupName>ecs\
                         </AutoScalingGroupName><Tags><member><Key>AmazonECSManaged</Key><Value></Value></member></Tags>\
                         </member></AutoScalingGroups>"
                            .into(),
                    );
                }
                (_, "") => (instance("i-1", "running", &tag("Name")) + &instance("i-2", "terminated", ""), "2"),
                _ => {
                    let spot = instance("i-3", "running", "<instanceLifecycle>spot</instanceLifecycle>");
                    (spot + &instance("i-4", "stopped", &tag("aws:autoscaling:groupName")), "")
                }
            };
            Answer::Body(format!(
                "<DescribeInstancesResponse><reservationSet><item><ownerId>123456789012</ownerId><instancesSet>{instances}\
                 </instancesSet></item></reservationSet><nextToken>{next}</nextToken></DescribeInstancesResponse>"
            ))
        }
    }

    #[tokio::test]
    async fn all_pages_are_read_and_what_cannot_sleep_is_told_apart() {
        let script = Script::new(Machines);
        let machines = list_instances(&Query::new(EC2, &script.sdk())).await.unwrap();
        let seen =
            |it: &[Machine]| -> Vec<(String, bool)> { it.iter().map(|it| (it.name.clone(), it.is_unfit)).collect() };
        let expected = [("i-1 (shop)", false), ("i-3", true), ("i-4", true)];
        assert_eq!(seen(&machines), expected.map(|(name, unfit)| (name.to_owned(), unfit)));
        assert_eq!(machines[0].arn, format!("arn:aws:ec2:{HOME}:123456789012:instance/i-1"));
        let groups = list_groups(&Query::new(EC2_AUTO_SCALING, &script.sdk())).await.unwrap();
        assert_eq!(seen(&groups), [("web".to_owned(), false), ("ecs".into(), true)]);
    }
}
