//! What CloudWatch measured: which metrics are asked for, and what they come to.
//!
//! Each query is a search, so that nothing has to be listed first: it finds every resource of the region that has had
//! the metric within two weeks.

use std::collections::BTreeMap;

use board::{Board, Saved};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, Zoned};
use rules::facts::{Fact, Sleep};

/// Moments with values, in their order.
pub type Series = Vec<(Timestamp, f64)>;

/// What was measured, by query and by the name of the resource.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage(pub BTreeMap<Query, BTreeMap<String, Series>>);

/// What CloudWatch is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Query {
    /// Percent, by `CLUSTER/SERVICE`.
    ServiceCpu,
    ServiceMemory,
    /// How many samples of its CPU there were: a task sends one each minute, and what has no task sends none.
    ServiceSamples,
    /// Percent, by the identifier of the instance.
    DatabaseCpu,
    DatabaseSamples,
    /// Bytes.
    DatabaseStorage,
    DatabaseConnections,
    /// By load balancer.
    Requests,
    TargetErrors,
    BalancerErrors,
    /// Days, by the ARN of the certificate.
    CertificateDays,
    /// Percent of the limit, by budget.
    BudgetSpent,
}

impl Query {
    pub const OF_MONEY: [Query; 3] = [Query::ServiceSamples, Query::DatabaseSamples, Query::BudgetSpent];

    /// What is looked at for longer than a week, since a size is chosen for the busiest day of a month.
    pub const OF_SIZE: [Query; 3] = [Query::ServiceCpu, Query::ServiceMemory, Query::DatabaseCpu];

    pub const OF_DAY: [Query; 9] = [
        Query::ServiceCpu,
        Query::ServiceMemory,
        Query::DatabaseCpu,
        Query::DatabaseStorage,
        Query::DatabaseConnections,
        Query::Requests,
        Query::TargetErrors,
        Query::BalancerErrors,
        Query::CertificateDays,
    ];

    pub const OF_WEEK: [Query; 11] = [
        Query::ServiceCpu,
        Query::ServiceMemory,
        Query::ServiceSamples,
        Query::DatabaseCpu,
        Query::DatabaseSamples,
        Query::DatabaseStorage,
        Query::Requests,
        Query::TargetErrors,
        Query::BalancerErrors,
        Query::CertificateDays,
        Query::BudgetSpent,
    ];

    pub const OF_MONTH: [Query; 7] = [
        Query::ServiceSamples,
        Query::DatabaseSamples,
        Query::DatabaseStorage,
        Query::Requests,
        Query::TargetErrors,
        Query::BalancerErrors,
        Query::BudgetSpent,
    ];

    /// Its name within one request.
    pub fn id(self) -> &'static str {
        match self {
            Query::ServiceCpu => "service_cpu",
            Query::ServiceMemory => "service_memory",
            Query::ServiceSamples => "service_samples",
            Query::DatabaseCpu => "database_cpu",
            Query::DatabaseSamples => "database_samples",
            Query::DatabaseStorage => "database_storage",
            Query::DatabaseConnections => "database_connections",
            Query::Requests => "requests",
            Query::TargetErrors => "target_errors",
            Query::BalancerErrors => "balancer_errors",
            Query::CertificateDays => "certificate_days",
            Query::BudgetSpent => "budget_spent",
        }
    }

    /// The search: what stands in braces is the namespace and the exact dimensions.
    pub fn expression(self) -> String {
        let service = "{AWS/ECS,ClusterName,ServiceName}";
        let database = "{AWS/RDS,DBInstanceIdentifier}";
        let balancer = "{AWS/ApplicationELB,LoadBalancer}";
        let (schema, metric, statistic, period) = match self {
            Query::ServiceCpu => (service, "CPUUtilization", "Maximum", 3600),
            Query::ServiceMemory => (service, "MemoryUtilization", "Maximum", 3600),
            Query::ServiceSamples => (service, "CPUUtilization", "SampleCount", 3600),
            Query::DatabaseCpu => (database, "CPUUtilization", "Maximum", 3600),
            Query::DatabaseSamples => (database, "CPUUtilization", "SampleCount", 3600),
            Query::DatabaseStorage => (database, "FreeStorageSpace", "Minimum", 3600),
            Query::DatabaseConnections => (database, "DatabaseConnections", "Maximum", 3600),
            Query::Requests => (balancer, "RequestCount", "Sum", 3600),
            Query::TargetErrors => (balancer, "HTTPCode_Target_5XX_Count", "Sum", 3600),
            Query::BalancerErrors => (balancer, "HTTPCode_ELB_5XX_Count", "Sum", 3600),
            Query::CertificateDays => ("{AWS/CertificateManager,CertificateArn}", "DaysToExpiry", "Minimum", 86_400),
            Query::BudgetSpent => ("{Nightshift,Function,Budget}", "BudgetSpentPercent", "Maximum", 86_400),
        };
        format!("SEARCH('{schema} MetricName=\"{metric}\"', '{statistic}', {period})")
    }

    /// What a series is called: its dimensions.
    pub fn label(self) -> &'static str {
        match self {
            Query::ServiceCpu | Query::ServiceMemory | Query::ServiceSamples => {
                "${PROP('Dim.ClusterName')}/${PROP('Dim.ServiceName')}"
            }
            Query::DatabaseCpu | Query::DatabaseSamples | Query::DatabaseStorage | Query::DatabaseConnections => {
                "${PROP('Dim.DBInstanceIdentifier')}"
            }
            Query::Requests | Query::TargetErrors | Query::BalancerErrors => "${PROP('Dim.LoadBalancer')}",
            Query::CertificateDays => "${PROP('Dim.CertificateArn')}",
            Query::BudgetSpent => "${PROP('Dim.Budget')}",
        }
    }
}

