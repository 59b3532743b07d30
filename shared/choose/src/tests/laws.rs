//! What holds of a choice whatever is in the repository.

use proptest::prelude::*;
use rules::ShortDigest;
use rules::memory::Approved;

use super::select::*;
use crate::{Image, Running, Selection};

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
