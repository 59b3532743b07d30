//! What a failed call to AWS becomes: one sentence that stays the same as long as the cause does.

use std::error::Error as StdError;
use std::fmt::Debug;

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call to AWS that failed, after the SDK's own retries.
///
/// `UpdateService truegul-production/api-server: AccessDeniedException: User … is not authorized …`: what people read
/// holds no request id, since a text that changes with every call would be told anew at every run. The log and the
/// report keep the id beside it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{operation} {resource}: {code}: {message}")]
pub struct Error {
    /// The operation as AWS spells it.
    pub operation: &'static str,
    /// What it was called for: an ARN or a name.
    // Boxed, as the request id is: a result that is passed on by value should stay small.
    pub resource: Box<str>,
    /// The wire code, such as `AccessDeniedException`; `Timeout` or `NoAnswer` where AWS did not answer.
    pub code: String,
    /// What AWS said.
    pub message: String,
    /// AWS's id of the request, where there was an answer.
    pub request_id: Option<Box<str>>,
    /// Whether it failed, or is left for a later run.
    pub kind: ErrorKind,
}

/// Whether a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// It failed.
    Failed,
    /// It cannot be made now, but by a later run: the step is deferred, and nobody is told of a failure.
    NotNow,
    /// AWS has looked at the resource and says no, in a state that allows the call: trying at once does not help.
    Refused,
    /// Such a refusal, as the problem of this kind: told once, and the run has not failed.
    Problem(&'static str),
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
                (None, Some(message)) => without_request_id(message),
                (None, None) => "AWS gave no message".into(),
                (Some(_), _) => DisplayErrorContext(&error).to_string(),
            },
            request_id: meta.extra("aws_request_id").map(Box::from),
            kind: ErrorKind::Failed,
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
            kind: ErrorKind::Failed,
        }
    }

    /// A call that cannot be made now, but by a later run.
    pub fn not_now() -> Self {
        Error {
            operation: "none",
            resource: Box::default(),
            code: "NotNow".into(),
            message: "the call was not made, since its turn would have come too late".into(),
            request_id: None,
            kind: ErrorKind::NotNow,
        }
    }

    /// A call that had no answer when the time of the run was over: whether it took effect is unknown.
    pub fn unanswered(operation: &'static str) -> Self {
        Error {
            operation,
            resource: Box::default(),
            code: "NoAnswer".into(),
            message: "AWS had not answered when the time of the run was over; the next run looks at it again".into(),
            request_id: None,
            kind: ErrorKind::Failed,
        }
    }

    /// The same as a refusal that stays for a while.
    pub fn refused(self) -> Self {
        Error { kind: ErrorKind::Refused, ..self }
    }

    /// Whether it is a refusal that stays for a while.
    pub fn is_refused(&self) -> bool {
        self.kind == ErrorKind::Refused
    }

    /// The same as a problem that people are told once, in these words; the step is deferred and the run does not fail.
    pub fn told_as(self, problem: &'static str, message: String) -> Self {
        Error { kind: ErrorKind::Problem(problem), message, ..self }
    }

    /// Whether it is [`Error::not_now`].
    pub fn is_not_now(&self) -> bool {
        self.kind == ErrorKind::NotNow
    }

    /// Whether IAM refused the call.
    pub fn is_denied(&self) -> bool {
        self.code.starts_with("AccessDenied") || self.code == "UnauthorizedOperation"
    }

    /// What a person can do about a refusal by a policy or a KMS key, which stays until a person changes that.
    pub fn way_out(&self) -> Option<&'static str> {
        if self.is_denied() {
            Some(
                "a policy forbids the call: look at the role of this function, at the organization's policies, and at \
                 the policy of the resource or of its KMS key",
            )
        } else if self.code.contains("KMSKeyNotAccessible") {
            Some("look whether the KMS key is enabled, and at its policy")
        } else {
            None
        }
    }

    /// The same as the problem `denied` where a policy or a KMS key refuses the call: told once, with the way out, and
    /// no run fails for it at every tick.
    pub fn told_if_denied(self) -> Self {
        match self.way_out().filter(|_| matches!(self.kind, ErrorKind::Failed | ErrorKind::Refused)) {
            Some(way_out) => {
                let message = format!("{self}; {way_out}");
                self.told_as("denied", message)
            }
            None => self,
        }
    }

    /// The same as the problem `busy-snapshot` where a snapshot is by now in a state that does not allow its deletion, such
    /// as while a person copies it: told once, and no run fails for it.
    pub fn told_if_busy(self) -> Self {
        let states = ["InvalidDBSnapshotState", "InvalidDBClusterSnapshotState"];
        if !states.iter().any(|it| self.code.starts_with(it)) {
            return self;
        }
        let message = format!("{self}; it was not in a state in which RDS deletes it; the next run tries again");
        self.told_as("busy-snapshot", message)
    }

    /// Whether AWS refused the call for being one too many.
    pub fn is_throttled(&self) -> bool {
        THROTTLING_ERRORS.contains(&self.code.as_str())
    }
}

