//! From a push to a service that runs the image, with what can go wrong in between.

use std::thread;

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

pub const FUNCTION: &str = "nightshift-deploy-image";
pub const CLUSTER: &str = "truegul-production";

/// The shop TrueGul: two services on v1.0.0.
fn truegul() -> Result<LocalAws> {
    let aws = deployed()?;
    open_shop(&aws)?;
    Ok(aws)
}

fn deployed() -> Result<LocalAws> {
    LocalAws::start(Options { parameters: vec![("TimeZone".into(), "Asia/Seoul".into())], ..Options::default() })
}

fn open_shop(aws: &LocalAws) -> Result<()> {
    truegul_with(aws, "semver range=1.x")
}

/// Opens the shop with this tag on its API server.
pub fn truegul_with(aws: &LocalAws, rule: &str) -> Result<()> {
    aws.ecs("CreateCluster", json!({"clusterName": CLUSTER}))?;
    for (service, rule) in [("api-server", rule), ("ml-server", "newest")] {
        start(aws, service, &[("nightshift:deploy", rule)])?;
    }
    aws.forget_calls()
}

fn start(aws: &LocalAws, service: &str, tags: &[(&str, &str)]) -> Result<()> {
    let repository = format!("truegul-{service}");
    aws.push_image(&repository, "v1.0.0", &format!("{service} 1.0.0"))?;
    aws.start_service(CLUSTER, service, &aws.image_uri(&repository, ":v1.0.0"), tags).map(drop)
}

/// Waits until the service is set to the image and its rollout has ended.
pub fn wait_for(aws: &LocalAws, service: &str, digest: &str) -> Result<()> {
    aws.wait_until(&format!("{service} to run {digest}"), || {
        // The image first: read the other way round, the deployment may be the one before.
        let there = aws.images(CLUSTER, service)?[0].ends_with(digest);
        let deployment = aws.service(CLUSTER, service)?["deployments"][0].clone();
        Ok((there && deployment["rolloutState"] == "COMPLETED").then_some(()))
    })
}

pub fn wait_for_tag(aws: &LocalAws, service: &str, key: &str) -> Result<String> {
    aws.wait_until(&format!("{service} to carry {key}"), || tag(aws, service, key))
}

pub fn tag(aws: &LocalAws, service: &str, key: &str) -> Result<Option<String>> {
    let tags = aws.service(CLUSTER, service)?["tags"].clone();
    let found = tags.as_array().into_iter().flatten().find(|it| it["key"] == key);
    Ok(found.and_then(|it| it["value"].as_str()).map(str::to_owned))
}

pub fn wait_for_message(aws: &LocalAws, subject: &str) -> Result<String> {
    aws.wait_until(&format!("the message '{subject}'"), || {
        let message = aws.messages()?.into_iter().find(|it| it.subject.as_deref() == Some(subject));
        Ok(message.map(|it| it.body))
    })
}

pub fn run(aws: &LocalAws, payload: &Value) -> Result<Value> {
    let invocation = aws.invoke(FUNCTION, payload)?;
    assert_eq!(invocation.error, None, "{}", invocation.payload);
    Ok(invocation.payload)
}

fn revisions(aws: &LocalAws, family: &str) -> Result<usize> {
    let answer = aws.ecs("ListTaskDefinitions", json!({"familyPrefix": family}))?;
    Ok(answer["taskDefinitionArns"].as_array().map_or(0, Vec::len))
}

fn writes(aws: &LocalAws) -> Result<Vec<String>> {
    let own = aws.calls()?.into_iter().filter(|it| it.function.as_deref() == Some(FUNCTION));
    let read = |action: &str| ["Get", "Describe", "List", "Assume"].iter().any(|it| action.starts_with(it));
    Ok(own.map(|it| it.action).filter(|it| !read(it)).collect())
}

fn push_event(repository: &str, tag: &str, digest: &str) -> Value {
    json!({"version": "0", "source": "aws.ecr", "detail-type": "ECR Image Action", "resources": [],
           "detail": {"result": "SUCCESS", "repository-name": repository, "image-tag": tag, "image-digest": digest,
                      "action-type": "PUSH"}})
}

