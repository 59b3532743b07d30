//! The Lambda around a function: clock, environment, clients, log, metrics and messages.
//!
//! The only crate that reads the clock or the environment. [`run()`] is a function's whole `main`.

mod answer;
#[cfg(test)]
mod bad_input;
mod event;
pub mod https;
mod log;
mod metrics;
mod request;
mod run;
mod sdk;
mod settings;
mod sns;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use aws::{Late, late};
use aws_config::SdkConfig;
use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};
use reconcile::{Refused, Report, Skipped};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

pub use event::{BusEvent, Event, Notification, Widget};
pub use lambda_runtime::{Diagnostic, Error};
pub use request::{Argument, Reading, Request, no_such_command, not_for_us};
pub use run::Run;
pub use settings::CopiedBuckets;

use answer::Answer;
use event::{Incoming, Misread};
use settings::{BadSetting, Settings};

/// musl's own allocator asks the kernel for each larger piece: 160 times in a cold start, at a microsecond or two each.
#[cfg(target_env = "musl")]
#[global_allocator]
static MEMORY: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// The event in a payload, as [`run()`] would hand it to a [`Request`]; the error says what is wrong with it.
pub fn event(payload: Value) -> Result<Event, String> {
    Incoming::read(payload).map(|it| it.event).map_err(|(Misread::Command(why) | Misread::Event(why))| why)
}

/// Runs a function for as long as Lambda feeds it events.
///
/// `function` is the name of its folder, `clients` makes its SDK clients once, `handle` is one run.
pub fn run<C, R, H>(function: &'static str, clients: impl FnOnce(&SdkConfig) -> C, handle: H) -> Result<(), Error>
where
    R: Request,
    H: AsyncFn(&C, R, &Run<'_>) -> Result<Report, aws::Error>,
{
    executor()?.block_on(feed(function, clients, handle))
}

/// What polls the calls: one thread, and at most two that look up names, since each costs as much as half a call. All
/// services that a sweep calls at once would have one of their own otherwise.
fn executor() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().thread_name("names").max_blocking_threads(2).build()
}

async fn feed<C, R, H>(function: &'static str, clients: impl FnOnce(&SdkConfig) -> C, handle: H) -> Result<(), Error>
where
    R: Request,
    H: AsyncFn(&C, R, &Run<'_>) -> Result<Report, aws::Error>,
{
    let variables = environment();
    log::start(function, &variables);
    let complain =
        |error: &BadSetting| tracing::error!(function, reason = %error, "the environment cannot be understood");
    let settings = Settings::read(&variables).inspect_err(complain)?;
    let sdk = sdk::config(&variables).inspect_err(complain)?;
    let clients = clients(&sdk);
    let lambda = Lambda { function, settings, sns: late(&sdk, aws_sdk_sns::Client::new), told: Default::default() };
    let (lambda, clients, handle) = (&lambda, &clients, &handle);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let remaining = remaining(event.context.deadline(), wall_clock());
        // Boxed, since the futures of SDK calls otherwise nest deeper than the compiler follows.
        let reader = answer::reader(&event.payload);
        let invocation: Pin<Box<dyn Future<Output = Result<Report, Diagnostic>>>> = Box::pin(lambda.invoke(
            event.payload,
            remaining,
            async |request, run: &Run<'_>| handle(clients, request, run).await,
        ));
        let report = invocation.await.map_err(|it| answer::error(it, reader))?;
        Ok::<_, Diagnostic>(Answer::of(report, reader))
    }))
    .await
}

/// How long the template lets a run take.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The time until `deadline`.
///
/// Lambda starts nothing whose deadline is over. Programs that play Lambda on a person's machine name one that is; a run
/// without any time would plan, put every change off and say that it went well.
fn remaining(deadline: SystemTime, now: SystemTime) -> Duration {
    deadline.duration_since(now).ok().filter(|it| !it.is_zero()).unwrap_or(TIMEOUT)
}

