//! What a week says of deployments, whoever made them.

use super::*;
use crate::plan::history::Deployed;
use crate::plan::world::{Deployment, Ended};

const ALL_WELL: &str = "As it should be: no problem, no alarm in ALARM";
const REPOSITORY: &str = "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/codemate-backend";

fn deployment(began: &str, minutes: i64, end: Ended, digest: &str) -> Deployment {
    let ended = at(began) + SignedDuration::from_mins(minutes);
    let images = if digest.is_empty() { Vec::new() } else { vec![(REPOSITORY.into(), digest.into())] };
    Deployment { at: at(began), ended: (end != Ended::NotYet).then_some(ended), end, images }
}

fn week(services: Vec<(&str, Result<Vec<Deployment>, String>)>, pushed: &[(&str, &str)]) -> Seen {
    let mut week = seen(Period::Week, &[]);
    week.weekly.deployed = Some(Deployed {
        services: services.into_iter().map(|(name, it)| (name.to_owned(), it)).collect(),
        pushed: pushed.iter().map(|(digest, moment)| (digest.to_string(), at(moment))).collect(),
        unread: None,
    });
    week
}

#[test]
fn deployments_are_counted_by_their_end_and_an_image_that_was_live_before_is_not_new() {
    let backend = vec![
        deployment("2026-11-30T22:00:00Z", 0, Ended::NotYet, "e"),
        // A restart of what runs.
        deployment("2026-11-30T05:00:00Z", 5, Ended::Well, "c"),
        deployment("2026-11-29T05:00:00Z", 9, Ended::TakenBack, "d"),
        deployment("2026-11-28T05:00:00Z", 4, Ended::Well, "c"),
        deployment("2026-11-27T05:00:00Z", 1, Ended::Stopped, "b"),
        // Of before the week.
        deployment("2026-11-20T05:00:00Z", 4, Ended::Well, "a"),
        deployment("2026-11-19T05:00:00Z", 4, Ended::TakenBack, "0"),
    ];
    // A way back to what had been live.
    let frontend = vec![
        deployment("2026-11-26T06:00:00Z", 2, Ended::Well, "x"),
        deployment("2026-11-26T05:00:00Z", 2, Ended::Well, "y"),
        deployment("2026-11-10T05:00:00Z", 2, Ended::Well, "x"),
    ];
    let pushed = [
        ("a", "2026-11-20T04:00:00Z"),
        ("c", "2026-11-28T04:50:00Z"),
        ("x", "2026-11-10T04:00:00Z"),
        ("y", "2026-11-24T05:02:00Z"),
    ];
    let services = vec![("codemate-cluster/backend", Ok(backend)), ("codemate-cluster/frontend", Ok(frontend))];
    let mut week = week(services, &pushed);
    let deployed = week.weekly.deployed.clone().unwrap();
    let asked = deployed.images(week.window);
    let asked: Vec<&str> = asked[REPOSITORY].iter().map(String::as_str).collect();
    assert_eq!(asked, ["c", "y"], "no other image is asked about");
    let counted = "Deployments in this week, by whomever: 7 of 2 services, failed and taken back: \
        codemate-cluster/backend 1, 1 stopped or replaced by a newer one, 1 still under way";
    check(&week, Period::Week, &[counted, "From push to live: 2 days, the median of 2 images", ALL_WELL]);
    week.weekly.deployed.as_mut().unwrap().pushed.remove("y");
    check(&week, Period::Week, &[counted, "From push to live: 14 min, 1 image", ALL_WELL]);
}

#[test]
fn a_history_that_is_denied_hides_no_other() {
    let denied = || Err("ListServiceDeployments: AccessDeniedException: no".to_owned());
    let one = vec![deployment("2026-11-28T05:00:00Z", 4, Ended::Well, "")];
    let mut week = week(vec![("c/a", denied()), ("c/b", denied()), ("c/c", Ok(one))], &[]);
    week.weekly.deployed.as_mut().unwrap().unread = Some("DescribeImages: AccessDeniedException: no".into());
    check(
        &week,
        Period::Week,
        &[
            "[!] the deployments of c/a and 1 more could not be read: ListServiceDeployments: AccessDeniedException: no",
            "[!] when images were pushed could not be read: DescribeImages: AccessDeniedException: no",
            "Deployments in this week, by whomever: 1 of 1 services, none failed",
            ALL_WELL,
        ],
    );
}

proptest! {
    /// Each image of a service counts once, in the deployment that first made it live.
    #[test]
    fn an_image_becomes_live_once(history in proptest::collection::vec((0..6u8, 0..4u8), 0..20)) {
        let ends = [Ended::Well, Ended::Well, Ended::TakenBack, Ended::Stopped];
        let start = at("2026-11-25T00:00:00Z");
        let newest_first: Vec<Deployment> = history.iter().enumerate().rev().map(|(index, (image, end))| {
            let began = start + SignedDuration::from_hours(index as i64);
            deployment(&began.to_string(), 5, ends[usize::from(*end)], &image.to_string())
        }).collect();
        let live: std::collections::BTreeSet<u8> = history.iter().filter(|it| it.1 < 2).map(|it| it.0).collect();
        let week = week(vec![("c/a", Ok(newest_first))], &[]);
        let images = week.weekly.deployed.as_ref().unwrap().images(week.window);
        prop_assert_eq!(images.get(REPOSITORY).map_or(0, |it| it.len()), live.len());
    }
}
