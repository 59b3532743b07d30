//! Alarms that fire, and what was done about them.

use std::collections::BTreeSet;

use rules::facts::{Alarm, Fact};

use crate::rows::Rows;
use crate::text::{name, sentence};
use crate::view::{Board, Firing, View};

pub fn draw(board: &Board, view: &View<'_>, rows: &mut Rows) {
    rows.nothing = "No alarm is in ALARM.";
    let mut known: BTreeSet<&str> = BTreeSet::new();
    let mut well = 0;
    for (arn, fact) in board.facts("remediate-alarm") {
        let Fact::Alarm(it) = fact else { continue };
        known.insert(arn);
        match it.firing {
            true => {
                let said = board.run("remediate-alarm").and_then(|it| it.said_of(arn));
                rows.urgent(row(it, said, view));
            }
            false => well += 1,
        }
    }
    match &board.firing {
        Some(Ok(firing)) => {
            for it in firing.iter().filter(|it| !known.contains(it.arn.as_str())) {
                rows.urgent(without_remedy(it, view));
            }
        }
        Some(Err(why)) => rows.unreadable("The alarms without a remedy", why),
        None => {}
    }
    if well > 0 {
        let words = if well == 1 { "alarm with a remedy does" } else { "alarms with a remedy do" };
        rows.calm(format!("<div class=\"row dim\">{well} {words} not fire.</div>"));
    }
}

fn row(it: &Alarm, said: Option<&str>, view: &View<'_>) -> String {
    let since = it.since.map(|it| format!(" since {}", view.when(it))).unwrap_or_default();
    let ladder: Vec<String> = it
        .ladder
        .iter()
        .zip(1..)
        .map(|(remedy, rung)| match it.rung == Some(rung) {
            true => format!("<b>{}</b>", name(remedy)),
            false => name(remedy),
        })
        .collect();
    let last = it.remedied.map(|it| format!(", last one {}", name(&view.when(it)))).unwrap_or_default();
    let left = if it.left { " <span class=\"tag warn\">left to a person</span>" } else { "" };
    let said = said.map(|it| format!("<br><span class=\"dim\">{}</span>", sentence(it))).unwrap_or_default();
    format!(
        "<div class=\"row\"><b class=\"bad\">{}</b>{}: {}{last}{left}{said}</div>",
        name(&it.name),
        name(&since),
        ladder.join(" \u{2192} ")
    )
}

fn without_remedy(it: &Firing, view: &View<'_>) -> String {
    let since = it.since.map(|it| format!(" since {}", view.when(it))).unwrap_or_default();
    format!(
        "<div class=\"row\"><b class=\"bad\">{}</b>{}: no remedy<br><span class=\"dim\">{}</span></div>",
        name(&it.name),
        name(&since),
        sentence(&it.reason)
    )
}
