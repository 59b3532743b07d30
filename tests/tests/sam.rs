//! `deploy/sam.sh`: never deploys what was not built, nor with a parameter that the template does not have; and
//! `deploy/build.sh`, which builds for one processor.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nightshift_tests::sources::root;

/// A copy of what the script reads, with stand-ins for SAM and cargo-lambda that write down how they were called.
fn copy(name: &str, samconfig: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sam").join(name);
    let _ = fs::remove_dir_all(&folder);
    for below in ["deploy", "bin", "functions/deploy-image", "functions/press-button"] {
        fs::create_dir_all(folder.join(below)).expect("a folder");
    }
    for file in ["deploy/sam.sh", "deploy/build.sh", "template.yaml"] {
        fs::copy(root().join(file), folder.join(file)).expect("a copy");
    }
    fs::write(folder.join("samconfig.toml"), samconfig).expect("the settings");
    for program in ["sam", "cargo", "cargo-lambda"] {
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
    assert_eq!(said.contains("cargo lambda build"), code == 0, "{settings}: {said}");
}

#[test]
fn what_is_deployed_was_built_with_the_settings_of_this_repository() {
    let folder = copy("shipped", &fs::read_to_string(root().join("samconfig.toml")).expect("the settings"));
    let lambda = folder.canonicalize().expect("the folder").join("target/lambda");
    let expected = format!(
        "cargo lambda build --release --locked --target aarch64-unknown-linux-musl --lambda-dir {} \
         --package deploy-image --package press-button\n\
         sam deploy --template-file target/sam.yaml --region eu-west-1\n",
        lambda.display()
    );
    assert_eq!(run(&folder, &["--region", "eu-west-1"]), (Some(0), expected));
    // The template that is deployed names the folders that were built, and is the same otherwise.
    let read = |file: &str| fs::read_to_string(folder.join(file)).expect("a template");
    let (source, deployed) = (read("template.yaml"), read("target/sam.yaml"));
    let folders: Vec<&str> = deployed.lines().filter_map(|it| it.trim().strip_prefix("CodeUri: ")).collect();
    assert!(folders.len() > 1 && folders.iter().all(|it| it.starts_with("lambda/")), "{folders:?}");
    assert_eq!(source, deployed.replace("CodeUri: lambda/", "CodeUri: functions/"));
}

#[test]
fn the_processor_is_that_of_the_deployment() {
    for (name, settings, target) in [
        ("default", "parameter_overrides = \"DryRun=true\"", "aarch64-unknown-linux-musl"),
        ("arm", "parameter_overrides = \"Architecture=arm64\"", "aarch64-unknown-linux-musl"),
        ("intel", "parameter_overrides = \"DryRun=true Architecture=x86_64\"", "x86_64-unknown-linux-musl"),
        ("intel-quotes", "parameter_overrides = \"Architecture='x86_64' DryRun=true\"", "x86_64-unknown-linux-musl"),
        (
            "intel-list",
            "parameter_overrides = [\n    \"DryRun=true\",\n    \"Architecture=x86_64\",\n]",
            "x86_64-unknown-linux-musl",
        ),
        (
            "intel-long",
            "parameter_overrides = \"ParameterKey=Architecture,ParameterValue=x86_64\"",
            "x86_64-unknown-linux-musl",
        ),
    ] {
        check(name, settings, &[], 0, &format!("--target {target} "));
    }
    let folder = copy("usage", "version = 0.1\n");
    let usage = Command::new("bash").arg(folder.join("deploy/build.sh")).arg("arm64").output().expect("bash starts");
    assert!(!usage.status.success() && String::from_utf8_lossy(&usage.stderr).contains("arm64|x86_64 FOLDER"));
    check("mips", "parameter_overrides = \"Architecture=mips\"", &[], 2, "'mips' is not a processor that Lambda has");
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
        (
            "regions",
            "parameter_overrides = \"CopyRegions='us-west-2=arn:aws:kms:us-west-2:123456789012:key/1 \
             us-gov-west-1=arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/2' DryRun=true\"",
        ),
        (
            "long-regions",
            "parameter_overrides = \"ParameterKey=CopyRegions,ParameterValue='us-west-2=arn:aws:kms:us-west-2:123456789012:key/1 \
             eu-west-1=arn:aws:kms:eu-west-1:123456789012:key/2'\"",
        ),
        ("list", "parameter_overrides = [\"DryRun=true\", \"TimeZone=UTC\"]"),
        ("lines", "parameter_overrides = [\n    \"DryRun=true\",\n    \"TimeZone=UTC\",\n]"),
        ("long", "parameter_overrides = \"ParameterKey=DryRun,ParameterValue=true\""),
        ("none", "stack_name = \"nightshift\""),
    ] {
        check(name, settings, &[], 0, "\nsam deploy --template-file target/sam.yaml\n");
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
