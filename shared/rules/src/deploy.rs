//! `nightshift:deploy`: which image is deployed to an ECS service, and what has to be true before.

use std::fmt;
use std::str::FromStr;

use crate::address;
use crate::keys;
use crate::tag::{BadTag, Reader};

pub use crate::selector::Selector;

/// What the tag `nightshift:deploy` of an ECS service asks for.
///
/// ```
/// use rules::deploy::DeployRule;
///
/// let rule: DeployRule = "semver range=1 approval=manual".parse().unwrap();
/// assert!(rule.approval.is_some());
/// assert_eq!(rule.to_string(), "semver range=1.x approval=manual");
///
/// let wrong = "newst".parse::<DeployRule>().unwrap_err();
/// assert_eq!(
///     wrong.to_string(),
///     "nightshift:deploy: unknown word 'newst' in 'newst'; did you mean 'newest'? Accepted: newest, semver, number, tag, promote"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployRule {
    /// Which image.
    pub selector: Selector,
    /// The container whose image is changed; needed where the containers run several images.
    pub container: Option<String>,
    /// The repository to choose from, where it is not the one of the image that runs.
    pub repository: Option<RepositoryName>,
    /// Which revision of the task definition the next one is made from.
    pub config: Option<Config>,
    /// Whether a person has to approve each image first.
    pub approval: Option<Approval>,
    /// The findings of the image scan that hold a deployment back.
    pub scan: Option<Severity>,
    /// The database of which a snapshot is taken first.
    pub snapshot: Option<String>,
    /// The family of the task that is run first.
    pub migrate: Option<String>,
    /// The family of the task that another service of the cluster runs first, with `migrate`.
    pub after_migration: Option<String>,
    /// What has to be well afterwards.
    pub health: Option<HealthCheck>,
    /// The address of the test traffic, which has to answer well while a deployment pauses there.
    pub test_health: Option<String>,
}

/// What says whether the new tasks are well.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthCheck {
    /// An address, which answers 2xx.
    Url(String),
    /// The health checks of the service's own target groups: for load balancers that no public address leads to.
    Targets,
}

/// `NAME`, or `ACCOUNT/NAME` for the registry of another account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryName {
    /// The account, where it is not the service's own.
    pub account: Option<String>,
    /// The repository's name.
    pub name: String,
}

/// Which revision of a task definition is the base of the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Config {
    /// The newest that something else registered after the one in use, as Terraform does: it is deployed even where
    /// no new image is there.
    Newest,
}

/// Who says yes to a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// A person, before the deployment.
    Manual,
    /// A person, while the deployment pauses at a hook of ECS.
    AtHook,
}

/// From which severity on findings hold a deployment back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// `CRITICAL` only.
    Critical,
    /// `HIGH` and `CRITICAL`.
    High,
}

const REPOSITORY: &str = "NAME, or ACCOUNT/NAME for the registry of another account";

impl FromStr for DeployRule {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::DEPLOY, value)?;
        let rule = DeployRule {
            selector: Selector::read(&mut tag)?,
            container: tag.option("container").map(str::to_owned),
            repository: tag.parsed("repository", REPOSITORY)?,
            config: tag.parsed("config", "newest")?,
            approval: tag.parsed("approval", "manual or at-hook")?,
            scan: tag.parsed("scan", "critical or high")?,
            snapshot: tag.option("snapshot").map(str::to_owned),
            migrate: tag.option("migrate").map(str::to_owned),
            after_migration: tag.option("after-migration").map(str::to_owned),
            health: tag.option("health").map(HealthCheck::of),
            test_health: tag.option("test-health").map(str::to_owned),
        };
        if rule.migrate.is_some() && rule.after_migration.is_some() {
            let help = "one of both: migrate= runs the migration, after-migration= waits for another service that does";
            return Err(tag.bad("migrate together with after-migration", help));
        }
        let health = match &rule.health {
            Some(HealthCheck::Url(url)) => Some(url),
            Some(HealthCheck::Targets) | None => None,
        };
        let test_health = rule.test_health.as_ref();
        for (option, address, or) in [("health", health, ", or health=targets"), ("test-health", test_health, "")] {
            if let Some((url, fault)) = address.and_then(|it| Some((it, address::fault(it)?))) {
                return Err(tag.bad(
                    format!("{option}={url} is not an address to ask: {fault}"),
                    format!("{option}=https://NAME/PATH, or http:// with a public name{or}"),
                ));
            }
        }
        tag.finish()?;
        Ok(rule)
    }
}

