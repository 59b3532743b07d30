//! Asks the other functions for their dry runs, and CloudWatch for what it measured. What cannot be read is said where
//! it is missing, and hides nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::lambda::ask_for_dry_run;
use aws::{Error, each};
use board::{Board, DryRun, Section};
use jiff::Timestamp;
use reconcile::Routine;
use rules::ServiceName;
use rules::partition::Partition;
use runtime::Run;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::plan::history::{self, Deployed};
use crate::plan::next::Stack;
use crate::plan::price::{self, Prices, Product};
use crate::plan::scope::Period;
use crate::plan::usage::{Query, Slept};
use crate::plan::world::Database;
use crate::plan::{self, Read, Scanned, Seen, Weekly};
use crate::{Clients, cloudwatch, ecr, ecs, logs, pricing, rds};

/// All functions are asked at once: a board waits for the slowest of them.
const AT_ONCE: usize = 12;

/// How long a person waits for a board: what has not answered by then is said to be missing.
const BOARD_WITHIN: Duration = Duration::from_secs(25);

/// What is drawn, for these parts of the board.
pub async fn board(clients: &Clients, sections: &[Section], run: &Run<'_>) -> Board {
    let until = run.last_start.min(Instant::now() + BOARD_WITHIN);
    let (alarms, money) = (sections.contains(&Section::Alarms), sections.contains(&Section::Money));
    let firing = async {
        match alarms {
            true => Some(within(until, cloudwatch::firing(&clients.cloudwatch)).await),
            false => None,
        }
    };
    let window = Period::Week.window(&run.now);
    let usage = async {
        match money {
            true => Some(within(until, cloudwatch::measured(&clients.cloudwatch, &Query::OF_MONEY, window)).await),
            false => None,
        }
    };
    let functions = plan::functions(sections);
    let (runs, firing, usage) = tokio::join!(runs(clients, &functions, until, run), firing, usage);
    let mut board = Board { runs, firing, ..Board::default() };
    if let Some(usage) = usage {
        board.spent = Some(usage.as_ref().map(|it| it.spent(&run.now)).map_err(Clone::clone));
        board.saved = Some(usage.map(|it| it.saved(&board, window)));
    }
    board
}

/// What a report of that time is made of.
pub async fn period(clients: &Clients, period: Period, run: &Run<'_>) -> Seen {
    let (until, window) = (run.last_start, period.window(&run.now));
    let functions = plan::functions(&Section::ALL.map(|(_, it)| it));
    let measured = within(until, cloudwatch::measured(&clients.cloudwatch, period.queries(), window));
    let (week, month) = (period == Period::Week, period == Period::Month);
    // Boxed: together these futures are too large for the stack of a debug build.
    let databases = async { when(week || month, until, rds::databases(&clients.rds, until)).await };
    let pending = async { when(week, until, rds::pending(&clients.rds, until)).await };
    let lifecycles = async { when(week, until, rds::lifecycles(&clients.rds, until)).await };
    let two_weeks = Period::two_weeks(window);
    let sizes =
        async { when(week, until, cloudwatch::measured(&clients.cloudwatch, &Query::OF_SIZE, two_weeks)).await };
    let (runs, firing, usage, routine, errors, databases, pending, lifecycles, sizes) = tokio::join!(
        Box::pin(runs(clients, &functions, until, run)),
        Box::pin(within(until, cloudwatch::firing(&clients.cloudwatch))),
        Box::pin(measured),
        Box::pin(routine(clients, period, until, run)),
        Box::pin(async { when(period == Period::Day, until, errors(clients, window)).await }),
        Box::pin(databases),
        Box::pin(pending),
        Box::pin(lifecycles),
        Box::pin(sizes),
    );
    let board = Board { runs, firing: Some(firing), ..Board::default() };
    let slept = usage.as_ref().map(|it| it.slept(&board, window)).unwrap_or_default();
    let known = databases.as_ref().and_then(|it| it.as_ref().ok()).map(Vec::as_slice).unwrap_or_default();
    let prices = async {
        match (week || month) && !slept.is_empty() {
            true => Some(prices(clients, &slept, known, until, run).await),
            false => None,
        }
    };
    let findings = async {
        match week {
            true => Some(findings(clients, &board, until).await),
            false => None,
        }
    };
    let deployed = async {
        match week {
            true => Some(deployed(clients, &board, window, until, run).await),
            false => None,
        }
    };
    let (prices, findings, deployed) = tokio::join!(Box::pin(prices), Box::pin(findings), Box::pin(deployed));
    let weekly = Weekly { sizes, databases, pending, lifecycles, findings, deployed };
    let stack = Stack {
        region: run.region().to_owned(),
        console: Partition::of_region(run.region()).console,
        prefix: run.sibling("").unwrap_or_default(),
    };
    Seen { board, usage, routine, errors, weekly, prices, slo: run.slo(), window, stack }
}

/// What was read, where the report tells it.
async fn when<T>(is_told: bool, until: Instant, call: impl Future<Output = Result<T, Error>>) -> Read<T> {
    if is_told { Some(within(until, call).await) } else { None }
}

