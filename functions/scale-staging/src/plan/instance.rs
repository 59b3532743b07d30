//! One EC2 instance: when it is stopped and started, and when a person's change stands.
//!
//! EC2 tells when an instance was started last, so that what a person started is told from a run that died.

use jiff::{Timestamp, Zoned};
use reconcile::{MessageKind, Trouble};
use rules::database::State;
use rules::keys;
use rules::schedule::Act;
use rules::sleep::{Asleep, By};
use serde_json::json;

use super::command::Command;
use super::draft::{Decision, Draft};
use super::misplaced::{Kind, misplaced};
use super::needs::{Need, Used, databases_named, still_used};
use super::person::apply_command;
use super::step::{Call, Change, IfRefused, Refusal, Target};
use super::times::{GRACE, SERVES_WITHIN, STANDS_FOR};
use super::wants::{Source, Verdict, Wants};
use super::woken::NOT_UP;
use super::world::{Instance, World};

struct InstanceCase<'a> {
    instance: &'a Instance,
    /// As it will be after the calls so far.
    state: String,
    wants: Wants,
    verdict: Verdict,
    world: &'a World,
    now: &'a Zoned,
    draft: Draft,
    asked: bool,
    used: Option<String>,
}

/// What is to be done about an instance whose tags are `wants`, as far as what needs it allows; and what it needs itself.
pub fn decide(
    instance: &Instance,
    mut wants: Wants,
    command: Option<&Command>,
    needs: &[Need],
    world: &World,
    now: &Zoned,
) -> (Decision, Need) {
    let runs = !["stopped", "terminated"].contains(&instance.state.as_str());
    let mut need = Need {
        service: instance.name().unwrap_or(&instance.id).to_owned(),
        databases: databases_named(&instance.tags),
        awake: false,
        used: if runs { Used::ByInstance } else { Used::No },
    };
    if ["shutting-down", "terminated"].contains(&instance.state.as_str()) {
        return (Decision::idle(format!("it is {}", instance.state)), need);
    }
    if let Some(trouble) = misplaced(&wants.schedule, Kind::Instance) {
        return (Decision::trouble(trouble), need);
    }
    // What sleeps already wakes all the same.
    if wants.asleep.is_none()
        && let Some(decision) = unfit(instance, world)
    {
        return (decision, need);
    }
    let target = Target::Instance {
        arn: instance.arn.clone(),
        id: instance.id.clone(),
        name: instance.name().map(str::to_owned),
    };
    let mut draft = Draft::new(target, &instance.tags, view(&instance.state));
    let foreign = wants.leave_out_memory_of_another(Some(&instance.id), None);
    let asked = apply_command(command, &mut wants, &mut draft, now, &world.calendar);
    let needing: Vec<&Need> = needs.iter().filter(|it| it.is_for(&instance.arn, world.backing())).collect();
    let verdict = wants.verdict_where_needed(&needing, now, &world.calendar);
    need.awake = verdict.awake;
    let (state, used) = (instance.state.clone(), still_used(&needing));
    let mut case = InstanceCase { instance, state, wants, verdict, world, now, draft, asked, used };
    if foreign {
        case.draft.forget(&[keys::ASLEEP, keys::REFUSED]);
        case.step(Change::Remember, "forgets what its tags say of another instance, which it was made like");
    }
    match case.verdict.awake {
        true => case.wake(),
        false => case.sleep(),
    }
    let over = case.wants.over(case.at());
    case.draft.forget(&over);
    case.step(Change::Remember, "what is over is forgotten");
    let state = case.draft.idle().map_or_else(|| case.state_in_words(), str::to_owned);
    let idle = case.draft.is_idle().then(|| format!("{state}; {}; {}", case.verdict.why, case.next()));
    (case.draft.finish(idle), need)
}

