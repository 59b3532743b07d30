//! The dry run of every function, in this process.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use board::{Board, DryRun};
use jiff::Zoned;
use reconcile::Report;

use crate::arguments::{Options, bucket_arn};
use crate::moments;
use crate::page::{Line, Section};
use crate::sts::Caller;

/// How many resources that are left alone for the same reason are named.
const NAMED: usize = 5;

/// What each function would do, in the order in which the README shows them, and the same for the board.
pub async fn runs(
    sdk: &SdkConfig,
    caller: &Caller,
    region: &str,
    options: &Options,
    now: &Zoned,
) -> (Vec<Section>, Board) {
    // enforce-budget learns from it whose budgets are meant; nothing is sent to it.
    let topic = format!("arn:{}:sns:{region}:{}:nightshift-budgets", caller.partition, caller.account);
    let arns = |names: &[String]| -> String {
        names.iter().map(|it| bucket_arn(&caller.partition, it)).collect::<Vec<_>>().join(" ")
    };
    let (sources, targets) = (arns(&options.backup_buckets), arns(&options.backup_targets));
    // A plan of copies names the role of their jobs, and no job is created here.
    let role = format!("arn:{}:iam::{}:role/nightshift-CopyJobRole", caller.partition, caller.account);
    let (mut sections, mut board) = (Vec::new(), Board::default());
    macro_rules! run {
        ($name:literal, $function:ident) => {
            let at = options.at.map_or_else(|| moments::of($name, now), |it| it.to_zoned(now.time_zone().clone()));
            let (moment, called) = (at.timestamp().to_string(), concat!("nightshift-", $name));
            let zone = now.time_zone().iana_name().unwrap_or("UTC");
            let variables = [
                ("AWS_LAMBDA_FUNCTION_NAME", called),
                ("NIGHTSHIFT_BACKUP_BUCKETS", sources.as_str()),
                ("NIGHTSHIFT_BACKUP_TARGETS", targets.as_str()),
                ("NIGHTSHIFT_BUDGET_TOPIC_ARN", topic.as_str()),
                ("NIGHTSHIFT_COPY_ROLE_ARN", role.as_str()),
                ("NIGHTSHIFT_DRILL_BUCKETS", "true"),
                ("NIGHTSHIFT_COPY_REGIONS", options.copy_regions.as_str()),
                ("NIGHTSHIFT_HOLIDAYS", options.holidays.as_str()),
                ("NIGHTSHIFT_NOW", moment.as_str()),
                ("NIGHTSHIFT_SCHEDULES", options.schedules.as_str()),
                ("NIGHTSHIFT_TIME_ZONE", zone),
            ];
            let report = runtime::dry_run($name, sdk, &variables, $function::Clients::new, $function::handle).await;
            board.runs.insert($name.into(), drawn(&report));
            sections.push(section($name, &at, report));
        };
    }
    run!("deploy-image", deploy_image);
    run!("deploy-compose", deploy_compose);
    run!("snapshot-databases", snapshot_databases);
    run!("drill-restores", drill_restores);
    run!("copy-buckets", copy_buckets);
    run!("prune-backups", prune_backups);
    run!("scale-staging", scale_staging);
    run!("enforce-budget", enforce_budget);
    run!("remediate-alarm", remediate_alarm);
    (sections, board)
}

/// A report as the board reads it, which in a stack comes from a Lambda.
fn drawn(report: &Result<Report, String>) -> Result<DryRun, String> {
    let report = report.as_ref().map_err(Clone::clone)?;
    DryRun::read(&serde_json::to_value(report).map_err(|err| err.to_string())?)
}

/// What a report says, as a part of the page.
fn section(function: &str, at: &Zoned, report: Result<Report, String>) -> Section {
    let mut section = Section::new(format!("{function}, {}", reconcile::when(at.timestamp(), at)));
    let lines = &mut section.lines;
    let report = match report {
        Ok(report) => report,
        Err(why) => {
            lines.push(Line::Problem { what: "could not look".into(), why });
            return section;
        }
    };
    lines.extend(report.refusal().map(|why| Line::Problem { what: "refused".into(), why: why.into() }));
    for action in &report.actions {
        lines.push(Line::Would { what: action.headline.clone(), why: action.reason.clone() });
    }
    // Tags that nothing reads have a part of the page of their own, with what carries them.
    for problem in report.problems.iter().filter(|it| it.problem != "unknown-tag") {
        let what = report.name_of(&problem.resource).to_owned();
        lines.push(Line::Problem { what, why: problem.message.clone() });
    }
    let mut left_alone: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for skipped in &report.skipped {
        left_alone.entry(&skipped.reason).or_default().push(report.name_of(&skipped.resource));
    }
    for (why, names) in left_alone {
        let more = names.len().saturating_sub(NAMED);
        let mut what = names[..names.len() - more].join(", ");
        if more > 0 {
            what += &format!(" and {more} more");
        }
        lines.push(Line::LeftAlone { what, why: why.into() });
    }
    if lines.is_empty() {
        lines.push(Line::Text("Nothing is tagged for it.".into()));
    }
    section
}

#[cfg(test)]
mod tests {
    use reconcile::{MessageKind, Problem, Skipped};

    use super::*;

    fn at() -> Zoned {
        "2026-11-22T03:00:00+09:00[Asia/Seoul]".parse().unwrap()
    }

    #[test]
    fn a_run_that_could_not_look_is_one_line() {
        let why = "GetResources nightshift:deploy: AccessDeniedException: no";
        let section = section("deploy-image", &at(), Err(why.into()));
        assert_eq!(section.heading, "deploy-image, Sun 2026-11-22 03:00 KST");
        assert_eq!(section.lines, [Line::Problem { what: "could not look".into(), why: why.into() }]);
    }

    #[test]
    fn the_board_reads_what_a_run_reports() {
        let mut report = Report { dry_run: true, ..Report::new("scale-staging", at()) };
        report.skipped.push(Skipped { resource: "arn:1".into(), reason: "asleep".into() });
        assert_eq!(drawn(&Ok(report)).unwrap().said_of("arn:1"), Some("asleep"));
        assert_eq!(drawn(&Err("denied".into())), Err("denied".into()));
    }

    #[test]
    fn what_is_left_alone_for_one_reason_is_one_line() {
        let skipped = |name: usize| Skipped { resource: format!("arn:…:snapshot:s{name}"), reason: "kept".into() };
        let mut report = Report::new("prune-backups", at());
        report.skipped = (1..=7).map(skipped).collect();
        report.problems.push(Problem {
            resource: "arn:…:db:shop".into(),
            problem: "bad-tag".into(),
            kind: MessageKind::NeedsYou,
            story: None,
            choices: Vec::new(),
            monthly: false,
            message: "unknown".into(),
        });
        let lines = section("prune-backups", &at(), Ok(report)).lines;
        assert_eq!(
            lines,
            [
                Line::Problem { what: "shop".into(), why: "unknown".into() },
                Line::LeftAlone { what: "s1, s2, s3, s4, s5 and 2 more".into(), why: "kept".into() },
            ]
        );
        let nothing = section("prune-backups", &at(), Ok(Report::new("prune-backups", at())));
        assert_eq!(nothing.lines, [Line::Text("Nothing is tagged for it.".into())]);
    }
}
