//! RDS's windows for maintenance and backups, in the sleep and kept awake for.

use jiff::Zoned;
use rules::keys;

use super::model::*;

/// A database whose windows lie on Sunday and at night, Seoul time.
fn sunday(schedule: &str) -> Shop {
    let mut shop = shop(vec![], vec![database("db", schedule)]);
    // Monday 01:00 to 01:30 and 02:00 to 02:30 in Seoul.
    shop.databases[0].maintenance_window = Some("sun:16:00-sun:16:30".into());
    shop.databases[0].backup_window = Some("17:00-17:30".into());
    shop
}

#[test]
fn windows_that_lie_wholly_in_the_sleep_are_told_once() {
    let mut shop = sunday(HOURS);
    let lines = shop.lines(&sweep(), &at("2026-11-20T12:00"));
    let told = "* db remember: sleeps through its maintenance window sun:16:00-sun:16:30 UTC and backup window 17:00-17:30 UTC: ";
    assert!(lines[0].starts_with(told), "{lines:#?}");
    assert!(lines[1].starts_with("+ db: it is available; "), "its state is told all the same: {lines:#?}");
    shop.run_until_quiet(&at("2026-11-20T12:00"));
    for now in ["2026-11-20T12:05", "2026-11-23T12:00", "2026-12-23T12:00"] {
        assert_eq!(shop.run(&sweep(), &at(now)), 0, "{now}");
    }
    // Told again when it changes, and forgotten once it is awake for them.
    shop.databases[0].backup_window = Some("00:00-00:30".into());
    let lines = shop.lines(&sweep(), &at("2026-11-20T12:00"));
    assert!(
        lines[0].starts_with("* db remember: sleeps through its maintenance window sun:16:00-sun:16:30 UTC: "),
        "{lines:#?}"
    );
    shop.databases[0].maintenance_window = Some("mon:00:00-mon:00:30".into());
    shop.run_until_quiet(&at("2026-11-20T12:00"));
    assert_eq!(shop.database("db").tags.get(keys::WINDOWS), None);
    // What is always awake or never has no other time.
    for schedule in ["always", "never"] {
        let shop = sunday(schedule);
        assert!(!shop.lines(&sweep(), &at("2026-11-20T12:00")).iter().any(|it| it.contains("window")));
    }
}

/// The commands that the first step offers.
fn offered(shop: &Shop, now: &Zoned) -> Vec<String> {
    shop.plan(&sweep(), now).steps[0].step.choices.iter().map(|it| it.line()).collect()
}

#[test]
fn a_change_that_waits_for_a_window_in_the_sleep_is_told_once() {
    let now = at("2026-11-20T12:00");
    let mut shop = sunday(HOURS);
    shop.run_until_quiet(&now);
    // While RDS applies it, it does not wait.
    shop.databases[0].pending = vec!["DBInstanceClass", "EngineVersion"];
    shop.database("db").status = "modifying".into();
    assert!(!shop.lines(&sweep(), &now).iter().any(|it| it.contains("pending") || it.contains("change waits")));
    shop.database("db").status = "available".into();
    let lines = shop.lines(&sweep(), &now);
    let told = "* db remember: sleeps through its maintenance window sun:16:00-sun:16:30 UTC and backup window \
                17:00-17:30 UTC, and a change waits for that (DBInstanceClass EngineVersion) until it is up in its \
                maintenance window: maintenance=awake keeps it up for that";
    assert!(lines[0].starts_with(told), "{lines:#?}");
    assert_eq!(offered(&shop, &now), ["aws rds modify-db-instance --db-instance-identifier db --apply-immediately"]);
    shop.run_until_quiet(&now);
    for now in ["2026-11-20T12:05", "2026-11-23T12:00"] {
        assert_eq!(shop.run(&sweep(), &at(now)), 0, "{now}");
    }
    // Another change is told again, and the memory of many fits into a tag of RDS.
    shop.databases[0].pending = vec!["IAMDatabaseAuthenticationEnabled"; 20];
    assert!(shop.lines(&sweep(), &now)[0].contains("IAMDatabaseAuthenticationEnabled and 16 more) until"));
    shop.run_until_quiet(&now);
    let memory = shop.database("db").tags[keys::WINDOWS].clone();
    assert!(memory.len() <= 256 && !memory.contains(','), "{memory}");
    shop.databases[0].pending.clear();
    let lines = shop.lines(&sweep(), &now);
    assert!(lines[0].starts_with("* db remember: has no change left that waits"), "{lines:#?}");
}

#[test]
fn a_change_that_does_not_wait_for_a_window_in_the_sleep_is_not_told() {
    let now = at("2026-11-20T12:00");
    let awake = format!("{HOURS} maintenance=awake");
    for (schedule, window) in [(awake.as_str(), "sun:16:00-sun:16:30"), (HOURS, "mon:00:00-mon:00:30")] {
        let mut shop = sunday(schedule);
        shop.databases[0].pending = vec!["DBInstanceClass"];
        shop.databases[0].maintenance_window = Some(window.into());
        let lines = shop.lines(&sweep(), &now);
        assert!(lines[0].contains("backup window"), "{lines:#?}");
        assert!(!lines.iter().any(|it| it.contains("DBInstanceClass")), "{lines:#?}");
    }
}

#[test]
fn a_change_of_a_cluster_is_applied_with_the_command_for_clusters() {
    let mut shop = shop(vec![], cluster("aurora", HOURS).into());
    shop.databases[0].maintenance_window = Some("sun:16:00-sun:16:30".into());
    shop.databases[0].pending = vec!["EngineVersion"];
    let command = "aws rds modify-db-cluster --db-cluster-identifier aurora --apply-immediately";
    assert_eq!(offered(&shop, &at("2026-11-20T12:00")), [command]);
}

