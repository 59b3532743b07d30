//! What a person has to decide or to fix, with the buttons for it.

use crate::button::button;
use crate::rows::Rows;
use crate::section::Section;
use crate::text::{name, sentence};
use crate::view::{Board, View};

pub fn draw(board: &Board, view: &View<'_>, rows: &mut Rows) {
    rows.nothing = "Nothing needs you.";
    for function in Section::NeedsYou.functions() {
        let Some(run) = board.run(function) else { continue };
        for problem in &run.problems {
            let called = run.name_of(&problem.resource);
            let buttons: String = problem
                .choices
                .iter()
                .map(|choice| {
                    let to = choice.function.as_deref().unwrap_or(function);
                    let confirmation = format!("{} for {called}?", choice.label);
                    button(&choice.label, to, &choice.payload, &confirmation, view)
                })
                .collect();
            let buttons = if buttons.is_empty() { buttons } else { format!("<div class=\"act\">{buttons}</div>") };
            rows.urgent(format!(
                "<div class=\"row\"><b>{}</b> <span class=\"tag warn\">{}</span> <span class=\"dim\">{function}</span>\
                 <br>{}{buttons}</div>",
                name(called),
                name(&problem.kind),
                sentence(&problem.message)
            ));
        }
    }
}
