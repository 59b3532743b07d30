//! Drills: which objects are compared, what a comparison comes to, and when one begins and ends.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use proptest::collection::vec;
use proptest::prelude::*;
use reconcile::Step as _;
use rules::drill::Drilled;
use rules::facts::Fact;
use rules::keys;

use super::model::*;
use crate::plan::compare::{Verdict, verdict};
use crate::plan::{
    Chosen, Compared, Drilling, Folder, Marker, Object, START, Sample, Sampler, Scope, Side, State, Step, Version,
    World, plan, wanted_drills,
};

/// A Monday, the first weekday of its week.
fn monday(time: &str) -> Zoned {
    format!("2026-11-23T{time}:00+09:00[Asia/Seoul]").parse().unwrap()
}

fn drilled(rule: &str, folders: Vec<Folder>) -> World {
    let mut world = world(folders);
    world.buckets[0].tags.insert(keys::DRILL.into(), rule.into());
    world
}

/// The copy of that Monday, with what its marker says of a drill.
fn copy(drilling: Option<&str>) -> Folder {
    let moment = "2026-11-22T18:00:00Z".parse().unwrap();
    let drilling = drilling.map(|it| monday(it).timestamp());
    let marker = Marker { moment, drilling, ended: Some(moment), ..marker(0, State::Complete) };
    Folder { date: monday("03:00").date(), marker: Some(marker) }
}

fn under_way(drilling: Drilling) -> World {
    let mut world = drilled("weekly", vec![copy(Some("10:08"))]);
    world.drills.insert(UPLOADS.into(), Ok(drilling));
    world
}

fn chosen(key: &str) -> Chosen {
    Chosen { draw: 0, key: key.into(), version: None, size: 9, etag: "0".repeat(32) }
}

fn object() -> Object {
    Object { size: 9, etag: "0".repeat(32), ..Object::default() }
}

fn same(key: &str) -> Compared {
    let there = || Side::There(object());
    Compared { chosen: chosen(key), copy: there(), source: there(), same_start: Some(true) }
}

fn at(world: &World, time: &str) -> Vec<String> {
    lines(world, &Scope::Everything, &monday(time))
}

/// What the last line says of the drill.
fn told(world: &World, time: &str) -> String {
    let last = at(world, time).pop().unwrap_or_default();
    last.split_once("; there are 1; ").map(|it| it.1.to_owned()).unwrap_or(last)
}

#[test]
fn a_drill_begins_on_the_first_weekday_of_its_period_and_not_twice() {
    let mut world = drilled("weekly", vec![copy(None)]);
    assert_eq!(told(&world, "09:53"), "it was never drilled; the next one is due on Mon 2026-11-23 10:00 KST");
    assert_eq!(
        at(&world, "10:08"),
        ["* sample 2026-11-23 0 of 100: it was never drilled, and one is due since Mon 2026-11-23 10:00 KST"]
    );
    assert_eq!(told(&world, "16:08"), "it was never drilled; one is due since Mon 2026-11-23 10:00 KST");
    let last = "proven at=2026-11-23T01:23:00Z begun=2026-11-23T01:08:00Z took=15m data=7h good=2026-11-23T01:23:00Z \
                snapshot=2026-11-23";
    world.buckets[0].tags.insert(keys::DRILLED.into(), last.into());
    assert_eq!(
        told(&world, "11:08"),
        "its last drill proven on Mon 2026-11-23 10:23 KST; the next one is due on Mon 2026-11-30 10:00 KST"
    );
    // A person may ask for one at any time.
    let asked = lines(&world, &Scope::Drill(UPLOADS.into()), &monday("23:08"));
    assert_eq!(asked, ["* sample 2026-11-23 0 of 100: a person asks for it"]);
}

