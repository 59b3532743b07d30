//! One database: when it is stopped, when it is started, and whether it has come up.

use jiff::{Timestamp, Zoned};
use reconcile::{CommandLine, MessageKind, Trouble};
use rules::database::{Database, Kind, State};
use rules::keys;
use serde_json::{Value, json};

use super::command::Command;
use super::draft::{Decision, Draft};
use super::machine::{DatabaseCase, Stoppable};
use super::misplaced::{Kind as Carrier, misplaced};
use super::needs::{Need, still_used};
use super::person::apply_command;
use super::step::{Call, Change, Target};
use super::times::{SERVES_WITHIN, STOPPABLE_WITHIN};
use super::wants::{Source, Wants};
use super::windows::{in_its_sleep, is_applying_changes, up_for_maintenance};
use super::world::{DatabaseName, Events, Sleeper, World};

/// What to do about a database whose tags are `wants`, as far as the services that need it allow.
pub fn decide(
    sleeper: &Sleeper,
    mut wants: Wants,
    command: Option<&Command>,
    needs: &[Need],
    world: &World,
    now: &Zoned,
) -> Decision {
    let Database { arn, status, tags, resource_id, .. } = &sleeper.database;
    if let Some((kind, message)) = sleeper.database.unfit_for(keys::SCHEDULE, "is stopped") {
        return Decision::trouble(Trouble::new(kind, message));
    }
    if let Some(trouble) = misplaced(&wants.schedule, Carrier::Database) {
        return Decision::trouble(trouble);
    }
    let mut draft = Draft::new(Target::Database { arn: arn.clone() }, tags, Sleeper::view(status));
    let foreign = wants.leave_out_memory_of_another(resource_id.as_deref(), sleeper.created_at);
    wants.keep_up_for_maintenance(up_for_maintenance(sleeper, &world.databases, now));
    let asked = apply_command(command, &mut wants, &mut draft, now, &world.calendar);
    let needing: Vec<&Need> = needs.iter().filter(|it| it.is_for(&sleeper.database.arn, world.backing())).collect();
    let verdict = wants.verdict_where_needed(&needing, now, &world.calendar);
    let mut case = DatabaseCase {
        of: sleeper,
        state: status.clone(),
        wants,
        verdict,
        world,
        now,
        draft,
        asked,
        used: still_used(&needing),
    };
    if foreign {
        case.draft.forget(&[keys::ASLEEP, keys::REFUSED]);
        case.step(
            Change::Remember,
            "forgets what its tags say of another database, which it was restored from or replaces",
        );
    }
    case.settle_snapshot();
    let is_broken = match case.verdict.awake {
        true => world.condition(sleeper).state == State::Broken,
        // What its instances do matters to those who need it, not to a stop.
        false => sleeper.database.state() == State::Broken,
    };
    match (is_broken, case.verdict.awake) {
        (true, _) => case.tell_that_it_is_broken(),
        (false, true) => case.wake(),
        (false, false) => case.sleep(),
    }
    case.forget_what_is_over();
    let idle = case.idle();
    // What is only noted once leaves its state to be told.
    case.note_windows();
    // What needs it is told itself.
    case.tell_that_it_sleeps_soon(&needing);
    let decision = case.draft.finish(idle);
    // A problem says more than its state does.
    let idle = decision.idle.filter(|_| decision.troubles.is_empty());
    Decision { idle, ..decision }
}

/// Whether only RDS's events tell what became of it: it runs though it was put to sleep, or does not come up.
pub fn needs_events(sleeper: &Sleeper, wants: &Wants, now: &Zoned, world: &World) -> bool {
    let verdict = wants.verdict(now, &world.calendar);
    let Some(asleep) = &wants.asleep else { return false };
    let forced = verdict.source == Source::Hold || wants.schedule.enforce || wants.has_failed();
    let status = sleeper.database.status.as_str();
    if !verdict.awake {
        return status == "available" && !forced;
    }
    let late = asleep.started.is_some_and(|it| now.timestamp().duration_since(it) >= SERVES_WITHIN);
    match world.condition(sleeper).state {
        State::Serving => false,
        State::Broken => true,
        State::Passing => late,
        State::Stopped => status == "stopped" && asleep.started.is_some(),
    }
}

