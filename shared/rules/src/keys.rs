//! The names of all tags.

/// Tags with this prefix are written by people and never by Nightshift.
pub const PEOPLE: &str = "nightshift:";

/// Tags with this prefix are Nightshift's memory.
pub const MEMORY: &str = "nightshift-state:";

// What people write.

/// On an ECS service: which image to bring; see [`crate::deploy::DeployRule`].
pub const DEPLOY: &str = "nightshift:deploy";

// What Nightshift writes.

/// On whatever sleeps: its size before; see the README's section on staging.
pub const ASLEEP: &str = "nightshift-state:asleep";

/// On an ECS service: the image that a person let through; see [`crate::memory::Approved`].
pub const APPROVED: &str = "nightshift-state:approved";

/// On a task definition: what people call the image that it pins.
pub const IMAGE: &str = "nightshift-state:image";

/// On a task definition: the revision (`family:number`) that was live before it.
pub const PREVIOUS: &str = "nightshift-state:previous";

/// On any resource: the problem that people were told of last.
pub const PROBLEM: &str = "nightshift-state:problem";

/// On an ECS service: the image that is not to be tried again; see [`crate::memory::Rejected`].
pub const REJECTED: &str = "nightshift-state:rejected";

/// On an ECS service: another function's wish to go back; see [`crate::memory::RollbackWish`].
pub const ROLLBACK: &str = "nightshift-state:rollback";

/// On an ECS service: the image that was last found live; see [`crate::memory::Verdict`].
pub const VERDICT: &str = "nightshift-state:verdict";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_an_owner_and_fits_a_tag_key() {
        assert!(DEPLOY.starts_with(PEOPLE));
        for key in [ASLEEP, APPROVED, IMAGE, PREVIOUS, PROBLEM, REJECTED, ROLLBACK, VERDICT] {
            assert!(key.starts_with(MEMORY) && key.len() <= 128, "{key}");
        }
    }
}
