//! What was observed, as plain data: alarms, and the services and databases that they are about.

use std::collections::BTreeMap;

use jiff::Timestamp;
pub use rules::ServiceName;

/// A snapshot of everything that the decision depends on.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The alarms to decide about.
    pub alarms: Vec<Alarm>,
    /// ARNs that the tag index still lists, of alarms that do not exist any more.
    pub gone: Vec<String>,
    /// The other alarms that opted in, as the tag index knows them: their remedies count for the whole account.
    pub others: Vec<Alarm>,
    /// The alarms that composite ones are made of, by name; `None` for one that does not exist.
    pub children: BTreeMap<String, Option<Alarm>>,
    /// What is in ALARM of an alarm that watches several things, by the alarm's name.
    pub contributors: BTreeMap<String, Vec<Contributor>>,
    /// The mute rules of CloudWatch that are in force for an alarm now, by the alarm's name.
    pub mute_rules: BTreeMap<String, Vec<String>>,
    pub services: Vec<Service>,
    pub databases: Vec<Database>,
    /// The latest deployments of services that may have to go back, newest first, by the services' ARNs.
    pub history: BTreeMap<String, Vec<Rollout>>,
    /// The images of task definitions by container, by the task definitions' ARNs.
    pub images: BTreeMap<String, Vec<(String, String)>>,
    /// What could not be read, and why.
    pub unreadable: BTreeMap<Wanted, String>,
}

/// Something to read before an alarm can be decided about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// An alarm that a composite one is made of, by its name.
    Child(String),
    /// What is in ALARM of the alarm of this name.
    Contributors(String),
    /// The mute rules in force for the alarm of this name.
    MuteRules(String),
    /// All alarms that opted in: how many remedies has the account had?
    OtherAlarms,
    Service(ServiceName),
    /// Every service that opted in: one of them is behind a target group.
    ServicesThatOptedIn,
    /// The DB instance or DB cluster of this id.
    Database(String),
    /// The past of the service of this ARN, and its image.
    History(String),
}

/// A CloudWatch alarm of whatever kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    pub name: String,
    pub arn: String,
    pub state: State,
    /// Since when it is in that state.
    pub since: Option<Timestamp>,
    /// What CloudWatch says of that.
    pub reason: String,
    /// What whoever made the alarm wrote about it.
    pub description: String,
    pub watches: Watches,
    /// Why its actions must not be carried out, if so.
    pub silenced: Option<&'static str>,
    /// Why it or its tags could not be read, if so; its tags are then those that the tag index knows.
    pub unreadable: Option<String>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Ok,
    Alarm,
    /// There is too little data, or the state is one that this version does not know.
    Unknown,
}

/// What an alarm watches.
#[derive(Debug, Clone, PartialEq)]
pub enum Watches {
    /// Metrics: one, or those of an expression or an anomaly detector.
    Metrics(Vec<Metric>),
    /// Several things at once, each of which can be in ALARM: a query with GROUP BY, PromQL, the lines of a log.
    Contributors,
    /// Other alarms, by this rule.
    Alarms(String),
}

/// A metric, as far as it tells what it was measured of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metric {
    /// The account that it belongs to, if an alarm says so.
    pub account: Option<String>,
    pub dimensions: BTreeMap<String, String>,
    /// A query that names what it measures in its text, which is not read.
    pub query: Option<String>,
}

/// One of several things that an alarm watches, which is in ALARM.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributor {
    pub id: String,
    pub since: Option<Timestamp>,
    pub reason: String,
    /// Such as `ClusterName` and `ServiceName`.
    pub attributes: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub arn: String,
    pub name: ServiceName,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// Who carries out its deployments, if it is not ECS.
    pub controller: Option<String>,
    pub desired: i32,
    /// Whether a deployment is under way.
    pub deploying: bool,
    /// The ARN of the task definition that is live.
    pub task_definition: String,
    /// With CodeDeploy, a service has task sets in place of deployments: what each is, and when it was made.
    pub task_sets: Vec<TaskSet>,
    /// The ARNs of the target groups that its tasks are in.
    pub target_groups: Vec<String>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TaskSet {
    pub primary: bool,
    pub made: Option<Timestamp>,
}

