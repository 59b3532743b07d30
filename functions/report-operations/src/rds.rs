//! Calls to RDS that only this function makes.

use aws::Error;
use aws::query::{Element, Query};
use aws::rds::read_entries;
use tokio::time::Instant;

use crate::plan::world::{Database, Lifecycle, Pending};

/// The most entries that RDS puts into one page.
const PAGE: usize = 100;

/// The DB instances of the region, members of clusters among them.
pub async fn databases(rds: &Query, until: Instant) -> Result<Vec<Database>, Error> {
    let action = rds.action("DescribeDBInstances").field("MaxRecords", PAGE);
    let read = |it: &mut Element<'_, '_>| {
        let mut database = Database::default();
        it.each(|name, it| match name {
            "DBInstanceIdentifier" => database.name = it.text(),
            "DBInstanceClass" => database.class = it.text(),
            "Engine" => database.engine = it.text(),
            "EngineVersion" => database.version = it.text(),
            "LicenseModel" => database.license = it.text(),
            "MultiAZ" => database.multi_az = it.text() == "true",
            "DBClusterIdentifier" => database.cluster = Some(it.text()).filter(|it| !it.is_empty()),
            _ => {}
        });
        Some(database)
    };
    read_entries(action, "DBInstances", "all", Some(until), read).await
}

/// What AWS will do to databases of the region.
pub async fn pending(rds: &Query, until: Instant) -> Result<Vec<Pending>, Error> {
    let action = rds.action("DescribePendingMaintenanceActions").field("MaxRecords", PAGE);
    let read = |it: &mut Element<'_, '_>| {
        let (mut arn, mut actions) = (String::new(), Vec::new());
        it.each(|name, it| match name {
            "ResourceIdentifier" => arn = it.text(),
            "PendingMaintenanceActionDetails" => it.each(|_, it| {
                let mut pending = Pending::default();
                it.each(|name, it| match name {
                    "Action" => pending.action = it.text(),
                    "Description" => pending.description = it.text(),
                    "ForcedApplyDate" => pending.forced = it.text().parse().ok(),
                    "AutoAppliedAfterDate" => pending.automatic = it.text().parse().ok(),
                    "CurrentApplyDate" => pending.current = it.text().parse().ok(),
                    _ => {}
                });
                actions.push(pending);
            }),
            _ => {}
        });
        Some(actions.into_iter().map(|it| Pending { arn: arn.clone(), ..it }).collect::<Vec<_>>())
    };
    let pending = read_entries(action, "PendingMaintenanceActions", "all", Some(until), read).await?;
    Ok(pending.into_iter().flatten().collect())
}

/// Until when AWS supports each major version of the engines that it tells that of.
pub async fn lifecycles(rds: &Query, until: Instant) -> Result<Vec<Lifecycle>, Error> {
    let action = rds.action("DescribeDBMajorEngineVersions").field("MaxRecords", PAGE);
    let read = |it: &mut Element<'_, '_>| {
        let mut lifecycle = Lifecycle::default();
        it.each(|name, it| match name {
            "Engine" => lifecycle.engine = it.text(),
            "MajorEngineVersion" => lifecycle.major = it.text(),
            "SupportedEngineLifecycles" => it.each(|_, it| {
                let (mut support, mut end) = (String::new(), String::new());
                it.each(|name, it| match name {
                    "LifecycleSupportName" => support = it.text(),
                    "LifecycleSupportEndDate" => end = it.text(),
                    _ => {}
                });
                match support.as_str() {
                    "open-source-rds-standard-support" => lifecycle.standard = end.parse().ok(),
                    "open-source-rds-extended-support" => lifecycle.extended = end.parse().ok(),
                    _ => {}
                }
            }),
            _ => {}
        });
        Some(lifecycle)
    };
    read_entries(action, "DBMajorEngineVersions", "all", Some(until), read).await
}
