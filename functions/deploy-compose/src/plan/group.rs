//! What an Auto Scaling group remembers for its instances, since these are replaced, and their tags go with them.
//!
//! A load balancer that finds a new image unhealthy has its instance terminated, often before the script has gone back. The
//! next instance would get the same image, and so on through the whole group, if nothing but the instance knew of it.

use jiff::{SignedDuration, Zoned};
use reconcile::Plan;
use rules::compose::{Intent, Ordered};
use rules::memory::{Approved, Verdict};
use rules::rejections::{Rejection, Rejections};
use rules::{Digest, ShortDigest, keys};

use super::case::Memory;
use super::draft::Draft;
use super::settle::SENT_WITHIN;
use super::step::{GroupRecord, Step};
use super::world::Group;

/// By whom an image is rejected whose instance was terminated meanwhile.
const GONE: &str = "gone";

/// After this time the script deploys nothing any more.
const OVER_AFTER: SignedDuration = SignedDuration::from_hours(3);

/// The memory of a group while it is decided about its instances.
pub struct Shared<'a> {
    pub group: &'a Group,
    pub memory: Memory,
    before: Memory,
    /// The image that was being deployed to an instance that is gone.
    gone: Option<(Digest, String)>,
}

/// The groups of these instances.
pub fn groups_of<'a>(drafts: &[Draft<'a>]) -> Vec<Shared<'a>> {
    let mut shared: Vec<Shared<'a>> = Vec::new();
    for (group, memory) in drafts.iter().filter_map(|it| it.case.group.as_ref()) {
        if !shared.iter().any(|it| it.group.arn == group.arn) {
            shared.push(Shared { group, memory: memory.clone(), before: memory.clone(), gone: None });
        }
    }
    shared
}

impl<'a> Shared<'a> {
    pub fn has(&self, draft: &Draft<'_>) -> bool {
        draft.case.group.as_ref().is_some_and(|(group, _)| group.arn == self.group.arn)
    }

