//! The backups of each database and bucket, as a calendar of five weeks.

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

/// Who takes backups, and who tries to restore them: a database and a bucket may have the same name.
const TAKEN_AND_TRIED: [(&str, &str); 2] = [("snapshot-databases", "drill-restores"), ("copy-buckets", "copy-buckets")];

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
    rows.nothing = "No database and no bucket has a rule for its backups.";
    let due: BTreeSet<&str> = board.run("prune-backups").map(deleted).unwrap_or_default();
    for (takes, tries) in TAKEN_AND_TRIED {
        let drills: BTreeMap<&str, &Drill> = board
            .facts(tries)
            .filter_map(|(_, fact)| if let Fact::Drill(it) = fact { Some((it.database.as_str(), it)) } else { None })
            .collect();
        for (arn, fact) in board.facts(takes) {
            let Fact::Backup(it) = fact else { continue };
            let row = Row {
                it,
                is_bucket: takes == "copy-buckets",
                drill: drills.get(it.database.as_str()).copied(),
                is_old: it.age_hours.is_some_and(|it| it > A_NIGHT),
                due: &due,
                copies_due: copies_due(board, arn),
            };
            let failed = row.drill.is_some_and(|it| matches!(it.outcome.as_deref(), Some("failed" | "late")));
            rows.row(it.late || row.is_old || failed, row.html(view));
        }
    }
}

/// How many copies of a bucket go with the next run. Its steps name the bucket, and not each copy.
fn copies_due(board: &Board, bucket: &str) -> usize {
    let planned = board.run("copy-buckets").into_iter().flat_map(|it| &it.planned);
    planned.filter(|it| it.action == "delete-copy" && it.resource == bucket).count()
}

fn deleted(run: &crate::dry_run::DryRun) -> BTreeSet<&str> {
    run.planned.iter().filter(|it| it.action == "delete-snapshot").map(|it| short_name(&it.resource)).collect()
}

/// What is drawn of one database or bucket.
struct Row<'a> {
    it: &'a Backup,
    is_bucket: bool,
    drill: Option<&'a Drill>,
    is_old: bool,
    due: &'a BTreeSet<&'a str>,
    copies_due: usize,
}

impl Row<'_> {
    fn html(&self, view: &View<'_>) -> String {
        let it = self.it;
        let copies = match &it.copies {
            Some((region, Some(at))) => format!("; copied to {} up to {}", name(region), name(&view.when(*at))),
            Some((region, None)) => format!("; <span class=\"warn\">no copy in {} yet</span>", name(region)),
            None => String::new(),
        };
        let kind = if self.is_bucket { " <span class=\"dim\">bucket</span>" } else { "" };
        let drilled = self.drill.map(|it| drilled(it, view)).unwrap_or_default();
        // Of what can be restored to every moment there is no day to show.
        let (counted, calendar) = match it.continuous {
            true => (String::new(), String::new()),
            false => (format!("; {}", self.counted()), calendar(it, self.due, view)),
        };
        format!(
            "<div class=\"row\"><b>{}</b>{kind} {}{copies}{drilled}<br>\
             <span class=\"dim\">kept by {}{counted}</span>{calendar}</div>",
            name(&it.database),
            self.age(),
            name(&it.rule),
        )
    }

    fn age(&self) -> String {
        let newest = if self.is_bucket { "newest copy" } else { "newest backup" };
        match self.it.age_hours {
            Some(_) if self.it.continuous => "<span class=\"good\">every moment can be restored</span>".into(),
            None if self.it.continuous => "<span class=\"bad\">old versions are not all kept</span>".into(),
            Some(age) if self.it.late || self.is_old => format!("<span class=\"bad\">{newest} {age:.0} h old</span>"),
            Some(age) => format!("<span class=\"good\">{newest} {age:.0} h old</span>"),
            None if self.it.late => "<span class=\"bad\">no backup</span>".into(),
            None => "<span class=\"warn\">no backup yet</span>".into(),
        }
    }

    fn counted(&self) -> String {
        let count = |wanted: Cell| self.it.snapshots.iter().filter(|it| cell(it, self.due) == wanted).count();
        let kept = (count(Cell::Kept) + count(Cell::Proven)).saturating_sub(self.copies_due);
        let others = [
            (count(Cell::Proven), "proven"),
            (count(Cell::Due) + self.copies_due, "to be deleted"),
            (count(Cell::Failed), "failed"),
            (count(Cell::Pending), "being made"),
        ];
        let others = others.into_iter().filter(|(count, _)| *count > 0);
        let others: String = others.map(|(count, word)| format!(", {count} {word}")).collect();
        format!("{kept} kept of five weeks{others}")
    }
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
