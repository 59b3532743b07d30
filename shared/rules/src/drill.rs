//! `nightshift:drill`: how often a restore of the newest backup is tried, and what it has to show.
//!
//! `monthly rto=1h rpo=24h check=kfood-drill service=kfood-cluster/kfood-backend class=db.t4g.micro keep=2h region=us-west-2`

mod bucket;
mod due;
mod memory;

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil::Date;

use crate::database::{Kind, snapshot_id};
use crate::length::{self, in_minutes};
use crate::retention::Region;
use crate::tag::{BadTag, Reader};
use crate::{ServiceName, keys};

pub use bucket::BucketDrill;
pub use due::{Calendar, Every};
pub use memory::{Drill, Drilled, Outcome, Progress, Proven, Source};

/// What the names of all drill databases begin with.
pub const PREFIX: &str = "nightshift-drill-";

/// The function that makes them, as it stands in their tag `nightshift-state:made-by`.
pub const MAKER: &str = "drill-restores";

/// What the drill database of `database` is called that is restored on this date. In a region that is not the database's
/// own the name holds the home region, since a stack of that region may drill a database of the same name.
pub fn drill_id(database: &str, date: Date, home: Option<&str>) -> String {
    let name = home.map_or_else(|| database.to_owned(), |home| format!("{database}-{home}"));
    // An instance's name may have no more letters than a cluster's.
    snapshot_id("drill-", &name, &date.to_string(), Kind::Cluster.longest_id())
}

/// What is expected of the drills of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillRule {
    /// How often.
    pub every: Every,
    /// How long it may take until the restored database is proven.
    pub rto: Option<SignedDuration>,
    /// How old the data in it may be.
    pub rpo: Option<SignedDuration>,
    /// The task that has to find it right.
    pub check: Option<Check>,
    /// The class of the restored instance, where it is not that of the original.
    pub class: Option<String>,
    /// Which backup is restored.
    pub from: Origin,
    /// How long the restored database stays up after its drill, for people to look at it.
    pub keep: Option<SignedDuration>,
    /// The region whose copies are restored there, where it is not that of the database.
    pub region: Option<Region>,
    /// The DB subnet group of the restored database, where it is not called as that of the original.
    pub subnet_group: Option<String>,
    /// Its security groups, where they are not those of the original.
    pub security_groups: Vec<String>,
}

/// Which backup is restored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Origin {
    /// The newest snapshot that Nightshift took.
    #[default]
    Nightshift,
    /// The newest automated snapshot of RDS.
    Automated,
    /// The latest point in time that RDS can restore.
    Latest,
}

impl Origin {
    const ALL: [(Origin, &str); 2] = [(Origin::Automated, "automated"), (Origin::Latest, "latest")];
}

impl FromStr for Origin {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.iter().find(|(_, it)| *it == word).map(|(it, _)| *it).ok_or(())
    }
}

/// Together with the six hours that a drill may take it is a day, which no restored database outlives.
const LONGEST_KEEP: SignedDuration = SignedDuration::from_hours(18);

/// A task that is run against a restored database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The family of its task definition.
    pub family: String,
    /// The service in whose cluster and network it runs.
    pub service: ServiceName,
}

/// A length of time such as `90m`, `24h` or `7d`.
type Length = length::Length<1, { 90 * 24 * 60 }, true>;

const LENGTH: &str = "30m, 24h or 7d (at most 90d)";

/// A length of time for which a restored database may stay.
struct Keep(SignedDuration);

impl FromStr for Keep {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let length::Length(time) = text.parse::<Length>()?;
        (time <= LONGEST_KEEP).then_some(Keep(time)).ok_or(())
    }
}

/// The name of a task definition's family, without a revision: a check is always the newest one.
fn is_family(text: &str) -> bool {
    text.len() <= 255 && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
}

/// RDS takes letters, digits, dots, underscores, hyphens and spaces; a tag cannot hold a space inside of an option.
fn is_subnet_group(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
}

fn is_security_group(text: &str) -> bool {
    let id = text.strip_prefix("sg-").unwrap_or_default();
    !id.is_empty() && id.len() <= 17 && id.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
}

