//! What a person commands, or another function asks for in a tag, turned into memory and steps.

use choose::Selection;
use reconcile::Trouble;
use rules::deploy::Selector;
use rules::memory::Approved;
use rules::rejections::Rejections;
use rules::{Digest, ShortDigest};

use super::case::Case;
use super::command::Command;
use super::draft::Draft;
use super::gate::run_name;
use super::step::MemoryChange;
use super::world::Image;
use super::{shift, verdict};

/// That the service must go back at once.
pub struct GoBack {
    pub why: String,
    /// A person wants it, and not another function.
    pub by_person: bool,
}

impl Draft<'_> {
    /// Applies `command`, or without one what another function asked for, and says whether to go back at once.
    pub fn apply_command(&mut self, command: Option<&Command>) -> Result<Option<GoBack>, Trouble> {
        match command {
            None => self.apply_intent(),
            Some(Command::Approve { image, hook, now }) => {
                let digest = find(self.case, image)?.digest.clone();
                if self.memory.rejects(&digest) || !self.continue_pause(&digest, hook.as_deref()) {
                    self.approve(image, "a person approved it", *now)?;
                }
                Ok(None)
            }
            Some(Command::Deploy { image, now }) => {
                let rule = &self.case.rule.selector;
                let why = format!(
                    "a person asked to deploy it; it stays until '{rule}' selects an image that is pushed from now on"
                );
                let digest = self.approve(image, &why, true)?;
                self.now_wanted = Some(digest).filter(|_| *now);
                Ok(None)
            }
            Some(Command::Reject { image }) => {
                let image = find(self.case, image)?;
                if self.memory.rejects(&image.digest) {
                    self.skip(format!("{} is rejected already", self.case.label(&image.digest)));
                }
                self.reject(image.digest.clone(), image.pushed_at, "person", "a person rejected it");
                Ok(None)
            }
            Some(Command::RollBack { image }) => self.roll_back_from(image.as_deref()),
            // It is answered apart and decides nothing.
            Some(Command::Status { .. }) => Ok(None),
            Some(Command::Clear { image }) => self.clear(image.as_deref()).map(|()| None),
        }
    }

    /// Another function asked to go back; for an image that no longer runs that has become pointless.
    fn apply_intent(&mut self) -> Result<Option<GoBack>, Trouble> {
        let Some(intent) = self.memory.rollback.clone() else { return Ok(None) };
        let (running, why) = (self.case.running().digest, format!("{} asked to roll back", intent.by));
        if intent.digest.is_none() || intent.digest == running {
            return self.go_back(&intent.by, why, false);
        }
        // An older one runs: the way back was begun, but if the rejection could not be written, the image would be
        // deployed again.
        let pushed_at = |it: &Option<Digest>| it.as_ref().and_then(|it| self.case.pushed_at(it));
        if let (Some(left), Some(pushed), Some(older)) =
            (&intent.digest, pushed_at(&intent.digest), pushed_at(&running))
            && older < pushed
            && !self.memory.rejects(left)
        {
            self.reject(left.clone(), pushed, &intent.by, &why);
        }
        Ok(None)
    }

    /// A command that is sent twice, or that has become pointless, does nothing.
    fn roll_back_from(&mut self, image: Option<&str>) -> Result<Option<GoBack>, Trouble> {
        let case = self.case;
        let running = case.running();
        if let Some(named) = image {
            let found = find(case, named).ok().map(|it| it.digest.clone()).or_else(|| named.parse().ok());
            let label = found.as_ref().map_or_else(|| named.to_owned(), |it| case.label(it));
            if found != running.digest && running.tag.as_deref() != Some(named) {
                self.skip(format!("{} runs and not {label}, so there is nothing to roll back", case.running_label()));
                return Ok(None);
            }
        } else if let Some(left) = verdict::left_on_the_way_back(case).filter(|it| !self.memory.rejects(it)) {
            // The command began the way back, but its rejection could not be written: the image would be deployed again.
            let pushed_at = case.pushed_at(&left).unwrap_or(running.no_later_than);
            self.reject(left, pushed_at, "person", "a person asked to roll back");
            return Ok(None);
        } else if verdict::is_going_back(case) {
            let message = format!("it is going back to {} already; nothing more is done", case.running_label());
            return Err(Trouble::new(ALREADY_GOING_BACK, message));
        }
        self.go_back("person", "a person asked to roll back".into(), true)
    }

    fn go_back(&mut self, by: &str, why: String, by_person: bool) -> Result<Option<GoBack>, Trouble> {
        let running = self.case.running();
        let Some(digest) = running.digest else {
            let label = self.case.running_label();
            return Err(Trouble::new(
                "unknown-image",
                format!(
                    "cannot go back: which image runs is not known. {label} is not in the repository as it was, so it cannot be \
                     rejected: go back by hand with UpdateService"
                ),
            ));
        };
        let pushed_at = self.case.pushed_at(&digest).unwrap_or(running.no_later_than);
        self.reject(digest, pushed_at, by, &why);
        Ok(Some(GoBack { why, by_person }))
    }

    /// A person may let out any image that is not rejected itself, older than the newest or than what runs, or not what
    /// the rule selects at all.
    fn approve(&mut self, image: &str, why: &str, now: bool) -> Result<Digest, Trouble> {
        let case = self.case;
        let image = find(case, image)?;
        let label = case.label(&image.digest);
        if self.memory.rejects(&image.digest) {
            return Err(Trouble::new(
                "rejected",
                format!("{label} is rejected; send \"clear\" with this image first if it may be tried again"),
            ));
        }
        if !image.is_deployable() {
            return Err(Trouble::new(
                "not-an-image",
                format!("{label} is archived, or no container can be started from it"),
            ));
        }
        let running = case.running();
        let next = match case.selection(&self.memory) {
            Selection::Newer { image, .. } => Some(ShortDigest::of(&image.digest)),
            _ => case.choice(&self.memory, &running).newest().map(|it| ShortDigest::of(&it.digest)),
        };
        let approved = Approved {
            digest: image.digest.clone(),
            at: self.now.timestamp(),
            from: running.digest.as_ref().map(ShortDigest::of),
            instead: next.filter(|it| !it.is(&image.digest)),
            cleared: false,
            now: now && matches!(case.rule.selector, Selector::Promote { .. }),
        };
        // Sent twice, it is remembered once.
        let known = |it: &Approved| {
            (&it.digest, &it.from, &it.instead, it.now)
                == (&approved.digest, &approved.from, &approved.instead, approved.now)
        };
        let runs = running.digest.as_ref() == Some(&image.digest);
        let deployed = |it: &Approved| it.digest == approved.digest && runs;
        if self
            .memory
            .approved
            .as_ref()
            .is_none_or(|it| it.cleared || !known(it) && !deployed(it) || shift::is_before_expiry(case, it))
        {
            let value = Some(approved.to_string());
            self.remember_image(MemoryChange::Approve, case.keys.approved, value, &approved.digest, why);
            self.memory.approved = Some(approved);
        }
        Ok(image.digest.clone())
    }

    /// What was rejected may be tried again: what is known against it does not count any more. That is not an approval,
    /// so an approval of it from before ends as well.
    fn clear(&mut self, image: Option<&str>) -> Result<(), Trouble> {
        let case = self.case;
        let mut rejected = self.memory.rejected.clone().unwrap_or_default();
        if rejected.images.is_empty() && image.is_none() {
            self.skip("nothing is rejected");
            return Ok(());
        }
        let digest = match image {
            Some(image) => match find(case, image) {
                Ok(found) => found.digest.clone(),
                // Deleted from the registry, it is only known by what was remembered of it.
                Err(trouble) => image.parse().map_err(|_| trouble)?,
            },
            None => self.only_rejected(&rejected)?,
        };
        let label = case.label(&digest);
        if !rejected.covers(&digest) {
            match self.is_held_by_migration(&digest) {
                true => self.forgive(&digest, "a person asked to run its migration again"),
                false => self.skip(format!("{label} is not rejected")),
            }
            return Ok(());
        }
        let pushed = |short: &ShortDigest| case.images.iter().find(|it| short.is(&it.digest)).map(|it| it.pushed_at);
        rejected.remove(&digest, pushed);
        let why = "a person forgave it, so what is known against it does not count";
        if self.memory.approved.as_ref().is_some_and(|it| it.digest == digest) {
            self.remember_image(
                MemoryChange::DropApproval,
                case.keys.approved,
                None,
                &digest,
                "clearing an image does not approve it",
            );
            self.memory.approved = None;
        }
        self.forgive(&digest, why);
        let why = format!("a person cleared {label}: it is deployed again where the rule selects it");
        self.remember_image(MemoryChange::Clear, case.keys.rejected, rejected.value(), &digest, why);
        self.memory.rejected = Some(rejected).filter(|it| !it.images.is_empty());
        Ok(())
    }

    /// From now on what was known against the image does not count.
    fn forgive(&mut self, digest: &Digest, why: &str) {
        let mut cleared = self.memory.cleared.clone();
        cleared.add(digest, self.now.timestamp());
        self.remember_image(MemoryChange::Forgive, self.case.keys.cleared, Some(cleared.to_string()), digest, why);
        self.memory.cleared = cleared;
    }

    /// Whether a migration for the image was started whose end is not known to have been good.
    fn is_held_by_migration(&self, digest: &Digest) -> bool {
        let Some(family) = &self.case.rule.migrate else { return false };
        let run = run_name(&self.case.service.name.cluster, family, digest);
        self.memory.migrating.as_ref().is_some_and(|it| it.run == run)
    }

    /// The rejected image, if there is just one: which one of several is meant, only a person knows.
    fn only_rejected(&self, rejected: &Rejections) -> Result<Digest, Trouble> {
        let known = |short: &ShortDigest| self.case.images.iter().find(|it| short.is(&it.digest));
        match &rejected.images[..] {
            // Of an image that is gone the rest of the digest is not known, nor does it matter.
            [only] => Ok(known(only).map_or_else(|| only.padded(), |it| it.digest.clone())),
            several => {
                let name = |it: &ShortDigest| {
                    known(it).map_or_else(|| format!("sha256:…{it}"), |it| self.case.label(&it.digest))
                };
                let names: Vec<String> = several.iter().map(name).collect();
                Err(Trouble::new(
                    "which-image",
                    format!("several images are rejected: {}; name one as \"image\"", names.join(", ")),
                ))
            }
        }
    }
}

/// The kind of trouble in which a person can go back further.
pub const ALREADY_GOING_BACK: &str = "already-going-back";

/// An image by a tag, by its digest, or by the beginning of that.
pub fn find<'a>(case: &Case<'a>, image: &str) -> Result<&'a Image, Trouble> {
    let by_tag = |it: &&Image| it.tags.iter().any(|tag| tag == image);
    // Enough digits for people to copy from a message, and none by chance.
    let by_digest = |it: &&Image| image.len() >= "sha256:".len() + 8 && it.digest.to_string().starts_with(image);
    case.images.iter().find(by_tag).or_else(|| case.images.iter().find(by_digest)).ok_or_else(|| {
        let repository = &case.repository;
        Trouble::new(
            "no-such-image",
            format!("there is no image '{image}'; accepted: a tag of the repository {repository}, or sha256:DIGEST"),
        )
    })
}
