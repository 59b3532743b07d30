//! Two weeks of uploads that are copied each night, nights that fail, and an afternoon that is taken back.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::{LocalAws, Message, Result};

use super::Story;
use crate::play::{ADDRESS, Play};
use crate::screen;

pub const STORY: Story = Story {
    name: "uploads",
    about: "Two weeks of copies of a bucket, nights that fail, and a restore to the minute before an accident.",
    functions: &["copy-buckets"],
    play,
};

const FUNCTION: &str = "copy-buckets";
const UPLOADS: &str = "kfood-uploads";
const BACKUPS: &str = "kfood-backups";
const HERE: &str =
    "<CreateBucketConfiguration><LocationConstraint>ap-northeast-2</LocationConstraint></CreateBucketConfiguration>";

/// The nights of the story are those of November from this day on.
const FIRST: i32 = 7;
const LAST: i32 = 20;

fn play(play: &Play) -> Result<()> {
    the_first_night(play)?;
    two_weeks_later(play)?;
    nights_that_fail(play)?;
    an_accident(play)?;
    let calls = play.calls_in_all(FUNCTION)?;
    let refused: Vec<_> = calls.iter().filter(|it| it.status == 403).collect();
    screen::claim("none of its calls was refused by its own role", refused.is_empty(), format_args!("{refused:?}"))
}

fn the_first_night(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(1, "A night");
    screen::say("The K-Food shop keeps what its customers upload in a bucket. A tag asks for a copy each night.");
    for bucket in [UPLOADS, BACKUPS] {
        aws.s3("PUT", &format!("/{bucket}"), HERE)?;
    }
    for key in ["uploads/bibimbap.jpg", "uploads/kimchi.jpg", "cache/thumbnail"] {
        put(aws, key, "an image")?;
    }
    tag(aws, "days=7 to=kfood-backups/uploads prefix=uploads/")?;
    let begun = look(play, FIRST, "03:08")?;
    screen::fact("03:08", action(&begun, 0));
    let recorded = look(play, FIRST, "03:23")?;
    screen::fact("03:23", action(&recorded, 0));
    let copied = aws.s3_keys(BACKUPS, "uploads/")?;
    copied.iter().for_each(|it| screen::put(format_args!("  {it}")));
    let all = copied.iter().filter(|it| it.ends_with(".jpg")).count() == 2 && copied.len() == 3;
    screen::claim(
        "each upload is in the copy of the night, and a marker says that it is whole",
        all,
        copied.join(" "),
    )?;
    let again = look(play, FIRST, "03:38")?;
    screen::claim("a quarter of an hour later there is nothing to do", again["actions"] == json!([]), &again)
}

fn two_weeks_later(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(2, "Two weeks of nights");
    for day in FIRST + 1..=LAST {
        put(aws, &format!("uploads/{day:02}.jpg"), "an image")?;
        look(play, day, "03:08")?;
        look(play, day, "03:23")?;
    }
    let kept = copies(aws)?;
    screen::say("days=7 keeps the copies of a week. What stays is ■, what went is ·");
    picture(&kept);
    let week: BTreeSet<String> = (LAST - 6..=LAST).map(date).collect();
    screen::claim("the last seven nights are there", kept == week, format_args!("{kept:?}"))?;
    let newest = aws.s3_keys(BACKUPS, &format!("uploads/{}/uploads/", date(LAST)))?.len();
    screen::claim("the newest copy holds all fifteen uploads", newest == 15, newest)?;
    play.messages()?;
    Ok(())
}

fn nights_that_fail(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(3, "Nights that fail");
    screen::say(
        "An upload of 6 GB comes in, which S3 does not copy in a job. The job is called complete all the same, and only its \
         report tells of the object.",
    );
    put(aws, "uploads/cooking-show.mp4", "a film")?;
    let too_large = json!({"failing": {"uploads/cooking-show.mp4": ["InvalidRequest", 400]}});
    aws.control("POST", "jobs", Some(too_large))?;
    look(play, LAST + 1, "03:08")?;
    let report = look(play, LAST + 1, "03:23")?;
    let is_told = |it: &&Message| it.subject.as_deref().is_some_and(|it| it.contains("is not good"));
    for message in play.messages()?.iter().filter(is_told) {
        screen::mail(ADDRESS, message);
    }
    let told = report["problems"][0]["message"].as_str().unwrap_or_default();
    screen::claim("the mail names it", told.contains("uploads/cooking-show.mp4"), &report)?;
    screen::say(
        "Then jobs stop going on, and nobody looks for a month. A rule by age alone would delete what is left.",
    );
    aws.control("POST", "jobs", Some(json!({"failing": {}, "held": true})))?;
    let before = good(aws)?;
    look(play, LAST + 2, "03:08")?;
    let report = play_at(play, "2026-12-25T03:08", &json!({}))?;
    let left = good(aws)?;
    picture(&left);
    // One more was due in the first of these nights.
    let kept = left.len() + 1 >= before.len() && left.contains(&date(LAST));
    screen::claim("after three days without a good copy none is deleted any more", kept, format_args!("{left:?}"))?;
    let late = report["problems"].as_array().is_some_and(|all| all.iter().any(|it| it["problem"] == "overdue"));
    screen::claim("and people are told that nights were missed", late, &report["problems"])?;
    aws.control("POST", "jobs", Some(json!({"held": false}))).map(drop)
}

