//! Laws of the counting, and worked examples for what laws cannot see.

use proptest::collection::vec;
use proptest::prelude::*;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::*;

/// Any counts together, half of them missing.
fn rules() -> impl Strategy<Value = Retention> {
    let few = || prop_oneof![Just(0), 0..6u16];
    let days = prop_oneof![2 => Just(0), 1 => 1..400u16];
    let gone = proptest::option::of(1..200u16);
    (few(), days, (few(), few(), few(), few()), gone)
        .prop_map(|(last, days, (daily, weekly, monthly, yearly), gone)| Retention {
            last,
            days,
            daily,
            weekly,
            monthly,
            yearly,
            gone,
        })
        .prop_filter("something is kept", |it| it.to_string().parse::<Retention>().is_ok())
}

/// Snapshots of some years, several on some days; now is after the last of them.
fn histories() -> impl Strategy<Value = Vec<Timestamp>> {
    vec(prop_oneof![0..36i64, 0..24 * 60i64, 0..24 * 1200i64], 1..60).prop_map(|hours| {
        let newest: Timestamp = "2026-11-20T18:00:00Z".parse().unwrap();
        hours.iter().map(|it| newest - it.hours()).collect()
    })
}

fn zones() -> impl Strategy<Value = Zoned> {
    prop_oneof![Just("Asia/Seoul"), Just("America/New_York"), Just("UTC"), Just("Pacific/Kiritimati")].prop_map(
        |zone| {
            let now: Timestamp = "2026-11-20T18:10:00Z".parse().unwrap();
            now.to_zoned(TimeZone::get(zone).unwrap())
        },
    )
}

fn survivors(rule: &Retention, taken: &[Timestamp], now: &Zoned) -> Vec<Timestamp> {
    let kept = rule.judge(taken, now);
    taken.iter().zip(kept).filter(|(_, kept)| kept.is_some()).map(|(it, _)| *it).collect()
}

/// The same rule with all its numbers raised.
fn raised(rule: &Retention, by: u16) -> Retention {
    Retention {
        last: rule.last + by,
        days: rule.days + by,
        daily: rule.daily + by,
        weekly: rule.weekly + by,
        monthly: rule.monthly + by,
        yearly: rule.yearly + by,
        gone: rule.gone,
    }
}

proptest! {
    #[test]
    fn the_newest_always_stays(rule in rules(), taken in histories(), now in zones()) {
        let newest = taken.iter().max().unwrap();
        prop_assert!(survivors(&rule, &taken, &now).contains(newest));
    }

    #[test]
    fn what_stays_once_stays_the_second_time(rule in rules(), taken in histories(), now in zones()) {
        let kept = survivors(&rule, &taken, &now);
        prop_assert_eq!(survivors(&rule, &kept, &now), kept);
    }

    #[test]
    fn a_newer_snapshot_never_makes_an_older_one_stay(
        rule in rules(), taken in histories(), now in zones(), minutes in 0..600i64
    ) {
        let before = rule.judge(&taken, &now);
        let mut more = taken.clone();
        more.push(*taken.iter().max().unwrap() + minutes.minutes());
        let after = rule.judge(&more, &now);
        for index in 0..taken.len() {
            prop_assert!(before[index].is_some() || after[index].is_none(), "{} came back", taken[index]);
        }
    }

    #[test]
    fn of_a_day_only_the_newest_is_its_daily(rule in rules(), taken in histories(), now in zones()) {
        let kept = rule.judge(&taken, &now);
        for (one, reason) in taken.iter().zip(&kept) {
            let day = one.to_zoned(now.time_zone().clone()).date();
            let daily = |it: &str| it.split(", ").any(|it| it == format!("daily {day}"));
            if reason.as_deref().is_some_and(daily) {
                let newer = taken.iter().any(|it| it > one && it.to_zoned(now.time_zone().clone()).date() == day);
                prop_assert!(!newer);
            }
        }
    }

    #[test]
    fn a_larger_number_never_keeps_less(rule in rules(), by in 1..5u16, taken in histories(), now in zones()) {
        let larger = raised(&rule, by).judge(&taken, &now);
        for (kept, still) in rule.judge(&taken, &now).iter().zip(&larger) {
            prop_assert!(kept.is_none() || still.is_some());
        }
    }

    #[test]
    fn once_a_database_is_gone_ever_fewer_of_its_snapshots_stay(
        rule in rules(), taken in histories(), now in zones(), days in 0..2000i64, more in 1..100i64
    ) {
        let rule = Retention { gone: None, ..rule };
        let later = |days: i64| now.checked_add(days.days()).unwrap();
        let kept = |now: &Zoned| rule.judge_gone(&taken, now);
        // On the day of the last snapshot nothing has changed yet.
        let last = taken.iter().max().unwrap().to_zoned(now.time_zone().clone());
        prop_assert_eq!(kept(&last), rule.judge(&taken, &last));
        for (earlier, later) in kept(&later(days)).iter().zip(kept(&later(days + more))) {
            prop_assert!(earlier.is_some() || later.is_none());
        }
        prop_assert!(kept(&later(days)).iter().zip(&taken).any(|(it, taken)| it.is_some() && *taken == last.timestamp()));
        let ended = Retention { gone: Some(1), ..rule };
        prop_assert_eq!(ended.judge_gone(&taken, &later(2)), vec![None; taken.len()]);
    }

    #[test]
    fn every_rule_is_read_back_and_no_value_makes_it_panic(
        rule in rules(), copy in any::<bool>(), noise in any::<String>()
    ) {
        prop_assert_eq!(rule.to_string().parse(), Ok(rule));
        let copy = copy.then(|| Region("ap-northeast-2".into()));
        let rule = BackupRule { retention: rule, copy };
        prop_assert_eq!(BackupRule::remembered(&rule.to_string()), Ok(rule.clone()));
        prop_assert_eq!(rule.to_string().parse(), Ok(rule));
        let _ = (noise.parse::<BackupRule>(), noise.parse::<Retention>(), noise.parse::<KeepImages>());
    }
}