/// The command that applies what is pending of a database now.
fn at_once(of: &DatabaseName) -> CommandLine {
    let (operation, option) = match of.kind {
        Kind::Instance => ("modify-db-instance", "--db-instance-identifier"),
        Kind::Cluster => ("modify-db-cluster", "--db-cluster-identifier"),
    };
    CommandLine::of(["aws", "rds", operation, option, &of.id, "--apply-immediately"])
}

impl DatabaseCase<'_> {
    // -------------------------------------------------------------------------------- what is told

    /// In a state that does not pass it is neither stopped nor started, and what is remembered of it stays.
    fn tell_that_it_is_broken(&mut self) {
        let message =
            format!("it is {}: RDS does not end that by itself{}", self.of.words(self.world), self.of.says(self.world));
        self.draft.trouble("database-broken", message);
    }

    pub fn tell_that_its_state_forbids_it(&mut self) {
        let late = |it: Timestamp| self.at().duration_since(it) >= STOPPABLE_WITHIN;
        if self.verdict.since.is_some_and(late) {
            let message = format!(
                "it is {}, in which RDS does not stop a database, since more than an hour after it was to sleep; it is \
                 stopped once it is available",
                self.state
            );
            self.draft.trouble("not-stoppable", message);
        }
    }

    fn note_windows(&mut self) {
        let Database { tags, .. } = &self.of.database;
        // RDS lists what it applies at this moment as pending too: that does not wait for a window.
        if is_applying_changes(self.of, &self.world.databases) {
            return;
        }
        let Some(found) = in_its_sleep(self.of, &self.wants, self.now, self.world) else {
            self.draft.forget(&[keys::WINDOWS]);
            return self.step(Change::Remember, "no longer sleeps through its windows");
        };
        self.draft.remember(keys::WINDOWS, found.memory());
        let windows = &found.windows;
        let headline = match &found.pending {
            Some(pending) => {
                pending.of.iter().for_each(|it| self.draft.offer("Apply it now, while it is available", at_once(it)));
                format!(
                    "sleeps through its {windows}, and a change waits for that ({}) until it is up in its \
                     maintenance window: maintenance=awake keeps it up for that",
                    pending.names
                )
            }
            None if found.was_told_with_changes(tags.get(keys::WINDOWS)) => {
                "has no change left that waits for its maintenance window".into()
            }
            None => format!(
                "sleeps through its {windows}: RDS takes a missed automated backup once it is up, and maintenance \
                 waits until it is up in its window, for which maintenance=awake keeps it up"
            ),
        };
        // Whether it is kept up for its windows is for a person to decide.
        let is_over = found.pending.is_none() && found.was_told_with_changes(tags.get(keys::WINDOWS));
        let kind = if is_over { MessageKind::Routine } else { MessageKind::NeedsYou };
        self.step(Change::Tell(kind), headline);
    }
}

impl Stoppable for Sleeper {
    const SERVE: &'static str = "serve";

    fn own_id(&self) -> Option<String> {
        self.database.resource_id.clone()
    }

    fn view(state: &str) -> Value {
        json!({"status": state})
    }

    fn serves(&self, world: &World) -> bool {
        world.condition(self).state == State::Serving
    }

    fn words(&self, world: &World) -> String {
        world.condition(self).words
    }

    fn says(&self, world: &World) -> String {
        match world.events.get(&self.database.arn) {
            Some(Ok(Events { newest: Some(text), .. })) => format!("; RDS says: {}", text.trim_end_matches('.')),
            Some(Err(error)) => format!("; its events cannot be read: {error}"),
            _ => String::new(),
        }
    }

    fn start(&self) -> (Call, &'static str) {
        (Call::Start { database: self.name() }, "starting")
    }

    /// It connects to no other database.
    fn waits_for(_: &Wants) -> &[String] {
        &[]
    }
}
