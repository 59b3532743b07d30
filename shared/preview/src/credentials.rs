//! The configuration of the person who looks: the SDK's whole search, and the AWS CLI for what the SDK leaves out here.

use std::process::Command;
use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use jiff::Timestamp;
use serde_json::Value;

use crate::arguments::Options;

/// The configuration that all calls are made with.
pub async fn config(options: &Options) -> SdkConfig {
    let https = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(https.clone())
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .operation_attempt_timeout(Duration::from_secs(20))
                .operation_timeout(Duration::from_secs(60))
                .build(),
        );
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let sdk = loader.load().await;
    let mut search =
        DefaultCredentialsChain::builder().configure(ProviderConfig::without_region().with_http_client(https));
    search.set_region(sdk.region().cloned());
    if let Some(profile) = &options.profile {
        search = search.profile_name(profile);
    }
    let search = Search { sdk: search.build().await, profile: options.profile.clone() };
    sdk.into_builder().credentials_provider(SharedCredentialsProvider::new(search)).build()
}

/// Looks for credentials; the error says what to do about it, and where they were looked for.
pub async fn check(sdk: &SdkConfig) -> Result<(), String> {
    let Some(search) = sdk.credentials_provider() else { return Ok(()) };
    let found = search.provide_credentials().await.map(drop);
    found.map_err(|error| {
        format!(
            "There are no credentials. Sign in (aws sso login), or name a profile with --profile.\n{}",
            causes(&error)
        )
    })
}

/// The SDK's search, then the AWS CLI.
///
/// A profile may have its credentials from a program (`credential_process`) or from `aws login`. The SDK reads both
/// only with features that would change how every other crate of the workspace is built; the CLI reads them anyway.
#[derive(Debug)]
struct Search {
    sdk: DefaultCredentialsChain,
    profile: Option<String>,
}

impl ProvideCredentials for Search {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            match self.sdk.provide_credentials().await {
                Ok(credentials) => Ok(credentials),
                Err(error) => exported("aws", self.profile.as_deref()).map_err(|of_cli| {
                    CredentialsError::not_loaded(format!("{}; the AWS CLI: {of_cli}", causes(&error)))
                }),
            }
        })
    }
}

/// An error with all that led to it: the first one alone says nothing.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

/// What `aws configure export-credentials` prints.
fn exported(program: &str, profile: Option<&str>) -> Result<Credentials, String> {
    let mut cli = Command::new(program);
    cli.args(["configure", "export-credentials", "--format", "process"]);
    if let Some(profile) = profile {
        cli.args(["--profile", profile]);
    }
    let output = cli.output().map_err(|error| format!("it cannot be run ({error})"))?;
    if !output.status.success() {
        return Err(complaint(&String::from_utf8_lossy(&output.stderr)));
    }
    credentials(&output.stdout).ok_or_else(|| "it printed no credentials".to_owned())
}

/// The line that says what is wrong; the CLI may print its whole usage around it.
fn complaint(said: &str) -> String {
    let mut lines = said.lines().map(str::trim).filter(|it| !it.is_empty());
    let first = lines.clone().next().unwrap_or("it failed without a word");
    lines.find(|it| it.contains("rror")).unwrap_or(first).to_owned()
}

fn credentials(printed: &[u8]) -> Option<Credentials> {
    let printed: Value = serde_json::from_slice(printed).ok()?;
    let text = |name: &str| printed[name].as_str().map(str::to_owned);
    let expires = text("Expiration").and_then(|it| it.parse::<Timestamp>().ok()).map(SystemTime::from);
    Some(Credentials::new(text("AccessKeyId")?, text("SecretAccessKey")?, text("SessionToken"), expires, "AwsCli"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_the_cli_prints_is_read() {
        let printed = br#"{"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "secret", "SessionToken": "token",
                           "Expiration": "2026-11-21T03:10:00+00:00"}"#;
        let read = credentials(printed).unwrap();
        assert_eq!((read.access_key_id(), read.secret_access_key()), ("AKIA", "secret"));
        assert_eq!(read.session_token(), Some("token"));
        let moment: Timestamp = "2026-11-21T03:10:00Z".parse().unwrap();
        assert_eq!(read.expiry(), Some(SystemTime::from(moment)));
        assert!(credentials(b"{}").is_none() && credentials(b"no").is_none());
    }

    /// A profile whose credentials come from a program, and no AWS CLI that is better than a script.
    #[test]
    fn the_cli_is_asked_for_the_profile_that_is_meant() {
        let folder = std::env::temp_dir().join(format!("nightshift-cli-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let cli = folder.join("aws");
        let script = "#!/bin/sh\n[ \"$*\" = 'configure export-credentials --format process --profile shop' ] || exit 1\n\
                      echo '{\"Version\":1,\"AccessKeyId\":\"AKIA\",\"SecretAccessKey\":\"secret\"}'\n";
        std::fs::write(&cli, script).unwrap();
        std::fs::set_permissions(&cli, std::fs::Permissions::from_mode(0o755)).unwrap();
        let found = exported(&cli.display().to_string(), Some("shop")).unwrap();
        assert_eq!((found.access_key_id(), found.expiry()), ("AKIA", None));
        assert!(exported(&cli.display().to_string(), None).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_cli_that_is_not_there_or_fails_says_so() {
        let missing = exported("no-such-program-as-this", None).unwrap_err();
        assert!(missing.starts_with("it cannot be run"), "{missing}");
        assert_eq!(exported("false", Some("shop")).unwrap_err(), "it failed without a word");
        let usage =
            "usage: aws [options]\n\naws: error: argument subcommand: Invalid choice, valid choices are:\n\nlist";
        assert_eq!(complaint(usage), "aws: error: argument subcommand: Invalid choice, valid choices are:");
        assert_eq!(exported("true", None).unwrap_err(), "it printed no credentials");
    }
}
