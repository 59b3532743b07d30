//! Which image of a repository a rule selects, and whether the service may go to it.

use std::cmp::Ordering;

use jiff::Timestamp;
use rules::Digest;
use rules::deploy::Selector;
use rules::memory::Approved;

use crate::candidate::Candidate;
use crate::choice::{Choice, Selection};
use crate::image::{Image, best_name};
use crate::kind::is_attachment_tag;

impl<'a> Choice<'_, 'a> {
    /// Selects an image.
    ///
    /// A rejection forbids one image. What is older than a rejected image is not selected either, unless a person asks
    /// for it; what runs may itself be older than a rejected image: then it stays.
    pub fn select(&self) -> Selection<'a> {
        if let Some((image, tag)) = self.approved_next() {
            return Selection::Newer { image, tag };
        }
        let all = self.candidates();
        let matching: Vec<&Candidate<'a>> =
            all.iter().filter(|it| !self.unfit.contains_key(&it.image.digest)).collect();
        let Some(newest) = matching.iter().max_by(|a, b| a.order(b)) else {
            return match all.iter().max_by(|a, b| a.order(b)) {
                Some(it) => Selection::Unfit { tag: it.tag.clone(), why: self.unfit[&it.image.digest].clone() },
                None => Selection::NoMatch { seen: some_tags(self.images) },
            };
        };
        let is_running = |it: &Candidate| self.running.digest.as_ref() == Some(&it.image.digest);
        let eligible = |it: &&&Candidate| !self.is_held_back(it, &all);
        let Some(best) = matching.iter().filter(eligible).max_by(|a, b| a.order(b)) else {
            // Whatever was rejected, the newest image that there is may be the one that runs.
            return match is_running(newest) && !self.is_rejected(&newest.image.digest) {
                true => Selection::Current { tag: newest.tag.clone() },
                false => {
                    // What is older than the image that runs as well is of no interest.
                    let newer = |it: &&&Candidate| self.compared(it) == Some(Ordering::Greater);
                    let held_back = matching.iter().filter(|it| !self.is_rejected(&it.image.digest) && !is_running(it));
                    let older = held_back.filter(newer);
                    Selection::Rejected { older: older.max_by(|a, b| a.order(b)).map(|it| it.tag.clone()) }
                }
            };
        };
        let (image, tag) = (best.image, best.tag.clone());
        if is_running(best) {
            return Selection::Current { tag };
        }
        if self.is_declined(best, &all) {
            return Selection::Declined { tag };
        }
        // Whoever moves a tag means the image that it names now, be it older or newer.
        if matches!(self.selector, Selector::Tag { name } if self.running.tag.as_ref() == Some(name))
            && self.running.digest.is_some()
        {
            return Selection::Newer { image, tag };
        }
        match self.compared(best) {
            // Of two that are alike in age the one that was chosen counts as newer: the choice is the same every time.
            Some(Ordering::Greater | Ordering::Equal) => Selection::Newer { image, tag },
            Some(Ordering::Less) => Selection::Older { tag },
            None => Selection::CannotTell { tag },
        }
    }

    /// The newest image that matches the rule, rejected or not.
    pub fn newest(&self) -> Option<&'a Image> {
        self.candidates().into_iter().max_by(|a, b| a.order(b)).map(|it| it.image)
    }

    /// Whether the rule can select this image, whatever runs or is rejected.
    pub fn can_select(&self, digest: &Digest) -> bool {
        let alike = self.alike();
        self.images.iter().any(|it| it.digest == *digest && self.candidate(it, alike).is_some())
    }

    /// Whether an image that the rule can select is newer than the one that runs; `None` if that cannot be told.
    pub fn is_newer(&self, digest: &Digest) -> Option<bool> {
        let alike = self.alike();
        let image = self.images.iter().find(|it| it.digest == *digest)?;
        let order = self.compared(&self.candidate(image, alike)?)?;
        Some(order == Ordering::Greater)
    }

    /// The image that a person let out and that has not been deployed since, if it is the one to deploy.
    fn approved_next(&self) -> Option<(&'a Image, String)> {
        let approved = self.approved.filter(|it| !it.cleared && !self.is_rejected(&it.digest))?;
        let promoted = !matches!(self.selector, Selector::Promote { .. })
            || approved.now
            || self.promoted.contains(&Some(&approved.digest));
        let pending = promoted && self.is_still_to_deploy(approved);
        let image = self.images.iter().find(|it| it.digest == approved.digest && it.is_deployable())?;
        if !pending || self.unfit.contains_key(&image.digest) {
            return None;
        }
        // Where the rule needs no person, what was pushed after the person chose goes out as ever.
        let all = self.candidates();
        let later = |it: &Candidate| it.image.pushed_at > approved.at && !self.is_held_back(it, &all);
        if !self.asks && all.iter().any(later) {
            return None;
        }
        let name = best_name(image.tags.iter().filter(|it| !is_attachment_tag(it)));
        let by_rule = all.iter().find(|it| it.image.digest == image.digest).map(|it| it.tag.clone());
        Some((image, by_rule.or(name).unwrap_or_else(|| image.digest.short().to_owned())))
    }

    /// Whether an image that a person let out has still to replace what ran then: nothing was deployed since.
    ///
    /// A deployment by CodeDeploy that fails or is stopped leaves the tasks of before as they were, so it does not count.
    pub fn is_still_to_deploy(&self, approved: &Approved) -> bool {
        let same = match (&approved.from, &self.running.digest) {
            (Some(from), Some(running)) => from.is(running) && *running != approved.digest,
            // What ran then was not known, and is not now.
            (None, None) => true,
            _ => false,
        };
        // Whatever was deployed since, by this function or by hand, is the later word, even if it is what ran before.
        let began = self.running.no_later_than;
        same && (began <= approved.at || began == Timestamp::MAX)
    }

    /// Whether a person chose another image instead of this one, or of one that is newer than this one.
    ///
    /// That choice stands while what was chosen runs, and where it failed, while what ran before it runs again.
    fn is_declined(&self, it: &Candidate<'_>, all: &[Candidate<'_>]) -> bool {
        let (Some(approved), Some(running)) = (self.approved, &self.running.digest) else { return false };
        let failed = || approved.from.as_ref().is_some_and(|it| it.is(running)) && self.is_rejected(&approved.digest);
        let stands = !self.asks && (approved.digest == *running || failed());
        let Some(instead) = approved.instead.as_ref().filter(|_| stands) else { return false };
        let by_tag = matches!(self.selector, Selector::Tag { .. });
        match all.iter().find(|it| instead.is(&it.image.digest)) {
            Some(instead) if by_tag => it.image.digest == instead.image.digest,
            Some(instead) => it.order(instead) != Ordering::Greater,
            None => !by_tag && it.image.pushed_at <= approved.at,
        }
    }

    fn is_rejected(&self, digest: &Digest) -> bool {
        self.rejected.is_some_and(|by| by.covers(digest))
    }

    /// Whether an image is rejected, or older than one that is: older by version where versions count, else by push.
    ///
    /// An image that a tag names is not older than another one: whoever moved the tag chose it.
    fn is_held_back(&self, it: &Candidate<'_>, all: &[Candidate<'_>]) -> bool {
        let Some(rejected) = self.rejected else { return false };
        if rejected.covers(&it.image.digest) {
            return true;
        }
        match self.selector {
            Selector::Tag { .. } => false,
            // The tag keeps milliseconds, the registry may keep more.
            Selector::Newest { .. } | Selector::Promote { .. } => {
                rejected.pushed_at.is_some_and(|by| it.image.pushed_at.as_millisecond() <= by.as_millisecond())
            }
            Selector::Semver { .. } | Selector::Number { .. } => {
                let older = |by: &Candidate| rejected.covers(&by.image.digest) && it.order(by) == Ordering::Less;
                let last_is_gone = || !self.images.iter().any(|it| rejected.last().is_some_and(|by| by.is(&it.digest)));
                let last = || rejected.tag.as_ref().and_then(|tag| self.plain_version(tag));
                all.iter().any(older) || last_is_gone() && last().is_some_and(|by| it.version.as_ref() <= Some(&by))
            }
        }
    }
}

fn some_tags(images: &[Image]) -> Vec<String> {
    let mut latest: Vec<&Image> = images.iter().filter(|it| it.is_deployable()).collect();
    latest.sort_by_key(|it| (std::cmp::Reverse(it.pushed_at), &it.digest));
    let names = latest.iter().filter_map(|it| best_name(it.tags.iter().filter(|it| !is_attachment_tag(it))));
    names.take(5).collect()
}
