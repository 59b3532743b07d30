//! Drills from their beginning to their end.

use reconcile::Step as _;
use rules::database::Kind;
use rules::drill::{Drilled, Outcome};
use rules::keys;

use super::model::*;
use crate::plan::{Said, Scope, Step, Task, World, plan};

const DRILL: &str = "nightshift-drill-kfood-db-2026-12-01";

fn run(world: &mut World, minutes: i64) -> Vec<String> {
    let at = minutes_later(minutes);
    let lines = lines(world, &Scope::Everything, &at);
    let plan = plan(world, &Scope::Everything, &at);
    apply(&plan, world, &at, |_| true);
    tell(&plan, world);
    lines
}

fn drilled(world: &World) -> Drilled {
    world.databases.iter().find_map(|it| it.tags.get(keys::DRILLED)).unwrap().parse().unwrap()
}

/// The drill is restored and takes connections; its check runs since minute 12.
fn being_checked() -> World {
    let mut world = kfood();
    run(&mut world, 0);
    of(&mut world, DRILL).status = "available".into();
    run(&mut world, 12);
    world
}

#[test]
fn a_drill_restores_checks_measures_deletes_and_tells() {
    let mut world = kfood();
    let restoring = format!("* kfood-db: restore drill: restoring nightshift-kfood-db-2026-12-01 as {DRILL}");
    assert_eq!(run(&mut world, 0), [restoring]);
    let restored = of(&mut world, DRILL);
    assert_eq!(restored.tags["team"], "food");
    assert!(!restored.tags.keys().any(|it| it.starts_with(keys::PEOPLE)), "it is not drilled itself");
    let under_way = format!("+ kfood-db: its drill {DRILL} is under way");
    check(&world, &minutes_later(5), &[&format!("+ {DRILL}: it is creating"), &under_way]);

    of(&mut world, DRILL).status = "available".into();
    let checking = format!("* kfood-db: checking {DRILL} with kfood-drill");
    assert_eq!(run(&mut world, 12), ["* note up=2026-12-01T01:12:00Z", &checking, &under_way]);
    let drill = arn(Kind::Instance, DRILL);
    let running = Task { stopped: false, ..stopped(None, &now()) };
    world.tasks.insert(drill.clone(), Ok(Some(running)));
    check(&world, &minutes_later(15), &[&format!("+ {DRILL}: it is being checked by kfood-drill"), &under_way]);

    // It ended well, but the data is not all there yet.
    world.tasks.insert(drill.clone(), Ok(Some(stopped(Some(0), &minutes_later(20)))));
    world.details.get_mut(&drill).unwrap().loading = true;
    let loading = format!("+ {DRILL}: it is proven, and its data is still being loaded");
    let noted = "* note up=2026-12-01T01:12:00Z task=0123 proven=2026-12-01T01:20:00Z";
    assert_eq!(run(&mut world, 21), [noted, &loading, &under_way]);
    // ECS has forgotten the task by now, which does not matter any more.
    world.tasks.clear();
    world.details.get_mut(&drill).unwrap().loading = false;
    let ended = plan(&world, &Scope::Everything, &minutes_later(90));
    testkit::told::keep("drill-restores", &ended);
    assert_eq!(
        ended.steps[1].reason,
        "it took connections after 12 min, was proven after 20 min, all of its data loaded after 90 min"
    );
    let value = |metric| ended.measures.iter().find(|it| it.metric == metric).unwrap().value;
    assert_eq!((value("RestoreMinutes"), value("RestoredDataAgeHours")), (20.0, 7.0));
    assert_eq!(
        run(&mut world, 90),
        [
            "* nightshift-kfood-db-2026-12-01: noting that it was restored",
            "* kfood-db: restored in 20 of 60 min, data 7 of 24 h old, from nightshift-kfood-db-2026-12-01, checked by kfood-drill",
            &format!("* delete DB instance {DRILL}"),
            &under_way,
        ]
    );
    assert_eq!(world.snapshots.as_ref().unwrap()[0].tags[keys::PROVEN], "2026-12-01T02:30:00Z check=kfood-drill");
    assert_eq!((drilled(&world).outcome, drilled(&world).took), (Outcome::Proven, Some(20)));
    assert!(run(&mut world, 100)[0].starts_with(
        "+ kfood-db: its last drill proven on Tue 2026-12-01 11:30 KST; the next one is due on Fri 2027-01-01 10:00 KST"
    ));
}

