//! For which moment a function is planned.
//!
//! By day a schedule has nothing to do and no snapshot is due, so what belongs to the night is planned for the night.

use jiff::civil::{Time, time};
use jiff::{ToSpan, Zoned};

/// When snapshots are taken, and what sleeps is asleep: the first run of the template's `SnapshotSchedule`.
const NIGHT: Time = time(3, 0, 0, 0);

/// When backups are pruned: the template's `PruneSchedule`.
const MORNING: Time = time(6, 30, 0, 0);

/// The moment for which a function of this name is planned.
pub fn of(function: &str, now: &Zoned) -> Zoned {
    match function {
        "copy-buckets" | "scale-staging" | "snapshot-databases" => next(NIGHT, now),
        "prune-backups" => next(MORNING, now),
        _ => now.clone(),
    }
}

/// The next time that clocks show `time`.
fn next(time: Time, now: &Zoned) -> Zoned {
    let today = now.with().time(time).build();
    let tomorrow = || now.checked_add(1.day())?.with().time(time).build();
    match today {
        Ok(today) if today > *now => today,
        _ => tomorrow().unwrap_or_else(|_| now.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_night_is_planned_for_the_coming_one() {
        for (function, now, expected) in [
            ("snapshot-databases", "2026-11-21T15:00:00+09:00[Asia/Seoul]", "2026-11-22T03:00:00+09:00[Asia/Seoul]"),
            ("snapshot-databases", "2026-11-21T02:00:00+09:00[Asia/Seoul]", "2026-11-21T03:00:00+09:00[Asia/Seoul]"),
            ("scale-staging", "2026-12-31T03:00:00+09:00[Asia/Seoul]", "2027-01-01T03:00:00+09:00[Asia/Seoul]"),
            ("prune-backups", "2026-11-21T03:00:00+00:00[UTC]", "2026-11-21T06:30:00+00:00[UTC]"),
            ("deploy-image", "2026-11-21T15:00:00+09:00[Asia/Seoul]", "2026-11-21T15:00:00+09:00[Asia/Seoul]"),
            // The night in which clocks are put forward has its three o'clock, too.
            ("scale-staging", "2026-03-28T12:00:00+01:00[Europe/Berlin]", "2026-03-29T03:00:00+02:00[Europe/Berlin]"),
        ] {
            assert_eq!(of(function, &now.parse().unwrap()), expected.parse::<Zoned>().unwrap(), "{function} {now}");
        }
    }
}