/// `taken` are local moments, newest last; `expected` are the reasons in the same order, `-` for none.
#[track_caller]
fn check(rule: &str, zone: &str, taken: &[&str], expected: &[&str]) {
    let zone = TimeZone::get(zone).unwrap();
    let moment = |it: &&str| match it.parse::<Timestamp>() {
        Ok(exact) => exact,
        Err(_) => it.parse::<jiff::civil::DateTime>().unwrap().to_zoned(zone.clone()).unwrap().timestamp(),
    };
    let taken: Vec<Timestamp> = taken.iter().map(moment).collect();
    let now = (*taken.last().unwrap() + 10.minutes()).to_zoned(zone.clone());
    let kept = rule.parse::<Retention>().unwrap().judge(&taken, &now);
    let kept: Vec<&str> = kept.iter().map(|it| it.as_deref().unwrap_or("-")).collect();
    assert_eq!(kept, expected);
}

#[test]
fn months_end_when_they_end() {
    check(
        "monthly=3",
        "Asia/Seoul",
        &["2026-01-30T03:00", "2026-01-31T03:00", "2026-02-27T03:00", "2026-02-28T23:59:59", "2026-03-01T00:00"],
        &["-", "monthly 2026-01", "-", "monthly 2026-02", "monthly 2026-03"],
    );
    // The leap day is a day of its own.
    check(
        "daily=3",
        "UTC",
        &["2028-02-28T03:00", "2028-02-29T03:00", "2028-03-01T03:00"],
        &["daily 2028-02-28", "daily 2028-02-29", "daily 2028-03-01"],
    );
    // The same day of another month is another day.
    check(
        "daily=2",
        "UTC",
        &["2026-08-21T03:00", "2026-09-21T03:00", "2026-10-21T03:00"],
        &["-", "daily 2026-09-21", "daily 2026-10-21"],
    );
}

#[test]
fn a_week_belongs_to_the_year_of_its_thursday() {
    check(
        "weekly=2 yearly=2",
        "UTC",
        &["2026-12-27T03:00", "2026-12-31T03:00", "2027-01-03T03:00", "2027-01-04T03:00"],
        &["-", "yearly 2026", "weekly 2026-W53", "weekly 2027-W01, yearly 2027"],
    );
}

