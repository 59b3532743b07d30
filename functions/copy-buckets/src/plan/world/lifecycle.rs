//! What a bucket does with old versions of objects.

/// Whether old versions are kept, and which rules remove them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Versioning {
    /// `Enabled` or `Suspended`; none where versioning was never enabled.
    pub status: Option<String>,
    pub rules: Vec<LifecycleRule>,
}

/// What an enabled rule of the lifecycle configuration does with versions that are not current.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LifecycleRule {
    pub id: String,
    pub prefix: String,
    /// It is about some of these objects only: those with a tag, or of a size.
    pub is_filtered: bool,
    pub is_enabled: bool,
    /// The days after which a version is deleted.
    pub deletes_after: Option<u32>,
    /// The days after which a version is moved to a class from which nothing can be copied, the earliest of them.
    pub archives_after: Option<u32>,
    /// The same of objects that are current: they stay there when they are replaced.
    pub archives_current_after: Option<u32>,
}

impl Versioning {
    pub fn is_enabled(&self) -> bool {
        self.status.as_deref() == Some("Enabled")
    }
}
