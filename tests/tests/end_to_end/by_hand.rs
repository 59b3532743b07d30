//! `cargo lambda invoke` with the sample events, as a developer would by hand.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use testkit::{LocalAws, Options, Result};

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
    let log = std::fs::File::create(lambda.with_file_name("watch.log"))?;
    let _watch = Watch(
        Command::new(&lambda)
            .args(["lambda", "watch", "--ignore-changes", "--invoke-address", "127.0.0.1", "--invoke-port", &port])
            .args(["--package", "deploy-image"])
            .current_dir(aws.workspace())
            .env("AWS_ENDPOINT_URL", aws.endpoint())
            .env("AWS_REGION", LocalAws::REGION)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .stdout(log.try_clone()?)
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()?,
    );
    aws.wait_until("cargo lambda watch to listen", || {
        Ok(std::net::TcpStream::connect(format!("127.0.0.1:{port}")).ok())
    })?;
    for (sample, expected) in [("dry-run", "\"dry_run\":true"), ("ecr-push-untagged", "without a tag was pushed")] {
        let output = Command::new(&lambda)
            .args(["lambda", "invoke", "deploy-image", "--invoke-address", "127.0.0.1", "-P", &port, "--data-file"])
            .arg(aws.workspace().join(format!("events/deploy-image/{sample}.json")))
            .current_dir(aws.workspace())
            .output()?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{sample}: {answer}{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_str(&answer)?;
        assert!(report.to_string().contains(expected), "{sample}: {report}");
    }
    Ok(())
}
