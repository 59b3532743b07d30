//! How the SDK's clients are made: one connection pool for all of them, retries and time limits set on purpose.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// The configuration that every client of the function is made from.
///
/// Endpoints and credentials come from the SDK's standard variables, `AWS_ENDPOINT_URL` included.
pub async fn config() -> SdkConfig {
    // Without this each service's client would open connections of its own.
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https();
    aws_config::defaults(BehaviorVersion::latest())
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
        .load()
        .await
}
