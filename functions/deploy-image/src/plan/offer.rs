//! What a person is offered to decide about a service, each as a command.

use reconcile::{Choice, Undo};
use rules::Digest;
use serde_json::json;

use super::case::Case;

/// `command` about this very image: a tag may be another one by the time that the command is sent, which nobody has seen.
pub fn about(case: &Case<'_>, label: &'static str, command: &str, image: &Digest) -> Choice {
    let about = json!({"service": case.service.name.to_string(), "image": image.to_string()});
    Choice::new(label, Undo::Command(json!({command: about})))
}

/// The same about the image that runs, where it is known which one that is.
pub fn about_running(case: &Case<'_>, label: &'static str, command: &str) -> Option<Choice> {
    case.running().digest.map(|it| about(case, label, command, &it))
}
