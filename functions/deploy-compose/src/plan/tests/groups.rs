//! An Auto Scaling group that replaces its instances.

use rules::keys;

use super::model::*;
use crate::plan::{Command, Scope};

#[track_caller]
fn check(said: Vec<String>, expected: &[&str]) {
    assert_eq!(said, expected);
}

/// A group of instances that run `v1.1`.
fn group(count: usize, rule: &str) -> Shop {
    let mut shop = Shop::of(count, rule).grouped();
    shop.settle();
    shop
}

/// The image goes out to the first instance.
fn sent(shop: &mut Shop, number: u8) {
    shop.push(number);
    shop.run(None);
    let last = shop.sent.last().unwrap();
    assert_eq!((last.intent.digest(), last.ended.is_none()), (Some(&digest(number)), true));
}

#[test]
fn an_image_whose_instance_is_terminated_meanwhile_goes_out_to_no_other() {
    let mut shop = group(2, RULE);
    sent(&mut shop, 2);
    let expected = shop.group_tag(keys::COMMAND).unwrap();
    assert!(expected.contains(" on=i-1") && expected.starts_with(&format!("deploy {}", digest(2))), "{expected}");
    // The load balancer found it unhealthy before the script did.
    shop.terminate("i-1");
    shop.launch(1);
    check(
        shop.run(None),
        &[
            "api on web-3: reading back what runs (it is not known yet what runs)",
            "api of web: v1.2 is rejected, its instance was terminated (i-1 was terminated while v1.2 was deployed to it, so \
             nobody knows whether the image was at fault)",
            "- i-2: what 'newest' selects is rejected; v1.1 stays",
        ],
    );
    shop.settle();
    assert!(shop.runs.iter().filter(|(id, _)| *id != "i-1").all(|(_, it)| *it == Some(digest(1))));
    assert_eq!(
        (shop.group_tag(keys::COMMAND), shop.sent.iter().filter(|it| it.key.contains("000-")).count()),
        (None, 1)
    );
    // Whoever clears it by any instance clears it for the group.
    let cleared = shop.run(Some(("web-3", Command::Clear { image: Some("v1.2".into()) })));
    assert!(cleared.iter().any(|it| it.starts_with("api on web-2: deploying v1.2 (was v1.1)")), "{cleared:#?}");
    shop.settle();
    assert!(shop.runs.iter().filter(|(id, _)| *id != "i-1").all(|(_, it)| *it == Some(digest(2))));
    assert_eq!(shop.group_tag(keys::REJECTED), None);
}

#[test]
fn an_image_whose_group_was_put_down_meanwhile_is_deployed_in_the_morning() {
    let mut shop = group(1, RULE);
    sent(&mut shop, 2);
    shop.terminate("i-1");
    shop.later(600);
    let id = shop.launch(1);
    shop.settle();
    assert_eq!((shop.runs[&id].clone(), shop.group_tag(keys::REJECTED)), (Some(digest(2)), None));
}

#[test]
fn what_the_only_instance_rejected_stays_rejected_after_it_is_replaced() {
    let mut shop = group(1, RULE);
    shop.push(2);
    shop.settle();
    shop.push(3);
    shop.bad.push(digest(3));
    shop.settle();
    shop.terminate("i-1");
    shop.later(10);
    // Its machine image is an old one.
    let id = shop.launch(1);
    shop.settle();
    assert_eq!(shop.runs[&id], Some(digest(2)));
    let tried = shop.sent.iter().filter(|it| it.intent.digest() == Some(&digest(3))).count();
    assert_eq!(tried, 1, "what failed on the one before goes out to no other");
    check(shop.run(None), &["- i-2: what 'newest' selects is rejected; v1.2 stays"]);
    let status = shop.run(Some((&id, Command::Status)));
    assert!(status[0].ends_with("; rejected: v1.3"), "{status:?}");
    let cleared = shop.run(Some((&id, Command::Clear { image: None })));
    assert!(cleared[0].starts_with("api on web-2: v1.3 is no longer rejected"), "{cleared:#?}");
    assert_eq!(shop.group_tag(keys::REJECTED), None);
}

