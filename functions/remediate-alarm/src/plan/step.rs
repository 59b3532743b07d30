//! What this function does: it starts a remedy, or changes what an alarm remembers.

use jiff::SignedDuration;
use reconcile::{CommandLine, MessageKind, Undo, writing_down};
use rules::intent::{AwakeUntil, Boost};
use rules::keys;
use rules::memory::RollbackIntent;
use rules::remedied::Remedied;
use serde_json::{Value, json};

use super::world::ServiceName;

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Start(StartRemedy),
    /// Changes what the alarm remembers, and nothing else.
    Remember(MemoryChange),
}

/// A remedy. What the alarm will remember is written before it is started.
#[derive(Debug, Clone, PartialEq)]
pub struct StartRemedy {
    /// What people call the alarm.
    pub alarm: String,
    pub alarm_arn: String,
    /// The tag that remembers.
    pub key: String,
    /// What it holds now.
    pub before: Option<String>,
    /// What it will hold.
    pub memory: Remedied,
    /// The service or database whose story it belongs to, as far as that is known.
    pub story: Option<String>,
    pub action: RemedyAction,
}

/// What is done.
#[derive(Debug, Clone, PartialEq)]
pub enum RemedyAction {
    /// ECS replaces every task of the service by one of the same task definition.
    Restart(ServiceName),
    /// `scale-staging` is asked for more tasks.
    ScaleOut {
        arn: String,
        service: ServiceName,
        /// How many tasks there should be now.
        desired: i32,
        /// How many more in all, and until when.
        boost: Boost,
        /// The boost that is in force.
        before: Option<String>,
    },
    /// `deploy-image` is asked to deploy the image before.
    Rollback {
        arn: String,
        service: ServiceName,
        /// The revision in use, `api-server:42`.
        revision: String,
        /// From which image to go back.
        request: RollbackIntent,
    },
    /// RDS restarts the DB instance.
    Reboot {
        id: String,
        /// Whether the standby takes over.
        failover: bool,
    },
    /// `scale-staging` is asked to end a sleep.
    Wake {
        arn: String,
        /// What people call it.
        name: String,
        /// Until when it stays awake.
        until: AwakeUntil,
        /// Until when it was kept awake before.
        before: Option<String>,
    },
    /// A person is told.
    Notify,
}

/// Something to remember on the alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryChange {
    /// What people call the alarm.
    pub alarm: String,
    pub arn: String,
    /// The tag that remembers.
    pub key: String,
    /// What it holds now.
    pub before: Option<String>,
    /// What it will hold; `None` removes it.
    pub memory: Option<Remedied>,
    /// The service or database whose story it belongs to, as far as that is known.
    pub story: Option<String>,
    pub kind: ChangeKind,
}

/// What a change of memory is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ChangeKind {
    /// This firing is a person's.
    HandedOver,
    /// All is well again, after so long.
    Recovered(SignedDuration),
    /// A person wants the past forgotten.
    Cleared,
    /// Nothing depends on it any more.
    Expired,
    /// People were told of what it says.
    Told,
}

impl RemedyAction {
    fn headline(&self) -> String {
        match self {
            RemedyAction::Restart(service) => format!("restarting {service}"),
            RemedyAction::ScaleOut { service, boost, .. } => format!("{service} gets {} more", tasks(boost.step)),
            RemedyAction::Rollback { service, .. } => format!("rolling back {service}"),
            RemedyAction::Reboot { id, failover: false } => format!("rebooting {id}"),
            RemedyAction::Reboot { id, failover: true } => format!("rebooting {id} with failover"),
            RemedyAction::Wake { name, .. } => format!("waking {name}"),
            RemedyAction::Notify => "needs you".into(),
        }
    }
}

fn tasks(count: u32) -> String {
    if count == 1 { "1 task".into() } else { format!("{count} tasks") }
}

