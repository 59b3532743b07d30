//! `deploy/sam.sh`: never deploys what was not built, nor with a parameter that the template does not have. And what the
//! installer of a release says to who calls it in the sources.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nightshift_tests::sources::root;

/// A copy of what the script reads, with stand-ins for SAM and cargo-lambda that write down how they were called.
fn copy(name: &str, samconfig: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sam").join(name);
    let _ = fs::remove_dir_all(&folder);
    for below in ["deploy", "bin"] {
        fs::create_dir_all(folder.join(below)).expect("a folder");
    }
    for file in ["deploy/sam.sh", "template.yaml"] {
        fs::copy(root().join(file), folder.join(file)).expect("a copy");
    }
    fs::write(folder.join("samconfig.toml"), samconfig).expect("the settings");
    for program in ["sam", "cargo-lambda"] {
        let path = folder.join("bin").join(program);
        fs::write(&path, format!("#!/bin/sh\necho {program} \"$@\"\n")).expect("a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
    }
    folder
}

/// How the script ends, and all that is said.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let path = format!("{}:/usr/bin:/bin", folder.join("bin").display());
    let output = Command::new("bash").arg(folder.join("deploy/sam.sh")).args(arguments).env("PATH", path).output();
    let output = output.expect("bash starts");
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat();
    (output.status.code(), said)
}

fn check(name: &str, settings: &str, arguments: &[&str], code: i32, expected: &str) {
    let folder = copy(
        name,
        &format!(
            "version = 0.1\n[default.global.parameters]\n{settings}\n[default.build.parameters]\nbeta_features = true\n"
        ),
    );
    let (ended, said) = run(&folder, arguments);
    assert_eq!(ended, Some(code), "{settings}: {said}");
    assert!(said.contains(expected), "{settings}: {said}");
    // What is refused is refused before anything is called.
    assert_eq!(said.contains("sam build"), code == 0, "{settings}: {said}");
}

#[test]
fn what_is_deployed_was_built_with_the_settings_of_this_repository() {
    let folder = copy("shipped", &fs::read_to_string(root().join("samconfig.toml")).expect("the settings"));
    assert_eq!(
        run(&folder, &["--region", "eu-west-1"]),
        (Some(0), "sam build\nsam deploy --region eu-west-1\n".into())
    );
}

#[test]
fn every_form_of_the_parameters_is_read() {
    for (name, settings) in [
        ("text", "parameter_overrides = \"DryRun=true TimeZone=Asia/Seoul\""),
        ("quotes", "parameter_overrides = \"DryRun=true Holidays='2026-12-25 2027-01-01'\""),
        (
            "keys",
            "parameter_overrides = \"CopyRegions=us-west-2=arn:aws:kms:us-west-2:123456789012:key/1 DryRun=true\"",
        ),
        ("list", "parameter_overrides = [\"DryRun=true\", \"TimeZone=UTC\"]"),
        ("lines", "parameter_overrides = [\n    \"DryRun=true\",\n    \"TimeZone=UTC\",\n]"),
        ("long", "parameter_overrides = \"ParameterKey=DryRun,ParameterValue=true\""),
        ("none", "stack_name = \"nightshift\""),
    ] {
        check(name, settings, &[], 0, "sam build\nsam deploy\n");
    }
}

#[test]
fn a_parameter_that_the_template_does_not_have_is_refused() {
    let known = "which is not a parameter of template.yaml. It has: AlarmSweep AlarmTopicArn";
    for (name, settings) in [
        ("text-typo", "parameter_overrides = \"TimeZone=UTC DryRum=true\""),
        ("list-typo", "parameter_overrides = [\"TimeZone=UTC\", \"DryRum=true\"]"),
        ("lines-typo", "parameter_overrides = [\n    \"TimeZone=UTC\",\n    \"DryRum=true\",\n]"),
        ("long-typo", "parameter_overrides = \"ParameterKey=DryRum,ParameterValue=true\""),
    ] {
        check(name, settings, &[], 2, &format!("samconfig.toml sets 'DryRum', {known}"));
    }
    let settings = "parameter_overrides = \"DryRun=true\"";
    check("option", settings, &["--parameter-overrides", "DryRum=true"], 2, "set the parameters in samconfig.toml");
}

#[test]
fn the_installer_of_a_release_says_in_the_sources_what_to_call_there() {
    for arguments in [&["parameters"][..], &["--region", "ap-northeast-2", "DryRun=false"], &["remove"]] {
        let output = Command::new("bash").arg(root().join("deploy/install.sh")).args(arguments).output();
        let output = output.expect("bash starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("holds no release") && said.ends_with("from the sources it is deploy/sam.sh.\n"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
