//! Restores to a moment.

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use reconcile::Step as _;
use rules::keys;

use super::model::*;
use crate::plan::{
    At, Contents, Job, Lost, Obstacle, Picker, RestoreMarker, RestoreState, Restoring, Scope, Site, Step, Version,
    Versioning, Wanted, World, plan,
};

const FOLDER: &str = "kfood-backups/restored/2026-11-20T030000";

fn wanted(at: &str) -> Scope {
    let at = At::read(at).unwrap();
    Scope::Restore(Wanted { bucket: UPLOADS.into(), at, to: "kfood-backups/restored".parse().unwrap() })
}

/// A bucket with old versions, and nothing in the folder that is restored to.
fn kept() -> World {
    let mut world = world(vec![]);
    world.buckets[0] = bucket(UPLOADS, "days=30 mode=versions prefix=uploads/");
    let rules = vec![crate::plan::LifecycleRule { is_enabled: true, deletes_after: Some(30), ..Default::default() }];
    world.versioning.insert(UPLOADS.into(), Ok(Versioning { status: Some("Enabled".into()), rules }));
    world.site = Some(Ok(Site { region: "ap-northeast-2".into(), contents: Contents::Nothing, obstacles: Vec::new() }));
    world
}

fn marker(state: RestoreState) -> RestoreMarker {
    RestoreMarker {
        made_by: "nightshift copy-buckets restore".into(),
        source: UPLOADS.into(),
        prefix: "uploads/".into(),
        at: "2026-11-19T18:00:00Z".parse().unwrap(),
        begun: night().timestamp(),
        state,
        busy_until: None,
        listing: None,
        manifest: None,
        job: (state == RestoreState::Copying).then(|| "job-r".into()),
        objects: None,
        failed: None,
        problems: Vec::new(),
        untold: false,
    }
}

/// A restore that the tag of the bucket names.
fn under_way(marker: Option<RestoreMarker>, job: Option<Result<Job, Lost>>) -> World {
    let mut world = kept();
    world.buckets[0].tags.insert(keys::BUCKET_RESTORE.into(), FOLDER.into());
    world.restores.insert(UPLOADS.into(), Ok(Restoring { region: "ap-northeast-2".into(), marker, job }));
    world
}

/// The first lines, without the one about old versions.
#[track_caller]
fn check(world: &World, scope: &Scope, expected: &[&str]) {
    let mut told = lines(world, scope, &night());
    told.retain(|it| !it.contains("its old versions are kept for 30 days"));
    assert_eq!(told, expected);
}

#[test]
fn a_restore_into_a_copy_is_refused_since_it_would_be_deleted_with_it() {
    let mut world = kept();
    world.buckets.push(bucket("kfood-logs", "days=30 to=kfood-backups/logs"));
    let to = |folder: &str| {
        Scope::Restore(Wanted {
            bucket: UPLOADS.into(),
            at: At::read("2026-11-20T03:00").unwrap(),
            to: format!("kfood-backups/{folder}").parse().unwrap(),
        })
    };
    for inside in ["logs/2026-11-20", "logs/by-hand"] {
        let told = lines(&world, &to(inside), &night());
        let expected = format!(
            "refused: to: kfood-backups/{inside} lies in kfood-backups/logs, where the copies of kfood-logs are, and would be \
             deleted with one of them: name another folder"
        );
        assert_eq!(told, [expected]);
    }
    // Beside the copies its folder has another name than any of them.
    for beside in ["logs", "logs-restored"] {
        let told = lines(&world, &to(beside), &night());
        assert!(told.iter().any(|it| it.starts_with("* restore 2026-11-20T030000")), "{told:?}");
    }
}

#[test]
fn a_restore_begins_in_a_folder_of_its_own() {
    check(&kept(), &wanted("2026-11-20T03:00"), &["* restore 2026-11-20T030000: a person asks for it"]);
    let step = plan(&kept(), &wanted("2026-11-19T18:00Z"), &night()).steps.remove(0).step;
    let Step::Restore(step) = step else { panic!("{step:?}") };
    assert_eq!(step.folder.url(), format!("s3://{FOLDER}/"));
    assert_eq!(
        (step.marker.prefix.as_str(), step.marker.at.to_string().as_str()),
        ("uploads/", "2026-11-19T18:00:00Z")
    );
    // What failed, and what a run that died has left, may be begun again.
    for left in [RestoreState::Failed, RestoreState::Listing] {
        let mut world = kept();
        world.site.as_mut().unwrap().as_mut().unwrap().contents = Contents::Restore(Box::new(marker(left)));
        check(&world, &wanted("2026-11-20T03:00"), &["* restore 2026-11-20T030000: a person asks for it"]);
    }
}

