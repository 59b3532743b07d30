//! What each step says of itself: in the report, in the log, in messages, and how it is undone.

use reconcile::{MessageKind, Undo, writing_down};
use rules::rejections::Rejections;
use serde_json::{Value, json};

use super::{MemoryChange, Remember, Step, StoppedBy};
use crate::plan::world::short_name;

impl reconcile::Step for Step {
    fn action(&self) -> &'static str {
        match self {
            Step::Deploy(_) => "deploy",
            Step::RollBack(_) => "roll-back",
            Step::Stop(_) => "stop",
            Step::Continue(_) => "continue",
            Step::Migrate(_) => "migrate",
            Step::AskForSnapshot(_) => "ask-for-snapshot",
            Step::Follow(_) => "follow",
            Step::Remember(it) => match it.change {
                MemoryChange::Reject => "reject",
                MemoryChange::Approve => "approve",
                MemoryChange::Clear => "clear",
                MemoryChange::Forgive => "forgive",
                MemoryChange::DropApproval => "drop-approval",
                MemoryChange::Live => "record-success",
                MemoryChange::AllTraffic => "record-all-traffic",
                MemoryChange::Migrated => "record-migration",
                MemoryChange::Soak => "count-soak",
                MemoryChange::Migrating => "mark-migration",
                MemoryChange::DropIntent => "drop-request",
            },
        }
    }

    fn headline(&self) -> String {
        match self {
            Step::Deploy(it) => format!("{}: deploying {} (was {})", it.service, it.to, it.from),
            Step::RollBack(it) => format!("{}: going back to {} from {}", it.service, it.to, it.from),
            Step::Stop(it) => {
                let by = if it.by == StoppedBy::Ecs { "ECS" } else { "CodeDeploy" };
                format!("{}: stopping {}, {by} goes back", it.service, it.from)
            }
            Step::Continue(it) => format!("{}: {} goes on after the pause ({})", it.service, it.image, it.stage),
            Step::Follow(it) => {
                let (from, to) = (short_name(&it.from), short_name(&it.to));
                format!("{}/{}: runs {to} from now on (was {from}), as {} does", it.group, it.schedule, it.service)
            }
            Step::Migrate(it) => format!("{}: the migration for {} begins", it.service, it.image),
            Step::AskForSnapshot(it) => it.headline(),
            Step::Remember(it) => match it.change {
                MemoryChange::Reject if it.stays && it.image != it.running => {
                    format!("{}: {} is rejected, {} stays", it.service, it.image, it.running)
                }
                MemoryChange::Reject => format!("{}: {} is rejected", it.service, it.image),
                MemoryChange::Approve => format!("{}: {} is approved", it.service, it.image),
                MemoryChange::Clear | MemoryChange::Forgive => {
                    format!("{}: {} is no longer rejected", it.service, it.image)
                }
                MemoryChange::DropApproval => format!("{}: {} is no longer approved", it.service, it.image),
                MemoryChange::Live => format!("{}: {} is live", it.service, it.image),
                MemoryChange::AllTraffic => format!("{}: all traffic is on {}", it.service, it.image),
                MemoryChange::Migrated => format!("{}: the migration for {} has ended well", it.service, it.image),
                MemoryChange::Soak if it.value.is_some() => format!("{}: {} soaks", it.service, it.image),
                MemoryChange::Soak => format!("{}: no image soaks", it.service),
                MemoryChange::Migrating if it.value.is_some() => {
                    format!("{}: the migration for {} is running", it.service, it.image)
                }
                MemoryChange::Migrating => format!("{}: no migration is running", it.service),
                MemoryChange::DropIntent => format!("{}: the request to roll back is settled", it.service),
            },
        }
    }

    fn attempt(&self) -> String {
        match self {
            Step::Remember(_) => writing_down(&self.headline()),
            _ => self.headline(),
        }
    }

    fn before(&self) -> Value {
        match self {
            Step::Deploy(it) => json!({"image": it.from, "task_definition": short_name(&it.from_revision)}),
            Step::RollBack(it) => json!({"image": it.from, "task_definition": short_name(&it.from_revision)}),
            Step::Stop(it) => json!({"image": it.from, "task_definition": short_name(&it.from_revision)}),
            Step::Continue(it) => json!({"paused": it.stage}),
            Step::Follow(it) => json!({"schedule": it.schedule, "task_definition": short_name(&it.from)}),
            Step::Migrate(it) => json!({"image": it.running}),
            Step::AskForSnapshot(_) => json!({"snapshot": null}),
            Step::Remember(it) => json!({it.key: it.before}),
        }
    }

    fn after(&self) -> Value {
        match self {
            Step::Deploy(it) => json!({"image": it.to, "digest": it.digest.to_string()}),
            Step::RollBack(it) => json!({"image": it.to, "task_definition": short_name(&it.to_revision)}),
            Step::Stop(it) => {
                let to = it.to_revision.as_deref().map(short_name);
                json!({"task_definition": to, "stopped": it.deployment})
            }
            Step::Continue(it) => json!({"image": it.image, "continued": it.hook}),
            Step::Follow(it) => json!({"schedule": it.schedule, "task_definition": short_name(&it.to)}),
            Step::Migrate(it) => json!({"family": it.family, "started_by": it.run}),
            Step::AskForSnapshot(it) => json!({"snapshot": it.id}),
            Step::Remember(it) => json!({it.key: it.value}),
        }
    }

    /// Whoever rejected or approved an image wants the deployment or the way back more than the note of it; without the
    /// note the past of the service tells most of it. That a migration has run only the note tells, once ECS has
    /// forgotten the task: without it the migration would run twice.
    /// Nor do the other schedules of a group wait for one that cannot be changed.
    fn is_dispensable(&self) -> bool {
        matches!(self, Step::Remember(it) if it.change != MemoryChange::Migrated) || matches!(self, Step::Follow(_))
    }

    /// Without the rejection that it asked for, the next run would deploy again what was just taken back.
    fn comes_after_all(&self) -> bool {
        matches!(self, Step::Remember(it) if it.change == MemoryChange::DropIntent)
    }

    fn once_told(&self) -> Option<Self> {
        let Step::Remember(it) = self else { return None };
        let rejections: Rejections = it.value.as_ref().filter(|_| it.change == MemoryChange::Reject)?.parse().ok()?;
        let value = Rejections { untold: false, ..rejections.clone() }.value();
        let write = || Step::Remember(Remember { before: it.value.clone(), value, ..it.clone() });
        rejections.untold.then(write)
    }

    /// How a deployment ended is news; that it begins, and what an image passes before, is routine. Asking for a
    /// snapshot changes nothing and is repeated until it is there: whoever takes it tells of it.
    fn tells(&self) -> Option<MessageKind> {
        match self {
            Step::RollBack(_) => Some(MessageKind::Changed),
            Step::Stop(_) => Some(MessageKind::Failed),
            Step::Deploy(_) | Step::Migrate(_) | Step::Continue(_) | Step::Follow(_) => Some(MessageKind::Routine),
            Step::AskForSnapshot(_) => None,
            Step::Remember(it) => match it.change {
                MemoryChange::Reject => Some(MessageKind::Failed),
                MemoryChange::Live | MemoryChange::AllTraffic if it.is_staging => Some(MessageKind::Routine),
                MemoryChange::Live | MemoryChange::AllTraffic => Some(MessageKind::Changed),
                MemoryChange::Approve
                | MemoryChange::Clear
                | MemoryChange::Forgive
                | MemoryChange::DropApproval
                | MemoryChange::Migrated => Some(MessageKind::Routine),
                MemoryChange::Migrating | MemoryChange::DropIntent | MemoryChange::Soak => None,
            },
        }
    }

    /// What went as its rule says, where nobody was asked and nobody waits. All traffic on an image is told at once: the
    /// way back is short only while the tasks of before run.
    fn is_in_daily_report(&self) -> bool {
        matches!(self, Step::Remember(it) if it.change == MemoryChange::Live && !it.is_approved)
    }

    /// Each names the image that it is about: sent late or twice, it does nothing to another one.
    fn undo(&self) -> Option<Undo> {
        let (command, service, image) = match self {
            Step::Deploy(it) => ("rollback", &it.service, Some(&it.digest)),
            // What was gone back from is rejected: forgiven, it is deployed again.
            Step::RollBack(it) => ("clear", &it.service, it.from_digest.as_ref()),
            Step::Stop(it) => ("clear", &it.service, it.from_digest.as_ref()),
            Step::Continue(it) => ("rollback", &it.service, it.digest.as_ref()),
            Step::Remember(it) => match it.change {
                MemoryChange::Reject => ("clear", &it.service, it.digest.as_ref()),
                MemoryChange::Live | MemoryChange::AllTraffic => ("rollback", &it.service, it.digest.as_ref()),
                MemoryChange::Clear => ("reject", &it.service, it.digest.as_ref()),
                MemoryChange::Approve
                | MemoryChange::Forgive
                | MemoryChange::DropApproval
                | MemoryChange::Migrated
                | MemoryChange::Migrating
                | MemoryChange::Soak
                | MemoryChange::DropIntent => return None,
            },
            // What it did to a database only a person knows.
            Step::Migrate(_) | Step::AskForSnapshot(_) => return None,
            // It goes back with the service.
            Step::Follow(_) => return None,
        };
        Some(Undo::Command(json!({command: {"service": service.to_string(), "image": image?.to_string()}})))
    }
}
