//! What an alarm points to: the services, target groups and databases that its metrics were measured of.

use std::collections::{BTreeMap, BTreeSet};

use super::composite::{Reference, Rule};
use super::world::{Alarm, Contributor, Metric, ServiceName, State, Wanted, Watches, World};

/// What the dimensions of an alarm's metrics point to.
#[derive(Debug, Default)]
pub struct Evidence {
    pub services: BTreeSet<ServiceName>,
    /// `targetgroup/NAME/ID`.
    pub target_groups: BTreeSet<String>,
    pub databases: BTreeSet<String>,
    /// A load balancer that is named without a target group.
    pub load_balancer: Option<String>,
    /// What part of it is not understood, in words: the whole of it then says nothing for sure.
    pub doubts: BTreeSet<String>,
    /// Why a part of it could not be read.
    pub unread: Option<String>,
    /// What has to be read first.
    pub wanted: BTreeSet<Wanted>,
}

impl Evidence {
    /// What `alarm` points to; of a composite alarm, what those of its alarms point to that make its rule true.
    pub fn of(alarm: &Alarm, contributor: Option<&Contributor>, world: &World) -> Self {
        let mut evidence = Evidence::default();
        match contributor {
            Some(it) => evidence.dimensions(&it.attributes),
            None => evidence.add_alarm(alarm, world),
        }
        evidence
    }

    /// Whether it points to anything that a remedy could be for.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.target_groups.is_empty() && self.databases.is_empty()
    }

    fn add_alarm(&mut self, alarm: &Alarm, world: &World) {
        // Composite alarms can hold one another, and even themselves.
        let (mut seen, mut queue) = (BTreeSet::from([alarm.name.as_str()]), vec![alarm]);
        while let Some(next) = queue.pop() {
            match &next.watches {
                Watches::Metrics(metrics) => metrics.iter().for_each(|it| self.metric(it, next.account())),
                Watches::Contributors => self.contributors(next, world),
                Watches::Alarms(rule) => {
                    queue.extend(self.causes(next, rule, world).into_iter().filter(|it| seen.insert(&it.name)));
                }
            }
        }
    }

    /// The alarms that make the rule of a composite alarm true.
    fn causes<'a>(&mut self, composite: &Alarm, rule: &str, world: &'a World) -> Vec<&'a Alarm> {
        let rule = match Rule::read(rule) {
            Ok(rule) => rule,
            Err(at) => {
                self.doubts.insert(format!("the rule of {} is not understood at {at}", composite.name));
                return Vec::new();
            }
        };
        let (mut complete, mut missing) = (true, None);
        for Reference { name, origin } in rule.references() {
            if let Some(origin) = origin.as_ref().filter(|it| *it != composite.origin()) {
                self.doubts.insert(format!("the rule of {} names {name} of {origin}", composite.name));
                complete = false;
                continue;
            }
            let wanted = Wanted::Child(name.clone());
            match (world.children.get(name), world.unreadable.get(&wanted)) {
                (_, Some(why)) => self.unread = Some(why.clone()),
                (None, None) => drop(self.wanted.insert(wanted)),
                (Some(None), None) => {
                    missing.get_or_insert(name);
                    continue;
                }
                (Some(Some(child)), _) => match &child.unreadable {
                    Some(why) => self.unread = Some(why.clone()),
                    None => continue,
                },
            }
            complete = false;
        }
        if !complete {
            return Vec::new();
        }
        let child = |it: &Reference| world.children.get(&it.name)?.as_ref();
        // One that does not exist is in no state, and so not in ALARM.
        let state = |it: &Reference| child(it).map_or(State::Unknown, |it| it.state);
        match rule.causes(&state) {
            Some(causes) => causes.into_iter().filter_map(child).collect(),
            // Its alarms were read a moment later than it was, and one of them has changed or was deleted.
            None => {
                self.doubts.insert(match missing {
                    Some(name) => format!("the rule of {} names {name}, which does not exist", composite.name),
                    None => format!("the rule of {} is not true any more by its alarms", composite.name),
                });
                Vec::new()
            }
        }
    }

    fn contributors(&mut self, alarm: &Alarm, world: &World) {
        let wanted = Wanted::Contributors(alarm.name.clone());
        match (world.contributors.get(&alarm.name), world.unreadable.get(&wanted)) {
            (_, Some(why)) => self.unread = Some(why.clone()),
            (None, None) => drop(self.wanted.insert(wanted)),
            (Some(all), None) => all.iter().for_each(|it| self.dimensions(&it.attributes)),
        }
    }

    fn metric(&mut self, metric: &Metric, account: &str) {
        if let Some(other) = metric.account.as_ref().filter(|it| *it != account) {
            self.doubts.insert(format!("what it watches belongs to the account {other}"));
        } else if let Some(query) = &metric.query {
            self.doubts.insert(format!("it watches the query {query}, which names its target in its text"));
        } else {
            self.dimensions(&metric.dimensions);
        }
    }

    fn dimensions(&mut self, dimensions: &BTreeMap<String, String>) {
        let dimension = |name: &str| dimensions.get(name).cloned();
        if let (Some(cluster), Some(name)) = (dimension("ClusterName"), dimension("ServiceName")) {
            self.services.insert(ServiceName { cluster, name });
        }
        match dimension("TargetGroup") {
            Some(group) => drop(self.target_groups.insert(group)),
            None => self.load_balancer = dimension("LoadBalancer").or(self.load_balancer.take()),
        }
        // Of a member of a cluster the instance is named beside the cluster.
        self.databases.extend(dimension("DBInstanceIdentifier").or_else(|| dimension("DBClusterIdentifier")));
    }
}
