//! Which alarms a run looks at, and what a person asks of it. Plain data, read from events and commands.

/// Which alarms a run looks at.
#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    /// Every alarm that opted in.
    EveryAlarm,
    /// The alarms that events or a command name.
    Alarms(Vec<AlarmName>),
}

/// An alarm as an event names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmName {
    pub name: String,
    /// Tells account and region, where the event has it.
    pub arn: Option<String>,
    /// Whether a mute rule of CloudWatch was in force when the event was sent.
    pub muted: bool,
}

/// What a person asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Forget what the alarm remembers.
    Clear,
}

/// What a run was asked for, and the limit of the account.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    pub scope: &'a Scope,
    pub command: Option<Command>,
    /// How many remedies there may be within an hour, over all alarms of the account.
    pub max_remedies: u32,
}

impl Scope {
    /// What an event says of the alarm of that name.
    pub fn event(&self, name: &str) -> Option<&AlarmName> {
        match self {
            Scope::EveryAlarm => None,
            Scope::Alarms(names) => names.iter().find(|it| it.name == name),
        }
    }
}

impl AlarmName {
    /// Whether `arn` is the alarm that is meant, and not one of the same name in another account or region.
    pub fn is_about(&self, arn: &str) -> bool {
        self.arn.as_ref().is_none_or(|it| it == arn)
    }

    /// What the report calls it.
    pub fn about(&self) -> &str {
        self.arn.as_ref().unwrap_or(&self.name)
    }
}
