//! The page: its parts one below the other, and what keeps it small.

use crate::rows::Rows;
use crate::section::Section;
use crate::style::{class, style};
use crate::text::escaped;
use crate::view::{Board, View};
use crate::{alarms, backups, images, money, needs, tonight};

/// The most bytes of a page. CloudWatch does not say how much a widget may hold; this much loads at once everywhere.
const LONGEST: usize = 60_000;

/// What stands around the parts: the element, the style, the moment.
const FRAME: usize = 5_000;

/// The page as HTML, to be put into another one.
pub fn html(board: &Board, view: &View<'_>) -> String {
    let mut html = format!("<div class=\"{}\"><style>{}</style>", class(view.theme), style(view.theme));
    let mut room = LONGEST - FRAME;
    for (index, section) in view.sections.iter().enumerate() {
        let rows = rows(*section, board, view);
        // What a part does not need is for the parts after it.
        let drawn = rows.drawn(section.heading(), room / (view.sections.len() - index));
        room -= drawn.len();
        html += &drawn;
    }
    let zone = view.now.time_zone().iana_name().unwrap_or("UTC");
    html += &format!(
        "<p class=\"dim\">As of {}, times in {}. A button runs with your own rights; CloudTrail has who pressed it.</p></div>",
        escaped(&view.when(view.now.timestamp())),
        escaped(zone)
    );
    html
}

fn rows(section: Section, board: &Board, view: &View<'_>) -> Rows {
    let mut rows = Rows::default();
    for function in section.functions() {
        match board.runs.get(*function) {
            Some(Err(why)) => rows.unreadable(function, why),
            Some(Ok(run)) => {
                if let Some(why) = &run.refused {
                    rows.unreadable(function, why);
                }
                if run.is_cut {
                    rows.unreadable(function, "its answer was too long, so that some of it is only in its log");
                }
            }
            None => {}
        }
    }
    match section {
        Section::Tonight => tonight::draw(board, view, &mut rows),
        Section::Images => images::draw(board, view, &mut rows),
        Section::Backups => backups::draw(board, view, &mut rows),
        Section::Money => money::draw(board, view, &mut rows),
        Section::Alarms => alarms::draw(board, view, &mut rows),
        Section::NeedsYou => needs::draw(board, view, &mut rows),
    }
    rows
}
