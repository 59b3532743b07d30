//! What a person commands, turned into memory.

use choose::Choice;
use jiff::Zoned;
use reconcile::Plan;
use rules::compose::Intent;
use rules::memory::Approved;
use rules::{Digest, ShortDigest};

use super::command::Command;
use super::draft::{Draft, Motion};
use super::fleet::Others;
use super::step::{Change, Step};

impl Draft<'_> {
    pub fn apply_command(&mut self, command: &Command, plan: &mut Plan<Step>, now: &Zoned) -> Result<(), String> {
        match command {
            Command::Approve { image } => self.approve(image, false, "a person approved it", plan, now),
            Command::Deploy { image, now: at_once } => {
                self.approve(image, *at_once, "a person asked to deploy it", plan, now)
            }
            Command::Reject { image } => {
                let digest = self.digest_of(image)?;
                if self.memory.rejects(&digest) {
                    self.skip(plan, format!("{} is rejected already", self.case.label(&digest)));
                    return Ok(());
                }
                self.reject(&digest, "person", "a person rejected it", Change::Reject, plan, now);
                Ok(())
            }
            Command::Clear { image } => self.clear(image.as_deref(), plan),
            Command::Look => {
                self.try_at_once();
                self.must_look = true;
                Ok(())
            }
            // It was turned into a rejection of the image that is left, or is answered apart.
            Command::RollBack { .. } | Command::Status => Ok(()),
        }
    }

    /// The image that a rollback leaves; `None` where another one runs by now. Without a way back nothing is rejected.
    pub fn leaves(&self, image: Option<&str>, others: &Others) -> Result<Option<String>, String> {
        if let Some(named) = image {
            let digest = self.digest_of(named)?;
            // It is on its way to the instance: once it is there, it is gone back from.
            let is_coming = self.memory.order.as_ref().is_some_and(|it| it.intent == Intent::Deploy(digest.clone()));
            if is_coming && self.is_deploying() {
                return Ok(Some(digest.to_string()));
            }
            if self.memory.running() != Some(&digest) {
                return Ok(None);
            }
        }
        let Some(running) = self.memory.running() else {
            return Err(String::from("it is not known which image runs: send \"look\" first"));
        };
        if image.is_none() && self.is_deploying() {
            return Err(String::from("a deployment is under way on it: wait for its end, or name the image"));
        }
        if !self.memory.rejects(running) {
            self.way_back(others).map_err(|it| it.message)?;
        }
        Ok(Some(running.to_string()))
    }

    /// An image of the repository, or one that is gone from it, by its whole digest.
    fn digest_of(&self, image: &str) -> Result<Digest, String> {
        match self.case.find(image) {
            Ok(found) => Ok(found.digest.clone()),
            Err(wrong) => image.parse().map_err(|_| wrong),
        }
    }

    fn approve(
        &mut self,
        image: &str,
        at_once: bool,
        why: &str,
        plan: &mut Plan<Step>,
        now: &Zoned,
    ) -> Result<(), String> {
        let case = self.case;
        let image = case.find(image)?;
        let label = case.label(&image.digest);
        if self.memory.rejects(&image.digest) {
            let message = format!("{label} is rejected; send \"clear\" with this image first if it may be tried again");
            return Err(message);
        }
        if !image.is_deployable() {
            let message = format!("{label} is archived, or no container can be started from it");
            return Err(message);
        }
        self.try_at_once();
        let running = self.memory.runs.as_ref().map(|it| case.known(it));
        let newest = running.as_ref().and_then(|running| self.choice(running, None, None).newest());
        let approved = Approved {
            digest: image.digest.clone(),
            at: now.timestamp(),
            from: running.as_ref().and_then(|it| it.digest.as_ref()).map(ShortDigest::of),
            instead: newest.map(|it| ShortDigest::of(&it.digest)).filter(|it| !it.is(&image.digest)),
            cleared: false,
            now: at_once,
        };
        let runs = self.memory.running() == Some(&image.digest);
        let known = self.memory.approved.as_ref().is_some_and(|it| {
            it.digest == approved.digest && (runs || it.from == approved.from && it.now == approved.now)
        });
        // Sent twice, it is remembered once; where nothing runs, once more is once more.
        if !known || self.memory.running().is_none() {
            self.memory.approved = Some(approved);
            self.act(Change::Approve, &label, Some(&image.digest), why, plan);
        }
        Ok(())
    }

    /// A person has seen what was wrong with the last command, and wants it tried now. One of which nothing can be read may
    /// be under way.
    fn try_at_once(&mut self) {
        if let Motion::Held(told) | Motion::Again(told) = &self.motion
            && told.trouble.kind != "unreadable-command"
        {
            self.motion = Motion::Still;
            // Whatever a person wants beside it, what runs is still not known.
            self.must_look |= self.memory.order.take().is_some_and(|it| it.intent == Intent::Look);
        }
    }

    fn clear(&mut self, image: Option<&str>, plan: &mut Plan<Step>) -> Result<(), String> {
        let case = self.case;
        let mut rejected = self.memory.rejected.clone().unwrap_or_default();
        let digest = match (image, &rejected.images[..]) {
            (Some(image), _) => self.digest_of(image)?,
            (None, []) => {
                self.skip(plan, "nothing is rejected");
                return Ok(());
            }
            (None, [only]) => case.image(only).map_or_else(|| only.padded(), |it| it.digest.clone()),
            (None, several) => {
                let name = |it: &ShortDigest| {
                    case.image(it).map_or_else(|| format!("sha256:…{it}"), |it| case.label(&it.digest))
                };
                let names: Vec<String> = several.iter().map(name).collect();
                let message = format!("several images are rejected: {}; name one as \"image\"", names.join(", "));
                return Err(message);
            }
        };
        let label = case.label(&digest);
        if !rejected.covers(&digest) {
            self.skip(plan, format!("{label} is not rejected"));
            return Ok(());
        }
        rejected.remove(&digest, |short| case.image(short).map(|it| it.pushed_at));
        self.memory.rejected = Some(rejected).filter(|it| !it.images.is_empty());
        // Clearing an image does not approve it, nor does the command that failed count any more.
        self.memory.approved = self.memory.approved.take().filter(|it| it.digest != digest);
        if self.motion == Motion::Still
            && self.memory.order.as_ref().is_some_and(|it| it.intent.digest() == Some(&digest))
        {
            self.memory.order = None;
        }
        let why = format!("a person cleared {label}: it is deployed again where the rule selects it");
        self.act(Change::Clear, &label, Some(&digest), why, plan);
        Ok(())
    }

    /// The choice of an image, by the rule, by what is remembered and by what a person let out.
    pub fn choice<'b>(
        &'b self,
        running: &'b choose::Running,
        rejected: Option<&'b rules::rejections::Rejections>,
        approved: Option<&'b Approved>,
    ) -> Choice<'b, 'b> {
        static NONE: std::collections::BTreeMap<Digest, String> = std::collections::BTreeMap::new();
        Choice {
            selector: &self.case.rule.selector,
            images: self.case.images,
            running,
            rejected,
            approved,
            asks: self.case.rule.approval.is_some(),
            promoted: [None, None],
            unfit: &NONE,
        }
    }
}
