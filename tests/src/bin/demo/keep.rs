//! `--keep`: the local AWS after the story, for the reader to play with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nightshift_tests::board_page::Served;
use testkit::{Error, LocalAws, Result};

use crate::screen;

/// What a terminal needs to talk to the local AWS, and to nothing else.
struct Settings {
    folder: String,
    tools: String,
    endpoint: String,
    topic: String,
    budget_topic: String,
}

impl Settings {
    /// Lines to paste. A variable of the shell would win over what is exported here: `AWS_PROFILE`, `AWS_REGION` or
    /// `AWS_ENDPOINT_URL_LAMBDA` leads to the real AWS, a proxy answers for this machine, and a function refuses a
    /// `NIGHTSHIFT_` variable that it does not know.
    fn exports(&self) -> String {
        let Settings { folder, tools, endpoint, topic, budget_topic } = self;
        let (folder, tools, region) = (quoted(folder), quoted(tools), LocalAws::REGION);
        format!(
            "
    cd {folder}
    unset $(env | grep -oE '^(AWS|NIGHTSHIFT)_[A-Z0-9_]+')
    export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
    export PATH={tools}:$PATH
    export AWS_ENDPOINT_URL={endpoint}
    export AWS_REGION={region} AWS_DEFAULT_REGION={region}
    export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
    export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
    export NIGHTSHIFT_TOPIC_ARN={topic}
    export NIGHTSHIFT_BUDGET_TOPIC_ARN={budget_topic}
    export NIGHTSHIFT_TIME_ZONE=Asia/Seoul
"
        )
    }
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

const HOW: &str = "\
  Look around, with the AWS CLI or with boto3, which that python has:

    aws --endpoint-url $AWS_ENDPOINT_URL ecs describe-services --cluster truegul-production \\
        --services api-server ml-server --include TAGS
    aws --endpoint-url $AWS_ENDPOINT_URL logs filter-log-events --output text \\
        --log-group-name /aws/lambda/nightshift-deploy-image --query 'events[].[message]'
    python -c 'import boto3; print(boto3.client(\"ecs\").list_services(cluster=\"truegul-production\"))'

  See what would happen tonight:

    cargo preview --time-zone Asia/Seoul

  Ask a function of the stack, with a file or with words:

    cargo lambda invoke --remote nightshift-deploy-image \\
        --data-file events/deploy-image/dry-run.json
    cargo lambda invoke --remote nightshift-deploy-image \\
        --data-ascii '{\"rollback\":{\"service\":\"truegul-production/api-server\"}}'

  Run a function from your sources, and ask that one:

    cargo lambda watch --invoke-address 127.0.0.1 --package deploy-image
    cargo lambda invoke --invoke-address 127.0.0.1 deploy-image \\
        --data-file events/deploy-image/dry-run.json

  Push an image:

    aws --endpoint-url $AWS_ENDPOINT_URL ecr put-image --repository-name truegul-ml-server \\
        --image-tag v1.2.0 --image-manifest '{\"schemaVersion\":2,\"annotations\":{\"any\":\"words\"}}'";

/// Says how to talk to the local AWS, and waits until the reader has had enough.
pub fn until_stopped(aws: &LocalAws, stop: &Arc<AtomicBool>) -> Result<()> {
    aws.rollouts_end_by_themselves(&[])?;
    // Each has a `python` beside it, and only that of the local AWS has boto3.
    let programs = [aws.python()?, aws.cargo_lambda()?];
    let folders: Vec<String> = programs.iter().filter_map(|it| Some(it.parent()?.display().to_string())).collect();
    screen::heading("The local AWS stays up until Ctrl-C");
    screen::say("Rollouts take a moment and then succeed. In another terminal:");
    let settings = Settings {
        folder: aws.workspace().display().to_string(),
        tools: folders.join(":"),
        endpoint: aws.endpoint().to_owned(),
        topic: aws.output("TopicArn")?.to_owned(),
        budget_topic: aws.output("BudgetTopicArn")?.to_owned(),
    };
    screen::put(settings.exports());
    screen::put(HOW);
    let board = Served::start(LocalAws::STACK, aws.invoker()).map_err(Error::new)?;
    screen::say(&format!("The board of this stack, with buttons that work: http://{}", board.address()));
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(100));
    }
    // That was what the reader wanted.
    stop.store(false, Ordering::Relaxed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Pasted into a shell that is set up for a real account, the lines leave nothing of it.
    #[test]
    fn what_is_pasted_wins_over_what_the_shell_had() {
        let folder = std::env::temp_dir().join("nightshift's keep");
        std::fs::create_dir_all(&folder).unwrap();
        let settings = Settings {
            folder: folder.display().to_string(),
            tools: "/a b/bin:/it's".into(),
            endpoint: "http://127.0.0.1:4566".into(),
            topic: "arn:aws:sns:r:1:t".into(),
            budget_topic: "arn:aws:sns:r:1:b".into(),
        };
        let mut shell = Command::new("/bin/sh");
        shell.arg("-euc").arg(format!("{}\npwd\nenv", settings.exports()));
        shell.env_clear().env("PATH", "/usr/bin:/bin");
        for (name, value) in [
            ("AWS_PROFILE", "production"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_ENDPOINT_URL_LAMBDA", "https://lambda.us-east-1.amazonaws.com"),
            ("NIGHTSHIFT_NOW", "2026-11-21T03:10:00+09:00"),
        ] {
            shell.env(name, value);
        }
        let output = shell.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{said}{:?}", output.stderr);
        let mut lines: Vec<&str> =
            said.lines().filter(|it| it.starts_with("AWS_") || it.starts_with("NIGHTSHIFT_")).collect();
        lines.sort();
        assert_eq!(
            lines,
            [
                "AWS_ACCESS_KEY_ID=test",
                "AWS_CONFIG_FILE=/dev/null",
                "AWS_DEFAULT_REGION=ap-northeast-2",
                "AWS_ENDPOINT_URL=http://127.0.0.1:4566",
                "AWS_REGION=ap-northeast-2",
                "AWS_SECRET_ACCESS_KEY=test",
                "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
                "NIGHTSHIFT_BUDGET_TOPIC_ARN=arn:aws:sns:r:1:b",
                "NIGHTSHIFT_TIME_ZONE=Asia/Seoul",
                "NIGHTSHIFT_TOPIC_ARN=arn:aws:sns:r:1:t",
            ]
        );
        assert!(said.contains("nightshift's keep") && said.contains("PATH=/a b/bin:/it's:/usr/bin"), "{said}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