/// Why an instance cannot sleep, if it cannot.
fn unfit(instance: &Instance, world: &World) -> Option<Decision> {
    let tell = |kind, message: String| Some(Decision::trouble(Trouble::new(kind, message)));
    let remove = format!("remove the tag {}", keys::SCHEDULE);
    if let Some(group) = instance.group() {
        // A group hands its tags on to its instances.
        if !world.backing().arns(&format!("asg:{group}")).is_empty() {
            return Some(Decision::idle(format!(
                "it belongs to the Auto Scaling group {group}, which sleeps as a whole"
            )));
        }
        let message = format!(
            "it belongs to the Auto Scaling group {group}, which would replace a stopped instance: put the tag {} on the \
             group instead",
            keys::SCHEDULE
        );
        return tell("group-member", message);
    }
    if let Some(operator) = &instance.operator {
        return tell(
            "managed-instance",
            format!("it is managed by {operator}, which starts and stops it itself: {remove}"),
        );
    }
    if let Some(lifecycle) = &instance.lifecycle {
        let message =
            format!("it was not bought on demand ({lifecycle}), and such an instance may not come back: {remove}");
        return tell("not-stoppable", message);
    }
    if instance.root_device == "instance-store" {
        let message = format!(
            "its root volume is an instance store, whose data a stop would lose: EC2 does not stop it; {remove}"
        );
        return tell("not-stoppable", message);
    }
    None
}

