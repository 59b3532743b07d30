//! An image waits for a person and for a migration, and goes out when both said yes; a failed migration stops the next.

use serde_json::{Value, json};
use testkit::Result;

use super::Story;
use crate::function::{Run, decisions};
use crate::play::Play;
use crate::truegul::{API_SERVER, CLUSTER, DEPLOY, Service};
use crate::{screen, summary, telling};

pub const STORY: Story = Story {
    name: "gates",
    about: "An image waits for a person's yes and for its migration; a migration that fails stops the next one.",
    functions: &["deploy-image"],
    play,
};

const FUNCTION: &str = "deploy-image";
const FAMILY: &str = "truegul-production-migrate";

/// The API server, with a person and a migration before every image.
const GATED: Service =
    Service { rule: "semver range=1.x approval=manual migrate=truegul-production-migrate", ..API_SERVER };

/// Without the person.
const TRUSTED: Service = Service { rule: "semver range=1.x migrate=truegul-production-migrate", ..API_SERVER };

fn play(play: &Play) -> Result<()> {
    the_shop_as_it_is(play)?;
    a_person_is_asked(play)?;
    the_migration_runs(play)?;
    it_goes_out(play)?;
    a_migration_fails(play)?;
    summary::tell(play, FUNCTION, 3)
}

fn the_shop_as_it_is(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(1, "The shop as it is");
    screen::say(&format!(
        "TrueGul's API server on the cluster {CLUSTER} asks for two gates before every image: a person says yes, and a \
         task of the family {FAMILY} migrates the database."
    ));
    GATED.start(aws, "v1.0.0")?;
    let image = aws.image_uri(GATED.repository, ":v1.0.0");
    let containers =
        json!([{"name": "migrate", "image": image, "command": ["npm", "run", "migrate"], "essential": true}]);
    aws.ecs("RegisterTaskDefinition", json!({"family": FAMILY, "containerDefinitions": containers}))?;
    telling::services(aws, &[GATED])?;
    // A push and a first deployment.
    let runs = [play.run(FUNCTION)?, play.run(FUNCTION)?];
    let idle = runs.iter().all(Run::left_all_alone);
    screen::claim("opening the shop has woken deploy-image twice; it left everything as it was", idle, "a change")?;
    telling::no_message(play)
}

fn a_person_is_asked(play: &Play) -> Result<()> {
    play.chapter(2, "A new image is pushed, and a person is asked");
    play.aws().rollouts_wait()?;
    let digest = push(play, "v1.1.0")?;
    told_run(play)?.reason("api-server", "problem: needs-approval")?;
    let message =
        telling::message(play, "truegul-production/api-server: v1.1.0 waits for your approval (runs v1.0.0)")?;
    let command = format!(r#"{{"approve":{{"service":"truegul-production/api-server","image":"{digest}"}}"#);
    screen::claim("the message holds the command that lets it out", message.body.contains(&command), &message.body)?;
    stays(play, "v1.0.0", "api-server:1")
}

fn the_migration_runs(play: &Play) -> Result<()> {
    play.chapter(3, "A person says yes, and the migration runs");
    let report = asked(play, &approve("v1.1.0"))?;
    let task = &report["actions"][1]["after"];
    let revision = task["task_definition"].as_str().unwrap_or_default();
    screen::claim("it runs on a revision with the new image", revision == format!("{FAMILY}:2"), task)?;
    let run = task["started_by"].as_str().unwrap_or_default();
    screen::claim(&format!("the task names its run: startedBy {run}"), run.starts_with("ns-"), task)?;

    screen::say(
        "The answer comes twice, and the hourly sweep looks in between. The task is found, and not started again:",
    );
    for payload in [approve("v1.1.0"), json!({})] {
        let report = asked(play, &payload)?;
        screen::claim("nothing is planned", report["actions"] == json!([]), &report)?;
    }
    telling::no_message(play)?;
    stays(play, "v1.0.0", "api-server:1")
}

fn it_goes_out(play: &Play) -> Result<()> {
    play.chapter(4, "The migration ends well, and the image goes out");
    play.aws().end_tasks(FAMILY, 0)?;
    let event = task_event(play)?;
    telling::event(play, &event, "DeployImageFunction", "MigrationEnded")?;
    let run = told_run(play)?;
    run.reason("api-server", "record-migration")?;
    run.reason("api-server", "deploy")?;
    play.aws().end_rollout(&GATED.full_name(), "completed")?;
    play.run(FUNCTION)?.reason("api-server", "record-success")?;
    screen::say("The person who approved it waits for this:");
    telling::message(play, "truegul-production/api-server: v1.1.0 is live")?;
    stays(play, "v1.1.0", "api-server:2")
}

fn a_migration_fails(play: &Play) -> Result<()> {
    play.chapter(5, "A migration fails");
    screen::say("The team trusts its images by now, and takes the approval out of the tag. The migration stays:");
    screen::command(&format!("aws ecs tag-resource … --tags 'key={DEPLOY},value={}'", TRUSTED.rule));
    TRUSTED.retag(play.aws(), TRUSTED.rule)?;
    push(play, "v1.2.0")?;
    told_run(play)?.reason("api-server", "migrate")?;
    screen::say("The container of the migration exits with 3:");
    play.aws().end_tasks(FAMILY, 3)?;
    let run = told_run(play)?;
    run.reason("api-server", "reject")?;
    let message = telling::message(play, "truegul-production/api-server: v1.2.0 is rejected, v1.1.0 stays")?;
    let said = message.body.contains("container migrate exited with 3");
    screen::claim("the message says which container exited with what", said, &message.body)?;
    let tasks = play.calls_in_all(FUNCTION)?.iter().filter(|it| it.action == "RunTask").count();
    screen::claim("two images, two migrations, however often anybody looked", tasks == 2, tasks)?;
    stays(play, "v1.1.0", "api-server:2")
}

// ------------------------------------------------------------------------------------------------ turns of phrase

fn approve(version: &str) -> Value {
    json!({"approve": {"service": GATED.full_name(), "image": version}})
}

/// Pushes an image, and returns its digest.
fn push(play: &Play, version: &str) -> Result<String> {
    screen::command(&format!("docker push $REGISTRY/{}:{version}", GATED.repository));
    GATED.push(play.aws(), version)
}

/// The next run, with its decisions.
fn told_run(play: &Play) -> Result<Run> {
    let run = play.run(FUNCTION)?;
    screen::announce("run", &format!("{FUNCTION} ran for {:.0} ms and decided:", run.milliseconds));
    telling::decisions(&run.decisions);
    Ok(run)
}

/// Asks the function as a person does, and shows what it answers.
fn asked(play: &Play, payload: &Value) -> Result<Value> {
    screen::command(&format!(
        "printf %s '{payload}' | aws lambda invoke --function-name {} …",
        Play::full_name(FUNCTION)
    ));
    let report = play.ask(FUNCTION, payload)?;
    telling::decisions(&decisions(&report));
    Ok(report)
}

fn task_event(play: &Play) -> Result<Value> {
    play.event("that the migration has stopped", |it| {
        it["detail-type"] == "ECS Task State Change" && it["detail"]["lastStatus"] == "STOPPED"
    })
}

fn stays(play: &Play, version: &str, revision: &str) -> Result<()> {
    let now = GATED.describe(play.aws())?;
    let there = now.is_on(version, revision, "COMPLETED");
    screen::claim(&format!("api-server runs {version}, {revision}"), there, format_args!("{now:?}"))
}
