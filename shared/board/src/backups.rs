//! The backups of each database, as a calendar of five weeks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;
use reconcile::message::short_name;
use rules::facts::{Backup, Drill, Fact, Snapshot, SnapshotState};

use crate::rows::Rows;
use crate::text::{name, sentence};
use crate::view::{Board, View};

/// How many days the calendar shows.
const DAYS: i32 = 35;

/// A backup that is older has missed a night.
const A_NIGHT: f64 = 26.0;

/// What stands in a cell of the calendar; of several snapshots of a day the first of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Failed,
    Proven,
    Kept,
    Due,
    Pending,
}

pub fn draw(board: &Board, view: &View<'_>, rows: &mut Rows) {
    rows.nothing = "No database has a rule for its backups.";
    let due: BTreeSet<&str> = board.run("prune-backups").map(deleted).unwrap_or_default();
    let drills: BTreeMap<&str, &Drill> = board
        .facts("drill-restores")
        .filter_map(|(_, fact)| if let Fact::Drill(it) = fact { Some((it.database.as_str(), it)) } else { None })
        .collect();
    for (_, fact) in board.facts("snapshot-databases") {
        let Fact::Backup(it) = fact else { continue };
        let drill = drills.get(it.database.as_str()).copied();
        let old = it.age_hours.is_some_and(|it| it > A_NIGHT);
        let failed = drill.is_some_and(|it| matches!(it.outcome.as_deref(), Some("failed" | "late")));
        rows.row(it.late || old || failed, row(it, drill, old, &due, view));
    }
}

fn deleted(run: &crate::dry_run::DryRun) -> BTreeSet<&str> {
    run.planned.iter().filter(|it| it.action == "delete-snapshot").map(|it| short_name(&it.resource)).collect()
}

fn row(it: &Backup, drill: Option<&Drill>, old: bool, due: &BTreeSet<&str>, view: &View<'_>) -> String {
    let age = match it.age_hours {
        Some(age) if it.late || old => format!("<span class=\"bad\">newest backup {age:.0} h old</span>"),
        Some(age) => format!("<span class=\"good\">newest backup {age:.0} h old</span>"),
        None => "<span class=\"warn\">no backup yet</span>".into(),
    };
    let copies = match &it.copies {
        Some((region, Some(at))) => format!("; copied to {} up to {}", name(region), name(&view.when(*at))),
        Some((region, None)) => format!("; <span class=\"warn\">no copy in {} yet</span>", name(region)),
        None => String::new(),
    };
    format!(
        "<div class=\"row\"><b>{}</b> {age}{copies}{}<br><span class=\"dim\">kept by {}; {}</span>{}</div>",
        name(&it.database),
        drill.map(|it| drilled(it, view)).unwrap_or_default(),
        name(&it.rule),
        counted(it, due),
        calendar(it, due, view)
    )
}

fn drilled(it: &Drill, view: &View<'_>) -> String {
    let Some(outcome) = &it.outcome else { return "; never restored on trial".into() };
    let class = if matches!(outcome.as_str(), "failed" | "late") { "bad" } else { "good" };
    let at = it.at.map(|it| format!(" {}", view.when(it))).unwrap_or_default();
    let took = it.took_minutes.map(|it| format!(", restored in {it} min")).unwrap_or_default();
    let data = it.data_hours.map(|it| format!(", data {it} h old")).unwrap_or_default();
    format!("; <span class=\"{class}\">drill {}{}{took}{data}</span>", name(outcome), name(&at))
}

fn cell(it: &Snapshot, due: &BTreeSet<&str>) -> Cell {
    match it.state {
        SnapshotState::Failed => Cell::Failed,
        SnapshotState::Pending => Cell::Pending,
        SnapshotState::Good if it.proven => Cell::Proven,
        SnapshotState::Good if due.contains(it.id.as_str()) => Cell::Due,
        SnapshotState::Good => Cell::Kept,
    }
}

fn counted(it: &Backup, due: &BTreeSet<&str>) -> String {
    let count = |wanted: Cell| it.snapshots.iter().filter(|it| cell(it, due) == wanted).count();
    let kept = count(Cell::Kept) + count(Cell::Proven);
    let others = [
        (Cell::Proven, "proven"),
        (Cell::Due, "to be deleted"),
        (Cell::Failed, "failed"),
        (Cell::Pending, "being made"),
    ];
    let others = others.into_iter().map(|(cell, word)| (count(cell), word)).filter(|(count, _)| *count > 0);
    let others: String = others.map(|(count, word)| format!(", {count} {word}")).collect();
    format!("{kept} kept of five weeks{others}")
}

/// A cell of ten units for each day, today at the right.
fn calendar(it: &Backup, due: &BTreeSet<&str>, view: &View<'_>) -> String {
    let today = view.now.date();
    let mut cells: BTreeMap<Date, Cell> = BTreeMap::new();
    for snapshot in &it.snapshots {
        let cell = cell(snapshot, due);
        cells.entry(view.day(snapshot.at)).and_modify(|it| *it = cell.min(*it)).or_insert(cell);
    }
    let mut paths: BTreeMap<&str, String> = BTreeMap::new();
    for back in 0..DAYS {
        let day = today.saturating_sub(back.days());
        let class = match cells.get(&day) {
            None => continue,
            Some(Cell::Failed) => "ko",
            Some(Cell::Proven) => "proof",
            Some(Cell::Kept) => "on",
            Some(Cell::Due) => "off",
            Some(Cell::Pending) => "wait",
        };
        let x = (DAYS - 1 - back) * 10;
        paths.entry(class).or_default().push_str(&format!("M{x} 0h8v10h-8z"));
    }
    let paths: String = paths.iter().map(|(class, path)| format!("<path class=\"{class}\" d=\"{path}\"/>")).collect();
    format!(
        "<svg viewBox=\"0 0 {} 10\" preserveAspectRatio=\"none\" role=\"img\"><title>{}</title>\
         <rect class=\"bg\" width=\"{0}\" height=\"10\"/>{paths}</svg>",
        DAYS * 10,
        sentence(&format!("{}: five weeks up to {today}", it.database))
    )
}
