//! Backups and drills, of each database and bucket.

use board::Board;
use jiff::Zoned;
use reconcile::when;
use rules::facts::{Backup, Drill, Fact};

use super::line::Lines;
use super::seen::Seen;

/// Who takes backups, who tries to restore them, and of what.
const TAKEN_AND_TRIED: [(&str, &str, &str); 2] =
    [("snapshot-databases", "drill-restores", "databases"), ("copy-buckets", "copy-buckets", "buckets")];

/// A backup that is older has missed a night.
const A_NIGHT: f64 = 26.0;

pub fn tell(seen: &Seen, now: &Zoned, lines: &mut Lines) {
    let board = &seen.board;
    for (takes, tries, of) in TAKEN_AND_TRIED {
        let mut well = Vec::new();
        for (arn, fact) in board.facts(takes) {
            let Fact::Backup(it) = fact else { continue };
            let line = backup(it, drill(board, tries, &it.database), now);
            match it.late || it.age_hours.is_none_or(|it| it > A_NIGHT) {
                true => lines.red(line, seen.stack.resource(arn, takes)),
                false => well.push(line),
            }
        }
        if !well.is_empty() {
            lines.green(format!("backups of {} {of}", well.len()));
        }
        well.into_iter().for_each(|it| lines.news(it));
    }
}

/// What drills have measured: how long a restore takes, and how old the data is.
pub fn drills(seen: &Seen, now: &Zoned, lines: &mut Lines) {
    for (_, tries, _) in TAKEN_AND_TRIED {
        for (arn, fact) in seen.board.facts(tries) {
            let Fact::Drill(it) = fact else { continue };
            let line = format!("{}: {}", it.database, drilled(it, now));
            match it.outcome.as_deref() {
                Some("failed" | "late") => lines.red(line, seen.stack.resource(arn, tries)),
                _ => lines.news(line),
            }
        }
    }
}

fn drill<'a>(board: &'a Board, tries: &str, database: &str) -> Option<&'a Drill> {
    board.facts(tries).find_map(|(_, fact)| match fact {
        Fact::Drill(it) if it.database == database => Some(it),
        _ => None,
    })
}

fn backup(it: &Backup, drill: Option<&Drill>, now: &Zoned) -> String {
    let age = match it.age_hours {
        Some(_) if it.continuous => "every moment can be restored".into(),
        None if it.continuous => "old versions are not all kept".into(),
        Some(age) => format!("newest backup {age:.0} h old"),
        None => "no backup".into(),
    };
    let copies = match &it.copies {
        Some((region, Some(at))) => format!(", copied to {region} up to {}", when(*at, now)),
        Some((region, None)) => format!(", no copy in {region}"),
        None => String::new(),
    };
    let drill = drill.map(|it| format!(", {}", drilled(it, now))).unwrap_or_default();
    format!("{}: {age}{copies}{drill}", it.database)
}

fn drilled(it: &Drill, now: &Zoned) -> String {
    let Some(outcome) = &it.outcome else { return "never restored on trial".into() };
    let at = it.at.map(|it| format!(" on {}", when(it, now))).unwrap_or_default();
    let took = it.took_minutes.map(|it| format!(", RTO {it} min")).unwrap_or_default();
    let data = it.data_hours.map(|it| format!(", RPO {it} h")).unwrap_or_default();
    format!("last drill {outcome}{at}{took}{data}")
}
