use jiff::{Timestamp, Zoned};
use proptest::option::of as maybe;
use proptest::prelude::*;

use super::*;
use crate::days_off::DayOff;
use crate::tag::LONGEST;

fn moments() -> impl Strategy<Value = Timestamp> {
    (1_500_000_000_000..4_000_000_000_000i64).prop_map(|it| Timestamp::from_millisecond(it).unwrap())
}

fn lengths() -> impl Strategy<Value = SignedDuration> {
    (1..=90 * 24 * 60i64).prop_map(SignedDuration::from_mins)
}

fn every() -> impl Strategy<Value = Every> {
    prop_oneof![Just(Every::Week), Just(Every::Month), Just(Every::Quarter)]
}

fn rules() -> impl Strategy<Value = DrillRule> {
    let check = ("[a-z][a-z0-9_-]{0,20}", "[a-z]{1,10}", "[a-z]{1,10}")
        .prop_map(|(family, cluster, name)| Check { family, service: ServiceName { cluster, name } });
    let class = prop_oneof![Just("db.t4g.micro".to_owned()), Just("db.serverless".into())];
    let from = prop_oneof![Just(Origin::Nightshift), Just(Origin::Automated), Just(Origin::Latest)];
    let keep = (1..=18 * 60i64).prop_map(SignedDuration::from_mins);
    let region = prop_oneof![Just("us-west-2".parse().unwrap()), Just("us-gov-west-1".parse().unwrap())];
    let place = (maybe(region), maybe("[a-z][a-z0-9._-]{0,20}"), proptest::collection::vec("sg-[0-9a-f]{8,17}", 0..3));
    (every(), maybe(lengths()), maybe(lengths()), maybe(check), maybe(class), from, maybe(keep), place).prop_map(
        |(every, rto, rpo, check, class, from, keep, (region, subnet_group, security_groups))| {
            // Of another region only copies can be restored.
            let from = if region.is_some() { Origin::Nightshift } else { from };
            DrillRule { every, rto, rpo, check, class, from, keep, region, subnet_group, security_groups }
        },
    )
}

fn calendars() -> impl Strategy<Value = Calendar> {
    (0..24i8, proptest::collection::vec(0..400i32, 0..12)).prop_map(|(hour, days)| {
        let new_year = Date::constant(2026, 1, 1);
        let holidays = days.into_iter().map(|it| new_year.checked_add(jiff::Span::new().days(it)).unwrap());
        Calendar { at: jiff::civil::time(hour, 0, 0, 0), holidays: holidays.map(DayOff::from).collect() }
    })
}

