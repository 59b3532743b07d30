//! Buttons that invoke a function of the stack, in the form of CloudWatch's custom widgets.

use serde_json::Value;

use crate::text::escaped;
use crate::view::View;

/// A button that sends `payload` to `function` after a confirmation; nothing where no function may be invoked.
///
/// CloudWatch applies `cwdb-action` to the element right before it, and reads the text within as JSON.
pub fn button(label: &str, function: &str, payload: &Value, confirmation: &str, view: &View<'_>) -> String {
    let Some(endpoint) = view.endpoints.get(function) else { return String::new() };
    format!(
        "<a class=\"btn\">{}</a><cwdb-action action=\"call\" display=\"popup\" confirmation=\"{}\" endpoint=\"{}\">{}</cwdb-action>",
        escaped(label),
        escaped(confirmation),
        escaped(endpoint),
        json(payload)
    )
}

/// JSON that reads the same whether or not its text is unescaped as HTML: what means something there is written as an
/// escape of JSON.
fn json(payload: &Value) -> String {
    let text = payload.to_string();
    let mut json = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '<' | '>' | '&' | '\'' => json.push_str(&format!("\\u{:04x}", u32::from(it))),
            it => json.push(it),
        }
    }
    json
}
