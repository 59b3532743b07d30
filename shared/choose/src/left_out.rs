//! What a rule leaves out though it looks newer: people are told of it.

use std::cmp::Ordering;

use rules::deploy::Selector;
use rules::version::version;

use crate::candidate::Alike;
use crate::choice::Choice;
use crate::image::{Image, best_name};
use crate::kind::is_attachment_tag;

impl<'a> Choice<'_, 'a> {
    /// The newest image without a tag that the rule could read, if it was pushed after the one that runs, and its tag.
    ///
    /// Only rules that go by versions leave out what is newer; tags of other variants of a version are read well enough,
    /// and what lacks the prefix of the rule is about something else.
    pub fn unread(&self) -> Option<(&'a Image, String)> {
        let since = self.pushed_at(self.running.digest.as_ref()).unwrap_or(self.running.no_later_than);
        let alike = self.alike();
        let prefix = match self.selector {
            Selector::Semver { reading, .. } => reading.prefix.as_deref(),
            Selector::Number { prefix } => prefix.as_deref(),
            Selector::Newest { .. } | Selector::Tag { .. } | Selector::Promote { .. } => return None,
        };
        let about = |it: &&String| !is_attachment_tag(it) && it.starts_with(prefix.unwrap_or_default());
        let reads =
            |tag: &String| self.version_of(tag).is_some_and(|it| alike.admits(&it)) || self.is_other(tag, alike);
        let unread = |it: &&Image| {
            it.pushed_at > since
                && it.is_deployable()
                && !it.tags.iter().any(reads)
                && it.tags.iter().any(|it| about(&it))
        };
        let newest = self.images.iter().filter(unread).max_by_key(|it| (it.pushed_at, &it.digest))?;
        let name = best_name(newest.tags.iter().filter(about))?;
        (!self.unfit.contains_key(&newest.digest)).then_some((newest, name))
    }

    /// Whether a tag is another variant of a version: `1.2.3-alpine` where no suffix, or another one, is asked for.
    fn is_other(&self, tag: &str, alike: Alike) -> bool {
        let Selector::Semver { reading, .. } = self.selector else { return false };
        let plain = reading.unprefixed(tag);
        let closest = self.closest(tag).filter(|it| it.pre.is_empty() && plain.contains('.') && !plain.contains('+'));
        let variant = || closest.is_some_and(|it| alike.admits(&it)) && is_variant(plain);
        reading.suffix.is_some() && version(plain, None).is_some() || variant()
    }

    /// With a rule that goes by the push: a tag that looks newer than the image that runs and names an older one, and
    /// that image. ECR says when an image was pushed, and not when a tag was put on it.
    ///
    /// Such a tag is the one under which the running image was deployed, if it has moved back, or one like a tag of the
    /// running image with higher numbers: `main-42` beside `main-41`.
    pub fn newer_tag_of_older_image(&self) -> Option<(&'a Image, String)> {
        let Selector::Newest { .. } = self.selector else { return None };
        let known = self.known()?;
        let own: Vec<&String> = known.tags.iter().chain(&self.running.tag).filter(|it| self.counts(it)).collect();
        let moved = |tag: &&String| self.running.tag.as_ref() == Some(tag) && !known.tags.contains(tag);
        let higher = |tag: &&String| {
            let mut alike = own.iter().filter_map(|own| by_numbers(own, tag)).peekable();
            alike.peek().is_some() && alike.all(|it| it == Ordering::Less)
        };
        let is_older = |it: &&Image| {
            let barred = self.unfit.contains_key(&it.digest) || self.rejected.is_some_and(|by| by.covers(&it.digest));
            it.pushed_at < known.pushed_at && it.is_deployable() && !barred
        };
        let mut found: Option<(&Image, &String)> = None;
        for image in self.images.iter().filter(is_older) {
            let tags = image.tags.iter().filter(|it| self.counts(it) && !is_attachment_tag(it));
            for tag in tags.filter(|it| moved(it) || higher(it)) {
                let beats = |(other, last): &(&Image, &String)| match by_numbers(last, tag) {
                    Some(order) if order != Ordering::Equal => order == Ordering::Less,
                    _ => (other.pushed_at, *last) < (image.pushed_at, tag),
                };
                if found.as_ref().is_none_or(beats) {
                    found = Some((image, tag));
                }
            }
        }
        found.map(|(image, tag)| (image, tag.clone()))
    }
}

/// The order of two tags by their numbers, if they are alike but for these: `main-41` and `main-42`.
fn by_numbers(one: &str, other: &str) -> Option<Ordering> {
    let (one, other) = (pattern(one), pattern(other));
    (one.0 == other.0 && !one.1.is_empty()).then(|| one.1.cmp(&other.1))
}

/// A tag with `#` for each number and `*` for each commit, and the numbers.
fn pattern(tag: &str) -> (String, Vec<u64>) {
    let (mut shape, mut numbers) = (String::new(), Vec::new());
    for piece in tag.split_inclusive(|it: char| !it.is_ascii_alphanumeric()) {
        let word = piece.trim_end_matches(|it: char| !it.is_ascii_alphanumeric());
        let (letters, digits) = word.split_at(word.find(|it: char| it.is_ascii_digit()).unwrap_or(word.len()));
        let number = digits.bytes().all(|it| it.is_ascii_digit()).then(|| digits.parse::<u64>().ok()).flatten();
        match number {
            _ if is_commit(word) => shape.push('*'),
            Some(number) => {
                shape += &format!("{letters}#");
                numbers.push(number);
            }
            None => shape += word,
        }
        shape += &piece[word.len()..];
    }
    (shape, numbers)
}

/// Whether a word is most likely the beginning of a commit: seven hex digits or more, and not a date.
fn is_commit(word: &str) -> bool {
    let hex = word.len() >= 7 && word.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    let is_date = word.bytes().all(|it| it.is_ascii_digit()) && matches!(word.len(), 8 | 10 | 12 | 14) && {
        let part = |range: std::ops::Range<usize>| word[range].parse::<u32>().unwrap_or_default();
        part(0..2) == 20 && (1..=12).contains(&part(4..6)) && (1..=31).contains(&part(6..8))
    };
    hex && !is_date
}

/// Whether a tag is a version with the name of a variant after it: `1.2.3-alpine`.
fn is_variant(tag: &str) -> bool {
    let numbers = tag.trim_start_matches('v').split('-').next().unwrap_or_default();
    tag.contains('-') && version(numbers, None).is_some()
}
