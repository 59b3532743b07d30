//! The dry runs of the other functions of the stack.

use aws::Error;
use aws::lambda::{Lambda, ask};
use serde_json::{Value, json};

/// What `function` answers to `command`, of which nothing is carried out.
pub async fn dry_run(lambda: &Lambda, function: &str, mut command: Value) -> Result<Value, Error> {
    // The right to invoke a function is one to have it act: that nothing acts stands here, and nowhere else is a
    // function invoked.
    command["dry_run"] = json!(true);
    let answered = ask(lambda, function, &command.to_string()).await?;
    match answered.error {
        None => Ok(answered.answer),
        Some(kind) => {
            let why = answered.answer["errorMessage"].as_str().unwrap_or(&kind);
            Err(Error::unexpected("Invoke", function, why))
        }
    }
}
