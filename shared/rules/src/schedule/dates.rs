//! Days of the month and months: `day=` and `month=`.

use jiff::civil::Date;

use super::days::Days;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The greatest day that a month ever has.
const LONGEST: [i8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// The last day of a month, whatever its number.
const LAST: u32 = 1;

/// Bits of days, from 1 on, and of months, January first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    days: u32,
    months: u16,
}

impl Dates {
    const ALL: Dates = Dates { days: u32::MAX, months: 0xFFF };

    /// Reads `1-5`, `1+15`, `25-5` or `last`.
    pub(super) fn of_days(text: &str) -> Option<Self> {
        let number = |it: &str| {
            let plain = it.len() <= 2 && it.bytes().all(|it| it.is_ascii_digit());
            it.parse::<u32>().ok().filter(|it| plain && (1..=31).contains(it))
        };
        let mut days = 0;
        for part in text.split('+') {
            if part == "last" {
                days |= LAST;
                continue;
            }
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            (0..=(last + 31 - first) % 31).for_each(|it| days |= 1 << ((first - 1 + it) % 31 + 1));
        }
        Some(Dates { days, ..Dates::ALL })
    }

    /// Reads `mar-nov`, `jan+jul` or `nov-mar`, in any case.
    pub(super) fn of_months(text: &str) -> Option<Self> {
        let named = |it: &str| MONTHS.iter().position(|name| name.eq_ignore_ascii_case(it));
        let mut months = 0;
        for part in text.split('+') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (named(first)?, named(last)?);
            (0..=(last + 12 - first) % 12).for_each(|it| months |= 1 << ((first + it) % 12));
        }
        Some(Dates { months, ..Dates::ALL })
    }

    pub(super) fn contain(&self, date: Date) -> bool {
        let is_last = date.day() == date.days_in_month();
        let day = self.days & (1 << date.day()) != 0 || is_last && self.days & LAST != 0;
        day && self.months & (1 << (date.month() - 1)) != 0
    }

    /// Whether this day of that month, counted from 0, is ever one of them.
    fn may_be(&self, month: usize, day: i8) -> bool {
        let may_be_last = day >= LONGEST[month].min(28);
        let named = self.days & (1 << day) != 0 || may_be_last && self.days & LAST != 0;
        named && self.months & (1 << month) != 0
    }
}

/// Whether there is ever a date among all of these on one of these days of the week.
pub(super) fn meet(dates: &[Dates], days: &Days) -> bool {
    let mut all = (0..12).flat_map(|month| (1..=LONGEST[month]).map(move |day| (month, day)));
    all.any(|(month, day)| days.can_be_on(day) && dates.iter().all(|it| it.may_be(month, day)))
}
