//! What holds whatever there is, whoever did what by hand, and wherever a run dies.

use jiff::{ToSpan, Zoned};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rules::keys;
use rules::sleep::{Asleep, Suspended};

use super::model::*;
use crate::plan::{Call, CannotStop, Command, Instance, Request, Scope, Service, Sleeper, Until};

const SCHEDULES: [&str; 8] = [
    HOURS,
    "mon-fri 08:00-20:00 off=1",
    "mon-fri 08:00-20:00 enforce=true",
    "mon-fri 08:00-20:00 act=sleep",
    "mon-fri 08:00-20:00 act=wake",
    "always",
    "never",
    "office hours",
];

const MOMENTS: [&str; 8] = [
    "2026-11-20T19:55",
    "2026-11-20T20:00",
    "2026-11-20T20:10",
    "2026-11-20T23:00",
    "2026-11-22T12:00",
    "2026-11-23T08:00",
    "2026-11-23T08:10",
    "2026-11-23T12:00",
];

fn moments() -> impl Strategy<Value = Zoned> {
    select(&MOMENTS).prop_map(at)
}

/// A memory tag, with more or less sense in it.
fn memories() -> impl Strategy<Value = (&'static str, String)> {
    let since =
        select(&["2026-11-20T11:00:00Z", "2026-11-20T10:55:00Z", "2026-11-16T11:00:00Z", "2026-11-22T22:58:00Z"]);
    let asleep = (since.clone(), 0..4i32, any::<bool>(), select(&["schedule", "hold", "person"])).prop_map(
        |(since, desired, limits, by)| {
            let limits = if limits { " min=1 max=4" } else { "" };
            (keys::ASLEEP, format!("since={since} desired={desired}{limits} by={by}"))
        },
    );
    let until = select(&["2026-11-20T09:00:00Z", "2026-11-20T14:30:00Z", "2026-11-23T02:00:00Z"]);
    let boosted = (since, 0..3i32, 1..3i32, any::<bool>()).prop_map(|(since, from, step, min)| {
        (keys::BOOSTED, format!("since={since} from={from} to={}{}", from + step, if min { " min=1" } else { "" }))
    });
    prop_oneof![
        3 => asleep,
        1 => until.clone().prop_map(|it| (keys::AWAKE_UNTIL_MEMORY, it.to_owned())),
        1 => until.clone().prop_map(|it| (keys::AWAKE_UNTIL, it.to_owned())),
        2 => (1..4u32, until.clone()).prop_map(|(step, until)| (keys::BOOST_MEMORY, format!("step={step} until={until} by=alarm:cpu"))),
        1 => (1..4u32, until).prop_map(|(step, until)| (keys::BOOST, format!("step={step} until={until}"))),
        2 => boosted,
        1 => Just((keys::HOLD, "nobody needs it".to_owned())),
        1 => Just((keys::HOLD_MEMORY, "by=budget:Team since=2026-11-20T00:00:00Z".to_owned())),
        1 => Just((keys::SLEEP_PROBLEM, "failed 0123456789ab told=2026-11-20T11:00:00Z".to_owned())),
    ]
}

fn services() -> impl Strategy<Value = Vec<Service>> {
    let target = proptest::option::weighted(0.6, (0..3i32, 0..4i32, any::<bool>()));
    let one = (select(&SCHEDULES), 0..5i32, target, vec(memories(), 0..3), 0..12u8);
    vec(one, 0..5).prop_map(|all| {
        type Built = (&'static str, i32, Option<(i32, i32, bool)>, Vec<(&'static str, String)>, u8);
        let build = |(index, (schedule, desired, target, memories, oddity)): (usize, Built)| {
            let name = format!("service-{index}");
            let mut it = service(&name, schedule, desired);
            if let Some((min, more, suspended)) = target {
                it = scaled(&name, schedule, desired, min, min + more);
                it.target.as_mut().unwrap().suspended.scale_in = suspended;
            }
            it.tags.extend(memories.into_iter().map(|(key, value)| (key.to_owned(), value)));
            match oddity {
                0 => drop(it.tags.remove(keys::SCHEDULE)),
                1 => it.deploying_since = Some(at("2026-11-20T19:50").timestamp()),
                2 => it.status = "DRAINING".into(),
                3 => drop(it.tags.insert(keys::SCHEDULE.into(), format!("{HOURS} after=db-0"))),
                4 => it.is_daemon = true,
                5 => it.is_express = true,
                6..8 => {
                    if let Some(limits) = it.target {
                        it = Service { tags: it.tags, ..group(&name, schedule, desired, limits.min, limits.max) };
                    }
                }
                _ => {}
            }
            it
        };
        all.into_iter().enumerate().map(build).collect()
    })
}

