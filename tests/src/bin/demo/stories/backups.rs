//! A year of nightly snapshots, what the rules keep of it, and what stays whatever the rules say.
//!
//! The clock of both functions stands at the night that is told, whenever the story is played; RDS, which has a clock of
//! its own, is told when each snapshot was taken.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::json;
use testkit::{Error, LocalAws, Result};

use super::Story;
use crate::play::Play;
use crate::screen;

pub const STORY: Story = Story {
    name: "backups",
    about: "A year of snapshots before and after pruning, a failed snapshot, and a backup job that fails.",
    functions: &["snapshot-databases", "prune-backups"],
    play,
};

const SNAPSHOT: &str = "snapshot-databases";
const PRUNE: &str = "prune-backups";
const KFOOD: &str = "kfood-db";
const CODEMATE: &str = "codemate-db";

/// The databases of the shops, each with its rule.
const DATABASES: [(&str, &str); 2] = [(KFOOD, "daily=7 weekly=4 monthly=12"), (CODEMATE, "days=240")];

fn play(play: &Play) -> Result<()> {
    for (function, now) in [(SNAPSHOT, "2026-11-21T03:05:00+09:00"), (PRUNE, "2026-11-21T06:30:00+09:00")] {
        play.aws().set_clock(&Play::full_name(function), now)?;
    }
    let tonight = the_first_night(play)?;
    a_year_later(play, tonight)?;
    a_snapshot_that_failed(play, tonight)?;
    a_backup_job_that_fails(play, tonight)
}

/// Returns the date of the night.
fn the_first_night(play: &Play) -> Result<Date> {
    let aws = play.aws();
    play.chapter(1, "A night");
    screen::say(
        "Two databases carry the tag nightshift:backup, which asks for a snapshot each night and says how long it is kept.",
    );
    for (name, rule) in DATABASES {
        create_database(aws, name, rule)?;
    }
    screen::table(["database", "nightshift:backup"], &DATABASES.map(|(name, rule)| [name.to_owned(), rule.to_owned()]));
    let report = play.ask(SNAPSHOT, &json!({}))?;
    let taken = snapshots(aws)?;
    taken.keys().for_each(|it| screen::put(format_args!("  {it}")));
    screen::claim("each of them has its snapshot of tonight", taken.len() == 2, &report)?;
    let first = taken.keys().next().map(String::as_str).unwrap_or_default();
    let tonight = date_of(first).ok_or_else(|| Error::new(format!("{first} does not end in a date")))?;
    for id in taken.keys() {
        aws.change_snapshot(id, &taken_at(tonight), "available")?;
    }
    aws.set_clock(&Play::full_name(SNAPSHOT), "2026-11-21T03:20:00+09:00")?;
    let again = play.ask(SNAPSHOT, &json!({}))?;
    screen::claim("a quarter of an hour later there is nothing left to do", again["actions"] == json!([]), &again)?;
    Ok(tonight)
}

fn a_year_later(play: &Play, tonight: Date) -> Result<()> {
    let aws = play.aws();
    play.chapter(2, "A year of nights");
    screen::say("The year before tonight, night by night, and one snapshot that a person took by hand.");
    for (name, _) in DATABASES {
        for days in 1..365 {
            earlier(aws, name, tonight - days.days())?;
        }
    }
    let tags: [(&str, &str); 0] = [];
    create_snapshot(aws, KFOOD, "before-the-migration", &tags)?;
    let before = snapshots(aws)?;
    picture(&before, &before, tonight);
    let report = play.ask(PRUNE, &json!({}))?;
    let after = snapshots(aws)?;
    screen::say("prune-backups has run. What stays is ■, what went is ·");
    picture(&before, &after, tonight);
    let reasons = report["skipped"].as_array().into_iter().flatten();
    let weekly =
        reasons.filter_map(|it| it["reason"].as_str()).find(|it| it.contains("weekly") && it.contains("daily"));
    screen::say(&format!("Each has its reason, such as: {}.", weekly.unwrap_or_default()));
    let deleted = report["actions"].as_array().map_or(0, Vec::len);
    screen::claim(
        &format!("{deleted} snapshots went"),
        before.len() - after.len() == deleted && deleted > 400,
        deleted,
    )?;
    let newest = DATABASES.iter().all(|(name, _)| after.contains_key(&id(name, tonight)));
    screen::claim("the newest of each database stayed", newest, "it is gone")?;
    let by_hand = after.contains_key("before-the-migration");
    screen::claim("what a person took by hand is not Nightshift's to delete", by_hand, "it is gone")?;
    let again = play.ask(PRUNE, &json!({}))?;
    screen::claim("pruned again, nothing more goes", again["actions"] == json!([]), &again["actions"])
}