#[test]
fn an_end_that_was_written_and_not_told_is_told_by_a_later_run_from_memory() {
    for (exit_code, end) in [(0, "checked by kfood-drill"), (3, "FAILED")] {
        let mut world = being_checked();
        world.tasks.insert(arn(Kind::Instance, DRILL), Ok(Some(stopped(Some(exit_code), &minutes_later(20)))));
        // The run that ends it dies before its message.
        let ending = plan(&world, &Scope::Everything, &minutes_later(21));
        apply(&ending, &mut world, &minutes_later(21), |_| true);
        assert!(drilled(&world).untold && world.databases.len() == 1, "{:?}", world.databases);
        let headlines = |plan: &reconcile::Plan<Step>| -> Vec<String> {
            let finish = plan.steps.iter().filter(|it| matches!(it.step, Step::Finish(_)));
            finish.map(|it| it.step.headline()).collect()
        };
        let first = headlines(&ending);
        assert!(first[0].ends_with(end), "{first:?}");
        // It may still be telling, if it lives.
        assert_eq!(headlines(&plan(&world, &Scope::Everything, &minutes_later(24))), Vec::<String>::new());
        let again = plan(&world, &Scope::Everything, &minutes_later(31));
        assert_eq!(
            (headlines(&again), again.steps[0].step.tells()),
            (first, ending.steps.iter().find_map(|it| it.step.tells()))
        );
        assert_eq!(
            again.steps[0].reason,
            "it ended at Tue 2026-12-01 10:21 KST, and the run that ended it could not tell people; the log of that run says more"
        );
        tell(&again, &mut world);
        assert!(!drilled(&world).untold);
        assert_eq!(headlines(&plan(&world, &Scope::Everything, &minutes_later(41))), Vec::<String>::new());
    }
}

#[test]
fn a_check_that_fails_is_told_with_what_it_means() {
    let failed = |task: Option<Task>| {
        let mut world = being_checked();
        world.tasks.insert(arn(Kind::Instance, DRILL), Ok(task));
        let plan = plan(&world, &Scope::Everything, &minutes_later(30));
        testkit::told::keep("drill-restores", &plan);
        let Step::Finish(finish) = &plan.steps[0].step else { panic!("{:?}", plan.steps) };
        assert_eq!(finish.headline, "kfood-db: the restore drill from nightshift-kfood-db-2026-12-01 FAILED");
        assert_eq!(finish.drilled.outcome, Outcome::Failed);
        assert!(matches!(plan.steps[1].step, Step::Delete(_)));
        assert_eq!(plan.steps[0].step.tells(), Some(reconcile::MessageKind::Failed));
        plan.steps[0].reason.split("; a restore of").next().unwrap().to_owned()
    };
    let at = minutes_later(29);
    assert_eq!(
        failed(Some(stopped(Some(3), &at))),
        "the container check of the check kfood-drill ended with exit code 3"
    );
    let never = Task { reason: "ResourceInitializationError".into(), ..stopped(None, &at) };
    assert_eq!(
        failed(Some(never)),
        "the container check of the check kfood-drill never ran (ResourceInitializationError)"
    );
    assert_eq!(failed(None), "ECS no longer knows the task 0123 of kfood-drill, so how it ended is unknown");
}

#[test]
fn a_restore_that_takes_too_long_is_good_and_told_as_late() {
    let mut world = being_checked();
    world.tasks.insert(arn(Kind::Instance, DRILL), Ok(Some(stopped(Some(0), &minutes_later(75)))));
    let lines = run(&mut world, 76);
    assert!(lines[1].starts_with("* kfood-db: restored in 75 of 60 min, TOO LATE"), "{lines:?}");
    assert_eq!(drilled(&world).outcome, Outcome::Late);
    assert!(drilled(&world).good.is_some());
}