fn databases() -> impl Strategy<Value = Vec<Sleeper>> {
    let statuses = select(&["available", "available", "stopped", "stopping", "starting", "modifying"]);
    let memory = prop_oneof![
        3 => Just(None),
        1 => select(&["2026-11-20T11:00:00Z", "2026-11-16T11:00:00Z"]).prop_map(Some),
    ];
    let one = (select(&SCHEDULES), statuses, memory, any::<bool>(), any::<bool>(), 0..12u8);
    vec(one, 0..3).prop_map(|all| {
        type Built = (&'static str, &'static str, Option<&'static str>, bool, bool, u8);
        let build = |(index, (schedule, status, memory, backup, settled, oddity)): (usize, Built)| {
            let mut it = database(&format!("db-{index}"), schedule);
            let tags = &mut it.database.tags;
            if backup {
                tags.insert(keys::BACKUP.into(), "days=30".into());
            }
            if let Some(since) = memory {
                let snapshot =
                    if settled { String::new() } else { format!(" snapshot=nightshift-db-{index}-2026-11-19-200000") };
                tags.insert(keys::ASLEEP.into(), format!("since={since}{snapshot} by=schedule"));
            }
            it.database.status = String::from(status);
            match oddity {
                0 => drop(it.database.tags.remove(keys::SCHEDULE)),
                1 => it.cannot_stop = Some(CannotStop { reason: "it is a read replica".into(), passes: false }),
                2 => drop(it.database.tags.insert(keys::BACKUP.into(), "nightly".into())),
                3 => drop(it.database.tags.insert(keys::HOLD.into(), "closed".into())),
                _ => {}
            }
            it
        };
        all.into_iter().enumerate().map(build).collect()
    })
}

fn shops() -> impl Strategy<Value = Shop> {
    (services(), databases(), any::<bool>(), any::<bool>()).prop_map(|(services, databases, taken, aws)| {
        let mut shop = shop(services, databases);
        for Sleeper { database, .. } in &shop.databases {
            let memory = database.tags.get(keys::ASLEEP).and_then(|it| it.parse::<Asleep>().ok());
            let snapshot = memory.and_then(|it| it.snapshot);
            // A database that runs and never was stopped has none, or a person started it before it was tagged.
            if let Some(id) = snapshot.filter(|_| taken) {
                shop.snapshots.insert(id, Default::default());
            }
            if aws {
                shop.started_by_aws.push(database.arn.clone());
            }
        }
        shop
    })
}

/// Shops as people leave them: no memory yet, and everything in working order.
fn fresh_shops() -> impl Strategy<Value = Shop> {
    let schedules = || select(&[HOURS, "mon-fri 08:00-20:00 off=1", "mon-fri 08:00-20:00 enforce=true"]);
    let target = proptest::option::of((0..3i32, 0..4i32, any::<(bool, bool, bool)>(), any::<bool>()));
    let needs = select(&["", "", "after=db-0", "after=db-0+ec2:i-0", "after=ec2:i-0"]);
    let one = (schedules(), 0..5i32, target, needs);
    let databases = vec((schedules(), any::<bool>()), 0..3);
    let instances = vec((schedules(), any::<bool>()), 0..3);
    (vec(one, 1..4), databases, instances).prop_map(|(services, databases, instances)| {
        let services = services.into_iter().enumerate().map(|(index, (schedule, desired, target, needs))| {
            // A task that stays at night keeps its database up.
            let needs = if schedule.contains("off=1") { "" } else { needs };
            // A group waits for databases only.
            let is_group = target.is_some_and(|(.., is_group)| is_group);
            let needs = if is_group && !needs.is_empty() { "after=db-0" } else { needs };
            let schedule = format!("{schedule} {needs}").trim_end().to_owned();
            let mut it = service(&format!("service-{index}"), &schedule, desired);
            if let Some((min, more, (scale_in, scale_out, scheduled), is_group)) = target {
                // Within its limits, or set to 0 by hand.
                let desired = if desired == 0 { 0 } else { desired.clamp(min, min + more) };
                it = scaled(&format!("service-{index}"), &schedule, desired, min, min + more);
                // At its size at night with all of its scaling suspended it would be one that lost its memory.
                let scheduled = scheduled && desired > 1;
                it.target.as_mut().unwrap().suspended = Suspended { scale_in, scale_out, scheduled };
                if is_group {
                    // Of a group both are suspended, or none.
                    let suspended = Suspended { scale_in, scale_out: scale_in, scheduled };
                    it = group(&format!("service-{index}"), &schedule, desired, min, min + more);
                    it.target.as_mut().unwrap().suspended = suspended;
                }
            }
            it
        });
        let databases = databases.into_iter().enumerate().map(|(index, (schedule, backup))| {
            let mut it = database(&format!("db-{index}"), schedule.split(" off").next().unwrap());
            if backup {
                it.database.tags.insert(keys::BACKUP.into(), "daily=7 weekly=4".into());
            }
            it
        });
        let mut databases: Vec<Sleeper> = databases.collect();
        if databases.is_empty() {
            databases.push(database("db-0", HOURS));
        }
        let instances = instances.into_iter().enumerate().map(|(index, (schedule, needs))| {
            let needs = if needs { " after=db-0" } else { "" };
            instance(&format!("i-{index}"), &format!("{}{needs}", schedule.replace(" off=1", "")))
        });
        let mut instances: Vec<Instance> = instances.collect();
        if instances.is_empty() {
            instances.push(instance("i-0", HOURS));
        }
        Shop { instances, ..shop(services.collect(), databases) }
    })
}

/// What counts of a shop: everything but the moments that depend on when a run came through.
fn essence(shop: &Shop) -> Shop {
    let mut shop = shop.clone();
    let timeless = |value: &mut String| {
        let words = value.split(' ').filter(|it| !it.starts_with("since=") && !it.starts_with("snapshot="));
        *value = words.collect::<Vec<_>>().join(" ");
    };
    let databases = shop.databases.iter_mut().map(|it| &mut it.database.tags);
    let instances = shop.instances.iter_mut().map(|it| &mut it.tags);
    for tags in shop.services.iter_mut().map(|it| &mut it.tags).chain(databases).chain(instances) {
        tags.iter_mut()
            .filter(|(key, _)| [keys::ASLEEP, keys::BOOSTED, keys::WOKEN].contains(&key.as_str()))
            .for_each(|(_, it)| timeless(it));
    }
    shop.databases.iter_mut().for_each(|it| it.database.restarts_at = None);
    shop.instances.iter_mut().for_each(|it| (it.launched_at, it.stopped_at) = (None, None));
    shop.services.iter_mut().for_each(|it| (it.updated_at, it.copy) = (None, None));
    shop.stops.clear();
    shop.ready.clear();
    let timeless = |(id, mut tags): (String, std::collections::BTreeMap<String, String>)| {
        // It names the snapshot, whose id holds the moment.
        tags.remove(keys::MADE_BY);
        (id[..id.len() - 7].to_owned(), tags)
    };
    shop.snapshots = shop.snapshots.into_iter().map(timeless).collect();
    shop
}

fn asks() -> impl Strategy<Value = Request> {
    let ask = prop_oneof![
        Just(None),
        Just(Some(Command::Sleep)),
        Just(Some(Command::Wake(Until::NextChange))),
        Just(Some(Command::Wake(Until::Time("23:30".parse().unwrap())))),
    ];
    let scope = prop_oneof![Just(service_arn("service-0")), Just(database("db-0", "").database.arn)];
    prop_oneof![
        2 => Just(sweep()),
        1 => (ask, scope).prop_map(|(command, arn)| Request { scope: Scope::Resource(arn), command }),
    ]
}

/// Puts to sleep on Friday what is to sleep, and lets it settle.
fn asleep(mut shop: Shop) -> Shop {
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    shop
}

/// Without `enforce=true`, which undoes what people do.
fn lenient(mut shop: Shop) -> Shop {
    for service in &mut shop.services {
        let schedule = service.tags[keys::SCHEDULE].replace(" enforce=true", "");
        service.tags.insert(keys::SCHEDULE.into(), schedule);
    }
    shop
}

/// A service, its desired count, and the limits and suspensions of its scaling target.
type Size = (String, Option<i32>, Option<(i32, i32, Suspended)>);

/// The sizes that are remembered.
fn sizes(shop: &Shop) -> Vec<Size> {
    let read = |arn: &String, tags: &std::collections::BTreeMap<String, String>| {
        let asleep: Asleep = tags.get(keys::ASLEEP)?.parse().ok()?;
        Some((arn.clone(), asleep.desired, asleep.limits.map(|it| (it.min, it.max, it.suspended))))
    };
    let services = shop.services.iter().filter_map(|it| read(&it.arn, &it.tags));
    services.chain(shop.databases.iter().filter_map(|it| read(&it.database.arn, &it.database.tags))).collect()
}

proptest! {
    #[test]
    fn one_run_settles_everything_boosts_included(mut shop in shops(), request in asks(), now in moments()) {
        shop.run(&request, &now);
        let again = Request { command: None, ..request };
        prop_assert_eq!(calls(&shop.plan(&again, &now)), [], "{:#?}", shop);
    }

    #[test]
    fn a_command_given_twice_is_one(mut shop in shops(), request in asks(), now in moments()) {
        shop.run(&request, &now);
        prop_assert_eq!(calls(&shop.plan(&request, &now)), [], "{:#?}", shop);
    }

    #[test]
    fn it_becomes_quiet_whatever_there_is(mut shop in shops(), now in moments()) {
        shop.run_until_quiet(&now);
    }

    #[test]
    fn a_run_that_dies_anywhere_is_finished_by_the_next_in_both_directions(
        shop in fresh_shops(), settled in any::<bool>(), minutes in 0..10i64
    ) {
        for (begin, before) in [("2026-11-20T20:00", shop.clone()), ("2026-11-23T08:00", asleep(shop.clone()))] {
            let mut whole = before.clone();
            whole.run_until_quiet(&at(begin));
            for killed_after in 0.. {
                let mut broken = before.clone();
                if !broken.run_killed_after(killed_after, &sweep(), &at(begin)) {
                    break;
                }
                if settled {
                    broken.settle();
                }
                broken.run_until_quiet(&at(begin).checked_add(minutes.minutes()).unwrap());
                prop_assert_eq!(essence(&broken), essence(&whole), "{} killed after {}", begin, killed_after);
            }
        }
    }

    #[test]
    fn a_boost_that_dies_anywhere_is_finished_or_ended_by_the_next(shop in fresh_shops(), step in 1..3i32) {
        let boost = |mut shop: Shop| {
            let intent = format!("step={step} until=2026-11-20T05:00:00Z by=alarm:cpu");
            shop.services.iter_mut().for_each(|it| drop(it.tags.insert(keys::BOOST_MEMORY.into(), intent.clone())));
            shop
        };
        let (begin, end) = (at("2026-11-20T12:00"), at("2026-11-20T14:00"));
        let begun = { let mut it = boost(shop.clone()); it.run_until_quiet(&begin); it };
        for (now, before) in [(begin, boost(shop.clone())), (end, begun)] {
            let mut whole = before.clone();
            whole.run_until_quiet(&now);
            for killed_after in 0.. {
                let mut broken = before.clone();
                if !broken.run_killed_after(killed_after, &sweep(), &now) {
                    break;
                }
                broken.run_until_quiet(&now.checked_add(5.minutes()).unwrap());
                prop_assert_eq!(essence(&broken), essence(&whole), "killed after {}", killed_after);
            }
        }
    }

    #[test]
    fn a_boost_ends_where_it_began(shop in fresh_shops(), step in 1..3i32) {
        let mut boosted = shop.clone();
        let intent = format!("step={step} until=2026-11-20T05:00:00Z by=alarm:cpu");
        boosted.services.iter_mut().for_each(|it| drop(it.tags.insert(keys::BOOST_MEMORY.into(), intent.clone())));
        boosted.run_until_quiet(&at("2026-11-20T12:00"));
        for (before, after) in shop.services.iter().zip(&boosted.services) {
            let max = after.target.map_or(i32::MAX, |it| it.max);
            // What a person set to 0 stays there, unless `enforce=true` has woken it.
            let from = if before.desired == 0 && after.desired > 0 { 1.max(before.target.map_or(0, |it| it.min)) } else { before.desired };
            let expected = if from == 0 { 0 } else { from.saturating_add(step).min(max).max(from) };
            prop_assert_eq!(after.desired, expected);
        }
        let mut plain = shop.clone();
        plain.run_until_quiet(&at("2026-11-20T12:00"));
        boosted.run_until_quiet(&at("2026-11-20T14:00"));
        prop_assert_eq!(essence(&boosted), essence(&plain));
    }

    #[test]
    fn a_boost_during_which_it_sleeps_is_not_remembered_as_its_size(shop in fresh_shops(), step in 1..3i32) {
        let mut boosted = shop.clone();
        let intent = format!("step={step} until=2026-11-20T14:00:00Z by=alarm:cpu");
        boosted.services.iter_mut().for_each(|it| drop(it.tags.insert(keys::BOOST_MEMORY.into(), intent.clone())));
        boosted.run_until_quiet(&at("2026-11-20T19:30"));
        boosted.run_until_quiet(&at("2026-11-20T20:00"));
        let mut plain = shop.clone();
        plain.run_until_quiet(&at("2026-11-20T19:30"));
        plain.run_until_quiet(&at("2026-11-20T20:00"));
        prop_assert_eq!(sizes(&boosted), sizes(&plain));
    }

    #[test]
    fn the_morning_is_as_the_evening_was(shop in fresh_shops()) {
        let mut shop = shop;
        // What `enforce=true` wakes is awake before.
        shop.run_until_quiet(&at("2026-11-20T12:00"));
        let evening = shop.clone();
        shop.run_until_quiet(&at("2026-11-20T20:00"));
        for service in &shop.services {
            let off = i32::from(service.tags[keys::SCHEDULE].contains("off=1"));
            prop_assert!(service.desired <= off, "{:?}", service);
        }
        prop_assert!(shop.databases.iter().all(|it| it.database.status == "stopped"), "{:?}", shop);
        prop_assert!(shop.instances.iter().all(|it| it.state == "stopped"), "{:?}", shop);
        shop.run_until_quiet(&at("2026-11-23T08:00"));
        shop.snapshots.clear();
        prop_assert_eq!(essence(&shop), essence(&evening));
    }

    #[test]
    fn overlapping_runs_end_as_one(shop in fresh_shops(), order in vec(any::<bool>(), 40), minutes in 0..4i64) {
        for (begin, before) in [("2026-11-20T20:00", shop.clone()), ("2026-11-23T08:00", asleep(shop.clone()))] {
            let (one, other) = (at(begin), at(begin).checked_add(minutes.minutes()).unwrap());
            let mut plans = [calls(&before.plan(&sweep(), &one)).into_iter(), calls(&before.plan(&sweep(), &other)).into_iter()];
            let mut both = before.clone();
            for turn in order.iter().map(|it| usize::from(*it)).chain([0; 40]).chain([1; 40]) {
                if let Some((arn, call)) = plans[turn].next() {
                    let sleeping = both.databases.iter().find(|it| it.database.arn == arn).map(|it| it.database.status.clone());
                    // What RDS refuses since it is done already is fine; what is gone is forgotten.
                    match (&call, sleeping.as_deref()) {
                        (Call::Stop { .. }, Some("stopping")) | (Call::Start { .. }, Some("starting")) => {}
                        (Call::TagSnapshot { arn, .. }, _) if !both.snapshots.contains_key(arn.rsplit(':').next().unwrap()) => {}
                        (Call::Forget(keys), _) => {
                            let tags = both.tags(&arn);
                            let left: Vec<&'static str> = keys.iter().copied().filter(|it| tags.contains_key(*it)).collect();
                            both.make(&arn, &Call::Forget(left), one.timestamp());
                        }
                        _ => both.make(&arn, &call, one.timestamp()),
                    }
                }
            }
            both.settle();
            both.run_until_quiet(&at(begin).checked_add(5.minutes()).unwrap());
            let mut single = before.clone();
            single.run_until_quiet(&one);
            prop_assert_eq!(essence(&both), essence(&single), "{}", begin);
        }
    }

    #[test]
    fn what_is_remembered_of_a_sleeper_never_changes(
        shop in fresh_shops(), by_hand in vec((0..3usize, 0..4i32, 10..400i64), 0..6)
    ) {
        let mut shop = asleep(shop);
        let remembered = sizes(&shop);
        let mut now = at("2026-11-20T20:30");
        for (which, desired, minutes) in by_hand {
            if let Some(service) = shop.services.get_mut(which) {
                service.desired = desired;
            }
            now = now.checked_add(minutes.minutes()).unwrap();
            shop.run(&sweep(), &now);
            shop.settle();
            // It is there unchanged, or it is gone since the service is awake again.
            for size in sizes(&shop) {
                prop_assert!(remembered.contains(&size), "{:?} is not among {:?}", size, remembered);
            }
        }
    }

    #[test]
    fn what_a_person_does_at_night_stands_until_the_morning(
        shop in fresh_shops(), which in 0..3usize, desired in 2..4i32, minutes in 20..600i64, runs in 1..5i64
    ) {
        let mut shop = asleep(lenient(shop));
        let Some(service) = shop.services.get_mut(which) else { return Ok(()) };
        let name = service.scaled.name().to_owned();
        // A person keeps to the limits, which would otherwise correct the number in the morning.
        let desired = service.target.map_or(desired, |it| desired.min(it.max));
        if desired < 2 {
            return Ok(());
        }
        service.desired = desired;
        let mut now = at("2026-11-20T20:05").checked_add(minutes.minutes()).unwrap();
        for _ in 0..runs {
            now = shop.run_until_quiet(&now);
            let stands = shop.service(&name).desired;
            let least = shop.service(&name).target.map_or(0, |it| it.min);
            prop_assert_eq!(stands, desired.max(least), "{:?}", shop.service(&name));
            now = now.checked_add(20.minutes()).unwrap();
        }
    }

    #[test]
    fn what_a_person_sets_to_zero_in_the_daytime_stays_there(shop in fresh_shops(), which in 0..3usize) {
        let mut shop = lenient(shop);
        let Some(service) = shop.services.get_mut(which) else { return Ok(()) };
        let name = service.scaled.name().to_owned();
        service.desired = 0;
        for now in ["2026-11-19T12:00", "2026-11-19T20:00", "2026-11-20T08:00", "2026-11-20T12:00", "2026-11-20T20:00", "2026-11-23T08:00"] {
            shop.run_until_quiet(&at(now));
            prop_assert_eq!(shop.service(&name).desired, 0, "at {}", now);
        }
    }

    #[test]
    fn the_order_of_a_listing_is_indifferent(shop in shops(), request in asks(), now in moments()) {
        let mut turned = shop.clone();
        turned.services.reverse();
        turned.databases.reverse();
        turned.instances.reverse();
        prop_assert_eq!(turned.plan(&request, &now), shop.plan(&request, &now));
    }

    #[test]
    fn what_did_not_opt_in_and_what_nobody_asked_about_is_untouched(shop in shops(), request in asks(), now in moments()) {
        for (arn, call) in calls(&shop.plan(&request, &now)) {
            prop_assert!(shop.tags(&arn).contains_key(keys::SCHEDULE), "{:?} on {}", call, arn);
            let needed = arn.ends_with(":db-0");
            prop_assert!(request.scope.holds(&arn) || needed, "{:?} on {}", call, arn);
        }
    }

    #[test]
    fn a_hold_is_kept_asleep_whatever_else_is_said(shop in shops(), now in moments()) {
        let mut shop = shop;
        shop.services.iter_mut().for_each(|it| drop(it.tags.insert(keys::HOLD.into(), "closed".into())));
        shop.run_until_quiet(&now);
        for service in &shop.services {
            let readable = service.tags.get(keys::SCHEDULE).is_some_and(|it| *it != "office hours");
            if readable && service.status == "ACTIVE" && !service.is_daemon && !service.is_express && service.deploying_since.is_none() {
                let off = i32::from(service.tags[keys::SCHEDULE].contains("off=1"));
                prop_assert!(service.desired <= off, "{:?}", service);
            }
        }
    }

    #[test]
    fn a_budget_holds_all_kinds_and_a_release_gives_back_what_there_was(shop in fresh_shops(), minutes in 5..300i64) {
        let mut shop = shop;
        let noon = at("2026-11-20T12:00");
        shop.run_until_quiet(&noon);
        let before = shop.clone();
        let tags = |shop: &mut Shop, change: fn(&mut std::collections::BTreeMap<String, String>)| {
            shop.services.iter_mut().for_each(|it| change(&mut it.tags));
            shop.databases.iter_mut().for_each(|it| change(&mut it.database.tags));
            shop.instances.iter_mut().for_each(|it| change(&mut it.tags));
        };
        tags(&mut shop, |it| drop(it.insert(keys::HOLD_MEMORY.into(), "by=budget:Team since=2026-11-20T03:00:00Z".into())));
        shop.run_until_quiet(&noon);
        for service in &shop.services {
            let off = i32::from(service.tags[keys::SCHEDULE].contains("off=1"));
            prop_assert!(service.desired <= off, "{:?}", service);
        }
        prop_assert!(shop.databases.iter().all(|it| it.database.status == "stopped"), "{:?}", shop);
        prop_assert!(shop.instances.iter().all(|it| it.state == "stopped"), "{:?}", shop);
        tags(&mut shop, |it| drop(it.remove(keys::HOLD_MEMORY)));
        shop.run_until_quiet(&noon.checked_add(minutes.minutes()).unwrap());
        shop.snapshots = before.snapshots.clone();
        prop_assert_eq!(essence(&shop), essence(&before));
    }

    #[test]
    fn nothing_stops_under_what_needs_it_and_nothing_wakes_before_what_it_needs(shop in fresh_shops()) {
        let mut shop = shop;
        // What a service or an instance names, and whether that is up.
        let needs = |schedule: &str, name: &str| schedule.split(['=', '+', ' ']).any(|it| it == name);
        let database_up = |shop: &Shop| shop.databases[0].database.status == "available";
        let instance_up = |shop: &Shop| shop.instances[0].state == "running";
        for (begin, ticks) in [("2026-11-20T20:00", 5), ("2026-11-23T08:00", 5)] {
            let mut now = at(begin);
            for _ in 0..ticks {
                let before = shop.clone();
                shop.run(&sweep(), &now);
                for (was, is) in before.services.iter().zip(&shop.services) {
                    let schedule = &is.tags[keys::SCHEDULE];
                    for (name, up) in [("db-0", database_up(&shop)), ("ec2:i-0", instance_up(&shop))] {
                        let runs = was.running > 0 || is.desired > 0;
                        prop_assert!(up || !runs || !needs(schedule, name), "{} {now}: {was:?}", name);
                    }
                }
                for (was, is) in before.instances.iter().zip(&shop.instances) {
                    let runs = ["running", "pending"].contains(&is.state.as_str()) || was.state == "running";
                    let up = database_up(&shop) || !needs(&is.tags[keys::SCHEDULE], "db-0");
                    prop_assert!(up || !runs, "{now}: {was:?}");
                }
                shop.settle();
                now = now.checked_add(5.minutes()).unwrap();
            }
        }
    }

    #[test]
    fn a_database_stays_up_as_long_as_a_service_that_needs_it(shop in fresh_shops()) {
        let mut shop = shop;
        let uses = |shop: &Shop| {
            let needs = |it: &&Service| it.tags[keys::SCHEDULE].contains("after=db-0");
            shop.services.iter().filter(needs).any(|it| it.running > 1)
        };
        let mut now = at("2026-11-20T20:00");
        for _ in 0..4 {
            let used = uses(&shop);
            shop.run(&sweep(), &now);
            prop_assert!(!used || shop.database("db-0").status == "available");
            shop.settle();
            now = now.checked_add(5.minutes()).unwrap();
        }
        // And the services come up after it.
        now = at("2026-11-23T08:00");
        for _ in 0..4 {
            shop.run(&sweep(), &now);
            let needs = |it: &&Service| it.tags[keys::SCHEDULE].contains("after=db-0");
            let up = shop.services.iter().filter(needs).any(|it| it.desired > 1);
            let available = shop.databases[0].database.status == "available";
            prop_assert!(!up || available);
            shop.settle();
            now = now.checked_add(5.minutes()).unwrap();
        }
    }
}
