//! Whether a drill of a database begins, and from which snapshot.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Zoned};
use reconcile::{Plan, Trouble, when};
use rules::database::{Database, Kind, Snapshot, made_by, region_of};
use rules::drill::{Drill, DrillRule, Drilled, MAKER, Origin, Source, drill_id};
use rules::keys;

use super::case::{Case, Original, hours, is_called_like_a_drill};
use super::step::{Backup, Restore, Step};
use super::world::{Settings, World};

/// A drill that is not over after this time, and that of `keep=`, is deleted, and told as failed.
pub const LASTS: SignedDuration = SignedDuration::from_hours(6);

/// RDS takes no more tags.
const MOST_TAGS: usize = 50;

/// Whether a drill of a database begins now.
pub enum Turn {
    /// Not now, for this reason.
    Not(String),
    /// Now, for this reason.
    Now(String),
}

/// Whether it is the turn of `original`, which is not being drilled.
pub fn turn(original: &Original<'_>, rule: &DrillRule, world: &World, now: &Zoned) -> Turn {
    let (due, calendar) = (world.calendar.due(rule.every, now), &world.calendar);
    let last = original.drilled.as_ref();
    let ended = |it: &Drilled| format!("its last drill {} on {}", it.outcome, when(it.at, now));
    if last.is_some_and(|it| it.begun >= due) {
        let next = calendar.next_due(rule.every, now);
        let last = last.map(ended).unwrap_or_default();
        return Turn::Not(format!("{last}; the next one is due on {}", when(next, now)));
    }
    let last = last.map(ended).unwrap_or_else(|| "it was never drilled".into());
    if now.timestamp() < due {
        return Turn::Not(format!("{last}; the next one is due on {}", when(due, now)));
    }
    if !calendar.is_open(now) {
        return Turn::Not(format!(
            "{last}; one is due since {}, and begins on a weekday within six hours after {}",
            when(due, now),
            calendar.at.strftime("%H:%M")
        ));
    }
    Turn::Now(format!("{last}, and one is due since {}", when(due, now)))
}

/// Begins a drill of `original`, or says why none can begin.
pub fn begin(
    original: &Original<'_>,
    rule: &DrillRule,
    world: &World,
    now: &Zoned,
    why: &str,
    plan: &mut Plan<Step>,
) -> bool {
    match restore(original, rule, world, now) {
        Ok(restore) => plan.act(&original.database.arn, Step::Restore(restore), why),
        Err(trouble) => {
            plan.trouble(&original.database.arn, trouble);
            return false;
        }
    }
    true
}

fn restore(original: &Original<'_>, rule: &DrillRule, world: &World, now: &Zoned) -> Result<Restore, Trouble> {
    let database = original.database;
    unfit(database, rule, world)?;
    reachable(rule, world)?;
    let Newest { backup, taken, option_group } =
        newest(database, rule, world).ok_or_else(|| Trouble::new("no-backup", without_backup(rule)))?;
    if let Some(rpo) = rule.rpo
        && now.timestamp().duration_since(taken) > rpo
    {
        let message = format!(
            "the drill failed before it began: its newest good backup, {}, is of {}, and the data may be {} hours old: \
             in a disaster everything since then would be lost; {}",
            backup.name(),
            when(taken, now),
            hours(rpo),
            look_at(rule)
        );
        return Err(Trouble::new("older-than-rpo", message));
    }
    if let (Some(_), Some(Err(why))) = (&rule.check, world.checks.get(&database.arn)) {
        let place = rule.region.as_ref().map(|it| format!(" (in {it})")).unwrap_or_default();
        return Err(Trouble::new("check-cannot-run", format!("{why}{place}")));
    }
    let home = rule.region.as_ref().map(|_| world.home.clone());
    let id = drill_id(&database.id, now.date(), home.as_deref());
    let region = region_of_drill(rule, world);
    if let Some(taken) = world.databases.iter().find(|it| it.id == id && region_of(&it.arn) == Some(region)) {
        let message = format!("the name {id} is taken by another {}: rename or delete that one", taken.kind);
        return Err(Trouble::new("name-taken", message));
    }
    let class = match database.kind {
        Kind::Instance => rule.class.clone().or_else(|| world.details(database).and_then(|it| it.class.clone())),
        Kind::Cluster => class_of_instance(world, original, rule),
    };
    if class.is_none() {
        let message =
            "no class of an instance is known for its drill: add the option class=, such as class=db.t4g.medium";
        return Err(Trouble::new("no-class", message));
    }
    let begun = now.timestamp();
    let until = begun + lasts(rule);
    let drill = Drill { of: database.id.clone(), resource: database.resource_id.clone(), home, begun, until };
    let source = Source { snapshot: backup.id().to_owned(), taken };
    Ok(Restore {
        kind: database.kind,
        of: database.id.clone(),
        backup,
        region: rule.region.clone(),
        settings: settings(database, rule, option_group, world),
        class,
        tags: tags_of_drill(database, (region, &id), &drill, Some(&source)),
        id,
    })
}

