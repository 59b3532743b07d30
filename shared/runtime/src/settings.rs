//! The environment of a function, read once when it starts and refused loudly if it is wrong.

mod single;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use reconcile::Routine;
use reconcile::message::RunbookBase;
use rules::calendar::{BadFreeze, Freeze};
use rules::days_off::{DAYS, DaysOff};
use rules::retention::Region;
use rules::schedule::{BadSchedules, NamedSchedules, StackCalendar};

pub use single::{BadSetting, bad};
use single::{now, runbooks, slo};

/// Every variable of ours, so that a misspelt one is refused: `NIGHTSHIFT_DRYRUN=true` would otherwise run for real.
const VARIABLES: [&str; 25] = [
    "NIGHTSHIFT_BACKUP_BUCKETS",
    "NIGHTSHIFT_BACKUP_TARGETS",
    "NIGHTSHIFT_BUDGET_TOPIC_ARN",
    "NIGHTSHIFT_COMPOSE_DOCUMENT",
    "NIGHTSHIFT_COPY_AT",
    "NIGHTSHIFT_COPY_REGIONS",
    "NIGHTSHIFT_COPY_ROLE_ARN",
    "NIGHTSHIFT_DRILL_AT",
    "NIGHTSHIFT_DRILL_BUCKETS",
    "NIGHTSHIFT_DRY_RUN",
    "NIGHTSHIFT_FREEZE",
    "NIGHTSHIFT_HOLIDAYS",
    "NIGHTSHIFT_KEEP_SHARED",
    "NIGHTSHIFT_MAX_CHANGES",
    "NIGHTSHIFT_MAX_DRILLS",
    "NIGHTSHIFT_MAX_REMEDIES",
    "NIGHTSHIFT_NOW",
    "NIGHTSHIFT_ROUTINE",
    "NIGHTSHIFT_RUNBOOK_BASE",
    "NIGHTSHIFT_SCHEDULES",
    "NIGHTSHIFT_SCHEDULE_ROLES",
    "NIGHTSHIFT_SLEEP_NOTICE",
    "NIGHTSHIFT_SLO",
    "NIGHTSHIFT_TIME_ZONE",
    "NIGHTSHIFT_TOPIC_ARN",
];

/// What the environment asks for; see "Invocation payloads" in the README.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The stack's zone (`NIGHTSHIFT_TIME_ZONE`, an IANA name, default `UTC`).
    pub time_zone: TimeZone,
    /// The SNS topic for messages (`NIGHTSHIFT_TOPIC_ARN`); without one they are only logged.
    pub topic: Option<String>,
    /// The SNS topic that AWS Budgets publishes to (`NIGHTSHIFT_BUDGET_TOPIC_ARN`); it also says whose budgets are meant.
    pub budget_topic: Option<String>,
    /// What `copy-buckets` may copy, and with which role.
    pub buckets: CopiedBuckets,
    /// The document of Systems Manager that deploys on instances (`NIGHTSHIFT_COMPOSE_DOCUMENT`).
    pub compose_document: Option<String>,
    /// The time of the day from which restore drills begin (`NIGHTSHIFT_DRILL_AT`, default `10:00`).
    pub drill_at: Time,
    /// The whole function only plans (`NIGHTSHIFT_DRY_RUN=true`).
    pub dry_run: bool,
    /// The ARNs of roles with which schedules of EventBridge Scheduler reach their targets: only schedules with one of these
    /// may be changed (`NIGHTSHIFT_SCHEDULE_ROLES`, separated by spaces).
    pub schedule_roles: BTreeSet<String>,
    /// A plan with more changes is refused whole (`NIGHTSHIFT_MAX_CHANGES`, default 500).
    pub max_changes: usize,
    /// How long before a sleep that people may not expect they are told of it (`NIGHTSHIFT_SLEEP_NOTICE`, such as `15m`;
    /// default `none`).
    pub sleep_notice: Option<SignedDuration>,
    /// How many restore drills there may be at once (`NIGHTSHIFT_MAX_DRILLS`, default 1).
    pub max_drills: u32,
    /// How many remedies there may be within an hour, over all alarms (`NIGHTSHIFT_MAX_REMEDIES`, default 10).
    pub max_remedies: u32,
    /// Days on which no schedule window starts (`NIGHTSHIFT_HOLIDAYS`, separated by spaces), and schedules that tags name
    /// (`NIGHTSHIFT_SCHEDULES`, such as `office=mon-fri 08:00-20:00; demo=always`).
    pub calendar: StackCalendar,
    /// When nothing is deployed (`NIGHTSHIFT_FREEZE`, `FROM/TO`, dates or wall times of the stack's zone).
    pub freeze: Option<Freeze>,
    /// The regions that snapshots may be copied to, each with the KMS key that encrypts the copies there
    /// (`NIGHTSHIFT_COPY_REGIONS`, such as `us-west-2=arn:aws:kms:… eu-west-1`).
    pub copy_regions: BTreeMap<Region, Option<String>>,
    /// Each snapshot is asked whether it is shared before it is deleted (`NIGHTSHIFT_KEEP_SHARED`, default `true`).
    pub keep_shared: bool,
    /// What becomes of routine news (`NIGHTSHIFT_ROUTINE`, default `daily`).
    pub routine: Routine,
    /// Where people keep what to do (`NIGHTSHIFT_RUNBOOK_BASE`, such as `https://wiki.example/runbooks`).
    pub runbooks: Option<RunbookBase>,
    /// How many percent of requests should be answered without an error of the server (`NIGHTSHIFT_SLO`, such as 99.9).
    pub slo: Option<f64>,
    /// Fixes the clock (`NIGHTSHIFT_NOW`, RFC 3339); for tests and local trials only.
    pub now: Option<Timestamp>,
    /// The function's name in AWS (`AWS_LAMBDA_FUNCTION_NAME`), for the commands that messages quote.
    pub function_name: Option<String>,
    /// The region (`AWS_REGION`), for the commands and links in messages.
    pub region: Option<String>,
}