impl Step {
    /// Whether it does nothing but tell people.
    pub fn is_written_once_told(&self) -> bool {
        match self {
            Step::Start(it) => it.action == RemedyAction::Notify,
            Step::Remember(it) => matches!(it.kind, ChangeKind::HandedOver | ChangeKind::Recovered(_)),
        }
    }
}

impl reconcile::Step for Step {
    fn action(&self) -> &'static str {
        match self {
            Step::Start(it) => match it.action {
                RemedyAction::Restart(_) => "restart",
                RemedyAction::ScaleOut { .. } => "scale-out",
                RemedyAction::Rollback { .. } => "rollback",
                RemedyAction::Reboot { .. } => "reboot",
                RemedyAction::Wake { .. } => "wake",
                RemedyAction::Notify => "notify",
            },
            Step::Remember(it) => match it.kind {
                ChangeKind::HandedOver => "leave-to-person",
                ChangeKind::Recovered(_) => "record-recovery",
                ChangeKind::Cleared => "forget",
                ChangeKind::Expired => "expire",
                ChangeKind::Told => "remember-told",
            },
        }
    }

    fn headline(&self) -> String {
        match self {
            Step::Start(it) => format!("{}: {}", it.alarm, it.action.headline()),
            Step::Remember(it) => match it.kind {
                ChangeKind::HandedOver => format!("{}: needs you, no remedy was started", it.alarm),
                ChangeKind::Recovered(after) => format!("{}: recovered after {}", it.alarm, in_words(after)),
                ChangeKind::Cleared => format!("{}: its past is forgotten", it.alarm),
                ChangeKind::Expired => format!("{}: its past has no effect any more", it.alarm),
                ChangeKind::Told => format!("{}: people were told", it.alarm),
            },
        }
    }

    fn attempt(&self) -> String {
        match self {
            Step::Start(_) => self.headline(),
            Step::Remember(_) => writing_down(&self.headline()),
        }
    }

    fn before(&self) -> Value {
        match self {
            Step::Start(it) => match &it.action {
                RemedyAction::ScaleOut { desired, before, .. } => {
                    json!({"desired": desired, keys::BOOST_MEMORY: before})
                }
                RemedyAction::Rollback { revision, .. } => json!({"task_definition": revision}),
                RemedyAction::Wake { .. } => json!({"status": "asleep"}),
                RemedyAction::Restart(_) | RemedyAction::Reboot { .. } | RemedyAction::Notify => Value::Null,
            },
            Step::Remember(it) => json!({&it.key: it.before}),
        }
    }

    fn after(&self) -> Value {
        match self {
            Step::Start(it) => match &it.action {
                RemedyAction::Restart(_) => json!({"deployment": "a new one of the same task definition"}),
                RemedyAction::ScaleOut { boost, .. } => json!({keys::BOOST_MEMORY: boost.to_string()}),
                RemedyAction::Rollback { request, .. } => json!({keys::ROLLBACK: request.to_string()}),
                RemedyAction::Reboot { failover, .. } => json!({"status": "rebooting", "failover": failover}),
                RemedyAction::Wake { until, .. } => {
                    json!({"status": "waking", keys::AWAKE_UNTIL_MEMORY: until.0.to_string()})
                }
                RemedyAction::Notify => Value::Null,
            },
            Step::Remember(it) => json!({&it.key: it.memory.as_ref().map(ToString::to_string)}),
        }
    }

    /// What only tells people counts as done once they were told: a run that dies before that has left nothing to a
    /// person who does not know of it.
    fn once_told(&self) -> Option<Self> {
        let (kind, told) = (ChangeKind::Told, self.is_written_once_told());
        match self {
            Step::Start(it) if told => Some(Step::Remember(MemoryChange {
                alarm: it.alarm.clone(),
                arn: it.alarm_arn.clone(),
                key: it.key.clone(),
                before: it.before.clone(),
                memory: Some(it.memory.clone()),
                story: it.story.clone(),
                kind,
            })),
            Step::Remember(it) if told => Some(Step::Remember(MemoryChange { kind, ..it.clone() })),
            _ => None,
        }
    }

    /// That an alarm has recovered ends its story, so whoever was told of the failure gets it too.
    fn tells(&self) -> Option<MessageKind> {
        match self {
            Step::Start(StartRemedy { action: RemedyAction::Notify, .. }) => Some(MessageKind::NeedsYou),
            Step::Start(_) => Some(MessageKind::Failed),
            Step::Remember(it) => match it.kind {
                ChangeKind::HandedOver => Some(MessageKind::NeedsYou),
                ChangeKind::Recovered(_) => Some(MessageKind::Failed),
                ChangeKind::Cleared | ChangeKind::Expired | ChangeKind::Told => None,
            },
        }
    }

    /// That of the service or database which the remedy is for.
    fn story(&self) -> Option<&str> {
        match self {
            Step::Start(it) => it.story.as_deref(),
            Step::Remember(it) => it.story.as_deref(),
        }
    }

    fn undo(&self) -> Option<Undo> {
        let Step::Start(step) = self else { return None };
        match &step.action {
            RemedyAction::ScaleOut { arn, before, .. } => {
                Some(Undo::Shell(tag_command(arn, keys::BOOST_MEMORY, before.as_deref())))
            }
            RemedyAction::Wake { arn, before, .. } => {
                Some(Undo::Shell(tag_command(arn, keys::AWAKE_UNTIL_MEMORY, before.as_deref())))
            }
            // deploy-image is woken at once: by the time a person reads this, the image is rejected.
            RemedyAction::Rollback { service, request, .. } => {
                let mut clear = json!({"service": service.to_string()});
                request.digest.iter().for_each(|it| clear["image"] = it.to_string().into());
                let payload = json!({"clear": clear});
                Some(Undo::Sibling { own: "remediate-alarm", function: "deploy-image", payload })
            }
            // New tasks cannot be made old ones again, nor a restart undone.
            RemedyAction::Restart(_) | RemedyAction::Reboot { .. } | RemedyAction::Notify => None,
        }
    }
}

