//! One error for all that can go wrong around the local AWS: a sentence for people, and AWS's code where there is one.

use std::fmt;

/// What every call here returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Says what failed. `Debug` prints the same as `Display`, so that a test which returns it reads well.
pub struct Error {
    what: String,
    code: Option<String>,
}

impl Error {
    /// An error in words.
    pub fn new(what: impl fmt::Display) -> Self {
        Self { what: what.to_string(), code: None }
    }

    /// An error that AWS has answered with, such as `ClientException`.
    pub(crate) fn with_code(what: impl fmt::Display, code: &str) -> Self {
        Self { what: what.to_string(), code: Some(code.to_owned()) }
    }

    /// The code of the AWS error, if it is one.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The same error, with what was being attempted in front of it.
    pub(crate) fn context(self, what: impl fmt::Display) -> Self {
        Self { what: format!("{what}: {}", self.what), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.what)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.what)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::new(error)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::new(error)
    }
}
