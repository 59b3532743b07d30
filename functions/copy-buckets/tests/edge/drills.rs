//! Drills of a copy.

use serde_json::{Value, json};
use testkit::scripted::Script;

use super::aws::Aws;
use super::{invoke, run, told};

const FOLDER: &str = "kfood-backups/uploads/2026-11-21";
const BEFORE: &str = "2026-11-20T17:00:00.000Z";
const LATER: &str = "2026-11-21T05:00:00.000Z";

/// A copy of four in the morning whose objects are these, in the source and in the copy. A key that ends with `?VERSION` is
/// an old version in the source.
fn copied(objects: &[(&str, &str, Option<&str>)], versions: &[(&str, &str, &'static str)]) -> Script<Aws> {
    let mut aws = Aws::shop("days=30 to=kfood-backups/uploads prefix=uploads/");
    aws.tags.insert("nightshift:drill".into(), "monthly".into());
    for (key, source, copy) in objects {
        aws.objects.insert(format!("kfood-uploads/{key}"), source.to_string());
        if let Some(copy) = copy {
            let key = key.split('?').next().unwrap_or_default();
            aws.objects.insert(format!("{FOLDER}/{key}"), copy.to_string());
        }
    }
    aws.versions = versions.iter().map(|(key, id, at)| (key.to_string(), id.to_string(), *at, false)).collect();
    let marker = json!({"made_by": "nightshift copy-buckets", "source": "kfood-uploads", "prefix": "uploads/",
        "moment": "2026-11-20T18:00:00Z", "attempt": 1, "state": "complete", "job": "job-0", "objects": objects.len(),
        "ended": "2026-11-20T18:30:00Z"});
    aws.objects.insert(format!("{FOLDER}/_nightshift.json"), marker.to_string());
    Script::new(aws)
}

async fn drill(script: &Script<Aws>, time: &str) -> Vec<String> {
    told(&invoke(script, time, json!({"drill": {"bucket": "kfood-uploads"}})).await.unwrap())
}

fn marker(script: &Script<Aws>) -> Value {
    serde_json::from_str(&script.aws().objects[&format!("{FOLDER}/_nightshift.json")]).unwrap()
}

/// The reason of the last step.
async fn ended(script: &Script<Aws>) -> String {
    let report = invoke(script, "10:23", json!({})).await.unwrap();
    assert_eq!(told(&report), ["finish-drill Done"]);
    report.actions[0].reason.clone()
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_compared_object_by_object_and_proven() {
    let long = "x".repeat((1 << 20) + 1);
    let script = copied(
        &[
            ("uploads/a b.jpg", "an image", Some("an image")),
            ("uploads/empty", "", Some("")),
            ("uploads/film.mp4", &long, Some(&long)),
            ("uploads/kept.jpg?v1", "the old one", Some("the old one")),
            ("uploads/kept.jpg", "the new one", None),
            ("uploads/new.jpg", "new", None),
        ],
        &[
            ("uploads/a b.jpg", "null", BEFORE),
            ("uploads/empty", "null", BEFORE),
            ("uploads/film.mp4", "null", BEFORE),
            ("uploads/kept.jpg", "v2", LATER),
            ("uploads/kept.jpg", "v1", BEFORE),
            ("uploads/new.jpg", "null", LATER),
        ],
    );
    assert_eq!(drill(&script, "10:08").await, ["take-sample Done"]);
    assert_eq!(script.count("GET versions"), 3);
    assert_eq!(marker(&script)["drilling"], "2026-11-21T01:08:00Z");
    assert!(invoke(&script, "10:09", json!({"drill": {"bucket": "kfood-uploads"}})).await.unwrap().refused.is_some());
    assert_eq!(ended(&script).await, "of 4 out of 4 objects 4 are the same");
    let after = marker(&script);
    assert_eq!((after["proven"].as_str(), after.get("drilling")), (Some("2026-11-21T01:23:00Z"), None));
    let drilled = script.aws().tags["nightshift-state:drilled"].clone();
    assert!(drilled.starts_with("proven at=2026-11-21T01:23:00Z begun=2026-11-21T01:08:00Z took=15m"), "{drilled}");
    // Of what fits into its first megabyte nothing else is asked; the film is compared by the checksum of S3.
    let heads: Vec<String> = script.sent("HEAD").iter().map(|it| it.text("key").to_owned()).collect();
    assert_eq!(heads.iter().filter(|it| it.ends_with("film.mp4")).count(), 2, "{heads:?}");
    assert_eq!(heads.iter().filter(|it| it.ends_with(".jpg")).count(), 0, "{heads:?}");
    assert!(run(&script, "10:38").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_in_the_copy_or_not_the_same_is_told_by_name() {
    let archived = "archived";
    let script = copied(
        &[
            ("uploads/a.jpg", "an image", None),
            ("uploads/b.jpg", "an image", Some("another image")),
            ("uploads/c.jpg", "an image", Some("an imagE")),
            ("uploads/d.jpg", "an image", Some("locked")),
            ("uploads/e.jpg", archived, Some(archived)),
        ],
        &["a", "b", "c", "d", "e"].map(|it| {
            (
                ["uploads/a.jpg", "uploads/b.jpg", "uploads/c.jpg", "uploads/d.jpg", "uploads/e.jpg"]
                    .into_iter()
                    .find(|key| key[8..].starts_with(it))
                    .unwrap(),
                "null",
                BEFORE,
            )
        }),
    );
    assert_eq!(drill(&script, "10:08").await, ["take-sample Done"]);
    let why = ended(&script).await;
    for expected in [
        "4 of 5 objects are not as they were copied: ",
        "uploads/a.jpg is not in the copy",
        "uploads/b.jpg has 13 bytes in the copy and 8 in the source",
        "uploads/c.jpg differs from the source",
        "uploads/d.jpg cannot be read from the copy: KMS.DisabledException",
    ] {
        assert!(why.contains(expected), "{expected} in {why}");
    }
    assert!(marker(&script).get("proven").is_none());
    let message = &script.bodies("Publish").pop().unwrap();
    let subject = message["Subject"].as_str().unwrap();
    assert!(
        subject.contains("kfood-uploads: the drill of the copy s3://kfood-backups/uploads/2026-11-21/ FAILED"),
        "{subject}"
    );
    assert!(message.to_string().contains("Drill again"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_breaks_off_goes_on_and_what_cannot_be_read_now_is_tried_again() {
    let script = copied(&[("uploads/a.jpg", "an image", Some("an image"))], &[("uploads/a.jpg", "null", BEFORE)]);
    script.refuse("GET versions", "", 9, 503, "SlowDown");
    let failed = invoke(&script, "10:08", json!({"drill": {"bucket": "kfood-uploads"}})).await;
    assert!(failed.is_err_and(|it| it.contains("SlowDown")));
    script.end_faults();
    assert_eq!(run(&script, "10:23").await, ["take-sample Done"]);
    script.refuse("GET", "uploads/a.jpg", 99, 503, "SlowDown");
    let told = run(&script, "10:38").await;
    assert!(
        told.len() == 1
            && told[0].starts_with("unreadable: its drill cannot go on, since the objects cannot be read: GetObject"),
        "{told:?}"
    );
    script.end_faults();
    assert_eq!(run(&script, "10:53").await, ["finish-drill Done"]);
    assert_eq!(script.aws().tags["nightshift-state:drilled"].split(' ').next(), Some("proven"));
}
