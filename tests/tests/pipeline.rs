//! `deploy/github-action/wait.sh`: how a pipeline ends by what is told of its image.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nightshift_tests::sources::root;

/// How the script ends, and what it prints, where the AWS CLI gives these answers one after the other and the last again.
fn run(name: &str, arguments: &[&str], answers: &[&str]) -> (Option<i32>, String, String) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pipeline").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    for (number, answer) in answers.iter().enumerate() {
        fs::write(folder.join(format!("answer-{number}")), answer).expect("an answer");
    }
    // It finds its number by the payloads that were sent before.
    let aws = "#!/bin/sh\ncd \"${0%/*}\"\nn=$(ls payload-* 2> /dev/null | wc -l)\ncat > payload-$n\n\
               while [ ! -e answer-$n ] && [ $n -gt 0 ]; do n=$((n - 1)); done\n\
               [ -e answer-$n ] || exit 254\nfor last; do :; done\ncat answer-$n > \"$last\"\n";
    fs::write(folder.join("aws"), aws).expect("a program");
    fs::set_permissions(folder.join("aws"), fs::Permissions::from_mode(0o755)).expect("it can be run");
    let output = folder.join("output");
    let done = Command::new("bash")
        .arg(root().join("deploy/github-action/wait.sh"))
        .args(arguments)
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .env("NIGHTSHIFT_EVERY", "0")
        .env("GITHUB_OUTPUT", &output)
        .output()
        .expect("bash starts");
    let said = [done.stdout, done.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat();
    (done.status.code(), said, fs::read_to_string(output).unwrap_or_default())
}

/// The answer of the function that says this of the one service.
fn status(reason: &str) -> String {
    let report = serde_json::json!({"function": "deploy-image", "dry_run": false, "actions": [],
        "skipped": [{"resource": "arn:aws:ecs:ap-northeast-2:123456789012:service/shop/api", "reason": reason}], "problems": []});
    report.to_string()
}

#[track_caller]
fn check(name: &str, reason: &str, code: i32) {
    let (ended, said, output) = run(name, &["shop/api", "v1.2.0", "0"], &[&status(reason)]);
    assert_eq!(ended, Some(code), "{reason}: {said}");
    assert!(said.starts_with(&format!("{reason}\n")), "{reason}: {said}");
    let (state, why) = reason.split_once(": ").expect("a word and why");
    assert_eq!(output.replace(" \n", "\n"), format!("state={state}\nreason={why}\n"));
}

#[test]
fn each_state_has_its_exit_code() {
    for (reason, code) in [
        ("live: v1.2.0 is live since Sat 2026-11-21 03:10 KST", 0),
        ("unproven: v1.2.0 is deployed to a service without tasks, so none of it has run", 0),
        ("rejected: v1.2.0 is rejected by ecs; v1.1.0 runs", 1),
        ("superseded: v1.3.0 is deployed next, and not v1.2.0; v1.1.0 runs", 3),
        ("not-selected: 'semver range=1.x' does not select v2.0.0 in shop-api; v1.1.0 runs", 3),
        ("waiting: needs-approval: v1.2.0 waits for your \"approval\" (\\o/)", 4),
        ("rolling-out: v1.2.0 is rolling out: stage BAKE_TIME, 100 % of the traffic", 4),
    ] {
        check(reason.split(':').next().expect("a word"), reason, code);
    }
}

#[test]
fn it_looks_until_there_is_a_verdict_and_prints_each_reason_once() {
    let waits = status("waiting: v1.2.0 is deployed by the next run");
    let (rolls, live) = (status("rolling-out: v1.2.0 is rolling out"), status("live: v1.2.0 is live"));
    let (code, said, _) = run("until", &["shop/api", "v1.2.0", "60"], &[&waits, &waits, &rolls, &rolls, &live]);
    assert_eq!(code, Some(0));
    let lines =
        ["waiting: v1.2.0 is deployed by the next run", "rolling-out: v1.2.0 is rolling out", "live: v1.2.0 is live"];
    assert_eq!(said.lines().collect::<Vec<_>>(), lines);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pipeline/until");
    let sent = fs::read_to_string(folder.join("payload-0")).expect("what was sent");
    assert_eq!(sent, r#"{"status":{"service":"shop/api","image":"v1.2.0"}}"#);
}

#[test]
fn what_cannot_be_asked_ends_with_two() {
    let refused =
        r#"{"function":"deploy-image","actions":[],"skipped":[],"problems":[],"refused":"there is no image 'v9'"}"#;
    for (name, arguments, answers, expected) in [
        ("usage", &["shop/api"][..], &[][..], "usage: wait.sh CLUSTER/SERVICE IMAGE [SECONDS]"),
        ("seconds", &["shop/api", "v1", "1h"], &[], "SECONDS is '1h', and not a number of seconds"),
        ("letters", &["shop/api", "v1\"}"], &[], "has a letter that no name of AWS has"),
        ("denied", &["shop/api", "v1"], &[], "nightshift-deploy-image cannot be asked about v1 on shop/api"),
        ("refused", &["shop/api", "v9"], &[refused], "there is no image 'v9'"),
        (
            "other",
            &["shop/api", "v1"],
            &["{\"errorMessage\":\"out of memory\"}"],
            "this is not an answer about an image",
        ),
    ] {
        let (code, said, _) = run(name, arguments, answers);
        assert_eq!(code, Some(2), "{name}: {said}");
        assert!(said.contains(expected), "{name}: {said}");
    }
}

#[test]
fn the_action_hands_the_script_what_it_was_given_and_nothing_as_code() {
    let action = fs::read_to_string(root().join("deploy/github-action/action.yml")).expect("the action");
    let run = action.lines().find(|it| it.trim_start().starts_with("run:")).expect("a step");
    assert!(run.contains("$GITHUB_ACTION_PATH/wait.sh") && !run.contains("${{"), "{run}");
    let readme = fs::read_to_string(root().join("deploy/github-action/README.md")).expect("its README");
    for code in 0..=4 {
        assert!(readme.contains(&format!("| {code} |")), "the table of exit codes has no {code}");
    }
}
