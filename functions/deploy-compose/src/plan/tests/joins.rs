//! Instances that are started while their fleet runs something.

use rules::keys;

use super::model::*;
use crate::plan::Command;

/// What is said of the instance that was launched, and what runs on it once all is done.
#[track_caller]
fn check(shop: &mut Shop, launched: u8, said: &str, ends: u8) {
    let id = shop.launch(launched);
    shop.run(None);
    shop.work(|_| true);
    let told = shop.run(None);
    let name = format!("web-{}", &id[2..]);
    let about = |it: &&String| (it.contains(&name) || it.contains(&id)) && !it.contains("it was read back");
    assert_eq!(told.iter().find(about).map(String::as_str), Some(said), "{told:#?}");
    shop.settle();
    assert_eq!(shop.runs[&id], Some(digest(ends)));
}

/// Two instances that run `v1.2` well.
fn fleet(rule: &str) -> Shop {
    let mut shop = Shop::known(2, rule);
    shop.push(2);
    if rule.contains("approval=manual") {
        shop.run(Some(("web-1", Command::Approve { image: "v1.2".into() })));
    }
    shop.settle();
    assert!(shop.runs.values().all(|it| *it == Some(digest(2))));
    shop.later(600);
    shop
}

const JOINS: &str = "api on web-3: deploying v1.2 (was v1.1) (v1.2 ran on its fleet before this instance was started)";

#[test]
fn it_gets_the_image_of_its_fleet_while_a_newer_one_waits_for_a_person() {
    let mut shop = fleet(&format!("{RULE} approval=manual migrate=migrate"));
    shop.push(3);
    check(&mut shop, 1, JOINS, 2);
    let sent = shop.sent.iter().rfind(|it| it.instance == "i-3").unwrap();
    assert!(!sent.migrates, "the database has it already");
    // What a person lets out then goes out everywhere.
    shop.run(Some(("web-3", Command::Approve { image: "v1.3".into() })));
    shop.settle();
    assert!(shop.runs.values().all(|it| *it == Some(digest(3))));
}

#[test]
fn it_gets_the_image_of_its_fleet_outside_of_every_window_and_in_a_freeze() {
    for (key, value) in [(keys::DEPLOY_WINDOW, "mon 02:00-03:00"), (keys::FREEZE, "inventory until Monday")] {
        let mut shop = fleet(RULE);
        shop.push(3);
        for id in ["i-1", "i-2"] {
            shop.instance(id).tags.insert(key.into(), value.into());
        }
        check(&mut shop, 1, JOINS, 2);
    }
}

#[test]
fn it_gets_the_image_of_its_fleet_after_a_newer_one_was_rejected_there() {
    let mut shop = fleet(RULE);
    shop.push(3);
    shop.bad.push(digest(3));
    shop.settle();
    shop.later(1);
    check(&mut shop, 1, JOINS, 2);
}

#[test]
fn it_gets_what_a_person_chose_in_place_of_the_newest_and_keeps_it() {
    let mut shop = fleet(RULE);
    shop.push(3);
    shop.settle();
    shop.run(Some(("web-1", Command::Deploy { image: "v1.2".into(), now: false })));
    shop.settle();
    shop.later(1);
    check(&mut shop, 1, JOINS, 2);
    let told = shop.run(None);
    assert_eq!(told[2], "- i-3: v1.2, which a person approved instead of v1.3, stays");
}

#[test]
fn it_goes_back_to_what_its_fleet_had_before_and_not_to_its_machine_image() {
    for grouped in [false, true] {
        let mut shop = if grouped { fleet(RULE).grouped() } else { fleet(RULE) };
        shop.push(3);
        shop.settle();
        shop.later(1);
        let id = shop.launch(1);
        shop.settle();
        assert_eq!(shop.runs[&id], Some(digest(3)));
        if grouped {
            // Nothing but the group knows by now what ran before.
            shop.terminate("i-1");
            shop.terminate("i-2");
            shop.settle();
        }
        shop.run(Some((&id, Command::RollBack { image: None })));
        shop.settle();
        let runs: Vec<_> = shop.world.instances.iter().map(|it| shop.runs[&it.id].clone()).collect();
        assert!(runs.iter().all(|it| *it == Some(digest(2))), "{grouped}: {runs:?}");
    }
}

#[test]
fn it_gets_the_image_of_its_fleet_in_place_of_one_that_the_repository_no_longer_has() {
    let mut shop = fleet(&format!("{RULE} approval=manual"));
    shop.push(3);
    let joins = JOINS.replace("(was v1.1)", &format!("(was {})", digest(99).short()));
    check(&mut shop, 99, &joins, 2);
}

#[test]
fn a_newer_image_that_it_was_made_with_stays() {
    let mut shop = fleet(&format!("{RULE} approval=manual"));
    shop.push(3);
    check(&mut shop, 3, "- i-3: runs v1.3, the one that 'newest' selects in api", 3);
}

#[test]
fn an_instance_that_nobody_had_looked_at_when_a_person_let_an_image_out_does_not_lag_behind() {
    let mut shop = Shop::known(1, &format!("{RULE} approval=manual"));
    let id = shop.launch(1);
    shop.push(2);
    shop.push(3);
    shop.run(Some(("web-1", Command::Approve { image: "v1.2".into() })));
    shop.settle();
    assert_eq!([&shop.runs["i-1"], &shop.runs[&id]], [&Some(digest(2)); 2]);
}

#[test]
fn an_instance_that_was_stopped_for_long_waits_for_its_window_and_for_no_person() {
    let mut shop = fleet(&format!("{RULE} approval=manual"));
    shop.instance("i-2").state = "stopped".into();
    shop.push(3);
    shop.run(Some(("web-1", Command::Deploy { image: "v1.3".into(), now: false })));
    shop.settle();
    shop.push(4);
    shop.later(60);
    let at = shop.now.timestamp();
    let instance = shop.instance("i-2");
    (instance.state, instance.launched_at) = ("running".into(), Some(at));
    instance.tags.insert(keys::FREEZE.into(), "a look at its disk".into());
    shop.settle();
    let frozen = shop.run(None);
    assert!(frozen[1].starts_with("! i-2 frozen: v1.3 "), "{frozen:#?}");
    shop.instance("i-2").tags.remove(keys::FREEZE);
    shop.settle();
    assert_eq!(shop.runs["i-2"], Some(digest(3)));
}
