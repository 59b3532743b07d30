//! What is awake within the next 24 hours, and what else is planned.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reconcile::message::short_name;
use rules::facts::{Fact, Image, Sleep, SleepState};

use crate::rows::Rows;
use crate::text::{name, sentence};
use crate::view::{Board, View};

/// How many names of one kind of step are listed.
const NAMES: usize = 6;

/// How far it is drawn.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

pub fn draw(board: &Board, view: &View<'_>, rows: &mut Rows) {
    rows.nothing = "Nothing has a schedule, and nothing is planned.";
    let mut sleeps: Vec<(&str, &Sleep)> = board
        .facts("scale-staging")
        .filter_map(|(arn, fact)| if let Fact::Sleep(it) = fact { Some((arn, it)) } else { None })
        .collect();
    // What is held is asked about first; then databases stand beside the services of their names.
    sleeps.sort_by_key(|(_, it)| (it.state != SleepState::Held, &it.name));
    let windows = windows(board);
    if !sleeps.is_empty() || !windows.is_empty() {
        rows.head = hours(view);
    }
    for (arn, it) in sleeps {
        rows.row(it.state == SleepState::Held, row(arn, it, view));
    }
    for it in windows {
        rows.calm(window_row(it, view));
    }
    for (arn, why) in jobs(board) {
        rows.calm(format!(
            "<div class=\"row\"><b>{}</b> <span class=\"dim\">schedules of jobs: {}</span></div>",
            name(short_name(arn)),
            sentence(why)
        ));
    }
    for function in ["snapshot-databases", "copy-buckets", "prune-backups", "drill-restores"] {
        if let Some(planned) = planned(board, function) {
            rows.calm(planned);
        }
    }
}

/// Groups of schedules that run jobs, each with what is said of it: they are not awake or asleep by hours of their own.
fn jobs(board: &Board) -> BTreeMap<&str, &str> {
    let Some(run) = board.run("scale-staging") else { return BTreeMap::new() };
    let skipped = run.skipped.iter().map(|(arn, why)| (arn.as_str(), why.as_str()));
    let planned = run.planned.iter().map(|it| (it.resource.as_str(), it.reason.as_str()));
    // What is planned says more than why something is left alone.
    skipped.chain(planned).filter(|(arn, _)| arn.split(':').nth(2) == Some("scheduler")).collect()
}

/// The services whose deployments a window or a freeze limits, each once: a tag for each container has a fact of its own.
fn windows(board: &Board) -> Vec<&Image> {
    let mut known = BTreeSet::new();
    let images =
        board.facts("deploy-image").filter_map(|(_, fact)| if let Fact::Image(it) = fact { Some(it) } else { None });
    images.filter(|it| it.windows.is_some() || it.frozen.is_some()).filter(|it| known.insert(&it.service)).collect()
}

fn window_row(it: &Image, view: &View<'_>) -> String {
    let frozen = it.frozen.as_ref().map(|why| format!(" <span class=\"tag warn\">frozen</span> {}", sentence(why)));
    format!(
        "<div class=\"row\"><b>{}</b> <span class=\"dim\">may be deployed</span>{}{}</div>",
        name(&it.service),
        frozen.unwrap_or_default(),
        bar(
            it.windows.as_deref().unwrap_or_default(),
            ("may be deployed", "not to be deployed within a day"),
            "proof",
            view
        )
    )
}

/// The axis begins with the hour of now.
fn start(view: &View<'_>) -> Timestamp {
    let now = view.now.timestamp();
    Timestamp::from_second(now.as_second().div_euclid(3600) * 3600).unwrap_or(now)
}

fn minutes(view: &View<'_>) -> i64 {
    (view.now.timestamp() + A_DAY).duration_since(start(view)).as_mins()
}

fn hours(view: &View<'_>) -> String {
    let marks = (0..5).map(|it| {
        let at = start(view) + SignedDuration::from_mins(minutes(view) * it / 4);
        format!("<span>{}</span>", at.to_zoned(view.now.time_zone().clone()).strftime("%H:%M"))
    });
    format!("<div class=\"hours dim\">{}</div>", marks.collect::<String>())
}

/// What it is, and how many of what it has.
fn kind(arn: &str, it: &Sleep) -> String {
    let (what, parts) = match arn.split(':').nth(2) {
        Some("ec2") => ("EC2 instance", ""),
        Some("autoscaling") => ("Auto Scaling group", "instances"),
        _ if it.database => ("database", ""),
        _ => ("service", "tasks"),
    };
    match it.tasks.filter(|_| !parts.is_empty()) {
        Some(count) => format!("{what}, {count} {parts}"),
        None => what.into(),
    }
}

fn row(arn: &str, it: &Sleep, view: &View<'_>) -> String {
    let (state, class) = match it.state {
        SleepState::Awake => ("awake", "good"),
        SleepState::Asleep => ("asleep", "dim"),
        SleepState::Held => ("held", "warn"),
    };
    let since = it.since.map(|it| format!(" since {}", view.when(it))).unwrap_or_default();
    format!(
        "<div class=\"row\"><b>{}</b> <span class=\"dim\">{}</span> <span class=\"tag {class}\">{state}{}</span> \
         <span class=\"dim\">{}</span>{}</div>",
        name(&it.name),
        kind(arn, it),
        name(&since),
        sentence(&it.why),
        bar(&it.awake, ("awake", "asleep all day"), "on", view)
    )
}

/// The day as a bar, a unit for each minute; `told` says what it is within these spans, and what without any.
fn bar(spans: &[(Timestamp, Timestamp)], told: (&str, &str), class: &str, view: &View<'_>) -> String {
    let (start, width) = (start(view), minutes(view));
    let minute = |moment: Timestamp| moment.duration_since(start).as_mins().clamp(0, width);
    let on: String = spans
        .iter()
        .filter(|(from, until)| minute(*from) < minute(*until))
        .map(|(from, until)| {
            let (from, until) = (minute(*from), minute(*until));
            format!("<rect class=\"{class}\" x=\"{from}\" width=\"{}\" height=\"10\"/>", until - from)
        })
        .collect();
    let listed: Vec<String> =
        spans.iter().map(|(from, until)| format!("{} to {}", view.clock(*from), view.clock(*until))).collect();
    let told = if listed.is_empty() { told.1.into() } else { format!("{} {}", told.0, listed.join(", ")) };
    format!(
        "<svg viewBox=\"0 0 {width} 10\" preserveAspectRatio=\"none\" role=\"img\"><title>{}</title>\
         <rect class=\"bg\" width=\"{width}\" height=\"10\"/>{on}<rect class=\"now\" x=\"{}\" width=\"4\" height=\"10\"/></svg>",
        sentence(&told),
        minute(view.now.timestamp())
    )
}

/// What a function would do if it ran now.
fn planned(board: &Board, function: &str) -> Option<String> {
    let mut by_action: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for it in &board.run(function)?.planned {
        by_action.entry(&it.action).or_default().push(short_name(&it.resource));
    }
    let listed = by_action.into_iter().map(|(action, names)| {
        let more = names.len().saturating_sub(NAMES);
        let shown: Vec<String> = names[..names.len() - more].iter().map(|it| name(it)).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{} ({}): {}{more}", name(action), names.len(), shown.join(", "))
    });
    let listed: Vec<String> = listed.collect();
    let text = listed.join("; ");
    (!text.is_empty()).then(|| format!("<div class=\"row\"><b>{function}</b> would {text}</div>"))
}
