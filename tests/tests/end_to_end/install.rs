//! `deploy/install.sh` with the files of a release and the real AWS CLI: what a person does who has neither Rust nor SAM.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;
use testkit::{Error, LocalAws, Options, Result};

const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };

/// A folder that no other test uses.
fn folder(name: &str) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The files of a release of that version, for the processor of this machine, with the binaries that the tests run.
fn release(aws: &LocalAws, version: &str) -> Result<PathBuf> {
    let folder = folder(&format!("release-{version}"))?;
    let binaries = folder.join("binaries");
    fs::create_dir(&binaries)?;
    for (name, path) in aws.binaries()? {
        // Most of a debug build is debug information, which nothing here reads.
        let stripped = Command::new("strip").arg("-o").arg(binaries.join(&name)).arg(&path).status();
        if !stripped.is_ok_and(|it| it.success()) {
            symlink(&path, binaries.join(&name))?;
        }
    }
    let out = folder.join("files");
    let mut package = Command::new(aws.python()?);
    package.arg("-B").arg(aws.workspace().join("deploy/package.py")).args(["--version", version, "--out"]).arg(&out);
    package.arg("--binaries").arg(format!("{ARCHITECTURE}={}", binaries.display()));
    succeeded(&package.output()?)?;
    Ok(out)
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it).into_owned()).concat()
}

fn succeeded(output: &Output) -> Result<String> {
    let said = text(output);
    if output.status.success() { Ok(said) } else { Err(Error::new(format!("{}: {said}", output.status))) }
}

/// A person with the AWS CLI, and nothing else of the project than the files of a release.
struct Person<'a> {
    aws: &'a LocalAws,
    path: String,
}

impl<'a> Person<'a> {
    fn with_the_aws_cli(aws: &'a LocalAws) -> Result<Self> {
        let cli = aws.aws_cli()?;
        let cli = cli.parent().unwrap_or(Path::new("/"));
        Ok(Self { aws, path: format!("{}:/usr/local/bin:/usr/bin:/bin", cli.display()) })
    }

