//! No text makes a parser panic, or allocate more than in proportion to it; nor does what was made of it.

use std::fmt::Display;
use std::str::FromStr;

use fuzz::{samples, used};
use jiff::{Timestamp, ToSpan, Zoned};

use crate::bucket::{BucketRule, Destination};
use crate::budget::{self, Enforcement, Expendable, Money, Warned};
use crate::calendar::{DeployWindow, Freeze};
use crate::compose::{ComposeRule, Ordered, Runs};
use crate::database::{self, Original};
use crate::days_off::DayOff;
use crate::deploy::{Config, DeployRule};
use crate::drill::{self, DrillRule, Drilled, Progress, Proven, Source};
use crate::follow::FollowRule;
use crate::image::{self, ImageName};
use crate::intent::{AwakeUntil, Boost, Hold, Moment};
use crate::memory::{Approved, Migrated, RollbackIntent, Verdict};
use crate::migrating::Migrating;
use crate::partition::Partition;
use crate::rejections::{Cleared, Rejections};
use crate::remedied::{self, Remedied};
use crate::remedy::{self, RemedyRule};
use crate::retention::{BackupRule, KeepImages, Region, Retention};
use crate::schedule::{NamedSchedules, Schedule, StackCalendar};
use crate::sleep::{Asleep, Boosted, Refused, Woken};
use crate::soak::Soak;
use crate::{Digest, ServiceName, ShortDigest, address, keys, version, zone};

/// At the ends of the calendar a sum of moments is most likely to leave it.
fn moments() -> Vec<Zoned> {
    let zone = zone::named("Asia/Seoul").unwrap();
    let now: Timestamp = "2026-11-21T03:10:00+09:00".parse().unwrap();
    [Timestamp::MIN, now, Timestamp::MAX].into_iter().map(|it| it.to_zoned(zone.clone())).collect()
}

/// What is accepted is told, and so is what is refused.
fn check<T: FromStr>(samples: &[&str], then: impl Fn(&T))
where
    T::Err: Display,
{
    // Otherwise the mistakes are made in what is refused at its first word.
    assert!(samples.iter().any(|it| it.parse::<T>().is_ok()), "no sample is a {}", std::any::type_name::<T>());
    fuzz::texts(samples, |text| match text.parse::<T>() {
        Ok(it) => then(&it),
        Err(wrong) => used(wrong.to_string()),
    });
}

fn told<T: FromStr + Display>(samples: &[&str])
where
    T::Err: Display,
{
    check::<T>(samples, |it| used(it.to_string()));
}

/// Of a type that says only that it refuses.
fn silent<T: FromStr>(samples: &[&str]) {
    assert!(samples.iter().any(|it| it.parse::<T>().is_ok()), "no sample is a {}", std::any::type_name::<T>());
    fuzz::texts(samples, |text| used(text.parse::<T>()));
}

#[test]
fn schedules_and_windows() {
    let (moments, stack) = (moments(), StackCalendar::default());
    fuzz::texts(samples::OF_PEOPLE, |text| {
        if let Ok(it) = Schedule::read(text, &stack) {
            used(it.to_string());
            moments.iter().for_each(|now| used(it.wanted(now.timestamp(), now.time_zone(), &stack)));
        }
        if let Ok(it) = DeployWindow::read(text, &stack) {
            used(it.to_string());
            moments.iter().for_each(|now| used(it.at(now.timestamp(), now.time_zone(), &stack)));
        }
    });
}

#[test]
fn the_calendar_of_a_stack() {
    let moments = moments();
    check::<Freeze>(&["2026-12-20/2027-01-03", "2026-12-18T18:00/2027-01-04T09:00"], |it| {
        moments.iter().for_each(|now| used(it.until(now.timestamp(), now.time_zone())));
    });
    let named = ["office=mon-fri 08:00-20:00 Asia/Seoul; demo=always", "a=mon 08:00-09:00;b=tue 08:00-09:00"];
    check::<NamedSchedules>(&named, |it| {
        let stack = StackCalendar { schedules: it.clone(), ..Default::default() };
        used(Schedule::read("office+demo+a", &stack));
    });
    silent::<DayOff>(&["2026-12-25", "12-25", "mon"]);
    fuzz::texts(&["Asia/Seoul", "KST", "UTC", "+09:00"], |text| used(zone::named(text)));
}