#[test]
fn what_never_gets_available_is_deleted_after_six_hours() {
    let mut world = kfood();
    run(&mut world, 0);
    assert_eq!(run(&mut world, 359)[0], format!("+ {DRILL}: it is creating"));
    assert_eq!(
        run(&mut world, 360)[..2],
        [
            "* kfood-db: the restore drill from nightshift-kfood-db-2026-12-01 FAILED".to_owned(),
            format!("* delete DB instance {DRILL}")
        ]
    );
    let mut broken = kfood();
    run(&mut broken, 0);
    of(&mut broken, DRILL).status = "incompatible-restore".into();
    let plan = plan(&broken, &Scope::Everything, &minutes_later(9));
    testkit::told::keep("drill-restores", &plan);
    assert!(plan.steps[0].reason.starts_with("the restored database is incompatible-restore; "));
}

#[test]
fn aurora_is_a_cluster_that_gets_one_instance_and_loses_it_first() {
    let cluster = database(Kind::Cluster, "codemate-db", &[(keys::DRILL, "weekly class=db.t4g.medium")]);
    let mut world = world(vec![cluster, member("codemate-db-1", "codemate-db")]);
    let drill = "nightshift-drill-codemate-db-2026-12-01";
    let begun = run(&mut world, 0);
    assert_eq!(
        begun[0],
        format!("* codemate-db: restore drill: restoring nightshift-codemate-db-2026-12-01 as {drill}")
    );
    of(&mut world, drill).status = "available".into();
    assert_eq!(run(&mut world, 10)[0], format!("* {drill}: creating its instance"));
    assert_eq!(run(&mut world, 11)[0], format!("+ {drill}: it is available, but its DB instance {drill} is creating"));
    world.databases.iter_mut().for_each(|it| it.status = "available".into());
    let ended = run(&mut world, 25);
    assert_eq!(ended[0], "* note up=2026-12-01T01:25:00Z");
    assert_eq!(ended[2], "* codemate-db: restored in 25 min, data 7 h old, from nightshift-codemate-db-2026-12-01");
    assert_eq!(ended[3], format!("* delete DB instance {drill}"), "the cluster waits for its instance");
    assert_eq!(run(&mut world, 30)[0], format!("* delete DB cluster {drill}"));
    assert_eq!(world.databases.len(), 2);
}

#[test]
fn an_instance_that_a_person_added_to_a_drill_stays_and_is_told() {
    let cluster = database(Kind::Cluster, "codemate-db", &[(keys::DRILL, "weekly class=db.t4g.medium")]);
    let mut world = world(vec![cluster]);
    run(&mut world, 0);
    let drill = "nightshift-drill-codemate-db-2026-12-01";
    of(&mut world, drill).status = "available".into();
    world.databases.push(member("by-hand", drill));
    let lines = run(&mut world, 20);
    assert!(lines.iter().all(|it| !it.contains("* delete")), "{lines:?}");
    assert!(
        lines.last().unwrap().starts_with(&format!("! {drill} foreign-instance: not deleted: a person added by-hand"))
    );
}