/// The region that the drill of a database runs in.
pub fn region_of_drill<'a>(rule: &'a DrillRule, world: &'a World) -> &'a str {
    rule.region.as_ref().map_or(world.home.as_str(), |it| it.name())
}

/// Whether the stack may work in the region that the tag names, and can read it.
fn reachable(rule: &DrillRule, world: &World) -> Result<(), Trouble> {
    let Some(region) = &rule.region else { return Ok(()) };
    match world.elsewhere.get(region) {
        _ if region.name() == world.home => Err(Trouble::new(
            "no-drill-region",
            format!("region={region}: the database itself is there; remove the option"),
        )),
        None => {
            let message =
                format!("region={region}: the stack may not restore there; add {region} to its parameter CopyRegions");
            Err(Trouble::new("no-drill-region", message))
        }
        Some(Err(why)) => Err(Trouble::new(
            "unreadable-region",
            format!("region={region}: the databases there cannot be read: {why}"),
        )),
        Some(Ok(())) => Ok(()),
    }
}

/// In another region the groups of the same names count, as in a real disaster; ids of security groups are of one region
/// only, so that without the option RDS takes the default one of the network.
fn settings(database: &Database, rule: &DrillRule, option_group: Option<String>, world: &World) -> Settings {
    let mut settings = world.details(database).map(|it| it.settings.clone()).unwrap_or_default();
    if rule.region.is_some() {
        settings.security_groups.clear();
        // The default groups of a region are there once RDS has needed them, and RDS takes them by itself.
        settings.parameter_group = settings.parameter_group.filter(|it| !it.starts_with("default."));
        settings.option_group = option_group.filter(|it| !it.starts_with("default:"));
    }
    if rule.subnet_group.is_some() {
        settings.subnet_group.clone_from(&rule.subnet_group);
    }
    if !rule.security_groups.is_empty() {
        settings.security_groups.clone_from(&rule.security_groups);
    }
    settings
}

/// What cannot be drilled, whatever the snapshots are.
fn unfit(database: &Database, rule: &DrillRule, world: &World) -> Result<(), Trouble> {
    let details = world.details(database);
    if let Some(cluster) = &database.member_of {
        let message = format!(
            "it is a member of the DB cluster {cluster}, which is restored as a whole: move the tag {} to the cluster",
            keys::DRILL
        );
        return Err(Trouble::new("member-instance", message));
    }
    if is_called_like_a_drill(database) {
        let message = format!("it is called as the databases of drills are: remove the tag {} from it", keys::DRILL);
        return Err(Trouble::new("called-like-a-drill", message));
    }
    if ["neptune", "docdb"].contains(&database.engine.as_str()) {
        let message = format!("{} databases are not drilled by this function: remove the tag", database.engine);
        return Err(Trouble::new("other-engine", message));
    }
    if database.kind == Kind::Cluster && !database.engine.starts_with("aurora") {
        let message = "it is a Multi-AZ DB cluster, which this function does not restore: remove the tag, and restore it by \
                       hand as docs/runbooks/restore.md says";
        return Err(Trouble::new("multi-az-cluster", message));
    }
    if details.and_then(|it| it.engine_mode.as_deref()) == Some("serverless") {
        let message = "it is Aurora Serverless v1, which this function does not restore: remove the tag";
        return Err(Trouble::new("serverless-v1", message));
    }
    if details.is_some_and(|it| it.settings.subnet_group.is_none()) && rule.subnet_group.is_none() {
        let message = "RDS names no subnet group of it, and without one it would be restored to another network: add the \
                       option subnet-group=NAME";
        return Err(Trouble::new("no-subnet-group", message));
    }
    Ok(())
}

/// How long a drill may take, with the time for a look.
fn lasts(rule: &DrillRule) -> SignedDuration {
    LASTS + rule.keep.unwrap_or(SignedDuration::ZERO)
}

/// The newest good backup of a database.
struct Newest {
    backup: Backup,
    /// Of when its data is.
    taken: jiff::Timestamp,
    option_group: Option<String>,
}

/// The newest good backup of the database in the region of its drill.
fn newest(database: &Database, rule: &DrillRule, world: &World) -> Option<Newest> {
    if rule.from == Origin::Latest {
        let taken = world.details(database)?.latest?;
        return Some(Newest { backup: Backup::PointInTime, taken, option_group: None });
    }
    let region = region_of_drill(rule, world);
    let wanted = |it: &Snapshot| match rule.from {
        Origin::Nightshift if rule.region.is_none() => it.is_ours() && !it.is_copy(),
        Origin::Nightshift => it.is_ours() && it.original().and_then(|it| it.region()) == Some(world.home.as_str()),
        Origin::Automated => it.id.starts_with(OF_RDS),
        Origin::Latest => false,
    };
    let there = world.snapshots.iter().flatten().filter(|it| region_of(&it.arn) == Some(region));
    let good = there.filter(|it| wanted(it) && it.is_good() && database.owns(it));
    let taken = good.filter_map(|it| Some((it, it.taken_at()?)));
    let (newest, taken) = taken.max_by_key(|(it, taken)| (*taken, it.id.clone()))?;
    let option_group = newest.option_group.clone();
    Some(Newest { backup: Backup::Snapshot(newest.id.clone()), taken, option_group })
}

