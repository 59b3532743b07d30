//! Bad input for parsers: samples with mistakes in them, and noise. For tests only.
//!
//! A parser is everything that reads text or JSON from outside: tags, events, answers, settings. It may refuse, but it
//! may neither panic nor allocate more than in proportion to what it was given. The number of allocations is limited as
//! well: it stands for the time, which a test cannot measure where other tests run beside it.
//!
//! ```
//! fuzz::texts(&["10:30", "08:00"], |text| {
//!     let _ = text.split_once(':').map(|(hours, minutes)| (hours.parse::<u8>(), minutes.parse::<u8>()));
//! });
//! ```
//!
//! `PROPTEST_CASES` says how many inputs each parser gets. With `NIGHTSHIFT_FUZZ_SECONDS` each gets inputs for that many
//! seconds of a processor, its slowest answer is printed, and one of more than [`LONGEST_ANSWER`] fails the test.

mod edit;
mod json;
pub mod samples;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRunner};
use serde_json::Value;

/// How much work there may be, whatever the input, and for each byte of it.
struct Limits {
    /// What is held at once.
    bytes: (u64, u64),
    allocations: (u64, u64),
}

/// An object of one field is five bytes of JSON, `{"":` and `}`, and 632 bytes once serde_json has read it.
const PARSER: Limits = Limits { bytes: (64 * 1024, 160), allocations: (2_000, 16) };

/// A plan looks at a whole world and writes sentences about it.
const PLAN: Limits = Limits { bytes: (1024 * 1024, 512), allocations: (20_000, 64) };

/// How often an answer is timed that was slow at first.
const TRIES: u32 = 8;

/// What a parser may take, in a build without optimizations.
pub const LONGEST_ANSWER: Duration = Duration::from_millis(10);

/// Gives `parse` the samples with mistakes in them, and noise.
#[track_caller]
pub fn texts(samples: &[&str], parse: impl Fn(&str)) {
    assert!(!samples.is_empty(), "without samples there is only noise");
    samples.iter().for_each(|it| parse(it));
    play(&PARSER, edit::texts(samples), String::len, |it| parse(it));
}

