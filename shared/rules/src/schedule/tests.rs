use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn schedule(text: &str) -> Schedule {
    text.parse().unwrap()
}

/// What `text` wants at `now` (local time in Seoul), and when that changes.
#[track_caller]
fn check(text: &str, now: &str, awake: bool, until: Option<&str>) {
    let seoul = zone("Asia/Seoul");
    let instant = |it: &str| reached(it.parse().unwrap(), &seoul);
    let holidays = ["2026-12-25".parse().unwrap()];
    let wanted = schedule(text).wanted(instant(now), &seoul, &holidays);
    assert_eq!((wanted.awake, wanted.until), (awake, until.map(instant)), "{text} at {now}");
}

#[test]
fn a_week_in_the_office() {
    let hours = "mon-fri 08:00-20:00 sat 10:00-14:00";
    check(hours, "2026-11-20T19:59", true, Some("2026-11-20T20:00"));
    check(hours, "2026-11-20T20:00", false, Some("2026-11-21T10:00"));
    check(hours, "2026-11-21T10:00", true, Some("2026-11-21T14:00"));
    check(hours, "2026-11-21T14:00", false, Some("2026-11-23T08:00"));
    // The Friday is a holiday.
    check(hours, "2026-12-24T21:00", false, Some("2026-12-26T10:00"));
}

#[test]
fn days_wrap_and_join_and_nights_run_into_the_next_day() {
    check("sat-mon 09:00-10:00", "2026-11-21T00:00", false, Some("2026-11-21T09:00"));
    check("sat-mon 09:00-10:00", "2026-11-23T11:00", false, Some("2026-11-28T09:00"));
    check("mon+wed 09:00-10:00", "2026-11-23T11:00", false, Some("2026-11-25T09:00"));
    check("Mon-Wed+Fri 9:00-10:00", "2026-11-25T11:00", false, Some("2026-11-27T09:00"));
    check("thu 22:00-06:00", "2026-11-27T05:59", true, Some("2026-11-27T06:00"));
    // No window starts on the holiday, but the one of the evening before runs to its end.
    check("mon-sun 22:00-06:00", "2026-12-25T05:00", true, Some("2026-12-25T06:00"));
    check("mon-sun 22:00-06:00", "2026-12-25T06:00", false, Some("2026-12-26T22:00"));
}

#[test]
fn windows_that_touch_or_overlap_are_one() {
    check("mon-fri 08:00-12:00 12:00-18:00", "2026-11-20T09:00", true, Some("2026-11-20T18:00"));
    check("mon 20:00-24:00 tue 00:00-04:00", "2026-11-23T21:00", true, Some("2026-11-24T04:00"));
    check("mon-sun 08:00-20:00 10:00-22:00", "2026-11-20T09:00", true, Some("2026-11-20T22:00"));
}

#[test]
fn windows_that_almost_touch_are_one() {
    check("mon-fri 08:00-12:00 12:01-18:00", "2026-11-20T12:00", true, Some("2026-11-20T18:00"));
    check("mon-fri 00:00-23:59", "2026-11-19T23:59", true, Some("2026-11-20T23:59"));
    check("mon-sun 00:00-23:59", "2026-11-20T23:59", true, Some("2026-12-24T23:59"));
    // A gap of two minutes is meant.
    check("mon-fri 08:00-12:00 12:02-18:00", "2026-11-20T12:00", false, Some("2026-11-20T12:02"));
}

#[test]
fn what_never_changes_has_no_next_change_but_a_holiday_is_one() {
    check("always", "2026-11-20T09:00", true, None);
    check("never Asia/Seoul", "2026-11-20T09:00", false, None);
    check("mon-sun 00:00-24:00", "2026-12-26T09:00", true, None);
    check("mon-sun 00:00-24:00", "2026-11-20T09:00", true, Some("2026-12-25T00:00"));
    check("mon-sun 00:00-24:00", "2026-12-25T09:00", false, Some("2026-12-26T00:00"));
}

