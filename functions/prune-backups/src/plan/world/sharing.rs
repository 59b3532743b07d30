//! Whether a snapshot is shared.

/// What RDS said when it was asked whether a snapshot is shared.
#[derive(Debug, Clone, PartialEq)]
pub enum Sharing {
    /// With these accounts; with `all` it is public.
    With(Vec<String>),
    /// It cannot be shared: it is encrypted with the account's default key of RDS.
    Never,
    /// There was no time to ask.
    NotAsked,
    /// It cannot be told, for this reason.
    Unreadable(String),
}

impl Sharing {
    /// Why a snapshot of which this is known stays.
    pub fn spares(&self) -> Option<String> {
        match self {
            Sharing::Never => None,
            Sharing::With(accounts) if accounts.is_empty() => None,
            Sharing::With(accounts) => Some(format!("it is shared with {}", accounts.join(", "))),
            Sharing::NotAsked => Some("there was no time to ask whether it is shared; the next run does".into()),
            Sharing::Unreadable(error) => Some(format!("it cannot be told whether it is shared: {error}")),
        }
    }
}
