//! EC2 instances and Auto Scaling groups, in the plan's own words.

use reconcile::Step as _;
use rules::keys;
use rules::sleep::Suspended;

use super::model::*;
use crate::plan::{Call, Command, Service, Step, Until};

fn with_instance(schedule: &str) -> Shop {
    Shop { instances: vec![instance("i-1", schedule)], ..nothing() }
}

fn first_step(shop: &Shop, now: &str) -> Step {
    shop.plan(&sweep(), &at(now)).steps.remove(0).step
}

#[test]
fn a_weekend_of_an_instance() {
    let mut shop = with_instance(HOURS);
    let step = first_step(&shop, "2026-11-20T20:00");
    assert_eq!(step.headline(), "shop: is stopped");
    // The memory first: a run that dies in between is finished by the next.
    let memory = "since=2026-11-20T11:00:00Z by=schedule of=i-1".to_owned();
    let stop = Call::StopInstance { id: "i-1".into(), hibernate: false };
    assert_eq!(step.calls, [Call::Remember(keys::ASLEEP, memory), stop]);
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    shop.check(
        "2026-11-21T03:00",
        &["+ i-1: it is stopped since Fri 2026-11-20 20:00 KST; 'mon-fri 08:00-20:00' wants it \
        asleep; wakes Mon 2026-11-23 08:00 KST"],
    );
    let step = first_step(&shop, "2026-11-23T08:00");
    assert_eq!(
        (step.headline().as_str(), &step.calls[0]),
        ("shop: is started", &Call::StartInstance { id: "i-1".into() })
    );
    shop.run_until_quiet(&at("2026-11-23T08:00"));
    assert_eq!(
        (shop.instances[0].state.as_str(), shop.instances[0].tags.contains_key(keys::ASLEEP)),
        ("running", false)
    );
}

#[test]
fn an_instance_is_not_stopped_under_a_deployment_to_it() {
    let command = |kind: &str| format!("{kind} key=ns-1 at=2026-11-20T10:58:00Z");
    let deploys = command(&format!("deploy sha256:{:064x}", 7));
    let mut shop = with_instance(HOURS);
    shop.instances[0].tags.insert(keys::COMMAND.into(), deploys.clone());
    let waits = "+ i-1: it is stopped once the deployment to it has ended; ";
    for now in ["2026-11-20T20:00", "2026-11-20T22:05"] {
        let lines = shop.lines(&sweep(), &at(now));
        assert!(lines.len() == 1 && lines[0].starts_with(waits), "{lines:?}");
    }
    // It has ended: the tag is gone. Or whoever would remove it is.
    let stops = |shop: &Shop, now: &str| {
        let plan = shop.plan(&sweep(), &at(now));
        plan.steps.iter().any(|it| it.step.headline() == "shop: is stopped")
    };
    assert!(stops(&shop, "2026-11-20T22:10"));
    // One that is refused is sent each hour: the night is not lost for that.
    shop.instances[0].tags.insert(keys::COMMAND.into(), format!("{deploys} again=true"));
    assert!(!stops(&shop, "2026-11-20T20:25") && stops(&shop, "2026-11-20T20:30"));
    for over in [None, Some(command("look")), Some("by hand".into())] {
        shop.instances[0].tags.remove(keys::COMMAND);
        shop.instances[0].tags.extend(over.map(|it| (keys::COMMAND.to_owned(), it)));
        assert!(stops(&shop, "2026-11-20T20:00"));
    }
    // Neither a budget nor a person stops it under the deployment; what it needs stays up with it.
    let tags = [(keys::COMMAND.to_owned(), deploys), (keys::HOLD.to_owned(), "the budget shop is used up".to_owned())];
    shop.instances[0].tags.extend(tags);
    shop.instances[0].tags.insert(keys::SCHEDULE.into(), "always after=app-db".into());
    shop.databases = vec![database("app-db", HOURS)];
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    assert_eq!(shop.database("app-db").status, "available");
    assert_eq!(shop.instances[0].state, "running");
    let asked = asking(&shop.instances[0].arn, Command::Sleep);
    shop.run(&asked, &at("2026-11-20T20:05"));
    assert_eq!(shop.instances[0].state, "running");
    shop.instances[0].tags.remove(keys::COMMAND);
    shop.run(&sweep(), &at("2026-11-20T20:10"));
    assert_eq!(shop.instances[0].state, "stopping");
}

