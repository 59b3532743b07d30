//! An image that is pushed runs; what is said twice or too late changes nothing; a bad image goes back by itself.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::Result;

use super::Story;
use crate::function::{Run, decisions, is_write};
use crate::play::Play;
use crate::truegul::{API_SERVER, CLUSTER, DEPLOY, Description, ML_SERVER, SERVICES, Service};
use crate::{screen, summary, telling};

pub const STORY: Story = Story {
    name: "deploy",
    about: "A pushed image goes live, repeats and late events change nothing, and a bad image goes back.",
    functions: &["deploy-image"],
    play,
};

const FUNCTION: &str = "deploy-image";

fn play(play: &Play) -> Result<()> {
    let first = the_shop_as_it_is(play)?;
    let push = a_new_image(play)?;
    the_same_again_and_a_late_one(play, &push, &first)?;
    a_bad_image(play)?;
    a_mistyped_tag(play)?;
    summary::tell(play, FUNCTION, 2)
}

/// Opens the shop and returns the digest of the API server's first image.
fn the_shop_as_it_is(play: &Play) -> Result<String> {
    let aws = play.aws();
    play.chapter(1, "The shop as it is");
    screen::say(&format!(
        "TrueGul runs two services on the ECS cluster {CLUSTER}. Each carries a tag that says which image of its \
         repository it wants. The stack of template.yaml is deployed as it is, and IAM holds the function to its role."
    ));
    let first = API_SERVER.start(aws, "v1.0.0")?;
    ML_SERVER.start(aws, "v1.0.0")?;
    telling::services(aws, &SERVICES)?;

    // Two pushes and two first deployments.
    let runs = (0..4).map(|_| play.run(FUNCTION)).collect::<Result<Vec<_>>>()?;
    let idle = runs.iter().all(Run::left_all_alone);
    screen::claim("opening the shop has woken deploy-image 4 times; it left everything as it was", idle, "a change")?;
    telling::no_message(play)?;
    screen::say("What would it do now? A dry run answers: nothing.");
    let dry_run = json!({"dry_run": true});
    invoked(&dry_run);
    let report = play.ask(FUNCTION, &dry_run)?;
    telling::decisions(&decisions(&report));
    let nothing = report["actions"] == json!([]) && report["problems"] == json!([]) && report["dry_run"] == true;
    let nothing = nothing && report["skipped"].as_array().is_some_and(|it| it.len() == SERVICES.len());
    screen::claim("both services are on the image that their tag selects", nothing, &report)?;
    play.calls(FUNCTION)?;
    Ok(first)
}

/// Returns the event of the push.
fn a_new_image(play: &Play) -> Result<Value> {
    play.chapter(2, "A new image is pushed");
    play.aws().rollouts_wait()?;
    let before = API_SERVER.describe(play.aws())?;
    let event = push(play, &API_SERVER, "v1.1.0")?;
    telling::event(play, &event, "DeployImageFunction", "ImagePushed")?;
    let run = told_run(play)?;
    run.reason("api-server", "deploy")?;
    run.reason("ml-server", "none")?;
    what_it_called(play)?;
    telling::no_message(play)?;
    screen::say("ECS has begun to replace the tasks, and DescribeServices shows both deployments:");
    let now = API_SERVER.describe(play.aws())?;
    telling::deployments(&now);
    let begun = now.is_on("v1.1.0", "api-server:2", "IN_PROGRESS") && now.deployments.len() == 2;
    screen::claim("v1.1.0 is on its way in, v1.0.0 still serves", begun, format_args!("{now:?}"))?;
    let image = format!("{}@{}", API_SERVER.repository, event["detail"]["image-digest"].as_str().unwrap_or_default());
    screen::claim("the new revision names the image by its digest", now.primary().image == image, &image)?;
    in_progress(play, &now)?;

    screen::say("The new tasks are healthy, and ECS ends the deployment:");
    completes(play, &API_SERVER, "v1.1.0")?;
    let now = API_SERVER.describe(play.aws())?;
    telling::deployments(&now);
    let live = now.is_on("v1.1.0", "api-server:2", "COMPLETED") && now.tasks == "2 of 2" && now.deployments.len() == 1;
    let change = format!("{}  →  {}", in_words(&before), in_words(&now));
    screen::claim(&change, live, format_args!("{now:?}"))?;
    Ok(event)
}

