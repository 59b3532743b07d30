//! What a person commands, or another function asks for in a tag, turned into memory and steps.

use rules::keys;
use rules::memory::Approved;

use super::case::Case;
use super::command::Command;
use super::draft::Draft;
use super::select::Selection;
use super::step::MemoryChange;
use super::verdict;
use super::world::Image;

/// That the service must go back at once.
pub struct GoBack {
    /// Why, in words.
    pub why: String,
    /// A person wants it, and not another function.
    pub by_person: bool,
}

/// A problem: its kind and what is wrong.
type Trouble = (&'static str, String);

impl Draft<'_> {
    /// Applies `command`, or without one what another function asked for, and says whether to go back at once.
    pub fn apply_command(&mut self, command: Option<&Command>) -> Result<Option<GoBack>, Trouble> {
        match command {
            None => self.apply_intent(),
            Some(Command::Approve { image }) => self.approve(image).map(|()| None),
            Some(Command::Reject { image }) => {
                let image = find(self.case, image)?;
                if self.memory.rejects(&image.digest, image.pushed_at) {
                    self.skip(format!("{} is rejected already", self.case.label(&image.digest)));
                }
                self.reject(image.digest.clone(), image.pushed_at, "person", "a person rejected it");
                Ok(None)
            }
            Some(Command::RollBack { image }) => self.roll_back_from(image.as_deref()),
            Some(Command::Clear { image }) => self.clear(image.as_deref()).map(|()| None),
        }
    }

    /// Another function asked to go back; for an image that no longer runs that has become pointless.
    fn apply_intent(&mut self) -> Result<Option<GoBack>, Trouble> {
        let Some(intent) = self.memory.wish.clone() else { return Ok(None) };
        if intent.digest.is_some() && intent.digest != self.case.running().digest {
            return Ok(None);
        }
        self.go_back(&intent.by, format!("{} asked to roll back", intent.by), false)
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
        } else if verdict::is_going_back(case) {
            return Err((
                "already-going-back",
                format!(
                    "{service} is going back to {label} already. To go back further, name the image to go back from: \
                     {{\"rollback\":{{\"service\":\"{service}\",\"image\":\"{}\"}}}}",
                    running.digest.map_or_else(|| case.running_label(), |it| it.to_string()),
                    service = case.service.name,
                    label = case.running_label(),
                ),
            ));
        }
        self.go_back("person", "a person asked to roll back".into(), true)
    }

    fn go_back(&mut self, by: &str, why: String, by_person: bool) -> Result<Option<GoBack>, Trouble> {
        let running = self.case.running();
        let Some(digest) = running.digest else {
            let label = self.case.running_label();
            return Err((
                "unknown-image",
                format!(
                    "it cannot be told which image runs ({label} is not in the repository as it was), so it cannot be \
                     rejected; go back by hand with aws ecs update-service"
                ),
            ));
        };
        let pushed_at = self.case.pushed_at(&digest).unwrap_or(running.no_later_than);
        self.reject(digest, pushed_at, by, &why);
        Ok(Some(GoBack { why, by_person }))
    }

    /// An approval counts only for the image that would go out: a newer one has to be looked at first.
    fn approve(&mut self, image: &str) -> Result<(), Trouble> {
        let case = self.case;
        let image = find(case, image)?;
        let label = case.label(&image.digest);
        if self.memory.rejects(&image.digest, image.pushed_at) {
            return Err(("rejected", format!("{label} is rejected; send \"clear\" first if it is to be tried again")));
        }
        match case.selection(&self.memory) {
            Selection::Newer { image: next, .. } if next.digest == image.digest => {
                let approved = Approved { digest: image.digest.clone(), at: self.now.timestamp(), cleared: false };
                let known = self.memory.approved.as_ref().is_some_and(|it| it.digest == image.digest);
                if !known {
                    let value = Some(approved.to_string());
                    self.remember(MemoryChange::Approve, keys::APPROVED, value, &label, "a person approved it");
                    self.memory.approved = Some(approved);
                }
                Ok(())
            }
            Selection::Newer { tag, .. } => {
                Err(("superseded", format!("{label} is superseded by {tag}: approve that, or reject it first")))
            }
            _ => Err(("not-next", format!("{label} is not what '{}' would deploy next", case.rule.selector))),
        }
    }

    /// What was rejected may be tried again: that is an approval as well, so that what is known against it does not
    /// count.
    fn clear(&mut self, image: Option<&str>) -> Result<(), Trouble> {
        let named = image.map(|it| find(self.case, it)).transpose()?;
        let Some(rejected) = self.memory.rejected.take_if(|it| named.is_none_or(|named| named.digest == it.digest))
        else {
            match named {
                Some(named) => self.skip(format!("{} is not rejected", self.case.label(&named.digest))),
                None => self.skip("nothing is rejected"),
            }
            return Ok(());
        };
        let label = self.case.label(&rejected.digest);
        let approved = Approved { digest: rejected.digest, at: self.now.timestamp(), cleared: true };
        let why = "a person cleared it, so what is known against it does not count";
        self.remember(MemoryChange::Approve, keys::APPROVED, Some(approved.to_string()), &label, why);
        let why = format!("a person cleared {label}: it is deployed again where the rule selects it");
        self.remember_image(MemoryChange::Clear, keys::REJECTED, None, &approved.digest, why);
        self.memory.approved = Some(approved);
        Ok(())
    }
}

fn find<'a>(case: &Case<'a>, image: &str) -> Result<&'a Image, Trouble> {
    let named = |it: &&Image| it.digest.to_string() == image || it.tags.iter().any(|tag| tag == image);
    case.images.iter().find(named).ok_or_else(|| {
        ("no-such-image", format!("there is no image '{image}' in the repository {}", case.image.repository))
    })
}