#[test]
fn what_is_compared_is_chosen_in_one_run_and_read_in_the_next() {
    let begun = drilled("weekly sample=7", vec![copy(None)]);
    let step = plan(&begun, &Scope::Everything, &monday("10:08")).steps.remove(0).step;
    let Step::TakeSample(step) = step else { panic!("{step:?}") };
    assert_eq!((step.size, step.marker.drilling), (7, Some(monday("10:08").timestamp())));
    // The list did not fit into one run: the next one goes on where it ended.
    let sample = Sample { after: Some(("uploads/m".into(), "null".into())), ..Sample::default() };
    let world = under_way(Drilling::Listing(sample.clone()));
    assert_eq!(wanted_drills(&world, &Scope::Everything, &monday("10:23")).len(), 1);
    assert_eq!(wanted_drills(&world, &Scope::Copy(UPLOADS.into()), &monday("10:23")).len(), 0);
    let step = plan(&world, &Scope::Everything, &monday("10:23")).steps.remove(0).step;
    assert!(
        matches!(step, Step::TakeSample(it) if it.sample == sample && it.marker.drilling == copy(Some("10:08")).marker.unwrap().drilling)
    );
    let done = Sample { is_whole: true, objects: 4000, ..Sample::default() };
    let world = under_way(Drilling::Compared(done, vec![same("uploads/a"), same("uploads/b")]));
    assert_eq!(at(&world, "10:23"), ["* finish 2026-11-23 proven: of 2 out of 4000 objects 2 are the same"]);
}

#[test]
fn a_copy_whose_drill_ends_late_is_not_deleted_by_the_run_that_proves_it() {
    // Nothing ran for two days, and the rule keeps only the newest copy.
    let newer = |days: i64| {
        let moment = monday("03:00").timestamp() + SignedDuration::from_hours(24 * days);
        let date = monday("03:00").date().checked_add(days.days()).unwrap();
        Folder { date, marker: Some(Marker { moment, ended: Some(moment), ..marker(0, State::Complete) }) }
    };
    let mut world = drilled("weekly", vec![copy(Some("10:08")), newer(1), newer(2)]);
    world.buckets[0].tags.insert(keys::BACKUP.into(), "last=1 to=kfood-backups/uploads prefix=uploads/".into());
    let now = &monday("11:00") + SignedDuration::from_hours(48);
    let sample = Sample { is_whole: true, objects: 2, ..Sample::default() };
    world.drills.insert(UPLOADS.into(), Ok(Drilling::Compared(sample, vec![same("uploads/a")])));
    let steps = lines(&world, &Scope::Everything, &now);
    let of_copy: Vec<&String> = steps.iter().filter(|it| it.starts_with('*') && it.contains(" 2026-11-23")).collect();
    assert!(of_copy.len() == 1 && of_copy[0].starts_with("* finish 2026-11-23 proven"), "{steps:#?}");
    // Without the tag the drill has no end, and the copy goes.
    world.buckets[0].tags.remove(keys::DRILL);
    let steps = lines(&world, &Scope::Everything, &now);
    assert!(steps.iter().any(|it| it.starts_with("* delete 2026-11-23")), "{steps:#?}");
}

#[test]
fn the_end_of_a_drill_is_remembered_on_the_bucket_and_in_the_copy() {
    let sample = Sample { is_whole: true, objects: 2, ..Sample::default() };
    let end = |compared: Vec<Compared>| {
        let world = under_way(Drilling::Compared(sample.clone(), compared));
        let plan = plan(&world, &Scope::Everything, &monday("10:23"));
        applied(&plan, world)
    };
    let memory = |world: &World| world.buckets[0].tags[keys::DRILLED].parse::<Drilled>().unwrap();
    let after = end(vec![same("uploads/a")]);
    let expected = "proven at=2026-11-23T01:23:00Z begun=2026-11-23T01:08:00Z took=15m data=7h good=2026-11-23T01:23:00Z \
                    snapshot=2026-11-23";
    assert_eq!(memory(&after).to_string(), expected);
    let plan = plan(&after, &Scope::Everything, &monday("10:38"));
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    let facts: Vec<Fact> = plan.facts.iter().map(|it| serde_json::from_value(it.fact.clone()).unwrap()).collect();
    assert!(matches!(&facts[0], Fact::Drill(it) if it.outcome.as_deref() == Some("proven")), "{facts:?}");
    assert!(matches!(&facts[1], Fact::Backup(it) if it.snapshots[0].proven), "{facts:?}");
    let figures: Vec<_> = plan.measures.iter().map(|it| (it.metric, it.of.is_some(), it.value)).collect();
    assert!(figures.contains(&("DrillFailed", false, 0.0)) && figures.contains(&("DrillOverdue", true, 0.0)));
    // After one that failed, the copy is not proven any more, and the last good one is still known.
    let wrong = Compared { copy: Side::Missing, ..same("uploads/a") };
    let after = end(vec![wrong]);
    assert_eq!((memory(&after).outcome.to_string().as_str(), memory(&after).good), ("failed", None));
    let failed = crate::plan::plan(&after, &Scope::Everything, &monday("10:38")).measures;
    assert!(failed.iter().any(|it| (it.metric, it.of.is_none(), it.value) == ("DrillFailed", true, 1.0)), "{failed:?}");
}