/// The calls of the run, and how long after the push it got to the last change.
fn what_it_called(play: &Play) -> Result<()> {
    let calls = play.calls(FUNCTION)?;
    let reads: Vec<&str> = calls.iter().filter(|it| !is_write(it)).map(|it| it.action.as_str()).collect();
    let writes: Vec<&str> = calls.iter().filter(|it| is_write(it)).map(|it| it.action.as_str()).collect();
    screen::fact("read", &counted(&reads));
    screen::fact("wrote", &counted(&writes));
    let expected = writes == ["RegisterTaskDefinition", "UpdateService"];
    screen::claim("one new revision, one update, and no other change", expected, counted(&writes))?;
    let all = play.aws().calls()?;
    let time = |action: &str| all.iter().rfind(|it| it.action == action).map(|it| it.time);
    let latency = time("UpdateService").zip(time("PutImage")).map(|(update, push)| update - push);
    let seconds = latency.unwrap_or(f64::NAN);
    screen::claim(&format!("the service was updated {seconds:.2} s after the push"), seconds < 30.0, seconds)
}

/// The event that a deployment of ours began must wake nobody.
fn in_progress(play: &Play, now: &Description) -> Result<()> {
    let began = deployment_event(play, &now.primary().id, "SERVICE_DEPLOYMENT_IN_PROGRESS")?;
    let rules = play.rules(&began)?.len();
    screen::claim("SERVICE_DEPLOYMENT_IN_PROGRESS matches no rule, so it wakes nothing", rules == 0, rules)
}

fn the_same_again_and_a_late_one(play: &Play, push: &Value, first: &str) -> Result<()> {
    play.chapter(3, "The same event again, and one that comes late");
    screen::say(
        "EventBridge delivers at least once and in no certain order. So the push of v1.1.0 is announced again:",
    );
    let mut detail = push["detail"].clone();
    nothing_happens(play, &detail)?;

    screen::say("And now the push of v1.0.0, long after it was overtaken. What counts is what the registry holds now:");
    detail["image-tag"] = "v1.0.0".into();
    detail["image-digest"] = first.into();
    nothing_happens(play, &detail)?;
    let now = API_SERVER.describe(play.aws())?;
    let same = now.is_on("v1.1.0", "api-server:2", "COMPLETED");
    screen::claim("api-server is still on v1.1.0, api-server:2", same, format_args!("{now:?}"))
}

/// Sends a push event that must change nothing, and quotes why.
fn nothing_happens(play: &Play, detail: &Value) -> Result<()> {
    play.calls(FUNCTION)?;
    let tag = detail["image-tag"].as_str().unwrap_or_default();
    screen::fact("event", &format!("\"ECR Image Action\" from aws.ecr: PUSH of {tag}"));
    play.aws().put_event("aws.ecr", "ECR Image Action", detail, &[])?;
    let run = told_run(play)?;
    screen::claim("nothing is planned", run.left_all_alone(), format_args!("{:?}", run.decisions))?;
    let calls = play.calls(FUNCTION)?;
    let writes: Vec<_> = calls.iter().filter(|it| is_write(it)).collect();
    let text = format!("the run made {} calls, none of which writes", calls.len());
    screen::claim(&text, writes.is_empty() && !calls.is_empty(), format_args!("{writes:?}"))?;
    telling::no_message(play)
}