    /// Whether the deployment that the group remembers has ended, or its instance is gone.
    pub fn settle(&mut self, drafts: &mut [Draft<'a>], now: &Zoned) {
        let Some(order) = self.memory.order.clone() else { return };
        let (Intent::Deploy(digest), Some(on)) = (&order.intent, &order.on) else {
            self.memory.order = None;
            return;
        };
        let age = now.timestamp().duration_since(order.at);
        let well = drafts.iter().any(|it| it.is_well(digest));
        let member = drafts.iter().find(|it| it.case.instance.id == *on);
        let Some(case) = drafts.iter().find(|it| self.has(it)).map(|it| it.case) else { return };
        let listed = case.world.instances.iter().any(|it| it.id == *on);
        match member {
            // It is written here first, and on the instance right before it is sent.
            Some(draft) => {
                let is_under_way = draft.memory.order.as_ref().is_some_and(|it| it.key == order.key);
                let has_ended = draft.memory.rejects(digest) || well || draft.memory.order.is_some();
                if !is_under_way && (has_ended || age >= SENT_WITHIN) {
                    self.memory.order = None;
                }
            }
            // A person took its tag away.
            None if listed || !self.group.lets_go(on) => {
                if age >= OVER_AFTER {
                    self.memory.order = None;
                }
            }
            None => {
                self.memory.order = None;
                // What nobody looked at for so long, such as a night, was put down with its group.
                if age < OVER_AFTER && !well && !case.memory.rejects(digest) {
                    let (label, pushed_at) = (case.label(digest), case.pushed_at(digest));
                    let rejection = Rejection {
                        digest: digest.clone(),
                        pushed_at: pushed_at.unwrap_or(now.timestamp()),
                        tag: (label != digest.short()).then_some(label),
                        by: GONE.into(),
                    };
                    let rejected = self.memory.rejected.get_or_insert_default();
                    rejected.add(rejection, |short| case.image(short).is_some());
                    self.gone = Some((digest.clone(), on.clone()));
                    let rejected = rejected.clone();
                    // Those who decide next know of it.
                    for draft in drafts.iter_mut().filter(|it| self.has(it)) {
                        let case = draft.case;
                        let own = draft.memory.rejected.get_or_insert_default();
                        own.include(&rejected, |short| case.image(short).is_some());
                    }
                }
            }
        }
    }

    /// After a person cleared an image. All members know what the group rejects, so what none of them rejects is that one.
    pub fn clear(&mut self, drafts: &[Draft<'a>]) {
        let Some(mut rejected) = self.memory.rejected.take() else { return };
        let members: Vec<_> = drafts.iter().filter(|it| self.has(it)).collect();
        let is_kept = |it: &ShortDigest| members.iter().any(|draft| rejects(draft, it));
        let (kept, cleared): (Vec<_>, Vec<_>) = rejected.images.drain(..).partition(is_kept);
        rejected.images = kept;
        // Clearing an image does not approve it.
        self.memory.approved =
            self.memory.approved.take().filter(|it| !cleared.iter().any(|short| short.is(&it.digest)));
        self.memory.rejected = Some(rejected).filter(|it| !it.images.is_empty());
    }

    /// A deployment that is sent now: should its instance be gone before it has ended, the image is rejected.
    pub fn expect(&mut self, order: &Ordered, id: &str) {
        self.memory.order = Some(Ordered { on: Some(id.into()), again: false, ..order.clone() });
    }

    /// Takes over what the instances found and people said, and writes what differs.
    pub fn record(mut self, drafts: &[Draft<'a>], plan: &mut Plan<Step>) {
        let members: Vec<&Draft<'a>> = drafts.iter().filter(|it| self.has(it)).collect();
        let Some(first) = members.first() else { return };
        let case = first.case;
        plan.examined(&self.group.arn, &self.group.tags);
        let is_there = |short: &ShortDigest| case.image(short).is_some();
        let mut rejected = self.memory.rejected.take().unwrap_or_default();
        members.iter().filter_map(|it| it.memory.rejected.as_ref()).for_each(|it| rejected.include(it, is_there));
        rejected.untold &= self.gone.is_some() || self.is_untold();
        let approved = members.iter().filter_map(|it| it.memory.approved.clone());
        self.memory.approved = approved.chain(self.memory.approved.take()).max_by_key(|it: &Approved| it.at);
        // The first that ran an image well says what ran before: on a later one that is what its machine image held.
        let later = |it: &Verdict| {
            self.memory.verdict.as_ref().is_none_or(|known| known.digest != it.digest && known.at < it.at)
        };
        let well = members.iter().filter(|it| it.memory.well().is_some_and(|(it, _)| later(&it)));
        if let Some(first) = well.max_by_key(|it| it.memory.verdict.as_ref().map(|it| it.at)) {
            (self.memory.verdict, self.memory.runs) = (first.memory.verdict.clone(), first.memory.runs.clone());
        }
        self.memory.rejected = Some(rejected).filter(|it| !it.images.is_empty());

        let (before, after) = (values(&self.before), values(&self.memory));
        let untold = self.gone.is_some() || self.is_untold();
        // A value that an earlier version wrote in another way means the same.
        let differs = |(key, value): &(&'static str, Option<String>)| {
            before.iter().any(|it| it.0 == *key && it.1 != *value) || untold && *key == keys::REJECTED
        };
        let tags: Vec<_> = after.into_iter().filter(differs).collect();
        if tags.is_empty() {
            return;
        }
        let last = self.memory.rejected.as_ref().and_then(Rejections::last);
        let last = last.map(|it| case.image(it).map_or_else(|| it.padded(), |it| it.digest.clone())).filter(|_| untold);
        let record = GroupRecord {
            group: self.group.name.clone(),
            name: case.name_in(self.group),
            instance: case.instance.id.clone(),
            rejects: last.map(|it| (case.label(&it), it)),
            before: tags.iter().map(|(key, _)| (*key, self.group.tags.get(*key).cloned())).collect(),
            tags,
        };
        let why = match &self.gone {
            Some((digest, id)) => format!(
                "{id} was terminated while {} was deployed to it, so nobody knows whether the image was at fault",
                case.label(digest)
            ),
            None if untold => {
                "an instance was terminated while it was deployed; the run that wrote this down may not have \
                               told it"
                    .into()
            }
            None => "its instances are replaced, and what they know goes with them".into(),
        };
        plan.named(&self.group.arn, case.name_in(self.group));
        plan.act(&self.group.arn, Step::RecordGroup(record), why);
    }

    /// The run that rejected an image for an instance that is gone may have ended before people were told.
    fn is_untold(&self) -> bool {
        self.before.rejected.as_ref().is_some_and(|it| it.untold)
    }
}

fn rejects(draft: &Draft<'_>, image: &ShortDigest) -> bool {
    let rejected = draft.memory.rejected.iter().flat_map(|it| &it.images);
    rejected.into_iter().any(|it| it.shortest() == image.shortest())
}

fn values(memory: &Memory) -> [(&'static str, Option<String>); 5] {
    [
        (keys::APPROVED, memory.approved.as_ref().map(ToString::to_string)),
        (keys::COMMAND, memory.order.as_ref().map(ToString::to_string)),
        (keys::REJECTED, memory.rejected.as_ref().and_then(Rejections::value)),
        (keys::RUNS, memory.runs.as_ref().map(ToString::to_string)),
        (keys::VERDICT, memory.verdict.as_ref().map(ToString::to_string)),
    ]
}