#[test]
fn how_a_drill_ended_is_told_until_people_were_told() {
    let sample = Sample { is_whole: true, objects: 2, ..Sample::default() };
    let mut world = under_way(Drilling::Compared(sample, vec![same("uploads/a")]));
    let step = plan(&world, &Scope::Everything, &monday("10:23")).steps.remove(0).step;
    let Step::FinishDrill(ended) = &step else { panic!("{step:?}") };
    // The run that ended it dies between what it writes down and its message.
    world = drilled("weekly", vec![copy(None)]);
    world.buckets[0].tags.insert(keys::DRILLED.into(), ended.drilled.to_string());
    let next = "its last drill proven on Mon 2026-11-23 10:23 KST; the next one is due on Mon 2026-11-30 10:00 KST";
    assert_eq!(at(&world, "10:27").len(), 1, "that run may just be telling it: {:?}", at(&world, "10:27"));
    assert_eq!(told(&world, "10:27"), next);
    let again = plan(&world, &Scope::Everything, &monday("10:38")).steps.remove(0).step;
    let Step::FinishDrill(it) = &again else { panic!("{again:?}") };
    assert_eq!((it.marker.as_ref(), again.headline()), (None, step.headline()));
    world.buckets[0].tags.insert(keys::DRILLED.into(), it.told().to_string());
    assert_eq!(told(&world, "10:53"), next);
}

#[test]
fn a_drill_that_failed_names_the_first_ten_objects_and_what_to_do() {
    let sample = Sample { is_whole: true, objects: 20, ..Sample::default() };
    let all = (0..20).map(|number| match number {
        0..12 => Compared { copy: Side::Missing, ..same(&format!("uploads/{number:02}")) },
        12 => Compared { copy: Side::Refused("AccessDenied".into()), ..same("uploads/12") },
        _ => same(&format!("uploads/{number}")),
    });
    let world = under_way(Drilling::Compared(sample.clone(), all.collect()));
    let told = at(&world, "10:23").remove(0);
    assert!(
        told.starts_with(
            "* finish 2026-11-23 failed: 13 of 20 objects are not as they were copied: uploads/00 is not in the copy; "
        ),
        "{told}"
    );
    assert!(
        told.contains("uploads/09 is") && !told.contains("uploads/10") && told.contains("CopyBucketsRole"),
        "{told}"
    );
    // An emptied source proves nothing, whatever is in the copy.
    let gone = Compared { source: Side::Missing, ..same("uploads/a") };
    for compared in [vec![gone], vec![]] {
        let told = at(&under_way(Drilling::Compared(sample.clone(), compared)), "10:23").remove(0);
        assert!(told.starts_with("* finish 2026-11-23 failed: no object is left in the source"), "{told}");
    }
}