fn a_bad_image(play: &Play) -> Result<()> {
    play.chapter(4, "A bad image");
    screen::say("The tasks of v1.2.0 will not start.");
    let pushed = Instant::now();
    let push = push(play, &API_SERVER, "v1.2.0")?;
    told_run(play)?.reason("api-server", "deploy")?;
    screen::say("After a few failed tasks the circuit breaker of ECS gives up and restores the tasks of v1.1.0:");
    let bad = API_SERVER.describe(play.aws())?.primary().id.clone();
    play.aws().end_rollout(&API_SERVER.full_name(), "failed")?;
    let failed = deployment_event(play, &bad, "SERVICE_DEPLOYMENT_FAILED")?;
    telling::event(play, &failed, "DeployImageFunction", "DeploymentEnded")?;
    let run = told_run(play)?;
    run.reason("api-server", "reject")?;
    telling::message(play, "truegul-production/api-server: v1.2.0 is rejected, v1.1.0 stays")?;
    let now = API_SERVER.describe(play.aws())?;
    telling::deployments(&now);
    let going_back = now.is_on("v1.1.0", "api-server:2", "IN_PROGRESS")
        && now.deployments.iter().any(|it| it.version == "v1.2.0" && it.rollout == "FAILED");
    screen::claim("ECS is going back to v1.1.0, and v1.2.0 has failed", going_back, format_args!("{now:?}"))?;
    let memory = now.tags.get("nightshift-state:rejected").cloned().unwrap_or_default();
    let digest = push["detail"]["image-digest"].as_str().unwrap_or_default();
    let remembered = memory.contains(digest) && !digest.is_empty();
    screen::fact("tag", &format!("nightshift-state:rejected = {memory}"));
    screen::claim("the service itself remembers it, by digest", remembered, &memory)?;

    screen::say("The way back ends as well. ECS calls that COMPLETED too, and it is not a success of v1.2.0:");
    play.aws().end_rollout(&API_SERVER.full_name(), "completed")?;
    let run = told_run(play)?;
    screen::claim("nothing is planned", run.left_all_alone(), format_args!("{:?}", run.decisions))?;
    let now = API_SERVER.describe(play.aws())?;
    let back = now.is_on("v1.1.0", "api-server:2", "COMPLETED");
    screen::claim("api-server is back on v1.1.0, api-server:2", back, format_args!("{now:?}"))?;
    telling::no_message(play)?;

    screen::say("The push of v1.2.0 is announced once more. It is not tried again:");
    nothing_happens(play, &push["detail"])?;

    screen::say("The repaired version is newer than the rejected one, and goes out:");
    // Push times are remembered to the second, and what is not a second younger counts as covered by the rejection.
    let later = || Ok((pushed.elapsed() > Duration::from_secs(1)).then_some(()));
    play.aws().wait_until("the second of the rejected push to pass", later)?;
    self::push(play, &API_SERVER, "v1.2.1")?;
    told_run(play)?.reason("api-server", "deploy")?;
    completes_again(play, &API_SERVER)?;
    let now = API_SERVER.describe(play.aws())?;
    telling::deployments(&now);
    let live = now.primary().version == "v1.2.1" && now.primary().rollout == "COMPLETED";
    screen::claim("v1.2.1 is live", live, format_args!("{now:?}"))
}

