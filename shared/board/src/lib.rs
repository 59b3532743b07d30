//! Draws what the functions report as one page: HTML and SVG from plain data.
//!
//! Pure: no AWS, no clock, no environment. [`DryRun`] is what one function says, [`Board`] all that is known,
//! [`View`] how it is shown, and [`html()`] the page. It holds no script and loads nothing; whatever a name or a tag
//! holds, it is text on the page.

mod alarms;
mod backups;
mod button;
mod dry_run;
mod html;
mod images;
mod money;
mod needs;
mod rows;
mod section;
mod style;
mod text;
mod tonight;
mod view;

#[cfg(test)]
mod tests;

pub use dry_run::{Choice, DryRun, Planned, Problem};
pub use html::html;
pub use section::Section;
pub use text::escaped;
pub use view::{Board, Firing, Saved, Theme, View};
