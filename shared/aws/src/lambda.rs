//! Wakes another function of the stack at once, so that a request written for it need not wait for its next sweep.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;

use crate::Error;

/// Invokes `function` with `payload` (JSON) and does not wait for what it does.
///
/// A wake-up that fails loses nothing: the owner's sweep finds the request.
pub async fn wake(lambda: &Client, function: &str, payload: &str) -> Result<(), Error> {
    let call = lambda.invoke().function_name(function).invocation_type(InvocationType::Event);
    let call = call.payload(Blob::new(payload));
    call.send().await.map(drop).map_err(|err| Error::new("Invoke", function, err))
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::operation::invoke::InvokeOutput;
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    use super::*;

    #[tokio::test]
    async fn the_request_goes_out_without_waiting_for_its_outcome() {
        let woken = mock!(Client::invoke)
            .match_requests(|it| {
                it.function_name() == Some("shop-scale-staging")
                    && it.invocation_type() == Some(&InvocationType::Event)
                    && it.payload().is_some_and(|it| it.as_ref() == b"{\"resource\":\"arn:x\"}")
            })
            .then_output(|| InvokeOutput::builder().status_code(202).build());
        let client = mock_client!(aws_sdk_lambda, RuleMode::MatchAny, [&woken]);
        wake(&client, "shop-scale-staging", r#"{"resource":"arn:x"}"#).await.unwrap();
        assert_eq!(woken.num_calls(), 1);
    }
}
