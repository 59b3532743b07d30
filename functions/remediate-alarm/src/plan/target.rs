//! From an alarm to the one service or database that a remedy is for.

use std::collections::{BTreeMap, BTreeSet};

use reconcile::Trouble;
use rules::keys;
use rules::remedy::{Remedy, RemedyRule};

use super::evidence::Evidence;
use super::world::{Alarm, Contributor, Database, Service, Wanted, World};

/// The tags of which a service needs one to be found behind a target group.
pub const OPT_IN: [&str; 2] = [keys::DEPLOY, keys::SCHEDULE];

/// What a remedy is carried out on.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    Service(&'a Service),
    Database(&'a Database),
}

impl Target<'_> {
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
            (Target::Service(_), _) => &OPT_IN,
            (Target::Database(_), _) => &[keys::BACKUP, keys::SCHEDULE],
        }
    }
}

/// Whether the metrics of the alarm have to say what `remedy` is for, since its tag does not.
pub fn needs_evidence(rule: &RemedyRule, remedy: Remedy) -> bool {
    match remedy {
        Remedy::Notify => false,
        Remedy::Reboot => rule.database.is_none(),
        Remedy::Wake => rule.service.is_none() && rule.database.is_none(),
        Remedy::ScaleOut | Remedy::Restart | Remedy::Rollback => rule.service.is_none(),
    }
}

/// What the tag says that `remedy` is for, or else what the alarm points to.
fn evidence(
    alarm: &Alarm,
    contributor: Option<&Contributor>,
    rule: &RemedyRule,
    remedy: Remedy,
    world: &World,
) -> Evidence {
    let (for_services, for_databases) = (remedy != Remedy::Reboot, matches!(remedy, Remedy::Reboot | Remedy::Wake));
    let mut evidence = match needs_evidence(rule, remedy) {
        true => Evidence::of(alarm, contributor, world),
        false => Evidence {
            services: rule.service.iter().cloned().collect(),
            databases: rule.database.iter().cloned().collect(),
            ..Evidence::default()
        },
    };
    if !for_services {
        evidence.services.clear();
        evidence.target_groups.clear();
    }
    if !for_databases {
        evidence.databases.clear();
    }
    evidence
}

/// What has to be read to find the target of `remedy`.
pub fn wanted(
    alarm: &Alarm,
    contributor: Option<&Contributor>,
    rule: &RemedyRule,
    remedy: Remedy,
    world: &World,
) -> BTreeSet<Wanted> {
    let evidence = evidence(alarm, contributor, rule, remedy, world);
    let mut wanted = evidence.wanted;
    wanted.extend(evidence.services.into_iter().map(Wanted::Service));
    wanted.extend((!evidence.target_groups.is_empty()).then_some(Wanted::ServicesThatOptedIn));
    wanted.extend(evidence.databases.into_iter().map(Wanted::Database));
    wanted
}

/// The one target of `remedy`, or what is wrong.
pub fn find<'a>(
    alarm: &Alarm,
    contributor: Option<&Contributor>,
    rule: &RemedyRule,
    remedy: Remedy,
    world: &'a World,
) -> Result<Target<'a>, Trouble> {
    let wanted = wanted(alarm, contributor, rule, remedy, world);
    let evidence = evidence(alarm, contributor, rule, remedy, world);
    let unreadable = wanted.iter().find_map(|it| world.unreadable.get(it));
    if let Some(why) = unreadable.or(evidence.unread.as_ref()) {
        return Err(Trouble::unreadable("unreadable", "what it watches", why));
    }
    // What is only half understood may be about something else altogether.
    if let Some(doubt) = evidence.doubts.first().filter(|_| !evidence.is_empty()) {
        let message = format!("{doubt}, so it is not sure what it is about: {}", say_which(remedy, None));
        return Err(Trouble::new("ambiguous-target", message));
    }
    let mut all = services(&evidence, world)?;
    all.extend(databases(&evidence, world)?);
    match all[..] {
        [one] => Ok(one),
        [] => Err(Trouble::new("no-target", nothing(&evidence, remedy))),
        _ => Err(Trouble::new("ambiguous-target", several(&all, remedy))),
    }
}

fn services<'a>(evidence: &Evidence, world: &'a World) -> Result<Vec<Target<'a>>, Trouble> {
    let mut found = Vec::new();
    for name in &evidence.services {
        let service = world.services.iter().find(|it| it.name == *name && it.status != "INACTIVE");
        let missing = || Trouble::new("no-such-target", format!("there is no ECS service {name}"));
        found.push(service.ok_or_else(missing)?);
    }
    let behind = |service: &Service| {
        let is_one =
            |arn: &String, group: &String| arn.strip_suffix(group.as_str()).is_some_and(|it| it.ends_with(':'));
        service.target_groups.iter().any(|arn| evidence.target_groups.iter().any(|group| is_one(arn, group)))
    };
    let opted_in = |it: &Service| OPT_IN.iter().any(|key| it.tags.contains_key(*key));
    let candidates = world.services.iter().filter(|it| it.status != "INACTIVE" && opted_in(it));
    found.extend(candidates.filter(|it| behind(it)));
    found.sort_by(|a, b| a.arn.cmp(&b.arn));
    found.dedup_by(|a, b| a.arn == b.arn);
    Ok(found.into_iter().map(Target::Service).collect())
}

fn databases<'a>(evidence: &Evidence, world: &'a World) -> Result<Vec<Target<'a>>, Trouble> {
    let find = |id: &String| {
        // RDS stores identifiers in lower case, whatever a person wrote.
        let found = world.databases.iter().find(|it| it.id.eq_ignore_ascii_case(id));
        let missing = || Trouble::new("no-such-target", format!("there is no DB instance or DB cluster {id}"));
        found.map(Target::Database).ok_or_else(missing)
    };
    evidence.databases.iter().map(find).collect()
}

fn nothing(evidence: &Evidence, remedy: Remedy) -> String {
    let what = match (evidence.doubts.first(), &evidence.load_balancer, evidence.target_groups.first()) {
        (Some(doubt), ..) => doubt.clone(),
        (_, _, Some(group)) => format!("no service with the tag {} or {} is behind {group}", OPT_IN[0], OPT_IN[1]),
        (_, Some(name), _) => format!("it watches the load balancer {name} as a whole, and no target group"),
        _ => format!("what it watches names nothing that {remedy} could be for"),
    };
    format!("{what}: {}", say_which(remedy, None))
}

fn several(all: &[Target<'_>], remedy: Remedy) -> String {
    let names: Vec<String> = all.iter().map(Target::name).collect();
    format!("{remedy} could be for {}: {}", names.join(", "), say_which(remedy, all.first()))
}

fn say_which(remedy: Remedy, first: Option<&Target<'_>>) -> String {
    let option = match (remedy, first) {
        (Remedy::Reboot, _) | (_, Some(Target::Database(_))) => "db=DBID",
        (Remedy::Wake, None) => "service=CLUSTER/SERVICE or db=DBID",
        _ => "service=CLUSTER/SERVICE",
    };
    format!("say in the tag {} which one is meant, by {option}", keys::REMEDY)
}