#[test]
fn a_drill_that_cannot_go_on_has_failed_after_a_day() {
    let mut world = under_way(Drilling::Listing(Sample::default()));
    let next_day: Zoned = "2026-11-24T10:09:00+09:00[Asia/Seoul]".parse().unwrap();
    let late = |world: &World| lines(world, &Scope::Everything, &next_day);
    assert!(late(&world).iter().any(|it| it == "* finish 2026-11-23 failed: it was not over after a day"));
    world.drills.insert(UPLOADS.into(), Err("GetObject: SlowDown".into()));
    assert_eq!(
        at(&world, "10:23").pop().unwrap(),
        "! unreadable: its drill cannot go on, since the objects cannot be read: GetObject: SlowDown"
    );
    assert!(late(&world).iter().any(|it| it.ends_with("it was not over after a day: GetObject: SlowDown")));
}

#[test]
fn what_cannot_be_drilled_is_told_with_what_to_do() {
    let told =
        |world: &World, time: &str| at(world, time).into_iter().find(|it| it.starts_with('!')).unwrap_or_default();
    let mut forbidden = drilled("weekly", vec![copy(None)]);
    forbidden.setup.may_read = false;
    let mut versions = drilled("weekly", vec![]);
    versions.buckets[0].tags.insert(keys::BACKUP.into(), "days=30 mode=versions".into());
    versions.versioning.insert(UPLOADS.into(), Ok(Default::default()));
    let mut alone = world(vec![]);
    alone.buckets[0].tags = [(keys::DRILL.to_owned(), "weekly".to_owned())].into();
    alone.only_drilled = std::mem::take(&mut alone.buckets);
    for (told, expected) in [
        (told(&drilled("daily", vec![copy(None)]), "10:08"), "! bad-tag: nightshift:drill: unknown word 'daily'"),
        (told(&forbidden, "10:08"), "! not-allowed: nightshift:drill needs the parameter DrillBuckets=true"),
        (
            told(&drilled("weekly rpo=6h", vec![copy(None)]), "10:08"),
            "! older-than-rpo: the drill failed before it began",
        ),
        (told(&drilled("weekly", vec![]), "10:08"), "! no-backup: its drill is due, and it has no good copy"),
        (told(&alone, "10:08"), "! nothing-to-drill: it has no tag nightshift:backup, so there is no copy"),
    ] {
        assert!(told.starts_with(expected), "{told} should begin with {expected}");
    }
    assert!(at(&versions, "10:08").iter().any(|it| it.starts_with("! nothing-to-drill: its tag says mode=versions")));
    let refused = |world: &World| lines(world, &Scope::Drill(UPLOADS.into()), &monday("12:00")).remove(0);
    for (world, why) in [
        (world(vec![copy(None)]), "refused: kfood-uploads has no tag nightshift:drill: add it first"),
        (forbidden, "refused: nightshift:drill needs the parameter DrillBuckets=true"),
        (drilled("weekly", vec![]), "refused: kfood-uploads has no good copy"),
        (
            drilled("weekly", vec![copy(Some("10:08"))]),
            "refused: a drill of s3://kfood-backups/uploads/2026-11-23/ is under way",
        ),
        (versions, "refused: kfood-uploads is not copied: its tag says mode=versions"),
    ] {
        assert!(refused(&world).starts_with(why), "{} should begin with {why}", refused(&world));
    }
}