#[test]
fn what_cannot_be_drilled_is_told_with_the_reason() {
    let refused = |change: &dyn Fn(&mut World)| {
        let mut world = kfood();
        change(&mut world);
        let plan = plan(&world, &Scope::Everything, &now());
        testkit::told::keep("drill-restores", &plan);
        assert!(plan.steps.is_empty(), "{:?}", plan.steps);
        assert_eq!(plan.problems.len(), 1);
        (plan.problems[0].problem.clone(), plan.problems[0].message.clone())
    };
    let kind = |change: &dyn Fn(&mut World)| refused(change).0;
    assert_eq!(kind(&|it| it.snapshots = Some(Vec::new())), "no-backup");
    // What a person took, what is not complete and what is a copy do not count.
    assert_eq!(kind(&|it| it.snapshots.as_mut().unwrap()[0].tags.clear()), "no-backup");
    assert_eq!(kind(&|it| it.snapshots.as_mut().unwrap()[0].status = "creating".into()), "no-backup");
    let old = refused(&|it| it.snapshots = Some(vec![snapshot(&it.databases[0], 30)]));
    assert_eq!(
        old,
        (
            "older-than-rpo".into(),
            "the drill failed before it began: its newest good backup, nightshift-kfood-db-2026-11-30, is of Mon \
             2026-11-30 04:00 KST, and the data may be 24 hours old: in a disaster everything since then would be lost; \
             look at the log of snapshot-databases"
                .into()
        )
    );
    // As `ecs.rs` says it.
    const GONE: &str = "there is no ECS service kfood/backend, which the option service= names";
    let gone = refused(&|it| drop(it.checks.insert(arn(Kind::Instance, "kfood-db"), Err(GONE.into()))));
    assert_eq!(gone, ("check-cannot-run".into(), GONE.into()));
    assert_eq!(kind(&|it| it.databases.push(database(Kind::Instance, DRILL, &[]))), "name-taken");
    assert_eq!(kind(&|it| it.databases[0].engine = "docdb".into()), "other-engine");
    assert_eq!(kind(&|it| it.databases[0].member_of = Some("shop".into())), "member-instance");
    assert_eq!(kind(&|it| it.details.values_mut().for_each(|it| it.settings.subnet_group = None)), "no-subnet-group");
    assert_eq!(kind(&|it| drop(it.databases[0].tags.insert(keys::DRILL.into(), "daily".into()))), "bad-tag");
}

#[test]
fn commands_begin_and_end_a_drill_and_are_refused_with_the_reason() {
    let drill = Scope::Drill("kfood-db".into());
    let end = Scope::End("KFOOD-DB".into());
    let night = minutes_later(-600);
    let mut world = kfood();
    assert_eq!(lines(&world, &end, &night), ["refused: no drill of KFOOD-DB is under way"]);
    let none = Scope::Drill("shop".into());
    assert_eq!(
        lines(&world, &none, &night),
        ["refused: there is no DB instance and no DB cluster shop in this region"]
    );
    let begun = plan(&world, &drill, &night);
    testkit::told::keep("drill-restores", &begun);
    assert_eq!(begun.steps[0].reason, "a person asked for it");
    apply(&begun, &mut world, &night, |_| true);
    let name = "nightshift-drill-kfood-db-2026-12-01";
    assert_eq!(
        lines(&world, &drill, &night),
        [format!("refused: a drill of kfood-db is under way, or being deleted: {name}")]
    );
    assert_eq!(
        lines(&world, &end, &night)[..2],
        [
            "* kfood-db: the restore drill from nightshift-kfood-db-2026-12-01 was ended".to_owned(),
            format!("* delete DB instance {name}")
        ]
    );
    of(&mut world, "kfood-db").tags.remove(keys::DRILL);
    assert_eq!(
        lines(&world, &drill, &night)[0],
        format!("refused: a drill of kfood-db is under way, or being deleted: {name}")
    );
    // Without its tag the original is not drilled any more.
    assert_eq!(lines(&world, &Scope::Everything, &night), [format!("* delete DB instance {name}")]);
}

#[test]
fn no_more_drills_run_at_once_than_the_stack_allows() {
    let mut world = kfood();
    world.databases.push(database(Kind::Instance, "truegul-db", &[(keys::DRILL, "monthly")]));
    let all = super::model::world(world.databases.clone());
    world.snapshots = all.snapshots;
    world.details = all.details;
    let lines = run(&mut world, 0);
    assert_eq!(lines.len(), 2);
    assert!(lines[1].ends_with("waits for another one to end (parameter MaxDrills of the stack)"), "{lines:?}");
    assert!(run(&mut world, 10).iter().all(|it| !it.starts_with('*')));
}