#[test]
fn the_day_is_that_of_the_zone_whatever_the_clocks_do() {
    // 03:00 in Seoul is the day before in UTC.
    check("daily=1", "Asia/Seoul", &["2026-11-20T18:00:00Z"], &["daily 2026-11-21"]);
    check("daily=1", "UTC", &["2026-11-20T18:00:00Z"], &["daily 2026-11-20"]);
    // The day on which an hour is skipped, and the one on which 01:30 comes twice.
    check(
        "daily=2",
        "America/New_York",
        &["2026-03-07T23:30", "2026-03-08T01:30", "2026-03-08T03:30"],
        &["daily 2026-03-07", "-", "daily 2026-03-08"],
    );
    check(
        "daily=2",
        "America/New_York",
        &["2026-10-31T23:30", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"],
        &["daily 2026-10-31", "-", "daily 2026-11-01"],
    );
    // Thirty days ago is the same wall time, though an hour fewer or more has passed.
    check(
        "days=1",
        "America/New_York",
        &["2026-03-07T12:10", "2026-03-07T12:10:01", "2026-03-08T12:00"],
        &["-", "within 1 day", "within 1 day"],
    );
}

#[test]
fn periods_without_a_snapshot_do_not_count_and_the_oldest_stays_while_a_count_is_left() {
    check(
        "daily=3",
        "UTC",
        &["2026-01-01T01:00", "2026-01-01T02:00", "2026-06-01T03:00"],
        &["oldest daily 2026-01-01", "daily 2026-01-01", "daily 2026-06-01"],
    );
    check("days=30", "UTC", &["2026-01-01T01:00", "2026-02-01T03:00"], &["-", "within 30 days"]);
}

#[test]
fn the_newest_stays_though_its_days_are_over() {
    let taken = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"].map(|it| it.parse().unwrap());
    let now = "2026-11-21T00:00:00Z[UTC]".parse().unwrap();
    assert_eq!(Retention { days: 30, ..Retention::default() }.judge(&taken, &now), [None, Some("newest".into())]);
    assert_eq!(Retention { days: u16::MAX, ..Retention::default() }.judge(&taken, &now).iter().flatten().count(), 2);
    assert_eq!(Retention { days: 1, ..Retention::default() }.judge(&[], &now), []);
}

#[test]
fn what_is_wrong_is_quoted_and_what_is_accepted_listed() {
    for (value, error) in [
        (
            "",
            "nothing is kept in ''; accepted: days=30, or daily=7 weekly=4 monthly=12 yearly=2, or last=5, alone or together",
        ),
        ("copy=us-west-2", "nothing is kept in 'copy=us-west-2'; accepted: days=30, or daily=7"),
        ("days=0", "days=0 cannot be understood in 'days=0'; accepted: days=a whole number from 1"),
        ("daily=-1", "daily=-1 cannot be understood in 'daily=-1'; accepted: daily=a whole number from 1"),
        ("gone=90d", "nothing is kept in 'gone=90d'; accepted: days=30, or daily=7"),
        ("days=30 gone=90", "gone=90 cannot be understood in 'days=30 gone=90'; accepted: gone=days from 1d to 65535d"),
        ("days=30 gone=0d", "gone=0d cannot be understood in 'days=30 gone=0d'; accepted: gone=days from 1d"),
        ("last=all", "last=all cannot be understood in 'last=all'; accepted: last=a whole number from 1"),
        ("days=30 copy=oregon", "copy=oregon cannot be understood in 'days=30 copy=oregon'; accepted: copy=a region"),
        (
            "nightly",
            "unknown word 'nightly' in 'nightly'; accepted: no word here, but the options last, days, daily, weekly, monthly, yearly, gone, copy",
        ),
        ("dialy=7", "unknown option 'dialy' in 'dialy=7'; did you mean 'daily'? Accepted: last, days, daily, weekly"),
    ] {
        let refused = value.parse::<BackupRule>().unwrap_err().to_string();
        assert!(refused.starts_with(&format!("nightshift:backup: {error}")), "{refused}");
    }
    for (value, error) in [
        ("", "no option 'count' in ''; accepted: count=a whole number from 1, such as 10"),
        ("days=14", "no option 'count' in 'days=14'; accepted: count=a whole number from 1, such as 10"),
        (
            "count=1 days=0",
            "days=0 cannot be understood in 'count=1 days=0'; accepted: days=a whole number from 1, such as 10",
        ),
        ("count=0", "count=0 cannot be understood in 'count=0'; accepted: count=a whole number from 1, such as 10"),
        ("10", "unknown word '10' in '10'; accepted: no word here, but the options count, days"),
    ] {
        let refused = value.parse::<KeepImages>().unwrap_err().to_string();
        assert_eq!(refused, format!("nightshift:keep-images: {error}"));
    }
    assert_eq!("count=10".parse(), Ok(KeepImages { count: 10, days: 0 }));
    assert_eq!("days=14 count=10".parse(), Ok(KeepImages { count: 10, days: 14 }));
}

#[test]
fn regions_read_as_aws_names_them() {
    for name in ["us-west-2", "ap-northeast-2", "us-gov-west-1", "ap-southeast-10"] {
        assert_eq!(name.parse::<Region>().unwrap().name(), name);
    }
    for wrong in ["", "oregon", "us-west", "us-2", "US-west-2", "us-west-2a", "us--2", "-west-2"] {
        assert!(wrong.parse::<Region>().is_err(), "{wrong}");
    }
}

#[test]
fn the_last_ones_stay_whatever_their_age_and_beside_other_counts() {
    check(
        "last=2",
        "UTC",
        &["2019-01-01T01:00", "2020-01-01T01:00", "2026-11-20T01:00"],
        &["-", "one of the last 2", "one of the last 2"],
    );
    check(
        "last=1 days=2 monthly=2",
        "UTC",
        &["2026-10-30T03:00", "2026-11-18T03:00", "2026-11-19T03:00", "2026-11-20T03:00"],
        &["monthly 2026-10", "-", "within 2 days", "one of the last 1, within 2 days, monthly 2026-11"],
    );
}

#[test]
fn of_a_database_that_is_gone_the_calendar_goes_on() {
    let rule: Retention = "daily=7 weekly=4 monthly=12".parse().unwrap();
    let first: Timestamp = "2024-10-20T18:00:00Z".parse().unwrap();
    let taken: Vec<Timestamp> = (0..400).map(|it| first + (it * 24).hours()).collect();
    let kept = |now: &str| rule.judge_gone(&taken, &now.parse().unwrap()).iter().flatten().count();
    // The last one is of Sunday, 23 November 2025: the day after, six days, two weeks and eleven months more.
    assert_eq!(kept("2025-11-24T12:00:00Z[UTC]"), 6 + 2 + 11);
    assert_eq!(kept("2026-01-01T12:00:00Z[UTC]"), 10);
    assert_eq!(kept("2026-10-31T12:00:00Z[UTC]"), 1);
    assert_eq!(kept("2027-11-24T12:00:00Z[UTC]"), 1);
}

/// The worked examples of the README of prune-backups.
#[test]
fn the_examples_that_people_read_are_true() {
    let night = |it: i64| "2026-11-21T03:00:00+09:00".parse::<Timestamp>().unwrap() - (it * 24).hours();
    let kept = |rule: &str, gone: bool, now: &str| {
        let rule: Retention = rule.parse().unwrap();
        let now: Zoned = format!("{now}T06:30:00+09:00[Asia/Seoul]").parse().unwrap();
        let taken: Vec<Timestamp> = (i64::from(gone)..100).map(night).collect();
        let judged = if gone { rule.judge_gone(&taken, &now) } else { rule.judge(&taken, &now) };
        let days = taken.iter().zip(judged).filter(|(_, kept)| kept.is_some());
        let day = |it: &Timestamp| it.to_zoned(now.time_zone().clone()).strftime("%m-%d").to_string();
        days.map(|(it, _)| day(it)).collect::<Vec<_>>()
    };
    assert_eq!(kept("last=2 monthly=3", false, "2026-11-21"), ["11-21", "11-20", "10-31", "09-30"]);
    assert_eq!(kept("days=3 weekly=2", false, "2026-11-21"), ["11-21", "11-20", "11-19", "11-15"]);
    assert_eq!(kept("daily=2", true, "2026-11-21"), ["11-20"]);
    let gone = |now: &str| kept("days=7 gone=90d", true, now);
    assert_eq!(gone("2026-11-21"), ["11-20", "11-19", "11-18", "11-17", "11-16", "11-15"]);
    assert_eq!((gone("2026-11-26").len(), gone("2026-11-27"), gone("2027-02-17").len()), (1, vec!["11-20".into()], 1));
    assert_eq!(gone("2027-02-18"), Vec::<String>::new());
}
