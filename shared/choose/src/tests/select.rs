//! Which image a rule selects.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use rules::deploy::{DeployRule, Selector};
use rules::memory::Approved;
use rules::rejections::{Rejection, Rejections};
use rules::{Digest, ShortDigest};

use crate::{Choice, Image, Running, Selection};

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
        media_type: None,
        artifact_media_type: None,
        subject: None,
        archived: false,
    }
}

fn running(number: u32, tag: &str) -> Running {
    Running { digest: Some(digest(number)), tag: Some(tag.into()), no_later_than: at(1000), elsewhere: false }
}

fn selector(rule: &str) -> Selector {
    rule.parse::<DeployRule>().unwrap().selector
}

fn rejections(images: &[Image], numbers: &[u32]) -> Rejections {
    let mut rejections = Rejections::default();
    for number in numbers {
        let image = images.iter().find(|it| it.digest == digest(*number));
        let pushed_at = image.map_or(at(0), |it| it.pushed_at);
        let tag = image.and_then(|it| it.tags.first().cloned());
        rejections.add(Rejection { digest: digest(*number), pushed_at, tag, by: "ecs".into() }, |_| true);
    }
    rejections
}

/// A question that is put together step by step.
struct Question {
    selector: Selector,
    images: Vec<Image>,
    running: Running,
    rejected: Option<Rejections>,
    approved: Option<Approved>,
    asks: bool,
    promoted: Option<Digest>,
    unfit: BTreeMap<Digest, String>,
}

impl Question {
    fn of(rule: &str, images: &[Image], running: &Running) -> Self {
        Question {
            selector: selector(rule),
            images: images.to_vec(),
            running: running.clone(),
            rejected: None,
            approved: None,
            asks: false,
            promoted: None,
            unfit: BTreeMap::new(),
        }
    }

    fn choice(&self) -> Choice<'_, '_> {
        Choice {
            selector: &self.selector,
            images: &self.images,
            running: &self.running,
            rejected: self.rejected.as_ref(),
            approved: self.approved.as_ref(),
            asks: self.asks,
            promoted: [self.promoted.as_ref(), None],
            unfit: &self.unfit,
        }
    }

    fn said(&self) -> String {
        said(&self.choice().select())
    }
}

/// Says what is selected: `newer v1.1.0`, `current v1.0.0`.
fn said(selection: &Selection<'_>) -> String {
    match selection {
        Selection::Newer { tag, .. } => format!("newer {tag}"),
        Selection::Current { tag } => format!("current {tag}"),
        Selection::Older { tag } => format!("older {tag}"),
        Selection::Declined { tag } => format!("declined {tag}"),
        Selection::Rejected { older: None } => "rejected".into(),
        Selection::Rejected { older: Some(tag) } => format!("rejected, {tag} is older"),
        Selection::NoMatch { seen } => format!("none of {}", seen.join(" ")),
        Selection::Unfit { tag, why } => format!("unfit {tag}: {why}"),
        Selection::CannotTell { tag } => format!("cannot tell {tag}"),
    }
}

