//! The local AWS itself: what the end-to-end tests rely on, without any function deployed.

use std::{fs, net::TcpStream, process::Command};

use serde_json::{Value, json};
use testkit::{Error, LocalAws, Options, Result};

const SERVICE: &str = "truegul-production/api-server";

fn start() -> Result<LocalAws> {
    LocalAws::start(Options { deploy: false, ..Options::default() })
}

/// A service that runs the image tagged v0.1.0.
fn start_api_server(aws: &LocalAws) -> Result<()> {
    aws.push_image("truegul-api-server", "v0.1.0", "first")?;
    let image = aws.image_uri("truegul-api-server", ":v0.1.0");
    aws.start_service("truegul-production", "api-server", &image, &[("nightshift:deploy", "semver")]).map(drop)
}

/// Registers a revision with that image and gives it to the service.
fn deploy(aws: &LocalAws, digest: &str) -> Result<Value> {
    let image = aws.image_uri("truegul-api-server", &format!("@{digest}"));
    let containers = json!([{"name": "api-server", "image": image}]);
    let revision =
        aws.ecs("RegisterTaskDefinition", json!({"family": "api-server", "containerDefinitions": containers}))?;
    let revision = revision["taskDefinition"]["taskDefinitionArn"].clone();
    aws.ecs(
        "UpdateService",
        json!({"cluster": "truegul-production", "service": "api-server", "taskDefinition": revision}),
    )?;
    Ok(revision)
}

/// The deployments of the service, primary first, as status, rollout state and revision.
fn deployments(aws: &LocalAws) -> Result<Vec<String>> {
    let service = aws.service("truegul-production", "api-server")?;
    let described = service["deployments"].as_array().into_iter().flatten().map(|it| {
        let definition = it["taskDefinition"].as_str().unwrap_or_default();
        let revision = definition.rsplit('/').next().unwrap_or_default();
        format!(
            "{} {} {revision}",
            it["status"].as_str().unwrap_or_default(),
            it["rolloutState"].as_str().unwrap_or_default()
        )
    });
    Ok(described.collect())
}

/// The statuses in the history of the service, newest first.
fn history(aws: &LocalAws) -> Result<Vec<String>> {
    let list = json!({"cluster": "truegul-production", "service": "api-server"});
    let answer = aws.ecs("ListServiceDeployments", list)?;
    let statuses = answer["serviceDeployments"].as_array().into_iter().flatten().map(|it| it["status"].as_str());
    Ok(statuses.flatten().map(str::to_owned).collect())
}

/// A queue that gets all events of a source.
fn watch(aws: &LocalAws, source: &str) -> Result<String> {
    let queue = aws.create_queue("watched-events")?;
    aws.events("PutRule", json!({"Name": "watch", "EventPattern": json!({"source": [source]}).to_string()}))?;
    let targets = json!([{"Id": "queue", "Arn": aws.queue_arn("watched-events")}]);
    aws.events("PutTargets", json!({"Rule": "watch", "Targets": targets}))?;
    Ok(queue)
}

fn next_event(aws: &LocalAws, queue: &str) -> Result<Value> {
    aws.wait_until("an event", || {
        let answer = aws.sqs("ReceiveMessage", json!({"QueueUrl": queue, "MaxNumberOfMessages": 1}))?;
        let Some(body) = answer["Messages"][0]["Body"].as_str() else { return Ok(None) };
        let handle = &answer["Messages"][0]["ReceiptHandle"];
        aws.sqs("DeleteMessage", json!({"QueueUrl": queue, "ReceiptHandle": handle}))?;
        Ok(Some(serde_json::from_str(body)?))
    })
}

#[test]
fn a_push_is_announced() -> Result<()> {
    let aws = start()?;
    let queue = watch(&aws, "aws.ecr")?;
    let digest = aws.push_image("truegul-api-server", "v0.1.0", "first")?;
    let event = next_event(&aws, &queue)?;
    assert_eq!(event["detail-type"], "ECR Image Action");
    assert_eq!(event["resources"], json!([]));
    assert_eq!(
        event["detail"],
        json!({
            "result": "SUCCESS",
            "repository-name": "truegul-api-server",
            "image-digest": digest,
            "action-type": "PUSH",
            "image-tag": "v0.1.0",
            "manifest-media-type": "application/vnd.oci.image.manifest.v1+json",
            "artifact-media-type": "application/vnd.oci.image.config.v1+json",
        })
    );
    Ok(())
}

