//! Who looks, by STS. It needs no permission.

use aws::Error;
use aws_config::SdkConfig;

/// Whose account is read, and as whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    pub account: String,
    pub arn: String,
    pub partition: String,
}

/// Asks AWS; the error says what to do about it.
pub async fn caller(sdk: &SdkConfig) -> Result<Caller, String> {
    let answer = aws_sdk_sts::Client::new(sdk).get_caller_identity().send().await;
    let answer = answer.map_err(|err| {
        let error = Error::new("GetCallerIdentity", "you", err);
        format!(
            "AWS could not be asked who you are. Sign in (aws sso login), or name a profile with --profile.\n{error}"
        )
    })?;
    let arn = answer.arn().unwrap_or_default().to_owned();
    let partition = arn.split(':').nth(1).unwrap_or("aws").to_owned();
    Ok(Caller { account: answer.account().unwrap_or_default().into(), arn, partition })
}
