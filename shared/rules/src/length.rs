//! A length of time as people write it in a tag, in whole minutes: `90m`, `24h`, `7d`.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;

/// One of `LEAST` to `MOST` minutes. Days are written only where a tag speaks of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length<const LEAST: i64, const MOST: i64, const DAYS: bool = false>(pub SignedDuration);

impl<const LEAST: i64, const MOST: i64, const DAYS: bool> FromStr for Length<LEAST, MOST, DAYS> {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(())?;
        // `parse` takes a sign as well.
        let plain = !number.is_empty() && number.len() <= 6 && number.bytes().all(|it| it.is_ascii_digit());
        let number: i64 = if plain { number.parse().map_err(drop)? } else { return Err(()) };
        let minutes = match unit {
            "m" => number,
            "h" => number * 60,
            "d" if DAYS => number * 24 * 60,
            _ => return Err(()),
        };
        (LEAST..=MOST).contains(&minutes).then(|| Length(SignedDuration::from_mins(minutes))).ok_or(())
    }
}

impl<const LEAST: i64, const MOST: i64, const DAYS: bool> fmt::Display for Length<LEAST, MOST, DAYS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&in_minutes(self.0))
    }
}

/// A length of time in the spelling of a tag: `15m`, `2h`.
pub fn in_minutes(time: SignedDuration) -> String {
    match time.as_mins() {
        minutes if minutes % 60 == 0 => format!("{}h", minutes / 60),
        minutes => format!("{minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_read_within_its_limits_and_written_as_it_is_read() {
        #[track_caller]
        fn check<const DAYS: bool>(text: &str, expected: Option<&str>) {
            let read = text.parse::<Length<1, 2_880, DAYS>>();
            assert_eq!(read.ok().map(|it| it.to_string()).as_deref(), expected, "{text}");
        }
        for (text, expected) in
            [("1m", Some("1m")), ("90m", Some("90m")), ("120m", Some("2h")), ("48h", Some("48h")), ("0m", None)]
        {
            check::<false>(text, expected);
        }
        for text in ["", "m", "5", "49h", "-1h", "+1h", "1.5h", "1 h", "1d", "9999999m", "1\u{445}", "\u{661}h"] {
            check::<false>(text, None);
        }
        check::<true>("2d", Some("48h"));
        check::<true>("3d", None);
    }
}
