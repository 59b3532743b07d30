//! Calls to EC2: the instances that opted in.

use aws::ec2::{list_tagged_instances, tag_of};
use aws::query::{EC2, Element, Query};
use aws::{Error, ErrorKind};
use aws_config::SdkConfig;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rules::keys;
use tokio::time::Instant;

use crate::plan::Instance;

/// What does not pass within minutes: the instance is as it is, or AWS has no room for it.
const REFUSALS: [&str; 9] = [
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "InstanceLimitExceeded",
    "OperationNotPermitted",
    "Unsupported",
    "UnsupportedHibernationConfiguration",
    "UnsupportedOperation",
    "UnsupportedTenancy",
    "VcpuLimitExceeded",
];

/// EC2 in the region of the function.
pub struct Ec2(pub Query);

impl Ec2 {
    pub fn new(config: &SdkConfig) -> Self {
        Ec2(Query::new(EC2, config))
    }
}

/// The instances that carry a schedule, or that sleep.
pub async fn list_instances(ec2: &Ec2) -> Result<Vec<Instance>, Error> {
    let read = |it: &mut Element<'_, '_>| {
        let instance = instance(it);
        (instance.id.clone(), instance)
    };
    let listed = list_tagged_instances(&ec2.0, &[keys::SCHEDULE, keys::ASLEEP], read).await?;
    Ok(listed.into_iter().map(|(arn, it)| Instance { arn, ..it }).collect())
}

fn instance(element: &mut Element<'_, '_>) -> Instance {
    let mut instance = Instance {
        arn: String::new(),
        id: String::new(),
        state: String::new(),
        launched_at: None,
        stopped_at: None,
        state_reason: None,
        lifecycle: None,
        root_device: String::new(),
        operator: None,
        can_hibernate: false,
        tags: Default::default(),
    };
    let (mut managed, mut principal) = (false, String::new());
    element.each(|name, it| match name {
        "instanceId" => instance.id = it.text(),
        "instanceState" => it.each(|name, it| {
            if name == "name" {
                instance.state = it.text();
            }
        }),
        "launchTime" => instance.launched_at = it.text().parse().ok(),
        "reason" => instance.stopped_at = stopped_at(&it.text()),
        "stateReason" => it.each(|name, it| {
            if name == "message" {
                instance.state_reason = Some(it.text());
            }
        }),
        "instanceLifecycle" => instance.lifecycle = Some(it.text()).filter(|it| !it.is_empty()),
        "rootDeviceType" => instance.root_device = it.text(),
        "operator" => it.each(|name, it| match name {
            "managed" => managed = it.text() == "true",
            "principal" => principal = it.text(),
            _ => {}
        }),
        "hibernationOptions" => it.each(|name, it| {
            if name == "configured" {
                instance.can_hibernate = it.text() == "true";
            }
        }),
        "tagSet" => it.each(|_, it| instance.tags.extend(tag_of(it))),
        _ => {}
    });
    instance.operator = managed.then(|| if principal.is_empty() { "another AWS service".into() } else { principal });
    instance
}

/// `User initiated (2026-11-20 11:00:03 GMT)`: when it was stopped last.
fn stopped_at(reason: &str) -> Option<Timestamp> {
    let (_, moment) = reason.split_once('(')?;
    let moment: DateTime = moment.strip_suffix(" GMT)")?.parse().ok()?;
    TimeZone::UTC.to_timestamp(moment).ok()
}

pub async fn stop(ec2: &Ec2, id: &str, hibernate: bool, until: Instant) -> Result<(), Error> {
    let action = ec2.0.action("StopInstances").values("InstanceId", [id]);
    let action = action.maybe("Hibernate", hibernate.then_some(true));
    action.perform(id, Some(until)).await.map(drop).map_err(judged)
}

pub async fn start(ec2: &Ec2, id: &str, until: Instant) -> Result<(), Error> {
    let action = ec2.0.action("StartInstances").values("InstanceId", [id]);
    action.perform(id, Some(until)).await.map(drop).map_err(judged)
}

/// What stays for a while is tried again after that, and what has changed meanwhile by the next run.
fn judged(error: Error) -> Error {
    match error.code.as_str() {
        "IncorrectInstanceState" | "InvalidInstanceID.NotFound" => Error { kind: ErrorKind::NotNow, ..error },
        code if REFUSALS.contains(&code) => error.refused(),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_of_a_stop_is_read_from_its_reason_where_there_is_one() {
        let moment = |it: &str| stopped_at(it).map(|it| it.to_string());
        assert_eq!(moment("User initiated (2026-11-20 11:00:03 GMT)").as_deref(), Some("2026-11-20T11:00:03Z"));
        assert_eq!(moment(""), None);
        assert_eq!(moment("Server.SpotInstanceTermination"), None);
        assert_eq!(moment("User initiated (yesterday GMT)"), None);
    }
}
