//! Days on which nothing starts: the stack's `Holidays`, and `skip=` of one schedule.

use std::str::FromStr;

use jiff::civil::Date;

/// What is accepted as one of them.
pub const DAYS: &str = "dates such as 2026-12-25, 12-25 for every year, or 2026-12-24..2027-01-02";

/// Any year with a 29 February, to read a day of the year.
const LEAP_YEAR: i16 = 2000;

/// Days on which no window starts.
///
/// ```
/// use rules::days_off::DaysOff;
///
/// let days: DaysOff = ["2026-12-24..2026-12-26", "01-01"].map(|it| it.parse().unwrap()).into_iter().collect();
/// let off = |it: &str| days.contains(it.parse().unwrap());
/// assert!(off("2026-12-26") && off("2027-01-01") && off("2031-01-01") && !off("2027-12-26"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DaysOff(Vec<DayOff>);

/// One day, or several in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayOff {
    /// From the first to the last, both included.
    Dates(Date, Date),
    /// The same in every year, as month and day; a range may run over new year.
    Yearly((i8, i8), (i8, i8)),
}

impl DaysOff {
    /// Whether nothing starts on `date`.
    pub fn contains(&self, date: Date) -> bool {
        self.0.iter().any(|it| it.contains(date))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These days, and the others as well.
    pub fn and(&self, others: &DaysOff) -> DaysOff {
        self.0.iter().chain(&others.0).copied().collect()
    }
}

impl FromIterator<DayOff> for DaysOff {
    fn from_iter<I: IntoIterator<Item = DayOff>>(days: I) -> Self {
        DaysOff(days.into_iter().collect())
    }
}

impl From<Date> for DayOff {
    fn from(date: Date) -> Self {
        DayOff::Dates(date, date)
    }
}

impl DayOff {
    fn contains(&self, date: Date) -> bool {
        match *self {
            DayOff::Dates(first, last) => first <= date && date <= last,
            DayOff::Yearly(first, last) => {
                let day = (date.month(), date.day());
                match first <= last {
                    true => first <= day && day <= last,
                    false => first <= day || day <= last,
                }
            }
        }
    }
}

impl FromStr for DayOff {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        match (yearly(first), yearly(last)) {
            (Some(first), Some(last)) => Ok(DayOff::Yearly(first, last)),
            _ => {
                let (first, last) = (date(first).ok_or(())?, date(last).ok_or(())?);
                if first <= last { Ok(DayOff::Dates(first, last)) } else { Err(()) }
            }
        }
    }
}

fn date(text: &str) -> Option<Date> {
    // Longer ones would be moments, which stand for their day nowhere else.
    text.parse().ok().filter(|_| text.len() == "2026-12-25".len())
}

fn yearly(text: &str) -> Option<(i8, i8)> {
    let plain = text.len() == "12-25".len();
    let date: Date = format!("{LEAP_YEAR}-{text}").parse().ok().filter(|_| plain)?;
    Some((date.month(), date.day()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contains(text: &str, date: &str) -> bool {
        text.parse::<DayOff>().unwrap().contains(date.parse().unwrap())
    }

    #[test]
    fn a_day_off_is_a_date_a_day_of_every_year_or_a_range_of_either() {
        for (text, date, expected) in [
            ("2026-12-25", "2026-12-25", true),
            ("2026-12-25", "2027-12-25", false),
            ("12-25", "2027-12-25", true),
            ("02-29", "2028-02-29", true),
            ("02-29", "2027-03-01", false),
            ("2026-12-24..2027-01-02", "2027-01-02", true),
            ("2026-12-24..2027-01-02", "2027-01-03", false),
            // Over new year, in every year.
            ("12-24..01-02", "2030-01-02", true),
            ("12-24..01-02", "2030-12-24", true),
            ("12-24..01-02", "2030-01-03", false),
            ("05-01..05-05", "2030-05-06", false),
        ] {
            assert_eq!(contains(text, date), expected, "{text} {date}");
        }
    }

    #[test]
    fn what_is_not_a_day_is_refused() {
        for text in [
            "",
            "christmas",
            "2026-02-30",
            "02-30",
            "13-01",
            "2027-01-02..2026-12-24",
            "2026-12-24..01-02",
            "2026-12-24T10:00",
            "2026-12-24..",
            "1-1",
        ] {
            assert_eq!(text.parse::<DayOff>(), Err(()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = text.parse::<DayOff>();
        }
    }
}