#[test]
fn clocks_that_are_put_forward_skip_nothing_and_back_do_nothing_twice() {
    let changes = |text: &str, from: &str, count: usize| {
        let (berlin, mut now) = (zone("Europe/Berlin"), from.parse().unwrap());
        let next = |now: &mut Timestamp| {
            *now = schedule(text).wanted(*now, &berlin, &[]).until.unwrap();
            now.to_string()
        };
        (0..count).map(|_| next(&mut now)).collect::<Vec<_>>()
    };
    // 02:00 becomes 03:00 on 29 March: a window from 02:30 begins with the change.
    assert_eq!(changes("sun 02:30-06:00", "2026-03-28T12:00:00Z", 2), ["2026-03-29T01:00:00Z", "2026-03-29T04:00:00Z"]);
    // One that lies in the skipped hour has no length; the next one is a week later.
    assert_eq!(changes("sun 02:10-02:50", "2026-03-28T12:00:00Z", 1), ["2026-04-05T00:10:00Z"]);
    // 03:00 becomes 02:00 on 25 October: 02:30 is the first of the two, and the second does not count.
    assert_eq!(changes("sat 20:00-02:30", "2026-10-24T12:00:00Z", 2), ["2026-10-24T18:00:00Z", "2026-10-25T00:30:00Z"]);
    assert_eq!(changes("sun 02:30-06:00", "2026-10-24T12:00:00Z", 2), ["2026-10-25T00:30:00Z", "2026-10-25T05:00:00Z"]);
}

#[test]
fn options_are_read_and_the_words_are_kept_as_they_were() {
    let it = schedule("mon-fri  08:00-20:00 Europe/Berlin off=1 after=app-db enforce=true act=sleep");
    assert_eq!((it.off, it.enforce, it.act), (1, true, Act::Sleep));
    assert_eq!((it.after, it.maintenance_awake), (vec!["app-db".to_owned()], false));
    let it = schedule("mon-fri 08:00-20:00 Europe/Berlin after=App-DB+cache-db maintenance=awake");
    assert_eq!((it.after.clone(), it.maintenance_awake), (vec!["App-DB".to_owned(), "cache-db".to_owned()], true));
    assert_eq!(it.zone(&TimeZone::UTC).iana_name(), Some("Europe/Berlin"));
    assert_eq!(it.to_string(), "mon-fri 08:00-20:00 Europe/Berlin");
    let plain = schedule("always");
    assert_eq!((plain.off, plain.enforce, plain.act), (0, false, Act::Both));
    assert_eq!((plain.after, plain.maintenance_awake), (vec![], false));
    assert_eq!(plain.zone, None);
}

#[test]
fn what_is_wrong_is_quoted_and_what_is_accepted_listed() {
    for (value, error) in [
        ("", "no window in ''; accepted: always, never, or windows"),
        ("office", "unknown word 'office' in 'office'; accepted: always, never, or windows"),
        ("mon-fri", "no time after 'mon-fri' in"),
        ("mon-fri sat 08:00-20:00", "no time after 'mon-fri' in"),
        ("08:00-20:00", "no days before '08:00-20:00' in"),
        ("mon-fri 08:00", "no window '08:00' in 'mon-fri 08:00'; accepted: times such as 08:00-20:00"),
        ("mon-fri 08:00-25:00", "no window '08:00-25:00'"),
        ("mon-fri 08:60-20:00", "no window '08:60-20:00'"),
        ("mon-fri 24:00-08:00", "no window '24:00-08:00'"),
        ("mon-fri 08:00-08:00", "no window '08:00-08:00' in 'mon-fri 08:00-08:00'; accepted: a window of some length"),
        ("mon-fri 08:00-20:00 Korea", "unknown word 'Korea' in"),
        (
            "mon-fri 08:00-20:00 KST",
            "'KST' is not a time zone (use Asia/Seoul) in 'mon-fri 08:00-20:00 KST'; accepted: the IANA name",
        ),
        ("mon-fri 08:00-20:00 EST", "'EST' is not a time zone (use America/New_York) in"),
        ("mon-fri 08:00-20:00 Factory", "'Factory' is not a time zone (use UTC) in"),
        ("always after=db+", "after=db+ cannot be understood in 'always after=db+'; accepted: after=the id of a DB"),
        ("always maintenance=asleep", "maintenance=asleep cannot be understood in"),
        ("mon-fri 08:00-20:00 Asia/Seoul sat 10:00-12:00", "the word 'sat' after the zone in"),
        ("always never", "'never' beside something else in"),
        ("mon-fri 08:00-20:00 always", "'always' beside something else in"),
        ("always mon-fri", "unknown word 'mon-fri' in"),
        ("always off=-1", "off=-1 cannot be understood in 'always off=-1'; accepted: off=a number of tasks"),
        ("always off=4294967295", "off=4294967295 cannot be understood"),
        ("always enforce=yes", "enforce=yes cannot be understood"),
        ("always act=up", "act=up cannot be understood in 'always act=up'; accepted: act=both, sleep or wake"),
        ("always enforced=true", "unknown option 'enforced' in 'always enforced=true'; did you mean 'enforce'?"),
    ] {
        let refused = value.parse::<Schedule>().unwrap_err().to_string();
        assert!(refused.starts_with(&format!("nightshift:schedule: {error}")), "{refused}");
    }
}