#[test]
fn moments_holds_and_boosts() {
    let moments = moments();
    check::<Moment>(&["2026-11-21T23:00:00+09:00", "2026-11-21", "2026-11-21T23:00"], |it| {
        moments.iter().for_each(|now| used(it.instant(now.time_zone())));
    });
    told::<Hold>(samples::MEMORIES);
    fuzz::texts(samples::OF_PEOPLE, |text| {
        used(AwakeUntil::read(keys::AWAKE_UNTIL, text));
        used(Boost::read(keys::BOOST, text));
    });
}

#[test]
fn rules_of_deployments() {
    told::<FollowRule>(&["follow=shop/api"]);
    told::<DeployRule>(samples::OF_PEOPLE);
    fuzz::texts(samples::OF_PEOPLE, |text| used(DeployRule::further(keys::DEPLOY_2, text)));
    told::<ComposeRule>(&[
        "newest repository=team/api path=/srv/app service=api migrate=m health=http://localhost:3000/h wait=90s",
        "semver range=1.x repository=api path=/a service=a approval=manual scan=high snapshot=db",
    ]);
    told::<Runs>(&[
        "sha256:1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d at=2026-11-21T03:00:00Z tag=v1",
        "none at=2026-11-21T03:00:00Z before=1a2b3c4d5e6f failed=e8d3c0e4-71f7-4491-898f-c9b35bee5f3b",
    ]);
    told::<Ordered>(&[
        "deploy sha256:1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d key=ns-1 at=2026-11-21T03:00:00Z",
        "look key=ns-2 at=2026-11-21T03:00:00Z",
    ]);
    silent::<Config>(&["newest"]);
    fuzz::texts(&["https://shop.example:8443/health", "http://10.0.0.1/"], |text| used(address::fault(text)));
}

#[test]
fn images_digests_and_services() {
    let images = [
        "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/team/api:v1.0.0",
        "public.ecr.aws/nginx/nginx@sha256:1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d",
        "localhost:5000/api:v1",
    ];
    fuzz::texts(&images, |text| {
        used(ImageName::parse(text));
        image::looks_like_ecr(text);
    });
    told::<Digest>(&["sha256:1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d"]);
    told::<ShortDigest>(&["sha256:1a2b3c4d1a2b", "1a2b3c4d1a2b"]);
    let names = ["shop/api", "arn:aws:ecs:ap-northeast-2:123456789012:service/shop/api"];
    fuzz::texts(&names, |text| {
        used(ServiceName::parse(text));
        used(ServiceName::of_arn(text));
        used(database::region_of(text));
        Partition::of_arn(text);
    });
}

#[test]
fn versions_and_build_numbers() {
    let others = ["v1.2.3".to_owned(), "1.2".to_owned(), "latest".to_owned()];
    let reading = version::Reading::default();
    fuzz::texts(&["v1.2.3-rc.1+b", "1.2.3-alpine", "main-42", "2026.11.21", "latest"], |text| {
        used(version::version(text, None));
        used(version::version(text, Some("-alpine")));
        version::build_number(text, None);
        version::build_number(text, Some("main-"));
        used(version::closest_version(text));
        used(reading.version(text));
        version::moves_with(text, &reading, &others);
    });
    silent::<version::Range>(&["1.x", "1.2.x", "1.2.3"]);
    silent::<version::Bound>(&["1", "1.2", "1.2.3"]);
}

