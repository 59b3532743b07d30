//! One thing that can be in ALARM, with its tag and its memory read: an alarm, or one of several that an alarm watches.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, Zoned};
use reconcile::Trouble;
use rules::facts::{self, Fact};
use rules::keys;
use rules::remedied::Remedied;
use rules::remedy::RemedyRule;

use super::evidence::Evidence;
use super::scope::{Command, Options};
use super::target;
use super::world::{Alarm, Contributor, State, Wanted, Watches, World};

/// AWS keeps no more tags on a resource, so that what has as many cannot remember anything new.
pub const MOST_TAGS: usize = 50;

/// What an alarm comes to before any remedy is thought of.
pub enum Reading<'a> {
    /// It did not opt in.
    NotOptedIn,
    /// Nothing can be decided.
    Trouble(Trouble),
    /// What is in ALARM of it has to be read first.
    Lacks(Wanted),
    Cases(Vec<AlarmCase<'a>>),
}

/// What a remedy may answer.
pub struct AlarmCase<'a> {
    pub alarm: &'a Alarm,
    /// Which of the things that the alarm watches this is about, where each is answered by itself.
    pub contributor: Option<&'a Contributor>,
    /// What people call it.
    pub label: String,
    /// The tag that remembers.
    pub key: String,
    pub state: State,
    /// Since when it is in that state.
    pub since: Option<Timestamp>,
    /// What CloudWatch says of that.
    pub reason: &'a str,
    pub rule: RemedyRule,
    pub memory: Option<Remedied>,
    pub world: &'a World,
    pub options: Options<'a>,
    pub now: &'a Zoned,
}

/// Reads the tags of `alarm`.
pub fn read<'a>(alarm: &'a Alarm, world: &'a World, options: Options<'a>, now: &'a Zoned) -> Reading<'a> {
    if let Some(why) = &alarm.unreadable {
        return Reading::Trouble(Trouble::unreadable("unreadable", "the alarm", why));
    }
    let Some(tag) = alarm.tags.get(keys::REMEDY) else { return Reading::NotOptedIn };
    let rule: RemedyRule = match tag.parse() {
        Ok(rule) => rule,
        Err(bad) => return Reading::Trouble(Trouble::new("bad-tag", rules::BadTag::to_string(&bad))),
    };
    // A person who wants all forgotten needs none of it to be readable.
    if options.command == Some(Command::Clear) {
        return Reading::Cases(vec![case(alarm, None, rule, None, world, options, now)]);
    }
    // Without its memory there is no telling what was done before, so nothing is done.
    let mut memories = match memories(alarm) {
        Ok(memories) => memories,
        Err(trouble) => return Reading::Trouble(trouble),
    };
    let own = memories.remove(keys::REMEDIED);
    if !is_answered_one_by_one(alarm, &rule) {
        return Reading::Cases(vec![case(alarm, None, rule, own, world, options, now)]);
    }
    let wanted = Wanted::Contributors(alarm.name.clone());
    if let Some(why) = world.unreadable.get(&wanted) {
        return Reading::Trouble(Trouble::unreadable("unreadable", "which of its series fire", why));
    }
    let contributors = match (alarm.state, world.contributors.get(&alarm.name)) {
        (State::Alarm, None) => return Reading::Lacks(wanted),
        (State::Alarm, Some(all)) => &all[..],
        // It is in ALARM as long as any of them is.
        _ => &[],
    };
    let mut cases = Vec::new();
    for contributor in contributors {
        let memory = memories.remove(&keys::remedied_of(&contributor.id));
        cases.push(case(alarm, Some(contributor), rule.clone(), memory, world, options, now));
    }
    // What is left was answered before, and is not in ALARM any more.
    for (key, memory) in memories {
        let mut over = case(alarm, None, rule.clone(), Some(memory), world, options, now);
        over.label = format!("{} (series {})", alarm.name, key.strip_prefix(keys::REMEDIED_OF).unwrap_or(&key));
        (over.key, over.state, over.since) = (key, State::Ok, None);
        cases.push(over);
    }
    if cases.is_empty() {
        let mut whole = case(alarm, None, rule, own, world, options, now);
        // CloudWatch names none of those that it is in ALARM for: they have recovered this moment.
        whole.state = if alarm.state == State::Alarm { State::Unknown } else { alarm.state };
        cases.push(whole);
    }
    Reading::Cases(cases)
}

