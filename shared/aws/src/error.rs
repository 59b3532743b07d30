//! What a failed call to AWS becomes: one sentence that keeps the code and the request id.

use std::error::Error as StdError;
use std::fmt::Debug;

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call to AWS that failed, after the SDK's own retries.
///
/// `UpdateService truegul-production/api-server: AccessDeniedException: User … is not authorized … (request 1a2b)`.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{operation} {resource}: {code}: {message}{}", request_id.as_ref().map_or(String::new(), |it| format!(" (request {it})")))]
pub struct Error {
    /// The operation as AWS spells it.
    pub operation: &'static str,
    /// What it was called for: an ARN or a name.
    pub resource: String,
    /// The wire code, such as `AccessDeniedException`; `Timeout` or `NoAnswer` where AWS did not answer.
    pub code: String,
    /// What AWS said.
    pub message: String,
    /// AWS's id of the request, where there was an answer.
    pub request_id: Option<String>,
}

impl Error {
    /// The error of `operation` on `resource`.
    pub fn new<E, R>(operation: &'static str, resource: &str, error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
        R: Debug,
    {
        let unanswered = match &error {
            SdkError::ServiceError(_) => None,
            SdkError::TimeoutError(_) => Some("Timeout"),
            SdkError::DispatchFailure(it) if it.is_timeout() => Some("Timeout"),
            SdkError::ConstructionFailure(_) => Some("NotSent"),
            SdkError::ResponseError(_) => Some("UnreadableAnswer"),
            _ => Some("NoAnswer"),
        };
        let meta = error.meta();
        Error {
            operation,
            resource: resource.into(),
            code: unanswered.or(meta.code()).unwrap_or("Unknown").into(),
            message: match (unanswered, meta.message()) {
                (None, Some(message)) => message.into(),
                (None, None) => "AWS gave no message".into(),
                (Some(_), _) => DisplayErrorContext(&error).to_string(),
            },
            request_id: meta.extra("aws_request_id").map(str::to_owned),
        }
    }

    /// An answer that AWS should not have given.
    pub fn unexpected(operation: &'static str, resource: &str, message: impl Into<String>) -> Self {
        Error {
            operation,
            resource: resource.into(),
            code: "UnexpectedAnswer".into(),
            message: message.into(),
            request_id: None,
        }
    }

    /// A call that cannot be made now, but by a later run.
    pub fn not_now() -> Self {
        Error {
            operation: "none",
            resource: String::new(),
            code: "NotNow".into(),
            message: "the call was not made, since its turn would have come too late".into(),
            request_id: None,
        }
    }

    /// Whether it is [`Error::not_now`].
    pub fn is_not_now(&self) -> bool {
        self.code == Self::not_now().code
    }

    /// What went wrong, in words that stay the same as long as it is the same.
    pub fn cause(&self) -> String {
        format!("{} {}: {}: {}", self.operation, self.resource, self.code, self.message)
    }

    /// Whether IAM refused the call.
    pub fn is_denied(&self) -> bool {
        self.code.starts_with("AccessDenied")
    }

    /// Whether AWS refused the call for being one too many.
    pub fn is_throttled(&self) -> bool {
        THROTTLING_ERRORS.contains(&self.code.as_str())
    }
}
