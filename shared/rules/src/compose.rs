//! `nightshift:deploy` on an EC2 instance: which image the docker compose project there runs, and the memory of that.

mod memory;

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};

use crate::deploy::{Approval, RepositoryName, Selector, Severity};
use crate::keys;
use crate::tag::{BadTag, Reader};

pub use memory::{Intent, Ordered, Runs};

/// What the tag `nightshift:deploy` of an EC2 instance asks for.
///
/// ```
/// use rules::compose::ComposeRule;
///
/// let rule: ComposeRule = "newest repository=team/api path=/srv/app service=api wait=90s".parse().unwrap();
/// assert_eq!(rule.to_string(), "newest repository=team/api path=/srv/app service=api wait=90s");
///
/// let wrong = "newest path=/srv/app service=api".parse::<ComposeRule>().unwrap_err();
/// assert_eq!(
///     wrong.to_string(),
///     "nightshift:deploy: no option 'repository' in 'newest path=/srv/app service=api'; accepted: repository=NAME, or \
///      ACCOUNT/NAME for the registry of another account"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposeRule {
    /// Which image.
    pub selector: Selector,
    /// The repository to choose from: nothing else on an instance names it.
    pub repository: RepositoryName,
    /// The folder of the compose project on the instance.
    pub path: String,
    /// The service of the compose file whose image is changed.
    pub service: String,
    /// Whether a person has to approve each image first.
    pub approval: Option<Approval>,
    /// The findings of the image scan that hold a deployment back.
    pub scan: Option<Severity>,
    /// The database of which a snapshot is taken first.
    pub snapshot: Option<String>,
    /// The service of the compose file that is run once first.
    pub migrate: Option<String>,
    /// The address that has to answer well afterwards, asked on the instance itself.
    pub health: Option<String>,
    /// For how long the new container may take until it is well.
    pub wait: SignedDuration,
}

const REPOSITORY: &str = "NAME, or ACCOUNT/NAME for the registry of another account";
const PATH: &str = "/FOLDER of letters, digits and . _ - /, at most 120 characters and without ..";
const SERVICE: &str = "the name of a service of the compose file: letters, digits and . _ -, at most 63";
const HEALTH: &str = "http://localhost:PORT/PATH, or https:// with any host, of letters, digits and . _ : / @ + = -";
const WAIT: &str = "a time from 5s to 10m, such as 90s";

/// How long a container may take where the tag does not say.
const USUAL_WAIT: SignedDuration = SignedDuration::from_secs(90);

impl ComposeRule {
    /// How a memory says which service it is of, since a person may change the tag: path and service may be too long.
    pub fn place(&self) -> String {
        let hash = Sha256::digest(format!("{}\n{}", self.path, self.service));
        hash.iter().take(4).map(|it| format!("{it:02x}")).collect()
    }
}

impl FromStr for ComposeRule {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::DEPLOY, value)?;
        let selector = Selector::read(&mut tag)?;
        if let Selector::Promote { .. } = selector {
            let help = "newest, semver, number, tag: what soaks is only known of ECS services";
            return Err(tag.bad("the word 'promote', which an instance does not know,", help));
        }
        let rule = ComposeRule {
            selector,
            repository: tag.required("repository", REPOSITORY)?,
            path: tag.required::<Path>("path", PATH)?.0,
            service: tag.required::<Name>("service", SERVICE)?.0,
            approval: tag.parsed("approval", "manual")?,
            scan: tag.parsed("scan", "critical or high")?,
            snapshot: tag.option("snapshot").map(str::to_owned),
            migrate: tag.parsed::<Name>("migrate", SERVICE)?.map(|it| it.0),
            health: tag.parsed::<Address>("health", HEALTH)?.map(|it| it.0),
            wait: tag.parsed::<Wait>("wait", WAIT)?.map_or(USUAL_WAIT, |it| it.0),
        };
        if rule.approval == Some(Approval::AtHook) {
            return Err(tag.bad_option("approval", "at-hook", "manual: only deployments of ECS pause at a hook"));
        }
        if rule.migrate.as_ref() == Some(&rule.service) {
            let wrong = format!("migrate={} names the service itself", rule.service);
            return Err(tag.bad(wrong, "another service of the compose file, which ends by itself"));
        }
        tag.finish()?;
        Ok(rule)
    }
}

impl fmt::Display for ComposeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ComposeRule { selector, repository, path, service, .. } = self;
        write!(f, "{selector} repository={repository} path={path} service={service}")?;
        if self.approval.is_some() {
            f.write_str(" approval=manual")?;
        }
        match self.scan {
            Some(Severity::Critical) => f.write_str(" scan=critical")?,
            Some(Severity::High) => f.write_str(" scan=high")?,
            None => {}
        }
        for (name, value) in [("snapshot", &self.snapshot), ("migrate", &self.migrate), ("health", &self.health)] {
            value.iter().try_for_each(|it| write!(f, " {name}={it}"))?;
        }
        write!(f, " wait={}s", self.wait.as_secs())
    }
}

/// A folder on the instance.
struct Path(String);

/// A service of a compose file.
struct Name(String);

/// An address that is asked on the instance.
struct Address(String);

/// How long a container may take.
struct Wait(SignedDuration);

impl FromStr for Path {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let plain = |it: char| it.is_ascii_alphanumeric() || "._-/".contains(it);
        let folders = text.strip_prefix('/').ok_or(())?;
        let sound = (2..=120).contains(&text.len()) && text.chars().all(plain);
        let inside = !folders.split('/').any(|it| matches!(it, "" | "." | ".."));
        if sound && inside { Ok(Path(text.into())) } else { Err(()) }
    }
}

