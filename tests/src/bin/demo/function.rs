//! What a function did, read from its log: runs and what they decided about each resource.

use serde_json::Value;
use testkit::{Call, Error, Result};

/// What is wrong with a run until it says that it has finished.
const UNFINISHED: &str = "it did not finish";

/// One run of a function.
pub struct Run {
    /// Lambda's id of the request.
    pub id: String,
    /// How long it took, as Lambda says.
    pub milliseconds: f64,
    /// What it decided, resource by resource.
    pub decisions: Vec<Decision>,
    /// Why it did not end well, if so.
    pub failure: Option<String>,
}

/// What was decided about a resource, and why.
#[derive(Debug)]
pub struct Decision {
    pub resource: String,
    /// What was done, `none`, or `problem:` and its kind.
    pub action: String,
    pub reason: String,
}

impl Decision {
    /// The last part of the resource's name.
    pub fn short_name(&self) -> &str {
        self.resource.rsplit(['/', ':']).next().unwrap_or(&self.resource)
    }
}

impl Run {
    /// What was decided about a resource of that short name.
    pub fn about(&self, name: &str) -> Vec<&Decision> {
        self.decisions.iter().filter(|it| it.short_name() == name).collect()
    }

    /// The reason for leaving the resource alone or for what was done.
    pub fn reason(&self, name: &str, action: &str) -> Result<&str> {
        let found = self.about(name).into_iter().find(|it| it.action == action);
        found.map(|it| it.reason.as_str()).ok_or_else(|| {
            Error::new(format!("the run should have decided '{action}' about {name}: {:?}", self.decisions))
        })
    }

    /// Whether nothing was changed and nothing found wrong.
    pub fn left_all_alone(&self) -> bool {
        self.decisions.iter().all(|it| it.action == "none")
    }
}

/// The runs in a function's log, as far as they have ended.
///
/// On a busy machine the last lines of a run come after Lambda's own, even after the start of the next run. The function
/// writes in order, so a line belongs to the oldest run that has not said yet that it is over.
pub fn runs(log: &[String]) -> Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    // How many runs have said that they are over.
    let mut over = 0;
    for line in log {
        if let Some(rest) = line.strip_prefix("START RequestId: ") {
            let id = rest.split(' ').next().unwrap_or_default().to_owned();
            runs.push(Run { id, milliseconds: 0.0, decisions: Vec::new(), failure: Some(UNFINISHED.into()) });
        } else if line.starts_with("REPORT RequestId: ") {
            if let Some(run) = runs.iter_mut().find(|it| it.milliseconds == 0.0) {
                run.milliseconds = duration(line);
            }
        } else if let Ok(entry) = serde_json::from_str::<Value>(line)
            && let Some(run) = runs.get_mut(over)
        {
            note(run, &entry);
            over += usize::from(entry["message"] == "run finished" || entry["message"] == "run failed");
        }
    }
    // The last run is one only once both are there; whoever waits for one that died is told so, with the log.
    runs.pop_if(|it| it.milliseconds == 0.0 || it.failure.as_deref() == Some(UNFINISHED));
    Ok(runs)
}

fn note(run: &mut Run, entry: &Value) {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    if entry["resource"].is_string() {
        let problem = entry["problem"].as_str().map(|it| format!("problem: {it}"));
        run.decisions.push(Decision {
            resource: text("resource"),
            action: problem.unwrap_or_else(|| text("action")),
            reason: text("reason"),
        });
    }
    if entry["level"] == "ERROR" {
        run.failure = Some(entry.to_string());
    } else if entry["message"] == "run finished" && run.failure.as_deref() == Some(UNFINISHED) {
        run.failure = None;
    }
}

/// What is between `Duration: ` and ` ms`.
fn duration(report: &str) -> f64 {
    let number = report.split("\tDuration: ").nth(1).and_then(|it| it.split(' ').next());
    number.and_then(|it| it.parse().ok()).unwrap_or_default()
}

/// The decisions in a report that a function has answered with.
pub fn decisions(report: &Value) -> Vec<Decision> {
    let entries = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
    let acted = entries("actions").into_iter().map(|it| (text(&it, "action"), text(&it, "reason"), it));
    let skipped = entries("skipped").into_iter().map(|it| ("none".to_owned(), text(&it, "reason"), it));
    let wrong = entries("problems")
        .into_iter()
        .map(|it| (format!("problem: {}", text(&it, "problem")), text(&it, "message"), it));
    let all = acted.chain(wrong).chain(skipped);
    all.map(|(action, reason, it)| Decision { resource: text(&it, "resource"), action, reason }).collect()
}

/// The calls that a function made, of all calls.
pub fn calls_of(function: &str, calls: Vec<Call>) -> Vec<Call> {
    calls.into_iter().filter(|it| it.function.as_deref() == Some(function)).collect()
}

/// Whether a call changes something.
pub fn is_write(call: &Call) -> bool {
    !["Get", "List", "Describe", "BatchGet"].iter().any(|it| call.action.starts_with(it))
}
