//! Whatever is on offer, a button does what its own message offered, or nothing.

use proptest::prelude::*;

use super::*;

/// A command about one of a few services and images, as a person can decide it.
fn commands() -> impl Strategy<Value = Value> {
    let name = prop_oneof![Just("approve"), Just("reject"), Just("rollback"), Just("clear")];
    (name, 0..3u8, 0..3u8, proptest::option::of(0..2u8)).prop_map(|(name, service, image, hook)| {
        let mut about = json!({"service": format!("shop/s{service}"), "image": format!("sha256:{image}")});
        if let Some(hook) = hook {
            about["hook"] = json!(format!("h{hook}"));
        }
        json!({name: about})
    })
}

proptest! {
    /// Of two moments: what was on offer in the message, and what is now.
    #[test]
    fn a_button_sends_what_its_message_offered_if_that_is_still_on_offer(
        told in commands(), now_offered in proptest::collection::vec(commands(), 0..6), days in 0..40i64,
    ) {
        let day = at("2026-11-21T03:10");
        let message = report("deploy-image", &day, vec![asks(SERVICE, std::slice::from_ref(&told))], Value::Null);
        let later = day.checked_add(jiff::Span::new().days(days)).unwrap();
        let world = report("deploy-image", &later, vec![asks(SERVICE, &now_offered)], Value::Null);
        for value in buttons(&message).as_object().into_iter().flat_map(|it| it.values()) {
            let value = value.as_str().unwrap();
            let is_decision = !value.starts_with("rollback-");
            match sent(value, &world, &later) {
                Ok(command) => prop_assert_eq!(command, told.clone()),
                Err(_) => prop_assert!(!is_decision || !now_offered.contains(&told)),
            }
        }
    }

    /// A value that no message held does nothing.
    #[test]
    fn a_value_that_is_made_up_does_nothing(digest in "[0-9a-f]{16}", offered in proptest::collection::vec(commands(), 0..6)) {
        let now = at("2026-11-21T03:10");
        let world = report("deploy-image", &now, vec![asks(SERVICE, &offered)], json!([image("sha256:1")]));
        for button in Button::ALL {
            let value = format!("{}-{digest}", button.name());
            prop_assert_eq!(press(&value, &world, &now).steps, []);
        }
    }
}