/// What the ids of automated snapshots begin with. No other snapshot can have a colon in its id.
const OF_RDS: &str = "rds:";

fn without_backup(rule: &DrillRule) -> String {
    if let Some(region) = &rule.region {
        return format!(
            "Nightshift has no good copy of it in {region}, so there is nothing to restore there: give its tag {} the option \
             copy={region}, or look at the log of snapshot-databases",
            keys::BACKUP
        );
    }
    let missing = match rule.from {
        Origin::Nightshift => {
            return format!(
                "Nightshift has no good snapshot of it in this region, so there is nothing to restore: tag it {}, or look \
                 at the log of snapshot-databases",
                keys::BACKUP
            );
        }
        Origin::Automated => "RDS has no good automated snapshot of it",
        Origin::Latest => "RDS cannot restore it to a point in time",
    };
    format!("{missing}, so there is nothing to restore: {}, or remove the option from=", look_at(rule))
}

fn look_at(rule: &DrillRule) -> &'static str {
    match rule.from {
        Origin::Nightshift => "look at the log of snapshot-databases",
        Origin::Automated | Origin::Latest => "look at its backup retention period in RDS",
    }
}

/// The class of the one instance of a restored cluster: that of the original's writer, unless the tag names one.
pub fn class_of_instance(world: &World, original: &Original<'_>, rule: &DrillRule) -> Option<String> {
    let members = world.databases.iter().filter(|it| it.is_member_of(original.database));
    let classes = members.filter_map(|it| Some((it.id.as_str(), world.details(it)?.class.clone()?)));
    let mut classes: Vec<(&str, String)> = classes.collect();
    let writer = world.details(original.database).and_then(|it| it.writer.as_deref());
    classes.sort_by_key(|(id, _)| (Some(*id) != writer, id.to_string()));
    rule.class.clone().or_else(|| classes.into_iter().next().map(|(_, class)| class))
}

/// The tags of a drill database of this region and id: what it is, and those by which people sort their costs.
pub fn tags_of_drill(
    original: &Database,
    (region, id): (&str, &str),
    drill: &Drill,
    source: Option<&Source>,
) -> Vec<(String, String)> {
    let mut tags = vec![
        (keys::MADE_BY.to_owned(), made_by(MAKER, id, region)),
        (keys::DRILL_MEMORY.to_owned(), drill.to_string()),
    ];
    tags.extend(source.map(|it| (keys::DRILL_FROM.to_owned(), it.to_string())));
    // With a tag of Nightshift it would be backed up, put to sleep and drilled itself.
    let not_wanted = ["aws:", "rds:", keys::PEOPLE, keys::MEMORY];
    let people: BTreeMap<&String, &String> = original
        .tags
        .iter()
        .filter(|(key, _)| !not_wanted.iter().any(|it| key.to_ascii_lowercase().starts_with(it)))
        .collect();
    tags.extend(people.into_iter().map(|(key, value)| (key.clone(), value.clone())));
    // One is left for how far the drill has come.
    tags.truncate(MOST_TAGS - 1);
    tags
}

/// How long the next drill will exist, for a dry run. AWS bills ten minutes at least.
pub fn cost(original: &Original<'_>, rule: &DrillRule, world: &World, now: &Zoned) -> Option<String> {
    world.snapshots.as_ref()?;
    let Some(Newest { backup, taken, .. }) = newest(original.database, rule, world) else {
        return Some("there is no good backup to restore now".into());
    };
    let place = rule.region.as_ref().map(|it| format!(" to {it}")).unwrap_or_default();
    let class = match original.database.kind {
        Kind::Instance => rule.class.clone().or_else(|| world.details(original.database)?.class.clone()),
        Kind::Cluster => class_of_instance(world, original, rule),
    };
    let age = hours(now.timestamp().duration_since(taken));
    Some(format!(
        "now it would restore {}{place}, {age} h old; that costs up to {} hours of one {}, and its storage for that time",
        backup.name(),
        (lasts(rule).as_mins() + 59) / 60,
        class.unwrap_or_else(|| "instance".into())
    ))
}

/// Whether the last good drill of a database is older than two of its periods, or there is none though some were tried.
pub fn is_overdue(original: &Original<'_>, rule: &DrillRule, troubled: bool, now: &Zoned) -> bool {
    let good = original.drilled.as_ref().map(|it| it.good);
    match good {
        Some(Some(good)) => now.timestamp().duration_since(good) > rule.every.longest() * 2,
        Some(None) => true,
        None => troubled,
    }
}

/// The drill that runs for this original, if one does.
pub fn running<'a, 'b>(drills: &'a [Case<'b>], original: &Original<'_>) -> Option<&'a Case<'b>> {
    drills.iter().find(|it| it.is_of(original))
}
