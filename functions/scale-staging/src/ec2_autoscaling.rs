//! Calls to EC2 Auto Scaling: the groups that opted in. Application Auto Scaling is another service (`autoscaling.rs`).

use std::collections::BTreeMap;

use aws::Error;
use aws::ec2::tag_of;
use aws::ec2_autoscaling::{list_tagged_groups, not_during_an_activity, page_of};
use aws::query::{EC2_AUTO_SCALING, Element, Query};
use aws_config::SdkConfig;
use rules::keys;
use rules::sleep::{Limits, Suspended};
use tokio::time::Instant;

use crate::plan::{Scaled, ScheduledAction, Service};

/// The most scheduled actions that a page may have.
const PAGE: usize = 100;

/// What is suspended of a sleeping group, so that no alarm and no schedule of its own starts instances. All else, such as
/// the replacement of unhealthy instances, is left to people.
const ALARMS: &str = "AlarmNotification";
const SCHEDULED: &str = "ScheduledActions";

/// The groups in the region of the function.
pub struct Groups(pub Query);

impl Groups {
    pub fn new(config: &SdkConfig) -> Self {
        Groups(Query::new(EC2_AUTO_SCALING, config))
    }
}

/// The groups that carry a schedule, or that sleep.
pub async fn list_groups(groups: &Groups) -> Result<Vec<Service>, Error> {
    let mut found = list_tagged_groups(&groups.0, &[keys::SCHEDULE, keys::ASLEEP], group).await?;
    if found.iter().any(|it| it.tags.contains_key(keys::SCHEDULE)) {
        let mut actions = scheduled_actions(groups).await?;
        for group in &mut found {
            group.scheduled_actions = actions.remove(group.scaled.name()).unwrap_or_default();
        }
    }
    Ok(found)
}

/// The call takes one group or none: all are read, which are few.
async fn scheduled_actions(groups: &Groups) -> Result<BTreeMap<String, Vec<ScheduledAction>>, Error> {
    let (mut found, mut token) = (BTreeMap::<String, Vec<ScheduledAction>>::new(), None);
    loop {
        let action = groups.0.action("DescribeScheduledActions").field("MaxRecords", PAGE);
        let answer = action.maybe("NextToken", token.take()).perform("groups", None).await?;
        token = page_of(&answer, "ScheduledUpdateGroupActions", |it| {
            let (mut group, mut action) = (String::new(), ScheduledAction { name: String::new(), ends: None });
            it.each(|name, it| match name {
                "AutoScalingGroupName" => group = it.text(),
                "ScheduledActionName" => action.name = it.text(),
                "EndTime" => action.ends = it.text().parse().ok(),
                _ => {}
            });
            found.entry(group).or_default().push(action);
        })
        .map_err(|err| Error::unexpected("DescribeScheduledActions", "groups", err))?;
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn group(element: &mut Element<'_, '_>) -> Service {
    let (mut arn, mut name, mut created_at, mut status) = (String::new(), String::new(), None, None);
    let (mut min, mut max, mut desired, mut running, mut members) = (0, 0, 0, 0, 0);
    let (mut suspended, mut tags) = (Suspended::default(), BTreeMap::new());
    element.each(|field, it| match field {
        "AutoScalingGroupARN" => arn = it.text(),
        "AutoScalingGroupName" => name = it.text(),
        "CreatedTime" => created_at = it.text().parse().ok(),
        "Status" => status = Some(it.text()),
        "MinSize" => min = it.text().parse().unwrap_or_default(),
        "MaxSize" => max = it.text().parse().unwrap_or_default(),
        "DesiredCapacity" => desired = it.text().parse().unwrap_or_default(),
        "Instances" => it.each(|_, it| {
            members += 1;
            it.each(|name, it| running += i32::from(name == "LifecycleState" && it.text() == "InService"));
        }),
        "SuspendedProcesses" => it.each(|_, it| {
            it.each(|name, it| match (name, it.text().as_str()) {
                ("ProcessName", ALARMS) => (suspended.scale_in, suspended.scale_out) = (true, true),
                ("ProcessName", SCHEDULED) => suspended.scheduled = true,
                _ => {}
            });
        }),
        "Tags" => it.each(|_, it| tags.extend(tag_of(it))),
        _ => {}
    });
    Service {
        arn,
        scaled: Scaled::Group(name),
        // Only a group that is being deleted has a status.
        status: status.filter(|it| !it.is_empty()).unwrap_or_else(|| "ACTIVE".into()),
        is_daemon: false,
        is_express: false,
        desired,
        running,
        pending: members - running,
        created_at,
        deploying_since: None,
        deployed_at: None,
        updated_at: None,
        messages: Vec::new(),
        target: Some(Limits { min, max, suspended }),
        target_arn: None,
        copy: None,
        scheduled_actions: Vec::new(),
        tags,
    }
}

/// Sets the least number of instances of a group, and what of it is suspended. Suspended before and resumed after: in
/// between nothing but this changes its size.
pub async fn set_limits(
    groups: &Groups,
    group: &str,
    min: i32,
    suspended: Suspended,
    until: Instant,
) -> Result<(), Error> {
    let all = [(ALARMS, suspended.scale_in && suspended.scale_out), (SCHEDULED, suspended.scheduled)];
    let named = |is: bool| all.iter().filter(|(_, it)| *it == is).map(|(name, _)| *name).collect::<Vec<_>>();
    let (to_suspend, to_resume) = (named(true), named(false));
    // A call that names no process means all of them.
    if !to_suspend.is_empty() {
        let action = groups.0.action("SuspendProcesses").field("AutoScalingGroupName", group);
        let call = action.values("ScalingProcesses.member", to_suspend).perform(group, Some(until));
        call.await.map_err(not_during_an_activity)?;
    }
    let action = groups.0.action("UpdateAutoScalingGroup").field("AutoScalingGroupName", group);
    action.field("MinSize", min).perform(group, Some(until)).await.map_err(not_during_an_activity)?;
    if !to_resume.is_empty() {
        let action = groups.0.action("ResumeProcesses").field("AutoScalingGroupName", group);
        let call = action.values("ScalingProcesses.member", to_resume).perform(group, Some(until));
        call.await.map_err(not_during_an_activity)?;
    }
    Ok(())
}

/// Sets how many instances there should be.
pub async fn set_count(groups: &Groups, group: &str, desired: i32, until: Instant) -> Result<(), Error> {
    let action = groups.0.action("UpdateAutoScalingGroup").field("AutoScalingGroupName", group);
    let call = action.field("DesiredCapacity", desired).perform(group, Some(until));
    call.await.map(drop).map_err(not_during_an_activity)
}
