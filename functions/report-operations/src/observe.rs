//! Asks the other functions for their dry runs, and CloudWatch for what it measured. What cannot be read is said where
//! it is missing, and hides nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::{Error, each};
use board::{Board, DryRun, Section};
use reconcile::Routine;
use runtime::Run;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::plan::scope::Period;
use crate::plan::usage::Query;
use crate::plan::{self, Seen};
use crate::{Clients, cloudwatch, lambda};

/// All functions are asked at once: a board waits for the slowest of them.
const AT_ONCE: usize = 8;

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
    let measured =
        |queries: &'static [Query]| within(until, cloudwatch::measured(&clients.cloudwatch, queries, window));
    let (runs, firing, usage, routine) = tokio::join!(
        runs(clients, &functions, until, run),
        within(until, cloudwatch::firing(&clients.cloudwatch)),
        measured(period.queries()),
        routine(clients, period, until, run),
    );
    let board = Board { runs, firing: Some(firing), ..Board::default() };
    Seen { board, usage, routine, window }
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
    within(until, lambda::dry_run(&clients.lambda, &name, command)).await
}

async fn within<T>(until: Instant, call: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
    match timeout_at(until, call).await {
        Ok(answer) => answer.map_err(|err| err.to_string()),
        Err(_) => Err("it did not answer in time".into()),
    }
}
