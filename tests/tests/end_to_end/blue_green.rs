//! The shop K-Food Shorts, whose `kfood-backend` CodeDeploy deploys blue/green.

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

const FUNCTION: &str = "nightshift-deploy-image";
const CLUSTER: &str = "kfood-cluster";
const SERVICE: &str = "kfood-backend";

/// The shop with `c0ffee1` live, which no deployment of CodeDeploy deployed.
fn kfood() -> Result<LocalAws> {
    let aws =
        LocalAws::start(Options { parameters: vec![("TimeZone".into(), "Asia/Seoul".into())], ..Options::default() })?;
    aws.push_image(SERVICE, "c0ffee1", "kfood 1")?;
    aws.ecs("CreateCluster", json!({"clusterName": CLUSTER}))?;
    let image = aws.image_uri(SERVICE, ":c0ffee1");
    let definition = aws.ecs(
        "RegisterTaskDefinition",
        json!({"family": SERVICE, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "1024",
               "memory": "2048", "containerDefinitions": [{"name": "app", "image": image, "essential": true}]}),
    )?;
    aws.ecs(
        "CreateService",
        json!({"cluster": CLUSTER, "serviceName": SERVICE, "desiredCount": 2, "launchType": "FARGATE",
               "taskDefinition": definition["taskDefinition"]["taskDefinitionArn"],
               "deploymentController": {"type": "CODE_DEPLOY"},
               "loadBalancers": [{"targetGroupArn": "arn:blue", "containerName": "app", "containerPort": 3000}],
               "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "DISABLED"}},
               "tags": [{"key": "nightshift:deploy", "value": "newest"}]}),
    )?;
    aws.codedeploy("CreateApplication", json!({"applicationName": "kfood", "computePlatform": "ECS"}))?;
    aws.codedeploy(
        "CreateDeploymentGroup",
        json!({"applicationName": "kfood", "deploymentGroupName": SERVICE,
               "ecsServices": [{"clusterName": CLUSTER, "serviceName": SERVICE}],
               "autoRollbackConfiguration": {"enabled": true, "events": ["DEPLOYMENT_FAILURE"]}}),
    )?;
    Ok(aws)
}

/// Waits until all traffic goes to tasks of this image, and none of any other are left.
fn wait_for(aws: &LocalAws, digest: &str) -> Result<()> {
    aws.wait_until(&format!("{SERVICE} to run {digest}"), || {
        let alone = aws.service(CLUSTER, SERVICE)?["taskSets"].as_array().is_some_and(|it| it.len() == 1);
        Ok((alone && aws.images(CLUSTER, SERVICE)?[0].ends_with(digest)).then_some(()))
    })
}

fn wait_for_message(aws: &LocalAws, subject: &str) -> Result<()> {
    aws.wait_until(&format!("the message '{subject}'"), || {
        Ok(aws.messages()?.iter().any(|it| it.subject.as_deref() == Some(subject)).then_some(()))
    })
}

fn run(aws: &LocalAws, payload: &Value) -> Result<Value> {
    let invocation = aws.invoke(FUNCTION, payload)?;
    assert_eq!(invocation.error, None, "{}", invocation.payload);
    Ok(invocation.payload)
}

fn deployments(aws: &LocalAws) -> Result<usize> {
    let answer =
        aws.codedeploy("ListDeployments", json!({"applicationName": "kfood", "deploymentGroupName": SERVICE}))?;
    Ok(answer["deployments"].as_array().map_or(0, Vec::len))
}

#[test]
fn a_push_goes_out_blue_green_and_what_is_bad_comes_back() -> Result<()> {
    let aws = kfood()?;
    let good = aws.push_image(SERVICE, "c0ffee2", "kfood 2")?;
    wait_for(&aws, &good)?;
    wait_for_message(&aws, "[Nightshift] kfood-cluster/kfood-backend: deploying c0ffee2 (was c0ffee1)")?;
    wait_for_message(&aws, "[Nightshift] kfood-cluster/kfood-backend: c0ffee2 is live")?;
    let report = run(&aws, &json!({}))?;
    assert_eq!((report["actions"].clone(), deployments(&aws)?), (json!([]), 1), "{report}");

    let bad = aws.push_image("elsewhere", "c0ffee3", "kfood 3")?;
    aws.rollouts_end_by_themselves(&[&bad])?;
    assert_eq!(aws.push_image(SERVICE, "c0ffee3", "kfood 3")?, bad);
    wait_for_message(&aws, "[Nightshift] kfood-cluster/kfood-backend: c0ffee3 is rejected, c0ffee2 stays")?;
    wait_for(&aws, &good)?;
    aws.wait_until("CodeDeploy to be done with undoing it", || {
        Ok((run(&aws, &json!({"dry_run": true}))?["skipped"].to_string().contains("c0ffee2 stays")).then_some(()))
    })?;
    // The one that deployed it, the one that failed, and the one by which CodeDeploy undid that.
    assert_eq!((run(&aws, &json!({}))?["actions"].clone(), deployments(&aws)?), (json!([]), 3));
    let own = aws.calls()?.into_iter().filter(|it| it.function.as_deref() == Some(FUNCTION));
    assert!(own.filter(|it| it.action == "UpdateService").count() == 0);
    Ok(())
}

#[test]
fn a_person_stops_what_is_under_way_and_goes_back_from_what_is_live() -> Result<()> {
    let aws = kfood()?;
    let live = aws.push_image(SERVICE, "c0ffee2", "kfood 2")?;
    wait_for(&aws, &live)?;
    wait_for_message(&aws, "[Nightshift] kfood-cluster/kfood-backend: c0ffee2 is live")?;
    aws.rollouts_wait()?;
    aws.push_image(SERVICE, "c0ffee3", "kfood 3")?;
    aws.wait_until("the new tasks to be there", || {
        Ok((aws.service(CLUSTER, SERVICE)?["taskSets"].as_array().map_or(0, Vec::len) == 2).then_some(()))
    })?;
    let rollback = json!({"rollback": {"service": "kfood-cluster/kfood-backend"}});
    let actions = |report: &Value| {
        let actions = report["actions"].as_array().into_iter().flatten();
        actions.map(|it| format!("{} {}", it["action"], it["outcome"]).replace('"', "")).collect::<Vec<_>>()
    };
    aws.rollouts_end_by_themselves(&[])?;
    assert_eq!(actions(&run(&aws, &rollback)?), ["reject done", "stop done"]);
    wait_for(&aws, &live)?;

    let mut rehearsed = rollback.clone();
    rehearsed["dry_run"] = json!(true);
    aws.wait_until("CodeDeploy to be done with undoing it", || {
        Ok((actions(&run(&aws, &rehearsed)?) == ["reject planned", "roll-back planned"]).then_some(()))
    })?;
    // A rejection is of one image: the one before it is rejected by itself.
    assert_eq!(actions(&run(&aws, &rollback)?), ["reject done", "roll-back done"]);
    wait_for(&aws, ":c0ffee1")
}