fn is_class(text: &str) -> bool {
    let sound = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '.' || it == '-';
    text.strip_prefix("db.").is_some_and(|it| it.contains('.') || it == "serverless") && text.chars().all(sound)
}

impl FromStr for DrillRule {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::DRILL, value)?;
        let every = Every::take(&mut tag)?;
        let rto = tag.parsed::<Length>("rto", LENGTH)?.map(|it| it.0);
        let rpo = tag.parsed::<Length>("rpo", LENGTH)?.map(|it| it.0);
        let family = tag.option("check");
        if let Some(bad) = family.filter(|it| !is_family(it)) {
            return Err(tag.bad_option("check", bad, "FAMILY, the family of a task definition"));
        }
        let service = tag.parsed::<ServiceName>("service", "CLUSTER/SERVICE")?;
        let class = tag.option("class");
        if let Some(bad) = class.filter(|it| !is_class(it)) {
            return Err(tag.bad_option("class", bad, "a class of RDS such as db.t4g.micro"));
        }
        let from =
            tag.parsed::<Origin>("from", "automated or latest (without it: the newest snapshot of Nightshift)")?;
        let keep = tag.parsed::<Keep>("keep", "2h (at most 18h)")?.map(|it| it.0);
        let region = tag.parsed::<Region>("region", "a region such as us-west-2")?;
        if let (Some(_), Some(_)) = (&region, from) {
            let help = "only one of them: with region= the newest copy in that region is restored";
            return Err(tag.bad("the option 'from' with the option 'region'", help));
        }
        let subnet_group = tag.option("subnet-group");
        if let Some(bad) = subnet_group.filter(|it| !is_subnet_group(it)) {
            return Err(tag.bad_option("subnet-group", bad, "the name of a DB subnet group"));
        }
        let security_groups: Vec<String> =
            tag.option("security-groups").into_iter().flat_map(|it| it.split('+')).map(str::to_owned).collect();
        if let Some(bad) = security_groups.iter().find(|it| !is_security_group(it)) {
            return Err(tag.bad_option(
                "security-groups",
                bad,
                "ids of security groups, joined by +: sg-0a1b2c3d+sg-4e5f6a7b",
            ));
        }
        let check = match (family, service) {
            (Some(family), Some(service)) => Some(Check { family: family.to_owned(), service }),
            (None, None) => None,
            (Some(_), None) => {
                let help = "service=CLUSTER/SERVICE, in whose cluster and network the check runs";
                return Err(tag.bad("no option 'service' with the option 'check'", help));
            }
            (None, Some(_)) => {
                let help = "check=FAMILY, the task definition that is run there, or neither of them";
                return Err(tag.bad("no option 'check' with the option 'service'", help));
            }
        };
        let rule = DrillRule {
            every,
            rto,
            rpo,
            check,
            class: class.map(str::to_owned),
            from: from.unwrap_or_default(),
            keep,
            region,
            subnet_group: subnet_group.map(str::to_owned),
            security_groups,
        };
        tag.finish().map(|()| rule)
    }
}

impl fmt::Display for DrillRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.every)?;
        self.rto.iter().try_for_each(|it| write!(f, " rto={}", in_minutes(*it)))?;
        self.rpo.iter().try_for_each(|it| write!(f, " rpo={}", in_minutes(*it)))?;
        self.check.iter().try_for_each(|it| write!(f, " check={} service={}", it.family, it.service))?;
        self.class.iter().try_for_each(|it| write!(f, " class={it}"))?;
        let from = Origin::ALL.iter().find(|(it, _)| *it == self.from);
        from.iter().try_for_each(|(_, word)| write!(f, " from={word}"))?;
        self.keep.iter().try_for_each(|it| write!(f, " keep={}", in_minutes(*it)))?;
        self.region.iter().try_for_each(|it| write!(f, " region={it}"))?;
        self.subnet_group.iter().try_for_each(|it| write!(f, " subnet-group={it}"))?;
        match self.security_groups.is_empty() {
            true => Ok(()),
            false => write!(f, " security-groups={}", self.security_groups.join("+")),
        }
    }
}

#[cfg(test)]
mod tests;
