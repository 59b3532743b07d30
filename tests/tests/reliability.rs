//! A selection of `cargo reliability`: the functions converge after it, and one that is broken on purpose is noticed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn reliability(arguments: &[&str]) -> (Option<i32>, String) {
    let mut reliability = Command::new(env!("CARGO_BIN_EXE_reliability"));
    let Output { status, stdout, stderr } =
        reliability.args(arguments).stdin(Stdio::null()).output().expect("the program starts");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

/// Each is drawn for each story, however few plays there are.
const DISTURBANCES: &[&str] = &[
    "answer lost",
    "crossed",
    "denied",
    "error 500",
    "five at once",
    "killed after",
    "killed before",
    "same between",
    "stale read",
    "stalled",
    "sweep between",
    "throttled 30 s",
    "throttled once",
    "truncated",
    "two at once",
];

#[test]
fn after_any_disturbance_the_next_runs_come_to_the_same_end() {
    let (code, said) = reliability(&["--every", "1000"]);
    assert_eq!(code, Some(0), "{said}");
    let rows = |of: &str| -> Vec<Vec<String>> {
        let table = said.lines().skip_while(|it| !it.starts_with(of)).skip(2).take_while(|it| it.starts_with('|'));
        table.map(|it| it.trim_matches('|').split('|').map(|it| it.trim().to_owned()).collect()).collect()
    };
    let (stories, disturbances) = (rows("| story |"), rows("| disturbance |"));
    assert_eq!(disturbances.len(), DISTURBANCES.len(), "{said}");
    for kind in DISTURBANCES {
        let plays = disturbances.iter().find(|it| it[0] == *kind).map(|it| it[1].parse::<usize>());
        // A story in which nothing is read after a change has no stale read, one without a sweep no sweep between, and one
        // whose runs change nothing none that cross.
        let least = if ["crossed", "stale read", "sweep between"].contains(kind) { 5 } else { stories.len() };
        assert!(plays.is_some_and(|it| it.is_ok_and(|it| it >= least)), "{kind}: {said}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions");
    let entries = fs::read_dir(folder).expect("the functions are there").flatten();
    for function in entries.filter(|it| it.path().is_dir()) {
        let function = function.file_name().to_string_lossy().into_owned();
        let has_story = stories.iter().any(|it| it[1].contains(&format!("`{function}`")));
        assert!(has_story, "{function} has no story in tests/reliability/stories.py");
    }
}

/// A tenth of it, of which a run can do half.
#[test]
fn what_is_too_much_for_one_run_is_done_by_the_next_within_the_deadline_and_the_memory() {
    let (code, said) = reliability(&["--load", "--part", "10"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.lines().filter(|it| it.contains(" MiB | ")).count(), 4, "{said}");
}

/// The limits of a service are remembered before they are lowered: the other order forgets them when a run dies in between.
#[test]
fn functions_that_write_their_memory_after_the_change_are_noticed() {
    let (code, said) = reliability(&["--memory-last", "--story", "an evening and a morning", "--kind", "killed after"]);
    assert_eq!(code, Some(1), "{said}");
    let row = "application-autoscaling:RegisterScalableTarget killed after\n  lost: target service/codemate-dev/codemate-backend";
    assert!(said.contains(row), "{said}");
}

#[test]
fn a_wrong_command_line_is_refused_with_what_is_accepted() {
    let (code, said) = reliability(&["--every", "none"]);
    assert_eq!((code, said.trim()), (Some(2), "--every none: expected a whole number from 1"));
}
