//! Calls to services of AWS's Query protocol for which there is no SDK crate here: forms in, XML out.
//!
//! The SDK of EC2 alone is larger than all others together, for the five calls that are needed of it
//! (`docs/decisions/0009-ec2-without-its-sdk.md`). What makes a call safe is the SDK's own all the same: its signatures,
//! credentials, retries, timeouts and errors.

mod xml;

use std::fmt;

use aws_config::{Region, SdkConfig};
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::identity::{SharedIdentityCache, SharedIdentityResolver};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use aws_smithy_types::retry::RetryConfig;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use rules::partition::Partition;
use tokio::time::Instant;

use crate::presign::encoded;
use crate::{Error, LeaveThrottling, Pace};

pub use xml::{Element, read};

/// A service in the region of the function, at the pace that it allows.
pub struct Query {
    config: SdkConfig,
    /// Credentials are kept for all calls.
    identities: SharedIdentityCache,
    /// Such as `ec2`: the first word of its address, and what a signature is for.
    service: &'static str,
    /// The version of its API.
    version: &'static str,
    pace: Pace,
}

/// A call that is being put together.
pub struct Action<'a> {
    query: &'a Query,
    name: &'static str,
    fields: Vec<(String, String)>,
}

impl Query {
    /// The service that is called so in addresses, in this version of its API.
    pub fn new(config: &SdkConfig, service: &'static str, version: &'static str) -> Self {
        let identities = config.identity_cache().unwrap_or_else(|| IdentityCache::lazy().build());
        Query { config: config.clone(), identities, service, version, pace: Pace::learned() }
    }

    /// The beginning of a call of the operation `name`.
    pub fn action(&self, name: &'static str) -> Action<'_> {
        Action { query: self, name, fields: Vec::new() }
    }

    fn address(&self, region: &str) -> String {
        match self.config.endpoint_url() {
            Some(url) => url.to_owned(),
            None => format!("https://{}.{region}.{}", self.service, Partition::of_region(region).domain),
        }
    }

    async fn attempt(&self, name: &'static str, resource: &str, body: &str) -> Result<String, Error> {
        let unsent = || Error::unexpected(name, resource, "the request cannot be sent: there is no region");
        let region = self.config.region().ok_or_else(unsent)?.to_string();
        let sent = Sent {
            method: "POST",
            address: self.address(&region),
            region,
            path: "/".into(),
            headers: vec![("content-type", "application/x-www-form-urlencoded".into())],
            body: body.to_owned(),
        };
        let via = Via { config: &self.config, identities: &self.identities, service: self.service, is_s3: false };
        exchange(&via, name, resource, sent).await.map(|it| it.text)
    }
}

/// A request before it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub method: &'static str,
    pub address: String,
    /// Of the service that is called.
    pub region: String,
    /// With its query, if it has one, encoded.
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// What a request is sent with.
pub(crate) struct Via<'a> {
    pub config: &'a SdkConfig,
    pub identities: &'a SharedIdentityCache,
    /// What a signature is for.
    pub service: &'static str,
    /// S3 signs paths as they stand, and wants the digest of the body in a header. Its throttling passes in moments.
    pub is_s3: bool,
}

/// What a service answers.
#[derive(Debug)]
pub(crate) struct Answered {
    pub text: String,
    /// Where the bucket is, as S3 says in each answer about one.
    pub bucket_region: Option<String>,
}

