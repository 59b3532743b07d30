//! The one table of the states that RDS names: which of them serve, which pass by themselves, which need a person.

use super::{Database, Kind, region_of};

/// What the status of a database means for those who need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answers queries.
    Serving,
    /// It does not answer reliably now, and will by itself.
    Passing,
    /// It is stopped, or about to be.
    Stopped,
    /// It does not come up by itself: a person has to look.
    Broken,
}

/// Operations during which a DB instance or DB cluster goes on serving, besides everything that is called `configuring-…`.
///
/// `storage-optimization` alone can last for more than a day, and RDS takes a missed automated backup as soon as a
/// database is up: who waited for `available` would wait each morning.
const SERVING: [&str; 7] = [
    "available",
    "backing-up",
    "resetting-master-credentials",
    "storage-config-upgrade",
    "storage-initialization",
    "storage-optimization",
    "update-iam-db-auth",
];

/// What does not pass with time, besides everything that is called `incompatible-…`, `inaccessible-…` or `…-failed`.
const BROKEN: [&str; 4] = ["failed", "insufficient-capacity", "restore-error", "storage-full"];

impl State {
    /// What RDS's `status` means. One that RDS has not named yet is expected to pass.
    ///
    /// ```
    /// use rules::database::State;
    ///
    /// assert_eq!(State::of("storage-optimization"), State::Serving);
    /// assert_eq!(State::of("incompatible-network"), State::Broken);
    /// assert_eq!(State::of("modifying"), State::Passing);
    /// ```
    pub fn of(status: &str) -> State {
        let broken = |it: &str| {
            BROKEN.contains(&it)
                || it.starts_with("incompatible-")
                || it.starts_with("inaccessible-")
                || it.ends_with("-failed")
        };
        match status.to_ascii_lowercase().as_str() {
            it if SERVING.contains(&it) || it.starts_with("configuring-") => State::Serving,
            "stopped" | "stopping" => State::Stopped,
            it if broken(it) => State::Broken,
            _ => State::Passing,
        }
    }
}

/// Whether a database serves, and in which words that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What it means.
    pub state: State,
    /// Such as `starting`, or `available, but its DB instance app-1 is rebooting`.
    pub words: String,
}

impl Database {
    /// What its own status means. A cluster serves only through its instances: see [`Database::condition`].
    pub fn state(&self) -> State {
        State::of(&self.status)
    }

    /// Its state together with that of its instances, which are among `all` where it is a cluster.
    ///
    /// The writer has to serve, if RDS names it; otherwise any instance will do. RDS calls a cluster `available` as soon
    /// as its storage is, while its instances are still starting, and one without instances as well.
    pub fn condition<'a>(&self, writer: Option<&str>, all: impl IntoIterator<Item = &'a Database>) -> Condition {
        let own = Condition { state: self.state(), words: self.status.clone() };
        if self.kind == Kind::Instance || own.state != State::Serving {
            return own;
        }
        let members: Vec<&Database> = all.into_iter().filter(|it| it.is_member_of(self)).collect();
        let writer = members.iter().find(|it| writer == Some(it.id.as_str()));
        let counts = match writer {
            Some(writer) => Some(writer),
            None => members.iter().find(|it| it.state() == State::Serving).or(members.first()),
        };
        match counts {
            None => Condition { state: State::Broken, words: format!("{}, but it has no DB instance", self.status) },
            Some(it) if it.state() == State::Serving => own,
            Some(it) => Condition {
                state: it.state(),
                words: format!("{}, but its DB instance {} is {}", self.status, it.id, it.status),
            },
        }
    }

    /// Whether it is an instance of that cluster.
    pub fn is_member_of(&self, cluster: &Database) -> bool {
        cluster.kind == Kind::Cluster
            && region_of(&self.arn) == region_of(&cluster.arn)
            && self.member_of.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(&cluster.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_that_rds_names_is_in_one_column() {
        for (state, all) in [
            (
                State::Serving,
                "available backing-up configuring-activity-stream configuring-associated-roles \
                 configuring-enhanced-monitoring configuring-iam-database-auth configuring-log-exports \
                 resetting-master-credentials storage-config-upgrade storage-initialization storage-optimization \
                 update-iam-db-auth",
            ),
            (
                State::Passing,
                "backtracking converting-to-vpc creating delete-precheck deleting failing-over maintenance migrating \
                 modifying moving-to-vpc preparing-data-migration promoting rebooting renaming scaling-compute starting \
                 upgrading whatever-comes-next",
            ),
            (State::Stopped, "stopped stopping"),
            (
                State::Broken,
                "cloning-failed failed inaccessible-encryption-credentials \
                 inaccessible-encryption-credentials-recoverable incompatible-create incompatible-network \
                 incompatible-option-group incompatible-parameters incompatible-restore insufficient-capacity \
                 migration-failed restore-error storage-full",
            ),
        ] {
            for status in all.split_whitespace() {
                assert_eq!(State::of(status), state, "{status}");
            }
        }
    }

    fn database(kind: Kind, id: &str, status: &str, member_of: Option<&str>) -> Database {
        Database {
            kind,
            id: id.into(),
            arn: id.into(),
            resource_id: None,
            status: status.into(),
            engine: "aurora-postgresql".into(),
            member_of: member_of.map(str::to_owned),
            restarts_at: None,
            tags: Default::default(),
        }
    }

    #[test]
    fn a_cluster_serves_once_its_writer_does() {
        let check = |cluster: &str, writer: Option<&str>, members: &[(&str, &str)], state: State, words: &str| {
            let mut all: Vec<Database> =
                members.iter().map(|(id, status)| database(Kind::Instance, id, status, Some("App"))).collect();
            all.push(database(Kind::Instance, "other", "available", Some("other-cluster")));
            let found = database(Kind::Cluster, "app", cluster, None).condition(writer, &all);
            assert_eq!((found.state, found.words.as_str()), (state, words), "{cluster} {writer:?} {members:?}");
        };
        use State::*;
        check("available", Some("a"), &[("a", "available"), ("b", "starting")], Serving, "available");
        check("starting", Some("a"), &[("a", "available")], Passing, "starting");
        let writer_starts = "available, but its DB instance a is starting";
        check("available", Some("a"), &[("a", "starting"), ("b", "available")], Passing, writer_starts);
        check("available", None, &[("a", "starting"), ("b", "backing-up")], Serving, "available");
        check("available", None, &[("a", "starting")], Passing, writer_starts);
        let broken = "available, but its DB instance a is incompatible-network";
        check("available", None, &[("a", "incompatible-network")], Broken, broken);
        check("available", None, &[], Broken, "available, but it has no DB instance");
    }

    #[test]
    fn an_instance_that_stands_alone_needs_no_other() {
        let alone = database(Kind::Instance, "app", "storage-optimization", None).condition(None, []);
        assert_eq!(alone, Condition { state: State::Serving, words: "storage-optimization".into() });
    }
}
