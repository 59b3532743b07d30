//! The words of code, comments, messages and pages: modern technical English that a person whose first language is
//! another understands at night.

use std::path::{Path, PathBuf};

use nightshift_tests::sources::{files, folders, read};

/// What we do not write, and what to write instead. Letters of either case; `*` stands for the rest of a word.
const WORDS: [(&str, &str); 16] = [
    ("heed*", "apply, follow"),
    ("wish*", "request, intent"),
    ("fate", "effect, outcome"),
    ("mend*", "fix, repair"),
    ("somebody", "a person"),
    ("be rid of", "remove"),
    ("what is ours", "what Nightshift made"),
    ("none of ours", "not Nightshift's"),
    ("bring", "deploy, restore, put"),
    ("brings", "deploys, restores, puts"),
    ("bringing", "deploying"),
    ("brought", "deployed, restored"),
    ("so many", "that many, the number of"),
    ("as good as", "the same as"),
    ("is no", "is not a"),
    ("is not to", "must not"),
];

/// Where one of them is right after all: the line holds this.
const RIGHT: [&str; 5] = ["there is no", "is no longer", "is no more", "there is none", "is not to be confused"];

/// The files that people read and that ship: sources without tests, pages, templates. The list above is spelled here,
/// and the changelog of a version stays as it was written.
fn shipped() -> Vec<PathBuf> {
    let crates =
        ["functions", "shared"].iter().flat_map(|kind| folders(kind).into_iter().map(move |it| format!("{kind}/{it}")));
    let sources = crates.filter(|it| it != "shared/testkit").flat_map(|it| files(&format!("{it}/src"), ".rs"));
    let no_tests = sources.filter(|it| !it.iter().any(|part| part == "tests" || part == "tests.rs"));
    let pages = ["deploy", "docs", "events", "functions"].iter().flat_map(|it| files(it, ".md"));
    let others = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "template.yaml"];
    let deployment = [".yaml", ".sh", ".tf"].iter().flat_map(|it| files("deploy", it));
    no_tests.chain(pages).chain(deployment).chain(others.iter().map(PathBuf::from)).collect()
}

/// The tests, the local AWS and the demo.
fn tests() -> Vec<PathBuf> {
    let kinds = ["functions", "shared"];
    let crates = kinds.iter().flat_map(|kind| folders(kind).into_iter().map(move |it| format!("{kind}/{it}")));
    let crates = crates.chain(["tests".to_owned()]);
    let all = crates.flat_map(|it| [".rs", ".py"].into_iter().flat_map(move |end| files(&it, end)));
    // It spells the words.
    all.filter(|it| !it.ends_with("tests/words.rs")).collect()
}

/// Whether the line holds the phrase, as whole words.
fn holds(line: &str, phrase: &str) -> bool {
    let (phrase, is_beginning) = phrase.strip_suffix('*').map_or((phrase, false), |it| (it, true));
    let line = line.to_lowercase();
    let is_letter = |it: Option<char>| it.is_some_and(|it| it.is_alphanumeric());
    line.match_indices(phrase).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + phrase.len()..].chars().next();
        !is_letter(before) && (is_beginning || !is_letter(after))
    })
}

/// The lines of a text with a word that we do not use: the number, the line, the word and what to write instead.
fn faults(text: &str) -> Vec<(usize, &str, &'static str, &'static str)> {
    let lines = text.lines().enumerate().filter(|(_, line)| !RIGHT.iter().any(|it| line.to_lowercase().contains(it)));
    lines
        .flat_map(|(index, line)| {
            let words = WORDS.iter().filter(move |(word, _)| holds(line, word));
            words.map(move |(word, instead)| (index + 1, line, *word, *instead))
        })
        .collect()
}

#[test]
fn no_word_is_used_that_a_reader_has_to_look_up() {
    let mut wrong = Vec::new();
    for file in shipped() {
        let text = read(&file);
        let shipped = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        wrong.extend(told(&file, shipped));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn tests_and_the_demo_use_the_same_words() {
    let files = tests();
    assert!(files.iter().any(|it| it.ends_with("local-aws/permissions.py")), "{files:?}");
    let wrong: Vec<String> = files.iter().flat_map(|it| told(it, &read(it))).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

fn told(file: &Path, text: &str) -> Vec<String> {
    let line = |(number, line, word, instead): (usize, &str, &str, &str)| {
        format!("{}:{number}: '{word}', write {instead}: {}", file.display(), line.trim())
    };
    faults(text).into_iter().map(line).collect()
}

#[test]
fn words_are_found_whole_and_in_any_case() {
    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        assert_eq!(faults(line).iter().map(|it| it.2).collect::<Vec<_>>(), expected, "{line}");
    }
    check("/// What others Wish of a service.", &["wish*"]);
    check("`heeded` it", &["heed*"]);
    check("fn mends(it: &Step)", &["mend*"]);
    check("recommended amendments, commend", &[]);
    check("'KST' is no time zone", &["is no"]);
    check("There is no container of that name; it is no longer there", &[]);
    check("that is nothing, and is not", &[]);
    check("brought back so many", &["brought", "so many"]);
    check("let x = wish_of(y);", &["wish*"]);
}