impl HealthCheck {
    fn of(text: &str) -> Self {
        if text == "targets" { HealthCheck::Targets } else { HealthCheck::Url(text.into()) }
    }
}

impl fmt::Display for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HealthCheck::Url(url) => f.write_str(url),
            HealthCheck::Targets => f.write_str("targets"),
        }
    }
}

impl FromStr for RepositoryName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_account = |it: &str| it.len() == 12 && it.bytes().all(|it| it.is_ascii_digit());
        let (account, name) = match text.split_once('/') {
            Some((account, name)) if is_account(account) => (Some(account.to_owned()), name),
            _ => (None, text),
        };
        // ECR's own rule; a host or a tag in it is the most likely slip.
        let fine = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, '.' | '_' | '-' | '/');
        let host = name.split('/').next().is_some_and(|it| it.contains(".dkr"));
        let whole = !name.is_empty() && !name.starts_with('/') && !name.ends_with('/') && !name.contains("//");
        let ok = whole && !host && name.chars().all(fine);
        if ok { Ok(RepositoryName { account, name: name.into() }) } else { Err(()) }
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.account.iter().try_for_each(|it| write!(f, "{it}/"))?;
        f.write_str(&self.name)
    }
}

impl FromStr for Config {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "newest" { Ok(Config::Newest) } else { Err(()) }
    }
}

impl DeployRule {
    /// Reads the tag `key` about a further container, `nightshift:deploy-2`: the container has to be named, and what
    /// comes before or after a revision as a whole belongs to `nightshift:deploy`.
    ///
    /// ```
    /// use rules::deploy::DeployRule;
    /// use rules::keys::DEPLOY_2;
    ///
    /// assert!(DeployRule::further(DEPLOY_2, "newest container=web").is_ok());
    /// let error = DeployRule::further(DEPLOY_2, "newest container=web migrate=app").unwrap_err();
    /// assert!(error.to_string().starts_with("nightshift:deploy-2: migrate= belongs to nightshift:deploy"));
    /// ```
    pub fn further(key: &'static str, value: &str) -> Result<Self, BadTag> {
        let rule: DeployRule = value.parse().map_err(|it| BadTag { key, ..it })?;
        let bad = |wrong: String, help: &str| Err(BadTag { key, value: value.into(), wrong, help: help.into() });
        let whole = [
            ("after-migration", rule.after_migration.is_some()),
            ("config", rule.config.is_some()),
            ("health", rule.health.is_some()),
            ("migrate", rule.migrate.is_some()),
            ("snapshot", rule.snapshot.is_some()),
        ];
        if let Some((name, _)) = whole.iter().find(|(_, is_there)| *is_there) {
            let help = "accepted: a selector, container, repository, approval, scan";
            return bad(format!("{name}= belongs to {}", keys::DEPLOY), help);
        }
        match rule.container {
            Some(_) => Ok(rule),
            None => bad("no option 'container'".into(), "accepted: container=NAME"),
        }
    }

    /// Whether an image has to pass a gate of which the registry's list of images does not tell.
    pub fn has_gates(&self) -> bool {
        self.scan.is_some() || self.snapshot.is_some() || self.migration().is_some() || self.health.is_some()
    }

    /// The family of the task that has to run before an image goes out, whichever service runs it.
    pub fn migration(&self) -> Option<&String> {
        self.migrate.as_ref().or(self.after_migration.as_ref())
    }
}

impl FromStr for Approval {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "manual" => Ok(Approval::Manual),
            "at-hook" => Ok(Approval::AtHook),
            _ => Err(()),
        }
    }
}

impl FromStr for Severity {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "critical" => Ok(Severity::Critical),
            "high" => Ok(Severity::High),
            _ => Err(()),
        }
    }
}

