//! Options of a schedule that mean nothing on the resource that carries it.

use reconcile::Trouble;
use rules::keys;
use rules::schedule::{Act, Schedule};

/// What carries a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Service,
    Group,
    Database,
    Instance,
    /// A group of schedules of EventBridge Scheduler.
    Jobs,
}

/// The option that is not for this kind of resource, told as a tag that cannot be understood.
pub fn misplaced(schedule: &Schedule, kind: Kind) -> Option<Trouble> {
    let is_more = schedule.enforce || schedule.act != Act::Both;
    let message = if kind == Kind::Jobs && (is_more || schedule.off > 0) {
        "off=, act= and enforce= are not for groups of schedules, which are enabled or disabled as a whole"
    } else if schedule.maintenance_awake && kind != Kind::Database {
        "maintenance=awake is for databases, whose maintenance window RDS keeps"
    } else if schedule.hibernate && kind != Kind::Instance {
        "hibernate=true is for EC2 instances"
    } else if schedule.off > 0 && kind == Kind::Instance {
        "off= is for services and Auto Scaling groups: an instance runs or does not"
    } else if ![Kind::Service, Kind::Jobs].contains(&kind)
        && schedule.after.iter().any(|it| it.starts_with("ec2:") || it.starts_with("asg:"))
    {
        "after=ec2:… and after=asg:… are for services; what is not a service can only wait for databases"
    } else {
        return None;
    };
    Some(Trouble::new("bad-tag", format!("{}: {message}; leave it out here", keys::SCHEDULE)))
}
