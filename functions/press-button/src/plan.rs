//! What a button means now. Pure: no clock, no environment, no AWS.

mod offers;
mod step;

#[cfg(test)]
mod tests;

use board::DryRun;
use jiff::Zoned;
use reconcile::{Button, Plan};

pub use step::Press;

/// A button that was pressed, with the value that its message held.
#[derive(Debug, Clone, PartialEq)]
pub struct Pressed {
    pub button: Button,
    pub value: String,
}

/// The resource of a report that is about no resource.
const ITSELF: &str = "press-button";

/// Sends what the button offered if it is still on offer, and nothing otherwise.
pub fn plan(pressed: Option<&Pressed>, offers: Option<&DryRun>, now: &Zoned) -> Plan<Press> {
    let mut plan = Plan::new();
    let (Some(pressed), Some(run)) = (pressed, offers) else {
        plan.skip(ITSELF, "no button was pressed");
        return plan;
    };
    let found = offers::of(pressed.button, run, now).into_iter().find(|it| it.values.contains(&pressed.value));
    match found {
        Some(offer) => {
            let press = Press { button: pressed.button, about: offer.about, command: offer.command };
            plan.act(&offer.resource, press, "a person pressed the button of a message in chat");
        }
        None => plan.skip(pressed.button.label(), over(pressed.button, run)),
    }
    plan
}

/// Why nothing was done.
fn over(button: Button, run: &DryRun) -> String {
    let function = button.function();
    if let Some(why) = &run.refused {
        return format!("nothing was done, since {function} refused to say what this button means: {why}");
    }
    if run.is_cut {
        return format!(
            "nothing was done, since {function} has more to report than one answer holds, and not what this button \
             means; send the command of the e-mail"
        );
    }
    let why = match button {
        Button::Approve | Button::Reject => "that image does not wait any more, or it waits for something else",
        Button::RollBack => "the service runs another image by now",
        Button::Wake => "it has been awake since, or the message is of another day",
        Button::Release => "the budget holds nothing any more, or its period is another one",
    };
    format!("nothing was done, since {why}; the newest message about it counts")
}
