//! Calls to an API by its JSON, for functions that need few of its operations or pass its JSON on as it is.
//!
//! The SDK's runtime signs, sends, retries and gives up as it does for its own clients. What is left out are the types:
//! the client of CodeDeploy alone makes a twentieth of the function that uses it, that of Lambda a fiftieth for one
//! operation, and a typed task definition loses each field that is younger than the client.

use aws_config::SdkConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::user_agent::{ApiMetadata, UserAgentInterceptor};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use aws_types::service_config::ServiceConfigKey;
use rules::partition::Partition;
use serde_json::{Map, Value};

use crate::Error;

/// An API that takes and gives JSON, and names the operation in a header.
#[derive(Debug, Clone, Copy)]
pub struct Api {
    /// As the SDKs call the service, for `AWS_ENDPOINT_URL_…`.
    id: &'static str,
    /// What its endpoint begins with.
    host: &'static str,
    /// What a signature calls it.
    signed_as: &'static str,
    /// What stands before the operation, with the date of the version.
    target: &'static str,
}

/// <https://docs.aws.amazon.com/codedeploy/latest/APIReference/>
pub const CODEDEPLOY: Api =
    Api { id: "CodeDeploy", host: "codedeploy", signed_as: "codedeploy", target: "CodeDeploy_20141006" };

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/>
pub const ECR: Api =
    Api { id: "ECR", host: "api.ecr", signed_as: "ecr", target: "AmazonEC2ContainerRegistry_V20150921" };

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/>
pub const ECS: Api = Api { id: "ECS", host: "ecs", signed_as: "ecs", target: "AmazonEC2ContainerServiceV20141113" };

/// <https://docs.aws.amazon.com/kms/latest/APIReference/>
pub const KMS: Api = Api { id: "KMS", host: "kms", signed_as: "kms", target: "TrentService" };

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/>
pub const LOGS: Api = Api { id: "CloudWatch Logs", host: "logs", signed_as: "logs", target: "Logs_20140328" };

/// <https://docs.aws.amazon.com/lambda/latest/api/>, which names operations in the path.
pub(crate) const LAMBDA: Api = Api { id: "Lambda", host: "lambda", signed_as: "lambda", target: "" };

/// A client for an [`Api`].
#[derive(Debug, Clone)]
pub struct JsonApi {
    target: &'static str,
    operation: Operation<Call, Answer, Fault>,
}

/// What is sent.
#[derive(Debug)]
pub(crate) struct Call {
    /// Encoded.
    pub path: String,
    /// A header, and what it says.
    pub header: (&'static str, String),
    pub content_type: &'static str,
    pub body: String,
}

/// What AWS answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub body: Value,
    /// What Lambda says of a function that failed.
    pub function_error: Option<String>,
}

/// What AWS says when it refuses.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Fault(ErrorMetadata);

