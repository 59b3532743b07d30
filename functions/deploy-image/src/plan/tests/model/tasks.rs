//! Tasks of migrations, as ECS starts, lists and forgets them.

use rules::keys;
use rules::migrating::Start;
use serde_json::json;

use super::Model;
use crate::plan::*;

impl Model {
    /// Registers a revision of the migration's family.
    pub fn add_migration(&mut self, fields: &serde_json::Value) {
        let number = self.migrations.len() + 1;
        let mut fields = fields.as_object().unwrap().clone();
        let tags = fields.remove("tags").and_then(|it| it.as_array().cloned()).unwrap_or_default();
        let text = |it: &serde_json::Value| it.as_str().unwrap().to_owned();
        let arn =
            format!("arn:aws:ecs:ap-northeast-2:123456789012:task-definition/{}:{number}", text(&fields["family"]));
        fields.insert("taskDefinitionArn".into(), json!(arn));
        let tags = tags.iter().map(|it| (text(&it["key"]), text(&it["value"]))).collect();
        self.migrations.push(TaskDefinition { fields, tags });
    }

    /// ECS starts a task, or gives the answer that it gave to the token before; then the mark is left.
    pub fn run_task(&mut self, it: &Migrate) {
        self.minutes += 1;
        let expired = |(_, since, task): &(String, i64, Option<String>)| {
            let task = self.tasks.iter().find(|it| Some(&it.arn) == task.as_ref());
            task.is_none_or(Task::has_stopped) && self.minutes - since >= 60
        };
        let known: Vec<_> = self.answers.iter().filter(|it| !expired(it)).cloned().collect();
        self.answers = known;
        if self.answers.iter().all(|(token, ..)| *token != it.token) {
            let task = (!std::mem::take(&mut self.no_capacity)).then(|| self.start_task(it));
            self.answers.push((it.token.clone(), self.minutes, task));
        }
    }

    fn start_task(&mut self, it: &Migrate) -> String {
        self.tokens.push(it.token.clone());
        let arn = format!("arn:aws:ecs:ap-northeast-2:123456789012:task/truegul-production/{}", self.tokens.len());
        self.tasks.push(Task {
            arn: arn.clone(),
            started_by: it.run.clone(),
            task_definition: self.migrations.last().unwrap().arn().into(),
            status: "RUNNING".into(),
            reason: String::new(),
            stop_code: String::new(),
            started: true,
            stopped_at: None,
            containers: vec![],
        });
        arn
    }

    /// The mark that `apply` leaves by what ECS answered.
    pub fn leave_mark(&mut self, it: &Migrate, start: Start) {
        self.minutes += 1;
        let answer = self.answers.iter().rfind(|(token, ..)| *token == it.token).and_then(|(.., task)| task.clone());
        let mark = match (start, answer) {
            (Start::Asked, _) => it.mark(Start::Asked, None),
            (_, Some(task)) => it.mark(Start::Accepted, Some(task)),
            (_, None) => it.mark(Start::Refused, None),
        };
        self.service.tags.insert(keys::MIGRATING.into(), mark.to_string());
    }

    /// ECS forgets the tasks that have stopped.
    pub fn forget_tasks(&mut self) {
        self.minutes += 61;
        self.tasks.retain(|it| !it.has_stopped());
    }

    /// The tasks that run come to their end; their main container exits so.
    pub fn stop_tasks(&mut self, exit_code: Option<i32>) {
        match exit_code {
            Some(_) => self.end_tasks("EssentialContainerExited", "Essential container in task exited", exit_code),
            None => self.end_tasks("TaskFailedToStart", "CannotPullContainerError: not found", None),
        }
    }

    /// The same, for this reason.
    pub fn end_tasks(&mut self, stop_code: &str, reason: &str, exit_code: Option<i32>) {
        self.minutes += 1;
        let stopped_at = Some(self.moment());
        for task in self.tasks.iter_mut().filter(|it| it.status != "STOPPED") {
            let ended = |name: &str, exit_code| Ended { name: name.into(), exit_code, reason: String::new() };
            let log = exit_code.map(|_| 137);
            *task = Task {
                status: "STOPPED".into(),
                reason: reason.into(),
                stop_code: stop_code.into(),
                started: exit_code.is_some(),
                stopped_at,
                containers: vec![ended("migrate", exit_code), ended("log", log)],
                ..task.clone()
            };
        }
    }
}
