use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

use super::hours::reached;
use super::*;
use crate::days_off::DayOff;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn schedule(text: &str) -> Schedule {
    Schedule::read(text, &StackCalendar::default()).unwrap()
}

fn closed_on(holidays: impl IntoIterator<Item = Date>) -> StackCalendar {
    StackCalendar { holidays: holidays.into_iter().map(DayOff::from).collect(), ..StackCalendar::default() }
}

/// What `text` wants at `now` (local time in Seoul), and when that changes.
#[track_caller]
fn check(text: &str, now: &str, awake: bool, until: Option<&str>) {
    let seoul = zone("Asia/Seoul");
    let instant = |it: &str| reached(it.parse().unwrap(), &seoul);
    let wanted = schedule(text).wanted(instant(now), &seoul, &closed_on(["2026-12-25".parse().unwrap()]));
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
            *now = schedule(text).wanted(*now, &berlin, &StackCalendar::default()).until.unwrap();
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
    assert_eq!(plain.times.zone, None);
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
        let refused = Schedule::read(value, &StackCalendar::default()).unwrap_err().to_string();
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
    starts: impl Fn(Date) -> bool,
    from: Timestamp,
    minutes: i64,
) -> Vec<(Timestamp, bool)> {
    let holds = |clock: DateTime| {
        let minute = i32::from(clock.hour()) * 60 + i32::from(clock.minute());
        let started = |date: Date, minute: i32| {
            let day = date.weekday().to_monday_zero_offset() as usize;
            let holds = windows.iter().any(|(days, start, end)| {
                let (start, end) = (i32::from(*start), i32::from(*end));
                let end = if end < start { end + 1440 } else { end };
                days[day] && start <= minute && minute < end
            });
            holds && starts(date)
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
fn told(text: &str, zone: &TimeZone, stack: &StackCalendar, from: Timestamp, minutes: i64) -> Vec<(Timestamp, bool)> {
    let schedule = schedule(text);
    let mut changes = Vec::new();
    let mut now = from - 1.minute();
    loop {
        let wanted = schedule.wanted(now, zone, stack);
        match wanted.until {
            Some(until) if until < from + minutes.minutes() => {
                assert!(until > now && wanted.since.is_none_or(|it| it <= now));
                let after = schedule.wanted(until, zone, stack);
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
    let expected = reference(windows, zone, |it| !holidays.contains(&it), from, minutes);
    let stack = closed_on(holidays.iter().copied());
    prop_assert_eq!(told(&text, zone, &stack, from, minutes), expected, "{} from {}", text, from);
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
        if let Ok(schedule) = Schedule::read(&value, &StackCalendar::default()) {
            schedule.wanted(Timestamp::from_second(seconds).unwrap(), &TimeZone::UTC, &StackCalendar::default());
        }
    }

    #[test]
    fn no_moment_makes_it_panic(windows in windows(), name in select(&ZONES), seconds in -60_000_000_000..250_000_000_000i64) {
        let now = Timestamp::from_second(seconds).unwrap();
        schedule(&written(&windows)).wanted(now, &zone(name), &StackCalendar::default());
    }
}

// -------------------------------------------------------------------------------- dates

#[test]
fn some_days_of_a_month_are_named_by_their_turn() {
    check("first-sat 09:00-13:00", "2026-11-20T09:00", false, Some("2026-12-05T09:00"));
    check("sat#1 09:00-13:00", "2026-11-20T09:00", false, Some("2026-12-05T09:00"));
    check("last-fri 09:00-13:00", "2026-11-20T10:00", false, Some("2026-11-27T09:00"));
    check("first-mon+last-Fri 09:00-13:00", "2026-11-27T14:00", false, Some("2026-12-07T09:00"));
    check("fifth-sun 09:00-13:00", "2026-11-29T14:00", false, Some("2027-01-31T09:00"));
    // The first Saturday joins the days of every week, and the last Friday is a holiday.
    check("mon+sat#1 09:00-13:00", "2026-12-01T00:00", false, Some("2026-12-05T09:00"));
    check("last-fri 09:00-13:00", "2026-12-01T00:00", false, Some("2027-01-29T09:00"));
}

#[test]
fn days_of_the_month_months_and_days_off_restrict_all_windows() {
    let office = "mon-fri 08:00-20:00";
    check(&format!("{office} day=1-5"), "2026-11-20T09:00", false, Some("2026-12-01T08:00"));
    check(&format!("{office} day=28-2"), "2026-11-20T09:00", false, Some("2026-11-30T08:00"));
    check(&format!("{office} day=last"), "2026-11-20T09:00", false, Some("2026-11-30T08:00"));
    check(&format!("{office} day=15+last month=feb"), "2026-11-20T09:00", false, Some("2027-02-15T08:00"));
    check(&format!("{office} month=mar-oct"), "2026-11-20T09:00", false, Some("2027-03-01T08:00"));
    check(&format!("{office} month=nov-jan"), "2027-01-29T21:00", false, Some("2027-11-01T08:00"));
    check(&format!("{office} skip=11-20..11-24"), "2026-11-20T09:00", false, Some("2026-11-25T08:00"));
    check(&format!("{office} skip=2026-11-20+11-23"), "2026-11-20T09:00", false, Some("2026-11-24T08:00"));
    // What began on the evening before the day off runs to its end.
    check("mon-sun 20:00-04:00 skip=2026-11-21", "2026-11-21T03:00", true, Some("2026-11-21T04:00"));
    // Years may lie between.
    check("mon-sun 09:00-10:00 day=29 month=feb", "2096-03-01T00:00", false, Some("2104-02-29T09:00"));
    check("sun 09:00-10:00 day=29 month=feb", "2088-03-01T00:00", false, Some("2128-02-29T09:00"));
    check(&format!("{office} skip=2026-11-20..2031-01-01"), "2026-11-20T09:00", false, Some("2031-01-02T08:00"));
}

#[test]
fn a_name_stands_for_a_schedule_of_the_stack() {
    let text = "office = mon-fri 08:00-20:00 Asia/Seoul skip=12-24 ; demo=always;";
    let stack = StackCalendar { schedules: text.parse().unwrap(), ..StackCalendar::default() };
    let read = |value: &str| Schedule::read(value, &stack);
    let it = read("Office off=1 enforce=true").unwrap();
    assert_eq!(
        (it.off, it.enforce, it.to_string().as_str()),
        (1, true, "Office (mon-fri 08:00-20:00 Asia/Seoul skip=12-24)",)
    );
    let at = |it: &Schedule, now: &str| it.wanted(now.parse().unwrap(), &TimeZone::UTC, &stack);
    // 20:00 in Seoul; the zone of the tag counts before that of the name.
    assert_eq!(at(&it, "2026-11-20T10:00:00Z").until, Some("2026-11-20T11:00:00Z".parse().unwrap()));
    let berlin = read("office Europe/Berlin").unwrap();
    assert_eq!(at(&berlin, "2026-11-20T10:00:00Z").until, Some("2026-11-20T19:00:00Z".parse().unwrap()));
    // What both say of dates holds together.
    let both = read("office skip=12-23 month=dec").unwrap();
    assert_eq!(at(&both, "2026-12-22T12:00:00Z").until, Some("2026-12-24T23:00:00Z".parse().unwrap()));
    assert_eq!(read("demo").unwrap(), Schedule { times: read("demo").unwrap().times, ..read("always").unwrap() });
    for (value, error) in [
        ("ofice", "unknown word 'ofice' in 'ofice'; did you mean 'office'? Accepted: always, never, or windows"),
        ("shop", "unknown word 'shop' in 'shop'; accepted: always, never, or windows"),
        ("office sat 10:00-14:00", "unknown word 'sat' in"),
        ("mon-fri office", "'office' beside something else in"),
        ("demo month=mar", "month= beside what has no windows in"),
    ] {
        let refused = read(value).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("nightshift:schedule: {error}")), "{refused}");
        assert!(
            !value.starts_with("shop") || refused.ends_with("or a schedule of the stack: demo, office"),
            "{refused}"
        );
    }
}

#[test]
fn what_is_wrong_with_the_schedules_of_a_stack_is_named() {
    for (text, error) in [
        ("mon-fri 08:00-20:00", "'mon-fri 08:00-20:00' is not a name for a schedule"),
        ("mon=always", "'mon' is not a name"),
        ("utc=always", "'utc' is not a name"),
        ("kst=always", "'kst' is not a name"),
        ("1st=always", "'1st' is not a name"),
        ("a b=always", "'a b' is not a name"),
        ("a=always; A=never", "'a' is there twice"),
        ("a=mon-fry 08:00-20:00", "'a' stands for 'mon-fry 08:00-20:00': unknown word 'mon-fry'; accepted: always"),
        ("a=always off=1", "'a' stands for 'always off=1': unknown option 'off'; accepted: day, month, skip"),
        ("a=always; b=a", "'b' stands for 'a': unknown word 'a'"),
    ] {
        let refused = text.parse::<NamedSchedules>().unwrap_err().to_string();
        assert!(refused.starts_with(error), "{refused}");
    }
    assert_eq!("".parse(), Ok(NamedSchedules::default()));
}

#[test]
fn dates_that_never_come_are_refused() {
    for (value, error) in [
        ("mon-fri 08:00-20:00 day=30 month=feb", "no day that month=feb leaves of a window in"),
        ("mon-fri 08:00-20:00 day=31 month=apr+jun", "no day that month=apr+jun leaves of a window in"),
        ("first-mon 08:00-20:00 day=8", "no day that day=8 leaves of a window in"),
        ("mon-fri 08:00-20:00 day=0", "day=0 cannot be understood in"),
        ("mon-fri 08:00-20:00 day=32", "day=32 cannot be understood in"),
        ("mon-fri 08:00-20:00 month=3", "month=3 cannot be understood in"),
        ("mon-fri 08:00-20:00 skip=tomorrow", "skip=tomorrow cannot be understood in"),
        ("first-mon-fri 08:00-20:00", "unknown word 'first-mon-fri' in"),
        ("sat#6 08:00-20:00", "unknown word 'sat#6' in"),
        ("never skip=12-25", "skip= beside what has no windows in"),
    ] {
        let refused = Schedule::read(value, &StackCalendar::default()).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("nightshift:schedule: {error}")), "{refused}");
    }
    // These do.
    for value in ["last-sun 02:00-03:00 day=31", "fifth-sat 08:00-20:00 month=feb", "mon-sun 08:00-20:00 day=last"] {
        schedule(value);
    }
}

/// Dates as the reference has them: which of a month, days of the month from and to, months from and to, and days off.
type PlainDates = (usize, (i8, i8), (i8, i8), Vec<Date>);

const WHICH: [&str; 7] = ["", "first-", "second-", "third-", "fourth-", "fifth-", "last-"];

/// Found by walking through the month.
fn is_its_turn(date: Date, which: usize) -> bool {
    let same = |it: &Date| it.weekday() == date.weekday() && it.month() == date.month();
    let month: Vec<Date> = date.first_of_month().series(1.day()).take(31).filter(same).collect();
    match which {
        0 => true,
        6 => month.last() == Some(&date),
        nth => month.get(nth - 1) == Some(&date),
    }
}

fn in_circle(it: i8, (from, to): (i8, i8)) -> bool {
    if from <= to { from <= it && it <= to } else { from <= it || it <= to }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn dates_are_what_a_walk_through_the_months_says(
        windows in windows(), which in 0..7usize, days in (1..=31i8, 1..=31i8), months in (1..=12i8, 1..=12i8),
        off in vec(0..40i64, 0..3), name in select(&ZONES), day in 0..20_000i64
    ) {
        let (zone, minutes) = (zone(name), 20 * 1440);
        let first = Date::constant(2001, 1, 1) + day.days();
        let from = reached(first.to_datetime(Default::default()), &zone);
        let off: Vec<Date> = off.into_iter().map(|it| first + it.days()).collect();
        let dates: PlainDates = (which, days, months, off);
        let starts = |date: Date| {
            let (which, days, months, off) = &dates;
            is_its_turn(date, *which)
                && in_circle(date.day(), *days)
                && in_circle(date.month(), *months)
                && !off.contains(&date)
        };
        let expected = reference(&windows, &zone, starts, from, minutes);
        let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let words = names.iter().fold(written(&windows), |text, it| text.replace(it, &format!("{}{it}", WHICH[which])));
        let month = |it: i8| ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"][it as usize - 1];
        let mut text = format!("{words} day={}-{} month={}-{}", days.0, days.1, month(months.0), month(months.1));
        if !dates.3.is_empty() {
            let off: Vec<String> = dates.3.iter().map(Date::to_string).collect();
            text += &format!(" skip={}", off.join("+"));
        }
        match Schedule::read(&text, &StackCalendar::default()) {
            // Longer than a tag, or days that never come.
            Err(refused) => prop_assert!(text.len() > 256 || expected.is_empty(), "{refused}"),
            Ok(_) => prop_assert_eq!(told(&text, &zone, &closed_on([]), from, minutes), expected, "{} from {}", text, from),
        }
    }

    #[test]
    fn no_schedules_of_a_stack_make_it_panic(text in any::<String>(), words in "[a-z0-9=;: #.+-]{0,60}") {
        let _ = (text.parse::<NamedSchedules>(), words.parse::<NamedSchedules>());
    }
}