impl fmt::Display for DeployRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.selector)?;
        let option = |f: &mut fmt::Formatter<'_>, name: &str, value: &Option<String>| match value {
            Some(value) => write!(f, " {name}={value}"),
            None => Ok(()),
        };
        option(f, "container", &self.container)?;
        self.repository.iter().try_for_each(|it| write!(f, " repository={it}"))?;
        if let Some(Config::Newest) = self.config {
            f.write_str(" config=newest")?;
        }
        match self.approval {
            Some(Approval::Manual) => f.write_str(" approval=manual")?,
            Some(Approval::AtHook) => f.write_str(" approval=at-hook")?,
            None => {}
        }
        match self.scan {
            Some(Severity::Critical) => f.write_str(" scan=critical")?,
            Some(Severity::High) => f.write_str(" scan=high")?,
            None => {}
        }
        option(f, "snapshot", &self.snapshot)?;
        option(f, "migrate", &self.migrate)?;
        option(f, "after-migration", &self.after_migration)?;
        self.health.iter().try_for_each(|it| write!(f, " health={it}"))?;
        option(f, "test-health", &self.test_health)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::version::{Allowed, Reading};

    #[track_caller]
    fn check(value: &str, expected: Result<&str, &str>) {
        let read = value.parse::<DeployRule>().map(|it| it.to_string()).map_err(|it| it.to_string());
        assert_eq!(read.as_deref().map_err(|it| it.as_str()), expected);
    }

    #[test]
    fn every_selector_and_option_is_understood() {
        for value in [
            "newest",
            "newest prefix=main-",
            "semver",
            "semver range=1.x",
            "semver range=1.2.x suffix=-alpine",
            "semver prefix=api-v channel=rc suffix=-alpine",
            "semver from=1.2 below=2.0",
            "newest prefix=main- suffix=-prod except=latest+dev",
            "number",
            "number prefix=build-",
            "tag name=latest",
            "promote from=staging/api soak=24h",
            "promote from=staging/api soak=0h approval=manual",
            "newest container=app approval=manual scan=critical snapshot=app-db migrate=app-migrate health=https://x.example/health",
            "newest after-migration=app-migrate",
            "newest approval=at-hook test-health=https://test.x.example:8443/health",
            "semver range=1.2.3 scan=high",
            "newest repository=team/api config=newest",
            "newest container=app repository=210987654321/team/api",
        ] {
            check(value, Ok(value));
        }
        check("  semver   range=1 ", Ok("semver range=1.x"));
        check("promote soak=120m from=staging/api", Ok("promote from=staging/api soak=2h"));
        check("newest approval=manual prefix=main-", Ok("newest prefix=main- approval=manual"));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_what_is() {
        let selectors = "newest, semver, number, tag, promote";
        check("", Err(&format!("nightshift:deploy: no selector in ''; accepted: {selectors}")));
        for (written, meant) in [("latest", "tag name=latest"), ("main", "tag name=main"), ("v1.2", "semver range=1.2")]
        {
            let said = "nightshift:deploy: unknown word";
            check(
                written,
                Err(&format!("{said} '{written}' in '{written}'; did you mean '{meant}'? Accepted: {selectors}")),
            );
            meant.parse::<DeployRule>().unwrap();
        }
        check("cat", Err(&format!("nightshift:deploy: unknown word 'cat' in 'cat'; accepted: {selectors}")));
        check(
            "Newest",
            Err(&format!(
                "nightshift:deploy: unknown word 'Newest' in 'Newest'; did you mean 'newest'? Accepted: {selectors}"
            )),
        );
        check(
            "newest semver",
            Err(
                "nightshift:deploy: unknown word 'semver' in 'newest semver'; accepted: no word here, but the options prefix, suffix, except, container, repository, config, approval, scan, snapshot, migrate, after-migration, health, test-health",
            ),
        );
        check("tag", Err("nightshift:deploy: no option 'name' in 'tag'; accepted: name=TAG"));
        check(
            "newest range=1.x",
            Err(
                "nightshift:deploy: unknown option 'range' in 'newest range=1.x'; accepted: prefix, suffix, except, container, repository, config, approval, scan, snapshot, migrate, after-migration, health, test-health",
            ),
        );
        check(
            "newest aproval=manual",
            Err(
                "nightshift:deploy: unknown option 'aproval' in 'newest aproval=manual'; did you mean 'approval'? Accepted: prefix, suffix, except, container, repository, config, approval, scan, snapshot, migrate, after-migration, health, test-health",
            ),
        );
        check(
            "semver range=^1.2",
            Err(
                "nightshift:deploy: range=^1.2 cannot be understood in 'semver range=^1.2'; accepted: range=1.x, 1.2.x or 1.2.3",
            ),
        );
        let accepted = "accepted: repository=NAME, or ACCOUNT/NAME for the registry of another account";
        for wrong in ["Team/Api", "api:v1", "/api", "210987654321/", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/api"]
        {
            let value = format!("newest repository={wrong}");
            check(
                &value,
                Err(&format!("nightshift:deploy: repository={wrong} cannot be understood in '{value}'; {accepted}")),
            );
        }
        check(
            "newest config=base",
            Err("nightshift:deploy: config=base cannot be understood in 'newest config=base'; accepted: config=newest"),
        );
        check(
            "newest approval=yes",
            Err(
                "nightshift:deploy: approval=yes cannot be understood in 'newest approval=yes'; accepted: approval=manual or at-hook",
            ),
        );
        check(
            "newest scan=low",
            Err(
                "nightshift:deploy: scan=low cannot be understood in 'newest scan=low'; accepted: scan=critical or high",
            ),
        );
    }

    #[test]
    fn a_selector_that_contradicts_itself_is_refused() {
        for (value, fault) in [
            ("semver range=1.x from=1.2", "range together with from or below"),
            ("semver from=2.0 below=1.0", "from=2.0 is not lower than below=1.0"),
            ("semver from=v1", "from=v1 cannot be understood"),
            ("semver channel=r-c", "channel=r-c cannot be understood"),
            ("newest except=latest++dev", "except=latest++dev cannot be understood"),
            ("newest migrate=a after-migration=b", "migrate together with after-migration"),
            ("number suffix=-x", "unknown option 'suffix'"),
            ("promote soak=24h", "no option 'from'"),
            ("promote from=staging/api", "no option 'soak'"),
            ("promote from=api soak=24h", "from=api cannot be understood"),
            ("promote from=staging/api soak=1d", "soak=1d cannot be understood"),
            ("promote from=staging/api soak=721h", "soak=721h cannot be understood"),
        ] {
            let error = value.parse::<DeployRule>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("nightshift:deploy: {fault} in '{value}'; ")), "{error}");
        }
    }

    #[test]
    fn a_health_address_is_one_that_can_be_asked() {
        for fine in ["https://x.example/health", "https://x.example:8443", "https://8.8.8.8/", "http://x.example/"] {
            check(&format!("newest health={fine}"), Ok(&format!("newest health={fine}")));
        }
        for (wrong, fault) in [
            ("x.example", "it begins with neither https:// nor http://"),
            ("https://x.example:70000/", "the port is a number from 1 to 65535"),
            ("https://x_y.example/", "the host name is not valid"),
        ] {
            let expected = format!(
                "nightshift:deploy: health={wrong} is not an address to ask: {fault} in 'newest health={wrong}'; \
                 accepted: health=https://NAME/PATH, or http:// with a public name, or health=targets"
            );
            check(&format!("newest health={wrong}"), Err(&expected));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            selector in prop_oneof![
                (prop::option::of("[a-z-]{1,8}"), prop::option::of("-[a-z]{1,8}"), prop::collection::vec("[a-z.-]{1,8}", 0..3))
                    .prop_map(|(prefix, suffix, except)| Selector::Newest { prefix, suffix, except }),
                (prop::option::of("[0-9]{1,2}(\\.[0-9]{1,2}){0,2}"), prop::option::of("-[a-z]{1,8}"), prop::option::of("[a-z]{1,4}"))
                    .prop_map(|(range, suffix, channel)| Selector::Semver {
                        reading: Reading { prefix: channel.as_ref().map(|it| format!("{it}-v")), suffix, channel },
                        allowed: Allowed { range: range.map(|it| it.parse().unwrap()), ..Allowed::default() },
                    }),
                prop::option::of("[a-z-]{1,8}").prop_map(|prefix| Selector::Number { prefix }),
                "[a-z0-9.]{1,8}".prop_map(|name| Selector::Tag { name }),
                ("[a-z]{1,8}/[a-z]{1,8}", 0..43200i64).prop_map(|(from, soak)| Selector::Promote {
                    from: from.parse().unwrap(),
                    soak: jiff::SignedDuration::from_mins(soak),
                }),
            ],
            container in prop::option::of("[a-z-]{1,8}"),
            account in prop::option::of(prop::option::of("[0-9]{12}")),
            newest in any::<bool>(),
            manual in any::<bool>(),
            scan in prop::sample::select(vec![None, Some(Severity::Critical), Some(Severity::High)]),
            health in prop::option::of("targets|https://[a-z]{1,8}[.][a-z]{2,8}/[a-z=]{0,8}"),
        ) {
            let approval = manual.then_some(Approval::Manual);
            let repository = account.map(|account| RepositoryName { account, name: "team/api".into() });
            let config = newest.then_some(Config::Newest);
            let health = health.map(|it| HealthCheck::of(&it));
            let rule = DeployRule { selector, container, repository, config, approval, scan, snapshot: None, migrate: None, after_migration: None, health, test_health: None };
            prop_assert_eq!(rule.to_string().parse::<DeployRule>(), Ok(rule));
        }

        #[test]
        fn no_value_makes_it_panic(value in "[a-z0-9=. -]{0,40}|(newest|semver|tag)( [a-z]{1,9}=[^ ]{0,9}){0,3}") {
            let _ = value.parse::<DeployRule>();
        }
    }
}