#[test]
fn what_a_person_starts_at_night_stays_up_and_what_a_person_stopped_stays_stopped() {
    let mut shop = with_instance(HOURS);
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    let night = at("2026-11-20T23:00");
    (shop.instances[0].state, shop.instances[0].launched_at) = ("running".into(), Some(night.timestamp()));
    shop.check(
        "2026-11-20T23:00",
        &["* i-1 remember: was started by hand, so it stays up until Mon 2026-11-23 08:00 KST | \
        nightshift-state:awake-until keeps it awake until Mon 2026-11-23 08:00 KST; sleeps Mon 2026-11-23 20:00 KST"],
    );
    shop.run_until_quiet(&night);
    assert_eq!(shop.instances[0].state, "running");

    let mut stopped = with_instance(HOURS);
    (stopped.instances[0].state, stopped.instances[0].stopped_at) =
        ("stopped".into(), Some(at("2026-11-20T15:00").timestamp()));
    stopped.run_until_quiet(&at("2026-11-20T20:00"));
    stopped.run_until_quiet(&at("2026-11-23T08:00"));
    assert_eq!(stopped.instances[0].state, "stopped");

    // One that has lost its memory was stopped in its sleep, and wakes.
    let mut lost = with_instance(HOURS);
    lost.run_until_quiet(&at("2026-11-20T20:00"));
    lost.instances[0].tags.remove(keys::ASLEEP);
    lost.run_until_quiet(&at("2026-11-20T23:00"));
    lost.run_until_quiet(&at("2026-11-23T08:00"));
    assert_eq!(lost.instances[0].state, "running");
}

#[test]
fn what_cannot_sleep_is_left_alone_with_the_reason() {
    let check = |change: fn(&mut Shop), expected: &str| {
        let mut shop = with_instance(HOURS);
        change(&mut shop);
        let lines = shop.lines(&sweep(), &at("2026-11-20T20:00"));
        assert!(lines.len() == 1 && lines[0].contains(expected), "{lines:?}");
    };
    let in_group =
        |shop: &mut Shop| drop(shop.instances[0].tags.insert("aws:autoscaling:groupName".into(), "web".into()));
    check(
        in_group,
        "! i-1 group-member: it belongs to the Auto Scaling group web, which would replace a stopped instance",
    );
    check(
        |it| it.instances[0].lifecycle = Some("spot".into()),
        "! i-1 not-stoppable: it was not bought on demand (spot)",
    );
    check(
        |it| it.instances[0].root_device = "instance-store".into(),
        "! i-1 not-stoppable: its root volume is an instance",
    );
    check(
        |it| it.instances[0].operator = Some("eks.amazonaws.com".into()),
        "! i-1 managed-instance: it is managed by eks",
    );
    check(|it| it.instances[0].state = "terminated".into(), "+ i-1: it is terminated");
    check(|it| it.instances[0].state = "pending".into(), "+ i-1: it is pending");
    let tagged = |value: &'static str| {
        move |it: &mut Shop| drop(it.instances[0].tags.insert(keys::SCHEDULE.into(), value.into()))
    };
    for (value, expected) in [
        ("never hibernate=true", "! i-1 no-hibernation: hibernate=true, but hibernation was not configured"),
        ("never off=1", "! i-1 bad-tag: nightshift:schedule: off= is for services and Auto Scaling groups"),
        ("never maintenance=awake", "! i-1 bad-tag: nightshift:schedule: maintenance=awake is for databases"),
        ("never after=ec2:i-2", "! i-1 bad-tag: nightshift:schedule: after=ec2:… and after=asg:… are for services"),
    ] {
        let mut shop = with_instance(HOURS);
        tagged(value)(&mut shop);
        let lines = shop.lines(&sweep(), &at("2026-11-20T20:00"));
        assert!(lines.iter().any(|it| it.contains(expected)), "{lines:?}");
    }
    // A group hands its tag on to its instances: those are not told.
    let mut shop = with_instance(HOURS);
    in_group(&mut shop);
    shop.services.push(group("web", HOURS, 2, 1, 4));
    assert!(
        shop.lines(&sweep(), &at("2026-11-20T12:00")).contains(
            &"+ i-1: it belongs to the Auto Scaling group web, which \
        sleeps as a whole"
                .to_owned()
        )
    );
}

