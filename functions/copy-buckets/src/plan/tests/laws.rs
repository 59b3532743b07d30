//! What holds whatever there is, whatever happens, and wherever a run dies.

use std::collections::BTreeSet;

use jiff::{SignedDuration, ToSpan};
use proptest::collection::vec;
use proptest::prelude::*;

use super::model::*;
use crate::plan::{Folder, Lost, Marker, Scope, State, Step, World, plan};

fn states() -> impl Strategy<Value = State> {
    prop_oneof![
        1 => Just(State::Starting),
        2 => Just(State::Copying),
        5 => Just(State::Complete),
        2 => Just(State::Failed),
        1 => Just(State::Deleting),
    ]
}

/// Folders of single days: ours, of another bucket, or of nobody.
fn worlds() -> impl Strategy<Value = World> {
    let folder = (0..60_i64, states(), 0..10_u8).prop_map(|(days_ago, state, whose)| match whose {
        8 => Folder {
            marker: Some(Marker { proven: Some(night().timestamp()), ..marker(days_ago, state) }),
            ..folder(days_ago, state)
        },
        9 => Folder {
            marker: Some(Marker { drilling: Some(night().timestamp()), ..marker(days_ago, state) }),
            ..folder(days_ago, state)
        },
        0 => Folder { marker: None, ..folder(days_ago, state) },
        1 => {
            let marker = Marker { source: "kfood-logs".into(), ..marker(days_ago, state) };
            Folder { marker: Some(marker), ..folder(days_ago, state) }
        }
        _ => folder(days_ago, state),
    });
    let rules = prop_oneof![Just("days=30"), Just("last=1"), Just("daily=7 weekly=4"), Just("monthly=1")];
    let jobs = prop_oneof![
        Just(Ok(job("Active", 1, 0))),
        Just(Ok(job("Complete", 1000, 0))),
        Just(Ok(job("Complete", 999, 1))),
        Just(Ok(job("Failed", 0, 0))),
        Just(Err(Lost::Gone)),
        Just(Err(Lost::Unreadable("denied".into()))),
    ];
    (vec(folder, 0..40), rules, vec(jobs, 60)).prop_map(|(mut folders, rule, jobs)| {
        folders.sort_by_key(|it| it.date);
        folders.dedup_by_key(|it| it.date);
        let mut world = world(folders);
        world.buckets[0] = bucket(UPLOADS, &format!("{rule} to=kfood-backups/uploads"));
        world.jobs = jobs.into_iter().enumerate().map(|(number, job)| (format!("job-{number}"), job)).collect();
        world
    })
}

fn deleted(world: &World) -> BTreeSet<String> {
    let steps = plan(world, &Scope::Everything, &night()).steps.into_iter();
    steps.filter_map(|it| if let Step::Delete(it) = it.step { Some(it.folder.name) } else { None }).collect()
}

fn good(world: &World) -> Vec<(String, SignedDuration)> {
    let folders = &world.destinations[UPLOADS].as_ref().unwrap().folders;
    let ours = folders.iter().filter_map(|it| Some((it.date, it.marker.as_ref()?)));
    ours.filter(|(_, it)| it.source == UPLOADS && it.state == State::Complete)
        .map(|(date, it)| (date.to_string(), night().timestamp().duration_since(it.moment)))
        .collect()
}

proptest! {
    #[test]
    fn nothing_without_our_marker_is_ever_deleted_or_written_to(world in worlds()) {
        let folders = &world.destinations[UPLOADS].as_ref().unwrap().folders;
        for planned in plan(&world, &Scope::Everything, &night()).steps {
            let folder = match &planned.step {
                Step::Begin(it) => &it.folder,
                Step::Record(it) => &it.folder,
                Step::Delete(it) => &it.folder,
                other => return Err(TestCaseError::fail(format!("no restore is under way: {other:?}"))),
            };
            let there = folders.iter().find(|it| it.date.to_string() == folder.name);
            prop_assert!(there.is_none_or(|it| it.marker.as_ref().is_some_and(|it| it.source == UPLOADS)), "{planned:?}");
        }
    }

    #[test]
    fn the_newest_good_copy_is_never_deleted(world in worlds()) {
        let newest = good(&world).into_iter().min_by_key(|(_, age)| *age);
        prop_assert!(newest.is_none_or(|(date, _)| !deleted(&world).contains(&date)));
    }

    #[test]
    fn the_newest_proven_copy_is_never_deleted_nor_one_that_is_being_drilled(world in worlds()) {
        let folders = &world.destinations[UPLOADS].as_ref().unwrap().folders;
        let good = || folders.iter().filter_map(|it| Some((it.date.to_string(), it.marker.as_ref()?)))
            .filter(|(_, it)| it.source == UPLOADS && it.state == State::Complete);
        let newest = good().filter(|(_, it)| it.proven.is_some()).max_by_key(|(_, it)| it.moment);
        let drilled = good().filter(|(_, it)| it.drilling.is_some());
        let deleted = deleted(&world);
        for (date, _) in newest.into_iter().chain(drilled) {
            prop_assert!(!deleted.contains(&date), "{date}");
        }
    }

    #[test]
    fn when_copying_stops_no_copy_is_deleted_any_more(world in worlds(), days in 4..400_i64) {
        let mut world = world;
        // The deletions of a morning, and then nothing but time.
        let mut plan_of_today = plan(&world, &Scope::Everything, &night());
        plan_of_today.steps.retain(|it| !matches!(it.step, Step::Begin(_)));
        world = applied(&plan_of_today, world);
        let before = good(&world);
        let later = night().checked_add(days.days()).unwrap();
        let steps = plan(&world, &Scope::Everything, &later).steps;
        let touched = steps.iter().filter_map(|it| if let Step::Delete(it) = &it.step { Some(it.folder.name.clone()) } else { None });
        let touched: BTreeSet<_> = touched.collect();
        prop_assert!(before.iter().all(|(date, _)| !touched.contains(date)), "{touched:?}");
    }

    #[test]
    fn there_is_one_job_for_a_bucket_and_night_however_often_it_runs_and_wherever_it_dies(world in worlds(), done in vec(0..4_usize, 1..6)) {
        let (mut world, mut tokens) = (world, BTreeSet::new());
        for done in done {
            let mut plan = plan(&world, &Scope::Everything, &night());
            plan.steps.truncate(done);
            for planned in &plan.steps {
                if let Step::Begin(it) = &planned.step {
                    tokens.insert(it.token.clone());
                }
            }
            world = applied(&plan, world);
        }
        prop_assert!(tokens.len() <= 1, "{tokens:?}");
    }

    #[test]
    fn it_converges_and_then_waits_for_jobs_only(world in worlds()) {
        let mut world = world;
        for _ in 0..4 {
            world = applied(&plan(&world, &Scope::Everything, &night()), world);
        }
        let rest = plan(&world, &Scope::Everything, &night()).steps;
        prop_assert!(rest.is_empty(), "{rest:?}");
    }

    #[test]
    fn no_tag_makes_it_panic(value in any::<String>()) {
        let mut world = world(Vec::new());
        world.buckets[0] = bucket(UPLOADS, &value);
        let _ = plan(&world, &Scope::Everything, &night());
    }
}
