//! How the SDK's clients are made: one connection pool for all of them, retries and time limits set on purpose.
//!
//! Credentials, region and endpoints come from the SDK's standard variables and from nowhere else. Lambda sets them; the
//! SDK's own search (profiles, containers, instance metadata) would cost a twentieth of a cold start to come to the same.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sns::config::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::https::{self, Authorities};
use crate::settings::{BadSetting, bad};

/// The configuration that every client of the function is made from.
pub fn config(variables: &BTreeMap<String, String>) -> Result<SdkConfig, BadSetting> {
    let value = |name: &str| variables.get(name).map(|it| it.trim()).filter(|it| !it.is_empty());
    let region = value("AWS_REGION").or(value("AWS_DEFAULT_REGION"));
    let region = region.ok_or_else(|| bad("AWS_REGION", "it is not set", "a region such as ap-northeast-2"))?;
    // Without this each service's client would open connections of its own.
    let http = https::client(Authorities::chosen_by(variables));
    let mut sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .identity_cache(IdentityCache::lazy().build())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(SystemTimeSource::new()))
        .http_client(http)
        // Five tries with backoff ride out a throttled minute; a longer outage is for the next run.
        .retry_config(RetryConfig::standard().with_max_attempts(5).with_max_backoff(Duration::from_secs(8)))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(3))
                .operation_attempt_timeout(Duration::from_secs(10))
                .operation_timeout(Duration::from_secs(45))
                .build(),
        )
        .service_config(Endpoints(variables.clone()));
    sdk.set_endpoint_url(value("AWS_ENDPOINT_URL").map(str::to_owned));
    Ok(sdk.build())
}

/// The variables of single services, such as `AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING`.
#[derive(Debug)]
struct Endpoints(BTreeMap<String, String>);

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().replace([' ', '-'], "_").to_uppercase();
        self.0.get(&format!("{}_{service}", key.env())).filter(|it| !it.is_empty()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn region_and_endpoint_come_from_the_standard_variables() {
        let sdk = config(&variables(&[("AWS_REGION", "ap-northeast-2"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]))
            .unwrap();
        assert_eq!(sdk.region().map(|it| it.to_string()).as_deref(), Some("ap-northeast-2"));
        assert_eq!(sdk.endpoint_url(), Some("http://127.0.0.1:1"));
        let sdk = config(&variables(&[("AWS_DEFAULT_REGION", "eu-central-1"), ("AWS_ENDPOINT_URL", "")])).unwrap();
        assert_eq!(
            (sdk.region().map(|it| it.to_string()).as_deref(), sdk.endpoint_url()),
            (Some("eu-central-1"), None)
        );
        let error = config(&variables(&[])).unwrap_err().to_string();
        assert_eq!(error, "AWS_REGION: it is not set; accepted: a region such as ap-northeast-2");
    }

    #[test]
    fn a_single_service_may_have_an_endpoint_of_its_own() {
        let endpoints = Endpoints(variables(&[("AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API", "http://127.0.0.1:2")]));
        let asked = |service: &'static str| {
            let key = ServiceConfigKey::builder().env("AWS_ENDPOINT_URL").profile("endpoint_url").service_id(service);
            endpoints.load_config(key.build().unwrap())
        };
        assert_eq!(asked("Resource Groups Tagging API").as_deref(), Some("http://127.0.0.1:2"));
        assert_eq!(asked("ECS"), None);
    }
}
