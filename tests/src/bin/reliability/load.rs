//! What came of runs that had much to do at once.

use serde_json::Value;
use testkit::{Error, Result};

/// Many runs of one function, until nothing was left to do.
pub struct Load {
    pub name: String,
    pub function: String,
    pub runs: u64,
    pub calls: u64,
    /// How many calls AWS refused because there were too many.
    pub refused: u64,
    /// The longest run, and Lambda's deadline, in seconds.
    pub seconds: f64,
    pub deadline: u64,
    /// The most memory that a run held, in MiB.
    pub memory: f64,
    /// What was done, in words.
    pub said: String,
    pub wrong: Vec<String>,
}

impl Load {
    pub fn read(value: &Value) -> Result<Self> {
        let wrong = value["wrong"].as_array().ok_or_else(|| Error::new(format!("not an outcome: {value}")))?;
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        let number = |name: &str| value[name].as_u64().unwrap_or_default();
        Ok(Load {
            name: text(&value["load"]),
            function: text(&value["function"]),
            runs: number("runs"),
            calls: number("calls"),
            refused: number("refused"),
            seconds: value["seconds"].as_f64().unwrap_or_default(),
            deadline: number("deadline"),
            memory: value["memory"].as_f64().unwrap_or_default(),
            said: text(&value["said"]),
            wrong: wrong.iter().map(text).collect(),
        })
    }
}
