//! Sends the command of a button to the function that takes it.

use std::cell::RefCell;

use aws::Error;
use aws::lambda::ask;
use runtime::Run;
use serde_json::{Value, json};

use crate::plan::Press;
use crate::{Clients, observe};

/// Sends the command, and keeps what the function answers.
///
/// That function counts and tells its own failure, so this run did not fail; the person reads it here.
pub async fn press(
    clients: &Clients,
    press: &Press,
    answers: &RefCell<Vec<String>>,
    run: &Run<'_>,
) -> Result<Value, Error> {
    let function = observe::function(press.button, run)?;
    let mut payload = press.command.clone();
    payload["format"] = json!("text");
    let answered = ask(&clients.lambda, &function, &payload.to_string()).await?;
    let said: Vec<String> = match &answered.error {
        Some(kind) => vec![format!("{} failed: {}", press.button.function(), answered.why(kind))],
        None => {
            let lines = answered.answer.as_array().into_iter().flatten();
            lines.filter_map(|it| it.as_str().map(str::to_owned)).collect()
        }
    };
    answers.borrow_mut().extend(said);
    Ok(json!({"failed": answered.error.is_some()}))
}
