//! Nights of the K-Food shop's uploads, with IAM in force for the function and for the jobs that copy.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

const FUNCTION: &str = "nightshift-copy-buckets";
const HERE: &str =
    "<CreateBucketConfiguration><LocationConstraint>ap-northeast-2</LocationConstraint></CreateBucketConfiguration>";
const RULE: &str = "days=7 to=kfood-backups/uploads prefix=uploads/";

/// Two buckets, the one that is copied with its uploads and something else.
fn shop() -> Result<LocalAws> {
    shop_with(&[])
}

fn shop_with(more: &[(&str, &str)]) -> Result<LocalAws> {
    let parameter = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut parameters = vec![
        parameter("TimeZone", "Asia/Seoul"),
        parameter("BackupBuckets", "arn:aws:s3:::kfood-uploads"),
        parameter("BackupTargets", "arn:aws:s3:::kfood-backups"),
    ];
    parameters.extend(more.iter().map(|(name, value)| parameter(name, value)));
    let functions = vec!["copy-buckets"];
    let aws = LocalAws::start(Options { parameters, functions, ..Options::default() })?;
    for bucket in ["kfood-uploads", "kfood-backups"] {
        aws.s3("PUT", &format!("/{bucket}"), HERE)?;
    }
    for key in ["uploads/a.jpg", "uploads/b c.jpg", "cache/x"] {
        put(&aws, "kfood-uploads", key)?;
    }
    tag(&aws, RULE)?;
    Ok(aws)
}

fn put(aws: &LocalAws, bucket: &str, key: &str) -> Result<()> {
    aws.s3("PUT", &format!("/{bucket}/{}", key.replace(' ', "%20")), "an image").map(drop)
}

fn tag(aws: &LocalAws, rule: &str) -> Result<()> {
    let request = json!({"ResourceARNList": ["arn:aws:s3:::kfood-uploads"], "Tags": {"nightshift:backup": rule}});
    aws.tagging("TagResources", request).map(drop)
}

/// A run at a moment in Seoul, and what it says was done and is wrong.
fn run(aws: &LocalAws, moment: &str, payload: Value) -> Result<Vec<String>> {
    aws.set_clock(FUNCTION, &format!("{moment}:00+09:00"))?;
    let invocation = aws.invoke(FUNCTION, &payload)?;
    assert_eq!(invocation.error, None, "{}", invocation.payload);
    let list = |field: &str| invocation.payload[field].as_array().cloned().unwrap_or_default();
    let text = |it: &Value, field: &str| it[field].as_str().unwrap_or_default().to_owned();
    let done = list("actions").into_iter().map(|it| format!("{} {}", text(&it, "action"), text(&it, "outcome")));
    let wrong = list("problems").into_iter().map(|it| format!("{}: {}", text(&it, "problem"), text(&it, "message")));
    Ok(done.chain(wrong).collect())
}

/// The copy of a night from its beginning to its end, and what the second run says.
fn night(aws: &LocalAws, date: &str) -> Result<Vec<String>> {
    let begun = run(aws, &format!("{date}T03:08"), json!({}))?;
    assert_eq!(begun.iter().filter(|it| *it == "begin-copy done").count(), 1, "{date}: {begun:?}");
    run(aws, &format!("{date}T03:23"), json!({}))
}

/// The dates of all copies.
fn copies(aws: &LocalAws) -> Result<BTreeSet<String>> {
    let keys = aws.s3_keys("kfood-backups", "uploads/2026-11-")?;
    Ok(keys.iter().filter_map(|it| it.split('/').nth(1)).map(str::to_owned).collect())
}

/// Calls of the function that its own role refused.
fn refused(aws: &LocalAws) -> Result<Vec<String>> {
    let calls = aws.calls()?.into_iter().filter(|it| it.function.is_some() && it.status == 403);
    Ok(calls.map(|it| it.action).collect())
}