/// A DB instance or a DB cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Database {
    pub arn: String,
    pub id: String,
    pub is_cluster: bool,
    /// The cluster that it is a member of.
    pub member_of: Option<String>,
    pub status: String,
    /// Whether there is a standby that can take over.
    pub multi_az: bool,
    pub tags: BTreeMap<String, String>,
}

/// An entry of a service's deployment history.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// The ARN of the task definition that it deploys.
    pub task_definition: String,
    pub end: RolloutEnd,
    /// When it was finished, or else begun.
    pub at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutEnd {
    /// Still under way.
    Open,
    /// ECS is rolling it back.
    GoingBack,
    Successful,
    /// It was rolled back, or stopped.
    Ended,
}

/// A description can be 1024 characters long; in a message it must not hide the rest.
const LONGEST_ADVICE: usize = 500;

impl Alarm {
    /// One of which nothing is known but that it could not be read, and why.
    pub fn unread(name: &str, arn: &str, why: String) -> Self {
        Alarm {
            name: name.into(),
            arn: arn.into(),
            state: State::Unknown,
            since: None,
            reason: String::new(),
            description: String::new(),
            watches: Watches::Metrics(Vec::new()),
            silenced: None,
            unreadable: Some(why),
            tags: BTreeMap::new(),
        }
    }

    /// One that has tags, but that DescribeAlarms does not show.
    pub fn not_shown(name: &str, arn: &str, tags: BTreeMap<String, String>) -> Self {
        let why = "its tags can be read, but DescribeAlarms does not show it, so nothing is done about it: \
                   it is of a kind that this version does not know, or it was deleted a moment ago";
        Alarm { tags, ..Alarm::unread(name, arn, why.into()) }
    }

    /// Its description in one line that is not too long, if it has one.
    pub fn advice(&self) -> Option<String> {
        let line = self.description.split_whitespace().collect::<Vec<_>>().join(" ");
        let advice = match line.char_indices().nth(LONGEST_ADVICE) {
            None => line,
            Some((end, _)) => {
                // At a word's end, if there is one.
                let kept = &line[..end];
                format!("{} …", kept.rsplit_once(' ').map_or(kept, |(words, _)| words))
            }
        };
        (!advice.is_empty()).then_some(advice)
    }

    /// The first address in its description: where whoever made the alarm wrote down what to do.
    pub fn runbook(&self) -> Option<String> {
        let page = self.description.split_whitespace().find_map(|it| it.find("https://").map(|at| &it[at..]))?;
        Some(page.trim_end_matches(['.', ',', ';', ':', ')', ']', '>', '"', '\'']).to_owned())
    }

    /// Where it is: `arn:aws:cloudwatch:REGION:ACCOUNT`.
    pub fn origin(&self) -> &str {
        self.arn.split_once(":alarm:").map_or("", |(origin, _)| origin)
    }

    pub fn account(&self) -> &str {
        self.arn.split(':').nth(4).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_of_a_description_is_the_runbook() {
        let runbook = |description: &str| {
            let mut alarm = crate::plan::tests::alarm("a", "notify");
            alarm.description = description.into();
            alarm.runbook()
        };
        assert_eq!(runbook("Answers are 5xx. Look at the log."), None);
        let page = Some("https://wiki.example/api-5xx#first".to_owned());
        assert_eq!(runbook("See https://wiki.example/api-5xx#first, then https://other.example."), page);
        assert_eq!(runbook("(runbook:https://wiki.example/api-5xx#first)"), page);
    }

    #[test]
    fn a_description_is_told_in_one_line_that_ends_with_a_word() {
        let advice = |description: &str| {
            let mut alarm = crate::plan::tests::alarm("a", "notify");
            alarm.description = description.into();
            alarm.advice()
        };
        assert_eq!(advice(" \n"), None);
        assert_eq!(advice("Look first\n  at the log. ").as_deref(), Some("Look first at the log."));
        let fits = "é".repeat(LONGEST_ADVICE);
        assert_eq!(advice(&fits), Some(fits.clone()));
        assert_eq!(advice(&format!("{fits}é")), Some(format!("{fits} …")));
        assert_eq!(advice(&format!("see {fits}")).as_deref(), Some("see …"));
    }
}
