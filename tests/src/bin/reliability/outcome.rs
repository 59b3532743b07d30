//! What came of the plays of one story.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use testkit::{Error, Result};

/// A story, undisturbed and disturbed.
pub struct Outcome {
    pub story: String,
    pub functions: Vec<String>,
    /// Runs of functions, and the calls that were disturbed.
    pub runs: u64,
    pub calls: u64,
    pub plays: u64,
    /// How many plays there are.
    pub all: u64,
    /// How many seconds they had a processor.
    pub worked: f64,
    /// How often each disturbance was played.
    pub kinds: BTreeMap<String, u64>,
    /// Plays in which news of something that went well was lost with the run that had it.
    pub silent: u64,
    pub wrong: Vec<Wrong>,
}

/// A play that ended otherwise than it should.
pub struct Wrong {
    pub kind: String,
    call: String,
    run: u64,
    at: String,
    function: String,
    /// `lost`, `doubled`, `untold` or `overtold`, with what exactly.
    pub what: BTreeMap<String, Vec<String>>,
}

impl Outcome {
    pub fn read(value: &Value) -> Result<Self> {
        let wrong = value["wrong"].as_array().ok_or_else(|| Error::new(format!("not an outcome: {value}")))?;
        Ok(Outcome {
            story: text(&value["story"]),
            functions: texts(&value["functions"]),
            runs: number(&value["runs"]),
            calls: number(&value["calls"]),
            plays: number(&value["plays"]),
            all: number(&value["there_are"]),
            worked: value["worked"].as_f64().unwrap_or_default(),
            kinds: entries(&value["kinds"]).map(|(kind, count)| (kind, number(count))).collect(),
            silent: number(&value["silent"]),
            wrong: wrong.iter().map(Wrong::read).collect(),
        })
    }

    /// In how many plays something went wrong in this manner.
    pub fn count(&self, what: &str) -> usize {
        self.wrong.iter().filter(|it| it.what.contains_key(what)).count()
    }
}

impl Wrong {
    fn read(value: &Value) -> Self {
        Wrong {
            kind: text(&value["kind"]),
            call: text(&value["call"]),
            run: number(&value["run"]),
            at: text(&value["at"]),
            function: text(&value["function"]),
            what: entries(&value["wrong"]).map(|(what, each)| (what, texts(each))).collect(),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wrong { kind, call, run, at, function, what } = self;
        write!(f, "run {run} of {function} at {at}, {call} {kind}")?;
        what.iter().try_for_each(|(what, each)| each.iter().try_for_each(|it| write!(f, "\n  {what}: {it}")))
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

fn entries(value: &Value) -> impl Iterator<Item = (String, &Value)> {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value))
}