#[test]
fn what_a_person_chose_and_what_was_migrated_stays_known_after_the_only_instance_is_replaced() {
    let mut shop = group(1, &format!("{RULE} migrate=migrate"));
    shop.push(2);
    shop.settle();
    shop.push(3);
    shop.settle();
    shop.run(Some(("web-1", Command::Deploy { image: "v1.2".into(), now: false })));
    shop.settle();
    shop.terminate("i-1");
    shop.later(10);
    let id = shop.launch(1);
    shop.settle();
    check(shop.run(None), &["- i-2: v1.2, which a person approved instead of v1.3, stays"]);
    let last = shop.sent.iter().rfind(|it| it.instance == id).unwrap();
    assert!(last.intent.digest() == Some(&digest(2)) && !last.migrates);
}

#[test]
fn an_instance_that_is_replaced_while_it_gets_the_image_of_the_others_rejects_nothing() {
    let mut shop = group(2, RULE);
    shop.push(2);
    shop.run(None);
    shop.work(|_| true);
    shop.run(None);
    assert_eq!(shop.sent.last().unwrap().instance, "i-2");
    assert_eq!(shop.group_tag(keys::COMMAND), None, "it runs well on the first one");
    shop.terminate("i-2");
    shop.launch(1);
    shop.settle();
    assert_eq!((shop.runs["i-3"].clone(), shop.group_tag(keys::REJECTED)), (Some(digest(2)), None));
}

#[test]
fn an_instance_that_the_group_is_about_to_terminate_or_keeps_warm_gets_nothing() {
    let mut shop = group(1, RULE);
    shop.group().unwrap().members.insert("i-1".into(), "Terminating:Wait".into());
    shop.push(2);
    check(
        shop.run(None),
        &[
            "- i-1: v1.2 waits: the Auto Scaling group web is about to terminate the instance. It goes on when the group keeps it \
           after all",
        ],
    );
    shop.group().unwrap().members.insert("i-1".into(), "Warmed:Stopped".into());
    shop.instance("i-1").state = "stopped".into();
    check(
        shop.run(None),
        &[
            "- i-1: v1.2 waits: the instance is in the warm pool of its Auto Scaling group. It goes on when the group starts it",
        ],
    );
}

#[test]
fn a_group_whose_memory_cannot_be_read_deploys_nothing() {
    let mut shop = group(1, RULE);
    shop.push(2);
    shop.group().unwrap().tags.insert(keys::REJECTED.into(), "v1".into());
    check(
        shop.run(None),
        &[
            "! i-1 bad-memory: nightshift-state:rejected: unknown word 'v1' in 'v1'; accepted: the last 12 digits of digests; \
           remove the tag of the Auto Scaling group web",
        ],
    );
    shop.world.groups = Err("DescribeAutoScalingGroups groups: AccessDenied".into());
    check(
        shop.run(None),
        &[
            "! i-1 unreadable-group: what the Auto Scaling group web remembers cannot be read: DescribeAutoScalingGroups groups: \
           AccessDenied",
        ],
    );
}

#[test]
fn a_run_that_dies_before_people_are_told_of_a_terminated_instance_leaves_that_to_the_next_one() {
    let mut shop = group(2, RULE);
    sent(&mut shop, 2);
    shop.terminate("i-1");
    let mut writes = 1;
    shop.run_while(&Scope::Everywhere, None, || {
        writes -= 1;
        writes >= 0
    });
    assert!(shop.group_tag(keys::REJECTED).unwrap().contains("told=no"));
    let told = shop.run(None);
    assert!(
        told[0].starts_with("api of web: v1.2 is rejected, its instance was terminated (an instance was"),
        "{told:#?}"
    );
    check(shop.run(None), &["- i-2: what 'newest' selects is rejected; v1.1 stays"]);
}

#[test]
fn a_group_without_the_tag_remembers_nothing() {
    let mut shop = group(1, RULE);
    shop.world.groups = Ok(Vec::new());
    sent(&mut shop, 2);
    shop.work(|_| true);
    shop.settle();
    assert_eq!(shop.runs["i-1"], Some(digest(2)));
}