/// Sends a request, with the retries, timeouts and signatures of the SDK.
pub(crate) async fn exchange(via: &Via<'_>, name: &'static str, resource: &str, sent: Sent) -> Result<Answered, Error> {
    let unsent = |what: &str| Error::unexpected(name, resource, format!("the request cannot be sent: {what}"));
    let config = via.config;
    let credentials = config.credentials_provider().ok_or_else(|| unsent("there are no credentials"))?;
    let http = config.http_client().ok_or_else(|| unsent("there is no HTTP client"))?;
    let retries = config.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
    let mut signing = SigV4OperationSigningConfig {
        region: Some(SigningRegion::from(Region::new(sent.region.clone()))),
        name: Some(SigningName::from_static(via.service)),
        ..SigV4OperationSigningConfig::default()
    };
    signing.signing_options.double_uri_encode = !via.is_s3;
    signing.signing_options.normalize_uri_path = !via.is_s3;
    signing.signing_options.content_sha256_header = via.is_s3;
    let mut layer = Layer::new("query");
    layer.store_put(signing);
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    let mut components = RuntimeComponentsBuilder::new("query")
        .with_auth_scheme(SigV4AuthScheme::new())
        .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
        .with_identity_cache(Some(via.identities.clone()))
        .with_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(credentials))
        .with_retry_classifier(TransientErrorClassifier::<Refusal>::new())
        .with_retry_classifier(AwsErrorCodeClassifier::<Refusal>::new())
        .with_retry_classifier(HttpStatusCodeClassifier::default());
    if !via.is_s3 {
        components = components.with_retry_classifier(LeaveThrottling);
    }
    let plugin = StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components);
    let mut operation = Operation::builder()
        .service_name(via.service)
        .operation_name(name)
        .http_client(http)
        .endpoint_url(&sent.address)
        .standard_retry(&retries)
        .with_connection_poisoning()
        .runtime_plugin(plugin);
    if let Some(sleep) = config.sleep_impl() {
        operation = operation.sleep_impl(sleep);
    }
    if let Some(clock) = config.time_source() {
        operation = operation.time_source(clock);
    }
    if let Some(timeouts) = config.timeout_config() {
        operation = operation.timeout_config(timeouts.clone());
    }
    let operation = operation.serializer(request).deserializer(response).build();
    let answer: Result<Answered, SdkError<Refusal, HttpResponse>> = operation.invoke(sent).await;
    answer.map_err(|err| Error::new(name, resource, err))
}

impl Action<'_> {
    /// The same with a field.
    pub fn field(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.fields.push((name.into(), value.to_string()));
        self
    }

    /// The same with a field, where there is a value.
    pub fn maybe(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// The same with several values of a field, as `Name.1`, `Name.2` and so on; the name as it stands before the number.
    pub fn values(self, name: &str, values: impl IntoIterator<Item = impl fmt::Display>) -> Self {
        values
            .into_iter()
            .zip(1..)
            .fold(self, |action, (value, number)| action.field(format!("{name}.{number}"), value))
    }

    /// Makes the call for `resource`, unless its turn comes later than `until`; the answer is XML.
    pub async fn perform(self, resource: &str, until: Option<Instant>) -> Result<String, Error> {
        let Action { query, name, fields } = self;
        let mut body = format!("Action={name}&Version={}", query.version);
        for (field, value) in &fields {
            body.push_str(&format!("&{}={}", encoded(field), encoded(value)));
        }
        query.pace.call(until, async || query.attempt(name, resource, &body).await).await
    }
}

fn request(sent: Sent) -> Result<HttpRequest, Box<dyn std::error::Error + Send + Sync>> {
    let mut request = http::Request::builder().method(sent.method).uri(sent.path);
    for (name, value) in sent.headers {
        request = request.header(name, value);
    }
    let request = request.header("content-length", sent.body.len()).body(SdkBody::from(sent.body))?;
    Ok(request.try_into()?)
}

fn response(response: &HttpResponse) -> Result<Answered, OrchestratorError<Refusal>> {
    let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default()).into_owned();
    let bucket_region = response.headers().get("x-amz-bucket-region").map(str::to_owned);
    // A bucket of another region is answered with a redirection that says which one.
    let elsewhere = response.status().as_u16() == 301 && bucket_region.is_some();
    match response.status().is_success() || elsewhere {
        true => Ok(Answered { text, bucket_region }),
        false if text.is_empty() => Err(OrchestratorError::operation(Refusal::of_status(response.status().as_u16()))),
        false => Err(OrchestratorError::operation(Refusal::read(&text))),
    }
}

/// What AWS says where it does not do what was asked.
#[derive(Debug)]
struct Refusal(ErrorMetadata);

impl Refusal {
    /// A refusal of HEAD has no body.
    fn of_status(status: u16) -> Self {
        let (code, message) = match status {
            403 => ("AccessDenied", "the call is not allowed"),
            404 => ("NotFound", "it does not exist"),
            _ => return Refusal(ErrorMetadata::builder().build()),
        };
        Refusal(ErrorMetadata::builder().code(code).message(message).build())
    }

