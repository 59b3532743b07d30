//! `cargo verify` on the local AWS: each belief has a verdict, and nothing of what was made is left.

use std::process::{Command, Output, Stdio};

fn verify(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut verify = Command::new(env!("CARGO_BIN_EXE_verify"));
    let Output { status, stdout, stderr } =
        verify.args(arguments).stdin(Stdio::null()).output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn every_belief_that_can_be_tried_here_holds_and_nothing_is_left() {
    let (code, stdout, stderr) = verify(&[]);
    assert_eq!(code, Some(0), "{stdout}\n{stderr}");
    for step in [
        "grants-suffice",
        "describe-with-tags",
        "budgets-listed",
        "tag-index",
        "two-revisions",
        "newest-deployment-first",
        "alarm-agrees",
        "empty-image-tag",
        "scaling-target",
        "stop-with-snapshot",
        "stop-snapshot-listed",
        "tags-while-stopping",
    ] {
        assert!(stdout.contains(&format!("held       {step}\n")), "{step} in\n{stdout}");
    }
    // What this machine cannot show says so, with the reason.
    for step in ["metrics-from-log", "zero-during-codedeploy", "appspec-by-hash"] {
        assert!(stdout.contains(&format!("not tried  {step}\n")), "{step} in\n{stdout}");
    }
    assert!(stdout.contains("Everything is taken away."), "{stdout}");
    let rows = stdout.lines().filter(|it| it.starts_with("| `") && it.matches(" | ").count() == 2);
    assert_eq!(rows.count(), 15, "{stdout}");
}

#[test]
fn a_wrong_command_line_creates_nothing() {
    for (arguments, wrong) in [
        (["--account", "1234"].as_slice(), "12 digits"),
        (&["--yes"], "need --account"),
        (&["--acount", "123456789012"], "There is no argument \"--acount\""),
    ] {
        let (code, stdout, stderr) = verify(arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(stderr.contains(wrong), "{stderr}");
    }
}

#[test]
fn the_steps_can_be_listed() {
    let (code, stdout, _) = verify(&["--list"]);
    assert_eq!(code, Some(0));
    assert_eq!(stdout.lines().count(), 15, "{stdout}");
}