#[test]
fn thirty_nights_of_uploads_are_copied_and_pruned_and_when_copying_stops_so_does_pruning() -> Result<()> {
    let aws = shop()?;
    for by_hand in ["uploads/by-hand/keep.jpg", "uploads/2026-10-01/keep.jpg"] {
        put(&aws, "kfood-backups", by_hand)?;
    }
    for day in 1..=30 {
        let date = format!("2026-11-{day:02}");
        put(&aws, "kfood-uploads", &format!("uploads/{date}.jpg"))?;
        match day {
            // An object that Batch Operations does not copy: it calls the job complete, and only the report says so.
            12 => {
                aws.control("POST", "jobs", Some(json!({"failing": {"uploads/b c.jpg": ["EntityTooLarge", 400]}})))?;
                let failed = night(&aws, &date)?;
                let told = "1 of 14 objects were not copied: uploads/b c.jpg: EntityTooLarge (400)";
                assert!(failed[0] == "record-copy done" && failed.iter().any(|it| it.contains(told)), "{failed:?}");
                let tags = aws.tagging("GetResources", json!({"ResourceTypeFilters": ["s3"]}))?.to_string();
                assert!(tags.contains("nightshift-state:bucket-problem"), "{tags}");
                aws.control("POST", "jobs", Some(json!({"failing": {}})))?;
            }
            // A night in which the job is slow, so that the next one waits for it.
            13 => {
                aws.control("POST", "jobs", Some(json!({"held": true})))?;
                assert_eq!(run(&aws, &format!("{date}T03:08"), json!({}))?[0], "begin-copy done");
                let waits = run(&aws, "2026-11-14T03:08", json!({}))?;
                assert!(!waits.iter().any(|it| it == "begin-copy done"), "one job at a time: {waits:?}");
                aws.control("POST", "jobs", Some(json!({"held": false})))?;
                assert_eq!(run(&aws, "2026-11-14T05:23", json!({}))?[..2], ["record-copy done", "begin-copy done"]);
            }
            14 => assert_eq!(run(&aws, "2026-11-14T05:38", json!({}))?[0], "record-copy done"),
            // It is copied a second time by a person, as the first copy of that night failed.
            20 => {
                aws.control("POST", "jobs", Some(json!({"failing": {"uploads/a.jpg": ["InternalError", 500]}})))?;
                let failed = night(&aws, &date)?;
                assert!(failed.iter().any(|it| it.starts_with("copy-failed: ")), "{failed:?}");
                aws.control("POST", "jobs", Some(json!({"failing": {}})))?;
                let copy = json!({"copy": {"bucket": "kfood-uploads"}});
                assert_eq!(run(&aws, &format!("{date}T09:00"), copy)?[0], "begin-copy done");
                assert_eq!(run(&aws, &format!("{date}T09:08"), json!({}))?[0], "record-copy done");
            }
            _ => assert_eq!(night(&aws, &date)?[0], "record-copy done", "{date}"),
        }
    }
    let kept: BTreeSet<String> = (24..=30).map(|day| format!("2026-11-{day}")).collect();
    assert_eq!(copies(&aws)?, kept);
    for (date, uploads) in [("2026-11-24", 26), ("2026-11-30", 32)] {
        let keys = aws.s3_keys("kfood-backups", &format!("uploads/{date}/uploads/"))?;
        assert_eq!(keys.len(), uploads, "{keys:?}");
        assert!(keys.contains(&format!("uploads/{date}/uploads/b c.jpg")), "{keys:?}");
    }

    // The job of the next night never ends: nothing is deleted any more, however late it gets.
    aws.control("POST", "jobs", Some(json!({"held": true})))?;
    assert_eq!(run(&aws, "2026-12-01T03:08", json!({}))?[0], "begin-copy done");
    for moment in ["2026-12-05T03:08", "2027-12-05T03:08"] {
        let told = run(&aws, moment, json!({}))?;
        assert!(told.len() == 1 && told[0].starts_with("overdue: two nights were missed"), "{told:?}");
    }
    assert_eq!(copies(&aws)?.intersection(&kept).count(), 6, "the first of them was deleted while copies were good");
    for by_hand in ["uploads/by-hand/keep.jpg", "uploads/2026-10-01/keep.jpg"] {
        assert_eq!(aws.s3_keys("kfood-backups", by_hand)?, [by_hand]);
    }
    assert_eq!(refused(&aws)?, Vec::<String>::new());

    // A bucket that the stack does not name is neither read nor written to.
    aws.s3("PUT", "/kfood-elsewhere", HERE)?;
    tag(&aws, "days=3 to=kfood-elsewhere/uploads")?;
    let told = run(&aws, "2027-12-06T03:08", json!({}))?;
    assert_eq!(
        told,
        ["not-allowed: arn:aws:s3:::kfood-elsewhere is not in the parameter BackupTargets of the stack: add it there"]
    );
    assert_eq!(aws.s3_keys("kfood-elsewhere", "")?, Vec::<String>::new());
    Ok(())
}

