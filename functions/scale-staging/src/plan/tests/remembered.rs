//! What is remembered: that it is of this very resource, and what happens when it is lost.

use proptest::prelude::*;
use proptest::sample::select;
use rules::keys;
use rules::sleep::{Asleep, Suspended};

use super::model::*;
use crate::plan::Call;

fn told(shop: &Shop, now: &str) -> Vec<String> {
    shop.lines(&sweep(), &at(now)).into_iter().filter(|it| it.starts_with('!')).collect()
}

#[test]
fn a_sleeper_that_lost_its_memory_is_told_and_not_taken_for_one_that_had_no_tasks() {
    let mut shop = shop(vec![scaled("api", HOURS, 3, 2, 6)], vec![]);
    shop.run_until_quiet(&at("2026-11-19T20:00"));
    // terraform apply takes away the tags that it does not know.
    shop.service("api").tags.retain(|key, _| !key.starts_with(keys::MEMORY));
    for now in ["2026-11-19T23:00", "2026-11-20T08:00", "2026-11-20T12:00"] {
        assert_eq!(shop.run(&sweep(), &at(now)), 0, "{now}");
        let told = told(&shop, now);
        let expected =
            "! api memory-lost: it has 0 tasks and all of its scaling is suspended, as Nightshift leaves what";
        assert!(told.len() == 1 && told[0].starts_with(expected), "{told:#?}");
    }
    // Whoever sets its count ends that.
    shop.service("api").desired = 3;
    shop.service("api").target.as_mut().unwrap().suspended = Suspended::default();
    assert_eq!(told(&shop, "2026-11-20T12:00"), [""; 0]);
}

#[test]
fn a_database_that_lost_its_memory_in_its_sleep_wakes_all_the_same() {
    let mut shop = shop(vec![], vec![database("db", HOURS), database("own", HOURS)]);
    // A person stopped that one before the evening.
    let own = shop.database("own");
    (own.status, own.restarts_at) = ("stopped".into(), Some(at("2026-11-26T18:00").timestamp()));
    shop.run_until_quiet(&at("2026-11-19T20:00"));
    shop.databases.iter_mut().for_each(|it| it.database.tags.retain(|key, _| !key.starts_with(keys::MEMORY)));
    let lines = shop.lines(&sweep(), &at("2026-11-19T23:00"));
    assert!(lines[0].starts_with("* db remember: was stopped in its sleep and its tag was lost"), "{lines:#?}");
    assert!(lines[1].starts_with("* own remember: had already been stopped by hand"), "{lines:#?}");
    shop.run_until_quiet(&at("2026-11-19T23:00"));
    shop.run_until_quiet(&at("2026-11-20T08:00"));
    assert_eq!(shop.database("db").status, "available");
    assert_eq!(shop.database("own").status, "stopped");
}

#[test]
fn a_restored_database_does_not_sleep_for_the_one_that_it_was_made_of() {
    for (memory, created) in [
        ("since=2026-11-19T11:00:00Z by=person of=db-app", "2026-11-19T11:30"),
        // Older versions remembered no resource; but this one did not exist then.
        ("since=2026-11-19T11:00:00Z by=person", "2026-11-20T11:30"),
    ] {
        let mut shop = shop(vec![], vec![database("app-restored", "always")]);
        shop.databases[0].created_at = Some(at(created).timestamp());
        shop.database("app-restored").tags.insert(keys::ASLEEP.into(), memory.into());
        shop.check(
            "2026-11-20T12:00",
            &["* app-restored remember: forgets what its tags say of another database, which it was restored from or \
             replaces | 'always' wants it awake; no next change"],
        );
        shop.run_until_quiet(&at("2026-11-20T12:00"));
        let db = shop.database("app-restored");
        assert_eq!((db.status.as_str(), db.tags.get(keys::ASLEEP)), ("available", None));
    }
}

#[test]
fn a_service_that_was_created_anew_keeps_its_own_size() {
    let mut shop = shop(vec![service("api", HOURS, 5)], vec![]);
    let memory = "since=2026-11-19T11:00:00Z desired=2 by=schedule of=2025-06-01T00:00:00Z";
    shop.service("api").tags.insert(keys::ASLEEP.into(), memory.into());
    shop.run_until_quiet(&at("2026-11-20T12:00"));
    assert_eq!((shop.service("api").desired, shop.service("api").tags.get(keys::ASLEEP).cloned()), (5, None));
    shop.service("api").tags.insert(keys::ASLEEP.into(), memory.into());
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    let asleep: Asleep = shop.service("api").tags[keys::ASLEEP].parse().unwrap();
    assert_eq!((shop.service("api").desired, asleep.desired), (0, Some(5)));
}

