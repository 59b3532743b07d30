//! An instance that runs an older image than its fleet gets that of its fleet first, whatever a newer one waits for.
//!
//! A group that scales out at night starts what its machine image holds, which may be months old, while the newest image waits
//! for a person, for a window or is rejected. To run what the others run is not a deployment that anybody has to let out.

use choose::{Choice, Image, Selection};
use gates::Candidate;
use jiff::Zoned;
use rules::compose::Intent;
use rules::memory::Verdict;

use super::decision::Decision;
use super::draft::Draft;
use super::fleet::Others;
use super::gate::{self, Blocked};

impl<'a> Draft<'a> {
    /// The image that the fleet was last found to run well, if this instance runs an older one and the rule alone would not
    /// deploy that image to it.
    pub fn joins(&self, others: &Others, choice: &Choice<'_, 'a>) -> Option<&'a Image> {
        let sound = |it: &&Verdict| !choice.rejected.is_some_and(|by| by.covers(&it.digest));
        let last = others.well.iter().map(|(it, _)| it).filter(sound).max_by_key(|it| it.at)?;
        // Where this one is ahead of them, it is the first of a rollout, or of a way back.
        if self.memory.well().is_some_and(|(own, _)| own.at >= last.at) {
            return None;
        }
        let image = self.case.images.iter().find(|it| it.digest == last.digest && it.is_deployable())?;
        let running = self.memory.running();
        if running == Some(&image.digest) {
            return None;
        }
        // What is not in the repository, such as an image that its lifecycle rule removed, has no age: for what was started
        // since then the fleet counts, and else a person decides.
        let known = running.and_then(|it| self.case.pushed_at(it));
        if running.is_some() && known.is_none() && !self.was_started_since(last) {
            return None;
        }
        let is_newer = |pushed_at| choice.is_newer(&image.digest).unwrap_or(image.pushed_at > pushed_at);
        let selected = || matches!(choice.select(), Selection::Newer { image: it, .. } if it.digest == image.digest);
        let by_itself = !self.was_started_since(last) && selected();
        (!by_itself && known.is_none_or(is_newer)).then_some(image)
    }

    fn was_started_since(&self, well: &Verdict) -> bool {
        self.case.instance.launched_at.is_some_and(|it| well.at < it)
    }

    /// People let it out before, and its migration has run. A window or a freeze holds back what was there before: a person
    /// may have stopped it, and frozen it to look at it.
    pub fn join(&self, image: &Image, others: &Others, decision: &mut Decision, now: &Zoned) -> bool {
        let case = self.case;
        let (tag, running) = (case.label(&image.digest), self.runs_label());
        let candidate =
            Candidate { on: "instance", running: &running, repository: &case.repository, image, tag: &tag, now };
        let turn = || match others.before(self) {
            Some(first) => {
                Err(Blocked::pending(format!("{tag} runs on its fleet, but it is the turn of {first}"), "that is done"))
            }
            None => Ok(()),
        };
        let well = others.well.iter().map(|(it, _)| it).filter(|it| it.digest == image.digest);
        let was_started_since = well.min_by_key(|it| it.at).is_some_and(|it| self.was_started_since(it));
        let is_new = was_started_since && self.memory.verdict.is_none();
        let window = || match is_new {
            true => Ok(()),
            false => gates::window(&candidate, &case.instance.tags, &case.world.calendar),
        };
        if let Err(blocked) = window().and_then(|()| gate::reach(self, &tag, now)).and_then(|()| turn()) {
            self.hold_back(blocked, decision);
            return false;
        }
        let step = self.send(Intent::Deploy(image.digest.clone()), &tag, false, now);
        let why = match was_started_since {
            true => format!("{tag} ran on its fleet before this instance was started"),
            false => format!("its fleet runs {tag}, and it lags behind"),
        };
        decision.plan.act(&case.instance.arn, step, why);
        true
    }
}
