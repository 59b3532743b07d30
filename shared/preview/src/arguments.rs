//! What `cargo preview` is asked for on the command line.

use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub const HELP: &str = "\
cargo preview [OPTIONS]    what Nightshift would do tonight in your account; changes nothing, deploys nothing

  --profile NAME           the profile of your AWS configuration (otherwise AWS_PROFILE, or the SDK's own search)
  --region NAME            the region to look at
  --time-zone NAME         the stack's time zone, such as Asia/Seoul (UTC if not given)
  --at MOMENT              plan all functions for this moment, such as 2026-11-21T03:10:00+09:00
  --holidays DATES         days on which no schedule window starts, such as '12-25 2027-01-01'
  --schedules SCHEDULES    schedules that tags name, such as 'office=mon-fri 08:00-20:00; demo=always'
  --copy-regions REGIONS   regions that snapshots may be copied to, separated by spaces
  --backup-buckets NAMES   buckets that may be copied, separated by spaces, with --backup-targets
  --backup-targets NAMES   buckets that copies may be written to
  --html FILE              write the same as one page, too
  --policy                 print the IAM policy that it needs, and end
  --help                   this text";

/// What to do.
#[derive(Debug, PartialEq)]
pub enum Command {
    Help,
    Policy,
    Look(Box<Options>),
}

/// How to look.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    pub profile: Option<String>,
    pub region: Option<String>,
    pub time_zone: TimeZone,
    /// Whether a person named the zone.
    pub zone_was_named: bool,
    pub at: Option<Timestamp>,
    pub holidays: String,
    pub schedules: String,
    pub copy_regions: String,
    /// Names or ARNs.
    pub backup_buckets: Vec<String>,
    pub backup_targets: Vec<String>,
    pub html: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            profile: None,
            region: None,
            time_zone: TimeZone::UTC,
            zone_was_named: false,
            at: None,
            holidays: String::new(),
            schedules: String::new(),
            copy_regions: String::new(),
            backup_buckets: Vec::new(),
            backup_targets: Vec::new(),
            html: None,
        }
    }
}

/// Reads the words after `cargo preview`; the error says which word is wrong.
pub fn read(words: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut words = words.into_iter();
    let mut options = Options::default();
    while let Some(word) = words.next() {
        let (name, inline) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        match name.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--policy" => return Ok(Command::Policy),
            _ => {}
        }
        let mut value = || {
            let value = inline.clone().or_else(|| words.next());
            value.filter(|it| !it.is_empty()).ok_or_else(|| format!("{name} needs a value"))
        };
        match name.as_str() {
            "--profile" => options.profile = Some(value()?),
            "--region" => options.region = Some(value()?),
            "--time-zone" => {
                let zone = rules::zone::named(&value()?);
                options.time_zone = zone.map_err(|it| format!("--time-zone: {it}; accepted: Asia/Seoul, UTC, …"))?;
                options.zone_was_named = true;
            }
            "--at" => {
                let moment = value()?;
                let wrong = |_| format!("--at: '{moment}' is not a moment; accepted: 2026-11-21T03:10:00+09:00");
                options.at = Some(moment.parse().map_err(wrong)?);
            }
            "--holidays" => options.holidays = value()?,
            "--schedules" => options.schedules = value()?,
            "--copy-regions" => options.copy_regions = value()?,
            "--backup-buckets" => options.backup_buckets = buckets(&name, &value()?)?,
            "--backup-targets" => options.backup_targets = buckets(&name, &value()?)?,
            "--html" => options.html = Some(value()?.into()),
            _ => return Err(format!("'{name}' is not an option of cargo preview")),
        }
    }
    if options.backup_buckets.is_empty() != options.backup_targets.is_empty() {
        return Err("--backup-buckets and --backup-targets need each other, as the parameters of the stack do".into());
    }
    Ok(Command::Look(Box::new(options)))
}

