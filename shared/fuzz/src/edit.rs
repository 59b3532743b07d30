//! Mistakes in a text.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// The longest input; tags have 256 characters and rules of alarms 10,240, so nothing that is read is longer by much.
pub const LONGEST: usize = 16 * 1024;

/// What parsers tend to trip over.
const PIECES: [&str; 56] = [
    "",
    " ",
    "\t",
    "\r\n",
    "\0",
    "\u{7f}",
    "\u{feff}",
    "\u{202e}",
    "\u{2028}",
    "é",
    "ß",
    "İ",
    "𝟙",
    "٣",
    "한글",
    "👩‍👩‍👧",
    "=",
    "==",
    ":",
    "::",
    "/",
    "//",
    "..",
    "...",
    ",",
    ";",
    "+",
    "-",
    "--",
    "@",
    "#",
    "%",
    "%%",
    "\"",
    "\\",
    "'",
    "(",
    ")",
    "<a>",
    "</a>",
    "<![CDATA[",
    "&amp;",
    "&#x110000;",
    "{}",
    "[]",
    "null",
    "0",
    "-0",
    "00",
    "9",
    "4294967296",
    "18446744073709551616",
    "-9223372036854775809",
    "1e309",
    "NaN",
    "9999-12-31T23:59:59Z",
];

/// Where sums leave their type or the calendar.
const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "-1",
    "59",
    "60",
    "65535",
    "2147483647",
    "-2147483648",
    "4294967295",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "340282366920938463463374607431768211455",
    "0.5",
];

/// One mistake. Where it is made is an index, which fits every text.
#[derive(Debug, Clone)]
pub enum Edit {
    Cut(Index, Index),
    Insert(Index, &'static str),
    Letter(Index, char),
    Repeat(Index, Index, u16),
    /// One of its numbers is another one.
    Number(Index, &'static str),
    /// The end of another sample is put there.
    Splice(Index, Index, Index),
}

/// A text, and how it came to be: the mistakes are what is made fewer of where one of them is at fault.
pub fn texts(samples: &[&str]) -> impl Strategy<Value = String> + use<> {
    let samples: Vec<String> = samples.iter().map(|it| (*it).to_owned()).collect();
    let edited = (any::<Index>(), vec(edits(), 0..6)).prop_map(move |(sample, edits)| {
        let mut text = sample.get(&samples).clone();
        edits.iter().for_each(|it| it.make(&mut text, &samples));
        text
    });
    prop_oneof![1 => any::<String>(), 12 => edited]
}

/// Some of these tags, with mistakes in about half of them.
pub fn tags(samples: &[(&'static str, &str)]) -> impl Strategy<Value = BTreeMap<String, String>> + use<> {
    let values: Vec<&str> = samples.iter().map(|(_, value)| *value).collect();
    let one = |(key, value): &(&'static str, &str)| {
        let right = Just((*value).to_owned());
        let wrong = prop_oneof![3 => texts(&[value]), 1 => texts(&values)];
        (Just(key.to_string()), prop::option::of(prop_oneof![1 => right, 1 => wrong]))
    };
    let all: Vec<_> = samples.iter().map(one).collect();
    // AWS stores no more.
    let fits = |it: String| it.chars().take(256).collect();
    all.prop_map(move |all| all.into_iter().filter_map(|(key, value)| Some((key, fits(value?)))).collect())
}

pub fn edits() -> impl Strategy<Value = Edit> {
    let times = prop_oneof![8 => 2..6_u16, 1 => 6..2_000_u16];
    prop_oneof![
        2 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Edit::Cut(from, to)),
        4 => (any::<Index>(), select(&PIECES[..])).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        2 => (any::<Index>(), any::<char>()).prop_map(|(at, letter)| Edit::Letter(at, letter)),
        2 => (any::<Index>(), any::<Index>(), times).prop_map(|(from, to, times)| Edit::Repeat(from, to, times)),
        4 => (any::<Index>(), select(&NUMBERS[..])).prop_map(|(which, number)| Edit::Number(which, number)),
        1 => any::<(Index, Index, Index)>().prop_map(|(sample, from, at)| Edit::Splice(sample, from, at)),
    ]
}

impl Edit {
    pub fn make(&self, text: &mut String, samples: &[String]) {
        match self {
            Edit::Cut(from, to) => {
                let (from, to) = range(text, from, to);
                text.replace_range(from..to, "");
            }
            Edit::Insert(at, piece) => text.insert_str(place(text, at), piece),
            Edit::Letter(at, letter) => text.insert(place(text, at), *letter),
            Edit::Repeat(from, to, times) => {
                let (from, to) = range(text, from, to);
                let most = LONGEST / (to - from).max(1);
                let repeated = text[from..to].repeat(usize::from(*times).min(most));
                text.replace_range(from..to, &repeated);
            }
            Edit::Number(which, number) => {
                let all = numbers(text);
                if !all.is_empty() {
                    text.replace_range(which.get(&all).clone(), number);
                }
            }
            Edit::Splice(sample, from, at) => {
                let other = if samples.is_empty() { "" } else { sample.get(samples).as_str() };
                let end = &other[place(other, from)..];
                text.insert_str(place(text, at), end);
            }
        }
        text.truncate(text.floor_char_boundary(LONGEST));
    }
}

fn place(text: &str, at: &Index) -> usize {
    text.floor_char_boundary(at.index(text.len() + 1))
}

fn range(text: &str, one: &Index, other: &Index) -> (usize, usize) {
    let (one, other) = (place(text, one), place(text, other));
    (one.min(other), one.max(other))
}

/// Where in `text` digits stand.
fn numbers(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, _) in text.bytes().enumerate().filter(|(_, it)| it.is_ascii_digit()) {
        match found.last_mut() {
            Some(last) if last.end == at => last.end += 1,
            _ => found.push(at..at + 1),
        }
    }
    found
}
