//! From an alarm to the one service or database that a remedy is for.

use std::collections::{BTreeMap, BTreeSet};

use rules::keys;
use rules::remedy::{Remedy, RemedyRule};

use super::world::{Alarm, Database, Metric, Service, ServiceName, State, Wanted, Watches, World};

/// What a remedy is carried out on.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// An ECS service.
    Service(&'a Service),
    /// A DB instance or DB cluster.
    Database(&'a Database),
}

/// The kind of a problem, and the message that says how it is mended.
pub type Trouble = (&'static str, String);

/// What the dimensions of an alarm's metrics point to.
#[derive(Debug, Default)]
struct Pointers {
    services: BTreeSet<ServiceName>,
    /// `targetgroup/NAME/ID`.
    target_groups: BTreeSet<String>,
    databases: BTreeSet<String>,
    /// A load balancer that is named without a target group.
    load_balancer: Option<String>,
    /// Another account whose resources are measured.
    foreign: Option<String>,
    /// Why an alarm that it is made of could not be read.
    unread: Option<String>,
}

impl Target<'_> {
    /// Its ARN.
    pub fn arn(&self) -> &str {
        match self {
            Target::Service(it) => &it.arn,
            Target::Database(it) => &it.arn,
        }
    }

    /// What people call it.
    pub fn name(&self) -> String {
        match self {
            Target::Service(it) => it.name.to_string(),
            Target::Database(it) => it.id.clone(),
        }
    }

    /// Its tags.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        match self {
            Target::Service(it) => &it.tags,
            Target::Database(it) => &it.tags,
        }
    }

    /// Which of our tags it has to carry for `remedy`; any one of them will do.
    pub fn opted_in_by(&self, remedy: Remedy) -> &'static [&'static str] {
        match (self, remedy) {
            (_, Remedy::ScaleOut | Remedy::Wake) => &[keys::SCHEDULE],
            (_, Remedy::Rollback) => &[keys::DEPLOY],
            (Target::Service(_), _) => &[keys::DEPLOY, keys::SCHEDULE],
            (Target::Database(_), _) => &[keys::BACKUP, keys::SCHEDULE],
        }
    }
}

/// What has to be read to find the targets of `alarm`.
pub fn wanted(alarm: &Alarm, rule: &RemedyRule, children: &BTreeMap<String, Alarm>) -> BTreeSet<Wanted> {
    let pointers = Pointers::of(alarm, children);
    let mut wanted = BTreeSet::new();
    match &rule.service {
        Some(name) => drop(wanted.insert(Wanted::Service(name.clone()))),
        None => {
            wanted.extend(pointers.services.into_iter().map(Wanted::Service));
            wanted.extend((!pointers.target_groups.is_empty()).then_some(Wanted::ServicesThatOptedIn));
        }
    }
    match &rule.database {
        Some(id) => drop(wanted.insert(Wanted::Database(id.clone()))),
        None => wanted.extend(pointers.databases.into_iter().map(Wanted::Database)),
    }
    wanted
}

/// The one target of `remedy`, or what is wrong.
pub fn find<'a>(alarm: &Alarm, rule: &RemedyRule, remedy: Remedy, world: &'a World) -> Result<Target<'a>, Trouble> {
    let unreadable = wanted(alarm, rule, &world.children).into_iter().find_map(|it| world.unreadable.get(&it));
    if let Some(why) = unreadable {
        return Err(("unreadable", why.clone()));
    }
    let pointers = Pointers::of(alarm, &world.children);
    // Where the tag names something, what the metrics point to does not count.
    let named = rule.service.is_some() || rule.database.is_some();
    if let Some(why) = pointers.unread.as_ref().filter(|_| !named) {
        return Err(("unreadable", why.clone()));
    }
    let (services, databases) = match remedy {
        Remedy::Reboot => (Vec::new(), databases(&pointers, rule, world)?),
        Remedy::Wake if named => (
            rule.service.as_ref().map_or(Ok(Vec::new()), |_| services(&pointers, rule, world))?,
            rule.database.as_ref().map_or(Ok(Vec::new()), |_| databases(&pointers, rule, world))?,
        ),
        Remedy::Wake => (services(&pointers, rule, world)?, databases(&pointers, rule, world)?),
        _ => (services(&pointers, rule, world)?, Vec::new()),
    };
    let all: Vec<Target<'_>> =
        services.into_iter().map(Target::Service).chain(databases.into_iter().map(Target::Database)).collect();
    match all[..] {
        [one] => Ok(one),
        [] => Err(("no-target", nothing(&pointers, remedy))),
        _ => Err(("ambiguous-target", several(&all, remedy))),
    }
}

