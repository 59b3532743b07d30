//! One service: when it is put to sleep, when it is woken, and when a person's change stands.

use jiff::Zoned;
use reconcile::Trouble;
use rules::keys;

use super::case::Case;
use super::command::Command;
use super::draft::{Decision, Draft};
use super::misplaced::{Kind, misplaced};
use super::needs::{Need, Used, databases_named, is_migrating, still_used};
use super::notice;
use super::person::apply_command;
use super::size::Size;
use super::step::{Change, Target};
use super::wants::Wants;
use super::world::{Scaled, Service, World};

/// What to do about a service whose tags are `wants`, and what it needs of its databases.
pub fn decide(
    service: &Service,
    mut wants: Wants,
    command: Option<&Command>,
    needs: &[Need],
    world: &World,
    now: &Zoned,
) -> (Decision, Need) {
    let mut need = Need {
        service: service.scaled.name().to_owned(),
        databases: databases_named(&service.tags),
        awake: false,
        used: used(service, now),
    };
    if service.status != "ACTIVE" {
        return (Decision::idle(format!("it is {}", service.status)), need);
    }
    if service.is_daemon {
        let message =
            format!("a DAEMON service has no desired count and cannot sleep: remove the tag {}", keys::SCHEDULE);
        return (Decision::trouble(Trouble::new("daemon", message)), need);
    }
    // One that sleeps already wakes all the same.
    if service.is_express && wants.asleep.is_none() {
        let message = format!(
            "an Express Mode service cannot sleep: ECS owns its scaling and changes it by UpdateExpressGatewayService only; \
             remove the tag {}, or run the service without Express Mode",
            keys::SCHEDULE
        );
        return (Decision::trouble(Trouble::new("express-service", message)), need);
    }
    if let Some(trouble) = misplaced(&wants.schedule, if service.is_group() { Kind::Group } else { Kind::Service }) {
        return (Decision::trouble(trouble), need);
    }
    let needing: Vec<&Need> = needs.iter().filter(|it| it.is_for(&service.arn, world.backing())).collect();
    if service.is_capacity_of_ecs() && needing.is_empty() && wants.asleep.is_none() {
        let message = format!(
            "it is the capacity of ECS services, and none says so: put after=asg:{} into the tag {} of the services that \
             run on it, so that they sleep before it and wake after it, or remove the tag here",
            service.scaled.name(),
            keys::SCHEDULE
        );
        return (Decision::trouble(Trouble::new("ecs-capacity", message)), need);
    }
    let size = Size { desired: service.desired, target: service.target };
    let mut draft = Draft::new(target(service), &service.tags, size.view());
    let foreign = wants.leave_out_memory_of_another(service.own_id().as_deref(), service.created_at);
    let asked = apply_command(command, &mut wants, &mut draft, now, &world.calendar);
    let verdict = wants.verdict_where_needed(&needing, now, &world.calendar);
    let mut case = Case { service, size, wants, verdict, world, now, draft, asked, used: still_used(&needing) };
    if foreign {
        case.draft.forget(&[keys::ASLEEP, keys::BOOSTED, keys::WOKEN]);
        case.step(Change::Remember, "forgets what its tags say of another service that had its name before");
    }
    for name in missing_databases(&case.wants.schedule.after, world) {
        case.draft.add_trouble(no_such_database(&name));
    }
    case.end_boost_that_is_over();
    if case.verdict.awake {
        case.wake()
    } else {
        case.sleep()
    }
    case.boost();
    case.check_that_it_is_up();
    case.forget_what_is_over();
    need.awake = case.verdict.awake;
    let state = case.draft.idle().map_or_else(|| case.state(), str::to_owned);
    let idle = format!("{state}; {}; {}", case.verdict.why, case.next());
    let idle = case.draft.is_idle().then_some(idle);
    case.tell_that_it_sleeps_soon(&needing);
    (case.draft.finish(idle), need)
}

fn target(service: &Service) -> Target {
    match &service.scaled {
        Scaled::Service(_) => Target::Service { arn: service.arn.clone() },
        Scaled::Group(name) => Target::Group { arn: service.arn.clone(), name: name.clone() },
    }
}

/// Whether its databases are used, whatever is decided now: what a step changes takes time to come about.
pub fn used(service: &Service, now: &Zoned) -> Used {
    match service.desired > 0 || service.running > 0 || service.pending > 0 {
        true => Used::ByTasks,
        false if is_migrating(&service.tags, now) => Used::ByMigration,
        false => Used::No,
    }
}

/// Those of `names` that no database has.
pub fn missing_databases(names: &[String], world: &World) -> Vec<String> {
    names.iter().filter(|it| world.backing().arns(it).is_empty()).cloned().collect()
}

pub fn no_such_database(name: &str) -> Trouble {
    if name.starts_with("ec2:") || name.starts_with("asg:") {
        let message = format!(
            "after={name}: there is nothing of that name with the tag {}, so it is not woken once it sleeps",
            keys::SCHEDULE
        );
        return Trouble::new("no-such-machine", message);
    }
    let message = format!("after={name}: there is no such database, so it is not woken once it sleeps");
    Trouble::new("no-such-database", message)
}

impl Case<'_> {
    /// What needs it is told itself.
    fn tell_that_it_sleeps_soon(&mut self, needing: &[&Need]) {
        if self.size.desired <= self.off() || needing.iter().any(|it| it.awake) {
            return;
        }
        if let Some(notice) = notice::due(&self.wants, &self.verdict, self.world.notice, self.now, &self.world.calendar)
        {
            let follows = &self.wants.schedule.after;
            notice.draft(&self.wants, follows, self.size.view(), self.now, &mut self.draft);
        }
    }

    fn forget_what_is_over(&mut self) {
        let mut over = self.wants.over(self.at());
        // As long as a deployment is waited for, this is what says that it is to sleep again.
        if self.wants.asleep.as_ref().is_some_and(|it| self.stays_up_no_longer(it)) {
            over.retain(|it| *it != keys::AWAKE_UNTIL_MEMORY);
        }
        self.draft.forget(&over);
        self.step(Change::Remember, "what is over is forgotten");
    }
}
