//! Instances with the same tag: one after the other, and an image that failed on one of them goes out to no other.

use std::collections::BTreeMap;

use jiff::Zoned;
use reconcile::{Plan, Trouble};
use rules::compose::{ComposeRule, Intent};
use rules::memory::{Approved, Verdict};
use rules::rejections::Rejections;
use rules::{BadTag, Digest, ShortDigest, keys};

use super::case::Case;
use super::command::{Command, Scope};
use super::decision::Decision;
use super::draft::Draft;
use super::group::{Shared, groups_of};
use super::step::Step;
use super::world::{Instance, World};

/// An instance and its tag, read.
type Member<'a> = (&'a Instance, Result<ComposeRule, BadTag>);

/// Instances that have the same tag, in the order of their ids.
pub struct Fleet<'a> {
    pub members: Vec<Member<'a>>,
    world: &'a World,
}

/// The fleets that a run looks at. A tag that cannot be read makes no fleet: each instance is told for itself.
pub fn fleets<'a>(world: &'a World, scope: &Scope) -> Vec<Fleet<'a>> {
    let mut fleets: BTreeMap<String, Vec<Member<'_>>> = BTreeMap::new();
    for instance in &world.instances {
        let Some(value) = instance.tags.get(keys::DEPLOY) else { continue };
        let rule = value.parse::<ComposeRule>();
        let name = rule.as_ref().map_or_else(|_| format!("{value} {}", instance.id), ToString::to_string);
        fleets.entry(name).or_default().push((instance, rule));
    }
    let concerned =
        |members: &Vec<Member<'_>>| members.iter().any(|(instance, rule)| scope.concerns(instance, rule.as_ref().ok()));
    fleets.into_values().filter(concerned).map(|members| Fleet { members, world }).collect()
}

/// A command means one fleet; else why it is refused.
pub fn is_one(name: &str, fleets: &[Fleet<'_>]) -> Result<(), String> {
    match fleets {
        [_] => Ok(()),
        [] => {
            Err(format!("no instance '{name}' carries the tag {}; accepted: the id or the Name of one", keys::DEPLOY))
        }
        _ => Err(format!("several instances are called '{name}', with different tags; name one by its id")),
    }
}

/// What the others of a fleet mean for one of its members.
pub struct Others {
    pub rejected: Vec<Rejections>,
    /// What a person let out on each.
    pub approved: Vec<Approved>,
    /// The image of each that is well, since when that is known, and what can be gone back to from it.
    pub well: Vec<(Verdict, Option<ShortDigest>)>,
    /// Who has to be done first.
    pub first: Option<String>,
    /// One that a deployment left broken: no other may be down as well.
    pub broken: Option<String>,
}

impl Others {
    pub fn is_well(&self, digest: &Digest) -> bool {
        self.well.iter().any(|(it, _)| it.digest == *digest)
    }

    pub fn let_out(&self, digest: &Digest) -> bool {
        self.approved.iter().any(|it| it.digest == *digest)
    }

    /// What a person chose last. A command is about the whole fleet, but an instance that came later knows nothing of it.
    pub fn chosen<'b>(&'b self, own: Option<&'b Approved>) -> Option<&'b Approved> {
        own.into_iter().chain(&self.approved).reduce(|last, it| if it.at > last.at { it } else { last })
    }

    /// Whom this instance has to wait for. Of two that are broken each may be repaired.
    pub fn before(&self, draft: &Draft<'_>) -> Option<&String> {
        self.first.as_ref().or(self.broken.as_ref().filter(|_| !draft.is_broken()))
    }
}

/// Decides about a fleet.
pub fn decide(fleet: &Fleet<'_>, scope: &Scope, command: Option<&Command>, now: &Zoned, decision: &mut Decision) {
    let mut cases = Vec::new();
    for (instance, rule) in &fleet.members {
        let read = rule.clone().map_err(|it| Trouble::new("bad-tag", it.to_string()));
        match read.and_then(|rule| Case::read(instance, rule, fleet.world)) {
            Ok(case) => {
                decision.plan.named(&instance.arn, case.name());
                cases.push(case);
            }
            Err(trouble) => {
                decision.plan.named(&instance.arn, instance.name());
                decision.plan.examined(&instance.arn, &instance.tags);
                decision.plan.trouble(&instance.arn, trouble);
            }
        }
    }
    let plan = &mut decision.plan;
    let mut drafts: Vec<Draft<'_>> = cases.iter().map(Draft::of).collect();
    if command == Some(&Command::Status) {
        drafts.iter().for_each(|it| it.status(plan, now));
        return;
    }
    for draft in &mut drafts {
        draft.settle(plan, now);
    }
    let mut groups = groups_of(&drafts);
    groups.iter_mut().for_each(|it| it.settle(&mut drafts, now));
    if let (Some(command), Scope::Instance(name)) = (command, scope)
        && let Err(why) = apply(command, name, &mut drafts, &groups, decision, now)
    {
        decision.plan.refuse(why);
        return;
    }
    if let Some(Command::Clear { .. }) = command {
        groups.iter_mut().for_each(|it| it.clear(&drafts));
    }
    let mut sent = None;
    for index in 0..drafts.len() {
        let others = others(index, &drafts, &groups, sent.clone());
        if drafts[index].next(&others, decision, now) {
            sent = Some(drafts[index].case.instance.name().to_owned());
            expect(&drafts[index], &others, &mut groups, &mut decision.plan);
        }
    }
    groups.into_iter().for_each(|it| it.record(&drafts, &mut decision.plan));
}

/// An image that runs well on no other goes out: its group knows of it before.
fn expect(draft: &Draft<'_>, others: &Others, groups: &mut [Shared<'_>], plan: &mut Plan<Step>) {
    let Some(group) = groups.iter_mut().find(|it| it.has(draft)) else { return };
    for planned in plan.steps.iter_mut().filter(|it| it.resource == draft.case.instance.arn) {
        if let Step::Send(send) = &mut planned.step
            && let Intent::Deploy(digest) = &send.order.intent
            && !others.is_well(digest)
        {
            group.expect(&send.order, &send.id);
            send.needs = Some(group.group.arn.clone());
        }
    }
}

