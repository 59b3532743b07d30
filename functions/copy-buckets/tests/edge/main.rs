//! The whole function from payload to report, on a scripted S3.

#![recursion_limit = "256"]

mod aws;
mod drills;
mod restores;

use copy_buckets::{Clients, handle};
use reconcile::Report;
use serde_json::{Value, json};
use testkit::scripted::{Script, TOPIC, told};

use aws::{Aws, MARKER, REPORT};

/// Sends `payload` to the real function at this time in Seoul on the 21st of November.
async fn invoke(script: &Script<Aws>, time: &str, payload: Value) -> Result<Report, String> {
    let now = format!("2026-11-21T{time}:00+09:00");
    let variables = [
        ("NIGHTSHIFT_TIME_ZONE", "Asia/Seoul"),
        ("NIGHTSHIFT_TOPIC_ARN", TOPIC),
        ("NIGHTSHIFT_NOW", now.as_str()),
        ("NIGHTSHIFT_ROUTINE", "each"),
        ("NIGHTSHIFT_BACKUP_BUCKETS", "arn:aws:s3:::kfood-uploads"),
        ("NIGHTSHIFT_BACKUP_TARGETS", "arn:aws:s3:::kfood-backups"),
        ("NIGHTSHIFT_DRILL_BUCKETS", "true"),
        ("NIGHTSHIFT_COPY_ROLE_ARN", "arn:aws:iam::123456789012:role/copies"),
        ("AWS_LAMBDA_FUNCTION_NAME", "nightshift-copy-buckets"),
    ];
    let sdk = script.sdk();
    let answer = runtime::invoke_once("copy-buckets", &sdk, &variables, Clients::new, handle, payload);
    answer.await.map_err(|it| it.error_message)
}

async fn run(script: &Script<Aws>, time: &str) -> Vec<String> {
    told(&invoke(script, time, json!({})).await.unwrap())
}