#[test]
fn images_come_in_pages() -> Result<()> {
    let aws = start()?;
    for (tag, seed) in [("v1.0.0", "a"), ("v1.1.0", "b"), ("", "c")] {
        aws.push_image("shop", tag, seed)?;
    }
    let first = aws.ecr("DescribeImages", json!({"repositoryName": "shop", "maxResults": 2}))?;
    let next = json!({"repositoryName": "shop", "maxResults": 2, "nextToken": first["nextToken"]});
    let second = aws.ecr("DescribeImages", next)?;
    assert_eq!(first["imageDetails"].as_array().map(Vec::len), Some(2));
    assert_eq!(second["imageDetails"].as_array().map(Vec::len), Some(1));
    assert_eq!(second["imageDetails"][0]["imageTags"], Value::Null);
    assert_eq!(second["nextToken"], Value::Null);
    let missing = aws.ecr("DescribeImages", json!({"repositoryName": "shop", "imageIds": [{"imageTag": "none"}]}));
    assert_eq!(missing.err().as_ref().and_then(Error::code), Some("ImageNotFoundException"));
    Ok(())
}

#[test]
fn a_rollout_takes_its_time() -> Result<()> {
    let aws = start()?;
    start_api_server(&aws)?;
    aws.rollouts_wait()?;
    let queue = watch(&aws, "aws.ecs")?;
    let digest = aws.push_image("truegul-api-server", "v0.2.0", "second")?;
    let revision = deploy(&aws, &digest)?;
    assert_eq!(deployments(&aws)?, ["PRIMARY IN_PROGRESS api-server:2", "ACTIVE COMPLETED api-server:1"]);
    assert_eq!(history(&aws)?, ["IN_PROGRESS", "SUCCESSFUL"]);
    let event = next_event(&aws, &queue)?;
    assert_eq!(event["detail"]["eventName"], "SERVICE_DEPLOYMENT_IN_PROGRESS");
    assert_eq!(event["resources"][0], aws.service("truegul-production", "api-server")?["serviceArn"]);

    aws.end_rollout(SERVICE, "completed")?;
    assert_eq!(deployments(&aws)?, ["PRIMARY COMPLETED api-server:2"]);
    assert_eq!(history(&aws)?, ["SUCCESSFUL", "SUCCESSFUL"]);
    assert_eq!(next_event(&aws, &queue)?["detail"]["eventName"], "SERVICE_DEPLOYMENT_COMPLETED");

    let list = aws.ecs(
        "ListServiceDeployments",
        json!({"cluster": "truegul-production", "service": "api-server", "maxResults": 1}),
    )?;
    assert_eq!(list["nextToken"], "1");
    let target = &list["serviceDeployments"][0]["targetServiceRevisionArn"];
    let revisions = aws.ecs("DescribeServiceRevisions", json!({"serviceRevisionArns": [target]}))?;
    assert_eq!(revisions["serviceRevisions"][0]["taskDefinition"], revision);
    assert_eq!(revisions["serviceRevisions"][0]["containerImages"][0]["imageDigest"], digest);
    Ok(())
}

#[test]
fn a_bad_image_is_rolled_back() -> Result<()> {
    let aws = start()?;
    start_api_server(&aws)?;
    let bad = aws.push_image("truegul-api-server", "v0.2.0", "bad")?;
    aws.rollouts_end_by_themselves(&[&bad])?;
    deploy(&aws, &bad)?;
    aws.wait_until("the rollback", || Ok((history(&aws)?[0] == "ROLLBACK_SUCCESSFUL").then_some(())))?;
    assert_eq!(deployments(&aws)?, ["PRIMARY COMPLETED api-server:1", "ACTIVE FAILED api-server:2"]);
    assert_eq!(aws.images("truegul-production", "api-server")?, [aws.image_uri("truegul-api-server", ":v0.1.0")]);
    Ok(())
}

#[test]
fn an_unknown_task_definition_is_refused() -> Result<()> {
    let aws = start()?;
    start_api_server(&aws)?;
    let update = json!({"cluster": "truegul-production", "service": "api-server", "taskDefinition": "api-server:7"});
    assert_eq!(aws.ecs("UpdateService", update).err().as_ref().and_then(Error::code), Some("ClientException"));
    Ok(())
}

#[test]
fn calls_are_seen() -> Result<()> {
    let aws = start()?;
    aws.ecs("CreateCluster", json!({"clusterName": "kfood-cluster"}))?;
    let calls = aws.calls()?;
    assert_eq!(
        calls.last().map(|it| (it.service.as_str(), it.action.as_str(), it.status)),
        Some(("ecs", "CreateCluster", 200))
    );
    aws.forget_calls()?;
    assert!(aws.calls()?.is_empty());
    Ok(())
}

/// An archive whose `bootstrap` is a shell script that sleeps for ten minutes.
const SLEEPER: &str = "UEsDBBQAAAAAAAAAIQA0oCFDGQAAABkAAAAJAAAAYm9vdHN0cmFwIyEvYmluL3NoCmV4ZWMgc2xlZXAgNjAwClBLAQIUAxQAAAAAAAAAIQA0oC\
    FDGQAAABkAAAAJAAAAAAAAAAAAAADtAQAAAABib290c3RyYXBQSwUGAAAAAAEAAQA3AAAAQAAAAAAA";

const TRUST: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"#;

