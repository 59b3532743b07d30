//! The times of AWS.

use aws_smithy_types::DateTime;
use jiff::Timestamp;
use serde_json::Value;

/// A time of an SDK as one of jiff, to its full precision. Nothing for a time that no [`Timestamp`] can hold.
///
/// ```
/// let time = aws_sdk_ecs::primitives::DateTime::from_millis(1_800_000_000_250);
/// assert_eq!(aws::moment(&time).map(|it| it.to_string()).as_deref(), Some("2027-01-15T08:00:00.25Z"));
/// ```
pub fn moment(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), time.subsec_nanos() as i32).ok()
}

/// A time as AWS writes it in JSON, seconds since 1970 with a fraction, to the microsecond: a number of JSON holds no more
/// of it.
///
/// ```
/// let time = serde_json::json!(1_800_000_000.25);
/// assert_eq!(aws::seconds(&time).map(|it| it.to_string()).as_deref(), Some("2027-01-15T08:00:00.25Z"));
/// ```
pub fn seconds(time: &Value) -> Option<Timestamp> {
    Timestamp::from_microsecond((time.as_f64()? * 1e6).round() as i64).ok()
}