#[test]
fn backups_buckets_and_images_that_are_kept() {
    let moments = moments();
    let taken: Vec<Timestamp> = moments.iter().map(Zoned::timestamp).collect();
    check::<BackupRule>(samples::OF_PEOPLE, |it| used(format!("{it:?}")));
    check::<Retention>(samples::OF_PEOPLE, |it| {
        for now in &moments {
            used(it.judge(&taken, now));
            used(it.judge_gone(&taken, now));
        }
    });
    check::<KeepImages>(samples::OF_PEOPLE, |it| used(format!("{it:?}")));
    told::<BucketRule>(samples::OF_PEOPLE);
    silent::<Region>(&["us-west-2", "ap-northeast-2"]);
    silent::<Destination>(&["kfood-backups/uploads", "kfood-backups"]);
    fuzz::texts(samples::MEMORIES, |text| used(BackupRule::remembered(text)));
    fuzz::texts(samples::MEMORIES, |text| used(Original::read(text).map(|it| it.region().map(str::to_owned))));
}

#[test]
fn remedies() {
    told::<RemedyRule>(samples::OF_PEOPLE);
    check::<RemedyRule>(samples::OF_PEOPLE, |it| {
        used(remedy::in_minutes(it.cooldown));
        moments().iter().for_each(|now| used(now.timestamp().checked_add(it.cooldown)));
    });
    told::<Remedied>(samples::MEMORIES);
    fuzz::texts(&["api-5xx", "한글 alarm \"a\""], |text| {
        used(remedied::by_alarm(text));
        used(keys::remedied_of(text));
    });
}

#[test]
fn budgets() {
    check::<Enforcement>(samples::OF_PEOPLE, |_| {});
    check::<Expendable>(samples::OF_PEOPLE, |_| {});
    told::<Warned>(samples::MEMORIES);
    let limits: Vec<Money> =
        ["0", "0.01", "300", "92233720368547758"].iter().filter_map(|it| it.parse().ok()).collect();
    assert!(limits.len() > 2);
    check::<Money>(&["304.72", "-0.5", "92233720368547758.07", "1E+3"], |it| {
        used(it.rounded());
        for limit in &limits {
            it.percent_of(*limit);
            limit.percent_of(*it);
            it.share(u32::MAX);
            it.clearly_exceeds(*limit);
        }
    });
    fuzz::texts(&["Team: dev", "한글"], |text| used(budget::tag_name(text)));
}

#[test]
fn drills() {
    told::<DrillRule>(samples::OF_PEOPLE);
    told::<Source>(samples::MEMORIES);
    told::<Progress>(samples::MEMORIES);
    told::<Drilled>(samples::MEMORIES);
    told::<Proven>(samples::MEMORIES);
    let date = moments()[1].date();
    fuzz::texts(&["kfood-db"], |text| {
        used(drill::drill_id(text, date, None));
        used(drill::drill_id("kfood-db", date, Some(text)));
        used(database::snapshot_id("nightshift-", text, &date.to_string(), 63));
    });
}

#[test]
fn what_deployments_remember() {
    told::<Rejections>(samples::MEMORIES);
    told::<Cleared>(samples::MEMORIES);
    told::<Approved>(samples::MEMORIES);
    told::<Migrated>(samples::MEMORIES);
    told::<Migrating>(samples::MEMORIES);
    told::<Verdict>(samples::MEMORIES);
    told::<RollbackIntent>(samples::MEMORIES);
    check::<Soak>(samples::MEMORIES, |it| {
        let needed = jiff::SignedDuration::from_mins(30);
        it.is_done(needed);
        it.left(needed);
        used(it.to_string());
    });
}

#[test]
fn what_sleep_remembers() {
    told::<Asleep>(samples::MEMORIES);
    told::<Refused>(samples::MEMORIES);
    told::<Woken>(samples::MEMORIES);
    told::<Boosted>(samples::MEMORIES);
    let since = moments()[1].timestamp().checked_sub(1.hour()).unwrap();
    fuzz::texts(samples::MEMORIES, |text| used(Refused::new(since, text).to_string()));
}

#[test]
fn names_of_tags() {
    fuzz::texts(&["nightshift:schedule", "Nightshift:shedule", "nightshift-state:asleep"], |text| {
        // AWS takes no longer key.
        let key: String = text.chars().take(128).collect();
        used(keys::unknown(&key).map(|it| it.meant));
    });
}