#[test]
fn two_objects_are_the_same_byte_by_byte_or_by_what_s3_has_recorded_of_them() {
    let large = |etag: &str, sums: &[(&str, &str)]| Object {
        size: START + 1,
        etag: etag.into(),
        has_kms_key: false,
        checksums: sums.iter().map(|(name, sum)| (name.to_string(), sum.to_string())).collect::<BTreeMap<_, _>>(),
    };
    let (one, other) = ("0".repeat(32), "1".repeat(32));
    let parts = format!("{one}-2");
    let kms = |etag: &str| Object { has_kms_key: true, ..large(etag, &[]) };
    let small = || Side::There(object());
    for (copy, source, same_start, expected) in [
        (small(), small(), Some(true), Ok(Verdict::Same)),
        (small(), small(), Some(false), Err("differs from the source")),
        (Side::Missing, small(), None, Err("is not in the copy")),
        (Side::Refused("KMS.DisabledException".into()), small(), None, Err("cannot be read from the copy: KMS.Dis")),
        (small(), Side::Refused("AccessDenied".into()), None, Err("the source cannot be read: AccessDenied")),
        (Side::Missing, Side::Missing, None, Ok(Verdict::Changed)),
        (
            Side::There(Object { size: 8, ..object() }),
            small(),
            Some(false),
            Err("has 8 bytes in the copy and 9 in the source"),
        ),
        // Nothing is read from an archive: its checksum decides, or its ETag.
        (small(), small(), None, Ok(Verdict::Same)),
        (
            Side::There(large(&one, &[("CRC64NVME", "a")])),
            Side::There(large(&one, &[("CRC64NVME", "a"), ("SHA256", "b")])),
            Some(true),
            Ok(Verdict::Same),
        ),
        (
            Side::There(large(&one, &[("CRC64NVME", "a")])),
            Side::There(large(&one, &[("CRC64NVME", "b")])),
            Some(true),
            Err("has another CRC64NVME checksum than the source"),
        ),
        (Side::There(large(&one, &[])), Side::There(large(&one, &[])), Some(true), Ok(Verdict::Same)),
        (Side::There(large(&other, &[])), Side::There(large(&one, &[])), Some(true), Err("has another ETag")),
        // Of an upload in parts, and of a key of KMS, the ETag says nothing of the contents.
        (Side::There(large(&one, &[])), Side::There(large(&parts, &[])), Some(true), Ok(Verdict::Alike)),
        (Side::There(kms(&other)), Side::There(large(&one, &[])), Some(true), Ok(Verdict::Alike)),
        (Side::There(large(&one, &[])), Side::There(large(&parts, &[])), Some(false), Err("differs from the source")),
    ] {
        let etag = if let Side::There(it) = &source { it.etag.clone() } else { one.clone() };
        let compared = Compared { chosen: Chosen { etag, ..chosen("uploads/a") }, copy, source, same_start };
        match (verdict(&compared), expected) {
            (Verdict::Wrong(why), Err(expected)) => assert!(why.starts_with(expected), "{why}"),
            (verdict, expected) => assert_eq!(Ok(verdict), expected, "{compared:?}"),
        }
    }
    // Overwritten since the list was read.
    let overwritten = Object { etag: other, ..object() };
    let compared = Compared { source: Side::There(overwritten), same_start: Some(false), ..same("uploads/a") };
    assert_eq!(verdict(&compared), Verdict::Changed);
}

#[test]
fn a_drill_whose_tag_was_removed_keeps_its_copy_for_a_day_and_not_for_ever() {
    let mut old = copy(Some("10:08"));
    let begun = monday("10:08").timestamp();
    old.date = monday("10:08").date() - jiff::ToSpan::days(60);
    old.marker.as_mut().unwrap().moment = begun - jiff::SignedDuration::from_hours(60 * 24);
    let mut world = drilled("monthly", vec![old, copy(None)]);
    world.buckets[0].tags.remove(keys::DRILL);
    let deleted = |now: &Zoned| {
        let plan = plan(&world, &Scope::Everything, now);
        plan.steps.iter().filter(|it| matches!(it.step, Step::Delete(_))).count()
    };
    assert_eq!((deleted(&monday("11:00")), deleted(&(monday("10:08") + jiff::SignedDuration::from_hours(25)))), (0, 1));
}

/// The versions of a few keys, as S3 lists them: each key with the hours of its versions relative to the copy, and which of
/// them is the mark of a deletion.
fn listings() -> impl Strategy<Value = Vec<(Vec<i64>, Option<usize>)>> {
    vec((vec(-5..6_i64, 1..4), proptest::option::of(0..3_usize)), 0..30)
}

