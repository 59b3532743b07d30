//! What runs, and what is rejected.

use board::Board;
use jiff::{Timestamp, Zoned};
use reconcile::when;
use rules::facts::{Fact, Image};

use super::line::Lines;

pub fn tell(board: &Board, (from, until): (Timestamp, Timestamp), now: &Zoned, lines: &mut Lines) {
    let images = board.facts("deploy-image").filter_map(|(_, fact)| match fact {
        Fact::Image(it) => Some(it),
        _ => None,
    });
    let images: Vec<&Image> = images.collect();
    let live: Vec<String> = images
        .iter()
        .filter_map(|it| {
            let since = it.since.filter(|it| from <= *it && *it < until)?;
            Some(format!("{} ({}, {})", it.service, it.running, when(since, now)))
        })
        .collect();
    if !live.is_empty() {
        lines.news(format!("Went live in this week ({}): {}", live.len(), live.join(", ")));
    }
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