impl InstanceCase<'_> {
    // -------------------------------------------------------------------------------- sleep

    fn sleep(&mut self) {
        let by_schedule = self.verdict.source == Source::Schedule && !self.asked;
        if self.wants.schedule.act == Act::Wake && by_schedule && !self.has_just_been_put_to_sleep() {
            return self.draft.leave(format!("{}, and act=wake leaves the rest to people", self.state_in_words()));
        }
        match (self.wants.asleep.clone(), self.state.as_str()) {
            (None, "running") => self.begin_sleep(),
            (None, "stopping" | "stopped") => self.note_that_it_is_stopped(),
            (Some(asleep), "running") => self.sleep_again(&asleep),
            (Some(asleep), "stopping" | "stopped") => {
                self.renew_behalf(&asleep);
                self.step(Change::Remember, "stays stopped");
            }
            // It can be stopped once it runs.
            _ => self.draft.leave(format!("it is {}", self.state)),
        }
    }

    fn begin_sleep(&mut self) {
        if self.wants.schedule.hibernate && !self.instance.can_hibernate {
            let message = "hibernate=true, but hibernation was not configured when it was launched, and cannot be later: \
                           leave hibernate=true out, and it is stopped";
            return self.draft.trouble("no-hibernation", message);
        }
        if self.was_refused(Refusal::Stop) {
            return;
        }
        if let Some(why) = self.used.clone().filter(|_| !self.asked) {
            return self.draft.leave(why);
        }
        let (by, until) = self.wants.on_behalf(&self.verdict, self.at());
        let of = Some(self.instance.id.clone());
        let asleep =
            Asleep { since: self.at(), desired: None, limits: None, by, until, snapshot: None, of, started: None };
        self.draft.remember(keys::ASLEEP, asleep.to_string());
        if let Some(why) = self.used.clone() {
            // A person's command is remembered, and carried out as soon as nothing runs any more that needs it.
            return self.step(Change::Remember, format!("{why}, as a person asks"));
        }
        self.stop(vec![keys::ASLEEP]);
        let headline = if self.wants.schedule.hibernate { "hibernates" } else { "is stopped" };
        self.step(Change::Sleep, headline);
    }

    /// It was stopped before: by a person, which is remembered so that it stays stopped in the morning; or in its sleep,
    /// so that what was remembered of that has been taken away.
    fn note_that_it_is_stopped(&mut self) {
        let (by, until) = self.wants.on_behalf(&self.verdict, self.at());
        let stopped_at = self.instance.stopped_at.filter(|it| *it < self.at());
        let in_its_sleep = self.verdict.source == Source::Schedule
            && self.verdict.since.is_some_and(|it| stopped_at.is_some_and(|stopped| it <= stopped));
        let (since, of) = (stopped_at.unwrap_or(self.at()), Some(self.instance.id.clone()));
        let desired = if in_its_sleep { None } else { Some(0) };
        let asleep = Asleep { since, desired, limits: None, by, until, snapshot: None, of, started: None };
        self.draft.remember(keys::ASLEEP, asleep.to_string());
        self.wants.asleep = Some(asleep);
        let headline = match in_its_sleep {
            true => "was stopped in its sleep and its tag was lost, so that is remembered again",
            false => "had already been stopped by hand, and stays so",
        };
        self.step(Change::Remember, headline);
    }

    /// It was put to sleep, and runs: a run died before it stopped it, or a person started it.
    fn sleep_again(&mut self, asleep: &Asleep) {
        if self.was_refused(Refusal::Stop) {
            return;
        }
        let forced =
            self.asked || self.wants.has_failed() || self.wants.schedule.enforce || self.verdict.source == Source::Hold;
        let was_started = self.instance.launched_at.is_none_or(|it| it > asleep.since) || asleep.desired == Some(0);
        if was_started && !forced {
            return self.started_by_hand();
        }
        if let Some(why) = self.used.clone() {
            if self.asked {
                self.renew_behalf(&Asleep { since: self.at(), ..asleep.clone() });
                self.step(Change::Remember, format!("{why}, as a person asks"));
            }
            return self.draft.leave(why);
        }
        // As of now: what a person starts after this is told from what was started before.
        self.renew_behalf(&Asleep { since: self.at(), desired: None, ..asleep.clone() });
        self.stop(Vec::new());
        self.step(Change::Sleep, "is stopped, which an earlier run left unfinished or a person undid");
    }

    /// What a person started at night stays up until the next change.
    fn started_by_hand(&mut self) {
        let until = self.verdict.until.unwrap_or(self.at() + STANDS_FOR);
        self.draft.remember(keys::AWAKE_UNTIL_MEMORY, format!("{until:.0}"));
        self.wants.kept_awake = Some(until);
        self.verdict = self.wants.verdict(self.now, &self.world.calendar);
        self.draft.forget(&[keys::ASLEEP]);
        self.wants.asleep = None;
        let until = self.wants.local(until, self.now);
        self.step(Change::Tell(MessageKind::Routine), format!("was started by hand, so it stays up until {until}"));
    }

    fn stop(&mut self, forget: Vec<&'static str>) {
        let hibernate = self.wants.schedule.hibernate && self.instance.can_hibernate;
        self.draft.call(Call::StopInstance { id: self.instance.id.clone(), hibernate });
        self.state = "stopping".into();
        self.draft.forget(&[keys::REFUSED]);
        self.draft.if_refused(IfRefused { at: self.at(), forget, kind: Refusal::Stop });
    }

    fn has_just_been_put_to_sleep(&self) -> bool {
        let asleep = self.wants.asleep.as_ref().filter(|it| it.desired.is_none());
        asleep.is_some_and(|it| self.at().duration_since(it.since) < GRACE)
    }

    /// A person who puts to sleep what sleeps for another reason decides from then on.
    fn renew_behalf(&mut self, asleep: &Asleep) {
        let (by, until) = match self.wants.on_behalf(&self.verdict, self.at()) {
            (By::Person, until) => (By::Person, until),
            _ => (asleep.by, asleep.until),
        };
        let renewed = Asleep { by, until, started: None, ..asleep.clone() };
        self.draft.remember(keys::ASLEEP, renewed.to_string());
        self.wants.asleep = Some(renewed);
    }

    // -------------------------------------------------------------------------------- wake

    fn wake(&mut self) {
        let is_down = self.state == "stopped";
        let again = self.wants.wakes_what_people_stopped(&self.verdict, self.at());
        match self.wants.asleep.clone() {
            None => {
                if is_down && (self.asked || again) {
                    self.start(None);
                }
                self.step(Change::Remember, "is awake");
            }
            Some(asleep) if asleep.desired == Some(0) && is_down && !self.asked => {
                self.draft.forget(&[keys::ASLEEP]);
                self.step(Change::Remember, "had already been stopped by hand before the night; left stopped");
                if again {
                    self.start(None);
                }
            }
            Some(asleep) if is_down => {
                let by_schedule = self.verdict.source == Source::Schedule && asleep.by == By::Schedule;
                if self.wants.schedule.act == Act::Sleep && by_schedule {
                    let reason = format!("{}, and act=sleep leaves the waking to people", self.state_in_words());
                    return self.draft.leave(reason);
                }
                if !self.was_refused(Refusal::Start) && !self.was_started_in_vain(&asleep) {
                    self.start(Some(asleep));
                }
            }
            Some(_) if self.state == "running" => {
                self.draft.forget(&[keys::ASLEEP, keys::REFUSED]);
                self.step(Change::Remember, "is running again");
            }
            Some(asleep) => self.wait_until_it_runs(&asleep),
        }
    }

    fn start(&mut self, asleep: Option<Asleep>) {
        if let Some(why) = self.waits() {
            return self.draft.leave(why);
        }
        self.draft.call(Call::StartInstance { id: self.instance.id.clone() });
        self.state = "pending".into();
        self.draft.if_refused(IfRefused { at: self.at(), forget: Vec::new(), kind: Refusal::Start });
        // Remembered after the call: a run that dies in between is made up for as soon as it is seen starting.
        if let Some(asleep) = asleep {
            if asleep.started.is_some() {
                self.draft.again();
            }
            self.draft.remember(keys::ASLEEP, Asleep { started: Some(self.at()), ..asleep }.to_string());
        }
        self.draft.forget(&[keys::REFUSED]);
        self.step(Change::Wake, "is started");
    }

    /// Why it is not started now: a database that it names does not serve.
    fn waits(&mut self) -> Option<String> {
        let waits = |name: &String| {
            let meant = self.world.databases_named(name);
            if meant.is_empty() {
                return Some(format!("it waits for the database {name}, which does not exist"));
            }
            let conditions = meant.into_iter().map(|it| self.world.condition(it));
            let found = conditions.filter(|it| it.state != State::Serving).map(|it| it.words).next()?;
            Some(format!("it waits for the database {name}, which is {found}"))
        };
        let why = self.wants.schedule.after.iter().find_map(waits)?;
        if self.verdict.since.is_some_and(|it| self.at().duration_since(it) >= SERVES_WITHIN) {
            self.draft.trouble("database-not-up", format!("it is not started: {why}"));
        }
        Some(why)
    }

    /// Whether it was started a while ago and is stopped again all the same: that is told, and tried again now and then.
    fn was_started_in_vain(&mut self, asleep: &Asleep) -> bool {
        let Some(started) = asleep.started.filter(|_| !self.asked) else { return false };
        if self.at().duration_since(started) >= SERVES_WITHIN {
            return false;
        }
        let message =
            format!("it was started and is stopped again{}; it is tried again every half hour", self.ec2_says());
        self.draft.trouble(NOT_UP, message);
        true
    }

    fn wait_until_it_runs(&mut self, asleep: &Asleep) {
        if self.state == "stopping" {
            return;
        }
        let Some(started) = asleep.started else {
            let asleep = Asleep { started: Some(self.at()), ..asleep.clone() };
            self.draft.remember(keys::ASLEEP, asleep.to_string());
            self.wants.asleep = Some(asleep);
            return self.step(Change::Remember, format!("is {}, and is looked at until it runs", self.state));
        };
        if self.at().duration_since(started) >= SERVES_WITHIN {
            let message = format!("it was started half an hour ago and is {}{}", self.state, self.ec2_says());
            self.draft.trouble(NOT_UP, message);
        }
        self.draft.leave(format!("it is {}", self.state));
    }

    // -------------------------------------------------------------------------------- the rest

    /// Whether AWS refused this within the last hour, which is told as it was then.
    fn was_refused(&mut self, kind: Refusal) -> bool {
        let said = self.wants.refused(self.at()).filter(|_| !self.asked).map(str::to_owned);
        if let Some(said) = &said {
            self.draft.add_trouble(kind.trouble(said));
        }
        said.is_some()
    }

    fn ec2_says(&self) -> String {
        let reason = self.instance.state_reason.as_deref().filter(|it| !it.is_empty());
        reason.map_or_else(String::new, |it| format!("; EC2 says: {}", it.trim_end_matches('.')))
    }

    fn step(&mut self, change: Change, headline: impl Into<String>) {
        let reason = format!("{}; {}", self.verdict.why, self.next());
        self.draft.step(change, headline.into(), view(&self.state), reason);
    }

    fn at(&self) -> Timestamp {
        self.now.timestamp()
    }

    fn state_in_words(&self) -> String {
        match &self.wants.asleep {
            Some(asleep) if self.state == "stopped" => {
                format!("it is stopped since {}", self.wants.local(asleep.since, self.now))
            }
            None if self.state == "stopped" => "it was stopped by hand".into(),
            _ => format!("it is {}", self.state),
        }
    }

    fn next(&self) -> String {
        match self.verdict.source {
            Source::Needed => "sleeps when that does".into(),
            _ => self.wants.next(&self.verdict, self.now),
        }
    }
}

fn view(state: &str) -> serde_json::Value {
    json!({"state": state})
}
