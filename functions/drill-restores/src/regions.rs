//! The services of AWS in the regions that drills run in.

use std::collections::BTreeMap;

use aws::ecs::Ecs;
use aws::rds::Rds;
use aws::{Error, JsonApi, LOGS, in_region};
use aws_config::SdkConfig;
use rules::database::region_of;
use rules::retention::Region;

/// What a drill needs in its region.
pub struct Services {
    pub rds: Rds,
    pub ecs: Ecs,
    pub logs: JsonApi,
}

impl Services {
    fn new(config: &SdkConfig) -> Self {
        Services { rds: Rds::new(config, None), ecs: Ecs::retrying(config), logs: JsonApi::new(LOGS, config) }
    }
}

/// The services of the stack's region, and what those of others are made of.
pub struct Clients {
    here: Services,
    home: String,
    config: SdkConfig,
}

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        let home = config.region().map(|it| it.to_string()).unwrap_or_default();
        Clients { here: Services::new(config), home, config: config.clone() }
    }

    /// The services here and in these regions; made as they are needed, since each costs connections of its own.
    pub fn with<'a>(&self, regions: impl IntoIterator<Item = &'a Region>) -> Regions<'_> {
        let there = regions.into_iter().map(|it| it.name()).filter(|it| *it != self.home);
        let there = there.map(|it| (it.to_owned(), Services::new(&in_region(&self.config, it))));
        Regions { home: &self.home, here: &self.here, there: there.collect() }
    }
}

/// The services of all regions of a run.
pub struct Regions<'a> {
    pub home: &'a str,
    pub here: &'a Services,
    there: BTreeMap<String, Services>,
}

impl Regions<'_> {
    /// The services of another region than the stack's.
    pub fn elsewhere(&self) -> impl Iterator<Item = (&str, &Services)> {
        self.there.iter().map(|(name, it)| (name.as_str(), it))
    }

    /// The services of this region.
    pub fn named(&self, region: &str) -> Result<&Services, Error> {
        match region == self.home {
            true => Ok(self.here),
            false => {
                let unknown = || Error::unexpected("none", region, "it is not among the stack's CopyRegions");
                self.there.get(region).ok_or_else(unknown)
            }
        }
    }

    /// The services of the region of this resource.
    pub fn of(&self, arn: &str) -> Result<&Services, Error> {
        self.named(region_of(arn).unwrap_or(self.home))
    }
}