#[test]
fn the_snapshot_of_a_stop_does_not_carry_what_is_said_to_its_database() {
    let mut shop = shop(vec![], vec![database("db", HOURS)]);
    shop.databases[0].copies_tags = true;
    let tags = &mut shop.database("db").tags;
    tags.insert(keys::BACKUP.into(), "days=30".into());
    tags.insert("aws:cloudformation:stack-name".into(), "shop".into());
    // With its own three there would be 52.
    tags.extend((0..47).map(|it| (format!("tag-{it:02}"), "x".to_owned())));
    let plan = shop.plan(&sweep(), &at("2026-11-20T20:00"));
    let calls = plan.steps.iter().flat_map(|it| &it.step.calls);
    let Some(Call::TagSnapshot { remove, tags, .. }) =
        calls.into_iter().find(|it| matches!(it, Call::TagSnapshot { .. }))
    else {
        panic!("{plan:#?}")
    };
    let gone: Vec<&str> = remove.iter().map(String::as_str).collect();
    assert!([keys::BACKUP, keys::SCHEDULE, keys::ASLEEP].iter().all(|it| gone.contains(it)), "{gone:?}");
    assert!(!gone.contains(&"aws:cloudformation:stack-name"), "{gone:?}");
    // What is left of those that it was born with, and its own, have room.
    let counts = |it: &&String| !gone.contains(&it.as_str()) && !it.starts_with("aws:");
    let born = shop.databases[0].database.tags.keys().filter(counts).count();
    let own = tags.iter().filter(|(key, _)| !shop.databases[0].database.tags.contains_key(key)).count();
    assert!(born + own <= 50, "{born} + {own}");
    assert!(tags.iter().all(|(key, _)| !key.starts_with(keys::PEOPLE)));
    // Without copying there is nothing to take off.
    shop.databases[0].copies_tags = false;
    let plan = shop.plan(&sweep(), &at("2026-11-20T20:00"));
    assert!(
        plan.steps
            .iter()
            .flat_map(|it| &it.step.calls)
            .any(|it| matches!(it, Call::TagSnapshot { remove, .. } if remove.is_empty()))
    );
}

proptest! {
    #[test]
    fn memory_of_another_resource_is_never_used(
        schedule in select(&[HOURS, "always", "never", "mon-fri 08:00-20:00 enforce=true", "mon-fri 08:00-20:00 act=sleep"]),
        desired in 0..6i32, remembered in 0..6i32, limits in any::<bool>(), by in select(&["schedule", "hold", "person"]),
        status in select(&["available", "stopped"]), now in select(&["2026-11-20T12:00", "2026-11-20T20:10", "2026-11-20T23:00", "2026-11-23T08:00"])
    ) {
        let limits = if limits { " min=2 max=5 suspended=in" } else { "" };
        let memory = format!("since=2026-11-20T10:55:00Z desired={remembered}{limits} by={by}");
        let build = |memory: Option<String>| {
            let mut shop = shop(vec![scaled("api", schedule, desired.min(4), 0, 4)], vec![database("db", schedule)]);
            shop.database("db").status = status.into();
            for tags in [&mut shop.services[0].tags, &mut shop.databases[0].database.tags] {
                tags.extend(memory.clone().map(|it| (keys::ASLEEP.to_owned(), it)));
            }
            shop
        };
        // It does what it would do if nothing were remembered.
        let mut with = build(Some(format!("{memory} of=another")));
        let mut without = build(None);
        with.run_until_quiet(&at(now));
        without.run_until_quiet(&at(now));
        prop_assert_eq!(with, without);
    }
}

