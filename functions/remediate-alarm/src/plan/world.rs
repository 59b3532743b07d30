//! What was observed, as plain data: alarms, and the services and databases that they are about.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
pub use rules::ServiceName;

/// A snapshot of everything that the decision depends on.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The alarms to decide about.
    pub alarms: Vec<Alarm>,
    /// The other alarms that opted in, as the tag index knows them: their remedies count for the whole account.
    pub others: Vec<Alarm>,
    /// The alarms that composite ones are made of, by name.
    pub children: BTreeMap<String, Alarm>,
    /// Events about alarms that are not in this account and region, or not there any more: what is said of each.
    pub unseen: Vec<(String, String)>,
    /// The names of alarms that a mute rule silenced when the event was sent.
    pub muted: BTreeSet<String>,
    /// The services that alarms may be about.
    pub services: Vec<Service>,
    /// The databases that alarms may be about.
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
    /// This service.
    Service(ServiceName),
    /// Every service that opted in: one of them is behind a target group.
    ServicesThatOptedIn,
    /// The DB instance or DB cluster of this id.
    Database(String),
    /// The past of the service of this ARN, and its image.
    History(String),
}

/// A CloudWatch alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The state that it is in.
    pub state: State,
    /// Since when it is in that state.
    pub since: Option<Timestamp>,
    /// What CloudWatch says of that.
    pub reason: String,
    /// What whoever made the alarm wrote about it.
    pub description: String,
    /// What it watches.
    pub watches: Watches,
    /// Why its actions are not to be carried out, if so.
    pub silenced: Option<&'static str>,
    /// Why it or its tags could not be read, if so; its tags are then those that the tag index knows.
    pub unreadable: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All is well.
    Ok,
    /// It is not.
    Alarm,
    /// There is too little data, or the state is one that this version does not know.
    Unknown,
}

/// What an alarm watches.
#[derive(Debug, Clone, PartialEq)]
pub enum Watches {
    /// Metrics: one, or those of an expression or an anomaly detector.
    Metrics(Vec<Metric>),
    /// Other alarms, by this rule.
    Alarms(String),
}

/// A metric, as far as it tells what it was measured of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metric {
    /// The account that it belongs to, if an alarm says so.
    pub account: Option<String>,
    /// Its dimensions.
    pub dimensions: BTreeMap<String, String>,
}

/// An ECS service.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: ServiceName,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// Who carries out its deployments, if it is not ECS.
    pub controller: Option<String>,
    /// How many tasks there should be.
    pub desired: i32,
    /// Whether a deployment is under way.
    pub deploying: bool,
    /// The ARN of its task definition.
    pub task_definition: String,
    /// The ARNs of the target groups that its tasks are in.
    pub target_groups: Vec<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A DB instance or a DB cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Database {
    /// Its ARN.
    pub arn: String,
    /// Its identifier.
    pub id: String,
    /// Whether it is a cluster.
    pub is_cluster: bool,
    /// The cluster that it is a member of.
    pub member_of: Option<String>,
    /// Such as `available`.
    pub status: String,
    /// Whether there is a standby that can take over.
    pub multi_az: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// An entry of a service's deployment history.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// The ARN of the task definition that it was to bring.
    pub task_definition: String,
    /// What became of it.
    pub end: RolloutEnd,
    /// When it was finished, or else begun.
    pub at: Option<Timestamp>,
}

/// What became of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutEnd {
    /// Still under way.
    Open,
    /// ECS is taking it back.
    GoingBack,
    /// It completed.
    Successful,
    /// It was taken back, or stopped.
    Ended,
}

/// A description can be 1024 characters long; in a message it is not to hide the rest.
const LONGEST_ADVICE: usize = 500;

impl Alarm {
    /// One of which no more is known than that it could not be read, and why.
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

    /// The account that it is in.
    pub fn account(&self) -> &str {
        self.arn.split(':').nth(4).unwrap_or_default()
    }

    /// The names of the alarms that this one goes off with; none for an alarm on metrics.
    pub fn children(&self) -> Vec<String> {
        match &self.watches {
            Watches::Alarms(rule) => children(rule),
            Watches::Metrics(_) => Vec::new(),
        }
    }
}

/// The names in `ALARM("a") AND NOT ALARM(arn:aws:cloudwatch:…:alarm:b)`.
///
/// What has to be OK or without data is only a circumstance, and so not of interest.
fn children(rule: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = rule;
    while let Some(at) = rest.find("ALARM") {
        let inside = rest[at + "ALARM".len()..].trim_start().strip_prefix('(').map(str::trim_start);
        rest = &rest[at + "ALARM".len()..];
        let Some(inside) = inside else { continue };
        let (argument, end) = match inside.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => inside.split_once(')').unwrap_or((inside, "")),
        };
        rest = end;
        let argument = argument.trim();
        let name = argument.split_once(":alarm:").map_or(argument, |(_, name)| name);
        if !name.is_empty() {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_children_of_a_rule_are_those_that_have_to_be_in_alarm() {
        for (rule, expected) in [
            (r#"ALARM("api 5xx") OR ALARM(api-cpu)"#, vec!["api 5xx", "api-cpu"]),
            (r#"ALARM( "a(b)" ) AND NOT OK(c)"#, vec!["a(b)"]),
            ("(ALARM(arn:aws:cloudwatch:ap-northeast-2:1:alarm:x:y)) AND INSUFFICIENT_DATA(z)", vec!["x:y"]),
            (r#"NOT ALARM("deploy in progress") AND ALARM("ALARM")"#, vec!["deploy in progress", "ALARM"]),
            ("TRUE", vec![]),
            ("ALARM(", vec![]),
        ] {
            assert_eq!(children(rule), expected, "{rule}");
        }
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

    proptest! {
        #[test]
        fn no_rule_makes_it_panic(rule in "[ALRM()\" a:]{0,40}") {
            children(&rule);
        }
    }
}
