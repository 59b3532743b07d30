//! Messages to people, as a queue gets them.

use std::{collections::BTreeMap, sync::Mutex};

/// A message to people.
#[derive(Clone, Debug)]
pub struct Message {
    /// The subject of the e-mail.
    pub subject: Option<String>,
    /// The body as it was delivered to a queue.
    pub body: String,
    /// The form for each protocol (`email`, `https`, …), or only `default`.
    pub forms: BTreeMap<String, String>,
}

/// The queue, and what has come so far.
pub struct Inbox {
    pub queue: String,
    pub received: Mutex<Vec<Message>>,
}
