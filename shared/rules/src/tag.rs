//! The one grammar of all tags: words, then `key=value` options, separated by spaces.
//!
//! `semver range=1.x approval=manual` has the word `semver` and the options `range` and `approval`.
//! Whatever is not understood is a [`BadTag`] that quotes it and lists what is accepted: never ignored.

use std::fmt;

/// The longest value that AWS stores.
pub const LONGEST: usize = 256;

/// A tag that cannot be understood.
///
/// `nightshift:deploy: unknown option 'aproval' in 'newest aproval=manual'; did you mean 'approval'? Accepted: …`
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {wrong} in '{value}'; {help}")]
pub struct BadTag {
    /// The tag's key.
    pub key: &'static str,
    /// The tag's whole value.
    pub value: String,
    /// What is wrong, with the word at fault in quotes.
    pub wrong: String,
    /// What is accepted instead.
    pub help: String,
}

impl BadTag {
    /// Names what was most likely meant, before what is accepted.
    pub(crate) fn suggest(&mut self, meant: &str) {
        if let Some(rest) = self.help.strip_prefix("accepted") {
            self.help = format!("did you mean '{meant}'? Accepted{rest}");
        }
    }
}

/// A tag's value, split into words and options and consumed piece by piece.
///
/// Whoever reads a tag takes what it knows; [`Reader::finish`] refuses what is left.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    key: &'static str,
    value: &'a str,
    words: std::collections::VecDeque<&'a str>,
    options: Vec<(&'a str, &'a str)>,
    known: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    /// Splits the value of the tag `key`.
    pub fn new(key: &'static str, value: &'a str) -> Result<Self, BadTag> {
        Self::repeating(key, value, "")
    }

    /// The same, where the option `repeated` may be there several times; [`Reader::all`] takes them.
    pub fn repeating(key: &'static str, value: &'a str, repeated: &str) -> Result<Self, BadTag> {
        let mut reader = Reader { key, value, words: Default::default(), options: Vec::new(), known: Vec::new() };
        if value.chars().count() > LONGEST {
            return Err(reader.bad("more than 256 characters", "at most 256"));
        }
        for piece in value.split_whitespace() {
            match piece.split_once('=') {
                None if reader.options.is_empty() => reader.words.push_back(piece),
                None => {
                    return Err(reader.bad(format!("the word '{piece}' after an option"), "words first, then options"));
                }
                Some((name, "")) => {
                    return Err(reader.bad(format!("the option '{name}' without a value"), "NAME=VALUE"));
                }
                Some((name, _)) if name != repeated && reader.options.iter().any(|(known, _)| *known == name) => {
                    return Err(reader.bad(format!("the option '{name}' twice"), "each option once"));
                }
                Some(option) => reader.options.push(option),
            }
        }
        Ok(reader)
    }

    /// The whole value.
    pub fn value(&self) -> &'a str {
        self.value
    }

    /// The next word, if there is one.
    pub fn word(&mut self) -> Option<&'a str> {
        self.words.pop_front()
    }

    /// The value of the option `name`, if it is there.
    pub fn option(&mut self, name: &'static str) -> Option<&'a str> {
        self.known.push(name);
        let at = self.options.iter().position(|(known, _)| *known == name)?;
        Some(self.options.remove(at).1)
    }

    /// The values of the option `name`, in their order.
    pub fn all(&mut self, name: &'static str) -> Vec<&'a str> {
        self.known.push(name);
        let (taken, left) = std::mem::take(&mut self.options).into_iter().partition(|(known, _)| *known == name);
        self.options = left;
        let taken: Vec<(&str, &str)> = taken;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    /// The value of the option `name`, read as a `T`.
    pub fn parsed<T: std::str::FromStr>(&mut self, name: &'static str, accepted: &str) -> Result<Option<T>, BadTag> {
        let Some(text) = self.option(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.bad_option(name, text, accepted))
    }

    /// Like [`Reader::parsed`], for an option that has to be there.
    pub fn required<T: std::str::FromStr>(&mut self, name: &'static str, accepted: &str) -> Result<T, BadTag> {
        self.parsed(name, accepted)?
            .ok_or_else(|| self.bad(format!("no option '{name}'"), format!("{name}={accepted}")))
    }

    /// Refuses what was not taken.
    pub fn finish(self) -> Result<(), BadTag> {
        if let Some(word) = self.words.front() {
            let accepted = match &self.known[..] {
                [] => "no word here".to_owned(),
                [option] => format!("no word here, but {option}=…"),
                known => format!("no word here, but the options {}", known.join(", ")),
            };
            return Err(self.bad(format!("unknown word '{word}'"), accepted));
        }
        if let Some((name, _)) = self.options.first() {
            let mut error = self.bad(format!("unknown option '{name}'"), self.known.join(", "));
            if let Some(meant) = closest(name, &self.known) {
                error.suggest(meant);
            }
            return Err(error);
        }
        Ok(())
    }

    /// An error about a word of the value, with a hint if an accepted word is spelt almost like it.
    pub fn bad_word(&self, word: &str, accepted: &[&'static str]) -> BadTag {
        let mut error = self.bad(format!("unknown word '{word}'"), accepted.join(", "));
        if let Some(meant) = closest(word, accepted) {
            error.suggest(meant);
        }
        error
    }

    /// An error about the value of an option.
    pub fn bad_option(&self, name: &str, value: &str, accepted: &str) -> BadTag {
        self.bad(format!("{name}={value} cannot be understood"), format!("{name}={accepted}"))
    }

    /// An error about the value as a whole.
    pub fn bad(&self, wrong: impl fmt::Display, accepted: impl fmt::Display) -> BadTag {
        BadTag {
            key: self.key,
            value: self.value.into(),
            wrong: wrong.to_string(),
            help: format!("accepted: {accepted}"),
        }
    }
}

/// The accepted word that `word` is most likely a slip of.
pub(crate) fn closest<'a>(word: &str, accepted: &[&'a str]) -> Option<&'a str> {
    let near = |it: &&&str| distance(word, it) <= it.len().div_ceil(4);
    accepted.iter().filter(near).min_by_key(|it| distance(word, it)).copied()
}

