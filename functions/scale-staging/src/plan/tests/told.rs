//! What people are told of, and what is left alone.

use rules::keys;

use super::model::*;
use crate::plan::{Missing, Request, Scope, World, plan};

#[test]
fn what_did_not_opt_in_is_left_alone_and_a_bad_tag_told() {
    let mut shop = shop(vec![service("api", "office", 2), service("bare", HOURS, 2)], vec![]);
    shop.service("bare").tags.clear();
    let told = shop.lines(&sweep(), &at("2026-11-20T20:00"));
    assert_eq!(told[0], "+ bare: it has no tag nightshift:schedule");
    assert!(told[1].starts_with("! api bad-tag: nightshift:schedule: unknown word 'office' in 'office'"), "{told:?}");
    let nobody = Request { scope: Scope::Resource("arn:aws:rds:r:1:db:gone".into()), command: None };
    assert!(
        shop.lines(&nobody, &at("2026-11-20T20:00")).contains(&"+ gone: there is no such service or database".into())
    );
}

#[test]
fn what_cannot_be_read_remembers_that_people_were_told() {
    let missing = |tags| Missing { arn: service_arn("api"), refused: Some("AccessDenied".into()), tags };
    let remembered = |tags| {
        let world = World { missing: vec![missing(tags)], ..World::default() };
        plan(&world, &sweep(), &at("2026-11-20T12:00")).remembered
    };
    let told = "unreadable 0123456789ab told=2026-11-20T02:00:00Z";
    let all = remembered(tags(&[(keys::SCHEDULE, HOURS), (keys::SLEEP_PROBLEM, told)]));
    assert_eq!(all.into_iter().collect::<Vec<_>>(), [(service_arn("api"), Some(told.to_owned()))]);
    // What did not opt in remembers nothing.
    assert!(remembered(tags(&[])).is_empty());
}

#[test]
fn a_sleeper_that_lost_its_schedule_is_told_and_left_alone() {
    let mut shop =
        shop(vec![scaled("api", HOURS, 3, 2, 6)], vec![database("app-db", HOURS), database("own-db", HOURS)]);
    // That one a person had stopped before.
    shop.database("own-db").status = "stopped".into();
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    let told = "left-behind 0123456789ab told=2026-11-21T02:00:00Z";
    shop.service("api").tags.insert(keys::SLEEP_PROBLEM.into(), told.into());
    shop.service("api").tags.remove(keys::SCHEDULE);
    shop.databases.iter_mut().for_each(|it| drop(it.database.tags.remove(keys::SCHEDULE)));
    let now = at("2026-11-21T12:30");
    let mut world = shop.seen(&now);
    world.left_behind = vec![world.services.remove(0)];
    let mut gone = world.left_behind[0].clone();
    (gone.arn, gone.status) = (service_arn("gone"), "INACTIVE".into());
    world.left_behind.push(gone);
    let plan_of = |world: &World, scope| plan(world, &Request { scope, command: None }, &now);
    let plan = plan_of(&world, Scope::Everywhere);
    let back = "Put the tag back \
                (nightshift:schedule=always wakes it now), or restore it by hand and remove the tag nightshift-state:asleep";
    let messages: Vec<&str> = plan.problems.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            &format!(
                "nothing wakes it: it has lost its tag nightshift:schedule; it was put to sleep on \
                 Fri 2026-11-20 20:00 KST (it had 3 tasks, min 2 and max 6 of its scaling). {back}"
            ),
            &format!(
                "nothing wakes it: it has lost its tag nightshift:schedule; it was put to sleep on \
                 Fri 2026-11-20 20:00 KST. {back}"
            ),
        ]
    );
    assert!(plan.problems.iter().all(|it| it.problem == "left-behind") && plan.steps.is_empty());
    // Each remembers that people were told.
    let remembered: Vec<Option<String>> = plan.remembered.into_values().collect();
    assert_eq!(remembered, [Some(told.to_owned()), None]);
    // Nobody is told of it by a question about something else, nor of a database that runs.
    assert_eq!(plan_of(&world, Scope::Resource(service_arn("web"))).problems, []);
    world.databases.iter_mut().for_each(|it| it.database.status = "available".into());
    assert_eq!(plan_of(&world, Scope::Everywhere).problems.len(), 1);
}

#[test]
fn a_week_of_nights_sends_nothing_but_the_daily_reports() {
    let office = "mon-fri 08:00-20:00";
    let mut shop = shop(vec![service("api", office, 2), service("web", office, 1)], vec![database("app-db", office)]);
    let (mut told, mut each, mut steps) = (Vec::new(), 0, 0);
    for day in 16..=22 {
        for time in ["08:00", "08:10", "08:20", "20:00", "20:10", "20:20", "20:30"] {
            let now = at(&format!("2026-11-{day}T{time}"));
            let plan = shop.plan(&sweep(), &now);
            told.extend(testkit::told::sent("scale-staging", &plan, reconcile::Routine::Daily));
            each += testkit::told::sent("scale-staging", &plan, reconcile::Routine::Each).len();
            steps += plan.steps.len();
            shop.run(&sweep(), &now);
            shop.settle();
        }
    }
    assert_eq!(told, Vec::<String>::new());
    // Five evenings and five mornings, all three of them; told each, services and the database are two messages.
    assert!(steps >= 24 && each >= 8, "{steps} steps, {each} messages");
}
