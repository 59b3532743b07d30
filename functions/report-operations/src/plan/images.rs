//! What runs, and what is rejected.

use board::Board;
use jiff::{Timestamp, Zoned};
use reconcile::when;
use rules::facts::{Fact, Image};

use super::line::Lines;

fn images(board: &Board) -> Vec<&Image> {
    let images = board.facts("deploy-image").filter_map(|(_, fact)| match fact {
        Fact::Image(it) => Some(it),
        _ => None,
    });
    images.collect()
}

/// Which images went live in the time; `span` is `day`. That they did is not a message of its own where this report is
/// sent, so each is named.
pub fn went_live(board: &Board, (from, until): (Timestamp, Timestamp), span: &str, now: &Zoned, lines: &mut Lines) {
    let live = images(board).into_iter().filter(|it| !it.deploying).filter_map(|it| {
        let since = it.since.filter(|it| from <= *it && *it < until)?;
        Some(format!("{} ({}, {})", it.service, it.running, when(since, now)))
    });
    let live: Vec<String> = live.collect();
    if !live.is_empty() {
        lines.news(format!("Went live in this {span} ({}): {}", live.len(), live.join(", ")));
    }
}

pub fn tell(board: &Board, window: (Timestamp, Timestamp), now: &Zoned, lines: &mut Lines) {
    went_live(board, window, "week", now, lines);
    let images = images(board);
    let failed = images.iter().filter(|it| !it.rejected.is_empty()).map(|it| it.rejected.len()).sum::<usize>();
    let rejected: Vec<String> = images
        .iter()
        .filter(|it| !it.rejected.is_empty())
        .map(|it| format!("{} ({})", it.service, it.rejected.join(", ")))
        .collect();
    if !rejected.is_empty() {
        lines.news(format!("Images that are rejected ({failed}): {}", rejected.join("; ")));
    }
    let current = images.iter().filter(|it| it.next.is_none() && !it.deploying).count();
    if current > 0 {
        lines.green(format!("{current} services run the image of their rule"));
    }
}