#[test]
fn what_is_not_due_tells_when_it_is_and_what_it_would_cost() {
    // Nobody is there at 17:00 to read how it ends.
    check(
        &kfood(),
        &minutes_later(7 * 60),
        &[
            "+ kfood-db: it was never drilled; one is due since Tue 2026-12-01 10:00 KST, and begins on a weekday within \
           six hours after 10:00; now it would restore nightshift-kfood-db-2026-12-01, 14 h old; that costs up to 6 \
           hours of one db.t3.medium, and its storage for that time",
        ],
    );
}

#[test]
fn a_database_that_is_called_like_a_drill_is_left_alone() {
    let mut world = kfood();
    run(&mut world, 0);
    let copied: Vec<(String, String)> = of(&mut world, DRILL).tags.clone().into_iter().collect();
    let copied: Vec<(&str, &str)> = copied.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    // A person's clone of a drill, with all of its tags.
    world.databases.push(database(Kind::Instance, "nightshift-drill-x", &copied));
    let lines = run(&mut world, 400);
    let foreign = "+ nightshift-drill-x: it is called as the databases of drills are, but the drill-restores of this region did not make it";
    assert!(lines.iter().any(|it| it == foreign), "{lines:?}");
    assert!(world.databases.iter().any(|it| it.id == "nightshift-drill-x"));
}

/// Alone in its world, with this rule.
fn drilled_by(rule: &str) -> World {
    world(vec![database(Kind::Instance, "kfood-db", &[(keys::DRILL, rule)])])
}

#[test]
fn what_is_kept_for_a_look_is_told_at_once_and_deleted_when_its_time_is_over() {
    let mut world = drilled_by("monthly keep=2h");
    run(&mut world, 0);
    of(&mut world, DRILL).status = "available".into();
    let at = minutes_later(12);
    let told = plan(&world, &Scope::Everything, &at);
    let finish = told.steps.iter().find(|it| matches!(it.step, Step::Finish(_))).unwrap();
    assert!(
        finish.reason.ends_with(&format!("{DRILL} stays until Tue 2026-12-01 12:12 KST for a look")),
        "{}",
        finish.reason
    );
    let end = serde_json::json!({"end": {"database": "kfood-db"}});
    assert_eq!(finish.step.undo(), Some(reconcile::Undo::Command(end)));
    assert!(!told.steps.iter().any(|it| matches!(it.step, Step::Delete(_))));
    apply(&told, &mut world, &at, |_| true);
    tell(&told, &mut world);
    let under_way = format!("+ kfood-db: its drill {DRILL} is under way");
    let stays = format!("+ {DRILL}: its drill is over, and it stays until Tue 2026-12-01 12:12 KST (option keep=)");
    check(&world, &minutes_later(131), &[&stays, &under_way]);
    check(&world, &minutes_later(132), &[&format!("* delete DB instance {DRILL}"), &under_way]);
}

#[test]
fn a_person_ends_the_look_and_the_drill_stays_proven() {
    let mut world = drilled_by("monthly keep=2h");
    run(&mut world, 0);
    of(&mut world, DRILL).status = "available".into();
    run(&mut world, 12);
    assert_eq!(drilled(&world).outcome, Outcome::Restored);
    let end = Scope::End("kfood-db".into());
    assert_eq!(lines(&world, &end, &minutes_later(20))[0], format!("* delete DB instance {DRILL}"));
    // So it is where the tag is gone.
    of(&mut world, "kfood-db").tags.remove(keys::DRILL);
    check(&world, &minutes_later(20), &[&format!("* delete DB instance {DRILL}")]);
}

