//! Commands that a person can paste to take something back, or to decide something.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::shell::CommandLine;

/// How a person takes a step back.
#[derive(Debug, Clone, PartialEq)]
pub enum Undo {
    /// A command object for the function that did it.
    Command(Value),
    /// A command object for another function of the stack, which carried out what this one requested.
    Sibling {
        /// This function, as its folder is called.
        own: &'static str,
        /// The other one.
        function: &'static str,
        /// The command.
        payload: Value,
    },
    /// A command line.
    Shell(CommandLine),
}

/// What a person can decide about a problem.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// What it does, as on a button: `Approve`.
    pub label: &'static str,
    /// The command that does it.
    pub command: Undo,
    /// The same as a command line of this stack, in a report.
    pub line: Option<String>,
}

impl Undo {
    /// The command line that a person can paste into a shell with the AWS CLI, for a function called `invoke_as`.
    pub fn command_line(&self, invoke_as: &str, region: Option<&str>) -> String {
        self.line(invoke_as, region).to_string()
    }

    fn line(&self, invoke_as: &str, region: Option<&str>) -> CommandLine {
        match self {
            Undo::Shell(line) => line.clone().in_region(region),
            Undo::Command(payload) => CommandLine::invocation(invoke_as, payload).in_region(region),
            Undo::Sibling { own, function, payload } => {
                // Functions of a stack are called STACK-FUNCTION; in a trial outside of AWS there is no stack.
                let sibling = match invoke_as.strip_suffix(own).filter(|it| it.ends_with('-')) {
                    Some(stack) => format!("{stack}{function}"),
                    None => function.to_string(),
                };
                CommandLine::invocation(&sibling, payload).in_region(region)
            }
        }
    }
}

impl Choice {
    /// A choice, as on a button.
    pub fn new(label: &'static str, command: Undo) -> Self {
        Choice { label, command, line: None }
    }

    /// The same for a report of the function that is called `invoke_as`, whose readers paste it.
    pub(crate) fn spelled(&self, invoke_as: &str, region: Option<&str>) -> Self {
        Choice { line: Some(self.command.command_line(invoke_as, region)), ..self.clone() }
    }

    /// The command line, as a person pastes it.
    pub fn line(&self) -> String {
        self.line.clone().unwrap_or_else(|| self.command.command_line("", None))
    }
}

impl Serialize for Choice {
    /// `{"label":"Approve","payload":{…},"command":"… aws lambda invoke …"}` for the function that reports it, with
    /// `"function"` for another one of the stack, or without a payload where another program is meant.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = match &self.command {
            Undo::Command(payload) => json!({"label": self.label, "payload": payload}),
            Undo::Sibling { function, payload, .. } => {
                json!({"label": self.label, "function": function, "payload": payload})
            }
            Undo::Shell(line) => json!({"label": self.label, "command": line.to_string()}),
        };
        if let Some(line) = &self.line {
            fields["command"] = line.as_str().into();
        }
        fields.serialize(serializer)
    }
}