    fn runs(&self, release: &Path, arguments: &[&str]) -> Result<Output> {
        let mut install = Command::new(release.join("install.sh"));
        install.args(arguments).env_clear().envs([
            ("PATH", self.path.as_str()),
            ("HOME", env!("CARGO_TARGET_TMPDIR")),
            ("AWS_ENDPOINT_URL", self.aws.endpoint()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", LocalAws::REGION),
        ]);
        Ok(install.output()?)
    }

    fn installs(&self, release: &Path, arguments: &[&str]) -> Result<String> {
        // The local AWS knows no budgets of CloudFormation.
        succeeded(&self.runs(release, &[&["--yes", "BudgetAmount=0"], arguments].concat())?)
    }
}

/// The environment of deploy-image, as the stack has set it.
fn environment(aws: &LocalAws) -> Result<BTreeMap<String, String>> {
    let path = "/2015-03-31/functions/nightshift-deploy-image/configuration";
    let configuration = aws.lambda("GET", path, json!(null))?;
    Ok(serde_json::from_value(configuration["Environment"]["Variables"].clone())?)
}

fn has_stack(aws: &LocalAws) -> bool {
    let answer = aws.cloudformation("DescribeStacks", &[("StackName", "nightshift")]);
    answer.is_ok_and(|it| !it.contains("DELETE_COMPLETE"))
}

#[test]
fn a_release_is_installed_upgraded_and_removed_with_the_aws_cli_alone() -> Result<()> {
    let aws = LocalAws::start(Options { deploy: false, ..Options::default() })?;
    let person = Person::with_the_aws_cli(&aws)?;
    let first = release(&aws, "1.0.0")?;
    let processor = format!("Architecture={ARCHITECTURE}");

    // A first installation only plans, and the functions run.
    let said = person.installs(&first, &[&processor, "TimeZone=Asia/Seoul", "Holidays=2026-12-25 2027-01-01"])?;
    assert!(said.contains("Nightshift only plans."), "{said}");
    assert!(said.contains("TopicArn\tarn:aws:sns:"), "{said}");
    let before = environment(&aws)?;
    assert_eq!(before["NIGHTSHIFT_DRY_RUN"], "true");
    assert_eq!(before["NIGHTSHIFT_TIME_ZONE"], "Asia/Seoul");
    assert_eq!(before["NIGHTSHIFT_HOLIDAYS"], "2026-12-25 2027-01-01");
    for function in ["deploy-image", "snapshot-databases", "prune-backups", "scale-staging", "remediate-alarm"] {
        let answer = aws.invoke(&format!("nightshift-{function}"), &json!({}))?;
        assert_eq!((&answer.payload["function"], answer.error), (&json!(function), None), "{}", answer.payload);
        assert_eq!(answer.payload["dry_run"], true);
    }

    // The same again changes nothing; going live changes that one parameter.
    let said = person.installs(&first, &[])?;
    assert!(said.contains("No changes to deploy") || said.contains("Nightshift only plans."), "{said}");
    let said = person.installs(&first, &["DryRun=false"])?;
    assert!(said.contains("Nightshift works on what is tagged."), "{said}");
    let live = environment(&aws)?;
    assert_eq!(live["NIGHTSHIFT_DRY_RUN"], "false");
    assert_eq!(live["NIGHTSHIFT_TIME_ZONE"], "Asia/Seoul");

    // An upgrade keeps what it is not given, and runs the new code.
    let second = release(&aws, "1.1.0")?;
    let said = person.installs(&second, &[])?;
    assert!(said.contains("release 1.1.0"), "{said}");
    assert_eq!(environment(&aws)?, live);
    let template = aws.cloudformation("DescribeStacks", &[("StackName", "nightshift")])?;
    assert!(template.contains("nightshift/1.1.0-"), "{template}");
    let answer = aws.invoke("nightshift-deploy-image", &json!({}))?;
    assert_eq!(answer.payload["dry_run"], false, "{}", answer.payload);

    // Removed, it leaves neither a stack nor a bucket.
    let said = succeeded(&person.runs(&second, &["--yes", "remove"])?)?;
    assert!(said.contains("Nightshift is removed."), "{said}");
    assert!(!has_stack(&aws));
    let bucket = format!("nightshift-{}-{}", LocalAws::ACCOUNT, LocalAws::REGION);
    let buckets = aws.s3_buckets()?;
    assert!(!buckets.contains(&bucket), "{buckets:?}");
    Ok(())
}

#[test]
fn what_is_mistyped_or_damaged_is_refused_before_anything_is_created() -> Result<()> {
    let aws = LocalAws::start(Options { deploy: false, ..Options::default() })?;
    let person = Person::with_the_aws_cli(&aws)?;
    let release = release(&aws, "1.2.0")?;
    let other = if ARCHITECTURE == "arm64" { "x86_64" } else { "arm64" };
    for (arguments, code, expected) in [
        (["--yes", "DryRum=true"].as_slice(), 2, "There is no parameter 'DryRum'. Did you mean DryRun?"),
        (&["--yes", "time_zone=Asia/Seoul"], 2, "Did you mean TimeZone?"),
        (&["--yes", "Email=a@b.example", "Email=c@d.example"], 2, "Email is given twice."),
        (&["--dry-run"], 2, "There is no option --dry-run"),
        (&["instal"], 2, "'instal' is neither PARAMETER=VALUE nor one of install, remove, parameters"),
        (&["--stack"], 2, "--stack needs a value."),
        (&["--yes", &format!("Architecture={other}")], 2, "This release has no functions for Architecture="),
        // Whoever does not answer does not agree.
        (&["BudgetAmount=0", &format!("Architecture={ARCHITECTURE}")], 1, "Nothing is changed."),
    ] {
        let output = person.runs(&release, arguments)?;
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    assert!(!has_stack(&aws));

    fs::write(release.join("template.json"), "{}")?;
    let output = person.runs(&release, &["--yes", &format!("Architecture={ARCHITECTURE}")])?;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("The files of the release are not those that SHA256SUMS names."));
    assert!(!has_stack(&aws));

    let said = succeeded(&person.runs(&release, &["parameters"])?)?;
    assert!(said.contains("TimeZone (UTC)\n    The IANA time zone"), "{said}");
    Ok(())
}