#[test]
fn an_instance_hibernates_where_that_was_configured() {
    let mut shop = with_instance("never hibernate=true");
    shop.instances[0].can_hibernate = true;
    let step = first_step(&shop, "2026-11-20T20:00");
    assert_eq!(
        (step.headline.as_str(), &step.calls[1]),
        ("hibernates", &Call::StopInstance { id: "i-1".into(), hibernate: true })
    );
}

#[test]
fn a_refusal_is_told_with_what_to_do_and_tried_again_after_an_hour() {
    let mut shop = with_instance(HOURS);
    let refused =
        "since=2026-11-20T11:00:00Z StopInstances i-1: OperationNotPermitted: The instance i-1 may not be stopped.";
    shop.instances[0].tags.insert(keys::REFUSED.into(), refused.into());
    let told = shop.lines(&sweep(), &at("2026-11-20T20:30"));
    assert!(
        told.iter()
            .any(|it| it.contains("not-stoppable: it is protected from being stopped: turn its stop protection off")),
        "{told:?}"
    );
    assert!(first_step(&shop, "2026-11-20T21:00").is_stop());

    shop.instances[0].tags.remove(keys::REFUSED);
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    let refused = "since=2026-11-22T23:00:00Z StartInstances i-1: InsufficientInstanceCapacity: no capacity";
    shop.instances[0].tags.insert(keys::REFUSED.into(), refused.into());
    let told = shop.lines(&sweep(), &at("2026-11-23T08:30"));
    assert!(told.iter().any(|it| it.contains("no-capacity: AWS has no capacity for its instance type")), "{told:?}");
    assert!(first_step(&shop, "2026-11-23T09:00").is_start());
    // A person does not wait.
    let wake = asking(&shop.instances[0].arn, Command::Wake(Until::NextChange));
    assert!(shop.plan(&wake, &at("2026-11-23T08:30")).steps.iter().any(|it| it.step.is_start()));
}

#[test]
fn one_that_does_not_stay_up_is_told_with_what_ec2_says() {
    let mut shop = with_instance(HOURS);
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    shop.run(&sweep(), &at("2026-11-23T08:00"));
    (shop.instances[0].state, shop.instances[0].state_reason) =
        ("stopped".into(), Some("Client.InternalError: Client error on launch".into()));
    let told = shop.lines(&sweep(), &at("2026-11-23T08:05"));
    assert!(
        told[1].contains("not-up: it was started and is stopped again; EC2 says: Client.InternalError"),
        "{told:?}"
    );
    assert!(first_step(&shop, "2026-11-23T08:30").is_start());
}

#[test]
fn a_weekend_of_a_group() {
    let mut shop = shop(vec![group("web", HOURS, 3, 2, 6)], vec![]);
    shop.services[0].target.as_mut().unwrap().suspended.scheduled = true;
    let step = first_step(&shop, "2026-11-20T20:00");
    assert_eq!(step.headline(), "web: goes to sleep (3 -> 0 instances)");
    assert!(
        matches!(&step.calls[..], [Call::Remember(keys::ASLEEP, it), Call::Limits { min: 0, suspended: Suspended::ALL, .. },
            Call::Count { desired: 0, .. }] if it.contains("desired=3 min=2 max=6 suspended=scheduled")),
        "{:?}",
        step.calls
    );
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    shop.run_until_quiet(&at("2026-11-23T08:00"));
    let web = shop.service("web");
    // What a person had suspended stays so.
    let suspended = Suspended { scheduled: true, ..Suspended::default() };
    assert_eq!((web.desired, web.target.unwrap().min, web.target.unwrap().suspended), (3, 2, suspended));
}

