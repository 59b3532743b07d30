//! Which images go and why the others stay: laws and stories.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan};
use proptest::collection::vec;
use proptest::prelude::*;
use reconcile::{Plan, Step as _};
use rules::keys;

use super::model::{now, world};
use choose::kind::Kind;

use crate::plan::images::Named;
use crate::plan::{
    Group, Image, Instance, PinnedImage, Repository, Service, Step, Task, TaskDefinition, Usage, World, plan,
};

const ARN: &str = "arn:aws:ecr:ap-northeast-2:123456789012:repository/api";

fn digest(number: usize) -> String {
    format!("sha256:{number:064x}")
}

/// An image that was pushed `hours` ago.
fn image(number: usize, tag: &str, hours: i64) -> Image {
    Image {
        digest: digest(number),
        tags: if tag.is_empty() { vec![] } else { vec![tag.into()] },
        pushed_at: Some(now().timestamp() - hours.hours()),
        kind: Kind::Single,
        children: vec![],
        subject: None,
    }
}

fn shelf(rule: &str, images: Vec<Image>, usage: Usage) -> World {
    let tags = BTreeMap::from([(keys::KEEP_IMAGES.to_owned(), rule.to_owned())]);
    let repository = Repository { arn: ARN.into(), name: "api".into(), tags, images: Ok(images) };
    World { repositories: Ok(vec![repository]), usage: Ok(usage), ..world(vec![], vec![]) }
}

fn images(world: &World) -> &Vec<Image> {
    world.repositories.as_ref().unwrap()[0].images.as_ref().unwrap()
}

fn doomed(plan: &Plan<Step>) -> Vec<String> {
    let steps = plan.steps.iter().filter_map(|it| match &it.step {
        Step::DeleteImages(it) => Some(it.batches.concat()),
        Step::DeleteSnapshot(_) => None,
    });
    steps.flatten().collect()
}

/// Deletes what `plan` says, as ECR does: not what an index still lists.
fn applied(plan: &Plan<Step>, mut world: World) -> World {
    for planned in &plan.steps {
        let Step::DeleteImages(delete) = &planned.step else { continue };
        let repository = &mut world.repositories.as_mut().unwrap()[0];
        let images = repository.images.as_mut().unwrap();
        for batch in &delete.batches {
            assert!(batch.len() <= 100);
            let listed = |it: &String| images.iter().any(|index| index.children.contains(it));
            assert!(!batch.iter().any(listed), "ImageReferencedByManifestList");
            images.retain(|it| !batch.contains(&it.digest));
        }
    }
    world
}

#[track_caller]
fn check(world: &World, expected: &[&str]) {
    let plan = plan(world, &now());
    testkit::told::keep("prune-backups", &plan);
    let gone = plan.steps.iter().map(|it| format!("- {}: {}", it.step.before().as_str().unwrap(), it.reason));
    let kept = plan.skipped.iter().map(|it| format!("+ {}", it.reason));
    let wrong = plan.problems.iter().map(|it| format!("! {}: {}", it.problem, it.message));
    assert_eq!(gone.chain(kept).chain(wrong).collect::<Vec<_>>(), expected);
}

/// What a task definition named `by` names.
fn used(image: &str, by: &str) -> Usage {
    define(by, image, Usage::default())
}

fn define(name: &str, image: &str, mut usage: Usage) -> Usage {
    usage.definitions.insert(name.into(), TaskDefinition { images: vec![image.into()], ..TaskDefinition::default() });
    usage
}

/// A service that runs `image`, with the tag `nightshift:deploy` if it has a rule.
fn served(image: &str, rule: Option<&str>, tasks: i32, deployed: Option<Timestamp>) -> Usage {
    let mut usage = used(image, "api:7");
    usage.services.push(Service {
        name: "shop/api".into(),
        task_definitions: vec!["api:7".into()],
        tasks,
        deployed_at: deployed,
        tags: rule.iter().map(|it| (keys::DEPLOY.into(), it.to_string())).collect(),
        ..Service::default()
    });
    usage
}

#[test]
fn keeps_the_newest_and_what_is_in_use_by_tag_or_digest() {
    let all = || (1..=5).map(|it| image(it as usize, &format!("v{it}"), 600 - 100 * it)).collect::<Vec<_>>();
    check(
        &shelf("count=2", all(), Usage::default()),
        &[
            "- v1, v2, v3: not kept by count=2, and not in use",
            "+ v4: one of the newest 2",
            "+ v5: one of the newest 2",
        ],
    );
    let kept = [
        "- v1, v3: not kept by count=2, and not in use",
        "+ v2: used by web:7",
        "+ v4: one of the newest 2",
        "+ v5: one of the newest 2",
    ];
    check(&shelf("count=2", all(), used("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/api:v2", "web:7")), &kept);
    check(&shelf("count=2", all(), used(&format!("elsewhere@{}", digest(2)), "web:7")), &kept);
    // A tag of another repository is another image.
    let other = shelf("count=4", all(), used("web:v1", "web:7"));
    assert_eq!(doomed(&plan(&other, &now())), [digest(1)]);
}

