//! Which image of a repository a rule selects, and whether the service may be brought to it.

use std::cmp::Ordering;

use jiff::Timestamp;
use rules::Digest;
use rules::deploy::Selector;
use rules::memory::Rejected;
use rules::version::version;
use semver::Version;

use super::world::Image;

/// The image that a service runs, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its digest.
    pub digest: Option<Digest>,
    /// What it was called when it was brought.
    pub tag: Option<String>,
    /// It was pushed no later than this.
    pub no_later_than: Timestamp,
}

/// What a rule selects, seen from the image that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection<'a> {
    /// A newer image.
    Newer {
        /// The image.
        image: &'a Image,
        /// The tag by which it was selected.
        tag: String,
    },
    /// The image that runs.
    Current {
        /// The tag by which it was selected.
        tag: String,
    },
    /// An image that is older than the one that runs.
    Older {
        /// The tag by which it was selected.
        tag: String,
    },
    /// Nothing but rejected images.
    Rejected,
    /// No image at all; the repository has, among others, these tags.
    NoMatch {
        /// Some of the repository's tags.
        seen: Vec<String>,
    },
    /// An image of which it cannot be told whether it is newer.
    CannotTell {
        /// The tag by which it was selected.
        tag: String,
    },
}

/// Selects an image.
///
/// What is covered by `rejected` does not count. What runs may itself be older than a rejected image: then it stays.
pub fn select<'a>(
    selector: &Selector,
    images: &'a [Image],
    running: &Running,
    rejected: Option<&Rejected>,
) -> Selection<'a> {
    let matching: Vec<Candidate<'a>> = images.iter().filter_map(|it| Candidate::of(it, selector)).collect();
    if matching.is_empty() {
        return Selection::NoMatch { seen: some_tags(images) };
    }
    let eligible = |it: &&Candidate| !rejected.is_some_and(|by| by.covers(&it.image.digest, it.image.pushed_at));
    let Some(best) = matching.iter().filter(eligible).max_by(|a, b| a.order(b)) else {
        return match running.digest.as_ref().and_then(|digest| matching.iter().find(|it| it.image.digest == *digest)) {
            Some(it) if rejected.is_none_or(|by| by.digest != it.image.digest) && newest(&matching, it) => {
                Selection::Current { tag: it.tag.clone() }
            }
            _ => Selection::Rejected,
        };
    };
    let (image, tag) = (best.image, best.tag.clone());
    if running.digest.as_ref() == Some(&image.digest) {
        return Selection::Current { tag };
    }
    match best.compared_with(running, images, selector) {
        // Of two that are alike in age the one that was chosen counts as newer: the choice is the same every time.
        Some(Ordering::Greater | Ordering::Equal) => Selection::Newer { image, tag },
        Some(Ordering::Less) => Selection::Older { tag },
        None => Selection::CannotTell { tag },
    }
}

/// Whether an image that the rule can select is newer than the one that runs; `None` if that cannot be told.
pub fn is_newer(selector: &Selector, images: &[Image], running: &Running, digest: &Digest) -> Option<bool> {
    let image = images.iter().find(|it| it.digest == *digest)?;
    let order = Candidate::of(image, selector)?.compared_with(running, images, selector)?;
    Some(order == Ordering::Greater)
}

/// Whether nothing that matches is newer.
fn newest(matching: &[Candidate<'_>], it: &Candidate<'_>) -> bool {
    matching.iter().all(|other| other.order(it) != Ordering::Greater)
}

/// An image that matches a rule.
struct Candidate<'a> {
    image: &'a Image,
    tag: String,
    version: Option<Version>,
}

impl<'a> Candidate<'a> {
    fn of(image: &'a Image, selector: &Selector) -> Option<Self> {
        if !is_deployable(image) {
            return None;
        }
        let tags = image.tags.iter().filter(|it| !is_attachment(it));
        let (tag, version) = match selector {
            Selector::Newest { prefix } => {
                let tags = tags.filter(|it| prefix.as_ref().is_none_or(|prefix| it.starts_with(prefix.as_str())));
                (best_name(tags)?, None)
            }
            Selector::Semver { range, .. } => {
                // An image may hold the tag that moves with a version (`1.2`) beside the version itself (`1.2.3`).
                let (version, tag) = tags.filter_map(|it| Some((version_of(it, selector)?, it))).max()?;
                if range.as_ref().is_some_and(|range| !range.allows(&version)) {
                    return None;
                }
                (tag.clone(), Some(version))
            }
            Selector::Tag { name } => (tags.filter(|it| *it == name).min()?.clone(), None),
        };
        Some(Candidate { image, tag, version })
    }