#[test]
fn a_group_is_not_put_to_sleep_under_the_first_deployment_of_an_image_to_it() {
    let mut shop = shop(vec![group("web", HOURS, 3, 2, 6)], vec![]);
    let command = format!("deploy sha256:{:064x} key=ns-1 at=2026-11-20T10:58:00Z on=i-1", 7);
    shop.services[0].tags.insert(keys::COMMAND.into(), command);
    let waits = "+ web: a deployment is in progress, which the next run looks at again; ";
    let sleeps = |shop: &Shop, now: &str| match &shop.lines(&sweep(), &at(now))[..] {
        [only] if only.starts_with(waits) => false,
        [only] if only.contains("goes to sleep (3 -> 0 instances)") => true,
        other => panic!("{other:?}"),
    };
    // Whoever would remove it may be gone.
    assert!(
        !sleeps(&shop, "2026-11-20T20:00") && !sleeps(&shop, "2026-11-20T22:05") && sleeps(&shop, "2026-11-20T22:10")
    );
    // Neither a budget nor a person has it terminated under the deployment.
    let arn = shop.services[0].arn.clone();
    shop.run(&asking(&arn, Command::Sleep), &at("2026-11-20T20:00"));
    assert_eq!(shop.service("web").desired, 3);
    shop.services[0].tags.insert(keys::HOLD.into(), "the budget shop is used up".into());
    shop.run(&sweep(), &at("2026-11-20T20:05"));
    assert_eq!(shop.service("web").desired, 3);
    shop.services[0].tags.remove(keys::COMMAND);
    assert!(sleeps(&shop, "2026-11-20T20:10"));
}

#[test]
fn a_group_is_held_and_boosted_as_a_service_is() {
    let mut shop = shop(vec![group("web", "always", 2, 1, 4)], vec![]);
    shop.services[0].tags.insert(keys::BOOST.into(), "step=1 until=2026-11-20T14:00".into());
    let step = first_step(&shop, "2026-11-20T12:00");
    assert!(step.headline().starts_with("web: gets more instances (2 -> 3 instances) until"), "{}", step.headline());
    shop.services[0].tags.insert(keys::HOLD.into(), "no money".into());
    shop.run_until_quiet(&at("2026-11-20T12:00"));
    assert_eq!(shop.service("web").desired, 0);
    let untag = first_step(
        &Shop { services: vec![Service { desired: 2, ..group("web", "always", 2, 1, 4) }], ..nothing() }.held(),
        "2026-11-20T12:00",
    );
    let undo = untag.undo().unwrap().command_line("nightshift-scale-staging", None);
    assert!(undo.contains("aws autoscaling delete-tags --tags"), "{undo}");
}

#[test]
fn services_sleep_before_their_capacity_and_wake_after_it() {
    let api = service("api", &format!("{HOURS} after=asg:web+ec2:shop"), 2);
    let mut shop = shop(vec![api, group("web", HOURS, 2, 1, 4)], vec![]);
    shop.services[1].tags.insert("AmazonECSManaged".into(), "true".into());
    shop.instances.push(instance("i-1", HOURS));
    let evening = at("2026-11-20T20:00");
    shop.run(&sweep(), &evening);
    assert_eq!(
        (shop.service("api").desired, shop.service("web").desired, shop.instances[0].state.as_str()),
        (0, 2, "running")
    );
    let waits = shop.lines(&sweep(), &at("2026-11-20T20:05"));
    assert!(
        waits.iter().any(|it| it.starts_with("+ web: it is stopped once the tasks of api have ended")),
        "{waits:?}"
    );
    shop.run_until_quiet(&evening);
    assert_eq!((shop.service("web").desired, shop.instances[0].state.as_str()), (0, "stopped"));

    let morning = at("2026-11-23T08:00");
    shop.run(&sweep(), &morning);
    assert_eq!(
        (shop.service("api").desired, shop.service("web").desired, shop.instances[0].state.as_str()),
        (0, 2, "pending")
    );
    let waits = shop.lines(&sweep(), &at("2026-11-23T08:30"));
    assert!(waits.iter().any(|it| it.starts_with("! api machine-not-up: after=asg:web: it is not woken")), "{waits:?}");
    shop.run_until_quiet(&morning);
    assert_eq!(shop.service("api").desired, 2);
}