#[test]
fn a_cluster_that_is_backed_up_is_stopped_once_its_snapshot_is_there() {
    let mut shop = shop(vec![], cluster("shop", HOURS).to_vec());
    shop.database("shop").tags.insert(keys::BACKUP.into(), "days=30".into());
    let lines = shop.lines(&sweep(), &at("2026-11-20T20:00"));
    let waits = "stopped once its snapshot nightshift-shop-2026-11-20-200000 is available";
    assert!(lines[0].starts_with(&format!("* shop remember: is {waits}")), "{lines:#?}");
    shop.run(&sweep(), &at("2026-11-20T20:00"));
    assert!(shop.snapshots.contains_key("nightshift-shop-2026-11-20-200000"));
    let lines = shop.lines(&sweep(), &at("2026-11-20T20:05"));
    assert!(lines[0].starts_with(&format!("+ shop: it is {waits}; ")), "{lines:#?}");
    // A command that was lost is given again.
    let mut lost = shop.clone();
    lost.snapshots.clear();
    let plan = lost.plan(&sweep(), &at("2026-11-20T20:05"));
    assert!(
        matches!(&plan.steps[0].step.calls[..], [Call::AskForSnapshot { database, .. }] if database == "shop"),
        "{plan:#?}"
    );
    // An hour later it is stopped all the same, which is told.
    let lines = lost.lines(&sweep(), &at("2026-11-20T21:00"));
    assert!(lines[0].starts_with("* shop sleep: is stopped"), "{lines:#?}");
    assert!(
        lines.iter().any(|it| it.starts_with("! shop no-snapshot: it is stopped without a snapshot: ")),
        "{lines:#?}"
    );
    shop.settle();
    shop.run_until_quiet(&at("2026-11-20T20:10"));
    let asleep: Asleep = shop.database("shop").tags[keys::ASLEEP].parse().unwrap();
    assert_eq!((shop.database("shop").status.as_str(), asleep.snapshot), ("stopped", None));
    shop.run_until_quiet(&at("2026-11-23T08:00"));
    assert_eq!(shop.database("shop").status, "available");
}

#[test]
fn a_memory_that_was_lost_is_restored_from_the_scaling_target() {
    let mut shop = shop(vec![scaled("api", HOURS, 3, 2, 6)], vec![]);
    shop.run_until_quiet(&at("2026-11-19T20:00"));
    // The evening does not wait for the copy, which comes with the first look after it.
    assert_eq!(shop.service("api").copy, Some(Ok(None)));
    shop.run_until_quiet(&at("2026-11-19T20:40"));
    let memory = shop.service("api").tags[keys::ASLEEP].clone();
    assert_eq!(shop.service("api").copy, Some(Ok(Some(memory.clone()))));
    shop.service("api").tags.retain(|key, _| !key.starts_with(keys::MEMORY));
    for (now, desired) in [("2026-11-19T23:00", 0), ("2026-11-20T08:00", 3)] {
        let mut shop = shop.clone();
        assert_eq!(told(&shop, now), [""; 0]);
        shop.run_until_quiet(&at(now));
        let api = shop.service("api");
        assert_eq!((api.desired, api.target.unwrap().suspended == Suspended::ALL), (desired, desired == 0), "{now}");
        assert_eq!(api.tags.get(keys::ASLEEP), Some(&memory).filter(|_| desired == 0));
    }
    // That of another service, one of long ago and one that cannot be read are no help.
    let error = Err("ListTagsForResource api: AccessDenied: no".to_owned());
    for copy in
        [Ok(Some(memory.replace(" of=2026", " of=2025"))), Ok(Some(memory.replace("2026-11-19", "2026-10-19"))), error]
    {
        shop.service("api").copy = Some(copy);
        assert!(told(&shop, "2026-11-19T23:00")[0].starts_with("! api memory-lost: "));
    }
}

#[test]
fn a_run_that_puts_it_to_sleep_again_copies_what_it_remembers_then() {
    let mut shop = shop(vec![scaled("api", HOURS, 3, 2, 6)], vec![]);
    shop.run_until_quiet(&at("2026-11-19T20:00"));
    let api = shop.service("api");
    api.tags.insert(keys::HOLD.into(), "closed".into());
    api.desired = 2;
    shop.run(&sweep(), &at("2026-11-19T20:40"));
    let api = shop.service("api");
    assert_eq!((api.desired, api.copy.clone()), (0, Some(Ok(api.tags.get(keys::ASLEEP).cloned()))));
    assert_eq!(calls(&shop.plan(&sweep(), &at("2026-11-19T20:40"))), []);
}