fn a_snapshot_that_failed(play: &Play, tonight: Date) -> Result<()> {
    let aws = play.aws();
    play.chapter(3, "A snapshot that failed");
    let failed = id(KFOOD, tonight);
    screen::say(&format!("{failed} turns out to have failed. It is not a backup, so it is taken again."));
    aws.change_snapshot(&failed, &taken_at(tonight), "failed")?;
    let report = play.ask(SNAPSHOT, &json!({}))?;
    let reason = report["actions"][0]["reason"].as_str().unwrap_or_default();
    screen::fact("why", reason);
    let good = snapshots(aws)?.get(&failed).map(String::as_str) == Some("available");
    aws.change_snapshot(&failed, &taken_at(tonight), "available")?;
    screen::claim("the night has a good snapshot after all", good && reason.ends_with("failed"), &report)
}

fn a_backup_job_that_fails(play: &Play, tonight: Date) -> Result<()> {
    let aws = play.aws();
    play.chapter(4, "A backup job that fails");
    screen::say(
        "For five nights every snapshot of codemate-db has failed, and nobody has noticed. A rule by age alone would go on deleting.",
    );
    for days in 0..5 {
        let night = tonight - days.days();
        aws.change_snapshot(&id(CODEMATE, night), &taken_at(night), "failed")?;
    }
    play.messages()?;
    let before = snapshots(aws)?;
    let report = play.ask(PRUNE, &json!({}))?;
    let kept = report["actions"] == json!([]) && snapshots(aws)? == before;
    screen::claim("prune-backups deletes nothing of it", kept, &report["actions"])?;
    for message in play.messages()? {
        screen::mail(crate::play::ADDRESS, &message);
    }
    let told = report["problems"][0]["problem"] == "backups-failing";
    screen::claim("and says so", told, &report["problems"])
}

/// The nights of each database, a row for each month: `■` where the snapshot is in `after`.
fn picture(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>, tonight: Date) {
    for (name, rule) in DATABASES {
        screen::put(format_args!("\n  {name}  {rule}"));
        let mut months: BTreeMap<(i16, i8), String> = BTreeMap::new();
        for days in (0..365).rev() {
            let night = tonight - days.days();
            // A month that begins in the middle is indented.
            let row = months
                .entry((night.year(), night.month()))
                .or_insert_with(|| " ".repeat(usize::try_from(night.day() - 1).unwrap_or_default()));
            let id = id(name, night);
            row.push_str(if after.contains_key(&id) {
                "■"
            } else if before.contains_key(&id) {
                "·"
            } else {
                " "
            });
        }
        for ((year, month), row) in months {
            screen::put(format_args!("  {year}-{month:02}  {row}"));
        }
    }
    screen::put("");
}

fn id(database: &str, night: Date) -> String {
    format!("nightshift-{database}-{night}")
}

fn date_of(id: &str) -> Option<Date> {
    id.get(id.len().checked_sub(10)?..)?.parse().ok()
}

/// 03:05 in Seoul, in UTC.
fn taken_at(night: Date) -> String {
    format!("{}T18:05:00Z", night - 1.day())
}

/// What the function left behind in an earlier night.
fn earlier(aws: &LocalAws, database: &str, night: Date) -> Result<()> {
    let tags = [("nightshift-state:made-by", SNAPSHOT), ("nightshift-state:database", database)];
    create_snapshot(aws, database, &id(database, night), &tags)?;
    aws.change_snapshot(&id(database, night), &taken_at(night), "available")
}

fn create_snapshot(aws: &LocalAws, database: &str, id: &str, tags: &[(&str, &str)]) -> Result<()> {
    call(aws, "CreateDBSnapshot", &[("DBInstanceIdentifier", database), ("DBSnapshotIdentifier", id)], tags)
}

fn create_database(aws: &LocalAws, name: &str, rule: &str) -> Result<()> {
    let parameters = [
        ("DBInstanceIdentifier", name),
        ("DBInstanceClass", "db.t3.medium"),
        ("Engine", "postgres"),
        ("AllocatedStorage", "20"),
        ("MasterUsername", "owner"),
        ("MasterUserPassword", "not-a-secret"),
    ];
    call(aws, "CreateDBInstance", &parameters, &[("nightshift:backup", rule)])
}

fn call(aws: &LocalAws, action: &str, parameters: &[(&str, &str)], tags: &[(&str, &str)]) -> Result<()> {
    let keys = (1..=tags.len()).map(|it| (format!("Tags.Tag.{it}.Key"), format!("Tags.Tag.{it}.Value")));
    let keys: Vec<(String, String)> = keys.collect();
    let mut all = parameters.to_vec();
    for ((key, value), (tag, text)) in keys.iter().zip(tags) {
        all.extend([(key.as_str(), *tag), (value.as_str(), *text)]);
    }
    aws.rds(action, &all).map(drop)
}

/// The status of every snapshot by its id.
fn snapshots(aws: &LocalAws) -> Result<BTreeMap<String, String>> {
    let xml = aws.rds("DescribeDBSnapshots", &[])?;
    let text = |part: &str, name: &str| part.split(&format!("<{name}>")).nth(1)?.split('<').next().map(str::to_owned);
    let one = |part: &str| Some((text(part, "DBSnapshotIdentifier")?, text(part, "Status")?));
    Ok(xml.split("<DBSnapshot>").skip(1).filter_map(one).collect())
}
