//! Budgets, and what sleeping has saved.

use jiff::civil::Date;
use rules::budget::Money;
use rules::facts::{Budget, Fact};

use crate::rows::Rows;
use crate::text::{name, sentence};
use crate::view::{Board, Saved, View};

pub fn draw(board: &Board, view: &View<'_>, rows: &mut Rows) {
    rows.nothing = "No budget is enforced.";
    let spent = board.spent.as_ref();
    if let Some(Err(why)) = spent {
        rows.unreadable("The figures by day", why);
    }
    for (_, fact) in board.facts("enforce-budget") {
        let Fact::Budget(it) = fact else { continue };
        let days = spent.and_then(|all| all.as_ref().ok()?.get(&it.name));
        rows.row(it.percent >= 80, row(it, days.map(Vec::as_slice), view));
    }
    match &board.saved {
        Some(Ok(saved)) => rows.calm(saved_row(saved)),
        Some(Err(why)) => rows.unreadable("What sleeping saves", why),
        None => {}
    }
}

fn amount(text: &str) -> String {
    name(&text.parse::<Money>().map_or_else(|_| text.to_owned(), Money::rounded))
}

fn row(it: &Budget, days: Option<&[(Date, f64)]>, view: &View<'_>) -> String {
    let class = match it.percent {
        100.. => "bad",
        80.. => "warn",
        _ => "good",
    };
    let forecast = it.forecast.as_ref().map(|it| format!(", {} forecast", amount(it))).unwrap_or_default();
    let held = match it.held.is_empty() {
        true => String::new(),
        false => {
            let since = it.held_since.map(|it| format!(" since {}", view.when(it))).unwrap_or_default();
            format!("<br><span class=\"warn\">asleep for it{}: {}</span>", name(&since), sentence(&it.held.join(", ")))
        }
    };
    format!(
        "<div class=\"row\"><b>{}</b> <span class=\"{class}\">{} of {} {} ({} %)</span>{forecast} \
         <span class=\"dim\">until {}</span>{held}{}{}</div>",
        name(&it.name),
        amount(&it.actual),
        amount(&it.limit),
        name(&it.currency),
        it.percent,
        name(&view.when(it.until)),
        parts(it),
        bar(it, days)
    )
}

/// The table of a budget that is more than the bill of AWS.
fn parts(it: &Budget) -> String {
    if it.parts.is_empty() {
        return String::new();
    }
    let rows: String = it
        .parts
        .iter()
        .map(|part| {
            let actual = part.actual.as_deref().map_or_else(|| "unknown".into(), amount);
            let limit = part.limit.as_deref().map(|it| format!(" of {}", amount(it))).unwrap_or_default();
            format!("<tr><td>{}</td><td>{actual}{limit}</td></tr>", name(&part.name))
        })
        .collect();
    format!("<table>{rows}</table>")
}

/// What is spent as a bar up to the limit, and below it by day, as far as CloudWatch has that.
fn bar(it: &Budget, days: Option<&[(Date, f64)]>) -> String {
    let width = it.percent.min(120);
    let class = if it.percent >= 100 {
        "ko"
    } else if it.percent >= 80 {
        "wait"
    } else {
        "on"
    };
    let days = days.unwrap_or_default();
    let most = days.iter().fold(100.0_f64, |most, (_, it)| most.max(*it));
    let columns: String = days
        .iter()
        .rev()
        .take(31)
        .rev()
        .enumerate()
        .map(|(index, (_, percent))| {
            let height = (percent / most * 20.0).clamp(0.0, 20.0);
            format!("M{} 20v-{height:.1}h8v{height:.1}z", index * 10)
        })
        .collect();
    let by_day = match columns.is_empty() {
        true => String::new(),
        false => format!(
            "<svg viewBox=\"0 0 310 20\" preserveAspectRatio=\"none\" role=\"img\"><title>percent spent, by day</title>\
             <path class=\"off\" d=\"{columns}\"/></svg>"
        ),
    };
    format!(
        "<svg viewBox=\"0 0 120 10\" preserveAspectRatio=\"none\" role=\"img\"><title>{} % of the limit</title>\
         <rect class=\"bg\" width=\"120\" height=\"10\"/><rect class=\"{class}\" width=\"{width}\" height=\"10\"/>\
         <rect class=\"now\" x=\"100\" width=\"0.6\" height=\"10\"/></svg>{by_day}",
        it.percent
    )
}

fn saved_row(it: &Saved) -> String {
    format!(
        "<div class=\"row\"><b>Asleep in the last {} days</b>: {:.0} hours of tasks and {:.0} hours of databases that \
         did not run, by AWS's own metrics</div>",
        it.days, it.task_hours, it.database_hours
    )
}