/// How many letters have to be changed, added or left out to make one word of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let kept = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = kept.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(value: &str) -> Result<(Vec<String>, Option<String>), String> {
        let read = || {
            let mut reader = Reader::new("nightshift:test", value)?;
            let words = reader.word().into_iter().map(str::to_owned).collect();
            let option = reader.option("container").map(str::to_owned);
            reader.finish().map(|()| (words, option))
        };
        read().map_err(|it: BadTag| it.to_string())
    }

    #[test]
    fn words_come_first_and_options_after_them() {
        assert_eq!(read(" newest   container=app "), Ok((vec!["newest".into()], Some("app".into()))));
        assert_eq!(read(""), Ok((vec![], None)));
        assert_eq!(read("container=a=b"), Ok((vec![], Some("a=b".into()))));
    }

    #[test]
    fn what_is_wrong_is_quoted_and_what_is_accepted_listed() {
        for (value, error) in [
            (
                "container=a b",
                "nightshift:test: the word 'b' after an option in 'container=a b'; accepted: words first, then options",
            ),
            (
                "container=",
                "nightshift:test: the option 'container' without a value in 'container='; accepted: NAME=VALUE",
            ),
            (
                "container=a container=b",
                "nightshift:test: the option 'container' twice in 'container=a container=b'; accepted: each option once",
            ),
            ("a b", "nightshift:test: unknown word 'b' in 'a b'; accepted: no word here, but container=…"),
            (
                "contianer=a",
                "nightshift:test: unknown option 'contianer' in 'contianer=a'; did you mean 'container'? Accepted: container",
            ),
            ("x=a", "nightshift:test: unknown option 'x' in 'x=a'; accepted: container"),
        ] {
            assert_eq!(read(value), Err(error.to_owned()));
        }
        assert!(read(&"x".repeat(257)).unwrap_err().contains("more than 256 characters"));
    }

    #[test]
    fn an_option_that_may_repeat_keeps_its_order_and_no_other_may() {
        let read = |value| {
            let mut reader = Reader::repeating("nightshift:test", value, "then")?;
            let all: Vec<String> = reader.all("then").into_iter().map(str::to_owned).collect();
            reader.option("container");
            reader.finish().map(|()| all)
        };
        assert_eq!(read("then=b container=x then=a"), Ok(vec!["b".to_owned(), "a".to_owned()]));
        assert_eq!(read("container=x"), Ok(vec![]));
        let error = read("then=a container=x container=y").unwrap_err().to_string();
        assert!(error.starts_with("nightshift:test: the option 'container' twice"), "{error}");
    }

    proptest! {
        #[test]
        fn no_value_makes_it_panic(value in any::<String>()) {
            let _ = read(&value);
        }

        #[test]
        fn the_distance_is_one_for_a_slip(word in "[a-z]{3,10}", at in 0..3usize) {
            let mut slip = word.clone();
            slip.remove(at);
            prop_assert_eq!(distance(&word, &slip), 1);
            prop_assert_eq!(distance(&word, &word), 0);
        }
    }
}
