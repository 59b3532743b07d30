//! The AWS that is tried: calls by boto3, which finds credentials where the AWS CLI does.

use std::cell::RefCell;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{LocalAws, Options};

/// What AWS, or whatever is between it and us, has answered instead of an answer.
#[derive(Debug, Clone)]
pub struct Fault {
    /// AWS's code, such as `AccessDeniedException`; empty if the error is not AWS's.
    pub code: String,
    pub message: String,
}

pub type Result<T> = std::result::Result<T, Fault>;

impl Fault {
    pub fn new(message: impl fmt::Display) -> Self {
        Fault { code: String::new(), message: message.to_string() }
    }

    /// Whether it says that the thing does not exist, or not any more.
    pub fn is_gone(&self) -> bool {
        ["NotFound", "NotActive"].iter().any(|it| self.code.contains(it))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line, since it may stand in a table.
        out.write_str(&self.message.replace(['\n', '|'], " "))
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Fault::new(error)
    }
}

impl From<testkit::Error> for Fault {
    fn from(error: testkit::Error) -> Self {
        Fault::new(error)
    }
}

/// Where the calls go.
pub struct Aws {
    caller: RefCell<Caller>,
    /// Only while it runs on this machine; dropping it takes everything away.
    local: Option<LocalAws>,
    pub account: String,
    pub region: String,
    stop: Arc<AtomicBool>,
}

impl Aws {
    /// The local AWS with the stack deployed, IAM in force.
    pub fn local(stop: &Arc<AtomicBool>) -> Result<Self> {
        let options = || Options { stop: stop.clone(), ..Options::default() };
        let local = LocalAws::start(options())?;
        let caller = Caller::start(&options(), Some(local.endpoint()))?;
        Ok(Aws {
            caller: RefCell::new(caller),
            local: Some(local),
            account: LocalAws::ACCOUNT.to_owned(),
            region: LocalAws::REGION.to_owned(),
            stop: stop.clone(),
        })
    }

    /// The account of the environment's credentials, if it is the one that was typed out.
    pub fn account(expected: &str, stop: &Arc<AtomicBool>) -> Result<Self> {
        let caller = Caller::start(&Options { stop: stop.clone(), ..Options::default() }, None)?;
        let caller = RefCell::new(caller);
        let mut aws = Aws { caller, local: None, account: String::new(), region: String::new(), stop: stop.clone() };
        aws.region = text(&aws.call("session", "region", json!({}))?["Region"])
            .ok_or_else(|| Fault::new("no region is set; set AWS_REGION"))?;
        aws.account = text(&aws.call("sts", "get_caller_identity", json!({}))?["Account"]).unwrap_or_default();
        if aws.account != expected {
            return Err(Fault::new(format!(
                "the credentials belong to the account {}, not to {expected}",
                aws.account
            )));
        }
        Ok(aws)
    }

    pub fn is_local(&self) -> bool {
        self.local.is_some()
    }

    /// The name of the stack, with which the names of the functions begin.
    pub fn stack(&self) -> &'static str {
        if self.is_local() { LocalAws::STACK } else { "nightshift-verify" }
    }

    pub fn call(&self, service: &str, operation: &str, parameters: Value) -> Result<Value> {
        self.caller.borrow_mut().call(service, operation, &parameters)
    }

    /// The answer of a function, whether it is a report or the error of a run.
    pub fn invoke(&self, function: &str, payload: &Value) -> Result<Value> {
        let name = format!("{}-{function}", self.stack());
        let answer = self.call("lambda", "invoke", json!({"FunctionName": name, "Payload": payload.to_string()}))?;
        Ok(answer["Payload"].clone())
    }

    /// Whether it was asked to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Asks until there is an answer; a database of a real account takes its time. The error names `what`.
    pub fn wait_until<T>(&self, what: &str, question: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        self.ask(what, question, || self.is_stopped())
    }

    /// The same for taking away, which goes on when the run is stopped.
    pub fn wait_until_gone(&self, what: &str, question: impl FnMut() -> Result<Option<()>>) -> Result<()> {
        self.ask(what, question, || false)
    }

    fn ask<T>(
        &self,
        what: &str,
        mut question: impl FnMut() -> Result<Option<T>>,
        is_stopped: impl Fn() -> bool,
    ) -> Result<T> {
        let (patience, pause) = match self.is_local() {
            true => (Duration::from_secs(20), Duration::from_millis(100)),
            false => (Duration::from_secs(20 * 60), Duration::from_secs(10)),
        };
        let deadline = Instant::now() + patience;
        loop {
            if let Some(answer) = question()? {
                return Ok(answer);
            }
            if is_stopped() {
                return Err(Fault::new(format!("stopped while waiting for {what}")));
            }
            if Instant::now() > deadline {
                return Err(Fault::new(format!("waited {} s for {what}", patience.as_secs())));
            }
            thread::sleep(pause);
        }
    }
}

/// The text in a JSON value.
pub fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A Python process that makes the calls, `tests/local-aws/call.py`.
struct Caller {
    process: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Caller {
    fn start(options: &Options, endpoint: Option<&str>) -> Result<Self> {
        let python = LocalAws::interpreter(options)?;
        let mut command = Command::new(python);
        command.arg(nightshift_tests::sources::root().join("tests/local-aws/call.py"));
        if let Some(endpoint) = endpoint {
            command.args(["--endpoint", endpoint]).env_clear();
        }
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(requests), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(Fault::new("call.py has no input or output"));
        };
        Ok(Caller { process, requests: Some(requests), answers: BufReader::new(answers) })
    }

    fn call(&mut self, service: &str, operation: &str, parameters: &Value) -> Result<Value> {
        let request = json!({"service": service, "operation": operation, "parameters": parameters});
        let requests = self.requests.as_mut().ok_or_else(|| Fault::new("call.py has ended"))?;
        writeln!(requests, "{request}")?;
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(Fault::new(format!("call.py ended at {service} {operation}")));
        }
        let mut said: Value = serde_json::from_str(&line).map_err(Fault::new)?;
        match said.get_mut("answer") {
            Some(answer) => Ok(answer.take()),
            None => Err(Fault {
                code: text(&said["code"]).unwrap_or_default(),
                message: format!("{service} {operation}: {}", text(&said["message"]).unwrap_or_default()),
            }),
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.requests = None;
        let _ = self.process.wait();
    }
}