/// An instance with these memories.
fn instance(tags: &[(&str, String)]) -> Usage {
    let mut tags: BTreeMap<String, String> = tags.iter().map(|(key, it)| ((*key).to_owned(), it.clone())).collect();
    tags.insert("Name".into(), "web-1".into());
    let arn = "arn:aws:ec2:ap-northeast-2:123456789012:instance/i-0abc".into();
    Usage { instances: vec![Instance { arn, tags }], ..Usage::default() }
}

#[test]
fn what_only_an_instance_runs_or_can_go_back_to_stays() {
    let all = || (1..=5).map(|it| image(it as usize, &format!("v{it}"), 600 - 100 * it)).collect::<Vec<_>>();
    let runs = |now: &str| format!("{now} at=2026-11-20T03:00:00Z before={}", &digest(1)[71 - 12..]);
    check(
        &shelf("count=1", all(), instance(&[(keys::RUNS, runs(&digest(2)))])),
        &[
            "- v3, v4: not kept by count=1, and not in use",
            "+ v1: used by the instance web-1, which can go back to it",
            "+ v2: used by the instance web-1",
            "+ v5: one of the newest 1",
        ],
    );
    // Stopped, with an older image on its way to it, which a person approved.
    let tags = [
        (keys::RUNS, runs("none")),
        (keys::COMMAND, format!("deploy {} key=ns-1 at=2026-11-20T03:00:00Z", digest(3))),
        (keys::APPROVED, format!("{} at=2026-11-20T03:00:00Z", digest(3))),
    ];
    assert_eq!(doomed(&plan(&shelf("count=1", all(), instance(&tags)), &now())), [digest(2), digest(4)]);
    // What is newer than what runs may wait for a person.
    let rule = "newest repository=api path=/srv/app service=api approval=manual".to_owned();
    let tags = [(keys::RUNS, format!("{} at=2026-11-20T03:00:00Z", digest(3))), (keys::DEPLOY, rule)];
    assert_eq!(doomed(&plan(&shelf("count=1", all(), instance(&tags)), &now())), [digest(1), digest(2)]);
    // Whoever changed the memory by hand changed what is known to run.
    let told = plan(&shelf("count=1", all(), instance(&[(keys::RUNS, "v2".into())])), &now());
    assert!(doomed(&told).is_empty());
    assert!(told.problems[0].message.ends_with("on the instance web-1: correct the tag or remove it"), "{told:?}");
}

#[test]
fn what_the_instances_of_a_group_get_stays_while_it_has_none() {
    let all = || (1..=5).map(|it| image(it as usize, &format!("v{it}"), 600 - 100 * it)).collect::<Vec<_>>();
    let group = |tags: &[(&str, String)]| {
        let tags = tags.iter().map(|(key, it)| ((*key).to_owned(), it.clone())).collect();
        Usage { groups: vec![Group { name: "web".into(), tags }], ..Usage::default() }
    };
    let verdict = || (keys::VERDICT, format!("won {} at=2026-11-20T03:00:00Z", digest(2)));
    let approved = (keys::APPROVED, format!("{} at=2026-11-20T03:00:00Z", digest(3)));
    let runs = format!("{} at=2026-11-20T03:00:00Z before={}", digest(2), &digest(1)[71 - 12..]);
    check(
        &shelf("count=1", all(), group(&[verdict(), approved, (keys::RUNS, runs)])),
        &[
            "- v4: not kept by count=1, and not in use",
            "+ v1: used by the Auto Scaling group web, which can go back to it",
            "+ v2: used by the Auto Scaling group web, whose instances get it",
            "+ v3: used by the Auto Scaling group web, for which it is approved",
            "+ v5: one of the newest 1",
        ],
    );
    let rule = "newest repository=api path=/srv/app service=api approval=manual".to_owned();
    let told = plan(&shelf("count=1", all(), group(&[verdict(), (keys::DEPLOY, rule)])), &now());
    assert_eq!(doomed(&told), [digest(1)]);
    let told = plan(&shelf("count=1", all(), group(&[(keys::VERDICT, "v2".into())])), &now());
    assert!(doomed(&told).is_empty());
    let said = &told.problems[0].message;
    assert!(said.ends_with("on the Auto Scaling group web: correct the tag or remove it"), "{said}");
}