    /// EC2 says `<Response><Errors><Error>`, all others `<ErrorResponse><Error>`, and they spell the id differently.
    fn read(answer: &str) -> Self {
        let mut refusal = ErrorMetadata::builder();
        fn find(name: &str, element: &mut Element<'_, '_>, refusal: &mut Vec<(String, String)>) {
            match name {
                "Code" | "Message" | "RequestID" | "RequestId" => refusal.push((name.into(), element.text())),
                _ => element.each(|name, it| find(name, it, refusal)),
            }
        }
        let mut found = Vec::new();
        // An answer of something else, such as a proxy, is told by its status alone.
        let _ = read(answer, |name, it| find(name, it, &mut found));
        for (name, text) in found {
            refusal = match name.as_str() {
                "Code" => refusal.code(text),
                "Message" => refusal.message(text),
                _ => refusal.custom("aws_request_id", text),
            };
        }
        Refusal(refusal.build())
    }
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
    use testkit::scripted::{Answer, Call, Script, Tables};

    use super::*;

    /// An EC2 that answers with the fields of the request.
    struct Ec2;

    impl Tables for Ec2 {
        fn answer(&mut self, call: &Call) -> Answer {
            assert_eq!(
                (call.host.as_str(), call.signed_for.as_str()),
                ("ec2.ap-northeast-2.amazonaws.com", "ap-northeast-2")
            );
            Answer::Body(format!("<Answer><asked>{}</asked></Answer>", call.text("Filter.1.Value.1")))
        }
    }

    async fn ask(script: &Script<Ec2>) -> Result<String, Error> {
        let query = Query::new(&script.sdk(), "ec2", "2016-11-15");
        let action = query.action("DescribeInstances").field("Filter.1.Name", "tag-key");
        action.values("Filter.1.Value", ["a b&c"]).maybe("NextToken", None::<&str>).perform("all", None).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_signed_for_its_service_and_carries_its_fields() {
        let script = Script::new(Ec2);
        assert_eq!(ask(&script).await.unwrap(), "<Answer><asked>a b&c</asked></Answer>");
        let sent = script.bodies("DescribeInstances").remove(0);
        assert_eq!((sent["Version"].as_str(), sent.get("NextToken")), (Some("2016-11-15"), None));
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_tried_again_and_what_stays_is_an_error_in_the_words_of_aws() {
        let script = Script::new(Ec2);
        script.refuse("DescribeInstances", "", 1, 500, "InternalError");
        script.refuse("DescribeInstances", "", 2, 503, "RequestLimitExceeded");
        ask(&script).await.unwrap();
        assert_eq!(script.count("DescribeInstances"), 4);
        script.refuse("DescribeInstances", "", 1, 403, "UnauthorizedOperation");
        let error = ask(&script).await.unwrap_err();
        assert_eq!(error.to_string(), "DescribeInstances all: UnauthorizedOperation: refused by the script");
        assert!(error.request_id.is_some() && error.is_denied(), "{error:?}");
    }

    #[test]
    fn a_refusal_of_ec2_is_read_as_one_of_any_other() {
        let ec2 = "<?xml version=\"1.0\"?><Response><Errors><Error><Code>OperationNotPermitted</Code>\
            <Message>The instance 'i-1' may not be stopped.</Message></Error></Errors><RequestID>r-1</RequestID></Response>";
        let other = "<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>OperationNotPermitted</Code>\
            <Message>The instance &apos;i-1&apos; may not be stopped.</Message></Error><RequestId>r-1</RequestId></ErrorResponse>";
        for answer in [ec2, other] {
            let Refusal(meta) = Refusal::read(answer);
            assert_eq!(meta.code(), Some("OperationNotPermitted"));
            assert_eq!(meta.message(), Some("The instance 'i-1' may not be stopped."));
            assert_eq!(meta.extra("aws_request_id"), Some("r-1"));
        }
        assert_eq!(Refusal::read("<html>no</html>").0.code(), None);
    }
}