/// Which buckets may be copied to which, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct CopiedBuckets {
    /// The ARNs of buckets that may be copied (`NIGHTSHIFT_BACKUP_BUCKETS`, separated by spaces).
    pub sources: BTreeSet<String>,
    /// The ARNs of buckets that copies may be written to (`NIGHTSHIFT_BACKUP_TARGETS`).
    pub targets: BTreeSet<String>,
    /// The role of the jobs that copy (`NIGHTSHIFT_COPY_ROLE_ARN`).
    pub role: Option<String>,
    /// The time of the day from which buckets are copied (`NIGHTSHIFT_COPY_AT`, default `03:00`).
    pub at: Time,
    /// Whether the function may read objects, to compare copies with them (`NIGHTSHIFT_DRILL_BUCKETS`, default `false`).
    pub drills: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            time_zone: TimeZone::UTC,
            topic: None,
            budget_topic: None,
            buckets: CopiedBuckets {
                sources: BTreeSet::new(),
                targets: BTreeSet::new(),
                role: None,
                at: Time::constant(3, 0, 0, 0),
                drills: false,
            },
            compose_document: None,
            drill_at: Time::constant(10, 0, 0, 0),
            dry_run: false,
            schedule_roles: BTreeSet::new(),
            max_changes: 500,
            sleep_notice: None,
            max_drills: 1,
            max_remedies: 10,
            calendar: StackCalendar::default(),
            freeze: None,
            copy_regions: BTreeMap::new(),
            keep_shared: true,
            routine: Routine::default(),
            runbooks: None,
            slo: None,
            now: None,
            function_name: None,
            region: None,
        }
    }
}