/// A look is most useful where the check has failed, and useless where nothing can be looked at.
#[test]
fn what_failed_is_kept_only_if_it_serves() {
    let rule = format!("{RULE} keep=2h");
    let mut world = drilled_by(&rule);
    run(&mut world, 0);
    of(&mut world, DRILL).status = "available".into();
    run(&mut world, 12);
    world.tasks.insert(arn(Kind::Instance, DRILL), Ok(Some(stopped(Some(3), &minutes_later(20)))));
    let lines = run(&mut world, 21);
    assert_eq!(lines[0], "* kfood-db: the restore drill from nightshift-kfood-db-2026-12-01 FAILED");
    assert!(!lines.iter().any(|it| it.contains("delete")), "{lines:?}");
    assert!(self::run(&mut world, 30)[0].contains("it stays until"));

    let mut broken = drilled_by(&rule);
    run(&mut broken, 0);
    of(&mut broken, DRILL).status = "incompatible-restore".into();
    assert_eq!(run(&mut broken, 9)[1], format!("* delete DB instance {DRILL}"));
}

/// It has the six hours that every drill has and those for the look, so that the look is never cut short.
#[test]
fn the_time_for_a_look_is_added_to_that_of_the_drill() {
    let mut world = drilled_by("monthly keep=2h");
    run(&mut world, 0);
    assert_eq!(run(&mut world, 479)[0], format!("+ {DRILL}: it is creating"));
    assert!(run(&mut world, 480)[0].ends_with("FAILED"));
}

#[test]
fn the_latest_point_in_time_is_restored_where_the_tag_says_so() {
    let mut world = drilled_by("monthly rpo=1h from=latest");
    world.snapshots = None;
    let wanted = crate::plan::wanted_snapshots(&world, &Scope::Everything, false, &now());
    assert_eq!(wanted, crate::plan::Wanted::default(), "no snapshot has to be read");
    assert_eq!(
        run(&mut world, 0),
        [format!("* kfood-db: restore drill: restoring its latest point in time as {DRILL}")]
    );
    let from = of(&mut world, DRILL).tags[keys::DRILL_FROM].clone();
    assert_eq!(from, "point-in-time taken=2026-12-01T00:56:00Z");
    of(&mut world, DRILL).status = "available".into();
    let lines = run(&mut world, 12);
    // No snapshot is there to be marked.
    assert_eq!(lines[1], "* kfood-db: restored in 12 min, data 0 of 1 h old, from its latest point in time");

    let mut without = drilled_by("monthly from=latest");
    without.details.values_mut().for_each(|it| it.latest = None);
    let told = "! kfood-db no-backup: RDS cannot restore it to a point in time, so there is nothing to restore: look at its \
                backup retention period in RDS, or remove the option from=";
    check(&without, &now(), &[told]);
}

#[test]
fn the_newest_automated_snapshot_is_restored_where_the_tag_says_so() {
    let mut world = drilled_by("monthly from=automated");
    let wanted = crate::plan::wanted_snapshots(&world, &Scope::Everything, false, &now());
    assert_eq!(wanted.automated, [(Kind::Instance, "kfood-db".to_owned())]);
    let ours = world.snapshots.as_ref().unwrap()[0].clone();
    let automated = |id: &str, hours| rules::database::Snapshot {
        id: id.into(),
        tags: Default::default(),
        ..snapshot(&world.databases[0], hours)
    };
    let (old, new) = (automated("rds:kfood-db-2026-11-29-17-05", 32), automated("rds:kfood-db-2026-11-30-17-05", 8));
    let creating =
        rules::database::Snapshot { status: "creating".into(), ..automated("rds:kfood-db-2026-12-01-00-05", 1) };
    world.snapshots = Some(vec![ours, new, old, creating]);
    let restoring = format!("* kfood-db: restore drill: restoring rds:kfood-db-2026-11-30-17-05 as {DRILL}");
    assert_eq!(run(&mut world, 0), [restoring]);
    of(&mut world, DRILL).status = "available".into();
    assert!(run(&mut world, 12)[1].starts_with("* kfood-db: restored in 12 min"));
}

