//! What is next in a drill that is under way.

use jiff::Timestamp;
use reconcile::{Plan, when};
use rules::database::{Kind, State};
use rules::drill::{Check, DrillRule, Progress};
use rules::keys;

use super::begin::{class_of_instance, tags_of_drill};
use super::case::{Case, Original};
use super::finish::End;
use super::step::{AddMember, Note, RunCheck, Step};
use super::world::{CheckTarget, Task};

impl Case<'_> {
    /// Takes the drill a step further. `ended` says that a person has ended it.
    pub fn advance(&self, ended: bool, plan: &mut Plan<Step>) {
        let arn = &self.database.arn;
        if self.is_deleting() {
            return plan.skip(arn, "its drill is over, and it is being deleted");
        }
        if self.is_finished() {
            let drilled = self.original.as_ref().and_then(|it| it.drilled.as_ref());
            return match drilled.and_then(|it| self.kept_until(it)) {
                Some(until) if !ended => {
                    let why = format!("its drill is over, and it stays until {} (option keep=)", when(until, self.now));
                    plan.skip(arn, why)
                }
                _ => self.delete("its drill is over", plan),
            };
        }
        if ended {
            return self.finish(End::Ended("a person ended it".into()), plan);
        }
        let Some(original) = &self.original else {
            let why = format!("{} is gone, or no longer has the tag {}", self.drill.of, keys::DRILL);
            return self.finish(End::Ended(why), plan);
        };
        let rule = match &original.rule {
            Ok(rule) => rule,
            Err(_) if !self.is_over() => return plan.skip(arn, "the tag of its original cannot be understood"),
            Err(bad) => return self.finish(End::Ended(bad.to_string()), plan),
        };
        if self.is_over() {
            let end = match self.progress.proven {
                Some(proven) => End::Good(proven),
                None => {
                    End::Failed(format!("it was not over by {}: {}", when(self.drill.until, self.now), self.stage()))
                }
            };
            return self.finish(end, plan);
        }
        match self.state() {
            _ if self.needs_instance() => self.add_instance(original, rule, plan),
            (State::Broken, words) => self.finish(End::Failed(format!("the restored database is {words}")), plan),
            (State::Passing | State::Stopped, words) => plan.skip(arn, format!("it is {words}")),
            (State::Serving, _) => self.serving(original, rule, plan),
        }
    }

    /// The cluster is there, but nothing takes connections yet. RDS creates no instance in a cluster before that.
    fn needs_instance(&self) -> bool {
        self.database.kind == Kind::Cluster && self.members.is_empty() && self.database.state() == State::Serving
    }

    fn add_instance(&self, original: &Original<'_>, rule: &DrillRule, plan: &mut Plan<Step>) {
        let Some(class) = class_of_instance(self.world, original, rule) else {
            let why = format!("{} has no instance whose class could be taken; set the option class=", self.of());
            return self.finish(End::Failed(why), plan);
        };
        let add = AddMember {
            cluster: self.database.id.clone(),
            arn: self.database.arn.clone(),
            engine: self.database.engine.clone(),
            class,
            tags: tags_of_drill(
                original.database,
                (self.region(), &self.database.id),
                &self.drill,
                self.source.as_ref(),
            ),
        };
        plan.act(&self.database.arn, Step::AddMember(add), "the cluster is available and has no instance");
    }

    fn serving(&self, original: &Original<'_>, rule: &DrillRule, plan: &mut Plan<Step>) {
        let arn = &self.database.arn;
        let up = self.progress.up.unwrap_or_else(|| self.now.timestamp());
        if self.progress.up.is_none() {
            self.note(Progress { up: Some(up), ..self.progress.clone() }, "it takes connections", plan);
        }
        let proven = match (self.progress.proven, &rule.check) {
            (Some(proven), _) => proven,
            (None, None) => up,
            (None, Some(check)) => match self.checked(original, check, up, plan) {
                Some(Ok(proven)) => proven,
                Some(Err(why)) => return self.finish(End::Failed(why), plan),
                None => return,
            },
        };
        if !self.is_loading() {
            return self.finish(End::Good(proven), plan);
        }
        if self.progress.proven.is_none() {
            let progress = Progress { up: Some(up), proven: Some(proven), ..self.progress.clone() };
            self.note(progress, "it is proven", plan);
        }
        plan.skip(arn, "it is proven, and its data is still being loaded");
    }

    fn note(&self, progress: Progress, reason: &str, plan: &mut Plan<Step>) {
        let arn = &self.database.arn;
        plan.act(arn, Step::Note(Note { of: self.of().into(), arn: arn.clone(), progress }), reason);
    }

    /// When the check ended well, or why it did not; none while it is not over.
    fn checked(
        &self,
        original: &Original<'_>,
        check: &Check,
        up: Timestamp,
        plan: &mut Plan<Step>,
    ) -> Option<Result<Timestamp, String>> {
        let arn = &self.database.arn;
        let Some(id) = &self.progress.task else {
            match self.world.checks.get(&original.database.arn) {
                Some(Ok(target)) => self.run_check(check, target, up, plan),
                Some(Err(why)) => plan.problem(&original.database.arn, "check-cannot-run", why),
                None => plan.skip(arn, "its check starts at the next look"),
            }
            return None;
        };
        match self.world.tasks.get(arn) {
            Some(Ok(Some(task))) if task.stopped => match ended(task, check) {
                Ok(()) => Some(Ok(task.stopped_at.unwrap_or(up))),
                Err((container, why)) => Some(Err(format!("{why}{}", self.last_words(Some(container))))),
            },
            Some(Ok(Some(_))) => {
                plan.skip(arn, format!("it is being checked by {}", check.family));
                None
            }
            // ECS forgets a task within an hour after its end.
            Some(Ok(None)) => {
                Some(Err(format!("ECS no longer knows the task {id} of {}, so how it ended is unknown", check.family)))
            }
            Some(Err(why)) => {
                plan.problem(&original.database.arn, "check-unreadable", why);
                None
            }
            None => {
                plan.skip(arn, format!("it is being checked by {}", check.family));
                None
            }
        }
    }

    fn run_check(&self, check: &Check, target: &CheckTarget, up: Timestamp, plan: &mut Plan<Step>) {
        let arn = &self.database.arn;
        let details = self.details();
        let Some((host, port)) = details.and_then(|it| Some((it.endpoint.clone()?, it.port?))) else {
            return plan.skip(arn, "it has no address yet");
        };
        let database = details.and_then(|it| it.database_name.clone()).unwrap_or_default();
        let run = RunCheck {
            of: self.of().into(),
            id: self.database.id.clone(),
            arn: arn.clone(),
            family: check.family.clone(),
            service: check.service.clone(),
            containers: target.containers.clone(),
            environment: vec![("DRILL_HOST", host), ("DRILL_PORT", port.to_string()), ("DRILL_DATABASE", database)],
            token: token(&self.database.id, self.drill.begun),
            progress: Progress { up: Some(up), ..self.progress.clone() },
        };
        plan.act(arn, Step::RunCheck(run), "it takes connections and is not checked yet");
    }

    /// What the check said last, to be added to a sentence: this container of it, or the first that said something.
    pub fn last_words(&self, container: Option<&str>) -> String {
        let said = match self.world.said.get(&self.database.arn) {
            None => return String::new(),
            Some(Err(why)) => return format!("; what the check said last cannot be read: {why}"),
            Some(Ok(said)) => said,
        };
        let said = said.iter().find(|it| container.is_none_or(|name| it.container == name));
        said.map(|it| format!("; the check said last: \"{}\"", short(&it.line))).unwrap_or_default()
    }

    /// How far it has come, for people.
    fn stage(&self) -> String {
        match (self.progress.up, &self.progress.task) {
            (None, _) => format!("it is still {}", self.state().1),
            (Some(_), None) => "its check did not start".into(),
            (Some(_), Some(task)) => format!("its check, task {task}, did not end"),
        }
    }
}