fn an_accident(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(4, "An accident, taken back");
    screen::say(
        "Full copies have become too dear, so the tag says mode=versions now: S3 keeps what is replaced or deleted, and \
         copy-buckets looks whether that is so.",
    );
    tag(aws, "days=30 mode=versions prefix=uploads/")?;
    let report = play_at(play, "2026-12-26T09:08", &json!({}))?;
    for problem in report["problems"].as_array().into_iter().flatten() {
        screen::fact("problem", problem["message"].as_str().unwrap_or_default());
    }
    play.messages()?;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    aws.s3("PUT", &format!("/{UPLOADS}?versioning"), enabled)?;
    let rule = "<LifecycleConfiguration><Rule><ID>old</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>\
                <NoncurrentVersionExpiration><NoncurrentDays>30</NoncurrentDays></NoncurrentVersionExpiration></Rule>\
                </LifecycleConfiguration>";
    aws.s3("PUT", &format!("/{UPLOADS}?lifecycle"), rule)?;
    let report = play_at(play, "2026-12-26T09:23", &json!({}))?;
    screen::claim("with versioning and a lifecycle rule nothing is missing", report["problems"] == json!([]), &report)?;

    screen::say("At 14:00 a script overwrites one image and deletes another one.");
    for key in aws.s3_keys(UPLOADS, "uploads/")? {
        written(aws, &key, "2026-12-26T00:30:00.000Z")?;
    }
    put(aws, "uploads/kimchi.jpg", "rubbish")?;
    written(aws, "uploads/kimchi.jpg", "2026-12-26T05:00:00.000Z")?;
    aws.s3("DELETE", &format!("/{UPLOADS}/uploads/bibimbap.jpg"), "")?;
    written(aws, "uploads/bibimbap.jpg", "2026-12-26T05:00:00.000Z")?;
    let command = json!({"restore": {"bucket": UPLOADS, "at": "2026-12-26T13:59", "to": "kfood-backups/restored"}});
    screen::command(&format!("printf %s '{command}' | aws lambda invoke --function-name nightshift-copy-buckets …"));
    let begun = play_at(play, "2026-12-26T14:20", &command)?;
    screen::fact("14:20", action(&begun, 0));
    play_at(play, "2026-12-26T14:23", &json!({}))?;
    for message in play.messages()? {
        screen::mail(ADDRESS, &message);
    }
    let folder = format!("/{BACKUPS}/restored/2026-12-26T135900/uploads");
    for (key, what) in
        [("kimchi.jpg", "the image that was overwritten"), ("bibimbap.jpg", "the image that was deleted")]
    {
        let found = aws.s3("GET", &format!("{folder}/{key}"), "")?;
        screen::claim(&format!("{what} is there as it was"), found == "an image", &found)?;
    }
    Ok(())
}

/// The nights of the story: `■` where there is a copy.
fn picture(kept: &BTreeSet<String>) {
    let row: String = (FIRST..=LAST).map(|day| if kept.contains(&date(day)) { '■' } else { '·' }).collect();
    screen::put(format_args!("\n  {} {row} {}\n", date(FIRST), date(LAST)));
}

fn date(day: i32) -> String {
    format!("2026-11-{day:02}")
}

/// The dates of all copies.
fn copies(aws: &LocalAws) -> Result<BTreeSet<String>> {
    let keys = aws.s3_keys(BACKUPS, "uploads/")?;
    Ok(keys.iter().filter_map(|it| it.split('/').nth(1)).map(str::to_owned).collect())
}

/// The dates of the copies that are whole.
fn good(aws: &LocalAws) -> Result<BTreeSet<String>> {
    let mut good = BTreeSet::new();
    for date in copies(aws)? {
        let marker: Value =
            serde_json::from_str(&aws.s3("GET", &format!("/{BACKUPS}/uploads/{date}/_nightshift.json"), "")?)?;
        if marker["state"] == "complete" {
            good.insert(date);
        }
    }
    Ok(good)
}

/// A look at a time of a night in November.
fn look(play: &Play, day: i32, time: &str) -> Result<Value> {
    play_at(play, &format!("{}T{time}", date(day)), &json!({}))
}

fn play_at(play: &Play, moment: &str, payload: &Value) -> Result<Value> {
    play.aws().set_clock(&Play::full_name(FUNCTION), &format!("{moment}:00+09:00"))?;
    play.ask(FUNCTION, payload)
}

fn action(report: &Value, index: usize) -> &str {
    report["actions"][index]["reason"].as_str().unwrap_or("nothing was done")
}

fn put(aws: &LocalAws, key: &str, text: &str) -> Result<()> {
    aws.s3("PUT", &format!("/{UPLOADS}/{key}"), text).map(drop)
}

/// The newest version of an object was written at this moment.
fn written(aws: &LocalAws, key: &str, at: &str) -> Result<()> {
    aws.control("POST", "written", Some(json!({"bucket": UPLOADS, "key": key, "at": at}))).map(drop)
}

fn tag(aws: &LocalAws, rule: &str) -> Result<()> {
    screen::table(["bucket", "nightshift:backup"], &[[UPLOADS.to_owned(), rule.to_owned()]]);
    let arn = format!("arn:aws:s3:::{UPLOADS}");
    aws.tagging("TagResources", json!({"ResourceARNList": [arn], "Tags": {"nightshift:backup": rule}})).map(drop)
}