proptest! {
    #[test]
    fn every_rule_is_read_back(rule in rules()) {
        prop_assert_eq!(rule.to_string().parse(), Ok(rule));
    }

    #[test]
    fn no_value_makes_it_panic(value in any::<String>()) {
        let _ = (value.parse::<DrillRule>(), value.parse::<Drill>(), value.parse::<Source>());
        let _ = (value.parse::<Progress>(), value.parse::<Drilled>(), value.parse::<Proven>());
    }

    /// Of the longest names that RDS takes too: of a database 63 letters, of its snapshots as snapshot-databases names them.
    #[test]
    fn what_is_remembered_is_read_back_and_fits_a_tag(
        name in "[a-z][a-z0-9]{1,62}", at in moments(), begun in moments(), number in 0..1_000_000i64, some in any::<bool>()
    ) {
        let snapshot = format!("nightshift-{name}-2026-11-21-0123abcd");
        let resource = some.then(|| "cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ".to_owned());
        let home = some.then(|| "ap-northeast-2".to_owned());
        let drill = Drill { of: name.clone(), resource, home, begun, until: at };
        let source = Source { snapshot: snapshot.clone(), taken: at };
        let progress = Progress {
            up: some.then_some(at), task: (!some).then(|| "0".repeat(36)), proven: some.then_some(begun),
        };
        let drilled = Drilled {
            outcome: if some { Outcome::Proven } else { Outcome::Ended }, at, begun, took: some.then_some(number),
            data: number, good: some.then_some(at), snapshot, untold: some,
        };
        let proven = Proven { at, check: some.then(|| name.clone()) };
        for value in [drill.to_string(), source.to_string(), progress.to_string(), drilled.to_string(), proven.to_string()] {
            prop_assert!(value.len() <= LONGEST, "{}", value);
        }
        prop_assert_eq!(drill.to_string().parse(), Ok(drill));
        prop_assert_eq!(source.to_string().parse(), Ok(source));
        prop_assert_eq!(progress.to_string().parse(), Ok(progress));
        prop_assert_eq!(drilled.to_string().parse(), Ok(drilled));
        prop_assert_eq!(proven.to_string().parse(), Ok(proven));
    }

    #[test]
    fn a_drill_is_due_once_in_each_period_on_a_weekday(
        calendar in calendars(), every in every(), now in moments()
    ) {
        let now = now.to_zoned(jiff::tz::TimeZone::get("Asia/Seoul").unwrap());
        let (due, next) = (calendar.due(every, &now), calendar.next_due(every, &now));
        prop_assert!(due < next && next > now.timestamp());
        let then = due.to_zoned(now.time_zone().clone());
        // The period of its moment is the same one, unless a week is all holidays.
        prop_assert_eq!(calendar.due(every, &then), due);
        let weekday = then.weekday().to_monday_zero_offset() < 5;
        prop_assert!(weekday && !calendar.holidays.contains(then.date()) || every == Every::Week);
        prop_assert!(next.duration_since(due) <= every.longest() + SignedDuration::from_hours(24 * 12));
    }

    #[test]
    fn drill_names_are_names_of_rds(name in "[a-zA-Z]([a-zA-Z0-9]|-[a-zA-Z0-9]){0,31}") {
        let date = Date::constant(2026, 12, 1);
        let (here, elsewhere) = (drill_id(&name, date, None), drill_id(&name, date, Some("ap-northeast-2")));
        prop_assert_ne!(&here, &elsewhere);
        for id in [here, elsewhere] {
            prop_assert!(id.len() <= 63 && id.starts_with(PREFIX) && id.ends_with("2026-12-01"));
            prop_assert!(!id.contains("--"));
            prop_assert!(id.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-'));
        }
    }
}

#[test]
fn a_tag_that_cannot_be_understood_is_refused_with_what_is_accepted() {
    let check = |value: &str, error: &str| {
        assert_eq!(value.parse::<DrillRule>().unwrap_err().to_string(), format!("nightshift:drill: {error}"));
    };
    check("", "how often is missing in ''; accepted: weekly, monthly, quarterly");
    check(
        "monthly region=oregon",
        "region=oregon cannot be understood in 'monthly region=oregon'; accepted: region=a region such as us-west-2",
    );
    check(
        "monthly region=us-west-2 from=latest",
        "the option 'from' with the option 'region' in 'monthly region=us-west-2 from=latest'; accepted: only one of them: \
         with region= the newest copy in that region is restored",
    );
    check(
        "monthly security-groups=sg-1+web",
        "security-groups=web cannot be understood in 'monthly security-groups=sg-1+web'; accepted: security-groups=ids of \
         security groups, joined by +: sg-0a1b2c3d+sg-4e5f6a7b",
    );
    check("montly", "unknown word 'montly' in 'montly'; did you mean 'monthly'? Accepted: weekly, monthly, quarterly");
    check("monthly rto=1", "rto=1 cannot be understood in 'monthly rto=1'; accepted: rto=30m, 24h or 7d (at most 90d)");
    check(
        "monthly check=a:3 service=a/b",
        "check=a:3 cannot be understood in 'monthly check=a:3 service=a/b'; accepted: check=FAMILY, the family of a task definition",
    );
    check(
        "monthly check=a",
        "no option 'service' with the option 'check' in 'monthly check=a'; accepted: service=CLUSTER/SERVICE, in whose \
         cluster and network the check runs",
    );
    check(
        "monthly service=a/b",
        "no option 'check' with the option 'service' in 'monthly service=a/b'; accepted: check=FAMILY, the task \
         definition that is run there, or neither of them",
    );
    check(
        "monthly class=t4g",
        "class=t4g cannot be understood in 'monthly class=t4g'; accepted: class=a class of RDS such as db.t4g.micro",
    );
    check("monthly keep=19h", "keep=19h cannot be understood in 'monthly keep=19h'; accepted: keep=2h (at most 18h)");
    check(
        "monthly from=newest",
        "from=newest cannot be understood in 'monthly from=newest'; accepted: from=automated or latest (without it: the \
         newest snapshot of Nightshift)",
    );
    check(
        "monthly until=2h",
        "unknown option 'until' in 'monthly until=2h'; accepted: rto, rpo, check, service, class, from, keep, region, subnet-group, security-groups",
    );
}

fn at(moment: &str) -> Zoned {
    format!("{moment}+09:00[Asia/Seoul]").parse().unwrap()
}

#[test]
fn the_first_weekday_of_each_period_is_due() {
    let calendar = Calendar {
        at: jiff::civil::time(10, 0, 0, 0),
        holidays: [DayOff::from(Date::constant(2027, 1, 1))].into_iter().collect(),
    };
    let due = |every, now: &str| {
        let now = at(now);
        [calendar.due(every, &now), calendar.next_due(every, &now)]
            .map(|it| it.to_zoned(now.time_zone().clone()).strftime("%a %F %R").to_string())
    };
    // August 2026 begins on a Saturday.
    assert_eq!(due(Every::Month, "2026-08-20T09:00"), ["Mon 2026-08-03 10:00", "Tue 2026-09-01 10:00"]);
    assert_eq!(due(Every::Week, "2026-11-22T23:59"), ["Mon 2026-11-16 10:00", "Mon 2026-11-23 10:00"]);
    assert_eq!(due(Every::Week, "2026-11-23T00:00"), ["Mon 2026-11-23 10:00", "Mon 2026-11-30 10:00"]);
    // A holiday is not a weekday, and the weekend follows it.
    assert_eq!(due(Every::Quarter, "2026-12-31T12:00"), ["Thu 2026-10-01 10:00", "Mon 2027-01-04 10:00"]);
    let open = |now: &str| calendar.is_open(&at(now));
    assert!(open("2026-11-20T10:00") && open("2026-11-20T15:59"));
    assert!(!open("2026-11-20T09:59") && !open("2026-11-20T16:00"));
    assert!(!open("2026-11-21T10:00"), "a Saturday");
    assert!(!open("2027-01-01T10:00"), "a holiday");
    // Those of a late hour go on after midnight, also into a Saturday.
    let late = Calendar { at: jiff::civil::time(23, 58, 0, 0), ..calendar.clone() };
    let open = |now: &str| late.is_open(&at(now));
    assert!(!open("2026-11-20T23:57") && open("2026-11-20T23:58") && open("2026-11-21T05:57"));
    assert!(!open("2026-11-21T05:58") && !open("2026-11-21T23:59") && !open("2026-11-23T00:03"));
}
