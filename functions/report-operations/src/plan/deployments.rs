//! How many deployments there were, how they ended, and how long an image took from its push until it was live.

use jiff::SignedDuration;

use super::line::Lines;
use super::seen::Seen;
use super::world::{Deployment, Ended};

pub fn tell(seen: &Seen, lines: &mut Lines) {
    let Some(deployed) = &seen.weekly.deployed else { return };
    let (from, until) = seen.window;
    let mut unread: Vec<(&str, &str)> = Vec::new();
    let (mut count, mut of, mut stopped, mut under_way) = (0, 0, 0, 0);
    let mut taken_back: Vec<String> = Vec::new();
    for (service, history) in &deployed.services {
        let history = match history {
            Ok(history) => history,
            Err(why) => {
                unread.push((service, why));
                continue;
            }
        };
        let within: Vec<&Deployment> = history.iter().filter(|it| from <= it.at && it.at < until).collect();
        let ended = |end: Ended| within.iter().filter(|it| it.end == end).count();
        count += within.len();
        of += usize::from(!within.is_empty());
        stopped += ended(Ended::Stopped);
        under_way += ended(Ended::NotYet);
        match ended(Ended::TakenBack) {
            0 => {}
            failed => taken_back.push(format!("{service} {failed}")),
        }
    }
    if let Some((service, why)) = unread.first() {
        let more = if unread.len() > 1 { format!(" and {} more", unread.len() - 1) } else { String::new() };
        lines.red(format_args!("the deployments of {service}{more} could not be read: {why}"), seen.stack.own_log());
    }
    if let Some(why) = &deployed.unread {
        lines.red(format_args!("when images were pushed could not be read: {why}"), seen.stack.own_log());
    }
    if count > 0 {
        let failed = match taken_back.is_empty() {
            true => ", none failed".to_owned(),
            false => format!(", failed and taken back: {}", taken_back.join(", ")),
        };
        let others = [(stopped, "stopped or replaced by a newer one"), (under_way, "still under way")];
        let others = others.iter().filter(|it| it.0 > 0).map(|(count, what)| format!(", {count} {what}"));
        let others: String = others.collect();
        lines.news(format!("Deployments in this week, by whomever: {count} of {of} services{failed}{others}"));
    }
    let took = deployed.took(seen.window);
    if let Some(median) = took.get(took.len() / 2) {
        let images = if took.len() == 1 { "1 image".into() } else { format!("the median of {} images", took.len()) };
        lines.news(format!("From push to live: {}, {images}", span(*median)));
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
