//! `cargo lambda invoke` with the sample events, as a developer would by hand.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use testkit::{Error, LocalAws, Options, Result};

/// The longest that an invocation takes on a slow machine, where nothing has to be compiled.
const ANSWERED: Duration = Duration::from_secs(120);

/// What `cargo lambda watch` asks cargo for. Anything more, such as a feature or a target, would compile the SDK again.
const RUN: &str = "run --color auto --manifest-path Cargo.toml --package deploy-image --bin deploy-image";

/// A cargo that writes down what it is asked, and starts the function as the tests have built it where it should build and
/// start it: the tests are built with features of their own, so that cargo would compile the whole SDK once more. That it
/// is compiled once for whoever builds functions only is held by `functions_are_built_from_the_same_crates_of_the_sdk`.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo says in the environment which cargo it is, and where programs are"
)]
fn cargo_without_a_compiler(binary: &Path) -> Result<Shim> {
    let folder = tempfile::tempdir()?;
    let (cargo, log) = (folder.path().join("cargo"), folder.path().join("log"));
    let real = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> '{}'\nif [ \"$1\" = run ]; then exec '{}'; fi\nexec '{real}' \"$@\"\n",
        log.display(),
        binary.display(),
    );
    std::fs::write(&cargo, script)?;
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755))?;
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
    Ok(Shim { cargo, log, path, _folder: folder })
}

struct Shim {
    cargo: PathBuf,
    log: PathBuf,
    path: String,
    _folder: tempfile::TempDir,
}

/// `cargo lambda watch`, ended with everything that it started.
struct Watch(Child);

impl Drop for Watch {
    fn drop(&mut self) {
        // It hands an interrupt on to the functions that it runs.
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

#[test]
fn cargo_lambda_invoke_works_on_the_local_aws() -> Result<()> {
    let aws = LocalAws::start(Options { deploy: false, auth: false, ..Options::default() })?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let lambda = aws.cargo_lambda()?;
    // Beside the programs, wherever cargo puts what it builds.
    let log_path = lambda.with_file_name("watch.log");
    let log = std::fs::File::create(&log_path)?;
    let shim = cargo_without_a_compiler(&aws.binaries()?["deploy-image"])?;
    let mut watch = Command::new(&lambda);
    aws.point(&mut watch);
    watch.env("CARGO", &shim.cargo).env("PATH", &shim.path);
    watch.args(["lambda", "watch", "--ignore-changes", "--invoke-address", "127.0.0.1", "--invoke-port", &port]);
    watch.args(["--package", "deploy-image"]).current_dir(aws.workspace()).stdin(Stdio::null());
    let _watch = Watch(watch.stdout(log.try_clone()?).stderr(log).spawn()?);
    aws.wait_until("cargo lambda watch to listen", || {
        Ok(std::net::TcpStream::connect(format!("127.0.0.1:{port}")).ok())
    })?;
    let old = aws.push_image("truegul-api-server", "v1.0.0", "v1")?;
    let image = aws.image_uri("truegul-api-server", &format!("@{old}"));
    aws.start_service("truegul-production", "api-server", &image, &[("nightshift:deploy", "semver")])?;
    aws.push_image("truegul-api-server", "v1.1.0", "v2")?;
    for (sample, expected) in [
        ("dry-run", "\"outcome\":\"planned\""),
        ("ecr-push-untagged", "without a tag was pushed"),
        // It names a deadline that is over, and yet there is time for what has to be done.
        ("sweep", "\"outcome\":\"done\""),
    ] {
        let mut invoke = Command::new(&lambda);
        aws.point(&mut invoke);
        invoke.args(["lambda", "invoke", "deploy-image", "--invoke-address", "127.0.0.1", "-P", &port, "--data-file"]);
        invoke.arg(aws.workspace().join(format!("events/deploy-image/{sample}.json"))).current_dir(aws.workspace());
        let output = aws
            .output_within(ANSWERED, &mut invoke)
            .map_err(|err| Error::new(format!("{err}\n{}", tail(&log_path))))?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{sample}: {answer}{complaint}{}", tail(&log_path));
        let report: Value = serde_json::from_str(&answer)?;
        assert!(report.to_string().contains(expected), "{sample}: {report}");
    }
    let asked = std::fs::read_to_string(&shim.log)?;
    let runs: Vec<&str> = asked.lines().filter(|it| it.starts_with("run ")).collect();
    assert_eq!(runs, [RUN], "{asked}");
    Ok(())
}

/// The end of what `cargo lambda watch` said.
fn tail(log: &Path) -> String {
    let said = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