#[test]
fn stopping_leaves_no_process_behind() -> Result<()> {
    let aws = start()?;
    let function = format!("arn:aws:lambda:{}:{}:function:sleeper", LocalAws::REGION, LocalAws::ACCOUNT);
    aws.iam("CreateRole", &[("RoleName", "sleeper"), ("AssumeRolePolicyDocument", TRUST)])?;
    aws.lambda(
        "POST",
        "/2015-03-31/functions",
        json!({
            "FunctionName": "sleeper",
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "Role": format!("arn:aws:iam::{}:role/sleeper", LocalAws::ACCOUNT),
            "Code": {"ZipFile": SLEEPER},
        }),
    )?;
    aws.events("PutRule", json!({"Name": "wake", "EventPattern": json!({"source": ["aws.ecr"]}).to_string()}))?;
    aws.events("PutTargets", json!({"Rule": "wake", "Targets": [{"Id": "sleeper", "Arn": function}]}))?;
    aws.push_image("shop", "v1.0.0", "a")?;

    // What the function has in its environment, and no other process.
    let endpoint = format!("AWS_ENDPOINT_URL={}", aws.endpoint());
    aws.wait_until("the function to run", || Ok((processes_with(&endpoint)? > 0).then_some(())))?;
    let address = aws.endpoint().trim_start_matches("http://").to_owned();
    drop(aws);
    assert_eq!(processes_with(&endpoint)?, 0);
    assert!(TcpStream::connect(address).is_err());
    Ok(())
}

/// Runs a program in Python that can import the launcher, and returns how it ended and what it said.
fn with_the_launcher(program: &str) -> Result<(Option<i32>, String)> {
    let python = LocalAws::interpreter(&Options::default())?;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/local-aws");
    let begin = format!("import sys; sys.path.insert(0, {:?}); import launcher", folder.display().to_string());
    let output = Command::new(python).args(["-B", "-c", &format!("{begin}\n{program}")]).output()?;
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat();
    Ok((output.status.code(), said))
}

#[test]
fn functions_get_no_container_engine_no_proxy_and_no_folder_that_stays() -> Result<()> {
    let ask = "import json; print(json.dumps(launcher.environment(4566, '/home/of/the/run', True)))";
    let (_, said) = with_the_launcher(ask)?;
    let environment: std::collections::BTreeMap<String, String> = serde_json::from_str(&said)?;
    // Where an engine runs, MiniStack would run tasks and functions in containers.
    assert_eq!(environment["DOCKER_HOST"], "unix:///nonexistent");
    for folder in ["HOME", "TMPDIR", "STATE_DIR", "S3_DATA_DIR"] {
        assert!(environment[folder].starts_with("/home/of/the/run"), "{folder}");
    }
    for name in environment.keys() {
        assert!(!name.to_lowercase().contains("proxy") && !name.starts_with("NIGHTSHIFT"), "{name}");
    }
    Ok(())
}

#[test]
fn a_launcher_that_fails_says_why_and_ends_with_an_error() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().display().to_string();
    let fail = format!("sys.modules['alarms'] = None; sys.argv[1:] = ['--directory', {path:?}]; launcher.main()");
    let (code, said) = with_the_launcher(&fail)?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Traceback") && said.contains("alarms"), "{said}");
    Ok(())
}

#[test]
fn a_server_that_is_killed_is_told_as_that() -> Result<()> {
    let aws = start()?;
    let kill = Command::new("kill").args(["-KILL", &aws.process_id().to_string()]).status()?;
    assert!(kill.success());
    let error = aws.wait_until("a queue", || aws.create_queue("never").map(Some)).map(drop);
    let said = error.err().map(|it| it.to_string()).unwrap_or_default();
    assert!(said.contains("the local AWS has ended with signal: 9"), "{said}");
    Ok(())
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it looks at what the test itself has set")]
fn a_proxy_of_the_shell_is_not_asked_for_this_machine() -> Result<()> {
    const TOLD: &str = "HTTP_PROXY";
    if std::env::var_os(TOLD).is_some_and(|it| it == "http://127.0.0.1:9") {
        return start().map(drop);
    }
    // In a process of its own, because the environment belongs to all tests of this one.
    let mut again = Command::new(std::env::current_exe()?);
    again.args(["--exact", "a_proxy_of_the_shell_is_not_asked_for_this_machine"]);
    for variable in [TOLD, "HTTPS_PROXY", "ALL_PROXY", "http_proxy"] {
        again.env(variable, "http://127.0.0.1:9");
    }
    let output = again.env_remove("NO_PROXY").env_remove("no_proxy").output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

fn processes_with(variable: &str) -> Result<usize> {
    let environments = fs::read_dir("/proc")?.flatten().filter_map(|it| fs::read(it.path().join("environ")).ok());
    let has_it = |environment: &Vec<u8>| environment.split(|byte| *byte == 0).any(|it| it == variable.as_bytes());
    Ok(environments.filter(has_it).count())
}
