//! `--keep`: the local AWS after the story, for the reader to play with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use testkit::{LocalAws, Result};

use crate::screen;

/// Says how to talk to the local AWS, and waits until the reader has had enough.
pub fn until_stopped(aws: &LocalAws, stop: &Arc<AtomicBool>) -> Result<()> {
    aws.rollouts_end_by_themselves(&[])?;
    let programs = [aws.cargo_lambda()?, aws.python()?];
    let folders: Vec<String> = programs.iter().filter_map(|it| Some(it.parent()?.display().to_string())).collect();
    screen::heading("The local AWS stays up until Ctrl-C");
    screen::say("Rollouts take a moment and then succeed. In another terminal:");
    screen::put(format_args!(
        "
    cd {folder}
    export PATH={tools}:$PATH
    export AWS_ENDPOINT_URL={endpoint} AWS_DEFAULT_REGION={region}
    export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test

  Look around, with the AWS CLI or with boto3, which that python has:

    aws --endpoint-url $AWS_ENDPOINT_URL ecs describe-services --cluster truegul-production \\
        --services api-server ml-server --include TAGS
    aws --endpoint-url $AWS_ENDPOINT_URL logs filter-log-events --output text \\
        --log-group-name /aws/lambda/nightshift-deploy-image --query 'events[].[message]'
    python -c 'import boto3; print(boto3.client(\"ecs\").list_services(cluster=\"truegul-production\"))'

  Ask the function, with a file or with words:

    cargo lambda invoke --remote nightshift-deploy-image \\
        --data-file events/deploy-image/dry-run.json
    cargo lambda invoke --remote nightshift-deploy-image \\
        --data-ascii '{{\"rollback\":{{\"service\":\"truegul-production/api-server\"}}}}'

  Push an image:

    aws --endpoint-url $AWS_ENDPOINT_URL ecr put-image --repository-name truegul-ml-server \\
        --image-tag v1.2.0 --image-manifest '{{\"schemaVersion\":2,\"annotations\":{{\"any\":\"words\"}}}}'
",
        folder = aws.workspace().display(),
        tools = folders.join(":"),
        endpoint = aws.endpoint(),
        region = LocalAws::REGION,
    ));
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(100));
    }
    // That was what the reader wanted.
    stop.store(false, Ordering::Relaxed);
    Ok(())
}