/// Gives `plan` sets of tags: each of `samples`, a key and a value that makes sense, is there or not, often with mistakes.
#[track_caller]
pub fn tags(samples: &[(&'static str, &str)], plan: impl Fn(&BTreeMap<String, String>)) {
    let length = |it: &BTreeMap<String, String>| it.iter().map(|(key, value)| key.len() + value.len()).sum();
    play(&PLAN, edit::tags(samples), length, plan);
}

/// Gives `parse` the JSON samples with mistakes in them: in their structure, and in what is written in them.
#[track_caller]
pub fn values(samples: &[Value], parse: impl Fn(&Value)) {
    assert!(!samples.is_empty(), "without samples there is only noise");
    samples.iter().for_each(&parse);
    play(&PARSER, json::values(samples), |it| it.to_string().len(), parse);
}

/// Gives `parse` the samples of `events/` with mistakes in them, as `function` would get them: mostly its own, and those of
/// the others too, since a rule of EventBridge can be wrong.
#[track_caller]
pub fn events(function: &str, parse: impl Fn(Value)) {
    let (own, others): (Vec<_>, Vec<_>) = event_samples().into_iter().partition(|(of, _)| of == function);
    assert!(!own.is_empty(), "there are no events of {function}");
    let mostly = own.iter().cycle().take(others.len().max(own.len()) * 2);
    let samples: Vec<Value> = mostly.chain(&others).map(|(_, it)| it.clone()).collect();
    values(&samples, |it| parse(it.clone()));
}

/// Every payload of `events/`, with the function that it is for.
pub fn event_samples() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let mut samples = Vec::new();
    for folder in entries(&root).into_iter().filter(|it| it.is_dir()) {
        let function = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for file in entries(&folder) {
            let text = std::fs::read_to_string(&file).unwrap_or_else(|err| panic!("{}: {err}", file.display()));
            let payload = serde_json::from_str(&text).unwrap_or_else(|err| panic!("{}: {err}", file.display()));
            samples.push((function.clone(), payload));
        }
    }
    samples
}

/// The texts of the fields of this name, wherever in `events/` they stand.
pub fn texts_of_events(field: &str) -> Vec<String> {
    fn collect(value: &Value, field: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get(field).and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|it| collect(it, field, found));
            }
            Value::Array(items) => items.iter().for_each(|it| collect(it, field, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    event_samples().iter().for_each(|(_, it)| collect(it, field, &mut found));
    assert!(!found.is_empty(), "no event has a field {field}");
    found
}

/// What a parser gave, so that nothing of it is left out as of no use.
pub fn used<T>(it: T) {
    std::hint::black_box(it);
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = std::fs::read_dir(folder).unwrap_or_else(|err| panic!("{}: {err}", folder.display()));
    let mut entries: Vec<PathBuf> = read.flatten().map(|it| it.path()).collect();
    entries.sort();
    entries
}

#[track_caller]
fn play<T: std::fmt::Debug>(
    limits: &Limits,
    cases: impl Strategy<Value = T>,
    length: impl Fn(&T) -> usize,
    parse: impl Fn(&T),
) {
    let seconds = seconds();
    let (watch, mut answers, mut slowest) = (Watch::start(), 0_u64, Duration::ZERO);
    loop {
        // A runner counts over all of its runs, and one that has had its cases gives no more.
        let mut runner = TestRunner::new(config());
        let timed = std::cell::RefCell::new((0_u64, Duration::ZERO));
        let result = runner.run(&cases, |input| {
            measured(limits, &input, length(&input), &parse)?;
            if seconds.is_some() {
                let took = took(&input, &parse);
                let mut timed = timed.borrow_mut();
                *timed = (timed.0 + 1, timed.1.max(took));
                // JSON with many copies in it can be longer than any text.
                if took > LONGEST_ANSWER * (1 + length(&input) / edit::LONGEST) as u32 {
                    return Err(TestCaseError::fail(format!("an answer took {took:?}")));
                }
            }
            Ok(())
        });
        if let Err(wrong) = result {
            panic!("{wrong}");
        }
        let (more, longest) = timed.into_inner();
        (answers, slowest) = (answers + more, slowest.max(longest));
        if seconds.is_none_or(|it| watch.worked() >= it) {
            break;
        }
    }
    if seconds.is_some() {
        let of = std::thread::current();
        let worked = watch.worked().as_secs();
        println!("{}: {answers} answers in {worked} s, the slowest took {slowest:?}", of.name().unwrap_or_default());
    }
}

/// ChaCha, which proptest uses by itself, is copied before each case: in a build without optimizations that takes longer
/// than most parsers do.
fn config() -> Config {
    Config { failure_persistence: None, rng_algorithm: RngAlgorithm::XorShift, ..Config::default() }
}

/// For how long each parser gets inputs, if that is said.
#[expect(clippy::disallowed_methods, reason = "a function is not set by how long its tests run")]
fn seconds() -> Option<Duration> {
    let seconds = std::env::var("NIGHTSHIFT_FUZZ_SECONDS").ok()?;
    Some(Duration::from_secs(seconds.parse().expect("NIGHTSHIFT_FUZZ_SECONDS is a whole number")))
}

/// Knows how long this thread had a processor: what else the machine does must not make the search shorter.
struct Watch {
    begun: Instant,
    worked: Option<Duration>,
}

impl Watch {
    fn start() -> Self {
        Watch { begun: Instant::now(), worked: Watch::of_thread() }
    }

    fn worked(&self) -> Duration {
        let worked = || Watch::of_thread()?.checked_sub(self.worked?);
        worked().unwrap_or_else(|| self.begun.elapsed())
    }

    /// What Linux says; elsewhere the wall clock has to do.
    fn of_thread() -> Option<Duration> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
    }
}

fn measured<T>(limits: &Limits, input: &T, length: usize, parse: &impl Fn(&T)) -> Result<(), TestCaseError> {
    let mut panicked = None;
    let used = allocation_counter::measure(|| {
        // Unwound through the counter, it would go on counting one level deeper.
        panicked = catch_unwind(AssertUnwindSafe(|| parse(input))).err();
    });
    if let Some(panicked) = panicked {
        resume_unwind(panicked);
    }
    let most = |(base, per_byte): (u64, u64)| base + per_byte * length as u64;
    if used.bytes_max > most(limits.bytes) {
        return Err(TestCaseError::fail(format!("{} bytes at once for {length} bytes of input", used.bytes_max)));
    }
    if used.count_total > most(limits.allocations) {
        return Err(TestCaseError::fail(format!("{} allocations for {length} bytes of input", used.count_total)));
    }
    Ok(())
}

/// Some more tries where the first one was slow, since what else the machine does is not the parser's fault: the best of
/// them, or what they took of a processor on average. Linux counts that in steps of milliseconds, hence over all of them.
fn took<T>(input: &T, parse: &impl Fn(&T)) -> Duration {
    let once = || {
        let begun = Instant::now();
        parse(input);
        begun.elapsed()
    };
    let first = once();
    if first <= LONGEST_ANSWER {
        return first;
    }
    let watch = Watch::start();
    let best = (0..TRIES).map(|_| once()).min().unwrap_or(first);
    best.min(watch.worked() / TRIES)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fails(play: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let panicked = catch_unwind(play).expect_err("it is noticed");
        panicked.downcast_ref::<String>().cloned().unwrap_or_default()
    }

    #[test]
    fn a_panic_an_excess_and_too_many_allocations_are_noticed() {
        let panics = fails(|| texts(&["08:00-20:00"], |it| assert!(it.len() < 20 || !it.contains('-'))));
        assert!(panics.contains("it.len() < 20"), "{panics}");
        let much = fails(|| texts(&["8"], |it| drop(vec![0_u8; if it.len() > 5 { 1 << 20 } else { 0 }])));
        assert!(much.contains("bytes at once for"), "{much}");
        let often = fails(|| texts(&["8"], |it| (0..if it.len() > 5 { 9_000 } else { 0 }).for_each(|_| drop(vec![0]))));
        assert!(often.contains("allocations for"), "{often}");
    }

    #[test]
    fn a_parser_without_faults_passes_however_often_it_panics_inside() {
        values(&[json!({"a": [1, "x"]})], |it| drop(it.to_string()));
        texts(&["a"], |it| drop(it.to_owned()));
    }

    #[test]
    fn mistakes_reach_into_texts_and_into_the_structure() {
        let panics = fails(|| values(&[json!({"a": [{"b": "x"}]})], |it| assert!(it["a"][0]["b"].as_str().is_some())));
        assert!(panics.contains("is_some"), "{panics}");
        let panics = fails(|| values(&[json!({"a": "x"})], |it| assert!(it["a"].as_str().is_none_or(|it| it == "x"))));
        assert!(panics.contains("is_none_or"), "{panics}");
        assert!(texts_of_events("alarmName").len() > 1);
    }
}
