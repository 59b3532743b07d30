//! Nights of the K-Food shop's uploads, with IAM in force for the function and for the jobs that copy.

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

const FUNCTION: &str = "nightshift-copy-buckets";
const HERE: &str =
    "<CreateBucketConfiguration><LocationConstraint>ap-northeast-2</LocationConstraint></CreateBucketConfiguration>";
const RULE: &str = "days=3 to=kfood-backups/uploads prefix=uploads/";

/// Two buckets, the one that is copied with its uploads and something else.
fn shop() -> Result<LocalAws> {
    let parameter = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let parameters = vec![
        parameter("TimeZone", "Asia/Seoul"),
        parameter("BackupBuckets", "arn:aws:s3:::kfood-uploads"),
        parameter("BackupTargets", "arn:aws:s3:::kfood-backups"),
    ];
    let aws = LocalAws::start(Options { parameters, ..Options::default() })?;
    for bucket in ["kfood-uploads", "kfood-backups"] {
        aws.s3("PUT", &format!("/{bucket}"), HERE)?;
    }
    for key in ["uploads/a.jpg", "uploads/b c.jpg", "cache/x"] {
        put(&aws, "kfood-uploads", key)?;
    }
    tag(&aws, RULE)?;
    aws.forget_calls()?;
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

/// The copy of a night from its beginning to its end.
fn night(aws: &LocalAws, date: &str) -> Result<Vec<String>> {
    let begun = run(aws, &format!("{date}T03:08"), json!({}))?;
    assert_eq!(begun.iter().filter(|it| *it == "begin-copy done").count(), 1, "{begun:?}");
    assert_eq!(run(aws, &format!("{date}T03:23"), json!({}))?, Vec::<String>::new(), "its job is under way");
    run(aws, &format!("{date}T03:38"), json!({}))
}

fn refused(aws: &LocalAws) -> Result<Vec<String>> {
    let calls = aws.calls()?.into_iter().filter(|it| it.function.is_some() && it.status >= 400 && it.status != 404);
    Ok(calls.map(|it| format!("{}: {}", it.action, it.status)).collect())
}

#[test]
fn nights_of_uploads_are_copied_kept_and_deleted_and_a_failed_one_costs_no_good_copy() -> Result<()> {
    let aws = shop()?;
    put(&aws, "kfood-backups", "uploads/by-hand/keep.jpg")?;
    put(&aws, "kfood-backups", "uploads/2026-11-10/keep.jpg")?;
    for date in ["2026-11-17", "2026-11-18", "2026-11-19"] {
        assert_eq!(night(&aws, date)?, ["record-copy done"], "{date}");
    }
    assert_eq!(
        aws.s3_keys("kfood-backups", "uploads/2026-11-19/")?,
        [
            "uploads/2026-11-19/_nightshift.json",
            "uploads/2026-11-19/uploads/a.jpg",
            "uploads/2026-11-19/uploads/b c.jpg"
        ]
    );

    // A night in which an object is not copied: it is told by name, and the bucket remembers that.
    aws.control("POST", "jobs", Some(json!({"failing": ["uploads/a.jpg"]})))?;
    let failed = night(&aws, "2026-11-20")?;
    assert!(failed[0] == "record-copy done" && failed[1].starts_with("copy-failed: "), "{failed:?}");
    assert!(failed[1].contains("1 of 2 objects were not copied: uploads/a.jpg: AccessDenied (403)"), "{failed:?}");
    let tags = aws.tagging("GetResources", json!({"ResourceTypeFilters": ["s3"]}))?.to_string();
    assert!(tags.contains("nightshift-state:bucket-problem"), "{tags}");

    // Copied again by a person, slowly; then the oldest is deleted, and so is the one that failed before.
    aws.control("POST", "jobs", Some(json!({"failing": [], "held": true})))?;
    let copy = json!({"copy": {"bucket": "kfood-uploads"}});
    assert_eq!(run(&aws, "2026-11-20T09:00", copy)?, ["begin-copy done"]);
    for time in ["09:08", "09:23", "23:53"] {
        assert_eq!(run(&aws, &format!("2026-11-20T{time}"), json!({}))?, Vec::<String>::new(), "{time}");
    }
    aws.control("POST", "jobs", Some(json!({"held": false})))?;
    assert_eq!(run(&aws, "2026-11-20T23:58", json!({}))?, ["record-copy done"]);
    assert_eq!(run(&aws, "2026-11-21T01:08", json!({}))?, ["delete-copy done"]);
    assert_eq!(aws.s3_keys("kfood-backups", "uploads/2026-11-17/")?, Vec::<String>::new());

    // Copying stops: so does deleting, however late it gets.
    aws.control("POST", "jobs", Some(json!({"held": true})))?;
    assert_eq!(run(&aws, "2026-11-21T03:08", json!({}))?, ["begin-copy done"]);
    for date in ["2026-11-25", "2026-12-25", "2027-12-25"] {
        let told = run(&aws, &format!("{date}T03:08"), json!({}))?;
        assert!(told.len() == 1 && told[0].starts_with("overdue: two nights were missed"), "{told:?}");
    }
    for date in ["2026-11-18", "2026-11-19", "2026-11-20"] {
        assert_eq!(aws.s3_keys("kfood-backups", &format!("uploads/{date}/uploads/"))?.len(), 2, "{date}");
    }
    for kept in ["uploads/by-hand/keep.jpg", "uploads/2026-11-10/keep.jpg"] {
        assert_eq!(aws.s3_keys("kfood-backups", kept)?, [kept]);
    }
    assert_eq!(refused(&aws)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_job_can_read_and_write_only_the_buckets_that_the_stack_names() -> Result<()> {
    let aws = shop()?;
    for bucket in ["kfood-private", "kfood-elsewhere"] {
        aws.s3("PUT", &format!("/{bucket}"), HERE)?;
    }
    tag(&aws, "days=3 to=kfood-elsewhere/uploads")?;
    let told = run(&aws, "2026-11-21T03:08", json!({}))?;
    assert_eq!(
        told,
        ["not-allowed: arn:aws:s3:::kfood-elsewhere is not in the parameter BackupTargets of the stack: add it there"]
    );
    assert_eq!(aws.s3_keys("kfood-elsewhere", "")?, Vec::<String>::new());
    Ok(())
}