/// Writes an object, as it was written at a moment.
fn put_at(aws: &LocalAws, key: &str, text: &str, at: &str) -> Result<()> {
    aws.s3("PUT", &format!("/kfood-uploads/{}", key.replace(' ', "%20")), text)?;
    written_at(aws, key, at)
}

fn written_at(aws: &LocalAws, key: &str, at: &str) -> Result<()> {
    aws.control("POST", "written", Some(json!({"bucket": "kfood-uploads", "key": key, "at": at}))).map(drop)
}

#[test]
fn a_bucket_is_restored_to_the_moment_before_an_accident() -> Result<()> {
    let aws = shop()?;
    tag(&aws, "days=30 mode=versions prefix=uploads/")?;
    let told = run(&aws, "2026-11-21T09:08", json!({}))?;
    let kinds: Vec<&str> = told.iter().filter_map(|it| it.split(':').next()).collect();
    assert_eq!(kinds, ["versioning-off", "versions-endless"], "{told:?}");

    // What the messages say to do.
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    aws.s3("PUT", "/kfood-uploads?versioning", enabled)?;
    let lifecycle = "<LifecycleConfiguration><Rule><ID>old</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>\
                     <NoncurrentVersionExpiration><NoncurrentDays>30</NoncurrentDays></NoncurrentVersionExpiration></Rule>\
                     </LifecycleConfiguration>";
    aws.s3("PUT", "/kfood-uploads?lifecycle", lifecycle)?;
    assert_eq!(run(&aws, "2026-11-21T09:23", json!({}))?, Vec::<String>::new());

    // At 10:00 in Seoul a script overwrites one upload, deletes another one, and adds a third.
    written_at(&aws, "uploads/a.jpg", "2026-11-20T00:00:00.000Z")?;
    written_at(&aws, "uploads/b c.jpg", "2026-11-20T00:00:00.000Z")?;
    put_at(&aws, "uploads/a.jpg", "broken", "2026-11-21T01:00:00.000Z")?;
    aws.s3("DELETE", "/kfood-uploads/uploads/b%20c.jpg", "")?;
    written_at(&aws, "uploads/b c.jpg", "2026-11-21T01:00:00.000Z")?;
    put_at(&aws, "uploads/new.jpg", "broken", "2026-11-21T01:00:00.000Z")?;

    let to = "kfood-backups/restored";
    let restore = |at: &str| json!({"restore": {"bucket": "kfood-uploads", "at": at, "to": to}});
    assert_eq!(run(&aws, "2026-11-21T11:00", restore("2026-11-21T09:59"))?, ["begin-restore done"]);
    let done = run(&aws, "2026-11-21T11:08", json!({}))?;
    assert_eq!(done, ["record-restore done"]);
    let folder = "restored/2026-11-21T095900";
    let restored = aws.s3_keys("kfood-backups", &format!("{folder}/uploads/"))?;
    assert_eq!(restored, [format!("{folder}/uploads/a.jpg"), format!("{folder}/uploads/b c.jpg")]);
    for key in ["a.jpg", "b%20c.jpg"] {
        assert_eq!(aws.s3("GET", &format!("/kfood-backups/{folder}/uploads/{key}"), "")?, "an image", "{key}");
    }
    let told = aws.messages()?.iter().any(|it| {
        it.subject
            .as_deref()
            .is_some_and(|it| it.contains("kfood-uploads: 2 objects restored to s3://kfood-backups/restored"))
    });
    assert!(told, "{:?}", aws.messages()?);

    // The same moment again is refused; nothing of it is ever deleted; no tag is left.
    aws.set_clock(FUNCTION, "2026-11-21T12:00:00+09:00")?;
    let again = aws.invoke(FUNCTION, &restore("2026-11-21T09:59"))?.payload["refused"].to_string();
    assert!(again.contains("is complete already"), "{again}");
    assert_eq!(run(&aws, "2026-12-20T03:08", json!({}))?, ["forget-restore done"]);
    assert_eq!(aws.s3_keys("kfood-backups", &format!("{folder}/uploads/"))?.len(), 2);
    let tags = aws.tagging("GetResources", json!({"ResourceTypeFilters": ["s3"]}))?.to_string();
    assert!(!tags.contains("nightshift-state:"), "{tags}");
    assert_eq!(refused(&aws)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_copy_is_compared_with_the_bucket_once_a_week_and_what_was_changed_in_it_is_told_by_name() -> Result<()> {
    let aws = shop_with(&[("DrillBuckets", "true")])?;
    let drill = json!({"ResourceARNList": ["arn:aws:s3:::kfood-uploads"], "Tags": {"nightshift:drill": "weekly"}});
    aws.tagging("TagResources", drill)?;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    for key in ["uploads/a.jpg", "uploads/b c.jpg"] {
        written_at(&aws, key, "2026-11-20T00:00:00.000Z")?;
    }
    aws.s3("PUT", "/kfood-uploads?versioning", enabled)?;
    put_at(&aws, "uploads/menu.txt", "the menu of November", "2026-11-20T00:00:00.000Z")?;
    assert_eq!(night(&aws, "2026-11-23")?[0], "record-copy done");
    // It is replaced after the copy, and the copy is compared with what it was before.
    put_at(&aws, "uploads/menu.txt", "the menu of December", "2026-11-23T00:00:00.000Z")?;
    let drilled = |date: &str| -> Result<Value> {
        assert_eq!(run(&aws, &format!("{date}T10:08"), json!({}))?, ["take-sample done"]);
        aws.set_clock(FUNCTION, &format!("{date}T10:23:00+09:00"))?;
        Ok(aws.invoke(FUNCTION, &json!({}))?.payload["actions"][0].clone())
    };
    let memory =
        || -> Result<String> { Ok(aws.tagging("GetResources", json!({"ResourceTypeFilters": ["s3"]}))?.to_string()) };
    let proven = drilled("2026-11-23")?;
    assert_eq!(proven["reason"], "of 3 out of 3 objects 3 are the same", "{proven}");
    assert!(memory()?.contains("proven at=2026-11-23T01:23:00Z"), "{}", memory()?);
    assert_eq!(run(&aws, "2026-11-23T10:38", json!({}))?, Vec::<String>::new(), "it is due again in a week");

    // A person works in the folder of the next copy.
    assert_eq!(night(&aws, "2026-11-30")?[0], "record-copy done");
    put(&aws, "kfood-backups", "uploads/2026-11-30/uploads/menu.txt")?;
    aws.s3("DELETE", "/kfood-backups/uploads/2026-11-30/uploads/b%20c.jpg", "")?;
    let failed = drilled("2026-11-30")?["reason"].to_string();
    for expected in ["2 of 3 objects are not", "uploads/b c.jpg is not in the copy", "uploads/menu.txt has 8 bytes"] {
        assert!(failed.contains(expected), "{expected} in {failed}");
    }
    let subject = "kfood-uploads: the drill of the copy s3://kfood-backups/uploads/2026-11-30/ FAILED";
    assert!(aws.messages()?.iter().any(|it| it.subject.as_deref().is_some_and(|it| it.contains(subject))));
    assert!(memory()?.contains("good=2026-11-23T01:23:00Z"), "the last good one is remembered: {}", memory()?);

    // The week of days=7 is over for the first copy, which is the newest one that is known to be right.
    assert_eq!(night(&aws, "2026-12-02")?[0], "record-copy done");
    assert!(aws.s3_keys("kfood-backups", "uploads/2026-11-23/uploads/")?.len() == 3);
    assert_eq!(refused(&aws)?, Vec::<String>::new());
    Ok(())
}
