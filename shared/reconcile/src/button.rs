//! The buttons of messages in chat: who carries each out, and the value that ties it to one thing.

use jiff::civil::Date;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::undo::Undo;

/// What a person can press under a message in chat.
///
/// Chat hands on one short value and says nothing else, not even who pressed. So the value is a digest of what the
/// message offers. Whoever gets it looks up what is on offer now, and finds the same digest or nothing: an old message
/// lets nothing else out, and nothing is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Button {
    /// Lets this image out, or lets a paused deployment of it go on.
    Approve,
    /// Keeps this image back.
    Reject,
    /// Goes back from this image.
    RollBack,
    /// Wakes this resource until the evening.
    Wake,
    /// Wakes what this budget holds.
    Release,
}

impl Button {
    /// The command that holds the value. The text of a command in chat may have at most 100 characters, so its name is short.
    pub const COMMAND: &str = "b";

    /// All of them.
    pub const ALL: [Button; 5] = [Button::Approve, Button::Reject, Button::RollBack, Button::Wake, Button::Release];

    /// The command that it sends: the name of the variable in the message, and the beginning of its value.
    pub fn name(self) -> &'static str {
        match self {
            Button::Approve => "approve",
            Button::Reject => "reject",
            Button::RollBack => "rollback",
            Button::Wake => "wake",
            Button::Release => "release",
        }
    }

    /// What stands on it.
    pub fn label(self) -> &'static str {
        match self {
            Button::Approve => "Approve",
            Button::Reject => "Reject",
            Button::RollBack => "Roll back",
            Button::Wake => "Wake until this evening",
            Button::Release => "Release budget",
        }
    }

    /// The function that takes the command.
    pub fn function(self) -> &'static str {
        match self {
            Button::Approve | Button::Reject | Button::RollBack => "deploy-image",
            Button::Wake => "scale-staging",
            Button::Release => "enforce-budget",
        }
    }

    /// The button whose name is the beginning of `value`.
    pub fn of_value(value: &str) -> Option<Self> {
        let (name, digest) = value.split_once('-')?;
        let is_digest =
            digest.len() == 16 && digest.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it));
        Button::ALL.into_iter().find(|it| is_digest && it.name() == name)
    }

    /// The button that sends `command`, and what it is about. None where the command names nothing that can be looked up
    /// again: a rollback of whatever runs, or a command that passes a gate which no button mentions.
    fn of(command: &Value) -> Option<(Self, &Value)> {
        let (name, about) = command.as_object().filter(|it| it.len() == 1)?.iter().next()?;
        let button = Button::ALL.into_iter().find(|it| it.name() == name)?;
        let has = |field: &str| about[field].is_string();
        let is_tied = match button {
            Button::Approve => has("service") && has("image") && about["now"] != true,
            Button::Reject | Button::RollBack => has("service") && has("image"),
            // The dry run says of services, groups and databases that they sleep, and of instances nothing.
            Button::Wake => about["resource"].as_str().is_some_and(|it| !it.contains(":ec2:")),
            Button::Release => has("budget"),
        };
        is_tied.then_some((button, about))
    }

    /// The button that sends `command`, and its value in a message of `day`.
    ///
    /// A command about an image names it by its digest, so the day says nothing more. A resource sleeps and a budget is
    /// used up again and again: there the value holds for what had begun by that day.
    ///
    /// ```
    /// use reconcile::Button;
    /// use serde_json::json;
    ///
    /// let day = "2026-11-21".parse().unwrap();
    /// let command = json!({"approve": {"service": "shop/api", "image": "sha256:1a2b"}});
    /// let (button, value) = Button::value(&command, day).unwrap();
    /// assert_eq!((button, Button::of_value(&value)), (Button::Approve, Some(Button::Approve)));
    /// assert_eq!(Button::value(&json!({"clear": {"service": "shop/api"}}), day), None);
    /// ```
    pub fn value(command: &Value, day: Date) -> Option<(Self, String)> {
        let (button, about) = Button::of(command)?;
        let mut facts: Vec<String> = match button {
            Button::Wake => vec![about["resource"].to_string(), day.to_string()],
            Button::Release => vec![about["budget"].to_string(), day.to_string()],
            // Their order is that of a program.
            _ => about.as_object()?.iter().map(|(name, it)| format!("{name}={it}")).collect(),
        };
        facts.sort();
        let digest = Sha256::digest(format!("{}\n{}", button.name(), facts.join("\n")));
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Some((button, format!("{}-{digest}", button.name())))
    }

    /// The same for what `function` offers.
    pub fn offered(offer: &Undo, function: &str, day: Date) -> Option<(Self, String)> {
        let (to, command) = match offer {
            Undo::Command(payload) => (function, payload),
            Undo::Sibling { function, payload, .. } => (*function, payload),
            Undo::Shell(_) => return None,
        };
        Button::value(command, day).filter(|(button, _)| button.function() == to)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(command: Value, day: &str) -> Option<String> {
        Button::value(&command, day.parse().unwrap()).map(|it| it.1)
    }

    #[test]
    fn a_value_is_tied_to_every_fact_of_its_command_and_to_no_order() {
        let day = "2026-11-21";
        let approve = |service: &str, image: &str| value(json!({"approve": {"service": service, "image": image}}), day);
        let first = approve("shop/api", "sha256:1").unwrap();
        assert_eq!(value(json!({"approve": {"image": "sha256:1", "service": "shop/api"}}), day), Some(first.clone()));
        let others = [
            approve("shop/web", "sha256:1"),
            approve("shop/api", "sha256:2"),
            value(json!({"reject": {"service": "shop/api", "image": "sha256:1"}}), day),
            value(json!({"approve": {"service": "shop/api", "image": "sha256:1", "hook": "h"}}), day),
        ];
        assert!(others.iter().all(|it| it.as_ref().is_some_and(|it| *it != first)), "{others:?}");
        assert_eq!(value(json!({"approve": {"service": "shop/api", "image": "sha256:1"}}), "2026-11-22"), Some(first));
    }

    #[test]
    fn what_happens_again_is_tied_to_its_day() {
        for command in [json!({"wake": {"resource": "arn:x"}}), json!({"release": {"budget": "서울 \"a\""}})] {
            let (today, tomorrow) = (value(command.clone(), "2026-11-21"), value(command, "2026-11-22"));
            assert!(today.is_some() && today != tomorrow, "{today:?}");
        }
        let until = json!({"wake": {"resource": "arn:x", "until": "23:00"}});
        assert_eq!(value(until, "2026-11-21"), value(json!({"wake": {"resource": "arn:x"}}), "2026-11-21"));
    }

    #[test]
    fn a_command_that_could_mean_another_thing_later_has_no_button() {
        for command in [
            json!({"rollback": {"service": "shop/api"}}),
            json!({"approve": {"service": "shop/api", "image": "v1", "now": true}}),
            json!({"wake": {"resource": "arn:aws:ec2:r:1:instance/i-1"}}),
            json!({"wake": {}}),
            json!({"sleep": {"resource": "arn:x"}}),
            json!({"approve": {}, "reject": {}}),
            json!("approve"),
        ] {
            assert_eq!(value(command.clone(), "2026-11-21"), None, "{command}");
        }
    }

    #[test]
    fn a_value_says_which_button_it_is_and_nothing_else_is_one() {
        for button in Button::ALL {
            let value = format!("{}-0123456789abcdef", button.name());
            assert_eq!(Button::of_value(&value), Some(button));
        }
        for wrong in ["approve", "approve-", "approve-0123", "clear-0123456789abcdef", "approve-0123456789ABCDEF", ""] {
            assert_eq!(Button::of_value(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_offer_is_a_button_of_the_function_that_takes_it() {
        let payload = json!({"rollback": {"service": "shop/api", "image": "sha256:1"}});
        let day = "2026-11-21".parse().unwrap();
        let own = Undo::Command(payload.clone());
        assert!(Button::offered(&own, "deploy-image", day).is_some());
        assert_eq!(Button::offered(&own, "scale-staging", day), None);
        let sibling = Undo::Sibling { own: "remediate-alarm", function: "deploy-image", payload };
        assert_eq!(Button::offered(&sibling, "remediate-alarm", day), Button::offered(&own, "deploy-image", day));
    }
}