impl FromStr for Name {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let inside = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
        // A name that began with a dash would be an option of the command line.
        let sound = text.starts_with(|it: char| it.is_ascii_alphanumeric()) && text.chars().all(inside);
        if sound && text.len() <= 63 { Ok(Name(text.into())) } else { Err(()) }
    }
}

impl FromStr for Address {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).ok_or(())?;
        let plain = |it: char| it.is_ascii_alphanumeric() || "._:/@+=-".contains(it);
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let named = host.starts_with(|it: char| it.is_ascii_alphanumeric())
            && host.chars().all(|it| it.is_ascii_alphanumeric() || ".:_-".contains(it));
        let fits = host.len() <= 100 && path.len() <= 150;
        if named && fits && path.chars().all(plain) { Ok(Address(text.into())) } else { Err(()) }
    }
}

impl FromStr for Wait {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(())?;
        // `parse` takes a sign as well.
        let plain = (1..=4).contains(&number.len()) && number.bytes().all(|it| it.is_ascii_digit());
        let number: i64 = if plain { number.parse().map_err(drop)? } else { return Err(()) };
        let seconds = match unit {
            "s" => number,
            "m" => number * 60,
            _ => return Err(()),
        };
        (5..=600).contains(&seconds).then(|| Wait(SignedDuration::from_secs(seconds))).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Result<&str, &str>) {
        let read = value.parse::<ComposeRule>().map(|it| it.to_string()).map_err(|it| it.to_string());
        assert_eq!(read.as_deref().map_err(|it| it.as_str()), expected);
    }

    #[test]
    fn every_option_is_understood_and_written_as_it_is_read() {
        for value in [
            "newest repository=api path=/srv/app service=api wait=90s",
            "semver range=1.x repository=210987654321/team/api path=/srv/a-b_c.d service=web.1 wait=600s",
            "number prefix=build- repository=api path=/a service=api approval=manual scan=high snapshot=app-db \
             migrate=migrate health=http://localhost:3000/api/v1/health wait=5s",
            "tag name=latest repository=api path=/srv/app service=api scan=critical wait=90s",
        ] {
            check(value, Ok(value));
        }
        let usual = "newest repository=api path=/srv/app service=api";
        check(usual, Ok(&format!("{usual} wait=90s")));
        check(&format!("{usual} wait=2m"), Ok(&format!("{usual} wait=120s")));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_what_is() {
        let with = |option: &str| format!("newest repository=api path=/srv/app service=api {option}");
        let refused = |option: &str, accepted: &str| {
            let value = with(option);
            let error = format!("nightshift:deploy: {option} cannot be understood in '{value}'; accepted: {accepted}");
            check(&value, Err(&error));
        };
        refused("wait=90", "wait=a time from 5s to 10m, such as 90s");
        refused("wait=11m", "wait=a time from 5s to 10m, such as 90s");
        refused("wait=1\u{661}s", "wait=a time from 5s to 10m, such as 90s");
        refused("approval=at-hook", "approval=manual: only deployments of ECS pause at a hook");
        refused("migrate=-v", &format!("migrate={SERVICE}"));
        for wrong in ["localhost:3000", "http://", "http://a?b", "http://user@host/", "ftp://a", "http://$(id)/"] {
            refused(&format!("health={wrong}"), &format!("health={HEALTH}"));
        }
        for wrong in ["srv", "/", "/srv/../etc", "/srv//app", "/srv/app/", "/srv/$(id)", "/srv/a'b", "/srv/./app"] {
            let value = format!("newest repository=api path={wrong} service=api");
            let error =
                format!("nightshift:deploy: path={wrong} cannot be understood in '{value}'; accepted: path={PATH}");
            check(&value, Err(&error));
        }
        let promote = "promote from=a/b soak=1h repository=api path=/srv/app service=api";
        let error = format!(
            "nightshift:deploy: the word 'promote', which an instance does not know, in '{promote}'; accepted: newest, \
             semver, number, tag: what soaks is only known of ECS services"
        );
        check(promote, Err(&error));
        let container = with("container=app");
        assert!(container.parse::<ComposeRule>().unwrap_err().to_string().contains("unknown option 'container'"));
        let same = with("migrate=api");
        assert!(same.parse::<ComposeRule>().unwrap_err().to_string().contains("migrate=api names the service itself"));
    }

    proptest! {
        /// Whatever is accepted goes into a command on the instance: nothing of it means anything to a shell.
        #[test]
        fn what_is_accepted_holds_nothing_but_plain_characters(
            path in "[/a.$ ;-]{0,12}", service in "[a-zA-Z0-9._$;-]{0,8}", health in "(https?://)?[a-z0-9.:/@?&$-]{0,16}"
        ) {
            let value = format!("newest repository=api path={path} service={service} health={health}");
            if let Ok(rule) = value.parse::<ComposeRule>() {
                let all = format!("{}{}{}", rule.path, rule.service, rule.health.as_deref().unwrap_or_default());
                prop_assert!(all.chars().all(|it| it.is_ascii_alphanumeric() || "._:/@+=-".contains(it)), "{all}");
                prop_assert!(!rule.service.starts_with('-') && !rule.path.contains(".."));
                prop_assert_eq!(rule.to_string().parse::<ComposeRule>().unwrap(), rule);
            }
        }
    }
}
