//! Backups and drills, database by database.

use board::Board;
use jiff::Zoned;
use reconcile::when;
use rules::facts::{Backup, Drill, Fact};

use super::line::Lines;

/// A backup that is older has missed a night.
const A_NIGHT: f64 = 26.0;

pub fn tell(board: &Board, now: &Zoned, lines: &mut Lines) {
    let mut well = Vec::new();
    for (_, fact) in board.facts("snapshot-databases") {
        let Fact::Backup(it) = fact else { continue };
        match it.late || it.age_hours.is_none_or(|it| it > A_NIGHT) {
            true => lines.red(backup(it, drill(board, &it.database), now)),
            false => well.push(backup(it, drill(board, &it.database), now)),
        }
    }
    if !well.is_empty() {
        lines.green(format!("backups of {} databases", well.len()));
    }
    well.into_iter().for_each(|it| lines.news(it));
}

/// What drills have measured: how long a restore takes, and how old the data is.
pub fn drills(board: &Board, now: &Zoned, lines: &mut Lines) {
    for (_, fact) in board.facts("drill-restores") {
        let Fact::Drill(it) = fact else { continue };
        let line = format!("{}: {}", it.database, drilled(it, now));
        match it.outcome.as_deref() {
            Some("failed" | "late") => lines.red(line),
            _ => lines.news(line),
        }
    }
}

fn drill<'a>(board: &'a Board, database: &str) -> Option<&'a Drill> {
    board.facts("drill-restores").find_map(|(_, fact)| match fact {
        Fact::Drill(it) if it.database == database => Some(it),
        _ => None,
    })
}

fn backup(it: &Backup, drill: Option<&Drill>, now: &Zoned) -> String {
    let age = it.age_hours.map_or_else(|| "no backup".into(), |it| format!("newest backup {it:.0} h old"));
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
