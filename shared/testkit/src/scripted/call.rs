//! A request of the SDK, read back.

use serde_json::Value;

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Call {
    /// Where to.
    pub region: String,
    /// The whole name of the host.
    pub host: String,
    /// The region that the signature names.
    pub signed_for: String,
    /// As AWS spells it.
    pub operation: String,
    /// The fields; of the query protocol all of them are texts under flat names. Of `Invoke` they are `function`,
    /// `type` and `payload`. A moment of the binary protocol is its seconds.
    pub body: Value,
}

impl Call {
    /// A field that is a text; empty if it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }

    /// The texts of a list: `NAME.1`, `NAME.2` and so on of the query protocol.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let item = |number: usize| self.body[format!("{name}.{number}")].as_str().map(str::to_owned);
        (1..).map_while(item).collect()
    }
}