#[track_caller]
fn check(rule: &str, images: &[Image], running: &Running, expected: &str) {
    assert_eq!(Question::of(rule, images, running).said(), expected, "{rule}");
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
fn each_tag_of_an_image_is_held_against_the_range() {
    let dated = [image(1, 1, &["v1.2.1", "2026.11.1"]), image(2, 58, &["v1.2.2", "2026.11.20"])];
    check("semver range=1.x", &dated, &running(1, "v1.2.1"), "newer v1.2.2");
    check("semver range=2026.x", &dated, &running(1, "v1.2.1"), "newer 2026.11.20");
    let both = [image(1, 1, &["v1.9.4"]), image(2, 58, &["v1.9.5", "v2.0.0"])];
    check("semver range=1.x", &both, &running(1, "v1.9.4"), "newer v1.9.5");
    check("semver range=1.x", &both, &running(2, "v2.0.0"), "current v1.9.5");
    let next = [image(2, 58, &["v1.9.5", "v2.0.0"]), image(3, 60, &["v1.9.6"])];
    check("semver range=1.x", &next, &running(2, "v2.0.0"), "newer v1.9.6");
    let aliases = [image(1, 1, &["1.9.4", "1.9", "1"]), image(2, 2, &["1.9.5", "1.9-slim"])];
    check("semver range=1.x", &aliases, &running(1, "1.9.4"), "newer 1.9.5");
}

#[test]
fn the_date_of_a_build_is_not_the_next_version() {
    let images = [image(1, 1, &["20250115.3"]), image(2, 100, &["1.2.1"]), image(3, 160, &["1.2.2"])];
    check("semver", &images, &running(2, "1.2.1"), "newer 1.2.2");
    check("semver", &images, &running(3, "1.2.2"), "current 1.2.2");
    // What runs decides, whichever way round.
    check("semver", &images, &running(1, "20250115.3"), "current 20250115.3");
    // Where what runs tells nothing, most of the repository does.
    check("semver", &images, &running(9, "latest"), "cannot tell 1.2.2");
    let year = [image(1, 1, &["1.9.0"]), image(2, 2, &["2026.11.1"])];
    check("semver", &year, &running(1, "1.9.0"), "current 1.9.0");
    let by_digest = Running { tag: None, ..running(1, "") };
    check("semver", &year, &by_digest, "current 1.9.0");
}

#[test]
fn zero_padded_numbers_are_numbers() {
    let images = [image(1, 1, &["2026.12.31"]), image(2, 2, &["2027.01.04"]), image(3, 3, &["2026.09.01"])];
    check("semver", &images, &running(1, "2026.12.31"), "newer 2027.01.04");
    check("semver range=2026.x", &images, &running(3, "2026.09.01"), "newer 2026.12.31");
    let releases = [image(1, 1, &["20.04"]), image(2, 2, &["19.10"]), image(3, 3, &["18.04"])];
    check("semver", &releases, &running(1, "20.04"), "current 20.04");
    let gone = Running { digest: Some(digest(9)), ..running(9, "20.10") };
    check("semver", &releases, &gone, "older 20.04");
}

#[test]
fn what_does_not_read_as_a_version_is_not_followed_by_what_is_lower() {
    let images = [image(1, 1, &["1.5.0-rc.1"]), image(2, 2, &["1.4.9"])];
    check("semver", &images, &running(1, "1.5.0-rc.1"), "older 1.4.9");
    let released = [image(1, 1, &["1.5.0-rc.1"]), image(2, 2, &["1.4.9"]), image(3, 3, &["1.5.0"])];
    check("semver", &released, &running(1, "1.5.0-rc.1"), "newer 1.5.0");
    let quad = [image(1, 1, &["1.5.0.7"]), image(2, 2, &["1.4.9"])];
    check("semver", &quad, &running(1, "1.5.0.7"), "older 1.4.9");
    let moving = [image(1, 1, &["v2"]), image(2, 2, &["v1.9.9"])];
    check("semver", &moving, &running(1, "v2"), "older v1.9.9");
    let commit = [image(1, 1, &["7f3a2b1"]), image(2, 2, &["v1.0.0"])];
    check("semver", &commit, &running(1, "7f3a2b1"), "newer v1.0.0");
    let build = [image(1, 1, &["3050"]), image(2, 2, &["v1.0.0"])];
    check("semver", &build, &running(1, "3050"), "newer v1.0.0");
}

#[test]
fn a_newer_tag_that_is_not_a_version_is_known() {
    let check = |rule: &str, tag: &str, expected: Option<&str>| {
        let images = [image(1, 1, &["v1.2.0"]), image(2, 2, &[tag])];
        let question = Question::of(rule, &images, &running(1, "v1.2.0"));
        assert_eq!(question.choice().unread().map(|(_, tag)| tag).as_deref(), expected, "{rule}: {tag}");
    };
    for tag in ["release-1.3", "v1.3.0-rc.1", "1.3.0.1", "2026.11.1", "main-abc", "latest"] {
        check("semver", tag, Some(tag));
        check("newest", tag, None);
    }
    for tag in ["v1.3.0", "1.3.0-alpine", "v1.1.9"] {
        check("semver", tag, None);
    }
    check("semver suffix=-alpine", "v1.3.0", None);
    check("semver suffix=-alpine", "v1.3-rc-alpine", Some("v1.3-rc-alpine"));
    let older = [image(1, 5, &["v1.2.0"]), image(2, 2, &["release-1.3"])];
    assert_eq!(Question::of("semver", &older, &running(1, "v1.2.0")).choice().unread(), None);
    let both = [image(1, 1, &["v1.2.0"]), image(2, 2, &["release-1.2", "v1.2.1"])];
    assert_eq!(Question::of("semver", &both, &running(1, "v1.2.0")).choice().unread(), None);
}

#[test]
fn a_tag_is_followed_wherever_it_moves_once_it_is_followed() {
    let images = [image(1, 1, &["latest"]), image(2, 2, &["abc1234"])];
    check("tag name=latest", &images, &running(1, "latest"), "current latest");
    // It was deployed by this tag, so the tag has moved since: back.
    check("tag name=latest", &images, &running(2, "latest"), "newer latest");
    // It was not: nothing says that the tag has moved.
    check("tag name=latest", &images, &running(2, "abc1234"), "older latest");
    check("tag name=abc1234", &images, &running(1, "latest"), "newer abc1234");
    let tie = [image(5, 2, &["latest"]), image(9, 2, &["abc1234"])];
    check("tag name=latest", &tie, &running(9, "abc1234"), "newer latest");
    check("newest", &tie, &running(9, "abc1234"), "current abc1234");
    check("tag name=stable", &images, &running(1, "latest"), "none of abc1234 latest");
    let unknown = Running { digest: None, ..running(1, "latest") };
    check("tag name=latest", &images, &unknown, "cannot tell latest");
    let mut back = Question::of("tag name=latest", &images, &running(2, "latest"));
    back.rejected = Some(rejections(&images, &[2]));
    assert_eq!(back.said(), "newer latest", "whoever moves a tag away from a rejected image chooses where it goes");
    back.rejected = Some(rejections(&images, &[1]));
    assert_eq!(back.said(), "rejected");
}

#[test]
fn what_is_not_a_container_image_is_never_selected() {
    let signature = format!("sha256-{:064x}.sig", 7);
    let typed = |it: Image, artifact: &str| Image { artifact_media_type: Some(artifact.into()), ..it };
    let chart = typed(image(3, 3, &["v9"]), "application/vnd.cncf.helm.config.v1+json");
    let sbom = Image { subject: Some(digest(1).to_string()), ..image(4, 4, &["v9"]) };
    let archived = Image { archived: true, ..image(5, 5, &["v9"]) };
    let cache = typed(image(6, 6, &["cache"]), "application/vnd.buildkit.cacheconfig.v0");
    let plain = typed(image(1, 1, &["v1.0.0"]), "application/vnd.docker.container.image.v1+json");
    let images = [plain, image(2, 2, &[&signature]), chart, sbom, archived, cache];
    check("newest", &images, &running(9, "v0"), "cannot tell v1.0.0");
    check("newest", &images, &running(1, "v1.0.0"), "current v1.0.0");
}

#[test]
fn what_no_container_can_be_started_from_is_left_out() {
    let images = [image(1, 1, &["v1.0.0"]), image(2, 2, &["v1.1.0"]), image(3, 3, &["v1.1.0-arm64"])];
    let mut question = Question::of("newest", &images, &running(1, "v1.0.0"));
    question.unfit.insert(digest(3), "it is for linux/arm64".into());
    assert_eq!(question.said(), "newer v1.1.0");
    question.unfit.extend([(digest(1), "a cache".into()), (digest(2), "a cache".into())]);
    assert_eq!(question.said(), "unfit v1.1.0-arm64: it is for linux/arm64");
}

#[test]
fn an_image_that_is_gone_is_older_than_what_was_pushed_after_its_deployment() {
    let gone = |minute| Running { tag: None, no_later_than: at(minute), ..running(9, "") };
    let images = [image(1, 5, &["v1.1.0"])];
    check("newest", &images, &gone(4), "newer v1.1.0");
    check("newest", &images, &gone(5), "cannot tell v1.1.0");
    let known = Running { tag: Some("v1.0.0".into()), ..gone(100) };
    check("semver", &images, &known, "newer v1.1.0");
    let placeholder = Running { digest: None, elsewhere: true, ..gone(100) };
    check("newest", &images, &placeholder, "newer v1.1.0");
}

#[test]
fn what_is_older_than_a_rejected_image_does_not_go_out_by_itself() {
    let images =
        [image(1, 1, &["v1.0.0"]), image(2, 2, &["v1.1.0"]), image(3, 3, &["v1.2.0"]), image(4, 4, &["v1.1.1"])];
    let check = |rule: &str, images: &[Image], rejected: &[u32], expected: &str| {
        let mut question = Question::of(rule, images, &running(1, "v1.0.0"));
        question.rejected = Some(rejections(images, rejected));
        assert_eq!(question.said(), expected, "{rule} {rejected:?}");
    };
    // By the push with `newest`, by the version with `semver`.
    check("newest", &images, &[3], "newer v1.1.1");
    check("semver", &images, &[3], "rejected, v1.1.1 is older");
    check("newest", &images[..3], &[3], "rejected, v1.1.0 is older");
    check("newest", &images[..1], &[3], "current v1.0.0");
    check("newest", &images, &[3, 4], "rejected, v1.1.0 is older");
    let promoted = [image(1, 1, &["v1.2.2"]), image(2, 2, &["v1.2.4"]), image(3, 3, &["v1.2.3"])];
    check("semver", &promoted, &[3], "newer v1.2.4");
    // One that is gone from the registry is known by its tag, or by its push.
    let mut question = Question::of("semver", &images, &running(1, "v1.0.0"));
    let gone = Rejection { digest: digest(7), pushed_at: at(2), tag: Some("v1.1.5".into()), by: "ecs".into() };
    question.rejected = Some({
        let mut rejections = Rejections::default();
        rejections.add(gone, |_| false);
        rejections
    });
    assert_eq!(question.said(), "newer v1.2.0");
    question.images.remove(2);
    assert_eq!(question.said(), "rejected, v1.1.1 is older");
    question.selector = selector("newest");
    assert_eq!(question.said(), "newer v1.1.1");
}

#[test]
fn a_person_may_let_out_any_image_that_is_not_rejected() {
    let images =
        [image(1, 1, &["v1.0.0"]), image(2, 2, &["v1.1.0"]), image(3, 3, &["v1.2.0"]), image(4, 0, &["hotfix"])];
    let approve = |number: u32, from: u32, instead: u32| Approved {
        digest: digest(number),
        at: at(10),
        from: Some(ShortDigest::of(&digest(from))),
        instead: Some(ShortDigest::of(&digest(instead))),
        cleared: false,
        now: false,
    };
    // Deployed before the approval; what was deployed after it is the later word.
    let before = |number, tag| Running { no_later_than: at(6), ..running(number, tag) };
    for asks in [true, false] {
        let mut question = Question { asks, ..Question::of("newest", &images, &before(1, "v1.0.0")) };
        question.approved = Some(approve(2, 1, 3));
        assert_eq!(question.said(), "newer v1.1.0", "though v1.2.0 is newer");
        question.rejected = Some(rejections(&images, &[3]));
        assert_eq!(question.said(), "newer v1.1.0", "though it is older than a rejected one");
        question.rejected = Some(rejections(&images, &[2]));
        // An approval of a rejected image is void, but what the person passed over still does not go out by itself.
        assert_eq!(question.said(), if asks { "newer v1.2.0" } else { "declined v1.2.0" });
        question.rejected = None;
        question.approved = Some(approve(4, 1, 3));
        assert_eq!(question.said(), "newer hotfix", "older than what runs");
        question.running = running(1, "v1.0.0");
        assert_eq!(question.said(), "newer v1.2.0", "what ran then was deployed anew since");
        // What a person chose instead does not go out by itself, unless each image asks a person anyway.
        question.running = before(4, "hotfix");
        assert_eq!(question.said(), if asks { "newer v1.2.0" } else { "declined v1.2.0" });
        question.images.push(image(5, 20, &["v1.3.0"]));
        assert_eq!(question.said(), "newer v1.3.0");
        // It is asked for once: when something else was deployed since, it does not come back.
        question.running = before(5, "v1.3.0");
        assert_eq!(question.said(), "current v1.3.0");
    }
    let mut question = Question::of("newest", &images, &before(1, "v1.0.0"));
    question.approved = Some(Approved { cleared: true, ..approve(2, 1, 3) });
    assert_eq!(question.said(), "newer v1.2.0", "to forgive does not approve");
    question.approved = Some(approve(2, 1, 3));
    question.images.push(image(5, 20, &["v1.3.0"]));
    assert_eq!(question.said(), "newer v1.3.0", "what was pushed since goes out as ever");
    question.asks = true;
    assert_eq!(question.said(), "newer v1.1.0", "where each image asks, this one has its answer");
}

#[test]
fn newest_leaves_out_the_tags_that_are_excepted() {
    let images = [
        image(1, 1, &["a-prod"]),
        image(2, 2, &["b-prod", "latest"]),
        image(3, 3, &["latest-x", "dev"]),
        image(4, 4, &["latest"]),
    ];
    check("newest except=latest+dev", &images, &running(1, "a-prod"), "newer latest-x");
    check("newest suffix=-prod", &images, &running(1, "a-prod"), "newer b-prod");
    check("newest suffix=-prod except=b-prod", &images, &running(1, "a-prod"), "current a-prod");
    check("newest prefix=b- suffix=-prod", &images, &running(1, "a-prod"), "newer b-prod");
    check("newest except=latest+dev+latest-x", &images[2..], &running(1, "a-prod"), "none of latest dev");
}

#[test]
fn versions_of_one_prefix_are_those_of_one_product() {
    let images = [
        image(1, 1, &["api-v1.2.0"]),
        image(2, 2, &["web-v3.0.0"]),
        image(3, 3, &["api-v1.3.0", "api-v1.3"]),
        image(4, 4, &["2.0.0"]),
    ];
    check("semver prefix=api-v", &images, &running(1, "api-v1.2.0"), "newer api-v1.3.0");
    check("semver prefix=api-", &images, &running(1, "api-v1.2.0"), "newer api-v1.3.0");
    check("semver prefix=api-v", &images, &running(3, "api-v1.3.0"), "current api-v1.3.0");
    // The version that was deployed before the rule had a prefix still counts.
    check("semver prefix=api-v", &images, &running(4, "2.0.0"), "older api-v1.3.0");
    let both = [image(1, 1, &["api-v1.2.0", "5.0.0"]), image(2, 2, &["api-v1.3.0"])];
    check("semver prefix=api-v", &both, &running(1, "api-v1.2.0"), "newer api-v1.3.0");
}

#[test]
fn a_channel_lets_its_pre_releases_and_all_releases_out() {
    let images = [image(1, 1, &["1.2.9"]), image(2, 2, &["1.3.0-rc.2"]), image(3, 3, &["1.3.0-beta.9"])];
    check("semver", &images, &running(1, "1.2.9"), "current 1.2.9");
    check("semver channel=rc", &images, &running(1, "1.2.9"), "newer 1.3.0-rc.2");
    let later = [&images[..], &[image(4, 4, &["1.3.0-rc.10"]), image(5, 5, &["1.2.10"])]].concat();
    check("semver channel=rc", &later, &running(2, "1.3.0-rc.2"), "newer 1.3.0-rc.10");
    let released = [&later[..], &[image(6, 0, &["1.3.0"])]].concat();
    check("semver channel=rc", &released, &running(4, "1.3.0-rc.10"), "newer 1.3.0");
    check("semver channel=rc range=1.2.x", &released, &running(1, "1.2.9"), "newer 1.2.10");
    // Without the channel again, what runs is not followed by what is lower.
    check("semver", &later, &running(4, "1.3.0-rc.10"), "older 1.2.10");
}

#[test]
fn bounds_hold_the_next_major_version_back() {
    let images =
        [image(1, 1, &["1.1.9"]), image(2, 2, &["1.9.0"]), image(3, 3, &["2.0.0"]), image(4, 4, &["20250115.3"])];
    check("semver from=1.2 below=2.0", &images, &running(1, "1.1.9"), "newer 1.9.0");
    check("semver from=1.2", &images, &running(1, "1.1.9"), "newer 2.0.0");
    check("semver below=1.2", &images, &running(1, "1.1.9"), "current 1.1.9");
    check("semver from=3", &images, &running(1, "1.1.9"), "none of 20250115.3 2.0.0 1.9.0 1.1.9");
}

#[test]
fn the_highest_number_of_a_build_wins() {
    let images = [
        image(1, 1, &["build-9"]),
        image(2, 2, &["build-10-7f3a2b1", "web-500"]),
        image(3, 3, &["build-8"]),
        image(4, 4, &["sha-1234567", "1234567"]),
    ];
    check("number prefix=build-", &images, &running(1, "build-9"), "newer build-10-7f3a2b1");
    check("number prefix=build-", &images, &running(2, "build-10-7f3a2b1"), "current build-10-7f3a2b1");
    check("number prefix=build-", &images[2..], &running(9, "build-10-7f3a2b1"), "older build-8");
    // Across the number of digits; a commit of nothing but digits is not the next build.
    let counted = [image(1, 1, &["999"]), image(2, 2, &["1000"]), image(3, 3, &["7654321"])];
    check("number", &counted, &running(1, "999"), "newer 1000");
    check("number", &counted, &running(2, "1000"), "current 1000");
    let commits = [image(1, 1, &["412"]), image(2, 2, &["413", "9876543"]), image(3, 3, &["414"])];
    check("number", &commits, &running(2, "413"), "newer 414");
    let dates = [image(1, 1, &["20261130-7f3a2b1"]), image(2, 2, &["20261201-0a1b2c3"])];
    check("number", &dates, &running(1, "20261130-7f3a2b1"), "newer 20261201-0a1b2c3");
    let mut question = Question::of("number", &counted, &running(1, "999"));
    question.rejected = Some(rejections(&counted, &[2]));
    assert_eq!(question.said(), "rejected");
    assert_eq!(question.choice().unread().map(|(_, tag)| tag).as_deref(), Some("7654321"));
}

#[test]
fn a_tag_that_looks_newer_and_names_an_older_image_is_known() {
    let check = |rule: &str, runs: &str, tags: &[&str], older: &[&str], expected: Option<&str>| {
        let images = [image(1, 1, older), image(2, 2, tags)];
        let question = Question::of(rule, &images, &running(2, runs));
        let found = question.choice().newer_tag_of_older_image().map(|(image, tag)| (image.digest.clone(), tag));
        assert_eq!(found, expected.map(|tag| (digest(1), tag.to_owned())), "{rule}: {runs} {older:?}");
    };
    // The build has the digest of before: ECR only adds a tag.
    check("newest prefix=main-", "main-41", &["main-41"], &["main-40", "main-42"], Some("main-42"));
    check("newest prefix=main-", "main-41", &["main-41"], &["main-40"], None);
    check("newest", "main-41", &["main-41"], &["dev-42"], None);
    check("newest", "main-41-7f3a2b1", &["main-41-7f3a2b1"], &["main-42-1234567"], Some("main-42-1234567"));
    check("newest", "20261130", &["20261130"], &["20261201"], Some("20261201"));
    check("newest", "v1.2.1", &["v1.2.1"], &["v1.3.0"], Some("v1.3.0"));
    check("newest", "v1.2.1", &["v1.2.1", "v1.4.0"], &["v1.3.0"], None);
    // Commits have no order.
    check("newest", "sha-1234567", &["sha-1234567"], &["sha-7654321"], None);
    check("newest", "7f3a2b1", &["7f3a2b1"], &["9f3a2b1"], None);
    // The tag under which it was deployed has moved back.
    check("newest", "main", &[], &["main"], Some("main"));
    check("newest except=main", "main", &[], &["main"], None);
    check("newest", "main", &["main"], &["old"], None);
    // Other rules follow such a tag.
    check("semver", "1.2.0", &["1.2.0"], &["1.3.0"], None);
    check("tag name=main", "main", &[], &["main"], None);
    let images = [image(1, 1, &["main-42"]), image(2, 2, &["main-43"]), image(3, 3, &["main-41"])];
    let mut question = Question::of("newest", &images, &running(3, "main-41"));
    let found = |question: &Question| question.choice().newer_tag_of_older_image().map(|(_, tag)| tag);
    assert_eq!(found(&question).as_deref(), Some("main-43"));
    question.rejected = Some(rejections(&images, &[2]));
    assert_eq!(found(&question).as_deref(), Some("main-42"));
}

fn images() -> impl Strategy<Value = Vec<Image>> {
    let tag = prop::sample::select(vec![
        "v1.0.0",
        "v1.1.0",
        "1.2",
        "1.2.3",
        "latest",
        "main-1",
        "3050",
        "v2.0.0-rc1",
        "2026.01.1",
        "20250115.3",
    ]);
    prop::collection::vec((0..40i64, prop::collection::vec(tag, 0..3)), 0..12).prop_map(|images| {
        images.iter().enumerate().map(|(number, (minute, tags))| image(number as u32, *minute, tags)).collect()
    })
}

fn selectors() -> impl Strategy<Value = &'static str> {
    let rules = [
        "newest",
        "newest prefix=main-",
        "newest except=latest+v1.0.0",
        "semver",
        "semver range=1.1.x",
        "semver channel=rc",
        "semver from=1.1 below=2.0",
        "number",
        "number prefix=main-",
        "tag name=latest",
    ];
    prop::sample::select(rules.to_vec())
}