// -------------------------------------------------------------------------------- against a reference

/// A window as the reference has it: the days, Monday first, and minutes after midnight.
type Plain = ([bool; 7], u16, u16);

fn written(windows: &[Plain]) -> String {
    let time = |it: u16| format!("{:02}:{:02}", it / 60, it % 60);
    let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let window = |(days, start, end): &Plain| {
        let days: Vec<&str> = (0..7).filter(|it| days[*it]).map(|it| names[it]).collect();
        format!("{} {}-{}", days.join("+"), time(*start), time(*end))
    };
    windows.iter().map(window).collect::<Vec<_>>().join(" ")
}

/// Every change in `[from, from + minutes)`, found minute by minute: the wall clock is one that stands still when it is
/// put back, until it has caught up.
fn reference(
    windows: &[Plain],
    zone: &TimeZone,
    holidays: &[Date],
    from: Timestamp,
    minutes: i64,
) -> Vec<(Timestamp, bool)> {
    let holds = |clock: DateTime| {
        let minute = i32::from(clock.hour()) * 60 + i32::from(clock.minute());
        let started = |date: Date, minute: i32| {
            let day = date.weekday().to_monday_zero_offset() as usize;
            !holidays.contains(&date)
                && windows.iter().any(|(days, start, end)| {
                    let (start, end) = (i32::from(*start), i32::from(*end));
                    let end = if end < start { end + 1440 } else { end };
                    days[day] && start <= minute && minute < end
                })
        };
        started(clock.date(), minute) || started(clock.date().yesterday().unwrap(), minute + 1440)
    };
    // A day before, so that the clock has caught up where the search begins just after it was put back.
    let mut clock = zone.to_datetime(from - 1440.minutes());
    let mut changes = Vec::new();
    let mut before = None;
    for minute in -1440..minutes + 2 {
        let now = from + minute.minutes();
        clock = clock.max(zone.to_datetime(now));
        let awake = holds(clock);
        if before.is_some_and(|it| it != awake) {
            changes.push((now, awake));
        }
        before = Some(awake);
    }
    merged(changes).into_iter().filter(|(at, _)| *at >= from && *at < from + minutes.minutes()).collect()
}

/// Without gaps of a minute.
fn merged(changes: Vec<(Timestamp, bool)>) -> Vec<(Timestamp, bool)> {
    let mut merged: Vec<(Timestamp, bool)> = Vec::new();
    for (at, awake) in changes {
        match merged.last() {
            Some((slept, false)) if awake && at.duration_since(*slept) <= jiff::SignedDuration::from_mins(1) => {
                merged.pop();
            }
            _ => merged.push((at, awake)),
        }
    }
    merged
}

