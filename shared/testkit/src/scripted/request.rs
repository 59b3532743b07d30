//! What the SDK sends, read back, and the frame of what it is answered.

use aws_smithy_types::body::SdkBody;
use serde_json::{Map, Value, json};

use super::{call::Call, cbor};

/// How a service speaks.
pub enum Protocol {
    /// Forms in, XML out: RDS, SNS.
    Query,
    /// JSON both ways.
    Json,
    /// Smithy RPC v2 with CBOR both ways: CloudWatch.
    Cbor,
    /// Paths and XML both ways: S3.
    Rest,
}

impl Protocol {
    /// An answer that the SDK takes.
    pub fn respond(&self, status: u16, body: Vec<u8>, number: usize) -> http::Response<SdkBody> {
        let mut response = http::Response::builder().status(status).header("x-amzn-requestid", format!("req-{number}"));
        if let Protocol::Cbor = self {
            response = response.header("smithy-protocol", "rpc-v2-cbor").header("content-type", "application/cbor");
        }
        response.body(SdkBody::from(body)).expect("a sound response")
    }

    /// The body of an answer.
    pub fn encoded(&self, body: &Value) -> Vec<u8> {
        match self {
            Protocol::Cbor => cbor::write(body),
            Protocol::Json | Protocol::Query | Protocol::Rest => body.to_string().into_bytes(),
        }
    }

    /// A refusal with this code.
    pub fn refusal(&self, status: u16, code: &str, message: &str, number: usize) -> http::Response<SdkBody> {
        let body = match self {
            Protocol::Json | Protocol::Cbor => {
                self.encoded(&json!({"__type": format!("com.amazonaws#{code}"), "message": message}))
            }
            Protocol::Rest => format!(
                "<Error><Code>{code}</Code><Message>{message}</Message><RequestId>req-{number}</RequestId></Error>"
            )
            .into_bytes(),
            Protocol::Query => format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>req-{number}</RequestId></ErrorResponse>"
            )
            .into_bytes(),
        };
        self.respond(status, body, number)
    }
}

/// The request, and how its service speaks.
pub fn read(request: &http::Request<SdkBody>) -> (Call, Protocol) {
    let bytes = request.body().bytes().unwrap_or_default();
    let header = |name: &str| request.headers().get(name).and_then(|it| it.to_str().ok());
    // A body whose length is not told is one that AWS refuses.
    let length = header("content-length").map_or(bytes.len(), |it| it.parse().unwrap_or_default());
    assert_eq!(length, bytes.len(), "the length of {}", request.uri());
    let host = request.uri().host().unwrap_or_default().to_owned();
    let region = host.trim_end_matches(".amazonaws.com").rsplit('.').next().unwrap_or_default().to_owned();
    let signed_for = header("authorization").and_then(|it| it.split('/').nth(2)).unwrap_or_default().to_owned();
    let path = request.uri().path();
    let (operation, body, protocol) = if let Some((_, operation)) = path.rsplit_once("/operation/") {
        (operation.to_owned(), cbor::read(bytes), Protocol::Cbor)
    } else if let Some(target) = header("x-amz-target") {
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        (operation, serde_json::from_slice(bytes).expect("a JSON body"), Protocol::Json)
    } else if let Some((_, function)) = path.split_once("/functions/") {
        let payload: Value = serde_json::from_slice(bytes).expect("a JSON payload");
        let (function, kind) = (function.trim_end_matches("/invocations"), header("x-amz-invocation-type"));
        ("Invoke".to_owned(), json!({"function": function, "type": kind, "payload": payload}), Protocol::Json)
    } else if host.starts_with("scheduler.") {
        schedules(request, bytes)
    } else if host.contains(".s3") || host.starts_with("s3.") {
        rest(request, &host, bytes)
    } else {
        let fields = form(std::str::from_utf8(bytes).expect("a form is text"));
        let operation = fields.get("Action").and_then(Value::as_str).unwrap_or_default().to_owned();
        (operation, Value::Object(fields), Protocol::Query)
    };
    (Call { region, host, signed_for, operation, body }, protocol)
}

/// A call of EventBridge Scheduler by its method and path; the name in the path and the query are fields as well.
fn schedules(request: &http::Request<SdkBody>, bytes: &[u8]) -> (String, Value, Protocol) {
    let mut path = request.uri().path().trim_start_matches('/').splitn(2, '/');
    let (collection, name) = (path.next().unwrap_or_default(), path.next().map(decoded));
    let operation = match (request.method().as_str(), collection, &name) {
        ("GET", "schedules", None) => "ListSchedules",
        ("GET", "schedules", Some(_)) => "GetSchedule",
        ("PUT", "schedules", Some(_)) => "UpdateSchedule",
        ("POST", "tags", Some(_)) => "TagResource",
        ("DELETE", "tags", Some(_)) => "UntagResource",
        (method, collection, _) => panic!("the script knows no {method} of {collection}"),
    };
    let mut fields = form(request.uri().query().unwrap_or_default());
    if !bytes.is_empty() {
        let body: Map<String, Value> = serde_json::from_slice(bytes).expect("a JSON body");
        fields.extend(body);
    }
    fields.extend(name.map(|it| ("Name".to_owned(), Value::String(it))));
    (operation.to_owned(), Value::Object(fields), Protocol::Json)
}

/// What S3 answers to a call that went to the wrong region.
pub fn redirection(region: &str) -> http::Response<SdkBody> {
    let response = http::Response::builder().status(301).header("x-amz-bucket-region", region);
    response.body(SdkBody::empty()).expect("a sound response")
}

/// What S3 answers to a call that writes an object.
pub fn written(etag: &str) -> http::Response<SdkBody> {
    let response = http::Response::builder().status(200).header("etag", etag);
    response.body(SdkBody::empty()).expect("a sound response")
}

/// What S3 answers to a call that reads an object.
pub fn object(headers: Vec<(&'static str, String)>, contents: Vec<u8>) -> http::Response<SdkBody> {
    let response =
        headers.into_iter().fold(http::Response::builder().status(200), |it, (name, value)| it.header(name, value));
    response.body(SdkBody::from(contents)).expect("a sound response")
}

/// A call of S3 by its path: the operation is the method and what makes it another one, such as `GET policyStatus`.
fn rest(request: &http::Request<SdkBody>, host: &str, bytes: &[u8]) -> (String, Value, Protocol) {
    const SUBRESOURCES: [&str; 10] = [
        "delete",
        "lifecycle",
        "list-type",
        "partNumber",
        "policyStatus",
        "requestPayment",
        "uploadId",
        "uploads",
        "versioning",
        "versions",
    ];
    let query = form(request.uri().query().unwrap_or_default());
    let path = request.uri().path();
    let what = match path.strip_prefix("/v20180820/") {
        Some(control) => control.split('/').next().unwrap_or_default(),
        None => SUBRESOURCES.into_iter().find(|it| query.contains_key(*it)).unwrap_or_default(),
    };
    let bucket = host.split(".s3").next().unwrap_or_default();
    let body = String::from_utf8_lossy(bytes).into_owned();
    let operation = format!("{} {what}", request.method()).trim_end().to_owned();
    let headers: Map<String, Value> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), Value::String(value.to_str().unwrap_or_default().into())))
        .collect();
    let fields = json!({"bucket": bucket, "path": path, "key": decoded(path.trim_start_matches('/')), "query": query,
               "headers": headers, "xml": body});
    (operation, fields, Protocol::Rest)
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