/// The command that gives a tag its value back, or removes it.
fn tag_command(arn: &str, key: &str, value: Option<&str>) -> CommandLine {
    // As JSON: in the AWS CLI's short form a comma or a quote in a value would end it.
    match (arn.contains(":ecs:"), value) {
        (true, Some(value)) => {
            let tags = json!([{"key": key, "value": value}]).to_string();
            CommandLine::of(["aws", "ecs", "tag-resource", "--resource-arn", arn, "--tags", &tags])
        }
        (true, None) => CommandLine::of(["aws", "ecs", "untag-resource", "--resource-arn", arn, "--tag-keys", key]),
        (false, Some(value)) => {
            let tags = json!([{"Key": key, "Value": value}]).to_string();
            CommandLine::of(["aws", "rds", "add-tags-to-resource", "--resource-name", arn, "--tags", &tags])
        }
        (false, None) => {
            CommandLine::of(["aws", "rds", "remove-tags-from-resource", "--resource-name", arn, "--tag-keys", key])
        }
    }
}

/// `4 minutes`, `1 hour 5 minutes`.
fn in_words(time: SignedDuration) -> String {
    let unit = |count: i64, name: &str| match count {
        0 => None,
        1 => Some(format!("1 {name}")),
        _ => Some(format!("{count} {name}s")),
    };
    let minutes = time.as_mins().max(0);
    let parts: Vec<String> = [unit(minutes / 60, "hour"), unit(minutes % 60, "minute")].into_iter().flatten().collect();
    if parts.is_empty() { "less than a minute".into() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_as_people_say_it() {
        let said = |seconds| in_words(SignedDuration::from_secs(seconds));
        assert_eq!(
            [said(59), said(60), said(299), said(3600), said(3900), said(-5)].map(|it| it.to_string()),
            ["less than a minute", "1 minute", "4 minutes", "1 hour", "1 hour 5 minutes", "less than a minute",]
        );
    }
}