proptest! {
    #[test]
    fn never_older_never_rejected_and_done_once_it_is_done(
        rule in selectors(), images in images(), number in 0..14u32, rejected in prop::collection::vec(0..14u32, 0..4),
        tag in prop::sample::select(vec!["x", "v1.0.0", "latest"]), approved in prop::option::of((0..12u32, 0..14u32)), asks in any::<bool>()
    ) {
        let mut question = Question { asks, ..Question::of(rule, &images, &running(number, tag)) };
        question.rejected = Some(rejections(&images, &rejected)).filter(|it| !it.images.is_empty());
        question.approved = approved.map(|(approved, from)| Approved {
            digest: digest(approved), at: at(50), from: Some(ShortDigest::of(&digest(from))), instead: None, cleared: false, now: false,
        });
        let selection = question.choice().select();
        let Selection::Newer { image, tag } = &selection else { return Ok(()) };
        prop_assert!(!rejected.iter().any(|it| digest(*it) == image.digest), "rejected: {}", tag);
        let was = images.iter().find(|it| it.digest == digest(number));
        let chosen = question.approved.as_ref().is_some_and(|it| it.digest == image.digest);
        if rule.starts_with("newest") && !chosen {
            prop_assert!(was.is_none_or(|was| was.pushed_at <= image.pushed_at));
        }
        let (image, tag) = ((*image).clone(), tag.clone());
        question.running = Running { digest: Some(image.digest.clone()), tag: Some(tag), no_later_than: at(1000), elsewhere: false };
        let after = question.said();
        let settled = after.starts_with("current") || after.starts_with("older") || after.starts_with("rejected") || after.starts_with("declined");
        // What a person let out may be followed by what the rule selects, which is then the end of it.
        prop_assert!(settled || chosen, "{}", after);
    }

    #[test]
    fn the_order_of_the_listing_does_not_matter(
        rule in selectors(), (images, shuffled) in images().prop_flat_map(|it| (Just(it.clone()), Just(it).prop_shuffle())),
        number in 0..14u32, rejected in prop::collection::vec(0..12u32, 0..3)
    ) {
        let mut question = Question::of(rule, &images, &running(number, "x"));
        question.rejected = Some(rejections(&images, &rejected)).filter(|it| !it.images.is_empty());
        let all = |question: &Question| {
            let choice = question.choice();
            let older = choice.newer_tag_of_older_image().map(|(_, tag)| tag);
            (question.said(), choice.unread().map(|(_, tag)| tag), older)
        };
        let one = all(&question);
        question.images = shuffled;
        prop_assert_eq!(one, all(&question));
    }
}

