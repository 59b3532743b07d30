//! A story under way: the local AWS, and what of it the story has already told.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use serde_json::{Value, json};
use testkit::{Call, Error, LocalAws, Message, Options, Result};

use crate::arguments;
use crate::function::{self, Run};
use crate::progress::Steps;
use crate::screen;
use crate::stories::Story;

/// Whom the stack of the story writes to.
pub const ADDRESS: &str = "ops@truegul.example";

/// The parameters of the stack. Roles name the buckets that are copied, which only one story makes.
const PARAMETERS: [(&str, &str); 5] = [
    ("TimeZone", "Asia/Seoul"),
    ("Email", ADDRESS),
    // What people get who leave it as it is; the local AWS of the tests tells each thing at once.
    ("Routine", "daily"),
    ("BackupBuckets", "arn:aws:s3:::kfood-uploads"),
    ("BackupTargets", "arn:aws:s3:::kfood-backups"),
];

/// The queue that gets every event as well.
const EVENTS: &str = "demo-events";

pub struct Play {
    aws: LocalAws,
    /// Events that came in before they were asked for.
    events: RefCell<Vec<Value>>,
    events_url: String,
    /// The ids of the runs that were told.
    told_runs: RefCell<Vec<String>>,
    told_messages: Cell<usize>,
    told_calls: Cell<usize>,
    begun: Instant,
}

/// A rule of the template that an event matches.
pub struct Rule {
    pub name: String,
    pub pattern: Value,
}

impl Play {
    /// Starts the local AWS with the stack on it.
    pub fn prepare(story: &Story, options: &arguments::Options, stop: &Arc<AtomicBool>) -> Result<Self> {
        screen::heading("Getting ready");
        let steps = Steps::default();
        let progress = steps.clone();
        let started = LocalAws::start(Options {
            parameters: PARAMETERS.map(|(key, value)| (key.into(), value.into())).into(),
            functions: if options.keep { Vec::new() } else { story.functions.to_vec() },
            // With `--keep` too: `cargo lambda watch`, which it tells of, builds from the same crates.
            build_only_these: !options.all,
            progress: Box::new(move |it| progress.tell(it)),
            stop: stop.clone(),
            ..Options::default()
        });
        steps.end();
        let aws = started?;
        for function in story.functions {
            // What was left alone is logged at this level only, and a story tells why.
            aws.set_log_level(&Self::full_name(function), "DEBUG")?;
        }
        let events_url = aws.create_queue(EVENTS)?;
        let pattern = json!({"source": [{"prefix": "aws."}]}).to_string();
        aws.events("PutRule", json!({"Name": EVENTS, "EventPattern": pattern}))?;
        let target = json!({"Id": "queue", "Arn": aws.queue_arn(EVENTS)});
        aws.events("PutTargets", json!({"Rule": EVENTS, "Targets": [target]}))?;
        screen::say(&format!("The local AWS listens on {}", aws.endpoint()));
        Ok(Play {
            aws,
            events: RefCell::default(),
            events_url,
            told_runs: RefCell::default(),
            told_messages: Cell::default(),
            told_calls: Cell::default(),
            begun: Instant::now(),
        })
    }

    pub fn aws(&self) -> &LocalAws {
        &self.aws
    }

    /// Begins a chapter.
    pub fn chapter(&self, number: usize, title: &str) {
        screen::chapter(number, title, self.begun.elapsed());
    }

    /// The next event of that kind; those before it stay for later.
    pub fn event(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        self.aws.wait_until(&format!("the event {what}"), || {
            let mut events = self.events.borrow_mut();
            let request = json!({"QueueUrl": self.events_url, "MaxNumberOfMessages": 10});
            for delivery in self.aws.sqs("ReceiveMessage", request)?["Messages"].as_array().into_iter().flatten() {
                events.push(serde_json::from_str(delivery["Body"].as_str().unwrap_or_default())?);
                let done = json!({"QueueUrl": self.events_url, "ReceiptHandle": delivery["ReceiptHandle"]});
                self.aws.sqs("DeleteMessage", done)?;
            }
            let found = events.iter().position(&wanted);
            Ok(found.map(|index| events.remove(index)))
        })
    }

    /// The rules of the stack that EventBridge says an event matches.
    pub fn rules(&self, event: &Value) -> Result<Vec<Rule>> {
        let mut rules = Vec::new();
        for rule in self.aws.events("ListRules", json!({}))?["Rules"].as_array().into_iter().flatten() {
            let (Some(name), Some(pattern)) = (rule["Name"].as_str(), rule["EventPattern"].as_str()) else { continue };
            let test = json!({"EventPattern": pattern, "Event": event.to_string()});
            if name != EVENTS && self.aws.events("TestEventPattern", test)?["Result"] == true {
                rules.push(Rule { name: name.to_owned(), pattern: serde_json::from_str(pattern)? });
            }
        }
        Ok(rules)
    }

    /// The next run of a function, once it has ended.
    pub fn run(&self, function: &str) -> Result<Run> {
        let what = format!("{function} to run; so far it has logged:\n{}", self.log_end(function));
        let run = self.aws.wait_until(&what, || {
            let mut told = self.told_runs.borrow_mut();
            let runs = function::runs(&self.aws.log_lines(&Self::full_name(function))?)?;
            let next = runs.into_iter().find(|it| !told.contains(&it.id));
            Ok(next.inspect(|it| told.push(it.id.clone())))
        })?;
        match &run.failure {
            Some(failure) => Err(Error::new(format!("a run of {function} failed: {failure}"))),
            None => Ok(run),
        }
    }

    /// Asks a function as a person does; what it reports.
    pub fn ask(&self, function: &str, payload: &Value) -> Result<Value> {
        let answer = self.aws.invoke(&Self::full_name(function), payload)?;
        if answer.error.is_some() {
            return Err(Error::new(format!("{function} answered {payload} with {}", answer.payload)));
        }
        // Its log tells the same.
        self.run(function)?;
        Ok(answer.payload)
    }

    /// The messages that were sent since the last time. A function sends before its run ends.
    pub fn messages(&self) -> Result<Vec<Message>> {
        let all = self.aws.messages()?;
        let new = all[self.told_messages.get().min(all.len())..].to_vec();
        self.told_messages.set(all.len());
        Ok(new)
    }

    /// The calls that a function made since the last time that anybody asked.
    pub fn calls(&self, function: &str) -> Result<Vec<Call>> {
        let all = self.aws.calls()?;
        let new = all[self.told_calls.get().min(all.len())..].to_vec();
        self.told_calls.set(all.len());
        Ok(function::calls_of(&Self::full_name(function), new))
    }

    /// All calls that a function made.
    pub fn calls_in_all(&self, function: &str) -> Result<Vec<Call>> {
        Ok(function::calls_of(&Self::full_name(function), self.aws.calls()?))
    }

    /// How many runs there were so far.
    pub fn runs(&self) -> usize {
        self.told_runs.borrow().len()
    }

    /// The name that the stack gives a function.
    pub fn full_name(function: &str) -> String {
        format!("{}-{function}", LocalAws::STACK)
    }

    fn log_end(&self, function: &str) -> String {
        let lines = self.aws.log_lines(&Self::full_name(function)).unwrap_or_default();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }
}
