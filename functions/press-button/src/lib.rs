#![doc = include_str!("../README.md")]

mod apply;
mod observe;
mod plan;
mod request;

use std::cell::RefCell;

use aws::Error;
use aws::lambda::Lambda;
use aws_config::SdkConfig;
use reconcile::Report;
use runtime::Run;

pub use request::Request;

/// The clients of the services that this function calls.
pub struct Clients {
    lambda: Lambda,
}

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Clients { lambda: Lambda::new(config) }
    }
}

/// One run: asks the function of the button what it offers now, and sends it what the button means, if that is there.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    let offers = match &request.0 {
        Some(pressed) => Some(observe::offers(clients, pressed.button, run).await?),
        None => None,
    };
    let plan = plan::plan(request.0.as_ref(), offers.as_ref(), &run.now);
    let answers = RefCell::new(Vec::new());
    let report = run
        .apply(
            plan,
            async |press| apply::press(clients, press, &answers, run).await,
            // Of a message nothing is remembered, so nothing is told twice.
            async |_| Ok(()),
        )
        .await;
    Ok(Report { answers: answers.into_inner(), ..report })
}