#[test]
fn what_the_check_said_last_is_quoted_of_the_container_that_failed() {
    let said = |container: &str, line: String| Said { container: container.into(), line };
    let told = |exit_code, said: Result<Vec<Said>, String>| {
        let mut world = being_checked();
        let drill = arn(Kind::Instance, DRILL);
        world.tasks.insert(drill.clone(), Ok(Some(stopped(Some(exit_code), &minutes_later(20)))));
        assert!(crate::plan::wanted_words(&world, &minutes_later(21)).contains_key(&drill));
        world.said.insert(drill, said);
        let plan = plan(&world, &Scope::Everything, &minutes_later(21));
        plan.steps[0].reason.clone()
    };
    let lines = vec![said("other", "ready".into()), said("check", "no\ttables".into())];
    assert!(told(0, Ok(lines.clone())).ends_with("; the check said last: \"ready\""));
    assert!(told(3, Ok(lines)).contains("exit code 3; the check said last: \"no tables\"; a restore of"));
    let long = told(3, Ok(vec![said("check", "é".repeat(900))]));
    assert!(long.contains(&format!("\"{}…\"", "é".repeat(200))), "{long}");
    assert!(told(0, Err("denied".into())).ends_with("; what the check said last cannot be read: denied"));
}

const THERE: &str = "nightshift-drill-kfood-db-ap-northeast-2-2026-12-01";
const RULE_THERE: &str = "monthly rto=1h rpo=24h check=kfood-drill service=kfood-west/kfood-backend region=us-west-2";

/// The shop with a copy of its snapshot in the other region, and this tag.
fn copied(rule: &str) -> World {
    let mut world = drilled_by(rule);
    let snapshots = world.snapshots.as_mut().unwrap();
    snapshots[0].option_group = Some("default:postgres-16".into());
    let copy = copy(&snapshots[0]);
    snapshots.push(copy);
    world
}

#[test]
fn the_copy_in_another_region_is_drilled_there() {
    let mut world = copied(RULE_THERE);
    let settings = &mut world.details.get_mut(&arn(Kind::Instance, "kfood-db")).unwrap().settings;
    (settings.security_groups, settings.parameter_group) = (vec!["sg-1".into()], Some("kfood-16".into()));
    let begun = plan(&world, &Scope::Everything, &now());
    let Step::Restore(restore) = &begun.steps[0].step else { panic!("{:?}", begun.steps) };
    assert_eq!(restore.region, Some(there()));
    // A security group is of one region; the other groups are looked for by their names.
    assert_eq!(restore.settings.security_groups, Vec::<String>::new());
    assert_eq!(restore.settings.parameter_group.as_deref(), Some("kfood-16"));
    assert_eq!((restore.settings.subnet_group.as_deref(), &restore.settings.option_group), (Some("kfood"), &None));
    let copy = "nightshift-kfood-db-2026-12-01-ap-northeast-2";
    assert_eq!(run(&mut world, 0), [format!("* kfood-db: restore drill: restoring {copy} as {THERE} in us-west-2")]);
    assert!(of(&mut world, THERE).tags[keys::DRILL_MEMORY].contains(" home=ap-northeast-2 "));
    of(&mut world, THERE).status = "available".into();
    run(&mut world, 12);
    world.tasks.insert(arn_in("us-west-2", Kind::Instance, THERE), Ok(Some(stopped(Some(0), &minutes_later(20)))));
    assert_eq!(
        run(&mut world, 21)[..3],
        [
            format!("* {copy}: noting that it was restored"),
            format!(
                "* kfood-db: restored to us-west-2 in 20 of 60 min, data 7 of 24 h old, from {copy}, checked by kfood-drill"
            ),
            format!("* delete DB instance {THERE}"),
        ]
    );
    let snapshots = world.snapshots.as_ref().unwrap();
    let proven = snapshots.iter().filter(|it| it.tags.contains_key(keys::PROVEN)).map(|it| it.id.as_str());
    assert_eq!(proven.collect::<Vec<_>>(), [copy]);
    assert_eq!(world.databases.len(), 1);
}

