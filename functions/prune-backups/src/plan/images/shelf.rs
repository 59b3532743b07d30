//! The images of one repository: what belongs to what, and what stays.

use std::collections::BTreeMap;

use choose::kind::{Kind, attached_to};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use rules::retention::KeepImages;

use super::named::Named;
use super::usage::InUse;
use crate::plan::world::Image;

/// An image without a tag may be a part of one that is being pushed, whose index comes last.
const BEING_PUSHED: SignedDuration = SignedDuration::from_hours(24);

impl Image {
    /// What people call it.
    pub fn name(&self) -> String {
        match self.tags.iter().min() {
            Some(tag) => tag.clone(),
            None => self.digest.chars().take("sha256:".len() + 12).collect(),
        }
    }

    /// What it is about, as it says, or as cosign names a signature and a registry the list of referrers:
    /// `sha256-DIGEST.sig`, `sha256-DIGEST`.
    fn about(&self) -> Option<String> {
        let by_tag = || self.tags.iter().find_map(|it| attached_to(it)).map(|it| it.to_string());
        self.subject.clone().or_else(by_tag)
    }

    /// Whether it says something about an image that may not be there any more.
    fn is_attachment(&self) -> bool {
        self.kind == Kind::Attachment || self.about().is_some()
    }
}

/// The images of one repository, the oldest first, and what belongs to what.
pub struct Shelf<'a> {
    repository: &'a str,
    pub images: Vec<&'a Image>,
    /// What each one lists, and what refers to it: this goes with it.
    below: Vec<Vec<usize>>,
    above: Vec<Vec<usize>>,
}

impl<'a> Shelf<'a> {
    pub fn new(repository: &'a str, images: &'a [Image]) -> Self {
        let mut images: Vec<&Image> = images.iter().collect();
        images.sort_by(|a, b| (a.pushed_at, &a.digest).cmp(&(b.pushed_at, &b.digest)));
        let places: BTreeMap<&str, usize> =
            images.iter().enumerate().map(|(place, it)| (it.digest.as_str(), place)).collect();
        let mut shelf =
            Shelf { repository, below: vec![vec![]; images.len()], above: vec![vec![]; images.len()], images };
        for (place, image) in shelf.images.iter().enumerate() {
            for child in image.children.iter().filter_map(|it| places.get(it.as_str())) {
                shelf.below[place].push(*child);
                shelf.above[*child].push(place);
            }
            if let Some(subject) = image.about().and_then(|it| places.get(it.as_str()).copied()) {
                shelf.below[subject].push(place);
                shelf.above[place].push(subject);
            }
        }
        shelf
    }

    /// The place of the image that is named so, as far as it is one of this repository.
    fn find(&self, named: &Named) -> Option<usize> {
        self.images.iter().rposition(|it| named.is(self.repository, &it.digest, &it.tags))
    }

    /// Why it cannot be told which images are in use.
    ///
    /// ECS pins the image that a tag meant at the deployment, and where neither a task nor the service revision tells
    /// which that was, nothing does.
    pub fn doubt(&self, in_use: &InUse) -> Option<String> {
        let moved = |(named, _, deployed): &&(Named, String, Option<Timestamp>)| {
            let Named::Tag { repository, .. } = named else { return false };
            let pushed = self.find(named).and_then(|it| self.images[it].pushed_at);
            *repository == self.repository && !pushed.is_some_and(|it| deployed.is_some_and(|deployed| it <= deployed))
        };
        let (named, by, _) = in_use.sleeping.iter().find(moved)?;
        Some(format!(
            "{by} has no task, and {named} has moved since its deployment: which image it will start cannot be told, \
             so nothing is deleted"
        ))
    }