#[test]
fn only_what_was_live_for_long_enough_is_promoted_and_never_an_older_image() {
    let images = [image(1, 1, &["v1"]), image(2, 2, &["v2"]), image(3, 3, &["v3"]), image(4, 4, &[])];
    let mut question = Question::of("promote from=staging/api soak=24h", &images, &running(2, "v2"));
    assert_eq!(question.said(), "none of v3 v2 v1");
    for (promoted, expected) in [
        (3, "newer v3"),
        (2, "current v2"),
        (1, "older v1"),
        // Its tag has moved on.
        (4, "newer sha256:000000000000"),
    ] {
        question.promoted = Some(digest(promoted));
        assert_eq!(question.said(), expected);
    }
    question.promoted = Some(digest(3));
    question.rejected = Some(rejections(&images, &[3]));
    assert_eq!(question.said(), "rejected");
}

#[test]
fn an_approval_waits_until_its_image_was_live_for_long_enough_unless_it_says_now() {
    let images = [image(1, 1, &["v1"]), image(2, 2, &["v2"])];
    let mut question = Question::of("promote from=staging/api soak=24h", &images, &running(1, "v1"));
    question.asks = true;
    question.running.no_later_than = at(3);
    let from = Some(ShortDigest::of(&digest(1)));
    let approved = Approved { digest: digest(2), at: at(10), from, instead: None, cleared: false, now: false };
    question.approved = Some(approved.clone());
    assert_eq!(question.said(), "none of v2 v1");
    question.approved = Some(Approved { now: true, ..approved.clone() });
    assert_eq!(question.said(), "newer v2");
    question.approved = Some(approved);
    question.promoted = Some(digest(2));
    assert_eq!(question.said(), "newer v2");
}