impl Settings {
    /// Reads our variables among all of them.
    pub fn read(variables: &BTreeMap<String, String>) -> Result<Self, BadSetting> {
        let ours = variables.keys().find(|it| it.starts_with("NIGHTSHIFT_") && !VARIABLES.contains(&it.as_str()));
        if let Some(unknown) = ours {
            return Err(bad(unknown, "there is no such variable", &VARIABLES.join(", ")));
        }
        // An empty variable is one that a template left blank.
        let value = |name: &str| variables.get(name).map(|it| it.trim()).filter(|it| !it.is_empty());
        Ok(Settings {
            time_zone: time_zone(value("NIGHTSHIFT_TIME_ZONE"))?,
            topic: arn("NIGHTSHIFT_TOPIC_ARN", value("NIGHTSHIFT_TOPIC_ARN"), ":sns:", "an SNS topic")?,
            budget_topic: arn(
                "NIGHTSHIFT_BUDGET_TOPIC_ARN",
                value("NIGHTSHIFT_BUDGET_TOPIC_ARN"),
                ":sns:",
                "an SNS topic",
            )?,
            buckets: CopiedBuckets {
                sources: buckets("NIGHTSHIFT_BACKUP_BUCKETS", value("NIGHTSHIFT_BACKUP_BUCKETS"))?,
                targets: buckets("NIGHTSHIFT_BACKUP_TARGETS", value("NIGHTSHIFT_BACKUP_TARGETS"))?,
                role: arn("NIGHTSHIFT_COPY_ROLE_ARN", value("NIGHTSHIFT_COPY_ROLE_ARN"), ":role/", "an IAM role")?,
                at: time_of_day("NIGHTSHIFT_COPY_AT", value("NIGHTSHIFT_COPY_AT"), Settings::default().buckets.at)?,
                drills: truth("NIGHTSHIFT_DRILL_BUCKETS", value("NIGHTSHIFT_DRILL_BUCKETS"), false)?,
            },
            compose_document: value("NIGHTSHIFT_COMPOSE_DOCUMENT").map(str::to_owned),
            drill_at: time_of_day("NIGHTSHIFT_DRILL_AT", value("NIGHTSHIFT_DRILL_AT"), Settings::default().drill_at)?,
            dry_run: truth("NIGHTSHIFT_DRY_RUN", value("NIGHTSHIFT_DRY_RUN"), false)?,
            schedule_roles: schedule_roles(value("NIGHTSHIFT_SCHEDULE_ROLES"))?,
            max_changes: from_one("NIGHTSHIFT_MAX_CHANGES", value("NIGHTSHIFT_MAX_CHANGES"), 500)?,
            sleep_notice: notice(value("NIGHTSHIFT_SLEEP_NOTICE"))?,
            max_drills: from_one("NIGHTSHIFT_MAX_DRILLS", value("NIGHTSHIFT_MAX_DRILLS"), 1)?,
            max_remedies: from_one("NIGHTSHIFT_MAX_REMEDIES", value("NIGHTSHIFT_MAX_REMEDIES"), 10)?,
            calendar: StackCalendar {
                holidays: holidays(value("NIGHTSHIFT_HOLIDAYS"))?,
                schedules: schedules(value("NIGHTSHIFT_SCHEDULES"))?,
            },
            freeze: freeze(value("NIGHTSHIFT_FREEZE"))?,
            copy_regions: copy_regions(value("NIGHTSHIFT_COPY_REGIONS"))?,
            keep_shared: truth("NIGHTSHIFT_KEEP_SHARED", value("NIGHTSHIFT_KEEP_SHARED"), true)?,
            routine: routine(value("NIGHTSHIFT_ROUTINE"))?,
            runbooks: runbooks(value("NIGHTSHIFT_RUNBOOK_BASE"))?,
            slo: slo(value("NIGHTSHIFT_SLO"))?,
            now: now(value("NIGHTSHIFT_NOW"))?,
            function_name: value("AWS_LAMBDA_FUNCTION_NAME").map(str::to_owned),
            region: value("AWS_REGION").map(str::to_owned),
        })
    }
}

fn time_zone(value: Option<&str>) -> Result<TimeZone, BadSetting> {
    let Some(name) = value else { return Ok(Settings::default().time_zone) };
    rules::zone::named(name).map_err(|it| {
        bad("NIGHTSHIFT_TIME_ZONE", &it.to_string(), "the IANA name of a place such as Asia/Seoul, or UTC")
    })
}

fn arn(name: &str, value: Option<&str>, part: &str, what: &str) -> Result<Option<String>, BadSetting> {
    let (_, noun) = what.rsplit_once(' ').unwrap_or_default();
    match value {
        Some(arn) if !(arn.starts_with("arn:") && arn.contains(part)) => {
            Err(bad(name, &format!("'{arn}' is not a {noun}"), &format!("the ARN of {what}, or nothing")))
        }
        other => Ok(other.map(str::to_owned)),
    }
}

