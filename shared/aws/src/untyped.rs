//! What all calls without a typed client of the SDK share: addresses, signatures, credentials, retries, limits, errors.
//!
//! Each call is an operation of the SDK's own runtime, with what the SDK's clients put into theirs. What is sent and what
//! an answer means is the matter of [`JsonApi`](crate::JsonApi), [`query`](crate::query) and [`rest`](crate::rest).

mod refusal;

use aws_config::{Region, SdkConfig};
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::user_agent::{ApiMetadata, UserAgentInterceptor};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::identity::{SharedIdentityCache, SharedIdentityResolver};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use aws_types::service_config::ServiceConfigKey;
use rules::partition::Partition;
use serde_json::Value;

use crate::{Error, LeaveThrottling};
pub(crate) use refusal::Refusal;

/// A service, as the environment, its address and its signatures call it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// As the SDKs call it, for `AWS_ENDPOINT_URL_…`.
    pub id: &'static str,
    /// What its address begins with.
    pub host: &'static str,
    pub signed_as: &'static str,
    pub style: Style,
}

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// JSON both ways.
    Json,
    /// A form in, XML out. What is throttled is left to the pace of the calls.
    Query,
    /// XML both ways. S3 signs paths as they stand, and wants the digest of the body in a header.
    S3,
}

/// A client of a [`Service`].
#[derive(Debug, Clone)]
pub(crate) struct Untyped {
    service: Service,
    config: SdkConfig,
    /// Credentials are kept for all calls.
    identities: SharedIdentityCache,
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

/// What a service answers.
#[derive(Debug)]
pub(crate) struct Answered {
    pub text: String,
    /// The same as it came, of S3 only: an object is not always a text.
    pub bytes: Vec<u8>,
    /// The same, read; nothing where the service does not speak JSON.
    pub json: Value,
    pub headers: Headers,
}

impl Answered {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }
}

impl Untyped {
    pub fn new(service: Service, config: &SdkConfig) -> Self {
        let identities = config.identity_cache().unwrap_or_else(|| IdentityCache::lazy().build());
        Untyped { service, config: config.clone(), identities }
    }

    /// The region of the function.
    pub fn region(&self) -> &str {
        self.config.region().map(|it| it.as_ref()).unwrap_or_default()
    }

    /// Where the service answers in the region of the function.
    pub fn address(&self) -> String {
        let domain = Partition::of_region(self.region()).domain;
        self.address_set().unwrap_or_else(|| format!("https://{}.{}.{domain}", self.service.host, self.region()))
    }

    /// What the environment says in place of AWS's own address, for this service or for all.
    pub fn address_set(&self) -> Option<String> {
        let key = ServiceConfigKey::builder().env("AWS_ENDPOINT_URL").profile("endpoint_url");
        let key = key.service_id(self.service.id).build().ok();
        let own = key.and_then(|key| self.config.service_config()?.load_config(key));
        own.or_else(|| self.config.endpoint_url().map(str::to_owned))
    }

