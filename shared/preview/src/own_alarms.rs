//! Which alarms are Nightshift's own. Pure.
//!
//! CloudFormation makes up the names of most of them, so they are recognised by what they watch. A remedy is for an alarm of
//! a service: these tell of Nightshift itself, and a person has to look.

use std::collections::{BTreeMap, BTreeSet};

/// What the functions are called behind the name of their stack.
const FUNCTIONS: [&str; 11] = [
    "copy-buckets",
    "deploy-compose",
    "deploy-image",
    "drill-restores",
    "enforce-budget",
    "press-button",
    "prune-backups",
    "remediate-alarm",
    "report-operations",
    "scale-staging",
    "snapshot-databases",
];

/// An alarm, as far as it says whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    pub arn: String,
    pub name: String,
    /// What it watches: several where it calculates, none where it watches other alarms.
    pub metrics: Vec<Metric>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    pub namespace: String,
    pub dimensions: BTreeMap<String, String>,
}

impl Metric {
    fn dimension(&self, namespace: &str, name: &str) -> Option<&str> {
        self.dimensions.get(name).filter(|_| self.namespace == namespace).map(String::as_str)
    }

    /// The function of Lambda that it is of, as stack and function of Nightshift.
    fn function(&self) -> Option<(&str, &str)> {
        let watched = self.dimension("AWS/Lambda", "FunctionName")?;
        FUNCTIONS.iter().find_map(|it| Some((watched.strip_suffix(it)?.strip_suffix('-')?, *it)))
    }

    fn is_of(&self, stacks: &[&str]) -> bool {
        let is_queue_of =
            |queue: &str, stack: &str| queue.strip_prefix(stack).is_some_and(|it| it.starts_with("-FailureQueue-"));
        self.namespace == "Nightshift"
            || self.function().is_some_and(|(stack, _)| stacks.contains(&stack))
            || self
                .dimension("AWS/SQS", "QueueName")
                .is_some_and(|queue| stacks.iter().any(|stack| is_queue_of(queue, stack)))
    }
}

/// The alarms that are not Nightshift's own.
///
/// A stack of Nightshift has an alarm on each of its functions. One function alone may be called like one of them and be
/// another's.
pub fn without_own(alarms: Vec<Alarm>) -> Vec<Alarm> {
    let mut watched: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (stack, function) in alarms.iter().flat_map(|it| &it.metrics).filter_map(Metric::function) {
        watched.entry(stack).or_default().insert(function);
    }
    let stacks: Vec<&str> =
        watched.iter().filter(|(_, functions)| functions.len() > 1).map(|(stack, _)| *stack).collect();
    let is_own = |it: &Alarm| !it.metrics.is_empty() && it.metrics.iter().all(|metric| metric.is_of(&stacks));
    let own: BTreeSet<String> = alarms.iter().filter(|it| is_own(it)).map(|it| it.arn.clone()).collect();
    alarms.into_iter().filter(|it| !own.contains(&it.arn)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(namespace: &str, dimension: &str, value: &str) -> Metric {
        let dimensions = BTreeMap::from([(dimension.to_owned(), value.to_owned())]);
        Metric { namespace: namespace.into(), dimensions }
    }

    /// An alarm on what is in question, beside those that a stack `ops` has on two of its functions.
    #[track_caller]
    fn check(metrics: &[Metric], is_own: bool) {
        let alarm = |name: &str, metrics: &[Metric]| Alarm {
            arn: format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}"),
            name: name.into(),
            metrics: metrics.to_vec(),
        };
        let errors = |of: &str| alarm(of, &[metric("AWS/Lambda", "FunctionName", of)]);
        let left = without_own(vec![errors("ops-deploy-image"), alarm("asked", metrics), errors("ops-scale-staging")]);
        let left: Vec<&str> = left.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(left, if is_own { vec![] } else { vec!["asked"] }, "{metrics:?}");
    }

    #[test]
    fn an_alarm_is_nightshifts_own_by_what_it_watches() {
        let rows = [
            ("Nightshift", "Function", "snapshot-databases", true),
            ("Nightshift", "Database", "orders", true),
            ("AWS/Lambda", "FunctionName", "ops-press-button", true),
            ("AWS/SQS", "QueueName", "ops-FailureQueue-1A2B3C4D5E6F", true),
            // A function, a queue and a stack of a person.
            ("AWS/Lambda", "FunctionName", "ops-resize", false),
            ("AWS/Lambda", "FunctionName", "ops-my-deploy-image", false),
            ("AWS/Lambda", "FunctionName", "deploy-image", false),
            ("AWS/Lambda", "FunctionName", "shop-deploy-image", false),
            ("AWS/SQS", "QueueName", "ops-orders", false),
            ("AWS/SQS", "QueueName", "shop-FailureQueue-1A2B3C4D5E6F", false),
            // A metric of a person may have a dimension of any name.
            ("Shop", "FunctionName", "ops-deploy-image", false),
            ("AWS/ECS", "ServiceName", "ops-deploy-image", false),
        ];
        for (namespace, dimension, value, is_own) in rows {
            check(&[metric(namespace, dimension, value)], is_own);
        }
    }

    #[test]
    fn an_alarm_that_calculates_is_own_where_all_of_its_metrics_are() {
        let own = metric("Nightshift", "Database", "orders");
        let other = metric("AWS/RDS", "DBInstanceIdentifier", "orders");
        check(&[own.clone(), own.clone()], true);
        check(&[own, other], false);
        // A composite alarm watches alarms, and is of the person who made it.
        check(&[], false);
    }

    #[test]
    fn every_function_of_the_stack_is_known() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../functions");
        let names = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap());
        let names = names.filter(|it| it.path().is_dir()).map(|it| it.file_name().into_string().unwrap());
        assert_eq!(names.collect::<BTreeSet<_>>(), FUNCTIONS.map(str::to_owned).into());
    }
}