/// A command is about the image on the whole fleet.
fn apply(
    command: &Command,
    name: &str,
    drafts: &mut [Draft<'_>],
    groups: &[Shared<'_>],
    decision: &mut Decision,
    now: &Zoned,
) -> Result<(), String> {
    let named = drafts.iter().position(|it| it.case.instance.is_called(name));
    let named = named.ok_or_else(|| format!("the tags of '{name}' cannot be read: correct them first"))?;
    // A rollback of one is one from the image that it runs, wherever else that runs.
    let command = match command {
        Command::RollBack { image } => {
            match drafts[named].leaves(image.as_deref(), &others(named, drafts, groups, None))? {
                Some(image) => &Command::Reject { image },
                None => {
                    drafts[named].skip(&mut decision.plan, "another image runs, so nothing is rolled back");
                    return Ok(());
                }
            }
        }
        other => other,
    };
    for draft in drafts {
        draft.apply_command(command, &mut decision.plan, now)?;
    }
    Ok(())
}

fn others(index: usize, drafts: &[Draft<'_>], groups: &[Shared<'_>], sent: Option<String>) -> Others {
    let mut others = Others { rejected: Vec::new(), approved: Vec::new(), well: Vec::new(), first: sent, broken: None };
    for group in groups {
        others.rejected.extend(group.memory.rejected.clone());
        others.approved.extend(group.memory.approved.clone());
        others.well.extend(group.memory.well());
    }
    for (at, draft) in drafts.iter().enumerate() {
        if at == index {
            continue;
        }
        others.rejected.extend(draft.memory.rejected.clone());
        others.approved.extend(draft.memory.approved.clone());
        others.well.extend(draft.memory.well());
        let name = || Some(draft.case.instance.name().to_owned());
        others.first = others.first.take().or_else(|| name().filter(|_| draft.is_deploying()));
        others.broken = others.broken.take().or_else(|| name().filter(|_| draft.is_broken()));
    }
    others
}