fn state(script: &Script<Aws>) -> String {
    let marker = script.aws().objects.get(MARKER).cloned().unwrap_or_default();
    let marker: Value = serde_json::from_str(&marker).unwrap_or_default();
    marker["state"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn where_no_bucket_is_tagged_two_calls_are_made() {
    let script = Script::new(Aws { tags: Default::default(), ..Aws::shop("") });
    assert!(run(&script, "03:00").await.is_empty());
    assert_eq!(script.all_calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_night_goes_from_the_marker_to_the_job_and_to_the_good_copy() {
    let script = Script::new(Aws::shop("days=30 to=kfood-backups/uploads prefix=uploads/ class=GLACIER_IR"));
    assert_eq!(run(&script, "03:05").await, ["begin-copy Done"]);
    let put: Vec<String> = script.sent("PUT").iter().map(|it| it.text("xml").to_owned()).collect();
    assert!(put.len() == 2 && put[0].contains("\"starting\"") && put[1].contains("\"job\": \"job-1\""), "{put:?}");
    let create = &script.sent("POST jobs")[0];
    assert_eq!(create.host, "123456789012.s3-control.us-west-2.amazonaws.com");
    assert_eq!(create.signed_for, "us-west-2");
    assert_eq!(create.body["headers"]["x-amz-account-id"], "123456789012");
    let xml = create.text("xml");
    for expected in [
        "<TargetResource>arn:aws:s3:::kfood-backups</TargetResource><StorageClass>GLACIER_IR</StorageClass>",
        "<TargetKeyPrefix>uploads/2026-11-21</TargetKeyPrefix>",
        "<Prefix>uploads/2026-11-21/_nightshift-report</Prefix><ReportScope>FailedTasksOnly</ReportScope>",
        "<RoleArn>arn:aws:iam::123456789012:role/copies</RoleArn>",
        "<SourceBucket>arn:aws:s3:::kfood-uploads</SourceBucket><Filter><KeyNameConstraint><MatchAnyPrefix>\
         <member>uploads/</member>",
        "<EnableManifestOutput>false</EnableManifestOutput>",
    ] {
        assert!(xml.contains(expected), "{expected} in {xml}");
    }
    assert!(run(&script, "03:20").await.is_empty(), "its job is under way");
    assert_eq!(script.count("POST jobs"), 1);
    script.aws().job = ("Complete", 1000, 1000, 0);
    assert_eq!(run(&script, "03:35").await, ["record-copy Done"]);
    assert_eq!(state(&script), "complete");
    let subject = script.bodies("Publish")[0]["Subject"].to_string();
    assert!(
        subject.contains("kfood-uploads: 1000 objects copied to s3://kfood-backups/uploads/2026-11-21/"),
        "{subject}"
    );
    assert!(run(&script, "23:50").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_dies_before_it_notes_the_job_gets_the_same_one_again() {
    let script = Script::new(Aws::shop("days=30 to=kfood-backups/uploads"));
    script.refuse("POST jobs", "", 9, 500, "InternalServiceException");
    assert!(invoke(&script, "03:05", json!({})).await.is_err());
    assert_eq!(state(&script), "starting");
    script.end_faults();
    assert_eq!(run(&script, "03:20").await, ["begin-copy Done"]);
    let token = |xml: &str| xml.split("ClientRequestToken>").nth(1).unwrap_or_default().to_owned();
    let tokens: Vec<String> = script.sent("POST jobs").iter().map(|it| token(it.text("xml"))).collect();
    assert!(tokens.iter().all(|it| *it == tokens[0] && it.trim_end_matches("</").len() == 64), "{tokens:?}");
}

#[tokio::test(start_paused = true)]
async fn objects_that_were_not_copied_are_told_by_name_and_the_problem_is_remembered_on_the_bucket() {
    let script = Script::new(Aws::shop("days=30 to=kfood-backups/uploads"));
    run(&script, "03:05").await;
    script.aws().job = ("Complete", 1000, 998, 2);
    script.aws().objects.insert(
        REPORT.into(),
        "\"kfood-uploads\",\"uploads/a%20b.mp4\",\"\",\"failed\",\"EntityTooLarge\",\"400\",\"too large\"\n\
         \"kfood-uploads\",\"uploads/c.jpg\",\"\",\"failed\",\"\",\"403\",\"denied\"\n"
            .into(),
    );
    let expected = "copy-failed: the copy to s3://kfood-backups/uploads/2026-11-21/ is not good, and does not count: 2 of \
                    1000 objects were not copied: uploads/a b.mp4: EntityTooLarge (400); uploads/c.jpg: failed (403). A job \
                    copies no object above 5 GB, and none with a key of the customer (SSE-C): leave it out by prefix=. The \
                    next one is made in the coming night";
    assert_eq!(run(&script, "03:35").await, ["record-copy Done", expected]);
    assert_eq!(state(&script), "failed");
    let tag = &script.sent("POST tags")[0];
    assert_eq!(tag.text("path"), "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Akfood-uploads");
    assert!(tag.text("xml").contains("<Key>nightshift-state:bucket-problem</Key><Value>copy-failed "), "{tag:?}");
    // A person has it copied again in the same night.
    script.aws().job = ("Active", 1000, 0, 0);
    let again = invoke(&script, "09:00", json!({"copy": {"bucket": "kfood-uploads"}})).await.unwrap();
    assert_eq!(told(&again), ["begin-copy Done"]);
    assert_eq!((script.count("POST jobs"), state(&script).as_str()), (2, "copying"));
    assert_eq!(script.count("DELETE tags"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_deleted_page_by_page_with_its_marker_first_changed_and_last_deleted() {
    let script = Script::new(Aws::shop("last=1 to=kfood-backups/uploads"));
    let of = |date: &str| Aws::marker(date, "complete");
    {
        let mut aws = script.aws();
        for date in ["2026-11-20", "2026-11-21"] {
            aws.objects.insert(format!("kfood-backups/uploads/{date}/_nightshift.json"), of(date));
            for number in 0..2500 {
                aws.objects.insert(format!("kfood-backups/uploads/{date}/uploads/{number:04}&<.jpg"), "x".into());
            }
        }
        // What only looks like it.
        aws.objects.insert("kfood-backups/uploads/2026-11-2/x".into(), "x".into());
        aws.objects.insert("kfood-backups/uploads/2026-11-20-by-hand/x".into(), "x".into());
    }
    assert_eq!(run(&script, "04:05").await, ["delete-copy Done"]);
    let left: Vec<String> = script.aws().objects.keys().cloned().collect();
    assert_eq!(left.iter().filter(|it| it.contains("/2026-11-21/")).count(), 2501);
    assert_eq!(left.iter().filter(|it| it.contains("/2026-11-20/")).count(), 0);
    assert_eq!(left.len(), 2503);
    let writes: Vec<String> =
        script.all_calls().iter().filter(|it| it.operation.starts_with('P')).map(|it| it.operation.clone()).collect();
    assert_eq!(writes, ["PUT", "POST delete", "POST delete", "POST delete", "POST delete", "Publish"]);
    let last = &script.sent("POST delete")[3];
    assert!(last.text("xml").contains("<Key>uploads/2026-11-20/_nightshift.json</Key>"), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_deleted_is_told_and_its_copy_does_not_count_meanwhile() {
    let script = Script::new(Aws::shop("last=1 to=kfood-backups/uploads"));
    for date in ["2026-11-20", "2026-11-21"] {
        let marker = format!("kfood-backups/uploads/{date}/_nightshift.json");
        script.aws().objects.insert(marker, Aws::marker(date, "complete"));
        script.aws().objects.insert(format!("kfood-backups/uploads/{date}/locked.jpg"), "x".into());
    }
    let told = run(&script, "04:05").await;
    let denied = "denied: DeleteObjects kfood-backups/uploads/2026-11-20/locked.jpg: AccessDenied";
    assert!(told.iter().any(|it| it.starts_with(denied)), "{told:?}");
    let marker = script.aws().objects["kfood-backups/uploads/2026-11-20/_nightshift.json"].clone();
    assert!(marker.contains("\"deleting\""), "{marker}");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_whose_copy_anybody_could_read_or_whose_reader_pays_is_not_copied() {
    for (public, pays, problem) in [(true, false, "public-target: "), (false, true, "requester-pays: ")] {
        let script = Script::new(Aws { public, pays, ..Aws::shop("days=30 to=kfood-backups/uploads") });
        let told = run(&script, "03:05").await;
        assert!(told.len() == 1 && told[0].starts_with(problem), "{told:?}");
        assert_eq!((script.count("PUT"), script.count("POST jobs")), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_may_not_be_created_is_told_once_with_the_way_out() {
    let script = Script::new(Aws::shop("days=30 to=kfood-backups/uploads"));
    script.refuse("POST jobs", "", 9, 403, "AccessDenied");
    let told = run(&script, "03:05").await;
    assert!(told[1].starts_with("denied: CreateJob kfood-uploads: AccessDenied"), "{told:?}");
}
