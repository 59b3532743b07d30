//! Days of the week, each of them or the first, second, … or last of a month.

use jiff::civil::Date;

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

const ORDINALS: [(&str, u8); 6] =
    [("first", 1), ("second", 1 << 1), ("third", 1 << 2), ("fourth", 1 << 3), ("fifth", 1 << 4), ("last", LAST)];

const EACH: u8 = 0b1_1111;

const LAST: u8 = 1 << 5;

/// For each day of the week, Monday first, which of a month are meant: a bit for the first to the fifth, and one for the
/// last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days([u8; 7]);

impl Days {
    /// Reads `mon`, `mon-fri`, `sat-mon`, `mon+wed`, `first-sat`, `sat#1` or `last-fri`, in lower case.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut days = [0; 7];
        for part in text.split('+') {
            if let Some((day, which)) = one_of_a_month(part) {
                days[day] |= which;
                continue;
            }
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (named(first)?, named(last)?);
            (0..=(last + 7 - first) % 7).for_each(|it| days[(first + it) % 7] |= EACH);
        }
        Some(Days(days))
    }

    pub(super) fn contain(&self, date: Date) -> bool {
        let which = self.0[date.weekday().to_monday_zero_offset() as usize];
        let is_last = date.day() + 7 > date.days_in_month();
        which & nth(date.day()) != 0 || is_last && which & LAST != 0
    }

    /// Whether they come every week.
    pub(super) fn are_weekly(&self) -> bool {
        self.0.iter().all(|it| *it == 0 || it & EACH == EACH)
    }

    /// Whether one of them can be on this day of some month.
    pub(super) fn can_be_on(&self, day: i8) -> bool {
        self.0.iter().any(|it| it & nth(day) != 0 || it & LAST != 0 && day > 21)
    }
}

/// The bit of the first week of a month, the second and so on.
fn nth(day: i8) -> u8 {
    1 << ((day - 1) / 7)
}

fn named(text: &str) -> Option<usize> {
    NAMES.iter().position(|it| *it == text)
}

/// `first-sat`, or `sat#1` where `#` may be written: not in the tags of ECS and RDS.
fn one_of_a_month(text: &str) -> Option<(usize, u8)> {
    if let Some((day, number)) = text.split_once('#') {
        let number: usize = number.parse().ok().filter(|it| (1..=5).contains(it))?;
        return Some((named(day)?, ORDINALS[number - 1].1));
    }
    let (ordinal, day) = text.split_once('-')?;
    let which = ORDINALS.iter().find(|(name, _)| *name == ordinal)?.1;
    Some((named(day)?, which))
}
