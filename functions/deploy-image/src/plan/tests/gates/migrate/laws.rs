//! Migrations among everything that happens around them, in any order.

use proptest::prelude::*;
use proptest::strategy::Strategy;

use super::*;

/// Something that happens around migrations.
#[derive(Debug, Clone)]
enum Happening {
    Push(u8),
    Run(u8),
    Dying(usize),
    Ecs,
    Stop(bool),
    Interrupt,
    NeverStart,
    NoCapacity,
    Forget,
    Sleep(bool),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        2 => (1..6u8).prop_map(Happening::Push),
        4 => (0..4u8).prop_map(Happening::Run),
        1 => (0..5usize).prop_map(Happening::Dying),
        2 => Just(Happening::Ecs),
        2 => any::<bool>().prop_map(Happening::Stop),
        1 => Just(Happening::Interrupt),
        1 => Just(Happening::NeverStart),
        1 => Just(Happening::NoCapacity),
        1 => Just(Happening::Forget),
        1 => any::<bool>().prop_map(Happening::Sleep),
    ];
    prop::collection::vec(one, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever happens in whatever order: no image goes out without its migration, none migrates beside another, and
    /// none that was seen to end runs twice.
    #[test]
    fn every_image_that_goes_out_was_migrated_once(happenings in happenings()) {
        let mut model = shop(RULE);
        let (mut ended_well, mut started, mut never_started): (Vec<String>, Vec<String>, Vec<String>) = Default::default();
        for happening in &happenings {
            let (deployed, known, tasks) = (model.running(), model.tokens.len(), model.tasks.len());
            match happening {
                Happening::Push(number) => drop(model.push(&format!("v1.{number}.0"))),
                Happening::Run(from) => {
                    let places = [repository(), Scope::Everywhere, of_migration(), service()];
                    model.run(&places[*from as usize], None, usize::MAX);
                }
                Happening::Dying(calls) => drop(model.run(&Scope::Everywhere, None, *calls)),
                Happening::Ecs => model.finish(),
                Happening::Sleep(true) => sleeps(&mut model),
                Happening::Sleep(false) => drop(model.service.tags.remove(keys::ASLEEP)),
                Happening::Stop(well) => {
                    let running = model.tasks.iter().filter(|it| it.status != "STOPPED").map(|it| it.started_by.clone());
                    ended_well.extend(running.filter(|_| *well));
                    model.stop_tasks(Some(i32::from(!well)));
                }
                Happening::Interrupt => model.end_tasks("SpotInterruption", "Your Spot Task was interrupted.", Some(137)),
                Happening::NeverStart => {
                    let running = model.tasks.iter().filter(|it| it.status != "STOPPED").map(|it| it.started_by.clone());
                    never_started.extend(running);
                    model.stop_tasks(None);
                }
                Happening::NoCapacity => model.no_capacity = true,
                // Whether a run has looked within the hour or not.
                Happening::Forget => model.forget_tasks(),
            }
            started.extend(model.tasks.iter().skip(tasks).map(|it| it.started_by.clone()));
            prop_assert!(model.tasks.iter().filter(|it| it.status != "STOPPED").count() <= 1, "two at once: {}", model);
            prop_assert!(model.tokens.len() <= known + 1);
            if model.running() != deployed {
                let image = model.images.iter().find(|it| model.is_running(&it.digest)).unwrap();
                let run = run_name("truegul-production", FAMILY, &image.digest);
                prop_assert!(ended_well.contains(&run), "{} went out unmigrated: {}", model.running(), model);
            }
        }
        // Of each run one task at most came to run, however it ended and whoever saw that.
        for run in &started {
            let count = |runs: &[String]| runs.iter().filter(|it| *it == run).count();
            prop_assert!(count(&started) <= count(&never_started) + 1, "{run} ran twice: {}", model);
        }
        model.service.tags.remove(keys::ASLEEP);
        model.settle_with(|it| it.stop_tasks(Some(0)));
    }

    #[test]
    fn runs_that_overlap_start_one_task(late_first in any::<bool>()) {
        let mut model = shop(RULE);
        model.push("v1.1.0");
        let early = model.plan(&repository(), None);
        let late = model.plan(&Scope::Everywhere, None);
        for plan in if late_first { [late, early] } else { [early, late] } {
            model.carry_out(&plan, usize::MAX);
        }
        prop_assert_eq!(model.tasks.len(), 1);
        model.settle_with(|it| it.stop_tasks(Some(0)));
        prop_assert_eq!(model.running(), "v1.1.0");
    }
}