/// Names or ARNs of buckets.
fn buckets(option: &str, value: &str) -> Result<Vec<String>, String> {
    let bucket = |word: &str| {
        let name = word.rsplit_once(":::").map_or(word, |(_, name)| name);
        let sound = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-' || it == '.';
        match (3..=63).contains(&name.len()) && name.chars().all(sound) {
            true => Ok(word.to_owned()),
            false => Err(format!(
                "{option}: '{word}' is not a bucket; accepted: names such as kfood-uploads, or their ARNs, separated by spaces"
            )),
        }
    };
    value.split([' ', ',']).filter(|it| !it.is_empty()).map(bucket).collect()
}

/// The ARN of a bucket that is named by it or by its name.
pub fn bucket_arn(partition: &str, bucket: &str) -> String {
    match bucket.starts_with("arn:") {
        true => bucket.to_owned(),
        false => format!("arn:{partition}:s3:::{bucket}"),
    }
}

/// What the page says about the zone that it plans in.
pub fn about_zone(options: &Options) -> &'static str {
    match options.zone_was_named {
        true => "Schedules are read in this time zone.",
        false => "Schedules are read in UTC, since no --time-zone is given.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_line(line: &str) -> Result<Command, String> {
        read(line.split(' ').filter(|it| !it.is_empty()).map(str::to_owned))
    }

    #[test]
    fn without_a_word_it_looks_as_the_environment_says() {
        assert_eq!(read_line(""), Ok(Command::Look(Box::default())));
        assert_eq!(read_line("--policy"), Ok(Command::Policy));
        assert_eq!(read_line("--region eu-west-1 --help"), Ok(Command::Help));
    }

    #[test]
    fn options_take_their_value_after_a_space_or_an_equals_sign() {
        let expected = Options {
            profile: Some("shop".into()),
            region: Some("eu-west-1".into()),
            time_zone: TimeZone::get("Asia/Seoul").unwrap(),
            zone_was_named: true,
            at: Some("2026-11-20T18:10:00Z".parse().unwrap()),
            html: Some("p.html".into()),
            backup_buckets: vec!["kfood-uploads".into(), "arn:aws:s3:::kfood-logs".into()],
            backup_targets: vec!["kfood-backups".into()],
            ..Options::default()
        };
        for line in [
            "--backup-buckets kfood-uploads,arn:aws:s3:::kfood-logs --backup-targets kfood-backups --profile shop --region eu-west-1 --time-zone Asia/Seoul --at 2026-11-21T03:10:00+09:00 --html p.html",
            "--backup-targets=kfood-backups --backup-buckets=kfood-uploads,arn:aws:s3:::kfood-logs --profile=shop --region=eu-west-1 --time-zone=Asia/Seoul --at=2026-11-21T03:10:00+09:00 --html=p.html",
        ] {
            assert_eq!(read_line(line), Ok(Command::Look(Box::new(expected.clone()))));
        }
    }

    #[test]
    fn a_wrong_word_is_named_with_what_is_accepted() {
        for (line, error) in [
            ("--profil shop", "'--profil' is not an option of cargo preview"),
            ("--region", "--region needs a value"),
            ("--html=", "--html needs a value"),
            ("--time-zone KST", "--time-zone: 'KST' is not a time zone (use Asia/Seoul); accepted: Asia/Seoul, UTC, …"),
            (
                "--backup-buckets Shop --backup-targets b",
                "--backup-buckets: 'Shop' is not a bucket; accepted: names such as kfood-uploads, or their ARNs, separated \
                 by spaces",
            ),
            (
                "--backup-buckets kfood-uploads",
                "--backup-buckets and --backup-targets need each other, as the parameters of the stack do",
            ),
            ("--at noon", "--at: 'noon' is not a moment; accepted: 2026-11-21T03:10:00+09:00"),
        ] {
            assert_eq!(read_line(line), Err(error.to_owned()));
        }
    }
}