#[test]
fn options_name_the_network_of_the_restored_database() {
    let world = copied("monthly region=us-west-2 subnet-group=west security-groups=sg-0a+sg-0b");
    let begun = plan(&world, &Scope::Everything, &now());
    let Step::Restore(restore) = &begun.steps[0].step else { panic!("{:?}", begun.steps) };
    assert_eq!(restore.settings.subnet_group.as_deref(), Some("west"));
    assert_eq!(restore.settings.security_groups, ["sg-0a", "sg-0b"]);
}

#[test]
fn a_region_that_cannot_be_drilled_in_is_told_with_the_reason() {
    let told = |change: &dyn Fn(&mut World)| {
        let mut world = copied(RULE_THERE);
        change(&mut world);
        let plan = plan(&world, &Scope::Everything, &now());
        testkit::told::keep("drill-restores", &plan);
        assert!(plan.steps.is_empty(), "{:?}", plan.steps);
        format!("{}: {}", plan.problems[0].problem, plan.problems[0].message)
    };
    assert_eq!(
        told(&|it| it.elsewhere.clear()),
        "no-drill-region: region=us-west-2: the stack may not restore there; add us-west-2 to its parameter CopyRegions"
    );
    assert_eq!(
        told(&|it| drop(it.elsewhere.insert(there(), Err("DescribeDBInstances all: AccessDenied".into())))),
        "unreadable-region: region=us-west-2: the databases there cannot be read: DescribeDBInstances all: AccessDenied"
    );
    let at_home = |it: &mut World| {
        let rule = RULE_THERE.replace("us-west-2", HOME);
        it.databases[0].tags.insert(keys::DRILL.into(), rule);
    };
    assert_eq!(
        told(&at_home),
        "no-drill-region: region=ap-northeast-2: the database itself is there; remove the option"
    );
    let without = |it: &mut World| it.snapshots.as_mut().unwrap().truncate(1);
    assert_eq!(
        told(&without),
        "no-backup: Nightshift has no good copy of it in us-west-2, so there is nothing to restore there: give its tag \
         nightshift:backup the option copy=us-west-2, or look at the log of snapshot-databases"
    );
    // A copy of a snapshot of another region, by another stack.
    let foreign = |it: &mut World| {
        let copy = &mut it.snapshots.as_mut().unwrap()[1];
        let of = copy.tags[keys::COPY_OF].replace("ap-northeast-2", "eu-west-1");
        copy.tags.insert(keys::COPY_OF.into(), of);
    };
    assert!(told(&foreign).starts_with("no-backup: "));
}

#[test]
fn the_drill_of_another_stack_in_a_region_of_copies_is_left_alone() {
    let mut world = kfood();
    let other = "nightshift-drill-shop-2026-12-01";
    let made_by = rules::database::made_by(rules::drill::MAKER, other, "us-west-2");
    let memory = "of=shop begun=2026-12-01T01:00:00Z until=2026-12-01T07:00:00Z";
    let drill = database(Kind::Instance, other, &[(keys::MADE_BY, &made_by), (keys::DRILL_MEMORY, memory)]);
    let drill = rules::database::Database { arn: arn_in("us-west-2", Kind::Instance, other), ..drill };
    world.databases.push(drill);
    for minutes in [0, 400, 2000] {
        let lines = run(&mut world, minutes);
        assert!(!lines.iter().any(|it| it.contains(other)), "{lines:?}");
    }
    // It is drilled there, so that stack finishes it.
    let (home, elsewhere) = ("us-west-2".to_owned(), std::collections::BTreeMap::new());
    let there = World { home, elsewhere, ..world };
    assert!(lines(&there, &Scope::Everything, &minutes_later(400))[0].contains(other));
}

#[test]
fn a_drill_in_another_region_ends_where_its_original_loses_the_tag() {
    let mut world = copied(RULE_THERE);
    run(&mut world, 0);
    of(&mut world, THERE).status = "available".into();
    of(&mut world, "kfood-db").tags.remove(keys::DRILL);
    assert_eq!(run(&mut world, 10), [format!("* delete DB instance {THERE}")]);
}
