//! The two protocols of AWS that the tests speak: JSON with a target header, and forms that are answered in XML.

use std::time::Duration;

use serde_json::Value;
use ureq::{
    Agent, Body,
    http::{Request, Response},
};

use crate::{Error, Result};

/// The region that everything is in.
pub const REGION: &str = "ap-northeast-2";

pub struct Http {
    agent: Agent,
    endpoint: String,
}

/// An answer of any status.
pub struct Answer {
    pub status: u16,
    pub function_error: Option<String>,
    pub text: String,
}

impl Http {
    pub fn new(endpoint: &str) -> Self {
        // A proxy of the shell cannot reach this machine's loopback interface, and waits half a minute before it says so.
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .proxy(None);
        Self { agent: config.build().new_agent(), endpoint: endpoint.to_owned() }
    }

    pub fn is_healthy(&self) -> bool {
        self.agent.get(format!("{}/_ministack/health", self.endpoint)).call().is_ok_and(|it| it.status() == 200)
    }

    /// A call in the JSON protocol; `target` is the prefix of the `X-Amz-Target` header.
    pub fn json(&self, service: &str, target: &str, action: &str, body: &Value) -> Result<Value> {
        let what = || format!("{service} {action}");
        let request = Request::post(&self.endpoint)
            .header("Content-Type", "application/x-amz-json-1.1")
            .header("X-Amz-Target", format!("{target}.{action}"));
        let answer = self.send(service, request, body.to_string()).map_err(|err| err.context(what()))?;
        let value: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        if answer.status == 200 {
            return Ok(value);
        }
        let code = value["__type"].as_str().unwrap_or_default().rsplit('#').next().unwrap_or_default();
        Err(Error::with_code(format!("{}: {} {}", what(), answer.status, answer.text), code))
    }

    /// A call in the query protocol, which is answered in XML.
    pub fn query(&self, service: &str, version: &str, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        let what = || format!("{service} {action}");
        let mut form = format!("Action={action}&Version={version}");
        for (key, value) in parameters {
            form += &format!("&{key}={}", percent_encoded(value));
        }
        let request = Request::post(&self.endpoint).header("Content-Type", "application/x-www-form-urlencoded");
        let answer = self.send(service, request, form).map_err(|err| err.context(what()))?;
        if answer.status == 200 {
            return Ok(answer.text);
        }
        let code = element(&answer.text, "Code").unwrap_or_default();
        Err(Error::with_code(format!("{}: {} {}", what(), answer.status, answer.text), code))
    }

    /// A call by method and path, for services that speak REST.
    pub fn rest(&self, service: &str, method: &str, path: &str, body: String) -> Result<Answer> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.endpoint));
        self.send(service, request, body).map_err(|err| err.context(format!("{service} {method} {path}")))
    }

    fn send(&self, service: &str, request: ureq::http::request::Builder, body: String) -> Result<Answer> {
        // The key `test` is the account's root: its signature is not looked at, but names region and service.
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=test/20260101/{}/{service}/aws4_request, SignedHeaders=host, Signature=0",
            REGION
        );
        let request = request.header("Authorization", authorization).body(body).map_err(Error::new)?;
        let mut response: Response<Body> = self.agent.run(request).map_err(Error::new)?;
        let function_error =
            response.headers().get("X-Amz-Function-Error").and_then(|it| it.to_str().ok()).map(str::to_owned);
        let status = response.status().as_u16();
        Ok(Answer { status, function_error, text: response.body_mut().read_to_string().map_err(Error::new)? })
    }
}

/// The text of the first XML element of that name.
pub fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once('<').map(|(text, _)| text)
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