#[test]
fn a_push_deploys_the_image_and_nothing_deploys_it_twice() -> Result<()> {
    let aws = truegul()?;
    let digest = aws.push_image("truegul-api-server", "v1.1.0", "api-server 1.1.0")?;
    wait_for(&aws, "api-server", &digest)?;
    wait_for_message(&aws, "[Nightshift] truegul-production/api-server: deploying v1.1.0 (was v1.0.0)")?;
    let body = wait_for_message(&aws, "[Nightshift] truegul-production/api-server: v1.1.0 is live")?;
    assert!(
        body.contains(" | aws lambda invoke --region ap-northeast-2 --function-name nightshift-deploy-image "),
        "{body}"
    );
    assert!(wait_for_tag(&aws, "api-server", "nightshift-state:verdict")?.starts_with(&format!("won {digest} at=")));
    assert_eq!(aws.service(CLUSTER, "api-server")?["desiredCount"], 2);

    // The event again, an older one late, and the sweep: three runs that find nothing to do.
    aws.wait_until("the run that found it live to be over", || Ok((aws.messages()?.len() == 2).then_some(())))?;
    aws.forget_calls()?;
    for event in [
        push_event("truegul-api-server", "v1.1.0", &digest),
        push_event("truegul-api-server", "v1.0.0", "sha256:old"),
        json!({}),
    ] {
        let report = run(&aws, &event)?;
        assert_eq!((report["actions"].clone(), report["problems"].clone()), (json!([]), json!([])), "{report}");
        let reasons = report["skipped"].to_string();
        assert!(
            reasons.contains("runs v1.1.0, the one that 'semver range=1.x' selects in truegul-api-server"),
            "{reasons}"
        );
    }
    assert_eq!(writes(&aws)?, Vec::<String>::new());
    assert_eq!(revisions(&aws, "api-server")?, 2);
    assert_eq!(aws.messages()?.len(), 2);
    Ok(())
}

#[test]
fn whatever_order_events_come_in_and_without_any_the_end_is_the_same() -> Result<()> {
    // Events lost, doubled, swapped or late: the function is handed them here, and never the real ones.
    let end = |events: &dyn Fn(&str, &str) -> Vec<Value>| -> Result<(String, usize)> {
        let aws = deployed()?;
        let rules = aws.events("ListRules", json!({}))?;
        for rule in rules["Rules"].as_array().into_iter().flatten() {
            aws.events("DisableRule", json!({"Name": rule["Name"]}))?;
        }
        open_shop(&aws)?;
        let older = aws.push_image("truegul-ml-server", "v1.1.0", "ml-server 1.1.0")?;
        let newer = aws.push_image("truegul-ml-server", "v1.2.0", "ml-server 1.2.0")?;
        for event in events(&older, &newer) {
            run(&aws, &event)?;
        }
        wait_for(&aws, "ml-server", &newer)?;
        Ok((aws.images(CLUSTER, "ml-server")?[0].clone(), revisions(&aws, "ml-server")?))
    };
    let event = |tag: &str, digest: &str| push_event("truegul-ml-server", tag, digest);
    let in_order = end(&|older, newer| vec![event("v1.1.0", older), event("v1.2.0", newer)])?;
    let swapped = end(&|older, newer| vec![event("v1.2.0", newer), event("v1.1.0", older), event("v1.2.0", newer)])?;
    let swept = end(&|_, _| vec![json!({})])?;
    assert_eq!(in_order.1, 2, "the newest is deployed, whatever the event says");
    assert_eq!((&swapped, &swept), (&in_order, &in_order));
    Ok(())
}

#[test]
fn events_twice_newest_first_or_lost_do_no_harm() -> Result<()> {
    let aws = truegul()?;
    let push = |version: &str| aws.push_image("truegul-ml-server", version, &format!("ml-server {version}"));
    let live = |digest: &str| -> Result<()> {
        wait_for(&aws, "ml-server", digest)?;
        aws.wait_until("nothing to be left to do", || {
            Ok((run(&aws, &json!({"dry_run": true}))?["actions"] == json!([])).then_some(()))
        })
    };
    aws.deliver_events("twice")?;
    live(&push("v1.1.0")?)?;
    aws.deliver_events("held")?;
    push("v1.2.0")?;
    let newest = push("v1.3.0")?;
    aws.deliver_events("live")?;
    live(&newest)?;
    aws.deliver_events("lost")?;
    let lost = push("v1.4.0")?;
    run(&aws, &json!({}))?;
    aws.deliver_events("live")?;
    wait_for(&aws, "ml-server", &lost)?;
    run(&aws, &json!({}))?;
    live(&lost)?;
    assert_eq!(tag(&aws, "ml-server", "nightshift-state:rejected")?, None);
    assert!(aws.images(CLUSTER, "api-server")?[0].ends_with(":v1.0.0"), "the other service is as it was");
    Ok(())
}

