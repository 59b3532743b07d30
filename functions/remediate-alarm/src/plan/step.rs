//! What this function does: a remedy, or a note on the alarm.

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::Undo;
use rules::keys;
use rules::memory::RollbackWish;
use rules::remedied::Remedied;
use rules::wish::{AwakeUntil, Boost};
use serde_json::{Value, json};

use super::world::ServiceName;

/// A remedy, or a note.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Begins a remedy.
    Act(Act),
    /// Writes down what is known, and does nothing else.
    Note(Note),
}

/// A remedy. What the alarm will remember is written before it is begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// The alarm's name.
    pub alarm: String,
    /// The alarm's ARN.
    pub alarm_arn: String,
    /// What the alarm remembers now.
    pub before: Option<String>,
    /// What it will remember.
    pub memory: Remedied,
    /// What is done.
    pub remedy: Deed,
}

/// What is done.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// ECS replaces every task of the service by one of the same task definition.
    Restart(ServiceName),
    /// `scale-staging` is asked for more tasks.
    ScaleOut {
        /// The service's ARN.
        arn: String,
        /// The service.
        service: ServiceName,
        /// How many tasks there should be now.
        desired: i32,
        /// How many more in all, and until when.
        boost: Boost,
        /// The boost that is in force.
        before: Option<String>,
    },
    /// `deploy-image` is asked to bring the image before.
    Rollback {
        /// The service's ARN.
        arn: String,
        /// The service.
        service: ServiceName,
        /// The revision in use, `api-server:42`.
        revision: String,
        /// From which image to go back.
        wish: RollbackWish,
    },
    /// RDS restarts the DB instance.
    Reboot {
        /// Its identifier.
        id: String,
        /// Whether the standby takes over.
        failover: bool,
    },
    /// `scale-staging` is asked to end a sleep.
    Wake {
        /// The ARN of the service or database.
        arn: String,
        /// What people call it.
        name: String,
        /// Until when it stays awake.
        until: AwakeUntil,
    },
    /// A person is told.
    Notify,
}

/// Something to remember on the alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// The alarm's name.
    pub alarm: String,
    /// The alarm's ARN.
    pub arn: String,
    /// What it remembers now.
    pub before: Option<String>,
    /// What it will remember; `None` forgets all.
    pub memory: Option<Remedied>,
    /// What that is about.
    pub what: What,
}

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum What {
    /// This firing is a person's.
    Left,
    /// All is well again, after so long.
    Recovered(SignedDuration),
    /// A person wants the past forgotten.
    Forgotten,
}

impl Deed {
    fn headline(&self) -> String {
        match self {
            Deed::Restart(service) => format!("restarting {service}"),
            Deed::ScaleOut { service, boost, .. } => format!("{} more for {service}", tasks(boost.step)),
            Deed::Rollback { service, .. } => format!("rolling back {service}"),
            Deed::Reboot { id, failover: false } => format!("rebooting {id}"),
            Deed::Reboot { id, failover: true } => format!("rebooting {id} with failover"),
            Deed::Wake { name, .. } => format!("waking {name}"),
            Deed::Notify => "over to you".into(),
        }
    }
}

fn tasks(count: u32) -> String {
    if count == 1 { "1 task".into() } else { format!("{count} tasks") }
}

impl reconcile::Step for Step {
    fn action(&self) -> &'static str {
        match self {
            Step::Act(it) => match it.remedy {
                Deed::Restart(_) => "restart",
                Deed::ScaleOut { .. } => "scale-out",
                Deed::Rollback { .. } => "rollback",
                Deed::Reboot { .. } => "reboot",
                Deed::Wake { .. } => "wake",
                Deed::Notify => "notify",
            },
            Step::Note(it) => match it.what {
                What::Left => "leave-to-person",
                What::Recovered(_) => "record-recovery",
                What::Forgotten => "forget",
            },
        }
    }

    fn headline(&self) -> String {
        match self {
            Step::Act(it) => format!("ALARM {}: {}", it.alarm, it.remedy.headline()),
            Step::Note(it) => match it.what {
                What::Left => format!("{}: this alarm is left to you", it.alarm),
                What::Recovered(after) => format!("{}: recovered after {}", it.alarm, in_words(after)),
                What::Forgotten => format!("{}: its past is forgotten", it.alarm),
            },
        }
    }

    fn before(&self) -> Value {
        match self {
            Step::Act(it) => match &it.remedy {
                Deed::ScaleOut { desired, before, .. } => json!({"desired": desired, "boost": before}),
                Deed::Rollback { revision, .. } => json!({"task_definition": revision}),
                Deed::Wake { .. } => json!({"asleep": true}),
                Deed::Restart(_) | Deed::Reboot { .. } | Deed::Notify => Value::Null,
            },
            Step::Note(it) => json!({keys::REMEDIED: it.before}),
        }
    }

    fn after(&self) -> Value {
        match self {
            Step::Act(it) => match &it.remedy {
                Deed::Restart(_) => json!({"deployment": "a new one of the same task definition"}),
                Deed::ScaleOut { boost, .. } => json!({"boost": boost.to_string()}),
                Deed::Rollback { wish, .. } => json!({"wish": wish.to_string()}),
                Deed::Reboot { failover, .. } => json!({"status": "rebooting", "failover": failover}),
                Deed::Wake { until, .. } => json!({"awake_until": until.0.to_string()}),
                Deed::Notify => Value::Null,
            },
            Step::Note(it) => json!({keys::REMEDIED: it.memory.as_ref().map(ToString::to_string)}),
        }
    }

    fn is_note(&self) -> bool {
        matches!(self, Step::Note(_))
    }

    fn undo(&self) -> Option<Undo> {
        let Step::Act(act) = self else { return None };
        let untag_service =
            |arn: &str, key: &str| Undo::Shell(format!("aws ecs untag-resource --resource-arn {arn} --tag-keys {key}"));
        match &act.remedy {
            Deed::ScaleOut { arn, .. } => Some(untag_service(arn, keys::BOOST_MEMORY)),
            Deed::Rollback { arn, .. } => Some(untag_service(arn, keys::ROLLBACK)),
            Deed::Wake { arn, .. } if arn.contains(":ecs:") => Some(untag_service(arn, keys::AWAKE_UNTIL_MEMORY)),
            Deed::Wake { arn, .. } => {
                let key = keys::AWAKE_UNTIL_MEMORY;
                Some(Undo::Shell(format!("aws rds remove-tags-from-resource --resource-name {arn} --tag-keys {key}")))
            }
            // New tasks cannot be made old ones again, nor a restart undone.
            Deed::Restart(_) | Deed::Reboot { .. } | Deed::Notify => None,
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

/// A moment as people read it, in the stack's zone: `2026-11-21 03:10:05`.
pub fn local(moment: Timestamp, now: &Zoned) -> String {
    moment.to_zoned(now.time_zone().clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
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
