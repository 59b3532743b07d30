//! A moment as people read it.

use jiff::{Timestamp, Zoned};

/// `moment` in the zone of `now`, which is named: `Mon 2026-11-23 09:00 KST`.
///
/// The weekday is there since schedules are written in weekdays, the zone since messages are read in several.
///
/// ```
/// let now: jiff::Zoned = "2026-11-21T03:10:00+09:00[Asia/Seoul]".parse().unwrap();
/// assert_eq!(reconcile::when("2026-11-23T00:00:00Z".parse().unwrap(), &now), "Mon 2026-11-23 09:00 KST");
/// ```
pub fn when(moment: Timestamp, now: &Zoned) -> String {
    moment.to_zoned(now.time_zone().clone()).strftime("%a %Y-%m-%d %H:%M %Z").to_string()
}