#[test]
fn an_event_and_a_sweep_at_the_same_time_do_no_harm() -> Result<()> {
    let aws = truegul()?;
    let digest = aws.push_image("truegul-ml-server", "v1.1.0", "ml-server 1.1.0")?;
    let event = push_event("truegul-ml-server", "v1.1.0", &digest);
    thread::scope(|scope| {
        let runs: Vec<_> = [&event, &json!({}), &event]
            .map(|it| {
                let (aws, it) = (&aws, it.clone());
                scope.spawn(move || aws.invoke(FUNCTION, &it).map(drop))
            })
            .into();
        runs.into_iter().try_for_each(|it| it.join().unwrap())
    })?;
    wait_for(&aws, "ml-server", &digest)?;
    aws.wait_until("nothing to be left to do", || {
        Ok((run(&aws, &json!({"dry_run": true}))?["actions"] == json!([])).then_some(()))
    })?;
    assert!(aws.images(CLUSTER, "ml-server")?[0].ends_with(&digest));
    assert_eq!(tag(&aws, "ml-server", "nightshift-state:rejected")?, None);
    Ok(())
}

#[test]
fn a_bad_image_is_taken_back_told_and_not_tried_again() -> Result<()> {
    let aws = truegul()?;
    let good = aws.push_image("truegul-ml-server", "v1.1.0", "ml-server 1.1.0")?;
    wait_for(&aws, "ml-server", &good)?;
    let bad = aws.push_image("elsewhere", "v1.2.0", "ml-server 1.2.0")?;
    aws.rollouts_end_by_themselves(&[&bad])?;
    assert_eq!(aws.push_image("truegul-ml-server", "v1.2.0", "ml-server 1.2.0")?, bad);
    wait_for_message(&aws, "[Nightshift] truegul-production/ml-server: v1.2.0 is rejected, v1.1.0 stays")?;
    wait_for(&aws, "ml-server", &good)?;
    let rejected = wait_for_tag(&aws, "ml-server", "nightshift-state:rejected")?;
    assert!(rejected.starts_with(&bad) && rejected.contains(" by=ecs tag=v1.2.0"), "{rejected}");

    let report = run(&aws, &push_event("truegul-ml-server", "v1.2.0", &bad))?;
    assert_eq!(report["actions"], json!([]), "{report}");
    assert!(report["skipped"].to_string().contains("v1.2.0 is rejected; v1.1.0 stays"));

    let cleared = run(&aws, &json!({"clear": {"service": "truegul-production/ml-server"}, "dry_run": true}))?;
    assert!(cleared["actions"].to_string().contains("\"deploy\""), "{cleared}");
    let next = aws.push_image("truegul-ml-server", "v1.2.1", "ml-server 1.2.1")?;
    wait_for(&aws, "ml-server", &next)
}

#[test]
fn without_a_way_back_of_ecs_the_function_goes_back_itself_when_a_person_says_so() -> Result<()> {
    let aws = truegul()?;
    let digest = aws.push_image("truegul-api-server", "v1.1.0", "api-server 1.1.0")?;
    wait_for(&aws, "api-server", &digest)?;
    wait_for_tag(&aws, "api-server", "nightshift-state:verdict")?;
    let report = run(&aws, &json!({"rollback": {"service": "truegul-production/api-server"}}))?;
    let actions: Vec<_> =
        report["actions"].as_array().unwrap().iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["reject", "roll-back"], "{report}");
    aws.wait_until("v1.0.0 to run again", || {
        Ok(aws.images(CLUSTER, "api-server")?[0].ends_with(":v1.0.0").then_some(()))
    })?;
    assert_eq!(run(&aws, &json!({"dry_run": true}))?["actions"], json!([]));
    Ok(())
}

/// The commands that a message offers to take back what it tells of.
fn undos(body: &str) -> Vec<Value> {
    let payload = |line: &str| {
        let mut payload: Value = serde_json::from_str(line.strip_prefix("printf %s '")?.split_once('\'')?.0).ok()?;
        // A test reads the report, not the sentences.
        payload.as_object_mut()?.remove("format");
        Some(payload)
    };
    body.lines().filter_map(payload).collect()
}