#[test]
fn a_restore_that_cannot_be_is_refused_with_the_reason() {
    let refused = |world: &World, at: &str| lines(world, &wanted(at), &night()).join("\n");
    let site = |change: &dyn Fn(&mut Site)| {
        let mut world = kept();
        change(world.site.as_mut().unwrap().as_mut().unwrap());
        world
    };
    let with = |change: &dyn Fn(&mut World)| {
        let mut world = kept();
        change(&mut world);
        world
    };
    let holds = |contents: Contents| site(&|it| it.contents = contents.clone());
    let restore = |state: RestoreState| Contents::Restore(Box::new(marker(state)));
    let other = Contents::Restore(Box::new(RestoreMarker { source: "x".into(), ..marker(RestoreState::Complete) }));
    let versioning = |status: Option<&str>| {
        let found = Versioning { status: status.map(str::to_owned), rules: Vec::new() };
        with(&|world| drop(world.versioning.insert(UPLOADS.into(), Ok(found.clone()))))
    };
    for (world, at, why) in [
        (kept(), "2026-11-22T03:00", "Sun 2026-11-22 03:00 KST has not come yet"),
        (kept(), "2026-10-20T03:00", "is more than 30 days ago, and days=30 keeps old versions no longer"),
        (with(&|it| it.setup.targets.clear()), "2026-11-20T03:00", "is not in the parameter BackupTargets"),
        (with(&|it| it.setup.sources.clear()), "2026-11-20T03:00", "is not in the parameter BackupBuckets"),
        (with(&|it| it.setup.role = None), "2026-11-20T03:00", "the stack has no role for copies"),
        (with(&|it| it.buckets.clear()), "2026-11-20T03:00", "no bucket kfood-uploads with the tag nightshift:backup"),
        (versioning(None), "2026-11-20T03:00", "versioning of kfood-uploads is not enabled"),
        (holds(Contents::Other), "2026-11-20T03:00", "is there already and is not a restore of this bucket"),
        (holds(other), "2026-11-20T03:00", "is there already and is not a restore of this bucket"),
        (holds(restore(RestoreState::Complete)), "2026-11-20T03:00", "is complete already"),
        (holds(restore(RestoreState::Copying)), "2026-11-20T03:00", "is being copied"),
        (
            site(&|it| it.obstacles = vec![Obstacle::PublicTarget]),
            "2026-11-20T03:00",
            "the policy of kfood-backups lets",
        ),
        (
            under_way(Some(marker(RestoreState::Copying)), Some(Ok(job("Active", 1, 0)))),
            "2026-11-20T03:00",
            "a restore of kfood-uploads to Fri 2026-11-20 03:00 KST is under way",
        ),
    ] {
        let told = refused(&world, at);
        assert!(told.starts_with("refused: ") && told.contains(why), "{told} should hold {why}");
    }
    let inside = Wanted {
        bucket: UPLOADS.into(),
        at: At::read("2026-11-20T03:00").unwrap(),
        to: format!("{UPLOADS}/uploads").parse().unwrap(),
    };
    let told = lines(&kept(), &Scope::Restore(inside), &night());
    assert!(told[0].starts_with("refused: the copies would lie among the objects"), "{told:?}");
}

#[test]
fn a_list_that_is_not_complete_goes_on_unless_a_run_is_at_it() {
    let listing = |busy: Option<&str>| {
        let busy_until = busy.map(|it| it.parse().unwrap());
        under_way(Some(RestoreMarker { busy_until, ..marker(RestoreState::Listing) }), None)
    };
    let sweep = Scope::Everything;
    check(&listing(None), &sweep, &["* restore 2026-11-20T030000: its list is not complete"]);
    check(&listing(Some("2026-11-20T17:59:00Z")), &sweep, &["* restore 2026-11-20T030000: its list is not complete"]);
    check(
        &listing(Some("2026-11-20T18:01:00Z")),
        &sweep,
        &["+ its versions are being listed for s3://kfood-backups/restored/2026-11-20T030000/"],
    );
}

