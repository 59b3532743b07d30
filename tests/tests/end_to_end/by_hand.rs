//! `cargo lambda invoke` with the sample events, as a developer would by hand.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use testkit::{Error, LocalAws, Options, Result};

/// As long as compiling a function with the whole SDK takes on a slow machine.
const COMPILED: Duration = Duration::from_secs(1_200);

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
    let mut watch = Command::new(&lambda);
    aws.point(&mut watch);
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
        // It names a deadline that is over, and yet there is time for what is to be done.
        ("sweep", "\"outcome\":\"done\""),
    ] {
        let mut invoke = Command::new(&lambda);
        aws.point(&mut invoke);
        invoke.args(["lambda", "invoke", "deploy-image", "--invoke-address", "127.0.0.1", "-P", &port, "--data-file"]);
        invoke.arg(aws.workspace().join(format!("events/deploy-image/{sample}.json"))).current_dir(aws.workspace());
        // The first one compiles the function.
        let output = aws
            .output_within(COMPILED, &mut invoke)
            .map_err(|err| Error::new(format!("{err}\n{}", tail(&log_path))))?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{sample}: {answer}{complaint}{}", tail(&log_path));
        let report: Value = serde_json::from_str(&answer)?;
        assert!(report.to_string().contains(expected), "{sample}: {report}");
    }
    Ok(())
}

/// The end of what `cargo lambda watch` said.
fn tail(log: &Path) -> String {
    let said = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
