//! What was deployed, and what waits.

use board::Board;
use jiff::{SignedDuration, Timestamp, Zoned};
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
    let mut took: Vec<SignedDuration> = images
        .iter()
        .filter_map(|it| {
            let since = it.since.filter(|it| from <= *it && *it < until)?;
            Some(since.duration_since(it.pushed?)).filter(|it| !it.is_negative())
        })
        .collect();
    took.sort();
    if let Some(median) = took.get(took.len() / 2) {
        let waits = took.len();
        lines.news(format!("From push to live: {} in the middle of {waits}", span(*median)));
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

/// `14 min`, `26 h`, `3 days`.
fn span(it: SignedDuration) -> String {
    match (it.as_mins(), it.as_hours()) {
        (minutes, _) if minutes < 120 => format!("{minutes} min"),
        (_, hours) if hours < 48 => format!("{hours} h"),
        (_, hours) => format!("{} days", hours / 24),
    }
}