#[test]
fn capacity_of_ecs_that_no_service_names_and_names_of_nothing_are_told() {
    let mut shop =
        shop(vec![group("web", HOURS, 2, 1, 4), service("api", &format!("{HOURS} after=asg:wep"), 1)], vec![]);
    shop.services[0].tags.insert("AmazonECSManaged".into(), "true".into());
    let lines = shop.lines(&sweep(), &at("2026-11-20T12:00"));
    assert!(
        lines.iter().any(|it| it.contains("no-such-machine: after=asg:wep: there is nothing of that name")),
        "{lines:?}"
    );
    let lines = shop.lines(&sweep(), &at("2026-11-20T20:00"));
    assert!(lines.iter().any(|it| it.contains("! web ecs-capacity: it is the capacity of ECS services")), "{lines:?}");
}

#[test]
fn a_database_stays_up_as_long_as_an_instance_that_needs_it() {
    let mut shop = shop(vec![], vec![database("app-db", HOURS)]);
    shop.instances.push(instance("i-1", &format!("{HOURS} after=app-db")));
    shop.run(&sweep(), &at("2026-11-20T20:00"));
    assert_eq!(
        (shop.databases[0].database.status.as_str(), shop.instances[0].state.as_str()),
        ("available", "stopping")
    );
    shop.run_until_quiet(&at("2026-11-20T20:05"));
    assert_eq!(shop.database("app-db").status, "stopped");
    shop.run(&sweep(), &at("2026-11-23T08:00"));
    assert_eq!((shop.databases[0].database.status.as_str(), shop.instances[0].state.as_str()), ("starting", "stopped"));
    shop.run_until_quiet(&at("2026-11-23T08:00"));
    assert_eq!(shop.instances[0].state, "running");
}

#[test]
fn a_copy_of_an_instance_forgets_the_memory_of_the_other() {
    let mut shop = with_instance(HOURS);
    shop.instances[0].tags.insert(keys::ASLEEP.into(), "since=2026-11-20T11:00:00Z by=schedule of=i-9".into());
    let line = shop.lines(&sweep(), &at("2026-11-20T12:00")).remove(0);
    assert!(line.starts_with("* i-1 remember: forgets what its tags say of another instance"), "{line}");
}

#[test]
fn machines_that_sleep_and_lost_their_tag_are_told() {
    let mut shop = with_instance(HOURS);
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    shop.instances[0].tags.remove(keys::SCHEDULE);
    let line = shop.lines(&sweep(), &at("2026-11-21T03:00")).remove(0);
    assert!(line.starts_with("! i-1 left-behind: nothing wakes it: it has lost its tag nightshift:schedule; it was put to sleep on Fri 2026-11-20 20:00 KST"), "{line}");
}

#[test]
fn a_person_who_puts_capacity_to_sleep_under_a_service_is_told_to_begin_with_the_service() {
    let api = service("api", &format!("{HOURS} after=asg:web"), 2);
    let mut shop = shop(vec![api, group("web", HOURS, 2, 1, 4)], vec![]);
    let asked = asking(&shop.services[1].arn, Command::Sleep);
    let told = shop.lines(&asked, &at("2026-11-20T12:00"));
    assert!(told.iter().any(|it| it.starts_with("! web in-use: it cannot be put to sleep now: ")), "{told:?}");
    shop.run(&asked, &at("2026-11-20T12:00"));
    assert_eq!(shop.service("web").desired, 2);
}