/// Whether every container of the check ended with 0. A missing exit code is a failure: it never started.
///
/// The error names the container.
fn ended<'a>(task: &'a Task, check: &Check) -> Result<(), (&'a str, String)> {
    let failed = task.containers.iter().find(|it| it.exit_code != Some(0));
    let family = &check.family;
    match failed {
        None if task.containers.is_empty() => {
            Err(("", format!("the check {family} had no container: {}", task.reason)))
        }
        None => Ok(()),
        Some(it) => {
            let what = match it.exit_code {
                Some(code) => format!("the container {} of the check {family} ended with exit code {code}", it.name),
                None => format!("the container {} of the check {family} never ran", it.name),
            };
            let reasons: Vec<&str> =
                [it.reason.as_str(), task.reason.as_str()].into_iter().filter(|it| !it.is_empty()).collect();
            let why = if reasons.is_empty() { what } else { format!("{what} ({})", reasons.join("; ")) };
            Err((it.name.as_str(), why))
        }
    }
}

/// A line of a log as a message can hold it.
fn short(line: &str) -> String {
    let line: String = line.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// How many letters of what a check said are quoted.
const LONGEST_LINE: usize = 200;

/// At most 64 letters, and another one for each drill: a second one of a day may have the same name.
fn token(id: &str, begun: Timestamp) -> String {
    let tail = &id[id.len().saturating_sub(40)..];
    format!("{}-{tail}", begun.as_second())
}
