//! Refuses every call that does not only read, before it leaves the machine.
//!
//! The dry run of a function changes nothing by itself. This holds even if one of them had a fault, or a profile more
//! rights than a preview needs.

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use crate::reads;

/// The same configuration, for clients that can only read.
pub fn read_only(sdk: &SdkConfig) -> SdkConfig {
    let Some(inner) = sdk.http_client() else { return sdk.clone() };
    sdk.clone().into_builder().http_client(Guard(inner)).build()
}

#[derive(Debug)]
struct Guard(SharedHttpClient);

impl HttpClient for Guard {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Guarded(self.0.http_connector(settings, components)))
    }
}

#[derive(Debug)]
struct Guarded(SharedHttpConnector);

impl HttpConnector for Guarded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = operation(&request);
        match reads::is_read(&operation) || reads_s3(&request) {
            true => self.0.call(request),
            false => {
                let why = format!("cargo preview only reads, and {operation} is not a call that it may make");
                HttpConnectorFuture::ready(Err(ConnectorError::user(why.into())))
            }
        }
    }
}

/// Whether it is a call of S3 that only reads: S3 names no operation, and changes nothing by these methods.
fn reads_s3(request: &HttpRequest) -> bool {
    let signed_for_s3 = request.headers().get("authorization").is_some_and(|it| it.contains("/s3/aws4_request"));
    signed_for_s3 && ["GET", "HEAD"].contains(&request.method())
}

/// The operation that a request asks for, in any of the protocols of AWS; its path where none says it.
fn operation(request: &HttpRequest) -> String {
    let path = request.uri().split('?').next().unwrap_or_default();
    let target = request.headers().get("x-amz-target").and_then(|it| it.rsplit('.').next());
    let of_path = path.rsplit_once("/operation/").map(|(_, operation)| operation);
    let form = request.body().bytes().and_then(|it| std::str::from_utf8(it).ok()).unwrap_or_default();
    let of_form = form.split('&').find_map(|it| it.strip_prefix("Action="));
    target.or(of_path).or(of_form).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_s3_only_what_reads_goes_out() {
        let request = |method: &str, service: &str| {
            let mut request = HttpRequest::new("".into());
            request.set_method(method).unwrap();
            let scope =
                format!("AWS4-HMAC-SHA256 Credential=key/20261121/eu-west-1/{service}/aws4_request, Signature=0");
            request.headers_mut().insert("authorization", scope);
            reads_s3(&request)
        };
        assert!(request("GET", "s3") && request("HEAD", "s3"));
        assert!(!request("PUT", "s3") && !request("POST", "s3") && !request("DELETE", "s3"));
        assert!(!request("GET", "lambda"));
    }

    #[test]
    fn the_operation_is_read_in_every_protocol() {
        let request = |uri: &str, target: Option<&'static str>, body: &'static str| {
            let mut request = HttpRequest::new(body.into());
            request.set_uri(uri).unwrap();
            if let Some(target) = target {
                request.headers_mut().insert("x-amz-target", target);
            }
            operation(&request)
        };
        let json = Some("AmazonEC2ContainerServiceV20141113.UpdateService");
        assert_eq!(request("https://ecs.eu-west-1.amazonaws.com/", json, "{}"), "UpdateService");
        let cbor =
            "https://monitoring.eu-west-1.amazonaws.com/service/GraniteServiceVersion20100801/operation/TagResource";
        assert_eq!(request(cbor, None, ""), "TagResource");
        let form = "Action=DeleteDBSnapshot&Version=2014-10-31";
        assert_eq!(request("https://rds.eu-west-1.amazonaws.com/", None, form), "DeleteDBSnapshot");
        let invoke = "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/f/invocations?x=1";
        assert!(request(invoke, None, "{}").ends_with("/invocations"));
    }
}