    /// The order in which images are newer than others; the digest only makes it total.
    fn order(&self, other: &Self) -> Ordering {
        let key = |it: &Self| (it.version.clone(), it.image.pushed_at);
        key(self).cmp(&key(other)).then_with(|| self.image.digest.cmp(&other.image.digest))
    }

    /// Whether it is newer than the image that runs; `None` if that cannot be told.
    fn compared_with(&self, running: &Running, images: &[Image], selector: &Selector) -> Option<Ordering> {
        let known = images.iter().find(|it| Some(&it.digest) == running.digest.as_ref());
        // A rule that got its suffix only now is still to see the version that was brought without it.
        let read = |tag: &String| version_of(tag, selector).or_else(|| version(tag, None));
        let running_version =
            known.and_then(|it| it.tags.iter().filter_map(read).max()).or_else(|| running.tag.as_ref().and_then(read));
        let by_version = match (&self.version, &running_version) {
            (Some(version), Some(running)) => version.cmp(running),
            _ => Ordering::Equal,
        };
        if by_version != Ordering::Equal {
            return Some(by_version);
        }
        match known {
            Some(known) => Some(self.image.pushed_at.cmp(&known.pushed_at)),
            // It is gone, but it was pushed before this at least.
            None if self.image.pushed_at > running.no_later_than => Some(Ordering::Greater),
            None => None,
        }
    }
}

/// The version that a tag stands for under a rule that goes by versions, whether its range allows it or not.
fn version_of(tag: &str, selector: &Selector) -> Option<Version> {
    let Selector::Semver { suffix, .. } = selector else { return None };
    version(tag, suffix.as_deref())
}

/// What people would call an image of several tags: rather a name of its own than the one that moves.
fn best_name<'a>(tags: impl Iterator<Item = &'a String>) -> Option<String> {
    tags.min_by_key(|it| (*it == "latest", *it)).cloned()
}

/// Whether it is a container image, of those that a registry holds.
fn is_deployable(image: &Image) -> bool {
    const IMAGE_CONFIGS: [&str; 2] =
        ["application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json"];
    let artifact = image.artifact_media_type.as_deref();
    !image.archived && image.subject.is_none() && artifact.is_none_or(|it| it.is_empty() || IMAGE_CONFIGS.contains(&it))
}

/// Whether a tag is one under which cosign and its like attach signatures and the like: `sha256-….sig`.
///
/// Their media type is that of an ordinary image, so only the name gives them away.
fn is_attachment(tag: &str) -> bool {
    let Some(rest) = tag.strip_prefix("sha256-") else { return false };
    rest.len() >= 64 && rest.bytes().take(64).all(|it| it.is_ascii_hexdigit())
}

