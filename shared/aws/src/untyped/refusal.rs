//! What AWS says where it does not do what was asked, in JSON, in XML or by the status alone.

use std::fmt;

use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::error::metadata::{Builder, ErrorMetadata, ProvideErrorMetadata};
use serde_json::Value;

use crate::query::{Element, read_what_there_is};

#[derive(Debug)]
pub(crate) struct Refusal(ErrorMetadata);

impl Refusal {
    pub fn read(status: u16, headers: &Headers, text: &str) -> Self {
        let meta = match text.trim_start().chars().next() {
            Some('<') => of_xml(text),
            Some(_) => of_json(headers, text),
            None if headers.get("x-amzn-errortype").is_some() => of_json(headers, text),
            None => of_status(status),
        };
        Refusal(meta.build())
    }
}

/// A refusal of HEAD has no body.
fn of_status(status: u16) -> Builder {
    let meta = ErrorMetadata::builder();
    match status {
        403 => meta.code("AccessDenied").message("the call is not allowed"),
        404 => meta.code("NotFound").message("it does not exist"),
        _ => meta,
    }
}

/// EC2 says `<Response><Errors><Error>`, all others `<ErrorResponse><Error>`, and they spell the id differently. What
/// something else answers, such as a proxy, has none of it.
/// How deep the code of an error lies at most: in Errors and Error. A page of a proxy may be nested without an end.
const DEEPEST: usize = 4;

fn of_xml(answer: &str) -> Builder {
    fn find(name: &str, element: &mut Element<'_, '_>, deep: usize, found: &mut Vec<(String, String)>) {
        match name {
            "Code" | "Message" | "RequestID" | "RequestId" => found.push((name.into(), element.text())),
            _ if deep == DEEPEST => {}
            _ => element.each(|name, it| find(name, it, deep + 1, found)),
        }
    }
    let mut found = Vec::new();
    let _ = read_what_there_is(answer, |name, it| find(name, it, 0, &mut found));
    found.into_iter().fold(ErrorMetadata::builder(), |meta, (name, text)| match name.as_str() {
        "Code" => meta.code(text),
        "Message" => meta.message(text),
        _ => meta.custom("aws_request_id", text),
    })
}

/// The code is written `com.amazonaws.codedeploy#DeploymentDoesNotExistException`,
/// `DeploymentDoesNotExistException:http://…`, or by itself.
fn of_json(headers: &Headers, answer: &str) -> Builder {
    let said: Value = serde_json::from_str(answer).unwrap_or_default();
    let text = |names: &[&str]| names.iter().find_map(|name| said.get(name)?.as_str());
    let code = headers.get("x-amzn-errortype").or(text(&["__type", "code"]));
    let code = code.and_then(|it| it.split(':').next()?.rsplit('#').next());
    let mut meta = ErrorMetadata::builder();
    if let Some(code) = code {
        meta = meta.code(code);
    }
    if let Some(message) = text(&["message", "Message", "errorMessage"]) {
        meta = meta.message(message);
    }
    if let Some(id) = headers.get("x-amzn-requestid") {
        meta = meta.custom("aws_request_id", id);
    }
    meta
}

impl ProvideErrorMetadata for Refusal {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(header: Option<&'static str>, text: &str) -> ErrorMetadata {
        let mut headers = Headers::new();
        if let Some(header) = header {
            headers.insert("x-amzn-errortype", header);
        }
        let Refusal(meta) = Refusal::read(400, &headers, text);
        meta
    }

    #[test]
    fn codes_in_json_are_read_however_they_are_written() {
        let check = |header, text: &str, code: Option<&str>| assert_eq!(refusal(header, text).code(), code, "{text}");
        let named = r#"{"__type":"com.amazonaws.codedeploy#AlarmsLimitExceededException"}"#;
        check(None, named, Some("AlarmsLimitExceededException"));
        check(None, r#"{"code":"Throttling"}"#, Some("Throttling"));
        check(Some("ClientException:http://internal.amazon.com/"), "{}", Some("ClientException"));
        check(Some("ClientException"), "", Some("ClientException"));
        check(None, "<html>502 Bad Gateway</html>", None);
        check(None, "", None);
    }

    #[test]
    fn a_refusal_of_ec2_is_read_as_one_of_any_other() {
        let ec2 = "<?xml version=\"1.0\"?><Response><Errors><Error><Code>OperationNotPermitted</Code>\
            <Message>The instance 'i-1' may not be stopped.</Message></Error></Errors><RequestID>r-1</RequestID></Response>";
        let other = "<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>OperationNotPermitted</Code>\
            <Message>The instance &apos;i-1&apos; may not be stopped.</Message></Error><RequestId>r-1</RequestId></ErrorResponse>";
        for answer in [ec2, other] {
            let meta = refusal(None, answer);
            assert_eq!(meta.code(), Some("OperationNotPermitted"));
            assert_eq!(meta.message(), Some("The instance 'i-1' may not be stopped."));
            assert_eq!(meta.extra("aws_request_id"), Some("r-1"));
        }
    }
}