/// One invocation outside of Lambda: the whole function from payload to report, in an environment of `variables`.
///
/// For tests, which pass an `sdk` that answers from a script.
pub async fn invoke_once<C, R, H>(
    function: &'static str,
    sdk: &SdkConfig,
    variables: &[(&str, &str)],
    clients: impl FnOnce(&SdkConfig) -> C,
    handle: H,
    payload: Value,
) -> Result<Report, Diagnostic>
where
    R: Request,
    H: AsyncFn(&C, R, &Run<'_>) -> Result<Report, aws::Error>,
{
    let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let settings = Settings::read(&variables).map_err(|error| diagnostic("Refused", error.to_string()))?;
    let lambda = Lambda { function, settings, sns: late(sdk, aws_sdk_sns::Client::new), told: Default::default() };
    let clients = clients(sdk);
    let handle = async |request, run: &Run<'_>| handle(&clients, request, run).await;
    // Boxed, as in `run`.
    let invocation: Pin<Box<dyn Future<Output = _>>> = Box::pin(lambda.invoke(payload, TIMEOUT, handle));
    invocation.await
}

/// What a run over everything would do, outside of Lambda: nothing is changed, logged, counted or sent.
///
/// The error says in a line why it could not look. `variables` are those of the function's environment.
pub async fn dry_run<C, R, H>(
    function: &'static str,
    sdk: &SdkConfig,
    variables: &[(&str, &str)],
    clients: impl FnOnce(&SdkConfig) -> C,
    handle: H,
) -> Result<Report, String>
where
    R: Request,
    H: AsyncFn(&C, R, &Run<'_>) -> Result<Report, aws::Error>,
{
    let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let settings = Settings::read(&variables).map_err(|error| error.to_string())?;
    // Without a topic nobody is told, not even that the run failed.
    let settings = Settings { dry_run: true, topic: None, ..settings };
    let lambda = Lambda { function, settings, sns: late(sdk, aws_sdk_sns::Client::new), told: Default::default() };
    let clients = clients(sdk);
    let handle = async |request, run: &Run<'_>| handle(&clients, request, run).await;
    // Boxed, as in `run`.
    let answer: Pin<Box<dyn Future<Output = _>>> =
        Box::pin(lambda.answer(serde_json::json!({"dry_run": true}), Instant::now(), Duration::from_secs(600), handle));
    answer.await.map_err(|error| error.error_message)
}

/// The moment that it is.
pub fn now() -> Timestamp {
    Timestamp::try_from(wall_clock()).unwrap_or_default()
}

/// The longest answer. The record of a failed invocation in the failure queue takes 256 KB together with the payload.
const LONGEST_ANSWER: usize = 200_000;

/// What stays from one invocation to the next.
struct Lambda {
    function: &'static str,
    settings: Settings,
    sns: Late<aws_sdk_sns::Client>,
    told: run::Told,
}

impl Lambda {
    async fn invoke<R: Request>(
        &self,
        payload: Value,
        remaining: Duration,
        handle: impl AsyncFn(R, &Run<'_>) -> Result<Report, aws::Error>,
    ) -> Result<Report, Diagnostic> {
        let begun = Instant::now();
        let outcome = self.answer(payload, begun, remaining, handle).await;
        let report = match &outcome {
            Ok(report) => Some(report),
            Err(refused) => {
                tracing::error!(function = self.function, reason = refused.error_message, "run failed");
                None
            }
        };
        report.inspect(|it| log::report(it));
        let ended = now();
        let measures = report.map(|it| metrics::measures(self.function, it, ended)).unwrap_or_default();
        let run = metrics::line(self.function, report, begun.elapsed(), ended);
        measures.iter().chain([&run]).for_each(|line| println!("{line}"));
        // The log holds every action and problem by now.
        let outcome = outcome.map(|mut report| {
            report.fit(LONGEST_ANSWER);
            report
        });
        match outcome {
            // Lambda counts only an error as one, so a run that left something failed must end as one.
            Ok(report) if report.failed() => {
                Err(diagnostic("RunFailed", serde_json::to_string(&report).unwrap_or_default()))
            }
            other => other,
        }
    }

    async fn answer<R: Request>(
        &self,
        payload: Value,
        begun: Instant,
        remaining: Duration,
        handle: impl AsyncFn(R, &Run<'_>) -> Result<Report, aws::Error>,
    ) -> Result<Report, Diagnostic> {
        let incoming = match Incoming::read(payload) {
            Ok(incoming) => incoming,
            Err(Misread::Command(why)) => return Ok(self.refusal::<R>(why)),
            Err(Misread::Event(why)) => return Err(not_understood::<R>(self.function, why)),
        };
        let is_command = matches!(incoming.event, Event::Command { .. });
        let request = match R::read(incoming.event) {
            Ok(Reading::Work(request)) => request,
            Ok(Reading::NoWork { about, reason }) => {
                let dry_run = incoming.dry_run || self.settings.dry_run;
                let skipped = vec![Skipped { resource: about, reason }];
                return Ok(Report { dry_run, skipped, ..Report::new(self.function, self.now()) });
            }
            Err(why) if is_command => return Ok(self.refusal::<R>(why)),
            Err(why) => return Err(not_understood::<R>(self.function, why)),
        };
        let (last_start, give_up) = run::deadlines(begun, remaining);
        let run = Run {
            now: self.now(),
            dry_run: incoming.dry_run || self.settings.dry_run,
            widget: incoming.widget,
            last_start,
            give_up,
            function: self.function,
            told: &self.told,
            settings: &self.settings,
            sns: &self.sns,
        };
        match handle(request, &run).await {
            Ok(report) if matches!(report.refused, Some(Refused::Command(_))) => {
                Ok(Report { accepted: R::ACCEPTED, ..report })
            }
            Ok(report) => Ok(report),
            Err(error) => {
                run.tell_failure(&error).await;
                Err(diagnostic("CallFailed", error.to_string()))
            }
        }
    }

    /// The answer to a command that cannot be understood: its author reads it, so it is neither a failure nor a message.
    fn refusal<R: Request>(&self, why: String) -> Report {
        Report::refusing(self.function, self.now(), why, R::ACCEPTED)
    }

    fn now(&self) -> jiff::Zoned {
        self.settings.now.unwrap_or_else(now).to_zoned(self.settings.time_zone.clone())
    }
}

/// An event that this function should not have been sent: nobody reads the answer, so it must count as an error.
fn not_understood<R: Request>(function: &str, why: String) -> Diagnostic {
    let accepted = R::ACCEPTED.join(", ");
    diagnostic("Refused", format!("{function} cannot do this: {why}. Accepted: {accepted}"))
}

fn diagnostic(kind: &str, message: String) -> Diagnostic {
    Diagnostic { error_type: format!("Nightshift.{kind}"), error_message: message }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn environment() -> BTreeMap<String, String> {
    // None of our variables is anything but Unicode.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests;