/// Whether each of the things that the alarm watches gets an answer of its own: then each names its own target.
fn is_answered_one_by_one(alarm: &Alarm, rule: &RemedyRule) -> bool {
    alarm.watches == Watches::Contributors && rule.ladder.iter().any(|it| target::needs_evidence(rule, *it))
}

fn case<'a>(
    alarm: &'a Alarm,
    contributor: Option<&'a Contributor>,
    rule: RemedyRule,
    memory: Option<Remedied>,
    world: &'a World,
    options: Options<'a>,
    now: &'a Zoned,
) -> AlarmCase<'a> {
    AlarmCase {
        alarm,
        contributor,
        label: contributor.map_or_else(|| alarm.name.clone(), |it| format!("{} ({})", alarm.name, it.label())),
        key: contributor.map_or_else(|| keys::REMEDIED.into(), |it| keys::remedied_of(&it.id)),
        state: contributor.map_or(alarm.state, |_| State::Alarm),
        // CloudWatch need not say since when one of several is in ALARM; since then at the latest it is.
        since: contributor.and_then(|it| it.since).or(alarm.since),
        reason: contributor.map_or(&alarm.reason, |it| &it.reason),
        rule,
        memory,
        world,
        options,
        now,
    }
}

/// The one of them, if there is just one.
fn only<T: Ord>(mut all: BTreeSet<T>) -> Option<T> {
    all.pop_first().filter(|_| all.is_empty())
}

/// What the alarm remembers, by tag.
pub fn memories(alarm: &Alarm) -> Result<BTreeMap<String, Remedied>, Trouble> {
    let mut memories = BTreeMap::new();
    for (key, value) in &alarm.tags {
        if key != keys::REMEDIED && !key.starts_with(keys::REMEDIED_OF) {
            continue;
        }
        let memory = value.parse().map_err(|it: rules::BadTag| {
            Trouble::new("bad-memory", format!("{it}; remove the tag {key}, and what was done before is forgotten"))
        })?;
        memories.insert(key.clone(), memory);
    }
    Ok(memories)
}

impl Contributor {
    /// Its attributes in one line: `ClusterName=shop ServiceName=api`.
    pub fn label(&self) -> String {
        let attributes: Vec<String> = self.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if attributes.is_empty() { self.id.clone() } else { attributes.join(" ") }
    }
}

impl AlarmCase<'_> {
    /// What was done about it so far, for the board.
    pub fn fact(&self) -> Fact {
        let last = self.memory.as_ref().and_then(|it| it.last.as_ref());
        Fact::Alarm(facts::Alarm {
            name: self.label.clone(),
            firing: self.state == State::Alarm,
            since: self.since,
            ladder: self.rule.ladder.iter().map(|it| it.name().to_owned()).collect(),
            rung: last.map(|it| it.rung),
            remedied: last.map(|it| it.at),
            left: self.memory.as_ref().is_some_and(|it| it.left),
        })
    }

    /// When it went into ALARM, if it is in ALARM.
    pub fn fired(&self) -> Option<Timestamp> {
        self.since.filter(|_| self.state == State::Alarm)
    }

    /// The service or database that it is about, as far as its tag or its own dimensions say: people read the messages of
    /// both as one story.
    pub fn story(&self) -> Option<String> {
        let evidence = Evidence::of(self.alarm, self.contributor, self.world);
        let service = self.rule.service.clone().or_else(|| only(evidence.services));
        let database = self.rule.database.clone().or_else(|| only(evidence.databases));
        let here = |service: &str| self.alarm.origin().replacen(":cloudwatch:", &format!(":{service}:"), 1);
        match (service, database) {
            (Some(service), None) => Some(format!("{}:service/{service}", here("ecs"))),
            (None, Some(database)) => Some(format!("{}:db:{database}", here("rds"))),
            _ => None,
        }
    }

    /// Whether there is room for a tag that remembers.
    pub fn can_remember(&self) -> bool {
        self.alarm.tags.contains_key(&self.key) || self.alarm.tags.len() < MOST_TAGS
    }

    /// The message with what the alarm itself says: whoever made it knows best where to look.
    pub fn with_advice(&self, message: String) -> String {
        match self.alarm.advice() {
            Some(advice) => format!("{message}. {advice}"),
            None => message,
        }
    }
}
