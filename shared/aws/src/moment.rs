//! The times of AWS.

use aws_smithy_types::DateTime;
use jiff::Timestamp;

/// A time of an SDK as one of jiff, to its full precision. Nothing for a time that no [`Timestamp`] can hold.
///
/// ```
/// let time = aws_sdk_ecs::primitives::DateTime::from_millis(1_800_000_000_250);
/// assert_eq!(aws::moment(&time).map(|it| it.to_string()).as_deref(), Some("2027-01-15T08:00:00.25Z"));
/// ```
pub fn moment(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), time.subsec_nanos() as i32).ok()
}
