//! What an event or a person asks of a run: where to look, and which command to carry out.

use std::collections::BTreeMap;

use rules::database::predeploy_id;
use rules::deploy::{DeployRule, Selector};
use rules::keys;

use super::world::{Service, ServiceName};

#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    Everywhere,
    /// At every service that opted in and uses this ECR repository.
    Repository(String),
    /// At every service that opted in and has this migration.
    Migration(String),
    /// At every service that opted in and waits for this snapshot.
    Snapshot(String),
    Service(ServiceName),
    /// At every service that opted in and promotes from one of these.
    Followers(Vec<ServiceName>),
    DeploymentGroup {
        application: String,
        group: String,
    },
}

impl Scope {
    /// Whether a service that opted in has to be looked at. An unreadable rule is told by the sweep.
    pub fn concerns(&self, service: &Service) -> bool {
        let rule = || service.tags.get(keys::DEPLOY).and_then(|it| it.parse::<DeployRule>().ok());
        match self {
            Scope::Followers(sources) => promotes_from(&service.tags, sources),
            Scope::Migration(family) => rule().is_some_and(|it| it.migration() == Some(family)),
            Scope::Snapshot(id) => rule().and_then(|it| it.snapshot).is_some_and(|it| is_before_deploy(id, &it)),
            _ => true,
        }
    }

    /// Whether all services are looked at that could have anything to do with one another.
    pub fn is_whole(&self) -> bool {
        matches!(self, Scope::Everywhere | Scope::Repository(_) | Scope::Migration(_))
    }
}

/// Whether a service with these tags promotes from one of `sources`.
pub fn promotes_from(tags: &BTreeMap<String, String>, sources: &[ServiceName]) -> bool {
    let selectors = keys::DEPLOYS.iter().filter_map(|it| tags.get(it.rule)?.parse::<DeployRule>().ok());
    selectors.map(|it| it.selector).any(|it| matches!(it, Selector::Promote { from, .. } if sources.contains(&from)))
}

/// Whether a snapshot is one of this database before a deployment, of whatever image.
fn is_before_deploy(snapshot: &str, database: &str) -> bool {
    // The digest that the id ends in is the beginning of one.
    let short = snapshot.rsplit('-').next().unwrap_or_default();
    let digest = format!("sha256:{short:0<64}").parse();
    digest.is_ok_and(|it| predeploy_id(database, &it) == snapshot)
}

/// What a person asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Let this image out.
    Approve {
        /// A tag or a digest.
        image: String,
        /// The pause that this answers, where a deployment of the image waits at one.
        hook: Option<String>,
        /// It goes out before it was live for long enough where it is promoted from.
        now: bool,
    },
    /// Deploy this image, whatever the rule selects.
    Deploy {
        /// A tag or a digest.
        image: String,
        /// Through no gate.
        now: bool,
    },
    /// Never deploy this image; if it runs, go back. What is older does not go out by itself either.
    Reject {
        /// A tag or a digest.
        image: String,
    },
    /// Go back to the image before, and do not deploy this one again.
    RollBack {
        /// The image to go back from; if another one runs by now, nothing is done.
        image: Option<String>,
    },
    /// Say where this image stands.
    Status {
        /// A tag or a digest.
        image: String,
    },
    /// Forgive an image that was rejected: it may be tried again, as any other.
    Clear {
        /// A tag or a digest; without it the only one that is rejected.
        image: Option<String>,
    },
}

impl Command {
    /// The image that it names.
    pub fn image(&self) -> Option<&str> {
        match self {
            Command::Approve { image, .. } | Command::Deploy { image, .. } => Some(image),
            Command::Reject { image } | Command::Status { image } => Some(image),
            Command::RollBack { image } | Command::Clear { image } => image.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_known_by_its_database_whatever_the_image() {
        let digest: rules::Digest = format!("sha256:{}", "1a2b".repeat(16)).parse().unwrap();
        let long = "a-database-with-a-name-that-is-too-long-for-the-id-of-a-snapshot";
        for database in ["app-db", long] {
            let id = predeploy_id(database, &digest);
            assert!(is_before_deploy(&id, database), "{id}");
            assert!(!is_before_deploy(&id, "app") && !is_before_deploy(&id, "other-db"), "{id}");
        }
        for other in ["", "app-db", "nightshift-app-db-2026-11-21", "nightshift-predeploy-app-db-é"] {
            assert!(!is_before_deploy(other, "app-db"), "{other}");
        }
    }
}
