//! Which image a rule selects.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rules::Digest;
use rules::deploy::{DeployRule, Selector};
use rules::memory::Approved;
use rules::rejections::{Rejection, Rejections};

use crate::{Choice, Image, Running, Selection};

pub(super) fn digest(number: u32) -> Digest {
    format!("sha256:{number:064x}").parse().unwrap()
}

pub(super) fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + minute * 60).unwrap()
}

pub(super) fn image(number: u32, minute: i64, tags: &[&str]) -> Image {
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

pub(super) fn running(number: u32, tag: &str) -> Running {
    Running { digest: Some(digest(number)), tag: Some(tag.into()), no_later_than: at(1000), elsewhere: false }
}

pub(super) fn selector(rule: &str) -> Selector {
    rule.parse::<DeployRule>().unwrap().selector
}

pub(super) fn rejections(images: &[Image], numbers: &[u32]) -> Rejections {
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
pub(super) struct Question {
    pub selector: Selector,
    pub images: Vec<Image>,
    pub running: Running,
    pub rejected: Option<Rejections>,
    pub approved: Option<Approved>,
    pub asks: bool,
    pub promoted: Option<Digest>,
    pub unfit: BTreeMap<Digest, String>,
}

impl Question {
    pub fn of(rule: &str, images: &[Image], running: &Running) -> Self {
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

    pub fn choice(&self) -> Choice<'_, '_> {
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

    pub fn said(&self) -> String {
        said(&self.choice().select())
    }
}

/// Says what is selected: `newer v1.1.0`, `current v1.0.0`.
pub(super) fn said(selection: &Selection<'_>) -> String {
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
pub(super) fn check(rule: &str, images: &[Image], running: &Running, expected: &str) {
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