fn services<'a>(pointers: &Pointers, rule: &RemedyRule, world: &'a World) -> Result<Vec<&'a Service>, Trouble> {
    let named: Vec<ServiceName> = match &rule.service {
        Some(name) => vec![name.clone()],
        None => pointers.services.iter().cloned().collect(),
    };
    let mut found = Vec::new();
    for name in &named {
        let service = world.services.iter().find(|it| it.name == *name && it.status != "INACTIVE");
        found.push(service.ok_or_else(|| ("no-such-target", format!("there is no ECS service {name}")))?);
    }
    if rule.service.is_none() {
        let behind = |group: &String, service: &Service| {
            let suffix = format!(":{group}");
            service.target_groups.iter().any(|it| it.ends_with(&suffix))
        };
        let candidates = world.services.iter().filter(|it| it.status != "INACTIVE" && opted_in(it));
        found.extend(candidates.filter(|it| pointers.target_groups.iter().any(|group| behind(group, it))));
    }
    found.sort_by(|a, b| a.arn.cmp(&b.arn));
    found.dedup_by(|a, b| a.arn == b.arn);
    Ok(found)
}

fn opted_in(service: &Service) -> bool {
    [keys::DEPLOY, keys::SCHEDULE].iter().any(|it| service.tags.contains_key(*it))
}

fn databases<'a>(pointers: &Pointers, rule: &RemedyRule, world: &'a World) -> Result<Vec<&'a Database>, Trouble> {
    let named: Vec<&String> = match &rule.database {
        Some(id) => vec![id],
        None => pointers.databases.iter().collect(),
    };
    let find = |id: &&String| {
        let found = world.databases.iter().find(|it| it.id == **id);
        found.ok_or_else(|| ("no-such-target", format!("there is no DB instance or DB cluster {id}")))
    };
    named.iter().map(find).collect()
}

fn nothing(pointers: &Pointers, remedy: Remedy) -> String {
    let option = match remedy {
        Remedy::Reboot => "db=DBID",
        Remedy::Wake => "service=CLUSTER/SERVICE or db=DBID",
        _ => "service=CLUSTER/SERVICE",
    };
    let what = match (&pointers.foreign, &pointers.load_balancer, pointers.target_groups.first()) {
        (Some(account), ..) => format!("what it watches belongs to the account {account}"),
        (_, _, Some(group)) => {
            format!("no service with the tag {} or {} is behind {group}", keys::DEPLOY, keys::SCHEDULE)
        }
        (_, Some(name), _) => format!("it watches the load balancer {name} as a whole, and no target group"),
        _ => format!("what it watches names nothing that {remedy} could be for"),
    };
    format!("{what}: say in the tag {} which one is meant, by {option}", keys::REMEDY)
}

fn several(all: &[Target<'_>], remedy: Remedy) -> String {
    let names: Vec<String> = all.iter().map(Target::name).collect();
    let option = match (remedy, all.first()) {
        (_, Some(Target::Database(_))) => "db=DBID",
        _ => "service=CLUSTER/SERVICE",
    };
    let names = names.join(", ");
    format!("{remedy} could be for {names}: say in the tag {} which one is meant, by {option}", keys::REMEDY)
}

impl Pointers {
    /// What the metrics of `alarm` point to; of a composite alarm, those of its children that are in ALARM.
    fn of(alarm: &Alarm, children: &BTreeMap<String, Alarm>) -> Self {
        let mut pointers = Pointers::default();
        let (mut seen, mut queue) = (BTreeSet::new(), vec![alarm]);
        while let Some(next) = queue.pop() {
            match &next.watches {
                Watches::Metrics(metrics) => metrics.iter().for_each(|it| pointers.add(it, next.account())),
                Watches::Alarms(_) => {
                    let fresh: Vec<String> = next.children().into_iter().filter(|it| seen.insert(it.clone())).collect();
                    let unread = fresh.iter().filter_map(|it| children.get(it)?.unreadable.clone());
                    pointers.unread = unread.chain(pointers.unread.take()).next();
                    let in_alarm = fresh.iter().filter_map(|it| children.get(it)).filter(|it| it.state == State::Alarm);
                    queue.extend(in_alarm);
                }
            }
        }
        pointers
    }

    fn add(&mut self, metric: &Metric, account: &str) {
        if let Some(other) = metric.account.as_ref().filter(|it| *it != account) {
            self.foreign = Some(other.clone());
            return;
        }
        let dimension = |name: &str| metric.dimensions.get(name).cloned();
        if let (Some(cluster), Some(service)) = (dimension("ClusterName"), dimension("ServiceName")) {
            self.services.insert(ServiceName { cluster, name: service });
        }
        match dimension("TargetGroup") {
            Some(group) => drop(self.target_groups.insert(group)),
            None => self.load_balancer = dimension("LoadBalancer").or(self.load_balancer.take()),
        }
        // Of a member of a cluster the instance is named beside the cluster.
        self.databases.extend(dimension("DBInstanceIdentifier").or_else(|| dimension("DBClusterIdentifier")));
    }
}