/// A cluster whose own window lies in office hours and that of its instance in the night.
fn aurora(schedule: &str) -> Shop {
    let mut shop = shop(vec![], cluster("aurora", schedule).into());
    shop.databases[0].maintenance_window = Some("mon:00:00-mon:00:30".into());
    shop.databases[1].maintenance_window = Some("sun:16:00-sun:16:30".into());
    shop.databases[1].pending = vec!["DBInstanceClass"];
    shop
}

#[test]
fn a_change_of_an_instance_of_a_cluster_waits_for_the_window_of_that_instance() {
    let now = at("2026-11-20T12:00");
    let mut shop = aurora(HOURS);
    let lines = shop.lines(&sweep(), &now);
    let told = "* aurora remember: sleeps through its maintenance window sun:16:00-sun:16:30 UTC of aurora-1, and a \
                change waits for that (DBInstanceClass of aurora-1) until it is up in its maintenance window: \
                maintenance=awake keeps it up for that";
    assert!(lines[0].starts_with(told), "{lines:#?}");
    let command = "aws rds modify-db-instance --db-instance-identifier aurora-1 --apply-immediately";
    assert_eq!(offered(&shop, &now), [command]);
    shop.run_until_quiet(&now);
    assert_eq!(shop.run(&sweep(), &at("2026-11-20T12:05")), 0, "told once");
    // While RDS applies it, nothing is told and nothing is forgotten.
    shop.databases[1].database.status = "modifying".into();
    assert!(!shop.lines(&sweep(), &now).iter().any(|it| it.contains("remember")), "not while it is applied");
    // Nobody is told of the window of an instance without a change.
    shop.databases[1].database.status = "available".into();
    shop.databases[1].pending.clear();
    shop.run_until_quiet(&now);
    assert_eq!(shop.database("aurora").tags.get(keys::WINDOWS), None);
}

#[test]
fn changes_of_a_cluster_and_its_instances_fit_into_one_memory() {
    let now = at("2026-11-20T12:00");
    let long = "a".repeat(63);
    let mut shop = aurora(HOURS);
    let mut second = shop.databases[1].clone();
    (second.database.id, second.database.arn) = (long.clone(), format!("arn:aws:rds:r:1:db:{long}"));
    second.pending = vec!["IAMDatabaseAuthenticationEnabled"; 3];
    shop.databases.push(second);
    shop.databases[0].backup_window = Some("17:00-17:30".into());
    let lines = shop.lines(&sweep(), &now);
    let named = format!("(DBInstanceClass of aurora-1 IAMDatabaseAuthenticationEnabled of {long} and 2 more)");
    assert!(lines[0].contains(&named), "{lines:#?}");
    let command = |id: &str| format!("aws rds modify-db-instance --db-instance-identifier {id} --apply-immediately");
    assert_eq!(offered(&shop, &now), ["aurora-1", &long].map(command));
    // Where not one name fits, they are counted.
    shop.databases.remove(1);
    assert!(shop.lines(&sweep(), &now)[0].contains("(3 changes)"));
    shop.run_until_quiet(&now);
    let memory = shop.database("aurora").tags[keys::WINDOWS].clone();
    assert!(memory.len() <= 256 && !memory.contains(','), "{memory}");
}

#[test]
fn maintenance_awake_keeps_a_cluster_up_in_the_windows_of_its_instances() {
    let mut shop = aurora(&format!("{HOURS} maintenance=awake"));
    assert!(!shop.lines(&sweep(), &at("2026-11-20T12:00")).iter().any(|it| it.contains("DBInstanceClass")));
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    assert_eq!(shop.database("aurora").status, "stopped");
    shop.run_until_quiet(&at("2026-11-23T00:30"));
    assert_eq!(shop.database("aurora").status, "available");
    shop.run_until_quiet(&at("2026-11-23T01:30"));
    assert_eq!(shop.database("aurora").status, "stopped");
}

#[test]
fn maintenance_awake_keeps_the_database_up_in_its_own_window() {
    let mut shop = sunday(&format!("{HOURS} maintenance=awake"));
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    assert_eq!(shop.database("db").status, "stopped");
    // Half an hour before, since it takes a while to start.
    shop.run(&sweep(), &at("2026-11-23T00:25"));
    assert_eq!(shop.database("db").status, "stopped");
    let lines = shop.lines(&sweep(), &at("2026-11-23T00:30"));
    let wakes = "* db wake: is started | maintenance=awake keeps it up for its window until Mon 2026-11-23 01:30 KST";
    assert!(lines[0].starts_with(wakes), "{lines:#?}");
    shop.run_until_quiet(&at("2026-11-23T00:30"));
    shop.run_until_quiet(&at("2026-11-23T01:25"));
    assert_eq!(shop.database("db").status, "available");
    shop.run_until_quiet(&at("2026-11-23T01:30"));
    assert_eq!(shop.database("db").status, "stopped");
    // A hold outranks it.
    shop.database("db").tags.insert(keys::HOLD.into(), "closed".into());
    shop.run_until_quiet(&at("2026-11-30T01:00"));
    assert_eq!(shop.database("db").status, "stopped");
}

#[test]
fn a_service_has_no_maintenance_window() {
    let shop = shop(vec![service("api", &format!("{HOURS} maintenance=awake"), 2)], vec![]);
    let lines = shop.lines(&sweep(), &at("2026-11-20T20:00"));
    let expected = "! api bad-tag: nightshift:schedule: maintenance=awake is for databases";
    assert!(lines.len() == 1 && lines[0].starts_with(expected), "{lines:#?}");
}
