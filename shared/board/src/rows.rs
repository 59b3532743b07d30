//! The rows of a part, the urgent ones first, as many as there is room for.

use crate::text::{name, sentence};

/// The rows of a part.
#[derive(Debug, Default)]
pub struct Rows {
    urgent: Vec<String>,
    calm: Vec<String>,
    /// Stands above the rows if there are any.
    pub head: String,
    /// What is said where there is no row.
    pub nothing: &'static str,
}

impl Rows {
    /// A row that needs a person, or that is about to.
    pub fn urgent(&mut self, html: String) {
        self.urgent.push(html);
    }

    /// Any other row.
    pub fn calm(&mut self, html: String) {
        self.calm.push(html);
    }

    pub fn row(&mut self, is_urgent: bool, html: String) {
        if is_urgent { self.urgent(html) } else { self.calm(html) }
    }

    /// A source that could not be read: the rest of the part stands.
    pub fn unreadable(&mut self, what: &str, why: &str) {
        self.urgent(format!(
            "<div class=\"row\"><b class=\"bad\">{}</b> could not be read: {}</div>",
            name(what),
            sentence(why)
        ));
    }

    /// The part, in at most `room` bytes.
    pub fn drawn(self, heading: &str, room: usize) -> String {
        let mut html = format!("<h3>{heading}</h3>");
        let count = self.urgent.len() + self.calm.len();
        if count == 0 {
            return html + &format!("<p class=\"dim\">{}</p>", self.nothing);
        }
        html += &self.head;
        // Room for the line that says how many are left out.
        let most = room.saturating_sub(html.len() + 120);
        let (mut used, mut left_out) = (0, 0);
        for row in self.urgent.into_iter().chain(self.calm) {
            match left_out == 0 && used + row.len() <= most {
                true => {
                    used += row.len();
                    html += &row;
                }
                false => left_out += 1,
            }
        }
        if left_out > 0 {
            html +=
                &format!("<p class=\"dim\">\u{2026} and {left_out} more of {count}; the dry runs have them all.</p>");
        }
        html
    }
}
