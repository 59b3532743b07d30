//! An instance that was started after its fleet had an image gets that image first, whatever a newer one waits for.
//!
//! A group that scales out at night starts what its machine image holds, which may be months old, while the newest image waits
//! for a person, for a window or is rejected. To run what the others run is not a deployment that anybody has to let out.

use choose::{Choice, Image};
use gates::Candidate;
use jiff::Zoned;
use rules::compose::Intent;
use rules::memory::Verdict;

use super::decision::Decision;
use super::draft::Draft;
use super::fleet::Others;
use super::gate::{self, Blocked};

impl<'a> Draft<'a> {
    /// The image that the fleet was found to run well before this instance was started, if it runs an older one.
    pub fn joins(&self, others: &Others, choice: &Choice<'_, 'a>) -> Option<&'a Image> {
        let started = self.case.instance.launched_at?;
        let sound = |it: &&Verdict| !choice.rejected.is_some_and(|by| by.covers(&it.digest));
        let last =
            others.well.iter().map(|(it, _)| it).filter(sound).max_by_key(|it| it.at).filter(|it| it.at < started)?;
        let image = self.case.images.iter().find(|it| it.digest == last.digest && it.is_deployable())?;
        let running = self.memory.running();
        if running == Some(&image.digest) {
            return None;
        }
        // What is not in the repository, such as an image that its lifecycle rule removed, has no age: the fleet counts.
        let known = running.and_then(|it| self.case.pushed_at(it));
        let is_newer = |pushed_at| choice.is_newer(&image.digest).unwrap_or(image.pushed_at > pushed_at);
        known.is_none_or(is_newer).then_some(image)
    }

    /// People let it out before, and its migration has run. A window or a freeze holds back what was deployed to before: a
    /// person may have stopped it, and frozen it to look at it.
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
        let window = || match self.memory.verdict {
            Some(_) => gates::window(&candidate, &case.instance.tags, &case.world.calendar),
            None => Ok(()),
        };
        if let Err(blocked) = window().and_then(|()| gate::reach(self, &tag, now)).and_then(|()| turn()) {
            self.hold_back(blocked, decision);
            return false;
        }
        let step = self.send(Intent::Deploy(image.digest.clone()), &tag, false, now);
        let why = format!("{tag} ran on its fleet before this instance was started");
        decision.plan.act(&case.instance.arn, step, why);
        true
    }
}