fn a_mistyped_tag(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(5, "A mistyped tag");
    screen::say("A person changes the tag of ml-server and misses a letter; then an image is pushed.");
    screen::command(&format!("aws ecs tag-resource … --tags key={DEPLOY},value=newst"));
    ML_SERVER.retag(aws, "newst")?;
    let event = push(play, &ML_SERVER, "v1.1.0")?;
    let run = told_run(play)?;
    run.reason("ml-server", "problem: bad-tag")?;
    let message = telling::message(play, "truegul-production/ml-server: nightshift:deploy: ")?;
    let hint = message.body.contains("newst") && message.body.contains("newest");
    screen::claim("the message quotes the word and names the one that was meant", hint, &message.body)?;
    let stays = ML_SERVER.describe(aws)?.is_on("v1.0.0", "ml-server:1", "COMPLETED");
    screen::claim("ml-server stays on v1.0.0: what cannot be read is left alone", stays, "another image")?;

    screen::say("The event comes twice. The log says it again, to people it is told once:");
    aws.put_event("aws.ecr", "ECR Image Action", &event["detail"], &[])?;
    told_run(play)?.reason("ml-server", "problem: bad-tag")?;
    telling::no_message(play)?;

    screen::say("The tag is corrected. Nothing announces that, but the hourly sweep sends {}, and so can a person:");
    ML_SERVER.retag(aws, ML_SERVER.rule)?;
    let sweep = json!({});
    invoked(&sweep);
    let report = play.ask(FUNCTION, &sweep)?;
    telling::decisions(&decisions(&report));
    completes_again(play, &ML_SERVER)?;
    telling::services(aws, &SERVICES)?;
    let now = ML_SERVER.describe(aws)?;
    screen::claim("ml-server is on v1.1.0", now.is_on("v1.1.0", "ml-server:2", "COMPLETED"), format_args!("{now:?}"))?;
    let forgotten = !now.tags.contains_key("nightshift-state:problem");
    screen::claim("and the problem is forgotten", forgotten, format_args!("{:?}", now.tags))
}

// ------------------------------------------------------------------------------------------------ turns of phrase

/// Pushes an image, as a pipeline does; returns the event.
fn push(play: &Play, service: &Service, version: &str) -> Result<Value> {
    screen::command(&format!("docker push $REGISTRY/{}:{version}", service.repository));
    service.push(play.aws(), version)?;
    play.event(&format!("that {version} was pushed"), |it| {
        it["detail"]["image-tag"] == version && it["detail"]["repository-name"] == service.repository
    })
}

/// The next run, with its decisions.
fn told_run(play: &Play) -> Result<Run> {
    let run = play.run(FUNCTION)?;
    screen::announce("run", &format!("{FUNCTION} ran for {:.0} ms and decided:", run.milliseconds));
    telling::decisions(&run.decisions);
    Ok(run)
}

/// Ends the rollout in progress well; the run that this leads to finds the image live.
fn completes(play: &Play, service: &Service, version: &str) -> Result<()> {
    let id = service.describe(play.aws())?.primary().id.clone();
    play.aws().end_rollout(&service.full_name(), "completed")?;
    let event = deployment_event(play, &id, "SERVICE_DEPLOYMENT_COMPLETED")?;
    telling::event(play, &event, "DeployImageFunction", "DeploymentEnded")?;
    let run = told_run(play)?;
    run.reason(service.name, "record-success")?;
    screen::say(&format!(
        "That {version} is live was to be expected, so the report of the next morning tells it; with the parameter \
         Routine=each it is a message at once."
    ));
    telling::no_message(play)
}

/// The same, not shown.
fn completes_again(play: &Play, service: &Service) -> Result<()> {
    play.aws().end_rollout(&service.full_name(), "completed")?;
    play.run(FUNCTION)?.reason(service.name, "record-success").map(drop)
}

/// What ECS says about a deployment.
fn deployment_event(play: &Play, id: &str, name: &str) -> Result<Value> {
    play.event(&format!("{name} of {id}"), |it| it["detail"]["eventName"] == name && it["detail"]["deploymentId"] == id)
}

fn invoked(payload: &Value) {
    screen::command(&format!(
        "printf %s '{payload}' | aws lambda invoke --function-name {} …",
        Play::full_name(FUNCTION)
    ));
}

/// `2 DescribeTaskDefinition, 1 GetResources`, in the order of their first call.
fn counted(actions: &[&str]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for action in actions {
        match counts.iter_mut().find(|(name, _)| name == action) {
            Some((_, count)) => *count += 1,
            None => counts.push((action, 1)),
        }
    }
    counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

fn in_words(it: &Description) -> String {
    format!("{} ({})", it.primary().version, it.primary().revision)
}
