//! The rule of a composite alarm, read to its end: which of its alarms make it true?
//!
//! `ALARM("a") AND NOT (OK(b) OR INSUFFICIENT_DATA(c))`, `AT_LEAST(50%, NOT OK, (a, b))`.
//! A rule that is not understood as a whole is not understood at all.

use std::collections::BTreeSet;

use super::world::State;

/// A rule, with every NOT moved to the alarm that it is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    Constant(bool),
    /// The alarm is in one of these states.
    Is {
        alarm: Reference,
        states: BTreeSet<Word>,
    },
    All(Vec<Rule>),
    Any(Vec<Rule>),
    /// At least this number of the alarms are in one of the states.
    AtLeast {
        count: usize,
        of: Vec<Rule>,
    },
}

/// How a rule names an alarm: by its name, or by its ARN.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    pub name: String,
    /// `arn:aws:cloudwatch:REGION:ACCOUNT`, where the rule has an ARN.
    pub origin: Option<String>,
}

/// A state, as rules spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    Alarm,
    Ok,
    InsufficientData,
}

const STATES: [(Word, &str); 3] =
    [(Word::Alarm, "ALARM"), (Word::Ok, "OK"), (Word::InsufficientData, "INSUFFICIENT_DATA")];

impl Rule {
    /// Reads a rule; the error is the place at which it is not understood.
    pub fn read(text: &str) -> Result<Rule, String> {
        let mut reader = Reader { rest: text.trim_start(), open: 0 };
        let rule = reader.any(false)?;
        match reader.rest {
            "" => Ok(rule),
            _ => Err(reader.here()),
        }
    }

    /// Every alarm that the rule names.
    pub fn references(&self) -> BTreeSet<&Reference> {
        match self {
            Rule::Constant(_) => BTreeSet::new(),
            Rule::Is { alarm, .. } => BTreeSet::from([alarm]),
            Rule::All(rules) | Rule::Any(rules) | Rule::AtLeast { of: rules, .. } => {
                rules.iter().flat_map(Rule::references).collect()
            }
        }
    }

