//! What a rule leaves out though it looks newer: people are told of it.

use rules::deploy::Selector;
use rules::version::{Shape, closest_version, version};

use crate::choice::Choice;
use crate::image::{Image, best_name};
use crate::kind::is_attachment_tag;

impl<'a> Choice<'_, 'a> {
    /// The newest image without a tag that the rule could read, if it was pushed after the one that runs, and its tag.
    ///
    /// Only rules that go by versions leave out what is newer; tags of other variants of a version are read well enough.
    pub fn unread(&self) -> Option<(&'a Image, String)> {
        let Selector::Semver { suffix, .. } = self.selector else { return None };
        let shape = self.shape();
        let since = self.pushed_at(self.running.digest.as_ref()).unwrap_or(self.running.no_later_than);
        let reads = |tag: &String| {
            let read = version(tag, suffix.as_deref()).filter(|it| shape.is_none_or(|shape| Shape::of(it) == shape));
            // Another variant of a version: `1.2.3-alpine` where no suffix, or another one, is asked for.
            let other = closest_version(tag).filter(|it| it.pre.is_empty() && tag.contains('.') && !tag.contains('+'));
            let variant =
                || other.is_some_and(|it| shape.is_none_or(|shape| Shape::of(&it) == shape)) && is_variant(tag);
            read.is_some() || version(tag, None).is_some() && suffix.is_some() || variant()
        };
        let unread = |it: &&Image| {
            it.pushed_at > since
                && it.is_deployable()
                && !it.tags.iter().any(reads)
                && it.tags.iter().any(|it| !is_attachment_tag(it))
        };
        let newest = self.images.iter().filter(unread).max_by_key(|it| (it.pushed_at, &it.digest))?;
        let name = best_name(newest.tags.iter().filter(|it| !is_attachment_tag(it)))?;
        (!self.unfit.contains_key(&newest.digest)).then_some((newest, name))
    }
}

/// Whether a tag is a version with the name of a variant after it: `1.2.3-alpine`.
fn is_variant(tag: &str) -> bool {
    let numbers = tag.trim_start_matches('v').split('-').next().unwrap_or_default();
    tag.contains('-') && version(numbers, None).is_some()
}