fn listed(keys: &[(Vec<i64>, Option<usize>)]) -> Vec<Version> {
    let of_key = |(number, (hours, deletion)): (usize, &(Vec<i64>, Option<usize>))| {
        let mut hours = hours.clone();
        hours.sort_unstable_by(|a, b| b.cmp(a));
        let versions = hours.into_iter().enumerate().map(|(index, hours)| Version {
            key: format!("uploads/{number:02}"),
            id: format!("v{index}"),
            at: moment() + SignedDuration::from_hours(hours),
            is_deletion: *deletion == Some(index),
            size: 1,
            etag: "e".into(),
        });
        versions.collect::<Vec<_>>()
    };
    keys.iter().enumerate().flat_map(of_key).collect()
}

fn moment() -> Timestamp {
    night().timestamp()
}

/// The job ended two hours after the copy was begun.
fn sampler(size: usize) -> Sampler {
    let ended = Some(moment() + SignedDuration::from_hours(2));
    Sampler::new(&Marker { ended, ..marker(0, State::Complete) }, size, moment())
}

fn sampled(versions: &[Version], size: usize) -> Sample {
    let mut sample = Sample::default();
    versions.iter().for_each(|it| sampler(size).add(&mut sample, it));
    sample
}

proptest! {
    #[test]
    fn every_object_that_can_be_compared_is_chosen_where_the_sample_is_large_enough(keys in listings()) {
        let versions = listed(&keys);
        let mut expected = Vec::new();
        for number in 0..keys.len() {
            let key = format!("uploads/{number:02}");
            let of_key: Vec<_> = versions.iter().filter(|it| it.key == key).collect();
            let Some(current) = of_key.iter().find(|it| it.at <= moment()) else { continue };
            let was_changed = of_key.iter().any(|it| {
                let hours = it.at.duration_since(moment()).as_hours();
                hours > 0 && hours <= 2
            });
            if !current.is_deletion && !was_changed {
                expected.push((key, Some(current.id.clone())));
            }
        }
        let sample = sampled(&versions, 100);
        let mut found: Vec<_> = sample.chosen.into_iter().map(|it| (it.key, it.version)).collect();
        found.sort();
        prop_assert_eq!((sample.objects, found), (expected.len() as u64, expected));
    }

    #[test]
    fn the_sample_is_the_same_wherever_a_run_ends_and_a_smaller_one_is_a_part_of_it(
        keys in listings(), end in 0..90_usize, size in 1..10_usize,
    ) {
        let versions = listed(&keys);
        let whole = sampled(&versions, size);
        let (before, after) = versions.split_at(end.min(versions.len()));
        let text = serde_json::to_string(&sampled(before, size)).unwrap();
        let mut read = Sample::read(&text).unwrap();
        after.iter().for_each(|it| sampler(size).add(&mut read, it));
        prop_assert_eq!(&read, &whole);
        prop_assert!(whole.chosen.len() <= size);
        let smaller = sampled(&versions, size - 1).chosen;
        prop_assert_eq!(&whole.chosen[..smaller.len()], &smaller[..]);
    }

    #[test]
    fn a_drill_touches_the_newest_good_copy_only_and_ends(ages in vec(0..20_i64, 1..6)) {
        let folders: BTreeMap<i64, Folder> = ages.iter().map(|it| (-it, folder(*it, State::Complete))).collect();
        let mut world = drilled("weekly", folders.into_values().collect());
        let newest = world.folders().last().unwrap().date.to_string();
        let done = Drilling::Compared(Sample { is_whole: true, ..Sample::default() }, vec![same("uploads/a")]);
        let mut steps = Vec::new();
        for _ in 0..3 {
            let mut plan = plan(&world, &Scope::Everything, &monday("10:08"));
            plan.steps.retain(|it| matches!(it.step, Step::TakeSample(_) | Step::FinishDrill(_)));
            steps.extend(plan.steps.iter().map(|it| it.step.clone()));
            world = applied(&plan, world);
            world.drills.insert(UPLOADS.into(), Ok(done.clone()));
        }
        let places: Vec<String> = steps.iter().map(|it| match it {
            Step::TakeSample(it) => it.folder.name.clone(),
            Step::FinishDrill(it) => it.folder.name.clone(),
            other => panic!("{other:?}"),
        }).collect();
        prop_assert_eq!(places, [newest.clone(), newest]);
    }
}