    /// Sends a request, which is `operation` on `resource`.
    pub async fn exchange(&self, operation: &'static str, resource: &str, sent: Sent) -> Result<Answered, Error> {
        let unsent = |what: &str| Error::unexpected(operation, resource, format!("the request cannot be sent: {what}"));
        let Untyped { service, config, identities } = self;
        if sent.region.is_empty() {
            return Err(unsent("there is no region"));
        }
        let credentials = config.credentials_provider().ok_or_else(|| unsent("there are no credentials"))?;
        let http = config.http_client().ok_or_else(|| unsent("there is no HTTP client"))?;
        let retries = config.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
        let mut layer = Layer::new("untyped");
        layer.store_put(signing(service, &sent.region));
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(ApiMetadata::new(service.signed_as, env!("CARGO_PKG_VERSION")));
        let mut components = RuntimeComponentsBuilder::new("untyped")
            .with_auth_scheme(SigV4AuthScheme::new())
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
            .with_identity_cache(Some(identities.clone()))
            .with_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(credentials))
            .with_retry_classifier(TransientErrorClassifier::<Refusal>::new())
            .with_retry_classifier(AwsErrorCodeClassifier::<Refusal>::new())
            .with_retry_classifier(HttpStatusCodeClassifier::default())
            .with_sleep_impl(config.sleep_impl())
            .with_time_source(config.time_source());
        if service.style == Style::Query {
            components = components.with_retry_classifier(LeaveThrottling);
        }
        let plugin = StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components);
        let mut call = Operation::builder()
            .service_name(service.id)
            .operation_name(operation)
            .http_client(http)
            .endpoint_url(&sent.address)
            .standard_retry(&retries)
            .with_connection_poisoning()
            .interceptor(InvocationIdInterceptor::new())
            .interceptor(UserAgentInterceptor::new())
            .runtime_plugin(plugin);
        if let Some(limits) = config.timeout_config() {
            call = call.timeout_config(limits.clone());
        }
        let style = service.style;
        let call = call.serializer(request).deserializer(move |it| response(style, it)).build();
        let answer: Result<Answered, SdkError<Refusal, HttpResponse>> = call.invoke(sent).await;
        answer.map_err(|err| Error::new(operation, resource, err))
    }
}

fn signing(service: &Service, region: &str) -> SigV4OperationSigningConfig {
    let mut signing = SigV4OperationSigningConfig {
        region: Some(SigningRegion::from(Region::new(region.to_owned()))),
        name: Some(SigningName::from_static(service.signed_as)),
        ..SigV4OperationSigningConfig::default()
    };
    let is_s3 = service.style == Style::S3;
    signing.signing_options.double_uri_encode = !is_s3;
    signing.signing_options.normalize_uri_path = !is_s3;
    signing.signing_options.content_sha256_header = is_s3;
    signing
}

fn request(sent: Sent) -> Result<HttpRequest, BoxError> {
    let mut request = http::Request::builder().method(sent.method).uri(sent.path);
    for (name, value) in sent.headers {
        request = request.header(name, value);
    }
    let request = request.header("content-length", sent.body.len()).body(SdkBody::from(sent.body))?;
    Ok(request.try_into()?)
}

fn response(style: Style, response: &HttpResponse) -> Result<Answered, OrchestratorError<Refusal>> {
    let bytes = response.body().bytes().unwrap_or_default();
    let text = String::from_utf8_lossy(bytes).into_owned();
    let bytes = if style == Style::S3 { bytes.to_vec() } else { Vec::new() };
    let headers = response.headers().clone();
    let status = response.status();
    // A bucket of another region is answered with a redirection that says which one.
    let elsewhere = style == Style::S3 && status.as_u16() == 301 && headers.get("x-amz-bucket-region").is_some();
    if !status.is_success() && !elsewhere {
        return Err(OrchestratorError::operation(Refusal::read(status.as_u16(), &headers, &text)));
    }
    // An answer that breaks off is tried again, as by the SDK's own clients; hence it is read here.
    let json = match style {
        Style::Json if !text.is_empty() => serde_json::from_str(&text),
        _ => Ok(Value::Null),
    };
    Ok(Answered { json: json.map_err(|err| OrchestratorError::response(err.into()))?, text, bytes, headers })
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;

    use super::*;

    #[test]
    fn china_has_a_domain_of_its_own_and_an_address_that_is_set_comes_first() {
        let ecs = Service { id: "ECS", host: "ecs", signed_as: "ecs", style: Style::Json };
        let config = |region: &'static str| {
            SdkConfig::builder().behavior_version(BehaviorVersion::latest()).region(Region::new(region))
        };
        let at = |config: SdkConfig| Untyped::new(ecs, &config).address();
        assert_eq!(at(config("cn-north-1").build()), "https://ecs.cn-north-1.amazonaws.com.cn");
        assert_eq!(at(config("eu-central-1").endpoint_url("http://127.0.0.1:1").build()), "http://127.0.0.1:1");
    }
}