#[test]
fn an_index_goes_before_what_it_lists_and_stays_with_it() {
    let mut old = image(3, "v1", 500);
    old.children = vec![digest(1), digest(2)];
    let mut new = image(5, "v2", 400);
    // Both indexes list the same image for one of the platforms.
    new.children = vec![digest(2), digest(4)];
    let parts = || vec![image(1, "", 500), image(2, "", 500), old.clone(), image(4, "", 400), new.clone()];
    let plan = plan(&shelf("count=1", parts(), Usage::default()), &now());
    testkit::told::keep("prune-backups", &plan);
    let Step::DeleteImages(delete) = &plan.steps[0].step else { panic!("{plan:?}") };
    assert_eq!(delete.batches, [vec![digest(3)], vec![digest(1)]]);
    assert_eq!(plan.steps[0].step.counts_as().0, 2);
    // A task that runs one platform keeps the whole index.
    let platform = used(&format!("api@{}", digest(1)), "the task 1");
    assert_eq!(doomed(&crate::plan::plan(&shelf("count=1", parts(), platform), &now())), Vec::<String>::new());
}

#[test]
fn a_signature_goes_with_what_it_is_about_and_takes_no_place_of_the_newest() {
    let mut referrer = image(11, "", 390);
    referrer.subject = Some(digest(1));
    let cosign = image(12, &format!("sha256-{}.sig", digest(2).trim_start_matches("sha256:")), 1);
    let all = vec![image(1, "v1", 400), image(2, "v2", 300), referrer, cosign];
    check(
        &shelf("count=1", all, Usage::default()),
        &[
            "- v1, sha256:000000000000: not kept by count=1, and not in use",
            "+ v2: one of the newest 1",
            &format!("+ sha256-{}.sig: it belongs to v2", digest(2).trim_start_matches("sha256:")),
        ],
    );
}

#[test]
fn what_lost_its_tag_is_counted_apart_and_what_was_just_pushed_waits_for_its_index() {
    let all = vec![image(1, "", 300), image(2, "", 200), image(3, "latest", 100), image(4, "", 23), image(5, "", 2)];
    check(
        &shelf("count=1", all, Usage::default()),
        &[
            "- sha256:000000000000, sha256:000000000000: not kept by count=1, and not in use",
            "+ latest: one of the newest 1",
            "+ sha256:000000000000: it has no tag and was pushed less than a day ago",
            "+ sha256:000000000000: one of the newest 1",
        ],
    );
}

#[test]
fn what_may_be_waiting_for_a_person_stays() {
    let all = (1..=5).map(|it| image(it as usize, &format!("v{it}"), 600 - 100 * it)).collect();
    let waiting = served(&format!("api@{}", digest(2)), Some("newest approval=manual"), 2, None);
    check(
        &shelf("count=1", all, waiting),
        &[
            "- v1: not kept by count=1, and not in use",
            "+ v2: used by api:7",
            "+ v3: newer than what shop/api runs, and may be waiting to go out to it",
            "+ v4: newer than what shop/api runs, and may be waiting to go out to it",
            "+ v5: newer than what shop/api runs, and may be waiting to go out to it",
        ],
    );
}

#[test]
fn a_sleeping_service_whose_tag_has_moved_leaves_everything_as_it_is() {
    let deployed = |hours: i64| Some(now().timestamp() - hours.hours());
    let world = |tag: &str, deployed: Option<Timestamp>| {
        let images = vec![image(1, "", 300), image(2, "latest", 200), image(3, "v2", 100)];
        shelf("count=1", images, served(tag, None, 0, deployed))
    };
    let doubt = "+ shop/api has no task, and api:latest has moved since its deployment: which image it will start cannot be told, so nothing is deleted";
    check(&world("api:latest", deployed(250)), &[doubt]);
    check(&world("api:latest", None), &[doubt]);
    check(&world("api:gone", deployed(1)), &[&doubt.replace("latest", "gone")]);
    // In use is `latest`, and one without a tag and one with stay.
    assert_eq!(doomed(&plan(&world("api:latest", deployed(150)), &now())), Vec::<String>::new());
    assert_eq!(doomed(&plan(&world("web:latest", deployed(250)), &now())), [digest(2)]);
}

