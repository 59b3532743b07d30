//! One database: when it is stopped, when it is started, and whether it has come up.

use jiff::{Timestamp, Zoned};
use reconcile::{CommandLine, MessageKind, Trouble};
use rules::database::{Condition, Database, Kind, State};
use rules::keys;
use serde_json::{Value, json};

use super::command::Command;
use super::draft::{Decision, Draft};
use super::misplaced::{Kind as Carrier, misplaced};
use super::needs::{Need, still_used};
use super::person::apply_command;
use super::step::{Change, Refusal, Target};
use super::times::{SERVES_WITHIN, STOPPABLE_WITHIN};
use super::wants::{Source, Verdict, Wants};
use super::windows::{in_its_sleep, is_applying_changes, up_for_maintenance};
use super::world::{DatabaseName, Events, Sleeper, World};

/// A database with everything read, as it will be after the calls so far.
pub struct DatabaseCase<'a> {
    pub sleeper: &'a Sleeper,
    pub status: String,
    /// Whether it serves, the instances of a cluster included.
    pub condition: Condition,
    pub wants: Wants,
    pub verdict: Verdict,
    pub world: &'a World,
    pub now: &'a Zoned,
    pub draft: Draft,
    /// A person's command is to be carried out, whoever changed what by hand before.
    pub asked: bool,
    /// Why it is not stopped: a service that needs it still runs, or may.
    pub used: Option<String>,
}

/// What is to be done about a database whose tags are `wants`, as far as the services that need it allow.
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
    let mut draft = Draft::new(Target::Database { arn: arn.clone() }, tags, view(status));
    let foreign = wants.leave_out_memory_of_another(resource_id.as_deref(), sleeper.created_at);
    wants.keep_up_for_maintenance(up_for_maintenance(sleeper, &world.databases, now));
    let asked = apply_command(command, &mut wants, &mut draft, now, &world.calendar);
    let needing: Vec<&Need> = needs.iter().filter(|it| it.is_for(&sleeper.database.arn, world.backing())).collect();
    let verdict = wants.verdict_where_needed(&needing, now, &world.calendar);
    let mut case = DatabaseCase {
        sleeper,
        status: status.clone(),
        condition: world.condition(sleeper),
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
        true => case.condition.state == State::Broken,
        // What its instances do matters to those who need it, not to a stop.
        false => sleeper.database.state() == State::Broken,
    };
    match (is_broken, case.verdict.awake) {
        (true, _) => case.tell_that_it_is_broken(),
        (false, true) => case.wake(),
        (false, false) => case.sleep(),
    }
    let over = case.wants.over(case.at());
    case.draft.forget(&over);
    case.step(Change::Remember, "what is over is forgotten");
    let state = case.draft.idle().map_or_else(|| case.state(), str::to_owned);
    let idle = format!("{state}; {}; {}", case.verdict.why, case.next());
    let is_idle = case.draft.is_idle();
    // What is only noted once leaves its state to be told.
    case.note_windows();
    let decision = case.draft.finish(is_idle.then_some(idle));
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

/// The command that applies what is pending at once; of several instances that of the first.
fn at_once(of: &[DatabaseName]) -> String {
    let Some((first, others)) = of.split_first() else { return String::new() };
    let (operation, option) = match first.kind {
        Kind::Instance => ("modify-db-instance", "--db-instance-identifier"),
        Kind::Cluster => ("modify-db-cluster", "--db-cluster-identifier"),
    };
    let command = CommandLine::of(["aws", "rds", operation, option, &first.id, "--apply-immediately"]);
    let others: Vec<&str> = others.iter().map(|it| it.id.as_str()).collect();
    match &others[..] {
        [] => command.to_string(),
        others => format!("{command}, and the same for {}", others.join(" and ")),
    }
}

impl DatabaseCase<'_> {
    // -------------------------------------------------------------------------------- what is told

    /// In a state that does not pass it is neither stopped nor started, and what is remembered of it stays.
    fn tell_that_it_is_broken(&mut self) {
        let message = format!("it is {}: RDS does not end that by itself{}", self.condition.words, self.rds_says());
        self.draft.trouble("database-broken", message);
    }

    pub fn tell_that_its_state_forbids_it(&mut self) {
        let late = |it: Timestamp| self.at().duration_since(it) >= STOPPABLE_WITHIN;
        if self.verdict.since.is_some_and(late) {
            let message = format!(
                "it is {}, in which RDS does not stop a database, since more than an hour after it was to sleep; it is \
                 stopped once it is available",
                self.status
            );
            self.draft.trouble("not-stoppable", message);
        }
    }

    /// Whether AWS refused this within the last hour, which is told as it was then.
    pub fn was_refused(&mut self, kind: Refusal) -> bool {
        let said = self.wants.refused(self.at()).filter(|_| !self.asked).map(str::to_owned);
        if let Some(said) = &said {
            self.draft.add_trouble(kind.trouble(said));
        }
        said.is_some()
    }

    pub fn rds_says(&self) -> String {
        match self.world.events.get(&self.sleeper.database.arn) {
            Some(Ok(Events { newest: Some(text), .. })) => format!("; RDS says: {}", text.trim_end_matches('.')),
            Some(Err(error)) => format!("; its events cannot be read: {error}"),
            _ => String::new(),
        }
    }

    fn note_windows(&mut self) {
        let Database { tags, .. } = &self.sleeper.database;
        // RDS lists what it applies at this moment as pending too: that does not wait for a window.
        if is_applying_changes(self.sleeper, &self.world.databases) {
            return;
        }
        let Some(found) = in_its_sleep(self.sleeper, &self.wants, self.now, self.world) else {
            self.draft.forget(&[keys::WINDOWS]);
            return self.step(Change::Remember, "no longer sleeps through its windows");
        };
        self.draft.remember(keys::WINDOWS, found.memory());
        let windows = &found.windows;
        let headline = match &found.pending {
            Some(pending) => {
                let at_once = at_once(&pending.of);
                format!(
                    "sleeps through its {windows}, and a change waits for that ({}) until it is up in its \
                     maintenance window: maintenance=awake keeps it up for that, or apply the change at once while it \
                     is available, with {at_once}",
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

    // -------------------------------------------------------------------------------- the rest

    pub fn step(&mut self, change: Change, headline: impl Into<String>) {
        let reason = format!("{}; {}", self.verdict.why, self.next());
        self.draft.step(change, headline.into(), view(&self.status), reason);
    }

    pub fn at(&self) -> Timestamp {
        self.now.timestamp()
    }

    pub fn state(&self) -> String {
        match &self.wants.asleep {
            Some(asleep) if self.status == "stopped" => {
                format!("it is stopped since {}", self.wants.local(asleep.since, self.now))
            }
            None if self.status == "stopped" => "it was stopped by hand".into(),
            _ => format!("it is {}", self.status),
        }
    }

    fn next(&self) -> String {
        match self.verdict.source {
            Source::Needed => "sleeps when that does".into(),
            _ => self.wants.next(&self.verdict, self.now),
        }
    }
}

fn view(status: &str) -> Value {
    json!({"status": status})
}
