//! What people said of images, and what another service has proven.

use rules::ShortDigest;
use rules::memory::Approved;
use rules::rejections::{Rejection, Rejections};

use super::select::*;
use crate::{Image, Running};

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
