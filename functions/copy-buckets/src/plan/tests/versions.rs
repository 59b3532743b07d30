//! Buckets whose old versions S3 keeps.

use reconcile::Undo;

use super::model::*;
use crate::plan::{LifecycleRule, Scope, Versioning, World, plan};

const RULE: &str = "days=30 mode=versions prefix=uploads/";

fn keeps(status: Option<&str>, rules: Vec<LifecycleRule>) -> World {
    let mut world = world(vec![]);
    world.buckets[0] = bucket(UPLOADS, RULE);
    world.versioning.insert(UPLOADS.into(), Ok(Versioning { status: status.map(str::to_owned), rules }));
    world
}

fn rule(id: &str, deletes_after: Option<u32>) -> LifecycleRule {
    LifecycleRule { id: id.into(), is_enabled: true, deletes_after, ..LifecycleRule::default() }
}

#[track_caller]
fn check(world: &World, expected: &[&str]) {
    assert_eq!(lines(world, &Scope::Everything, &night()), expected);
}

/// The age that the alarm sees.
fn age(world: &World) -> f64 {
    plan(world, &Scope::Everything, &night()).measures.into_iter().map(|it| it.value).fold(0.0, f64::max)
}

#[test]
fn a_bucket_that_keeps_old_versions_as_long_as_the_rule_says_is_left_alone() {
    for rules in [
        vec![rule("old", Some(30))],
        vec![rule("old", Some(365))],
        vec![LifecycleRule { prefix: "uploads/".into(), ..rule("old", Some(30)) }],
        // Rules about other objects, and those that are switched off, are no matter.
        vec![rule("old", Some(30)), LifecycleRule { prefix: "cache/".into(), ..rule("cache", Some(1)) }],
        vec![rule("old", Some(30)), LifecycleRule { is_enabled: false, ..rule("off", Some(1)) }],
        vec![LifecycleRule { archives_after: Some(30), ..rule("old", Some(90)) }],
    ] {
        let world = keeps(Some("Enabled"), rules);
        check(&world, &["+ its old versions are kept for 30 days"]);
        assert_eq!(age(&world), 0.0);
    }
}

#[test]
fn a_bucket_that_loses_old_versions_is_told_and_rings_the_alarm() {
    let sound = || rule("old", Some(30));
    for (world, told) in [
        (keeps(None, vec![sound()]), "! versioning-off: its versioning is not enabled: "),
        (keeps(Some("Suspended"), vec![sound()]), "! versioning-off: its versioning is suspended: "),
        (
            keeps(Some("Enabled"), vec![rule("week", Some(7))]),
            "! versions-deleted-early: the rule 'week' of its lifecycle",
        ),
        (
            // A rule about some of the objects deletes too early as well.
            keeps(Some("Enabled"), vec![sound(), LifecycleRule { is_filtered: true, ..rule("big", Some(7)) }]),
            "! versions-deleted-early: the rule 'big'",
        ),
        (
            keeps(Some("Enabled"), vec![sound(), LifecycleRule { prefix: "uploads/a/".into(), ..rule("a", Some(7)) }]),
            "! versions-deleted-early: the rule 'a'",
        ),
        (
            keeps(Some("Enabled"), vec![LifecycleRule { archives_after: Some(7), ..sound() }]),
            "! versions-archived: the rule 'old' of its lifecycle archives old versions after 7 days",
        ),
        (
            // What was archived while it was current is still there when it is an old version.
            keeps(Some("Enabled"), vec![LifecycleRule { archives_current_after: Some(90), ..sound() }]),
            "! versions-archived: the rule 'old' of its lifecycle archives objects after 90 days",
        ),
    ] {
        let told_lines = lines(&world, &Scope::Everything, &night());
        assert!(told_lines.len() == 1 && told_lines[0].starts_with(told), "{told_lines:?}");
        assert_eq!(age(&world), 720.0, "{told}");
    }
}

#[test]
fn old_versions_that_nothing_deletes_cost_but_are_safe() {
    for rules in [
        vec![],
        vec![LifecycleRule { is_filtered: true, ..rule("big", Some(30)) }],
        vec![LifecycleRule { prefix: "uploads/a/".into(), ..rule("a", Some(30)) }],
        vec![rule("uploads-in-parts", None)],
    ] {
        let world = keeps(Some("Enabled"), rules);
        let told = lines(&world, &Scope::Everything, &night());
        assert!(
            told.iter().any(|it| it.starts_with("! versions-endless: nothing deletes its old versions")),
            "{told:?}"
        );
        assert_eq!(age(&world), 0.0);
        assert!(plan(&world, &Scope::Everything, &night()).problems.iter().all(|it| it.monthly));
    }
}

/// The commands that a person can paste: none that would remove lifecycle rules of the bucket.
#[test]
fn what_is_missing_is_told_with_the_command_that_adds_it() {
    let commands = |world: &World| -> Vec<String> {
        let problems = plan(world, &Scope::Everything, &night()).problems.into_iter();
        let choices = problems.flat_map(|it| it.choices);
        choices.map(|it| if let Undo::Shell(line) = it.command { line.to_string() } else { String::new() }).collect()
    };
    assert_eq!(
        commands(&keeps(None, vec![])),
        [
            "aws s3api put-bucket-versioning --bucket kfood-uploads --versioning-configuration Status=Enabled",
            "aws s3api put-bucket-lifecycle-configuration --bucket kfood-uploads --lifecycle-configuration \
             '{\"Rules\":[{\"ID\":\"nightshift-old-versions\",\"Status\":\"Enabled\",\"Filter\":{\"Prefix\":\"uploads/\"},\
             \"NoncurrentVersionExpiration\":{\"NoncurrentDays\":30}}]}'"
        ]
    );
    assert_eq!(commands(&keeps(Some("Enabled"), vec![rule("uploads-in-parts", None)])), Vec::<String>::new());
}

#[test]
fn a_bucket_whose_versions_are_kept_is_not_copied_by_command() {
    let world = keeps(Some("Enabled"), vec![rule("old", Some(30))]);
    let told = lines(&world, &Scope::Copy(UPLOADS.into()), &night());
    assert_eq!(told, ["refused: kfood-uploads is not copied: its tag says mode=versions"]);
}

#[test]
fn deleted_copies_that_stay_as_old_versions_are_told_once_a_month() {
    let with = |status: Option<&str>, rules: Vec<LifecycleRule>| {
        let mut world = world(vec![folder(0, crate::plan::State::Complete)]);
        *world.target_versions() = Some(Versioning { status: status.map(str::to_owned), rules });
        let told = lines(&world, &Scope::Everything, &night());
        told.into_iter().filter(|it| it.starts_with('!')).collect::<Vec<_>>()
    };
    let below = |prefix: &str| LifecycleRule { prefix: prefix.into(), ..rule("old", Some(1)) };
    for covered in ["", "uploads/", "up"] {
        assert_eq!(with(Some("Enabled"), vec![below(covered)]), Vec::<String>::new(), "{covered}");
    }
    assert_eq!(with(None, vec![]), Vec::<String>::new());
    for (status, rules) in [("Enabled", vec![]), ("Suspended", vec![]), ("Enabled", vec![below("uploads/2026")])] {
        let told = with(Some(status), rules);
        assert!(
            told.len() == 1
                && told[0].starts_with("! copies-endless: nothing deletes the old versions of copies in kfood-backups"),
            "{told:?}"
        );
    }
}