/// Some services repeat the request id in the message: `… (Service: AmazonECS; …; Request ID: 1a2b; Proxy: null)`, and EC2
/// ends a refusal with a text of hundreds of letters that differs each time.
fn without_request_id(message: &str) -> String {
    let message = message.split(" Encoded authorization failure message:").next().unwrap_or(message);
    const LABEL: &str = "Request ID: ";
    let Some((before, after)) = message.split_once(LABEL) else { return message.into() };
    let end = after.find([';', ')', ',', ' ']).unwrap_or(after.len());
    format!("{}{}", before.trim_end_matches(' ').trim_end_matches(';'), &after[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_within_the_message_is_left_out() {
        for (message, expected) in [
            ("no", "no"),
            (
                "no (Service: AmazonECS; Status Code: 400; Request ID: 1a2b-3c; Proxy: null)",
                "no (Service: AmazonECS; Status Code: 400; Proxy: null)",
            ),
            ("no (Service: Rds, Status Code: 400, Request ID: 1a2b)", "no (Service: Rds, Status Code: 400,)"),
            ("no. Request ID: 1a2b", "no."),
            ("You are not authorized. Encoded authorization failure message: 9xY-z", "You are not authorized."),
        ] {
            assert_eq!(without_request_id(message), expected);
        }
    }

    #[test]
    fn what_a_policy_or_a_key_refuses_is_a_problem_with_the_way_out() {
        let refused = |code: &str| Error { code: code.into(), ..Error::unexpected("StopDBInstance", "app-db", "no") };
        for (code, says) in [
            ("AccessDenied", "StopDBInstance app-db: AccessDenied: no; a policy forbids the call"),
            ("AccessDeniedException", "StopDBInstance app-db: AccessDeniedException: no; a policy forbids the call"),
            ("KMSKeyNotAccessibleFault", "KMSKeyNotAccessibleFault: no; look whether the KMS key is enabled"),
        ] {
            let told = refused(code).told_if_denied();
            assert!(told.kind == ErrorKind::Problem("denied") && told.message.contains(says), "{told:?}");
        }
        assert_eq!(refused("InvalidDBInstanceState").told_if_denied().kind, ErrorKind::Failed);
        let known = refused("AccessDenied").told_as("copy-refused", "in its own words".into());
        assert_eq!(known.clone().told_if_denied(), known);
    }

    #[test]
    fn what_is_left_for_later_is_told_by_its_kind_and_not_by_its_code() {
        let of_aws = Error { code: "NotNow".into(), ..Error::unexpected("X", "y", "z") };
        assert!(Error::not_now().is_not_now() && !of_aws.is_not_now());
        let renamed = Error { code: "Busy".into(), ..Error::not_now() };
        assert!(renamed.is_not_now());
    }
}
