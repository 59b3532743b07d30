//! Restores to a moment.

use serde_json::{Value, json};
use testkit::scripted::Script;

use super::aws::Aws;
use super::{invoke, run, told};

const FOLDER: &str = "kfood-backups/restored/2026-11-20T030000";
const RULE: &str = "days=30 mode=versions prefix=uploads/";
const LIFECYCLE: &str = "<Rule><ID>old</ID><Status>Enabled</Status><Filter><And><Prefix>up</Prefix>\
                         <ObjectSizeGreaterThan>0</ObjectSizeGreaterThan></And></Filter><NoncurrentVersionExpiration>\
                         <NoncurrentDays>30</NoncurrentDays></NoncurrentVersionExpiration></Rule>";

const BEFORE: &str = "2026-11-19T17:59:59.000Z";
const AFTER: &str = "2026-11-19T18:00:01.000Z";

fn kept(versions: &[(&str, &str, &'static str, bool)]) -> Script<Aws> {
    let versions = versions.iter().map(|(key, id, at, gone)| (key.to_string(), id.to_string(), *at, *gone)).collect();
    Script::new(Aws { versioning: Some("Enabled"), lifecycle: LIFECYCLE, versions, ..Aws::shop(RULE) })
}

async fn restore(script: &Script<Aws>, time: &str) -> Result<Vec<String>, String> {
    let at = "2026-11-20T03:00";
    let command = json!({"restore": {"bucket": "kfood-uploads", "at": at, "to": "kfood-backups/restored"}});
    invoke(script, time, command).await.map(|it| told(&it))
}

fn marker(script: &Script<Aws>) -> Value {
    let text = script.aws().objects.get(&format!("{FOLDER}/_nightshift.json")).cloned().unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn manifest(script: &Script<Aws>) -> String {
    script.aws().objects.get(&format!("{FOLDER}/_nightshift-manifest.csv")).cloned().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn the_versions_of_a_moment_are_listed_copied_and_told() {
    let script = kept(&[
        ("uploads/a b,c.jpg", "v3", AFTER, false),
        ("uploads/a b,c.jpg", "v2", BEFORE, false),
        ("uploads/a b,c.jpg", "v1", BEFORE, false),
        ("uploads/deleted-later.jpg", "v2", AFTER, true),
        ("uploads/deleted-later.jpg", "null", BEFORE, false),
        ("uploads/deleted.jpg", "v2", BEFORE, true),
        ("uploads/deleted.jpg", "v1", BEFORE, false),
        ("uploads/new.jpg", "v1", AFTER, false),
    ]);
    assert_eq!(restore(&script, "09:00").await.unwrap(), ["begin-restore Done"]);
    assert_eq!(script.count("GET versions"), 4);
    assert_eq!(
        manifest(&script),
        "kfood-uploads,uploads/a%20b%2Cc.jpg,v2\nkfood-uploads,uploads/deleted-later.jpg,null\n"
    );
    let xml = script.sent("POST jobs")[0].text("xml").to_owned();
    for expected in [
        "<TargetKeyPrefix>restored/2026-11-20T030000</TargetKeyPrefix>",
        "<Fields><member>Bucket</member><member>Key</member><member>VersionId</member></Fields>",
        "<ObjectArn>arn:aws:s3:::kfood-backups/restored/2026-11-20T030000/_nightshift-manifest.csv</ObjectArn>\
         <ETag>&quot;whole&quot;</ETag>",
    ] {
        assert!(xml.contains(expected), "{expected} in {xml}");
    }
    assert!(!xml.contains("ManifestGenerator"), "{xml}");
    let tag = script.aws().tags["nightshift-state:bucket-restore"].clone();
    assert_eq!(tag, "kfood-backups/restored/2026-11-20T030000");

    // While the job is under way, another restore of the bucket is refused.
    assert!(run(&script, "09:08").await.is_empty());
    let report = invoke(
        &script,
        "09:10",
        json!({"restore": {"bucket": "kfood-uploads", "at": "2026-11-20T04:00", "to": "kfood-backups/restored"}}),
    );
    let refused = json!(report.await.unwrap().refused).to_string();
    assert!(refused.contains("a restore of kfood-uploads to Fri 2026-11-20 03:00 KST is under way"), "{refused}");

    script.aws().job = ("Complete", 2, 2, 0);
    assert_eq!(run(&script, "09:23").await, ["record-restore Done"]);
    // People were told, so a later run does not tell it again, and removes the tag.
    assert_eq!((marker(&script)["state"].as_str(), marker(&script).get("untold")), (Some("complete"), None));
    let subject = script.bodies("Publish").last().map(|it| it["Subject"].to_string()).unwrap_or_default();
    assert!(subject.contains("kfood-uploads: 2 objects restored to s3://"), "{subject}");
    assert_eq!(run(&script, "09:38").await, ["forget-restore Done"]);
    assert_eq!((script.aws().tags.len(), script.count("Publish")), (1, 1));
    assert!(run(&script, "09:53").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_long_list_is_written_in_parts_and_a_later_run_goes_on_where_one_ended() {
    let script = kept(&[]);
    {
        let mut aws = script.aws();
        // Keys as long as they can be, on pages longer than those of S3: the first one makes a part of 8 MiB.
        aws.page = 3000;
        let key = |number: usize| format!("uploads/{number:05}{}", "ü".repeat(500));
        aws.versions = (0..4000).map(|it| (key(it), "v1".to_owned(), BEFORE, false)).collect();
    }
    // The second page fails, in this run and until it is given up.
    script.refuse("GET versions", "uploads/02999", 99, 500, "InternalError");
    assert!(restore(&script, "09:00").await.is_err());
    assert_eq!(marker(&script)["listing"]["parts"][0]["etag"], "\"part-1\"");
    assert!(run(&script, "09:08").await.is_empty(), "the run of 09:00 may still be at it");
    script.end_faults();
    script.forget_calls();
    assert_eq!(run(&script, "09:23").await, ["begin-restore Done"]);
    assert_eq!(script.count("GET versions"), 1, "the pages of the first part are not listed again");
    assert_eq!(script.count("POST uploads"), 0);
    let manifest = manifest(&script);
    assert_eq!(manifest.lines().count(), 4000);
    let mut keys: Vec<&str> = manifest.lines().collect();
    keys.dedup();
    assert_eq!(keys.len(), 4000);
    assert!(script.sent("POST jobs")[0].text("xml").contains("<ETag>&quot;parts-2&quot;</ETag>"));
    assert_eq!(marker(&script)["manifest"]["objects"], 4000);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_is_gone_is_begun_anew() {
    let script = kept(&[("uploads/a.jpg", "v1", BEFORE, false), ("uploads/b.jpg", "v1", BEFORE, false)]);
    let lost = json!({
        "made_by": "nightshift copy-buckets restore", "source": "kfood-uploads", "prefix": "uploads/",
        "at": "2026-11-19T18:00:00Z", "begun": "2026-11-20T00:00:00Z", "state": "listing",
        "listing": {"upload": "gone", "parts": [{"etag": "1", "sha256": "1"}], "after": ["uploads/a.jpg", "v1"], "decided": "uploads/a.jpg", "objects": 1}
    });
    script.aws().objects.insert(format!("{FOLDER}/_nightshift.json"), lost.to_string());
    script.aws().tags.insert("nightshift-state:bucket-restore".into(), FOLDER.into());
    script.refuse("PUT partNumber", "gone", 9, 404, "NoSuchUpload");
    assert_eq!(run(&script, "09:08").await, ["begin-restore Deferred"]);
    assert_eq!(run(&script, "09:23").await, ["begin-restore Done"]);
    assert_eq!(manifest(&script).lines().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_moment_without_objects_is_said_and_makes_no_job() {
    let script = kept(&[("uploads/new.jpg", "v1", AFTER, false)]);
    assert_eq!(restore(&script, "09:00").await.unwrap(), ["begin-restore Done"]);
    assert_eq!(script.count("POST jobs"), 0);
    assert_eq!(marker(&script)["problems"], json!(["there was no object at that moment"]));
    assert_eq!(run(&script, "09:08").await, ["forget-restore Done"]);
}

#[tokio::test(start_paused = true)]
async fn objects_that_were_not_restored_are_told_by_name() {
    let script = kept(&[("uploads/a.mp4", "v1", BEFORE, false), ("uploads/b.jpg", "v1", BEFORE, false)]);
    restore(&script, "09:00").await.unwrap();
    script.aws().job = ("Complete", 2, 1, 1);
    let report = format!("{FOLDER}/_nightshift-report/job-job-1/results/01.csv");
    let line = "\"kfood-uploads\",\"uploads/a.mp4\",\"v1\",\"failed\",\"EntityTooLarge\",\"400\",\"too large\"\n";
    script.aws().objects.insert(report, line.into());
    assert_eq!(run(&script, "09:08").await, ["record-restore Done"]);
    let message = script.bodies("Publish").last().map(|it| it["Message"].to_string()).unwrap_or_default();
    assert!(message.contains("1 of 2 objects were not copied: uploads/a.mp4: EntityTooLarge (400)"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn lifecycle_rules_of_every_form_are_read() {
    for (lifecycle, problems) in [
        ("", ["versions-endless"].as_slice()),
        (LIFECYCLE, &[]),
        // An old configuration has the prefix beside the rule.
        (
            "<Rule><ID>x</ID><Prefix></Prefix><Status>Enabled</Status><NoncurrentVersionExpiration><NoncurrentDays>7\
             </NoncurrentDays></NoncurrentVersionExpiration></Rule>",
            &["versions-deleted-early"],
        ),
        (
            "<Rule><ID>x</ID><Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><Status>Enabled</Status>\
             <NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>GLACIER</StorageClass>\
             </NoncurrentVersionTransition></Rule>",
            &["versions-archived", "versions-endless"],
        ),
        (
            "<Rule><ID>x</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status><Transition><Days>90</Days>\
             <StorageClass>DEEP_ARCHIVE</StorageClass></Transition><Transition><Days>30</Days><StorageClass>GLACIER_IR\
             </StorageClass></Transition><NoncurrentVersionExpiration><NoncurrentDays>30</NoncurrentDays>\
             </NoncurrentVersionExpiration></Rule>",
            &["versions-archived"],
        ),
        (
            "<Rule><ID>x</ID><Filter></Filter><Status>Disabled</Status><NoncurrentVersionExpiration><NoncurrentDays>7\
             </NoncurrentDays></NoncurrentVersionExpiration></Rule>",
            &["versions-endless"],
        ),
    ] {
        let script = Script::new(Aws { versioning: Some("Enabled"), lifecycle, ..Aws::shop(RULE) });
        let told = run(&script, "09:08").await;
        let kinds: Vec<&str> = told.iter().filter_map(|it| it.split(':').next()).collect();
        assert_eq!(kinds, problems, "{lifecycle}");
    }
}
