//! The way back from a rejected image that runs.

use choose::Image;
use jiff::Zoned;
use reconcile::Trouble;
use rules::compose::Intent;
use rules::memory::Verdict;
use rules::{Digest, ShortDigest};

use super::decision::Decision;
use super::draft::Draft;
use super::fleet::Others;
use super::gate;

impl<'a> Draft<'a> {
    /// The image that ran before. What ran on an instance that was started after its fleet had this image is what its machine
    /// image held: there the one that the fleet had before counts, or that it has gone back to by now.
    fn before(&self, others: &Others) -> Option<ShortDigest> {
        let (running, started) = (self.memory.running()?, self.case.instance.launched_at);
        let earlier = |it: &Verdict| it.digest == *running && started.is_some_and(|started| it.at < started);
        let of_fleet = others.well.iter().filter(|(it, before)| earlier(it) && before.is_some());
        let of_fleet = of_fleet.min_by_key(|(it, _)| it.at).and_then(|(_, before)| before.clone());
        let since = self.memory.well().map(|(it, _)| it.at);
        let went_back = |it: &&Verdict| {
            it.digest != *running
                && !self.memory.rejects(&it.digest)
                && since.is_some_and(|since| it.at > since)
                && self.case.pushed_at(&it.digest) < self.case.pushed_at(running)
        };
        let back = || others.well.iter().map(|(it, _)| it).filter(went_back).max_by_key(|it| it.at);
        of_fleet
            .or_else(|| back().map(|it| ShortDigest::of(&it.digest)))
            .or_else(|| self.memory.runs.as_ref().and_then(|it| it.before.clone()))
    }

    /// The image that can be gone back to.
    pub fn way_back(&self, others: &Others) -> Result<&'a Image, Trouble> {
        let case = self.case;
        let none = |why: String| {
            let message = format!("there is no way back: {why}. Send \"deploy\" with an image that may run");
            Err(Trouble::new("no-way-back", message))
        };
        let Some(before) = self.before(others) else {
            return none("no image is known that ran before".into());
        };
        match case.image(&before) {
            None => none(format!("the image that ran before, sha256:…{before}, is no longer in {}", case.repository)),
            Some(image) if self.memory.rejects(&image.digest) => {
                none(format!("{}, which ran before, is rejected", case.label(&image.digest)))
            }
            Some(image) if !image.is_deployable() => {
                none(format!("{}, which ran before, is archived", case.label(&image.digest)))
            }
            Some(image) => Ok(image),
        }
    }

    /// A person may name another image than the one before: that is the way back then.
    pub fn go_back(&mut self, running: &Digest, others: &Others, decision: &mut Decision, now: &Zoned) -> bool {
        let label = self.case.label(running);
        let approved =
            self.memory.approved.as_ref().filter(|it| it.digest != *running && !self.memory.rejects(&it.digest));
        let chosen = approved.filter(|it| self.memory.runs.as_ref().is_some_and(|runs| it.at > runs.at));
        let chosen = chosen.and_then(|it| self.case.images.iter().find(|image| image.digest == it.digest));
        let image = match chosen.map_or_else(|| self.way_back(others), Ok) {
            Ok(image) => image,
            // A newer image may be the cure.
            Err(trouble) => {
                decision.plan.problem(
                    &self.case.instance.arn,
                    trouble.kind,
                    format!("{label} is rejected, and {}", trouble.message),
                );
                return self.deploy_selected(others, decision, now);
            }
        };
        let to = self.case.label(&image.digest);
        if let Err(blocked) = gate::reach(self, &format!("the way back to {to}"), now) {
            self.hold_back(blocked, decision);
            return false;
        }
        if let Some(first) = others.before(self) {
            self.skip(&mut decision.plan, format!("the way back to {to} waits until {first} is done"));
            return false;
        }
        let step = self.send(Intent::GoBack(image.digest.clone()), &to, false, now);
        decision.plan.act(&self.case.instance.arn, step, format!("{label} is rejected"));
        true
    }
}
