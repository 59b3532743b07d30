//! Time zones as people name them: a place, so that the clock changes there are known.

use jiff::tz::TimeZone;

/// Names that the database of zones knows but that are not those of a place: `EST` has no summer time, and `Factory` and
/// `Etc/Unknown` stand for a zone that was never set.
const NOT_A_PLACE: [(&str, &str); 5] = [
    ("EST", "America/New_York"),
    ("MST", "America/Denver"),
    ("HST", "Pacific/Honolulu"),
    ("Factory", "UTC"),
    ("Etc/Unknown", "UTC"),
];

/// Abbreviations that people write, and the place that they most likely mean.
const ABBREVIATIONS: [(&str, &str); 36] = [
    ("ACST", "Australia/Adelaide"),
    ("AEDT", "Australia/Sydney"),
    ("AEST", "Australia/Sydney"),
    ("AKST", "America/Anchorage"),
    ("ART", "America/Argentina/Buenos_Aires"),
    ("AST", "America/Halifax"),
    ("AWST", "Australia/Perth"),
    ("BRT", "America/Sao_Paulo"),
    ("BST", "Europe/London"),
    ("CDT", "America/Chicago"),
    ("CEST", "Europe/Berlin"),
    ("CST", "America/Chicago"),
    ("EAT", "Africa/Nairobi"),
    ("EDT", "America/New_York"),
    ("EEST", "Europe/Athens"),
    ("GST", "Asia/Dubai"),
    ("HKT", "Asia/Hong_Kong"),
    ("ICT", "Asia/Bangkok"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("KST", "Asia/Seoul"),
    ("MDT", "America/Denver"),
    ("MSK", "Europe/Moscow"),
    ("MYT", "Asia/Kuala_Lumpur"),
    ("NZDT", "Pacific/Auckland"),
    ("NZST", "Pacific/Auckland"),
    ("PDT", "America/Los_Angeles"),
    ("PHT", "Asia/Manila"),
    ("PKT", "Asia/Karachi"),
    ("PST", "America/Los_Angeles"),
    ("PT", "America/Los_Angeles"),
    ("ET", "America/New_York"),
    ("SAST", "Africa/Johannesburg"),
    ("SGT", "Asia/Singapore"),
    ("TRT", "Europe/Istanbul"),
    ("WIB", "Asia/Jakarta"),
];

/// A name that is not that of a time zone, or of none that changes its clocks as a place does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is not a time zone{}", place.map(|it| format!(" (use {it})")).unwrap_or_default())]
pub struct NotAZone {
    /// The name at fault.
    pub name: String,
    /// The zone to name instead, if one can be guessed.
    pub place: Option<&'static str>,
}

/// The time zone of that IANA name, such as `Asia/Seoul` or `UTC`.
///
/// ```
/// use rules::zone;
///
/// assert!(zone::named("Asia/Seoul").is_ok());
/// assert_eq!(zone::named("KST").unwrap_err().to_string(), "'KST' is not a time zone (use Asia/Seoul)");
/// ```
pub fn named(name: &str) -> Result<TimeZone, NotAZone> {
    let listed = |list: &[(&'static str, &'static str)]| {
        list.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, place)| *place)
    };
    if let Some(place) = listed(&NOT_A_PLACE) {
        return Err(NotAZone { name: name.into(), place: Some(place) });
    }
    TimeZone::get(name).map_err(|_| NotAZone { name: name.into(), place: listed(&ABBREVIATIONS) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_accepted_whatever_its_letters() {
        for name in ["Asia/Seoul", "asia/seoul", "UTC", "Etc/UTC", "GMT", "Europe/Berlin", "America/Argentina/Ushuaia"]
        {
            assert!(named(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_is_not_a_place_is_refused_with_the_place_to_name() {
        for (name, place) in [
            ("EST", Some("America/New_York")),
            ("est", Some("America/New_York")),
            ("MST", Some("America/Denver")),
            ("HST", Some("Pacific/Honolulu")),
            ("Factory", Some("UTC")),
            ("Etc/Unknown", Some("UTC")),
            ("KST", Some("Asia/Seoul")),
            ("jst", Some("Asia/Tokyo")),
            ("Seoul", None),
            ("", None),
        ] {
            assert_eq!(named(name), Err(NotAZone { name: name.into(), place }));
        }
    }

    #[test]
    fn every_place_that_is_named_instead_is_one() {
        for (_, place) in NOT_A_PLACE.iter().chain(&ABBREVIATIONS) {
            assert!(named(place).is_ok(), "{place}");
        }
    }
}