impl ProvideErrorMetadata for Fault {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

impl JsonApi {
    /// A client with the region, the credentials, the endpoint, the retries and the limits of `config`.
    pub fn new(api: Api, config: &SdkConfig) -> Self {
        let region = config.region().map_or("", |it| it.as_ref()).to_owned();
        let signing = SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(aws_config::Region::new(region.clone()))),
            name: Some(SigningName::from_static(api.signed_as)),
            signing_options: SigningOptions::default(),
            region_set: None,
        };
        let mut layer = Layer::new("JsonApi");
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(signing);
        layer.store_put(ApiMetadata::new(api.signed_as, env!("CARGO_PKG_VERSION")));
        let schemes = StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]);
        let mut components = RuntimeComponentsBuilder::new("JsonApi")
            .with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
            .with_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(schemes)))
            .with_identity_cache(config.identity_cache())
            .with_http_client(config.http_client())
            .with_sleep_impl(config.sleep_impl())
            .with_time_source(config.time_source());
        if let Some(credentials) = config.credentials_provider() {
            components.set_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(credentials));
        }
        let plugin = StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components);
        let mut operation = Operation::builder()
            .service_name(api.id)
            .operation_name("Call")
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&endpoint(api, &region, config))
            .interceptor(InvocationIdInterceptor::new())
            .interceptor(UserAgentInterceptor::new())
            .retry_classifier(TransientErrorClassifier::<Fault>::new())
            .retry_classifier(AwsErrorCodeClassifier::<Fault>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .runtime_plugin(plugin);
        if let Some(retries) = config.retry_config() {
            operation = operation.standard_retry(retries);
        }
        if let Some(limits) = config.timeout_config() {
            operation = operation.timeout_config(limits.clone());
        }
        JsonApi { target: api.target, operation: operation.serializer(request).deserializer(answer).build() }
    }

    /// Calls `operation` on `resource`, which is the name for error messages.
    ///
    /// # Errors
    ///
    /// What AWS refuses or does not answer, after the SDK's own retries.
    pub async fn call(
        &self,
        operation: &'static str,
        resource: &str,
        body: impl Into<Value>,
    ) -> Result<Map<String, Value>, Error> {
        let call = Call {
            path: "/".into(),
            header: ("x-amz-target", format!("{}.{operation}", self.target)),
            content_type: "application/x-amz-json-1.1",
            body: body.into().to_string(),
        };
        match self.send(operation, resource, call).await?.body {
            Value::Object(fields) => Ok(fields),
            _ => Err(Error::unexpected(operation, resource, "the answer is not an object")),
        }
    }

    /// Sends `call`, which is `operation` on `resource`.
    pub(crate) async fn send(&self, operation: &'static str, resource: &str, call: Call) -> Result<Answer, Error> {
        self.operation.invoke(call).await.map_err(|err| Error::new(operation, resource, err))
    }

    /// All items of the list `field` of an operation that answers in pages. A page may be empty and not the last one.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call), of any page.
    pub async fn list(
        &self,
        operation: &'static str,
        resource: &str,
        mut body: Value,
        field: &str,
    ) -> Result<Vec<Value>, Error> {
        let mut items = Vec::new();
        loop {
            let mut page = self.call(operation, resource, body.clone()).await?;
            if let Some(Value::Array(some)) = page.remove(field) {
                items.extend(some);
            }
            match page.remove("nextToken") {
                Some(Value::String(next)) if !next.is_empty() => body["nextToken"] = next.into(),
                _ => return Ok(items),
            }
        }
    }
}

/// Where the API answers: what the environment says, or AWS's own address in the region.
fn endpoint(api: Api, region: &str, config: &SdkConfig) -> String {
    let key = ServiceConfigKey::builder().env("AWS_ENDPOINT_URL").profile("endpoint_url").service_id(api.id).build();
    let own = key.ok().and_then(|key| config.service_config()?.load_config(key));
    let domain = Partition::of_region(region).domain;
    own.or(config.endpoint_url().map(str::to_owned))
        .unwrap_or_else(|| format!("https://{}.{region}.{domain}", api.host))
}

fn request(call: Call) -> Result<HttpRequest, BoxError> {
    let (header, said) = call.header;
    let request = http::Request::builder()
        .method("POST")
        .uri(call.path)
        .header("content-type", call.content_type)
        .header("content-length", call.body.len())
        .header(header, said)
        .body(SdkBody::from(call.body))?;
    Ok(request.try_into()?)
}

fn answer(response: &HttpResponse) -> Result<Answer, OrchestratorError<Fault>> {
    let body = response.body().bytes().unwrap_or_default();
    if !response.status().is_success() {
        return Err(OrchestratorError::operation(Fault(refusal(response, body))));
    }
    let empty = || Value::Object(Map::new());
    let read = if body.is_empty() { Ok(empty()) } else { serde_json::from_slice(body) };
    let function_error = response.headers().get("x-amz-function-error").map(str::to_owned);
    Ok(Answer { body: read.map_err(|err| OrchestratorError::response(err.into()))?, function_error })
}

/// What an answer says that is none. The code is written `com.amazonaws.codedeploy#DeploymentDoesNotExistException`,
/// `DeploymentDoesNotExistException:http://…`, or by itself; where a load balancer answers there is no JSON at all.
fn refusal(response: &HttpResponse, body: &[u8]) -> ErrorMetadata {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |names: &[&str]| names.iter().find_map(|name| said.get(name)?.as_str());
    let code = response.headers().get("x-amzn-errortype").or(text(&["__type", "code"]));
    let code = code.map(|it| it.split(':').next().unwrap_or(it)).map(|it| it.rsplit('#').next().unwrap_or(it));
    let mut meta = ErrorMetadata::builder();
    if let Some(code) = code {
        meta = meta.code(code);
    }
    if let Some(message) = text(&["message", "Message", "errorMessage"]) {
        meta = meta.message(message);
    }
    if let Some(id) = response.headers().get("x-amzn-requestid") {
        meta = meta.custom("aws_request_id", id);
    }
    meta.build()
}

#[cfg(test)]
mod tests;