fn some_tags(images: &[Image]) -> Vec<String> {
    let mut latest: Vec<&Image> = images.iter().filter(|it| is_deployable(it)).collect();
    latest.sort_by_key(|it| (std::cmp::Reverse(it.pushed_at), &it.digest));
    let names = latest.iter().filter_map(|it| best_name(it.tags.iter().filter(|it| !is_attachment(it))));
    names.take(5).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rules::deploy::DeployRule;

    use super::*;

    fn digest(number: u32) -> Digest {
        format!("sha256:{number:064x}").parse().unwrap()
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + minute * 60).unwrap()
    }

    fn image(number: u32, minute: i64, tags: &[&str]) -> Image {
        Image {
            digest: digest(number),
            tags: tags.iter().map(|it| it.to_string()).collect(),
            pushed_at: at(minute),
            artifact_media_type: None,
            subject: None,
            archived: false,
        }
    }

    fn running(number: u32, tag: &str) -> Running {
        Running { digest: Some(digest(number)), tag: Some(tag.into()), no_later_than: at(1000) }
    }

    fn selector(rule: &str) -> Selector {
        rule.parse::<DeployRule>().unwrap().selector
    }

    /// Says what is selected: `newer v1.1.0`, `current v1.0.0`.
    fn said(selection: &Selection<'_>) -> String {
        match selection {
            Selection::Newer { tag, .. } => format!("newer {tag}"),
            Selection::Current { tag } => format!("current {tag}"),
            Selection::Older { tag } => format!("older {tag}"),
            Selection::Rejected => "rejected".into(),
            Selection::NoMatch { seen } => format!("none of {}", seen.join(" ")),
            Selection::CannotTell { tag } => format!("cannot tell {tag}"),
        }
    }

    #[track_caller]
    fn check(rule: &str, images: &[Image], running: &Running, expected: &str) {
        assert_eq!(said(&select(&selector(rule), images, running, None)), expected, "{rule}");
    }

    #[test]
    fn newest_goes_by_the_push() {
        let images =
            [image(1, 1, &["v2.0.0"]), image(2, 2, &["v1.0.0", "latest"]), image(3, 3, &[]), image(4, 0, &["main-1"])];
        check("newest", &images, &running(1, "v2.0.0"), "newer v1.0.0");
        check("newest", &images, &running(2, "v1.0.0"), "current v1.0.0");
        check("newest prefix=main-", &images, &running(1, "v2.0.0"), "older main-1");
        check("newest prefix=dev-", &images, &running(1, "v2.0.0"), "none of v1.0.0 v2.0.0 main-1");
        check("newest", &[], &running(1, "v2.0.0"), "none of ");
    }

    #[test]
    fn semver_goes_by_the_version_and_then_by_the_push() {
        let images = [
            image(1, 1, &["v1.9.0"]),
            image(2, 2, &["v1.10.0"]),
            image(3, 3, &["1.2"]),
            image(4, 4, &["v2.0.0-rc1"]),
            image(5, 5, &["3050"]),
            image(6, 6, &["v1.10.1-alpine"]),
        ];
        check("semver", &images, &running(1, "v1.9.0"), "newer v1.10.0");
        check("semver", &images, &running(2, "v1.10.0"), "current v1.10.0");
        check("semver range=1.2.x", &images, &running(1, "v1.9.0"), "older 1.2");
        let later = [image(1, 1, &["v2.0.0"]), image(2, 2, &["v1.9.0"])];
        check("semver range=1.x", &later, &running(1, "v2.0.0"), "older v1.9.0");
        check("semver suffix=-alpine", &images, &running(1, "v1.9.0"), "newer v1.10.1-alpine");
        check("semver range=2.x", &images, &running(1, "v1.9.0"), "none of v1.10.1-alpine 3050 v2.0.0-rc1 1.2 v1.10.0");
        let moving = [image(1, 1, &["1.2.3", "1.2"]), image(2, 0, &["1.2.0"])];
        check("semver range=1.2.0", &moving, &running(2, "1.2.0"), "current 1.2.0");
        check("semver", &moving, &running(2, "1.2.0"), "newer 1.2.3");
        let variants = [image(1, 1, &["2.0.0"]), image(2, 2, &["1.0.1-alpine"])];
        check("semver suffix=-alpine", &variants, &running(1, "2.0.0"), "older 1.0.1-alpine");
        let again = [image(1, 1, &[]), image(2, 5, &["v1.0.0"])];
        check("semver", &again, &running(1, "v1.0.0"), "newer v1.0.0");
    }

    #[test]
    fn a_tag_is_followed_wherever_it_moves_but_never_back() {
        let images = [image(1, 1, &["latest"]), image(2, 2, &["abc1234"])];
        check("tag name=latest", &images, &running(1, "latest"), "current latest");
        check("tag name=latest", &images, &running(2, "abc1234"), "older latest");
        check("tag name=abc1234", &images, &running(1, "latest"), "newer abc1234");
        let tie = [image(5, 2, &["latest"]), image(9, 2, &["abc1234"])];
        check("tag name=latest", &tie, &running(9, "abc1234"), "newer latest");
        check("newest", &tie, &running(9, "abc1234"), "current abc1234");
        check("tag name=stable", &images, &running(1, "latest"), "none of abc1234 latest");
    }

    #[test]
    fn what_is_no_container_image_is_never_selected() {
        let signature = format!("sha256-{:064x}.sig", 7);
        let chart = Image {
            artifact_media_type: Some("application/vnd.cncf.helm.config.v1+json".into()),
            ..image(3, 3, &["v9"])
        };
        let sbom = Image { subject: Some(digest(1).to_string()), ..image(4, 4, &["v9"]) };
        let archived = Image { archived: true, ..image(5, 5, &["v9"]) };
        let config = Some("application/vnd.docker.container.image.v1+json".to_owned());
        let plain = Image { artifact_media_type: config, ..image(1, 1, &["v1.0.0"]) };
        let images = [plain, image(2, 2, &[&signature]), chart, sbom, archived];
        check("newest", &images, &running(9, "v0"), "cannot tell v1.0.0");
        check("newest", &images, &running(1, "v1.0.0"), "current v1.0.0");
    }

    #[test]
    fn an_image_that_is_gone_is_older_than_what_was_pushed_after_its_deployment() {
        let gone = |minute| Running { digest: Some(digest(9)), tag: None, no_later_than: at(minute) };
        let images = [image(1, 5, &["v1.1.0"])];
        check("newest", &images, &gone(4), "newer v1.1.0");
        check("newest", &images, &gone(5), "cannot tell v1.1.0");
        let known = Running { tag: Some("v1.0.0".into()), ..gone(100) };
        check("semver", &images, &known, "newer v1.1.0");
    }

    #[test]
    fn a_rejection_covers_everything_pushed_before_it() {
        let images =
            [image(1, 1, &["v1.0.0"]), image(2, 2, &["v1.1.0"]), image(3, 3, &["v1.2.0"]), image(4, 4, &["v1.1.1"])];
        let rejected = Rejected { digest: digest(3), pushed_at: at(3), tag: None, by: None };
        let selected =
            |images: &[Image]| said(&select(&selector("semver"), images, &running(1, "v1.0.0"), Some(&rejected)));
        assert_eq!(selected(&images), "newer v1.1.1");
        assert_eq!(selected(&images[..3]), "rejected");
        assert_eq!(
            selected(&images[..1]),
            "current v1.0.0",
            "the newest there is, though pushed before the rejected one"
        );
    }

    fn images() -> impl Strategy<Value = Vec<Image>> {
        let tag = prop::sample::select(vec!["v1.0.0", "v1.1.0", "1.2", "latest", "main-1", "3050", "v2.0.0-rc1"]);
        prop::collection::vec((0..40i64, prop::collection::vec(tag, 0..3)), 0..12).prop_map(|images| {
            images.iter().enumerate().map(|(number, (minute, tags))| image(number as u32, *minute, tags)).collect()
        })
    }

    fn selectors() -> impl Strategy<Value = Selector> {
        let rules = ["newest", "newest prefix=main-", "semver", "semver range=1.1.x", "tag name=latest"];
        prop::sample::select(rules.to_vec()).prop_map(selector)
    }

    fn rejections() -> impl Strategy<Value = Option<Rejected>> {
        prop::option::of((0..12u32, 0..40i64)).prop_map(|it| {
            it.map(|(number, minute)| Rejected { digest: digest(number), pushed_at: at(minute), tag: None, by: None })
        })
    }

    proptest! {
        #[test]
        fn never_older_never_rejected_and_done_once_it_is_done(
            selector in selectors(), images in images(), number in 0..14u32, rejected in rejections()
        ) {
            let before = running(number, "x");
            let Selection::Newer { image, tag } = select(&selector, &images, &before, rejected.as_ref()) else {
                return Ok(());
            };
            prop_assert!(!rejected.as_ref().is_some_and(|it| it.covers(&image.digest, image.pushed_at)));
            let was = images.iter().find(|it| it.digest == digest(number));
            if !matches!(selector, Selector::Semver { .. }) {
                prop_assert!(was.is_none_or(|was| was.pushed_at <= image.pushed_at));
            }
            let after = Running { digest: Some(image.digest.clone()), tag: Some(tag.clone()), no_later_than: at(1000) };
            prop_assert_eq!(select(&selector, &images, &after, rejected.as_ref()), Selection::Current { tag });
        }

        #[test]
        fn the_order_of_the_listing_does_not_matter(
            selector in selectors(), (images, shuffled) in images().prop_flat_map(|it| (Just(it.clone()), Just(it).prop_shuffle())),
            number in 0..14u32, rejected in rejections()
        ) {
            let running = running(number, "x");
            prop_assert_eq!(
                select(&selector, &images, &running, rejected.as_ref()),
                select(&selector, &shuffled, &running, rejected.as_ref())
            );
        }
    }
}
