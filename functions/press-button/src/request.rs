//! The command of a button, reduced to which button it is and what it is tied to.

use reconcile::Button;
use runtime::{Reading, no_such_command};
use serde_json::Value;

use crate::plan::Pressed;

/// What a run of this function was asked: the button, if one was pressed.
#[derive(Debug, Clone, PartialEq)]
pub struct Request(pub(crate) Option<Pressed>);

impl runtime::Request for Request {
    const ACCEPTED: &'static [&'static str] = &[
        "{\"b\":\"approve-0123456789abcdef\"} (what a button of a message in chat sends; also reject-, rollback-, wake- and release-)",
        "the same with \"dry_run\":true (what the button would send)",
    ];

    fn sweep() -> Self {
        Request(None)
    }

    fn command(name: &str, argument: Value) -> Result<Reading<Self>, String> {
        if name != Button::COMMAND {
            return Err(no_such_command(name));
        }
        let value = argument.as_str().unwrap_or_default();
        let button = Button::of_value(value).ok_or_else(|| {
            let names: Vec<&str> = Button::ALL.iter().map(|it| it.name()).collect();
            let accepted = names.join(", ");
            format!(
                "\"{name}\": {argument} is not the value of a button; accepted: one of {accepted}, then - and 16 digits"
            )
        })?;
        Ok(Reading::Work(Request(Some(Pressed { button, value: value.to_owned() }))))
    }
}

#[cfg(test)]
mod tests {
    use runtime::Request as _;
    use serde_json::json;

    use super::*;

    fn read(payload: Value) -> Result<Reading<Request>, String> {
        Request::read(runtime::event(payload)?)
    }

    fn sample(name: &str) -> Result<Reading<Request>, String> {
        let path = format!("{}/../../events/press-button/{name}.json", env!("CARGO_MANIFEST_DIR"));
        read(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    #[test]
    fn every_sample_is_the_button_that_was_pressed() {
        let pressed = |button, value: &str| Ok(Reading::Work(Request(Some(Pressed { button, value: value.into() }))));
        assert_eq!(sample("approve"), pressed(Button::Approve, "approve-0f1e2d3c4b5a6978"));
        assert_eq!(sample("wake"), pressed(Button::Wake, "wake-8796a5b4c3d2e1f0"));
        assert_eq!(sample("sweep"), Ok(Reading::Work(Request(None))));
    }

    #[test]
    fn what_is_not_a_button_is_refused_with_what_is_accepted() {
        let accepted = "accepted: one of approve, reject, rollback, wake, release, then - and 16 digits";
        for wrong in [json!("deploy-0123456789abcdef"), json!("approve-1"), json!("$b"), json!(1), json!({})] {
            let refused = read(json!({"b": wrong.clone()})).unwrap_err();
            assert_eq!(refused, format!("\"b\": {wrong} is not the value of a button; {accepted}"));
        }
        assert_eq!(read(json!({"approve": {}})).unwrap_err(), "there is no command \"approve\"");
    }
}