#[test]
fn a_job_that_restores_is_followed_to_its_end() {
    let copying = |job: Result<Job, Lost>| under_way(Some(marker(RestoreState::Copying)), Some(job));
    let sweep = Scope::Everything;
    check(
        &copying(Ok(job("Active", 400, 1))),
        &sweep,
        &["+ restoring to s3://kfood-backups/restored/2026-11-20T030000/: 401 of 1000 objects"],
    );
    check(
        &copying(Ok(job("Complete", 1000, 0))),
        &sweep,
        &["* record 2026-11-20T030000 Complete: every object was copied"],
    );
    let failures = vec!["uploads/big.mp4: EntityTooLarge (400)".to_owned()];
    check(
        &copying(Ok(Job { failures, ..job("Complete", 999, 1) })),
        &sweep,
        &[
            "* record 2026-11-20T030000 Failed: 1 of 1000 objects were not copied: uploads/big.mp4: EntityTooLarge (400). \
             A job copies no object above 5 GB, and none with a key of the customer (SSE-C): leave it out by prefix=.",
        ],
    );
    check(&copying(Err(Lost::Gone)), &sweep, &["+ S3 does not know its job yet"]);
    check(
        &copying(Err(Lost::Unreadable("AccessDenied".into()))),
        &sweep,
        &["! unreadable: the job job-r that restores it cannot be read: AccessDenied"],
    );
}

#[test]
fn how_a_restore_ended_is_told_until_people_were_told() {
    let world = under_way(Some(marker(RestoreState::Copying)), Some(Ok(job("Complete", 1000, 0))));
    let step = plan(&world, &Scope::Everything, &night()).steps.remove(0).step;
    let Step::RecordRestore(ended) = &step else { panic!("{step:?}") };
    // The run that saw it dies before its message.
    let after = |marker: &RestoreMarker| under_way(Some(marker.clone()), None);
    check(
        &after(&ended.marker),
        &Scope::Everything,
        &["* record 2026-11-20T030000 Complete: it has ended, and the run that saw it could not tell people"],
    );
    let Some(Step::RecordRestore(told)) = step.once_told() else { panic!("nothing is written once it is told") };
    check(&after(&told.marker), &Scope::Everything, &["* forget: it has ended, and people were told"]);
}

#[test]
fn a_tag_without_a_restore_is_removed() {
    for left in [None, Some(marker(RestoreState::Complete)), Some(marker(RestoreState::Failed))] {
        let world = under_way(left, None);
        let told = lines(&world, &Scope::Everything, &night());
        assert!(told[0].starts_with("* forget: "), "{told:?}");
    }
    let mut unreadable = kept();
    unreadable.buckets[0].tags.insert(keys::BUCKET_RESTORE.into(), "by hand".into());
    check(&unreadable, &Scope::Everything, &["* forget: its tag names no restore"]);
}

/// Versions as S3 lists them: key by key, the newest of each first; several can be of one second.
fn histories() -> impl Strategy<Value = Vec<Version>> {
    vec(vec((0..20_i64, any::<bool>()), 1..6), 0..8).prop_map(|keys| {
        let each = keys.into_iter().enumerate().flat_map(|(number, mut versions)| {
            versions.sort_by_key(|it| std::cmp::Reverse(it.0));
            versions.into_iter().enumerate().map(move |(id, (second, is_deletion))| Version {
                key: format!("key-{number}"),
                id: format!("v{id}"),
                at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second),
                is_deletion,
                size: 1,
                etag: "e".into(),
            })
        });
        each.collect()
    })
}

proptest! {
    /// Whatever the pages are, and wherever a run ends and another one goes on.
    #[test]
    fn the_version_of_a_moment_is_the_newest_that_is_not_newer(versions in histories(), second in 0..20_i64, page in 1..5_usize) {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
        let mut decided = None;
        let mut picked = Vec::new();
        for page in versions.chunks(page) {
            let mut picker = Picker::new(at, decided.take());
            picked.extend(page.iter().filter(|it| picker.takes(it)).cloned());
            decided = picker.decided();
        }
        let mut keys: Vec<&str> = versions.iter().map(|it| it.key.as_str()).collect();
        keys.dedup();
        let current = keys.iter().filter_map(|key| versions.iter().find(|it| it.key == *key && it.at <= at));
        let expected: Vec<Version> = current.filter(|it| !it.is_deletion).cloned().collect();
        prop_assert_eq!(picked, expected);
    }
}
