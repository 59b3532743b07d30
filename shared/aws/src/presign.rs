//! Requests that are signed for another region, to be handed on in a call to this one.
//!
//! The SDK signs none of RDS's copies itself.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_rds::config::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use rules::partition::Partition;

use crate::Error;

/// How long RDS may take to use it.
const VALID_FOR: Duration = Duration::from_secs(3600);

/// The version of RDS's API, which the SDK sends too.
const VERSION: &str = "2014-10-31";

/// The URL of a call to RDS in `region`, with its signature.
pub async fn rds_url(
    config: &SdkConfig,
    region: &str,
    action: &'static str,
    fields: &[(&str, &str)],
) -> Result<String, Error> {
    let unsigned = |what: String| Error::unexpected(action, region, format!("the request cannot be signed: {what}"));
    let provider = config.credentials_provider().ok_or_else(|| unsigned("there are no credentials".into()))?;
    let credentials = provider.provide_credentials().await.map_err(|err| unsigned(err.to_string()))?;
    let clock = config.time_source().ok_or_else(|| unsigned("there is no clock".into()))?;
    let domain = Partition::of_region(region).domain;
    let mut url = format!("https://rds.{region}.{domain}/?Action={action}&Version={VERSION}");
    for (name, value) in fields {
        url.push_str(&format!("&{name}={}", encoded(value)));
    }
    let mut settings = SigningSettings::default();
    settings.expires_in = Some(VALID_FOR);
    settings.signature_location = SignatureLocation::QueryParams;
    let identity = credentials.into();
    let params = SigningParams::builder().identity(&identity).region(region).name("rds").time(clock.now());
    let params = params.settings(settings).build().map_err(|err| unsigned(err.to_string()))?;
    let request = SignableRequest::new("GET", url.as_str(), std::iter::empty(), SignableBody::empty());
    let request = request.map_err(|err| unsigned(err.to_string()))?;
    let signed = sign(request, &params.into()).map_err(|err| unsigned(err.to_string()))?;
    let (instructions, _) = signed.into_parts();
    for (name, value) in instructions.params() {
        url.push_str(&format!("&{name}={}", encoded(value)));
    }
    Ok(url)
}

/// As signatures need it: everything but letters, digits and four signs by its bytes.
pub(crate) fn encoded(text: &str) -> String {
    const HEX: [u8; 16] = *b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                let [high, low] = [byte >> 4, byte & 15].map(|it| char::from(HEX[usize::from(it)]));
                out.extend(['%', high, low]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use testkit::scripted::{Rds, Script};

    use super::*;

    #[tokio::test]
    async fn a_url_of_another_region_carries_its_fields_and_a_signature_for_that_region() {
        let config = Script::new(Rds::default()).sdk();
        let source = "arn:aws-us-gov:rds:us-gov-west-1:123456789012:snapshot:nightshift-app-2026-11-21";
        let fields = [("SourceDBSnapshotIdentifier", source), ("DestinationRegion", "us-gov-east-1")];
        let url = rds_url(&config, "us-gov-west-1", "CopyDBSnapshot", &fields).await.unwrap();
        let begin = "https://rds.us-gov-west-1.amazonaws.com/?Action=CopyDBSnapshot&Version=2014-10-31\
            &SourceDBSnapshotIdentifier=arn%3Aaws-us-gov%3Ards%3Aus-gov-west-1%3A123456789012%3Asnapshot%3Anightshift-app-2026-11-21\
            &DestinationRegion=us-gov-east-1&X-Amz-";
        assert!(url.starts_with(begin), "{url}");
        let field = |name: &str| url.split('&').find_map(|it| it.strip_prefix(name)?.strip_prefix('=')).unwrap_or("");
        assert!(field("X-Amz-Credential").ends_with("%2Fus-gov-west-1%2Frds%2Faws4_request"), "{url}");
        assert_eq!((field("X-Amz-Expires"), field("X-Amz-Signature").len()), ("3600", 64));
    }

    #[tokio::test]
    async fn without_credentials_that_is_told() {
        let config = SdkConfig::builder().build();
        let error = rds_url(&config, "us-gov-west-1", "CopyDBSnapshot", &[]).await.unwrap_err();
        assert!(error.to_string().contains("the request cannot be signed: there are no credentials"), "{error}");
    }
}