/// What did not run.
#[derive(Debug, Clone, PartialEq)]
pub struct Slept {
    /// `CLUSTER/SERVICE`, or the identifier of a database.
    pub name: String,
    pub database: bool,
    /// Of a service the hours of all its tasks.
    pub hours: f64,
}

const AN_HOUR: SignedDuration = SignedDuration::from_hours(1);

impl Usage {
    /// The series of a query, by the name of the resource.
    pub fn of(&self, query: Query) -> impl Iterator<Item = (&str, &Series)> {
        self.0.get(&query).into_iter().flatten().map(|(name, series)| (name.as_str(), series))
    }

    /// The sum of all values of a query; nothing where it found nothing.
    pub fn sum(&self, query: Query) -> f64 {
        // The sum of no numbers would be the negative zero.
        self.of(query).flat_map(|(_, it)| it).fold(0.0, |sum, (_, value)| sum + value)
    }

    /// How many percent of each budget were spent, by local day.
    pub fn spent(&self, now: &Zoned) -> BTreeMap<String, Vec<(Date, f64)>> {
        let day = |it: Timestamp| it.to_zoned(now.time_zone().clone()).date();
        let days = |series: &Series| series.iter().map(|(at, value)| (day(*at), *value)).collect();
        self.of(Query::BudgetSpent).map(|(name, series)| (name.to_owned(), days(series))).collect()
    }

    /// The hours in which what has a schedule ran nothing, by its samples.
    ///
    /// Only what is certain counts: an hour in which there was one sample is one that ran, and the hours before the first
    /// sample count only if it is known to have slept then, since it may not have been there.
    pub fn slept(&self, board: &Board, (from, until): (Timestamp, Timestamp)) -> Vec<Slept> {
        let sleeps = board.facts("scale-staging").filter_map(|(arn, fact)| match fact {
            // Samples of machines have other names, and what an instance has slept is not the hours of a task.
            _ if matches!(arn.split(':').nth(2), Some("ec2" | "autoscaling")) => None,
            Fact::Sleep(it) => Some(it),
            _ => None,
        });
        let slept = sleeps.map(|it| {
            let query = if it.database { Query::DatabaseSamples } else { Query::ServiceSamples };
            let series = self.0.get(&query).and_then(|all| all.get(&it.name));
            let hours = slept(it, series.map(Vec::as_slice).unwrap_or_default(), from, until) as f64;
            let tasks = if it.database { 1.0 } else { f64::from(it.tasks.unwrap_or_default().max(0)) };
            Slept { name: it.name.clone(), database: it.database, hours: hours * tasks }
        });
        slept.filter(|it| it.hours > 0.0).collect()
    }

    /// The same, added up.
    pub fn saved(&self, board: &Board, window: (Timestamp, Timestamp)) -> Saved {
        let slept = self.slept(board, window);
        let of = |database: bool| slept.iter().filter(move |it| it.database == database);
        let hours = |database: bool| of(database).fold(0.0, |sum, it| sum + it.hours);
        let days = window.1.duration_since(window.0).as_hours() / 24;
        Saved { days, task_hours: hours(false), database_hours: hours(true) }
    }
}

/// How many whole hours within the window it certainly slept.
fn slept(it: &Sleep, samples: &[(Timestamp, f64)], from: Timestamp, until: Timestamp) -> usize {
    let ran = |hour: Timestamp| samples.iter().any(|(at, count)| *at == hour && *count > 0.0);
    let first = samples.iter().find(|(_, count)| *count > 0.0).map(|(at, _)| *at);
    let mut hours = 0;
    let mut hour = from;
    while hour + AN_HOUR <= until {
        let is_known = first.is_some_and(|it| it <= hour) || it.since.is_some_and(|it| it <= hour);
        hours += usize::from(is_known && !ran(hour));
        hour += AN_HOUR;
    }
    hours
}