/// The same changes as the schedule tells them, one leading to the next.
fn told(text: &str, zone: &TimeZone, holidays: &[Date], from: Timestamp, minutes: i64) -> Vec<(Timestamp, bool)> {
    let schedule = schedule(text);
    let mut changes = Vec::new();
    let mut now = from - 1.minute();
    loop {
        let wanted = schedule.wanted(now, zone, holidays);
        match wanted.until {
            Some(until) if until < from + minutes.minutes() => {
                assert!(until > now && wanted.since.is_none_or(|it| it <= now));
                let after = schedule.wanted(until, zone, holidays);
                assert_eq!((after.awake, after.since), (!wanted.awake, Some(until)), "{text} at {until}");
                changes.push((until, after.awake));
                now = until;
            }
            _ => return changes,
        }
    }
}

fn same(
    windows: &[Plain],
    zone: &TimeZone,
    holidays: &[Date],
    from: Timestamp,
    minutes: i64,
) -> Result<(), TestCaseError> {
    let text = written(windows);
    let expected = reference(windows, zone, holidays, from, minutes);
    prop_assert_eq!(told(&text, zone, holidays, from, minutes), expected, "{} from {}", text, from);
    Ok(())
}

const ZONES: [&str; 9] = [
    "Asia/Seoul",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Pacific/Apia",
];

#[test]
fn whole_years_are_those_of_the_reference() {
    let windows = [
        ([true, true, true, true, true, false, false], 8 * 60, 20 * 60),
        ([false, false, false, false, true, true, true], 22 * 60 + 15, 2 * 60 + 30),
        ([true, false, false, false, false, false, true], 90, 150),
    ];
    // Samoa had no 30 December 2011.
    for (name, year) in [("Europe/Berlin", 2026), ("Australia/Lord_Howe", 2027), ("Pacific/Apia", 2011)] {
        let from = Date::constant(year, 1, 1).to_zoned(TimeZone::UTC).unwrap().timestamp();
        let holidays = [Date::constant(year, 5, 1), Date::constant(year, 12, 25)];
        same(&windows, &zone(name), &holidays, from, 366 * 1440).unwrap();
    }
}

fn windows() -> impl Strategy<Value = Vec<Plain>> {
    let days = any::<[bool; 7]>().prop_filter("some day", |it| it.contains(&true));
    // Times around those at which clocks change are as likely as all others.
    let time = || prop_oneof![0..240u16, 0..1440u16, (0..24u16).prop_map(|it| it * 60)];
    vec((days, time(), time()).prop_filter("some length", |(_, start, end)| start != end), 1..4)
}

proptest! {
    #[test]
    fn it_is_what_the_reference_says_around_every_change_of_the_clocks(
        windows in windows(), name in select(&ZONES), year in 2000..2037i16, day in 0..365i64, nth in 0..4usize,
        holiday in -4..6i64
    ) {
        let zone = zone(name);
        let begin = Date::constant(year, 1, 1).to_zoned(TimeZone::UTC).unwrap().timestamp() + (day * 24).hours();
        // Around the next change where there is one, around any moment where there is none.
        let centre = match zone.following(begin).nth(nth) {
            Some(change) if nth > 0 => change.timestamp(),
            _ => begin,
        };
        let holiday = zone.to_datetime(centre).date() + holiday.days();
        same(&windows, &zone, &[holiday], centre - 36.hours(), 5 * 1440)?;
    }

    #[test]
    fn no_value_makes_it_panic(value in any::<String>(), seconds in -60_000_000_000..250_000_000_000i64) {
        if let Ok(schedule) = value.parse::<Schedule>() {
            schedule.wanted(Timestamp::from_second(seconds).unwrap(), &TimeZone::UTC, &[]);
        }
    }

    #[test]
    fn no_moment_makes_it_panic(windows in windows(), name in select(&ZONES), seconds in -60_000_000_000..250_000_000_000i64) {
        let now = Timestamp::from_second(seconds).unwrap();
        schedule(&written(&windows)).wanted(now, &zone(name), &[]);
    }
}
