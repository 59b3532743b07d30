//! Text from outside, as text of the page.

/// The longest sentence that is shown whole.
const LONGEST_TEXT: usize = 600;

/// The longest name.
const LONGEST_NAME: usize = 90;

/// Text within HTML, in an element or in an attribute in quotes.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // No character of control has a form in HTML.
            it if it.is_control() => escaped.push(' '),
            it => escaped.push(it),
        }
    }
    escaped
}

/// A name as text of the page.
pub fn name(text: &str) -> String {
    escaped(&cut(text, LONGEST_NAME))
}

/// A sentence as text of the page.
pub fn sentence(text: &str) -> String {
    escaped(&cut(text, LONGEST_TEXT))
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
    }
}
