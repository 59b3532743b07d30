//! RDS in several regions.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use rules::retention;

use super::Rds;
use crate::Error;

/// RDS in the region of the function, and in those that snapshots are copied to.
pub struct Regions {
    /// The region of the function.
    pub here: Rds,
    config: SdkConfig,
}

impl Regions {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Regions { here: Rds::new(config, None), config: config.clone() }
    }

    /// The name of the region of the function.
    pub fn region(&self) -> String {
        self.config.region().map(|it| it.to_string()).unwrap_or_default()
    }

    /// The URL of a call to RDS in `region`, with its signature, to be handed on in a call to another region.
    pub async fn presigned(
        &self,
        region: &str,
        action: &'static str,
        fields: &[(&str, &str)],
    ) -> Result<String, Error> {
        crate::presign::rds_url(&self.config, region, action, fields).await
    }

    /// The clients of other regions; made as they are needed, since each costs connections of its own.
    pub fn elsewhere<'a>(&self, regions: impl IntoIterator<Item = &'a retention::Region>) -> Elsewhere {
        regions.into_iter().map(|it| (it.clone(), Rds::new(&self.config, Some(it.name())))).collect()
    }
}

/// RDS in other regions.
pub type Elsewhere = BTreeMap<retention::Region, Rds>;
