//! What the SDK sends, read back, and the frame of what it is answered.

use aws_smithy_types::body::SdkBody;
use serde_json::{Map, Value, json};

use super::Call;

/// How a service speaks.
pub enum Protocol {
    /// Forms in, XML out: RDS, SNS.
    Query,
    /// JSON both ways.
    Json,
}

impl Protocol {
    /// A refusal with this code.
    pub fn refusal(&self, code: &str) -> String {
        match self {
            Protocol::Json => {
                json!({"__type": format!("com.amazonaws#{code}"), "message": "refused by the script"}).to_string()
            }
            Protocol::Query => format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>refused by the script</Message></Error>\
                 <RequestId>req-1</RequestId></ErrorResponse>"
            ),
        }
    }
}

/// The request, and how its service speaks.
pub fn read(request: &http::Request<SdkBody>) -> (Call, Protocol) {
    let bytes = request.body().bytes().unwrap_or_default();
    let host = request.uri().host().unwrap_or_default();
    let region = host.trim_end_matches(".amazonaws.com").rsplit('.').next().unwrap_or_default().to_owned();
    let target = request.headers().get("x-amz-target").and_then(|it| it.to_str().ok());
    match target {
        Some(target) => {
            let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
            let body = serde_json::from_slice(bytes).expect("a JSON body");
            (Call { region, operation, body }, Protocol::Json)
        }
        None => {
            let fields = form(std::str::from_utf8(bytes).expect("a form is text"));
            let operation = fields.get("Action").and_then(Value::as_str).unwrap_or_default().to_owned();
            (Call { region, operation, body: Value::Object(fields) }, Protocol::Query)
        }
    }
}

/// The whole answer of the query protocol around its result.
pub fn xml(operation: &str, inner: &str) -> String {
    format!("<{operation}Response><{operation}Result>{inner}</{operation}Result></{operation}Response>")
}

fn form(body: &str) -> Map<String, Value> {
    let pair = |it: &str| {
        let (name, value) = it.split_once('=').unwrap_or((it, ""));
        (name.to_owned(), Value::String(decoded(value)))
    };
    body.split('&').filter(|it| !it.is_empty()).map(pair).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                u8::from_str_radix(&String::from_utf8_lossy(&hex), 16).unwrap_or(b'?')
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