#[test]
fn what_cannot_be_read_leaves_everything_as_it_is_and_is_told() {
    let mut world = shelf("count=1", vec![image(1, "v1", 300), image(2, "v2", 200)], Usage::default());
    world.usage = Err("ListTasks shop: AccessDeniedException: no".into());
    check(
        &world,
        &[
            "! unreadable-use: which images are in use cannot be read, so none of its images is deleted: ListTasks shop: AccessDeniedException: no",
        ],
    );
    world.usage = Ok(Usage::default());
    world.repositories.as_mut().unwrap()[0].images = Err("DescribeImages api: ServerException: no".into());
    check(
        &world,
        &[
            "! unreadable-images: its images cannot be read, so none of them is deleted: DescribeImages api: ServerException: no",
        ],
    );
    let world = shelf("10", vec![image(1, "v1", 300)], Usage::default());
    check(
        &world,
        &[
            "! bad-tag: nightshift:keep-images: unknown word '10' in '10'; accepted: no word here, but the options count, days",
        ],
    );
    let mut world = shelf("count=1", vec![], Usage::default());
    world.repositories.as_mut().unwrap()[0].tags = BTreeMap::from([("team".into(), "food".into())]);
    check(&world, &["+ it no longer has the tag nightshift:keep-images"]);
    world.repositories = Err("GetResources nightshift:keep-images: Throttled: no".into());
    check(
        &world,
        &[
            "! unreadable-repositories: which of them have a rule cannot be read: GetResources nightshift:keep-images: Throttled: no",
        ],
    );
}

/// Indexes list and signatures name only what was there before them, as digests make it.
fn shelves() -> impl Strategy<Value = (Vec<Image>, Usage)> {
    let one = (0..2000i64, any::<bool>(), vec(0..40usize, 0..4), proptest::option::weighted(0.2, 0..40usize), 0..20u8);
    let named = (0..45usize, any::<bool>());
    (vec(one, 0..40), vec(named.clone(), 0..5), vec(named, 0..2)).prop_map(|(all, used, waiting)| {
        let before = |it: usize, number: usize| (it < number).then(|| digest(it));
        let images = all.into_iter().enumerate().map(|(number, (hours, tagged, children, subject, oddity))| {
            let mut it = image(number, if tagged { "tagged" } else { "" }, hours);
            it.tags.iter_mut().for_each(|tag| *tag = format!("v{number}"));
            it.children =
                if oddity < 8 { children.into_iter().filter_map(|it| before(it, number)).collect() } else { vec![] };
            it.subject = subject.and_then(|it| before(it, number)).filter(|_| it.children.is_empty());
            it.pushed_at = it.pushed_at.filter(|_| oddity != 19);
            it
        });
        let named = |(number, by_tag): (usize, bool)| match by_tag {
            true => format!("api:v{number}"),
            false => format!("api@{}", digest(number)),
        };
        let mut usage = Usage::default();
        for (place, it) in used.into_iter().enumerate() {
            usage = define(&format!("used:{place}"), &named(it), usage);
        }
        for (place, it) in waiting.into_iter().enumerate() {
            let served = served(&named(it), Some("newest scan=high"), 1, None);
            usage.services.extend(
                served
                    .services
                    .into_iter()
                    .map(|it| Service { task_definitions: vec![format!("waiting:{place}")], ..it }),
            );
            usage = define(&format!("waiting:{place}"), &named(it), usage);
        }
        (images.collect(), usage)
    })
}

