#![doc = include_str!("../README.md")]

#[cfg(test)]
mod bad_input;
mod cloudwatch;
mod ecr;
mod ecs;
mod logs;
mod observe;
mod plan;
mod pricing;
mod rds;
mod request;

use aws::lambda::Lambda;
use aws::query::{Query, RDS};
use aws::{ECR, ECS, Error, JsonApi, LOGS, Late, late};
use aws_config::SdkConfig;
use board::{Theme, View};
use reconcile::Report;
use runtime::Run;

use plan::scope::Scope;

pub use request::Request;

/// The clients of the services that this function calls.
pub struct Clients {
    cloudwatch: Late<aws_sdk_cloudwatch::Client>,
    ecr: JsonApi,
    ecs: JsonApi,
    lambda: Lambda,
    logs: JsonApi,
    pricing: JsonApi,
    rds: Query,
}

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Clients {
            cloudwatch: late(config, aws_sdk_cloudwatch::Client::new),
            ecr: JsonApi::new(ECR, config),
            ecs: JsonApi::new(ECS, config),
            lambda: Lambda::new(config),
            logs: JsonApi::new(LOGS, config),
            pricing: pricing::client(config),
            rds: Query::new(RDS, config),
        }
    }
}

/// One run: reads what the other functions would do and what CloudWatch measured, and draws or tells that.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    match request.0 {
        Scope::Describe => Ok(run.show(request::DESCRIPTION.into())),
        Scope::Board(sections) => {
            let board = observe::board(clients, &sections, run).await;
            let theme = run.widget.map_or(Theme::Either, |it| if it.dark { Theme::Dark } else { Theme::Light });
            let endpoints = plan::functions(&sections)
                .into_iter()
                .filter_map(|it| Some((it.to_owned(), run.sibling_arn(it)?)))
                .collect();
            Ok(run.show(board::html(&board, &View { now: &run.now, theme, sections: &sections, endpoints })))
        }
        Scope::Report(period) => {
            let seen = observe::period(clients, period, run).await;
            Ok(run.tell_report(period.title(), plan::lines(&seen, period, &run.now)).await)
        }
    }
}
