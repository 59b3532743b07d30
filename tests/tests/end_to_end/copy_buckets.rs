//! The K-Food shop's uploads, with IAM in force.
//!
//! The local AWS has no Batch Operations, so that whole nights are told by the edge tests.

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

#[test]
fn a_bucket_is_not_copied_to_one_that_the_stack_does_not_name() -> Result<()> {
    let aws = shop()?;
    aws.s3("PUT", "/kfood-elsewhere", HERE)?;
    tag(&aws, "days=3 to=kfood-elsewhere/uploads")?;
    let told = run(&aws, "2026-11-21T03:08", json!({}))?;
    assert_eq!(
        told,
        ["not-allowed: arn:aws:s3:::kfood-elsewhere is not in the parameter BackupTargets of the stack: add it there"]
    );
    assert_eq!(aws.s3_keys("kfood-elsewhere", "")?, Vec::<String>::new());
    Ok(())
}
