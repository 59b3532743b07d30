//! How many errors stand in logs, as far as the shop counts them by metric filters.

use super::line::Lines;
use super::seen::Seen;

/// The most filters that one request asks about.
pub const MOST: usize = 100;

/// How many names stand in a line.
const NAMES: usize = 10;

/// A line, whatever the count is: what is too many is the matter of an alarm.
pub fn tell(seen: &Seen, lines: &mut Lines) {
    match &seen.errors {
        Some(Ok(counts)) if !counts.is_empty() => {
            let mut counts: Vec<&(String, f64)> = counts.iter().collect();
            counts.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let total: f64 = counts.iter().map(|it| it.1).sum();
            if total <= 0.0 {
                return lines.green(format!("no error in {} logs", counts.len()));
            }
            let shown = counts.iter().filter(|it| it.1 > 0.0).take(NAMES).map(|(name, it)| format!("{name} {it:.0}"));
            lines.news(format!("Errors in logs ({total:.0}): {}", shown.collect::<Vec<_>>().join(", ")));
        }
        Some(Err(why)) => {
            lines.red(format_args!("the errors in logs could not be counted: {why}"), seen.stack.own_log())
        }
        Some(Ok(_)) | None => {}
    }
}