    /// Why each image stays; `None` for one that does not.
    pub fn kept(&self, rule: KeepImages, in_use: &InUse, now: &Zoned) -> Vec<Option<String>> {
        let mut kept: Vec<Option<String>> = vec![None; self.images.len()];
        self.keep_used(in_use, &mut kept);
        // What stands alone counts, images with and without a tag apart, and what is not an image apart from both:
        // ten build caches must not count for ten versions. What is attached to an image counts nowhere.
        for (tagged, image) in [(true, true), (false, true), (true, false), (false, false)] {
            let alike = |it: &usize| {
                let entry = self.images[*it];
                let stands_alone = self.above[*it].is_empty() && !entry.is_attachment();
                stands_alone && entry.tags.is_empty() != tagged && (entry.kind != Kind::Other) == image
            };
            let newest = (0..self.images.len()).rev().filter(alike).take(rule.count.into());
            for place in newest {
                kept[place].get_or_insert_with(|| format!("one of the newest {}", rule.count));
            }
        }
        // A span that reaches beyond the calendar keeps everything.
        let since = now.checked_sub(i32::from(rule.days).days()).map_or(Timestamp::MIN, |it| it.timestamp());
        for (place, image) in self.images.iter().enumerate() {
            // The parts of an image are pushed before its index, and a signature may be listed before its image.
            let is_lost = image.is_attachment() && self.above[place].is_empty();
            let fresh = |it: Timestamp| now.timestamp().duration_since(it) < BEING_PUSHED;
            let reason = match image.pushed_at {
                None => "AWS does not say when it was pushed".into(),
                Some(pushed) if is_lost && fresh(pushed) => {
                    "what it belongs to is not there, and it was pushed less than a day ago".into()
                }
                Some(pushed) if image.tags.is_empty() && fresh(pushed) => {
                    "it has no tag and was pushed less than a day ago".into()
                }
                Some(pushed) if rule.days > 0 && pushed > since && self.above[place].is_empty() => {
                    format!("pushed within {} days", rule.days)
                }
                Some(_) => continue,
            };
            kept[place].get_or_insert(reason);
        }
        self.keep_whole(&mut kept);
        kept
    }

    fn keep_used(&self, in_use: &InUse, kept: &mut [Option<String>]) {
        let by_digest: BTreeMap<&str, usize> =
            self.images.iter().enumerate().map(|(place, it)| (it.digest.as_str(), place)).collect();
        let tags = self.images.iter().enumerate().flat_map(|(place, it)| it.tags.iter().map(move |tag| (tag, place)));
        let by_tag: BTreeMap<&String, usize> = tags.collect();
        let place = |named: &Named| match named {
            Named::Digest(digest) => by_digest.get(digest.as_str()).copied(),
            Named::Tag { repository, tag } if repository == self.repository => by_tag.get(tag).copied(),
            Named::Tag { .. } => None,
            Named::End(_) => self.find(named),
        };
        for (named, by) in &in_use.images {
            if let Some(place) = place(named) {
                kept[place].get_or_insert_with(|| format!("used by {by}"));
            }
        }
        for (named, by) in &in_use.waiting {
            let Some(runs) = place(named) else { continue };
            kept[runs].get_or_insert_with(|| format!("used by {by}"));
            let later = (runs + 1..self.images.len()).filter(|it| !self.images[*it].tags.is_empty());
            for place in later {
                kept[place]
                    .get_or_insert_with(|| format!("newer than what {by} runs, and may be waiting to go out to it"));
            }
        }
    }

    /// An image stays with the indexes that list it, where it stays for its own sake, and with all that belongs to it.
    fn keep_whole(&self, kept: &mut [Option<String>]) {
        for neighbours in [&self.above, &self.below] {
            let mut fresh: Vec<usize> = (0..kept.len()).filter(|it| kept[*it].is_some()).collect();
            while let Some(place) = fresh.pop() {
                for &other in neighbours[place].iter() {
                    if kept[other].is_none() {
                        kept[other] = Some(format!("it belongs to {}", self.images[place].name()));
                        fresh.push(other);
                    }
                }
            }
        }
    }

    /// How deep below another one each image is.
    pub fn levels(&self) -> Vec<usize> {
        let mut levels = vec![0; self.images.len()];
        // A digest cannot be of what contains it, so there are no circles; should a listing show one, this ends too.
        for _ in 0..self.images.len() {
            let mut changed = false;
            for place in 0..levels.len() {
                for &child in &self.below[place] {
                    if levels[child] <= levels[place] {
                        levels[child] = levels[place] + 1;
                        changed = true;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        levels
    }
}
