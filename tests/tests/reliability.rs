//! A selection of `cargo reliability`: the functions converge after it, and one that is broken on purpose is noticed.

use std::process::{Command, Output, Stdio};

fn reliability(arguments: &[&str]) -> (Option<i32>, String) {
    let mut reliability = Command::new(env!("CARGO_BIN_EXE_reliability"));
    let Output { status, stdout, stderr } =
        reliability.args(arguments).stdin(Stdio::null()).output().expect("the program starts");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

#[test]
fn after_any_disturbance_the_next_runs_come_to_the_same_end() {
    let (code, said) = reliability(&["--every", "83"]);
    assert_eq!(code, Some(0), "{said}");
    let plays = said.lines().filter_map(|it| it.split(" plays took").next()?.parse::<u32>().ok()).next();
    assert!(plays.is_some_and(|it| it > 50), "{said}");
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