    /// The alarms in ALARM that make the rule true, given the states of all; `None` if it is not true.
    ///
    /// An alarm that has to be OK, or that has to be in any state but one, is a circumstance and not a cause.
    pub fn causes(&self, state: &impl Fn(&Reference) -> State) -> Option<BTreeSet<&Reference>> {
        match self {
            Rule::Constant(value) => value.then(BTreeSet::new),
            Rule::Is { alarm, states } => {
                let state = match state(alarm) {
                    State::Alarm => Word::Alarm,
                    State::Ok => Word::Ok,
                    State::Unknown => Word::InsufficientData,
                };
                let cause = state == Word::Alarm && !states.contains(&Word::Ok);
                states.contains(&state).then(|| cause.then_some(alarm).into_iter().collect())
            }
            Rule::All(rules) => {
                let all: Option<Vec<_>> = rules.iter().map(|it| it.causes(state)).collect();
                Some(all?.into_iter().flatten().collect())
            }
            Rule::Any(rules) => {
                let true_ones: Vec<_> = rules.iter().filter_map(|it| it.causes(state)).collect();
                (!true_ones.is_empty()).then(|| true_ones.into_iter().flatten().collect())
            }
            Rule::AtLeast { count, of } => {
                let true_ones: Vec<_> = of.iter().filter_map(|it| it.causes(state)).collect();
                (true_ones.len() >= *count).then(|| true_ones.into_iter().flatten().collect())
            }
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    /// How many brackets are open.
    open: usize,
}

/// The most brackets inside each other. CloudWatch takes 10,240 characters, and that many brackets would use up the stack.
const DEEPEST: usize = 100;

impl<'a> Reader<'a> {
    /// `a OR b`; under a NOT it is `NOT a AND NOT b`.
    fn any(&mut self, not: bool) -> Result<Rule, String> {
        let mut rules = vec![self.all(not)?];
        while self.keyword("OR") {
            rules.push(self.all(not)?);
        }
        Ok(if not { joined(rules, Rule::All) } else { joined(rules, Rule::Any) })
    }

    fn all(&mut self, not: bool) -> Result<Rule, String> {
        let mut rules = vec![self.one(not)?];
        while self.keyword("AND") {
            rules.push(self.one(not)?);
        }
        Ok(if not { joined(rules, Rule::Any) } else { joined(rules, Rule::All) })
    }

    fn one(&mut self, not: bool) -> Result<Rule, String> {
        let mut not = not;
        while self.keyword("NOT") {
            not = !not;
        }
        if self.sign('(') {
            self.open += 1;
            if self.open > DEEPEST {
                return Err(format!("more than {DEEPEST} brackets inside each other"));
            }
            let rule = self.any(not)?;
            self.open -= 1;
            return self.expect(')').map(|()| rule);
        }
        for (word, value) in [("TRUE", true), ("FALSE", false)] {
            if self.keyword(word) {
                return Ok(Rule::Constant(value != not));
            }
        }
        if self.keyword("AT_LEAST") {
            return self.at_least(not);
        }
        let states = self.state(not).ok_or_else(|| self.here())?;
        self.expect('(')?;
        let alarm = self.reference()?;
        self.expect(')').map(|()| Rule::Is { alarm, states })
    }

    /// `AT_LEAST(2, ALARM, (a, b, c))`, `AT_LEAST(50%, NOT OK, (a, b))`.
    fn at_least(&mut self, not: bool) -> Result<Rule, String> {
        self.expect('(')?;
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: usize = self.rest[..digits].parse().map_err(|_| self.here())?;
        self.skip(digits);
        let percent = self.sign('%');
        self.expect(',')?;
        let turned = self.keyword("NOT");
        let states = self.state(turned).ok_or_else(|| self.here())?;
        self.expect(',')?;
        self.expect('(')?;
        let mut alarms = vec![self.reference()?];
        while self.sign(',') {
            alarms.push(self.reference()?);
        }
        self.expect(')')?;
        self.expect(')')?;
        let all = alarms.len();
        let count = if percent { number.saturating_mul(all).div_ceil(100) } else { number };
        // Fewer than that are in the states: at least all but one less of them are in the others.
        let (count, states) = if not { ((all + 1).saturating_sub(count), others(&states)) } else { (count, states) };
        let of = alarms.into_iter().map(|alarm| Rule::Is { alarm, states: states.clone() }).collect();
        Ok(Rule::AtLeast { count, of })
    }

    /// The states that `ALARM` stands for here.
    fn state(&mut self, not: bool) -> Option<BTreeSet<Word>> {
        let (word, _) = STATES.iter().find(|(_, name)| self.keyword(name))?;
        let states = BTreeSet::from([*word]);
        Some(if not { others(&states) } else { states })
    }

    /// `"a \"name\""`, `name` or an ARN. A name without quotes holds no space, bracket or comma.
    fn reference(&mut self) -> Result<Reference, String> {
        let text = if self.rest.starts_with('"') {
            self.quoted()?
        } else {
            let end = self.rest.find(|it: char| it.is_whitespace() || "(),\"".contains(it)).unwrap_or(self.rest.len());
            let text = self.rest[..end].to_owned();
            self.skip(end);
            text
        };
        match text.split_once(":alarm:") {
            _ if text.is_empty() => Err(self.here()),
            Some((origin, name)) if text.starts_with("arn:") && !name.is_empty() => {
                Ok(Reference { name: name.into(), origin: Some(origin.into()) })
            }
            _ => Ok(Reference { name: text, origin: None }),
        }
    }

    fn quoted(&mut self) -> Result<String, String> {
        let (mut text, mut escaped) = (String::new(), false);
        for (at, letter) in self.rest.char_indices().skip(1) {
            match letter {
                '\\' if !escaped => escaped = true,
                '"' if !escaped => {
                    self.skip(at + 1);
                    return Ok(text);
                }
                other => {
                    escaped = false;
                    text.push(other);
                }
            }
        }
        Err(self.here())
    }

    /// Takes a word that ends there: `ORDER` does not begin with the keyword `OR`.
    fn keyword(&mut self, word: &str) -> bool {
        let Some((head, tail)) = self.rest.split_at_checked(word.len()) else { return false };
        let ends = !tail.starts_with(|it: char| it.is_alphanumeric() || it == '_' || it == '-');
        let found = head.eq_ignore_ascii_case(word) && ends;
        if found {
            self.skip(word.len());
        }
        found
    }

    fn sign(&mut self, sign: char) -> bool {
        let found = self.rest.starts_with(sign);
        if found {
            self.skip(sign.len_utf8());
        }
        found
    }

    fn expect(&mut self, sign: char) -> Result<(), String> {
        if self.sign(sign) { Ok(()) } else { Err(self.here()) }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest[bytes..].trim_start();
    }

    fn here(&self) -> String {
        match self.rest {
            "" => "its end".into(),
            rest => format!("'{}'", rest.chars().take(40).collect::<String>()),
        }
    }
}

fn joined(mut rules: Vec<Rule>, join: impl Fn(Vec<Rule>) -> Rule) -> Rule {
    if rules.len() == 1 { rules.remove(0) } else { join(rules) }
}

fn others(states: &BTreeSet<Word>) -> BTreeSet<Word> {
    STATES.iter().map(|(word, _)| *word).filter(|it| !states.contains(it)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The causes of a rule where the alarms whose names begin with `a` are in ALARM, and those with `o` are OK.
    fn causes(rule: &str) -> Result<Option<Vec<String>>, String> {
        let state = |it: &Reference| match it.name.chars().next() {
            Some('a') => State::Alarm,
            Some('o') => State::Ok,
            _ => State::Unknown,
        };
        let rule = Rule::read(rule)?;
        let causes = rule.causes(&state);
        Ok(causes.map(|all| all.into_iter().map(|it| it.name.clone()).collect()))
    }

    #[test]
    fn the_causes_of_a_rule_are_the_alarms_in_alarm_that_make_it_true() {
        for (rule, expected) in [
            (r#"ALARM("a 5xx") OR ALARM(a-cpu)"#, Some(vec!["a 5xx", "a-cpu"])),
            (r#"ALARM( "a(b)" ) AND NOT ALARM(o)"#, Some(vec!["a(b)"])),
            (r#"ALARM("a \"quoted\" name")"#, Some(vec![r#"a "quoted" name"#])),
            ("(ALARM(arn:aws:cloudwatch:ap-northeast-2:1:alarm:a:y)) AND INSUFFICIENT_DATA(z)", Some(vec!["a:y"])),
            ("ALARM(a) AND ALARM(o) OR ALARM(a2)", Some(vec!["a2"])),
            ("alarm(a) and not ok(a2)", Some(vec!["a", "a2"])),
            ("NOT (NOT ALARM(a))", Some(vec!["a"])),
            ("NOT (OK(a) AND ALARM(o))", Some(vec!["a"])),
            // Whether it has data is only a circumstance.
            ("NOT INSUFFICIENT_DATA(a) AND OK(o)", Some(vec![])),
            ("ALARM(ORDER) OR ALARM(a_OR)", Some(vec!["a_OR"])),
            ("AT_LEAST(1, ALARM, (a, o))", Some(vec!["a"])),
            ("AT_LEAST(60%, ALARM, (a, a2, o))", Some(vec!["a", "a2"])),
            ("AT_LEAST(67%, ALARM, (a, a2, o))", None),
            ("NOT AT_LEAST(2, ALARM, (a, o, o2))", Some(vec![])),
            ("TRUE", Some(vec![])),
            ("FALSE", None),
            ("NOT FALSE AND ALARM(a)", Some(vec!["a"])),
        ] {
            let expected = expected.map(|all| all.into_iter().map(str::to_owned).collect());
            assert_eq!(causes(rule), Ok(expected), "{rule}");
        }
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_place() {
        for (rule, place) in [
            ("", "its end"),
            ("ALARM(", "its end"),
            ("ALARM(a b)", "'b)'"),
            ("ALARM(a) ALARM(o)", "'ALARM(o)'"),
            ("MAYBE(a)", "'MAYBE(a)'"),
            ("ALARM(\"a)", "'\"a)'"),
            ("(ALARM(a)", "its end"),
            ("AT_LEAST(x, ALARM, (a))", "'x, ALARM, (a))'"),
            ("AT_LEAST(1, ALARM, ())", "'))'"),
        ] {
            assert_eq!(causes(rule), Err(place.into()), "{rule}");
        }
    }

    proptest! {
        #[test]
        fn no_rule_makes_it_panic(rule in "[ALRMNOTSE_()\"%, a:0-9é]{0,60}") {
            let _ = causes(&rule);
        }

        #[test]
        fn what_is_not_true_has_no_causes_and_its_opposite_has(words in prop::collection::vec("(ALARM|OK)\\((a|o|z)\\)", 1..5)) {
            for join in [" AND ", " OR "] {
                let rule = words.join(join);
                let (plain, turned) = (causes(&rule).unwrap(), causes(&format!("NOT ({rule})")).unwrap());
                prop_assert!(plain.is_some() != turned.is_some(), "{}", rule);
            }
        }
    }
}