fn buckets(name: &str, value: Option<&str>) -> Result<BTreeSet<String>, BadSetting> {
    let bucket = |arn: &str| match arn.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "s3", "", "", bucket] if !bucket.is_empty() && !bucket.contains('/') => Ok(arn.to_owned()),
        _ => Err(bad(
            name,
            &format!("'{arn}' is not a bucket"),
            "ARNs of buckets such as arn:aws:s3:::kfood-uploads, separated by spaces",
        )),
    };
    value.unwrap_or_default().split_whitespace().map(bucket).collect()
}

fn schedule_roles(value: Option<&str>) -> Result<BTreeSet<String>, BadSetting> {
    let words = value.unwrap_or_default().split_whitespace();
    words.map(|it| arn("NIGHTSHIFT_SCHEDULE_ROLES", Some(it), ":role/", "an IAM role").map(|_| it.to_owned())).collect()
}

fn time_of_day(name: &str, value: Option<&str>, default: Time) -> Result<Time, BadSetting> {
    let Some(text) = value else { return Ok(default) };
    // Only hours and minutes: nothing begins more precisely.
    let read = (text.len() == 5).then(|| Time::strptime("%H:%M", text).ok()).flatten();
    read.ok_or_else(|| bad(name, &format!("'{text}' is not a time of the day"), "a time such as 10:00"))
}

/// The function runs every five minutes: less than ten would come too late where one run fails.
fn notice(value: Option<&str>) -> Result<Option<SignedDuration>, BadSetting> {
    let minutes = match value {
        None | Some("none") => return Ok(None),
        Some(text) => text.strip_suffix('m').and_then(|it| it.parse::<i64>().ok()).filter(|it| (10..=60).contains(it)),
    };
    let wrong = || format!("'{}' is not such a time", value.unwrap_or_default());
    let minutes = minutes.ok_or_else(|| bad("NIGHTSHIFT_SLEEP_NOTICE", &wrong(), "10m to 60m, or none"))?;
    Ok(Some(SignedDuration::from_mins(minutes)))
}

fn truth(name: &str, value: Option<&str>, default: bool) -> Result<bool, BadSetting> {
    match value {
        None => Ok(default),
        Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => {
            let lower = other.to_ascii_lowercase();
            let hint = match lower.as_str() {
                "true" | "false" => format!(" (write {lower}, in small letters)"),
                "yes" | "on" | "1" => " (write true)".into(),
                "no" | "off" | "0" => " (write false)".into(),
                _ => String::new(),
            };
            Err(bad(name, &format!("'{other}' is neither{hint}"), "true, false"))
        }
    }
}

fn from_one<T: FromStr + PartialOrd + From<u8>>(name: &str, value: Option<&str>, default: T) -> Result<T, BadSetting> {
    let Some(number) = value else { return Ok(default) };
    match number.parse() {
        Ok(number) if number > T::from(0) => Ok(number),
        _ => Err(bad(name, &format!("'{number}' is not such a number"), "a whole number from 1")),
    }
}

fn holidays(value: Option<&str>) -> Result<DaysOff, BadSetting> {
    let day = |word: &str| {
        let comma = if word.contains(',') { " (separate dates by spaces, not by commas)" } else { "" };
        let wrong = format!("'{word}' is not a date{comma}");
        word.parse().map_err(|()| bad("NIGHTSHIFT_HOLIDAYS", &wrong, &format!("{DAYS}, separated by spaces")))
    };
    value.unwrap_or_default().split_whitespace().map(day).collect()
}

fn schedules(value: Option<&str>) -> Result<NamedSchedules, BadSetting> {
    let accepted = "NAME=WHEN, separated by semicolons, such as office=mon-fri 08:00-20:00; demo=mon-fri 13:00-15:00";
    let read = value.unwrap_or_default().parse();
    read.map_err(|wrong: BadSchedules| bad("NIGHTSHIFT_SCHEDULES", &wrong.to_string(), accepted))
}

fn freeze(value: Option<&str>) -> Result<Option<Freeze>, BadSetting> {
    let accepted =
        "FROM/TO, each a date or a wall time, such as 2026-12-20/2027-01-03 or 2026-12-18T18:00/2027-01-04T09:00";
    value
        .map(|it| it.parse().map_err(|wrong: BadFreeze| bad("NIGHTSHIFT_FREEZE", &wrong.to_string(), accepted)))
        .transpose()
}

