//! What the hours that did not run would have cost, by the price list of AWS, on demand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::usage::Slept;
use super::world::Database;

/// How many kinds of databases are priced: a call for each.
const MOST_KINDS: usize = 20;

/// What a task has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Task {
    pub cpus: f64,
    pub gigabytes: f64,
    pub arm: bool,
}

/// What is looked up in the price list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Product {
    pub service: &'static str,
    pub filters: Vec<(&'static str, String)>,
}

/// A price of one hour.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// `APN2-Fargate-vCPU-Hours:perCPU`.
    pub usage: String,
    pub usd: f64,
}

/// All that is needed to say what hours would have cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prices {
    /// What a task of each service has, as far as AWS bills it by the task.
    pub tasks: BTreeMap<String, Task>,
    /// The rates that were found, by product.
    pub rates: BTreeMap<Product, Vec<Rate>>,
}

/// What the hours would have cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    pub usd: f64,
    /// How many of what slept have no price.
    pub unpriced: usize,
}

/// The product that all sizes of tasks are found in.
pub fn fargate(region: &str) -> Product {
    Product { service: "AmazonECS", filters: vec![("regionCode", region.into())] }
}

/// The product of a database; nothing for engines whose licence has a price of its own.
pub fn instance(database: &Database, region: &str) -> Option<Product> {
    let engine = match database.engine.as_str() {
        "postgres" => "PostgreSQL",
        "mysql" => "MySQL",
        "mariadb" => "MariaDB",
        _ => return None,
    };
    let deployment = if database.multi_az { "Multi-AZ" } else { "Single-AZ" };
    let filters = vec![
        ("regionCode", region.to_owned()),
        ("instanceType", database.class.clone()),
        ("databaseEngine", engine.into()),
        ("deploymentOption", deployment.into()),
        ("productFamily", "Database Instance".into()),
    ];
    Some(Product { service: "AmazonRDS", filters })
}

/// What has to be looked up for what slept.
pub fn wanted(slept: &[Slept], databases: &[Database], region: &str) -> BTreeSet<Product> {
    let tasks = slept.iter().any(|it| !it.database).then(|| fargate(region));
    let named = |slept: &Slept| databases.iter().find(|it| slept.database && it.name == slept.name);
    let kinds: BTreeSet<Product> = slept.iter().filter_map(named).filter_map(|it| instance(it, region)).collect();
    tasks.into_iter().chain(kinds.into_iter().take(MOST_KINDS)).collect()
}

impl Prices {
    /// What `slept` would have cost; without any price nothing.
    pub fn cost(&self, slept: &[Slept], databases: &[Database], region: &str) -> Option<Cost> {
        let mut cost = Cost::default();
        for it in slept {
            let hourly = match it.database {
                true => databases.iter().find(|database| database.name == it.name).and_then(|database| {
                    only(self.rates.get(&instance(database, region)?)?, |it| !it.contains("IOOptimized"))
                }),
                false => self.tasks.get(&it.name).and_then(|task| self.task(task, region)),
            };
            match hourly {
                Some(usd) => cost.usd += usd * it.hours,
                None => cost.unpriced += 1,
            }
        }
        (cost.unpriced < slept.len()).then_some(cost)
    }

    fn task(&self, task: &Task, region: &str) -> Option<f64> {
        let rates = self.rates.get(&fargate(region))?;
        let ends = if task.arm {
            ["Fargate-ARM-vCPU-Hours:perCPU", "Fargate-ARM-GB-Hours"]
        } else {
            ["Fargate-vCPU-Hours:perCPU", "Fargate-GB-Hours"]
        };
        // Spot and Windows have the same endings behind other words.
        let plain = |usage: &str, end: &str| {
            usage == end
                || usage
                    .strip_suffix(end)
                    .is_some_and(|it| it.ends_with('-') && !it.contains("Spot") && !it.contains("Windows"))
        };
        let [cpu, memory] = ends.map(|end| only(rates, |usage| plain(usage, end)));
        Some(cpu? * task.cpus + memory? * task.gigabytes)
    }
}

/// The one price of what fits. Where two differ, neither is known to be the right one.
fn only(rates: &[Rate], fits: impl Fn(&str) -> bool) -> Option<f64> {
    let mut found = rates.iter().filter(|it| fits(&it.usage)).map(|it| it.usd);
    let first = found.next()?;
    found.all(|it| it == first).then_some(first)
}

impl Rate {
    /// The prices of an hour on demand of a product of the price list; what costs nothing is left out.
    pub fn all(product: &Value) -> Vec<Rate> {
        let usage = product["product"]["attributes"]["usagetype"].as_str().unwrap_or_default();
        let terms = product["terms"]["OnDemand"].as_object().into_iter().flat_map(|it| it.values());
        let dimensions = terms.flat_map(|it| it["priceDimensions"].as_object().into_iter().flat_map(|it| it.values()));
        let hourly = dimensions.filter(|it| {
            it["unit"].as_str().is_some_and(|it| matches!(it.to_ascii_lowercase().as_str(), "hrs" | "hours" | "hour"))
                || usage.contains("Fargate")
        });
        let usd = hourly.filter_map(|it| it["pricePerUnit"]["USD"].as_str()?.parse::<f64>().ok());
        usd.filter(|it| *it > 0.0).map(|usd| Rate { usage: usage.into(), usd }).collect()
    }
}

/// A number that AWS writes as a text.
pub fn number(value: &Value) -> Option<f64> {
    value.as_str()?.parse().ok()
}