/// What a person sees of a service: the image that it is set to, and what it remembers as rejected.
fn seen(aws: &LocalAws, service: &str) -> Result<(String, Option<String>)> {
    let image = aws.images(CLUSTER, service)?[0].clone();
    Ok((
        image.rsplit(['@', '/']).next().unwrap_or_default().to_owned(),
        tag(aws, service, "nightshift-state:rejected")?,
    ))
}

#[test]
fn every_undo_that_is_printed_restores_what_was_before_and_pasted_again_does_nothing() -> Result<()> {
    let aws = truegul()?;
    let before = seen(&aws, "api-server")?;
    let digest = aws.push_image("truegul-api-server", "v1.1.0", "api-server 1.1.0")?;
    wait_for(&aws, "api-server", &digest)?;
    wait_for_tag(&aws, "api-server", "nightshift-state:verdict")?;
    let deployed = seen(&aws, "api-server")?;
    let told = wait_for_message(&aws, "[Nightshift] truegul-production/api-server: deploying v1.1.0 (was v1.0.0)")?;
    let live = wait_for_message(&aws, "[Nightshift] truegul-production/api-server: v1.1.0 is live")?;
    assert_eq!(undos(&told), undos(&live));
    let back = undos(&live).remove(0);
    assert_eq!(back["rollback"]["image"], Value::from(digest.as_str()), "{back}");
    run(&aws, &back)?;
    aws.wait_until("v1.0.0 to run again", || Ok((seen(&aws, "api-server")?.0 == before.0).then_some(())))?;
    aws.wait_until("the way back to have ended", || {
        let deployment = aws.service(CLUSTER, "api-server")?["deployments"][0].clone();
        Ok((deployment["rolloutState"] == "COMPLETED").then_some(()))
    })?;
    assert_eq!(run(&aws, &back)?["actions"], json!([]), "pasted twice");
    // The way back has an undo as well.
    let told = aws.wait_until("the message of the way back", || {
        let message = aws.messages()?.into_iter().find(|it| it.body.contains("going back to v1.0.0 from v1.1.0"));
        Ok(message.map(|it| it.body))
    })?;
    for forth in undos(&told) {
        run(&aws, &forth)?;
    }
    wait_for(&aws, "api-server", &digest)?;
    assert_eq!(seen(&aws, "api-server")?, deployed);
    for forth in undos(&told) {
        assert_eq!(run(&aws, &forth)?["actions"], json!([]), "pasted twice: {forth}");
    }
    Ok(())
}

#[test]
fn a_mistyped_tag_is_told_once_and_stops_no_other_service() -> Result<()> {
    // The events of the opening would wake runs that look at the tag side by side, and each would tell of it.
    let aws = deployed()?;
    aws.deliver_events("lost")?;
    open_shop(&aws)?;
    for service in ["api-server", "ml-server"] {
        aws.wait_until("the first rollout to end", || {
            let rollout = aws.service(CLUSTER, service)?["deployments"][0]["rolloutState"].clone();
            Ok((rollout == "COMPLETED").then_some(()))
        })?;
    }
    aws.deliver_events("live")?;
    let arn = aws.service(CLUSTER, "ml-server")?["serviceArn"].clone();
    aws.ecs("TagResource", json!({"resourceArn": arn, "tags": [{"key": "nightshift:deploy", "value": "newst"}]}))?;
    let digest = aws.push_image("truegul-api-server", "v1.1.0", "api-server 1.1.0")?;
    wait_for(&aws, "api-server", &digest)?;
    wait_for_tag(&aws, "ml-server", "nightshift-state:problem")?;
    for _ in 0..2 {
        assert_eq!(run(&aws, &json!({}))?["problems"][0]["problem"], "bad-tag");
    }
    let told = aws.messages()?.iter().filter(|it| it.body.contains("Did you mean 'newest'?")).count();
    assert_eq!(told, 1);
    Ok(())
}

