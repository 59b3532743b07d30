//! Events, commands and tags with mistakes in them: nothing panics, and nothing takes more than in proportion to them.

use fuzz::used;
use rules::keys;
use runtime::Request as _;

use super::model::*;
use crate::plan::{Request, plan};

#[test]
fn events_and_commands() {
    fuzz::events("scale-staging", |payload| used(runtime::event(payload).and_then(Request::read)));
}

/// What people write, and what the function remembers, on whatever can sleep.
const SAMPLES: [(&str, &str); 16] = [
    (keys::SCHEDULE, "mon-fri 08:00-20:00 off=1 after=db+ec2:i-0abc+asg:web enforce=true"),
    (keys::SCHEDULE, "mon#1 08:00-20:00,22:00-02:00 maintenance=awake hibernate=true act=sleep"),
    (keys::ASLEEP, "since=2026-11-20T11:00:00Z desired=2 min=1 max=4 suspended=in+out by=schedule"),
    (keys::ASLEEP, "since=2026-11-20T11:00:00Z snapshot=nightshift-db-2026-11-20-200000 by=hold of=AutoScalingGroup"),
    (keys::AWAKE_UNTIL, "2026-11-21T23:00"),
    (keys::AWAKE_UNTIL_MEMORY, "2026-11-20T14:30:00Z by=deploy"),
    (keys::BOOST, "step=2 until=2026-11-21T14:00:00Z"),
    (keys::BOOST_MEMORY, "step=2 until=2026-11-21T14:00:00Z by=alarm:cpu"),
    (keys::BOOSTED, "since=2026-11-20T11:00:00Z from=1 to=2 min=1"),
    (keys::HOLD, "nobody needs it until monday"),
    (keys::HOLD_MEMORY, "by=budget:Team since=2026-11-20T00:00:00Z"),
    (keys::BACKUP, "days=30 copy=us-west-2"),
    (keys::REFUSED, "since=2026-11-20T11:00:00Z The instance is not in a state in which it can be stopped."),
    (keys::WOKEN, "since=2026-11-22T23:00:00Z"),
    (keys::WINDOWS, "mon:03:00-mon:03:30 04:00-04:30"),
    (keys::SLEEP_PROBLEM, "failed 0123456789ab told=2026-11-20T11:00:00Z"),
];

#[test]
fn tags_of_services_databases_groups_and_instances() {
    let moments = ["2026-11-20T20:10", "2026-11-23T08:10"].map(at);
    fuzz::tags(&SAMPLES, |tags| {
        let mut shop =
            shop(vec![scaled("api", HOURS, 2, 1, 4), group("web", HOURS, 2, 1, 4)], vec![database("db", HOURS)]);
        shop.instances.push(instance("i-0abc", HOURS));
        shop.services.iter_mut().for_each(|it| it.tags.clone_from(tags));
        shop.databases[0].database.tags.clone_from(tags);
        shop.instances[0].tags.clone_from(tags);
        for now in &moments {
            used(plan(&shop.seen(now), &sweep(), now));
            used(plan(&shop.seen_by_sweep(now), &sweep(), now));
        }
    });
}

/// RDS tells its windows as text.
#[test]
fn windows_of_databases() {
    fuzz::texts(&["sun:18:30-sun:19:00", "19:30-20:00", "mon:23:45-tue:00:15"], |text| {
        let mut shop = shop(vec![], vec![database("db", "mon-fri 08:00-20:00 maintenance=awake")]);
        let db = &mut shop.databases[0];
        (db.maintenance_window, db.backup_window) = (Some(text.into()), Some(text.into()));
        let now = at("2026-11-20T20:10");
        used(plan(&shop.seen(&now), &sweep(), &now));
    });
}