fn copy_regions(value: Option<&str>) -> Result<BTreeMap<Region, Option<String>>, BadSetting> {
    let accepted = "regions separated by spaces, each with the ARN of a KMS key of that region if snapshots are \
                    encrypted: us-west-2=arn:aws:kms:us-west-2:123456789012:key/… eu-west-1";
    let refused = |wrong: String| bad("NIGHTSHIFT_COPY_REGIONS", &wrong, accepted);
    let region = |word: &str| {
        let (name, key) = word.split_once('=').map_or((word, None), |(name, key)| (name, Some(key)));
        let region: Region = name.parse().map_err(|()| refused(format!("'{name}' is not a region")))?;
        match key {
            Some(key) if key.split(':').nth(2) != Some("kms") || key.split(':').nth(3) != Some(name) => {
                Err(refused(format!("'{key}' is not a KMS key of {name}")))
            }
            key => Ok((region, key.map(str::to_owned))),
        }
    };
    value.unwrap_or_default().split_whitespace().map(region).collect()
}

fn routine(value: Option<&str>) -> Result<Routine, BadSetting> {
    let Some(word) = value else { return Ok(Routine::default()) };
    let known = Routine::ALL.iter().find(|(name, _)| *name == word).map(|(_, it)| *it);
    known.ok_or_else(|| bad("NIGHTSHIFT_ROUTINE", &format!("there is no '{word}'"), "each, daily, none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Settings::read(&variables).map_err(|it| it.to_string())
    }

    #[test]
    fn an_empty_environment_means_utc_no_topic_and_five_hundred_changes() {
        for blank in [vec![], VARIABLES.iter().map(|it| (*it, "")).collect()] {
            let settings = read(&blank).unwrap();
            assert_eq!(settings.time_zone, TimeZone::UTC);
            assert_eq!((settings.topic, settings.dry_run, settings.max_changes), (None, false, 500));
            assert_eq!(
                (settings.calendar, settings.now, settings.routine),
                (StackCalendar::default(), None, Routine::Daily)
            );
        }
    }

    #[test]
    fn every_variable_is_read() {
        let settings = read(&[
            ("NIGHTSHIFT_TIME_ZONE", "Asia/Seoul"),
            ("NIGHTSHIFT_TOPIC_ARN", "arn:aws:sns:ap-northeast-2:123456789012:nightshift"),
            ("NIGHTSHIFT_BUDGET_TOPIC_ARN", "arn:aws:sns:ap-northeast-2:123456789012:budgets"),
            ("NIGHTSHIFT_DRY_RUN", "true"),
            (
                "NIGHTSHIFT_SCHEDULE_ROLES",
                "arn:aws:iam::123456789012:role/nightly arn:aws:iam::123456789012:role/hourly",
            ),
            ("NIGHTSHIFT_MAX_CHANGES", "5000"),
            ("NIGHTSHIFT_BACKUP_BUCKETS", "arn:aws:s3:::kfood-uploads arn:aws:s3:::kfood-logs"),
            ("NIGHTSHIFT_BACKUP_TARGETS", "arn:aws:s3:::kfood-backups"),
            ("NIGHTSHIFT_COPY_AT", "02:15"),
            ("NIGHTSHIFT_COPY_ROLE_ARN", "arn:aws:iam::123456789012:role/copies"),
            ("NIGHTSHIFT_DRILL_AT", "14:30"),
            ("NIGHTSHIFT_DRILL_BUCKETS", "true"),
            ("NIGHTSHIFT_MAX_DRILLS", "2"),
            ("NIGHTSHIFT_MAX_REMEDIES", "4"),
            ("NIGHTSHIFT_SLEEP_NOTICE", "15m"),
            ("NIGHTSHIFT_HOLIDAYS", "2026-12-25 01-01 2027-08-01..2027-08-05"),
            ("NIGHTSHIFT_SCHEDULES", "office=mon-fri 08:00-20:00; demo=always"),
            ("NIGHTSHIFT_FREEZE", "2026-12-20/2027-01-03"),
            ("NIGHTSHIFT_COPY_REGIONS", "eu-west-1 us-west-2=arn:aws:kms:us-west-2:123456789012:key/1"),
            ("NIGHTSHIFT_KEEP_SHARED", "false"),
            ("NIGHTSHIFT_NOW", "2026-11-21T03:10:00+09:00"),
            ("NIGHTSHIFT_ROUTINE", "each"),
            ("NIGHTSHIFT_RUNBOOK_BASE", "https://wiki.example/{function}"),
            ("NIGHTSHIFT_SLO", "99.95"),
            ("AWS_REGION", "ap-northeast-2"),
            ("AWS_LAMBDA_FUNCTION_NAME", "stack-DeployImage"),
        ])
        .unwrap();
        assert_eq!(settings.time_zone, TimeZone::get("Asia/Seoul").unwrap());
        assert_eq!(settings.topic.as_deref(), Some("arn:aws:sns:ap-northeast-2:123456789012:nightshift"));
        assert_eq!(settings.budget_topic.as_deref(), Some("arn:aws:sns:ap-northeast-2:123456789012:budgets"));
        assert_eq!(
            (settings.dry_run, settings.max_changes, settings.calendar.holidays.is_empty()),
            (true, 5000, false)
        );
        assert_eq!((settings.max_remedies, settings.routine), (4, Routine::Each));
        assert_eq!(settings.runbooks, "https://wiki.example/{function}".parse().ok());
        assert_eq!(settings.region.as_deref(), Some("ap-northeast-2"));
        assert_eq!(settings.schedule_roles.len(), 2);
        assert_eq!((settings.max_remedies, settings.freeze), (4, "2026-12-20/2027-01-03".parse().ok()));
        assert_eq!(settings.sleep_notice, Some(SignedDuration::from_mins(15)));
        assert_eq!((settings.max_drills, settings.slo), (2, Some(99.95)));
        assert_eq!(settings.drill_at, jiff::civil::time(14, 30, 0, 0));
        let CopiedBuckets { sources, targets, role, at, drills } = &settings.buckets;
        assert_eq!((sources.len(), targets.len(), *at, *drills), (2, 1, jiff::civil::time(2, 15, 0, 0), true));
        assert_eq!(role.as_deref(), Some("arn:aws:iam::123456789012:role/copies"));
        let key = |region: &str| settings.copy_regions[&region.parse().unwrap()].clone();
        assert_eq!((key("eu-west-1"), settings.keep_shared), (None, false));
        assert_eq!(key("us-west-2").as_deref(), Some("arn:aws:kms:us-west-2:123456789012:key/1"));
        assert_eq!(settings.now.unwrap().to_string(), "2026-11-20T18:10:00Z");
        assert_eq!(settings.function_name.as_deref(), Some("stack-DeployImage"));
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_what_is_accepted() {
        for (variable, value, error) in [
            (
                "NIGHTSHIFT_TIME_ZONE",
                "KST",
                "NIGHTSHIFT_TIME_ZONE: 'KST' is not a time zone (use Asia/Seoul); accepted: the IANA name of a place such as",
            ),
            (
                "NIGHTSHIFT_TOPIC_ARN",
                "nightshift",
                "NIGHTSHIFT_TOPIC_ARN: 'nightshift' is not a topic; accepted: the ARN",
            ),
            (
                "NIGHTSHIFT_BUDGET_TOPIC_ARN",
                "arn:aws:sqs:x",
                "NIGHTSHIFT_BUDGET_TOPIC_ARN: 'arn:aws:sqs:x' is not a topic; accepted: the ARN of an SNS topic, or nothing",
            ),
            (
                "NIGHTSHIFT_BACKUP_BUCKETS",
                "kfood-uploads",
                "NIGHTSHIFT_BACKUP_BUCKETS: 'kfood-uploads' is not a bucket; accepted: ARNs of buckets such as",
            ),
            (
                "NIGHTSHIFT_COPY_ROLE_ARN",
                "copies",
                "NIGHTSHIFT_COPY_ROLE_ARN: 'copies' is not a role; accepted: the ARN of an IAM role, or nothing",
            ),
            (
                "NIGHTSHIFT_SCHEDULE_ROLES",
                "nightly",
                "NIGHTSHIFT_SCHEDULE_ROLES: 'nightly' is not a role; accepted: the ARN of an IAM role, or nothing",
            ),
            (
                "NIGHTSHIFT_DRILL_AT",
                "10am",
                "NIGHTSHIFT_DRILL_AT: '10am' is not a time of the day; accepted: a time such as",
            ),
            ("NIGHTSHIFT_DRY_RUN", "yes", "NIGHTSHIFT_DRY_RUN: 'yes' is neither (write true); accepted: true, false"),
            (
                "NIGHTSHIFT_DRY_RUN",
                "True",
                "NIGHTSHIFT_DRY_RUN: 'True' is neither (write true, in small letters); accepted: true, false",
            ),
            ("NIGHTSHIFT_DRY_RUN", "maybe", "NIGHTSHIFT_DRY_RUN: 'maybe' is neither; accepted: true, false"),
            (
                "NIGHTSHIFT_MAX_CHANGES",
                "0",
                "NIGHTSHIFT_MAX_CHANGES: '0' is not such a number; accepted: a whole number",
            ),
            (
                "NIGHTSHIFT_MAX_REMEDIES",
                "-1",
                "NIGHTSHIFT_MAX_REMEDIES: '-1' is not such a number; accepted: a whole number",
            ),
            (
                "NIGHTSHIFT_FREEZE",
                "2026-12-20/2026-12-19",
                "NIGHTSHIFT_FREEZE: '2026-12-20/2026-12-19' ends before it begins; accepted: FROM/TO, each a date",
            ),
            (
                "NIGHTSHIFT_HOLIDAYS",
                "2026-02-30",
                "NIGHTSHIFT_HOLIDAYS: '2026-02-30' is not a date; accepted: dates such",
            ),
            (
                "NIGHTSHIFT_KEEP_SHARED",
                "no",
                "NIGHTSHIFT_KEEP_SHARED: 'no' is neither (write false); accepted: true, false",
            ),
            (
                "NIGHTSHIFT_HOLIDAYS",
                "2026-12-25,2027-01-01",
                "NIGHTSHIFT_HOLIDAYS: '2026-12-25,2027-01-01' is not a date (separate dates by spaces, not by commas); accepted:",
            ),
            (
                "NIGHTSHIFT_COPY_REGIONS",
                "oregon",
                "NIGHTSHIFT_COPY_REGIONS: 'oregon' is not a region; accepted: regions",
            ),
            (
                "NIGHTSHIFT_COPY_REGIONS",
                "us-west-2=arn:aws:kms:eu-west-1:1:key/1",
                "NIGHTSHIFT_COPY_REGIONS: 'arn:aws:kms:eu-west-1:1:key/1' is not a KMS key of us-west-2; accepted: regions",
            ),
            ("NIGHTSHIFT_HOLIDAYS", "12-32", "NIGHTSHIFT_HOLIDAYS: '12-32' is not a date; accepted: dates such"),
            (
                "NIGHTSHIFT_SCHEDULES",
                "office=mon-fri 8-20",
                "NIGHTSHIFT_SCHEDULES: 'office' stands for 'mon-fri 8-20': no window '8-20'; accepted: times such",
            ),
            ("NIGHTSHIFT_ROUTINE", "weekly", "NIGHTSHIFT_ROUTINE: there is no 'weekly'; accepted: each, daily, none"),
            (
                "NIGHTSHIFT_RUNBOOK_BASE",
                "https://wiki.example/{resource}",
                "NIGHTSHIFT_RUNBOOK_BASE: 'https://wiki.example/{resource}' holds {resource}, which stands for nothing; \
                 accepted: an address such as https://wiki.example/runbooks,",
            ),
            ("NIGHTSHIFT_SLO", "999", "NIGHTSHIFT_SLO: '999' is not a percentage; accepted: 1 to 100, such as 99.9"),
            ("NIGHTSHIFT_NOW", "noon", "NIGHTSHIFT_NOW: 'noon' is not a moment; accepted: RFC 3339"),
            (
                "NIGHTSHIFT_DRYRUN",
                "true",
                "NIGHTSHIFT_DRYRUN: there is no such variable; accepted: NIGHTSHIFT_BACKUP_BUCKETS, NIGHTSHIFT_BACKUP_TARGETS,",
            ),
        ] {
            let refused = read(&[(variable, value)]).unwrap_err();
            assert!(refused.starts_with(error), "{refused}");
        }
    }
}
