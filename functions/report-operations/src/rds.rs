//! Calls to RDS, through its Query API: its SDK crate is the largest of all, and three listings are needed of it.

use aws::Error;
use aws::query::{Action, Element, Query, read};
use tokio::time::Instant;

use crate::plan::world::{Database, Lifecycle, Pending};

/// How many pages are read of a listing.
const MOST_PAGES: usize = 20;

/// The DB instances of the region, members of clusters among them.
pub async fn databases(rds: &Query, until: Instant) -> Result<Vec<Database>, Error> {
    let action = || rds.action("DescribeDBInstances");
    listed("DescribeDBInstances", action, until, "DBInstance", |it, found| {
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
        found.push(database);
    })
    .await
}

/// What AWS will do to databases of the region.
pub async fn pending(rds: &Query, until: Instant) -> Result<Vec<Pending>, Error> {
    let action = || rds.action("DescribePendingMaintenanceActions");
    let item = "ResourcePendingMaintenanceActions";
    listed("DescribePendingMaintenanceActions", action, until, item, |it, found| {
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
        found.extend(actions.into_iter().map(|it| Pending { arn: arn.clone(), ..it }));
    })
    .await
}

/// Until when AWS supports each major version of the engines that it tells that of.
pub async fn lifecycles(rds: &Query, until: Instant) -> Result<Vec<Lifecycle>, Error> {
    let action = || rds.action("DescribeDBMajorEngineVersions");
    listed("DescribeDBMajorEngineVersions", action, until, "DBMajorEngineVersion", |it, found| {
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
        found.push(lifecycle);
    })
    .await
}

/// Everything that `item` names in all pages of a listing.
async fn listed<'a, T>(
    operation: &'static str,
    action: impl Fn() -> Action<'a>,
    until: Instant,
    item: &str,
    visit: impl Fn(&mut Element<'_, '_>, &mut Vec<T>),
) -> Result<Vec<T>, Error> {
    let (mut found, mut marker) = (Vec::new(), None::<String>);
    for _ in 0..MOST_PAGES {
        let answer =
            action().field("MaxRecords", 100).maybe("Marker", marker.take()).perform("all", Some(until)).await?;
        read(&answer, |_, it| collect(it, item, &visit, &mut found, &mut marker))
            .map_err(|why| Error::unexpected(operation, "all", format!("the answer is not XML: {why}")))?;
        if marker.is_none() {
            break;
        }
    }
    Ok(found)
}

fn collect<T>(
    element: &mut Element<'_, '_>,
    item: &str,
    visit: &impl Fn(&mut Element<'_, '_>, &mut Vec<T>),
    found: &mut Vec<T>,
    marker: &mut Option<String>,
) {
    element.each(|name, it| match name {
        _ if name == item => visit(it, found),
        "Marker" => *marker = Some(it.text()).filter(|it| !it.is_empty()),
        _ => collect(it, item, visit, found, marker),
    });
}