proptest! {
    #[test]
    fn what_is_in_use_stays_with_all_that_belongs_to_it((all, usage) in shelves(), count in 1..6u16) {
        let world = shelf(&format!("count={count}"), all, usage.clone());
        let gone: BTreeSet<String> = doomed(&plan(&world, &now())).into_iter().collect();
        for image in images(&world) {
            let mut named = usage.definitions.values().flat_map(|it| &it.images).map(|it| Named::read(it));
            let used = named.any(|it| it.is("api", &image.digest, &image.tags));
            prop_assert!(!used || !gone.contains(&image.digest), "{} is in use", image.digest);
            // What stays is whole: an index with all that it lists.
            if !gone.contains(&image.digest) {
                prop_assert!(!image.children.iter().any(|it| gone.contains(it)));
            }
            // Of what is in use the indexes around it stay too.
            if used {
                prop_assert!(!images(&world).iter().any(|it| it.children.contains(&image.digest) && gone.contains(&it.digest)));
            }
        }
    }

    #[test]
    fn the_newest_stay((all, usage) in shelves(), count in 1..6u16) {
        let world = shelf(&format!("count={count}"), all, usage);
        let gone: BTreeSet<String> = doomed(&plan(&world, &now())).into_iter().collect();
        let alone = |it: &&Image| {
            let listed = images(&world).iter().any(|index| index.children.contains(&it.digest));
            !listed && it.subject.as_ref().is_none_or(|subject| !images(&world).iter().any(|it| it.digest == *subject))
        };
        let mut tagged: Vec<&Image> = images(&world).iter().filter(alone).filter(|it| !it.tags.is_empty()).collect();
        tagged.sort_by(|a, b| (b.pushed_at, &b.digest).cmp(&(a.pushed_at, &a.digest)));
        for image in tagged.into_iter().take(count.into()) {
            prop_assert!(!gone.contains(&image.digest));
        }
    }

    #[test]
    fn once_applied_there_is_nothing_left_to_do((all, usage) in shelves(), count in 1..6u16) {
        let world = shelf(&format!("count={count}"), all, usage);
        let rest = applied(&plan(&world, &now()), world);
        prop_assert_eq!(plan(&rest, &now()).steps, []);
    }

    #[test]
    fn a_larger_count_never_keeps_less((all, usage) in shelves(), count in 1..6u16, by in 1..5u16) {
        let gone = |count: u16| -> BTreeSet<String> {
            doomed(&plan(&shelf(&format!("count={count}"), all.clone(), usage.clone()), &now())).into_iter().collect()
        };
        prop_assert!(gone(count + by).is_subset(&gone(count)));
    }

    #[test]
    fn the_order_of_a_listing_is_indifferent((all, usage) in shelves(), by in 0..40usize) {
        let mut turned = all.clone();
        let by = by.min(turned.len());
        turned.rotate_left(by);
        prop_assert_eq!(
            plan(&shelf("count=2", all, usage.clone()), &now()),
            plan(&shelf("count=2", turned, usage), &now())
        );
    }
}

#[test]
fn what_a_deployment_has_pinned_stays_and_settles_what_a_sleeper_will_start() {
    let images = || vec![image(1, "", 300), image(2, "latest", 200), image(3, "v2", 100), image(4, "", 50)];
    let deployed = Some(now().timestamp() - 250i64.hours());
    let mut usage = served("api:latest", None, 0, deployed);
    usage.services[0].revisions = vec!["revision-1".into()];
    assert_eq!(crate::plan::tag_revisions(&usage), ["revision-1"]);
    let pinned = PinnedImage { image: "api:latest".into(), digest: digest(1) };
    usage.pinned.insert("revision-1".into(), vec![pinned]);
    check(
        &shelf("count=1", images(), usage),
        &[
            "+ sha256:000000000000: used by shop/api, whose deployment has pinned it",
            "+ latest: used by api:7",
            "+ v2: one of the newest 1",
            "+ sha256:000000000000: one of the newest 1",
        ],
    );
    // A digest needs no revision.
    let by_digest = served(&format!("api@{}", digest(1)), None, 0, deployed);
    assert_eq!(crate::plan::tag_revisions(&by_digest), Vec::<String>::new());
}

#[test]
fn a_task_that_has_not_pulled_its_image_yet_keeps_it() {
    let task = Task { arn: "task/shop/1".into(), task_definition: "api:1".into(), images: vec!["api:v1".into()] };
    let usage = Usage { tasks: vec![task], ..Usage::default() };
    let all = vec![image(1, "v1", 300), image(2, "v2", 200), image(3, "v3", 100)];
    assert_eq!(doomed(&plan(&shelf("count=1", all, usage), &now())), [digest(2)]);
}

#[test]
fn what_is_not_an_image_takes_no_place_of_one() {
    let of = |number, tag: &str, hours, kind| Image { kind, ..image(number, tag, hours) };
    let attached = format!("sha256-{}", digest(9).trim_start_matches("sha256:"));
    let all = vec![
        image(1, "v1", 400),
        // A list of referrers and a signature whose image is gone.
        of(2, &attached, 300, Kind::Index),
        of(3, "", 250, Kind::Attachment),
        of(4, "cache", 200, Kind::Other),
        of(5, "chart-2", 100, Kind::Other),
        image(6, "v0", 500),
    ];
    check(
        &shelf("count=1", all, Usage::default()),
        &[
            &format!("- v0, {attached}, sha256:000000000000, cache: not kept by count=1, and not in use"),
            "+ v1: one of the newest 1",
            "+ chart-2: one of the newest 1",
        ],
    );
}

#[test]
fn what_was_pushed_in_the_last_days_stays_beside_the_newest() {
    let all = || (1..=5).map(|it| image(it as usize, &format!("v{it}"), 600 - 100 * it)).collect::<Vec<_>>();
    check(
        &shelf("count=1 days=9", all(), Usage::default()),
        &[
            "- v1, v2, v3: not kept by count=1 days=9, and not in use",
            "+ v4: pushed within 9 days",
            "+ v5: one of the newest 1",
        ],
    );
}
