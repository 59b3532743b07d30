//! Which image each service runs, which one waits, and what a person can decide about that.

use std::collections::BTreeSet;

use rules::facts::{Fact, Image};
use serde_json::json;

use crate::button::button;
use crate::dry_run::DryRun;
use crate::rows::Rows;
use crate::text::{name, sentence};
use crate::view::{Board, View};

const DEPLOYS: &str = "deploy-image";

pub fn draw(board: &Board, view: &View<'_>, rows: &mut Rows) {
    rows.nothing = "No service has a rule for its image.";
    compose(board, rows);
    let Some(run) = board.run(DEPLOYS) else { return };
    for (arn, fact) in board.facts(DEPLOYS) {
        let Fact::Image(it) = fact else { continue };
        let asks = run.problems.iter().any(|it| it.resource == arn);
        rows.row(asks || it.next.is_some() || it.deploying, row(arn, it, run, view));
    }
}

/// What is said of each instance with compose projects; the buttons for it stand under what needs a person.
fn compose(board: &Board, rows: &mut Rows) {
    let Some(run) = board.run("deploy-compose") else { return };
    let problems = run.problems.iter().map(|it| it.resource.as_str());
    let others = run.planned.iter().map(|it| it.resource.as_str()).chain(run.skipped.iter().map(|it| it.0.as_str()));
    let mut known = BTreeSet::new();
    for arn in problems.chain(others).filter(|it| it.split(':').nth(2) == Some("ec2") && known.insert(*it)) {
        let is_urgent = run.problems.iter().any(|it| it.resource == arn);
        let row = format!(
            "<div class=\"row\"><b>{}</b> <span class=\"dim\">EC2 instance: {}</span></div>",
            name(run.name_of(arn)),
            sentence(run.said_of(arn).unwrap_or_default())
        );
        rows.row(is_urgent, row);
    }
}

fn row(arn: &str, it: &Image, run: &DryRun, view: &View<'_>) -> String {
    let since = it.since.map(|it| format!(" since {}", view.when(it))).unwrap_or_default();
    let state = if it.deploying { " <span class=\"tag warn\">being deployed</span>" } else { "" };
    let next = match &it.next {
        Some(next) => format!(" <span class=\"tag warn\">next {}</span>", name(next)),
        None => String::new(),
    };
    let rejected = match it.rejected.is_empty() {
        true => String::new(),
        false => format!(" <span class=\"bad\">rejected: {}</span>", name(&it.rejected.join(", "))),
    };
    // What is up to date needs no reason.
    let has_reason = it.next.is_some() || it.deploying || run.problems.iter().any(|it| it.resource == arn);
    let why = run.said_of(arn).filter(|_| has_reason);
    let why = why.map(|it| format!("<br><span class=\"dim\">{}</span>", sentence(it))).unwrap_or_default();
    format!(
        "<div class=\"row\"><b>{}</b> {}<span class=\"dim\">{}</span>{state}{next}{rejected}{why}{}</div>",
        name(&it.service),
        name(&it.running),
        name(&since),
        buttons(arn, it, run, view)
    )
}

fn buttons(arn: &str, it: &Image, run: &DryRun, view: &View<'_>) -> String {
    let choices = run.problems.iter().filter(|it| it.resource == arn).flat_map(|it| &it.choices);
    let choices: String = choices
        .map(|choice| {
            let confirmation =
                format!("{} {} for {}?", choice.label, image_of(choice.payload.to_string(), it), it.service);
            let function = choice.function.as_deref().unwrap_or(DEPLOYS);
            button(&choice.label, function, &choice.payload, &confirmation, view)
        })
        .collect();
    // The image is named: a page that was loaded before the last deployment must not roll back that one.
    let payload = json!({"rollback": {"service": it.service, "image": it.running}});
    let confirmation = format!("Roll {} back from {}? It is rejected then.", it.service, it.running);
    let back = button("Roll back", DEPLOYS, &payload, &confirmation, view);
    let all = format!("{choices}{back}");
    if all.is_empty() { all } else { format!("<div class=\"act\">{all}</div>") }
}

/// What the confirmation names: the image that waits, if the command is about it.
fn image_of(payload: String, it: &Image) -> String {
    it.next.clone().filter(|next| payload.contains(next.as_str())).unwrap_or_else(|| "this image".into())
}
