#![doc = include_str!("../README.md")]

mod arguments;
mod cloudwatch;
mod credentials;
mod ecr;
mod ecs;
mod functions;
mod guard;
mod look;
mod machines;
mod moments;
mod own_alarms;
mod page;
mod page_html;
mod page_text;
mod reads;
mod s3;
mod sts;
mod suggest;

use std::collections::BTreeMap;
use std::process::ExitCode;

use arguments::{Command, Options};
use aws_config::SdkConfig;
use board::{Section, Theme, View};
use page::{Line, Page};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match arguments::read(std::env::args().skip(1)) {
        Ok(Command::Help) => println!("{}", arguments::HELP),
        Ok(Command::Policy) => println!("{}", reads::policy()),
        Ok(Command::Look(options)) => return look(&options).await,
        Err(wrong) => {
            eprintln!("{wrong}\n\n{}", arguments::HELP);
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Looks and prints. It ends well if at least one thing could be read.
async fn look(options: &Options) -> ExitCode {
    let sdk = credentials::config(options).await;
    let page = match page(&sdk, options).await {
        Ok(page) => page,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    print!("{}", page_text::text(&page));
    if let Some(file) = &options.html {
        if let Err(error) = std::fs::write(file, page_html::html(&page)) {
            eprintln!("{} cannot be written: {error}", file.display());
            return ExitCode::FAILURE;
        }
        println!("\nThe same as a page: {}", file.display());
    }
    ExitCode::SUCCESS
}

async fn page(sdk: &SdkConfig, options: &Options) -> Result<Page, String> {
    if sdk.region().is_none() {
        return Err("No region is set. Name one with --region, AWS_REGION or your profile.".into());
    }
    credentials::check(sdk).await?;
    let caller = sts::caller(sdk).await?;
    let sdk = &guard::read_only(sdk);
    let region = sdk.region().map(|it| it.to_string()).unwrap_or_default();
    let now = runtime::now().to_zoned(options.time_zone.clone());
    let mut page = Page::new("What Nightshift would do tonight");
    page.intro
        .push(format!("Account {}, region {region}, read as {}. Nothing was changed.", caller.account, caller.arn));
    page.intro.push(format!("It is {}. {}", reconcile::when(now.timestamp(), &now), arguments::about_zone(options)));
    let (runs, board) = functions::runs(sdk, &caller, &region, options, &now).await;
    page.sections.extend(runs);
    // No stack is there yet whose functions a button could invoke.
    let view =
        View { now: &now, theme: Theme::Either, sections: &Section::ALL.map(|(_, it)| it), endpoints: BTreeMap::new() };
    page.board = board::html(&board, &view);
    page.sections.extend(look::sections(sdk, &caller, options, now.timestamp()).await);
    let section = page.section("What this needed");
    section.lines.push(Line::Text(
        "Only the reads that `cargo preview --policy` prints; any other call is refused on this machine.".into(),
    ));
    Ok(page)
}