#[test]
fn iam_refuses_what_carries_no_tag_even_if_the_code_asks_for_it() -> Result<()> {
    let aws = truegul()?;
    start(&aws, "bare", &[])?;
    let digest = aws.push_image("truegul-bare", "v1.1.0", "bare 1.1.0")?;
    assert_eq!(run(&aws, &push_event("truegul-bare", "v1.1.0", &digest))?["actions"], json!([]));
    assert!(aws.images(CLUSTER, "bare")?[0].ends_with(":v1.0.0"));

    // The tag is taken away after the function has seen it and before it acts.
    aws.control(
        "POST",
        "faults",
        Some(json!([{"service": "ecs", "action": "RegisterTaskDefinition", "times": 1, "delay_seconds": 2}])),
    )?;
    let arn = aws.service(CLUSTER, "ml-server")?["serviceArn"].clone();
    aws.forget_calls()?;
    aws.push_image("truegul-ml-server", "v1.1.0", "ml-server 1.1.0")?;
    aws.wait_until("the function to have read the images", || {
        Ok(aws.calls()?.iter().any(|it| it.action == "DescribeImages" && it.function.is_some()).then_some(()))
    })?;
    aws.ecs("UntagResource", json!({"resourceArn": arn, "tagKeys": ["nightshift:deploy"]}))?;
    aws.wait_until("the message about the denied call", || {
        let denied = "UpdateService truegul-production/ml-server: AccessDenied";
        Ok(aws.messages()?.iter().any(|it| it.body.contains(denied)).then_some(()))
    })?;
    assert!(aws.images(CLUSTER, "ml-server")?[0].ends_with(":v1.0.0"));
    Ok(())
}

#[test]
fn every_command_in_the_samples_is_understood_by_the_real_function() -> Result<()> {
    let aws = truegul()?;
    aws.push_image("truegul-api-server", "v1.1.0", "api-server 1.1.0")
        .and_then(|it| wait_for(&aws, "api-server", &it))?;
    for sample in std::fs::read_dir(aws.workspace().join("events/deploy-image"))? {
        let path = sample?.path();
        let payload: Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
        let invocation = aws.invoke(FUNCTION, &payload)?;
        assert_eq!(invocation.error, None, "{}: {}", path.display(), invocation.payload);
    }
    let refused = aws.invoke(FUNCTION, &json!({"aprove": {"service": "a/b"}}))?;
    assert_eq!(refused.error, None, "a typo is an answer: {}", refused.payload);
    let text = refused.payload.to_string();
    assert!(text.contains("there is no command \\\"aprove\\\"") && text.contains("{} (look everywhere)"), "{text}");
    Ok(())
}

#[test]
fn a_rolling_deployment_pauses_for_a_person_who_lets_it_go_on_or_back() -> Result<()> {
    let aws = deployed()?;
    truegul_with(&aws, "newest approval=at-hook")?;
    let hook = json!({"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]});
    let pausing = json!({"lifecycleHooks": [hook], "deploymentCircuitBreaker": {"enable": true, "rollback": true}});
    aws.ecs("UpdateService", json!({"cluster": CLUSTER, "service": "api-server", "deploymentConfiguration": pausing}))?;
    let paused = |tag: &str| {
        let subject = format!("[Nightshift] truegul-production/api-server: {tag} is paused until ");
        aws.wait_until(&format!("the pause of {tag}"), || {
            let begins = |it: &Option<String>| it.as_deref().is_some_and(|it| it.starts_with(&subject));
            Ok(aws.messages()?.iter().any(|it| begins(&it.subject)).then_some(()))
        })
    };
    let answer = |command: &str, image: &str| {
        run(&aws, &json!({command: {"service": "truegul-production/api-server", "image": image}}))
    };
    let good = aws.push_image("truegul-api-server", "v1.1.0", "api-server 1.1.0")?;
    paused("v1.1.0")?;
    answer("approve", "v1.1.0")?;
    wait_for(&aws, "api-server", &good)?;
    wait_for_message(&aws, "[Nightshift] truegul-production/api-server: v1.1.0 is live")?;

    aws.push_image("truegul-api-server", "v1.2.0", "api-server 1.2.0")?;
    paused("v1.2.0")?;
    answer("reject", "v1.2.0")?;
    wait_for(&aws, "api-server", &good)?;
    wait_for_tag(&aws, "api-server", "nightshift-state:rejected")?;
    let made = writes(&aws)?;
    let count = |action: &str| made.iter().filter(|it| *it == action).count();
    assert_eq!(
        (count("UpdateService"), count("ContinueServiceDeployment"), count("StopServiceDeployment")),
        (2, 1, 1),
        "{made:?}"
    );
    Ok(())
}