/// How many errors each log had, as far as metric filters count them.
async fn errors(clients: &Clients, window: (Timestamp, Timestamp)) -> Result<Vec<(String, f64)>, Error> {
    let mut filters = logs::error_filters(&clients.logs).await?;
    filters.sort();
    filters.truncate(plan::errors::MOST);
    if filters.is_empty() {
        return Ok(Vec::new());
    }
    cloudwatch::counted(&clients.cloudwatch, &filters, window).await
}

async fn findings(clients: &Clients, board: &Board, until: Instant) -> Vec<Scanned> {
    each(plan::findings::running(board), AT_ONCE, async |image| {
        let found = within(until, ecr::findings(&clients.ecr, &image)).await;
        (image, found)
    })
    .await
}

/// What was deployed, and when the images of that were pushed.
async fn deployed(
    clients: &Clients,
    board: &Board,
    window: (Timestamp, Timestamp),
    until: Instant,
    run: &Run<'_>,
) -> Deployed {
    let services = each(history::services(board), AT_ONCE, async |service| {
        let found = within(until, ecs::deployments(&clients.ecs, &service, history::since(window))).await;
        (service.to_string(), found)
    });
    let mut deployed = Deployed { services: services.await, ..Deployed::default() };
    // A repository of another account or region answers only to those whom it knows.
    let own = run.account().map(|(_, account)| format!("{account}.dkr.ecr.{}.", run.region()));
    let images = deployed.images(window).into_iter().filter_map(|(name, digests)| {
        let (registry, repository) = name.split_once('/')?;
        let is_own = own.as_ref().is_some_and(|own| registry.starts_with(own.as_str()));
        is_own.then(|| (repository.to_owned(), digests.into_iter().collect()))
    });
    let images: Vec<(String, Vec<String>)> = images.collect();
    let pushed = each(images, AT_ONCE, async |(repository, digests)| {
        within(until, ecr::pushed(&clients.ecr, &repository, &digests)).await
    });
    for answer in pushed.await {
        match answer {
            Ok(found) => deployed.pushed.extend(found),
            Err(why) => deployed.unread = Some(why),
        }
    }
    deployed
}

/// What the hours that slept are priced with. What has no price is counted, but a price list that is not read is told.
async fn prices(
    clients: &Clients,
    slept: &[Slept],
    databases: &[Database],
    until: Instant,
    run: &Run<'_>,
) -> Result<Prices, String> {
    let services: Vec<ServiceName> =
        slept.iter().filter(|it| !it.database).filter_map(|it| it.name.parse().ok()).collect();
    let tasks = each(services, AT_ONCE, async |service| {
        let task = within(until, ecs::task(&clients.ecs, &service)).await;
        task.map(|it| it.map(|it| (service.to_string(), it)))
    });
    let wanted: Vec<Product> = price::wanted(slept, databases, run.region()).into_iter().collect();
    let rates = each(wanted, AT_ONCE, async |product| {
        let rates = within(until, pricing::rates(&clients.pricing, &product)).await;
        rates.map(|it| (product, it))
    });
    let (tasks, rates) = tokio::join!(tasks, rates);
    let tasks = tasks.into_iter().filter_map(Result::transpose).collect::<Result<_, _>>()?;
    Ok(Prices { tasks, rates: rates.into_iter().collect::<Result<_, _>>()? })
}

/// The dry runs of these functions.
async fn runs(
    clients: &Clients,
    functions: &[&'static str],
    until: Instant,
    run: &Run<'_>,
) -> BTreeMap<String, Result<DryRun, String>> {
    let asked = each(functions.to_vec(), AT_ONCE, async |function| {
        let answer = ask(clients, function, json!({}), until, run).await;
        (function.to_owned(), answer.and_then(|it| DryRun::read(&it)))
    });
    asked.await.into_iter().collect()
}

/// What happened in the last day as it does every day: `scale-staging` tells it from what is remembered on the
/// resources. Where each such thing is a message of its own, or none is told, there is nothing to add.
async fn routine(
    clients: &Clients,
    period: Period,
    until: Instant,
    run: &Run<'_>,
) -> Option<Result<Vec<String>, String>> {
    if period != Period::Day || run.routine() != Routine::Daily {
        return None;
    }
    let answer = ask(clients, "scale-staging", json!({"report": "day"}), until, run).await;
    Some(answer.map(|it| {
        let lines = it["skipped"].as_array().into_iter().flatten();
        lines.filter_map(|it| it["reason"].as_str().map(str::to_owned)).collect()
    }))
}

async fn ask(
    clients: &Clients,
    function: &str,
    command: Value,
    until: Instant,
    run: &Run<'_>,
) -> Result<Value, String> {
    let name = run.sibling(function).ok_or("outside of a stack there is no such function")?;
    within(until, ask_for_dry_run(&clients.lambda, &name, command)).await
}

async fn within<T>(until: Instant, call: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
    match timeout_at(until, call).await {
        Ok(answer) => answer.map_err(|err| err.to_string()),
        Err(_) => Err("it did not answer in time".into()),
    }
}
