//! What a run was asked for, and what notifications say. Plain data, read from events and commands.

use rules::budget::Money;

/// Why a run looks at all budgets.
#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    AllBudgets,
    /// The same, because of notifications; what they say is told and never believed alone.
    Notified(Vec<Notification>),
}

/// What a person asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Wake what the budget of this name holds.
    Release(String),
}

/// A notification, and through which topic it was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// The ARN of the topic.
    pub topic: String,
    /// May be empty.
    pub subject: String,
    pub content: Content,
}

/// What a notification says.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A budget has passed one of its thresholds.
    Budget {
        /// The account, if it is named.
        account: Option<String>,
        name: String,
        kind: Kind,
        /// The figure, if it can be read.
        amount: Option<Money>,
    },
    /// Something costs more than it used to.
    Anomaly(Anomaly),
    /// Something else: its beginning.
    Unclear(String),
}

/// Which figure of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Actual,
    Forecast,
    /// A kind that this version does not know.
    Other,
}

/// What Cost Anomaly Detection has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Anomaly {
    pub account: Option<String>,
    /// What costs more, mostly a service. People know it; of the monitor that found it, AWS tells an id.
    pub what: String,
    /// The whole of it, for people.
    pub summary: String,
    /// Where to look.
    pub link: String,
}

/// Which account this is, and through which topic its budgets notify.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    pub account: String,
    pub topic: Option<String>,
}

impl Notification {
    /// Whether it can be about a budget of this account, so that it is worth looking.
    pub fn may_be_ours(&self, own: &Own) -> bool {
        let account = match &self.content {
            Content::Budget { account, .. } => account.as_ref(),
            Content::Anomaly(_) => return false,
            Content::Unclear(_) => None,
        };
        self.is_of_own_topic(own) && account.is_none_or(|it| *it == own.account)
    }

    pub fn is_of_own_topic(&self, own: &Own) -> bool {
        own.topic.as_ref() == Some(&self.topic)
    }
}

impl Scope {
    /// Whether there is anything to look at.
    pub fn is_worth_a_look(&self, own: &Own) -> bool {
        match self {
            Scope::AllBudgets => true,
            Scope::Notified(all) => all.iter().any(|it| it.may_be_ours(own)),
        }
    }

    /// The most that AWS's own notifications say was spent of a budget: a second witness beside what is read.
    pub fn witnessed(&self, budget: &str, own: &Own) -> Option<Money> {
        let Scope::Notified(all) = self else { return None };
        let said = |it: &Notification| match &it.content {
            Content::Budget { name, kind: Kind::Actual, amount, .. } if name == budget => *amount,
            _ => None,
        };
        all.iter().filter(|it| it.may_be_ours(own)).filter_map(said).max()
    }
}
