//! `cargo verify`: tries what Nightshift believes about AWS, on the local AWS or in a sandbox account.
//!
//! It creates a few small resources of fixed names, tries each belief by itself, takes everything away again whatever
//! happened, and prints a table that can be pasted into an issue.

mod arguments;
mod aws;
mod beliefs;
mod resources;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use arguments::{Command, HELP, Target};
use aws::{Aws, Fault, Result};
use beliefs::{BELIEFS, Belief, Verdict};
use resources::{NAME, RESOURCES};

fn main() -> ExitCode {
    match arguments::read(std::env::args().skip(1)) {
        Ok(Command::Help) => say(HELP),
        Ok(Command::List) => BELIEFS.iter().for_each(|it| say(&format!("{:<25}{}", it.step, it.says))),
        Ok(Command::Verify(target)) => {
            return match verify(&target) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(fault) => {
                    complain(&fault.to_string());
                    ExitCode::FAILURE
                }
            };
        }
        Err(wrong) => {
            complain(&wrong);
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Whether no belief was wrong and nothing is left.
fn verify(target: &Target) -> Result<bool> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        flag::register(signal, stop.clone())?;
    }
    let aws = match target {
        Target::Local => Aws::local(&stop)?,
        Target::Account { id, only_take_away: true, .. } => return Ok(take_away(&Aws::account(id, &stop)?)),
        Target::Account { id, confirmed, .. } => {
            let aws = Aws::account(id, &stop)?;
            refuse_a_used_account(&aws)?;
            announce(&aws);
            if !confirmed && !answer_is_yes()? {
                return Err(Fault::new("Nothing was created."));
            }
            aws
        }
    };
    let made = make(&aws);
    let verdicts: Vec<_> = BELIEFS.iter().map(|it| (it, try_one(&aws, it, &made))).collect();
    let nothing_is_left = take_away(&aws);
    say(&table(&aws, &verdicts));
    Ok(nothing_is_left && !verdicts.iter().any(|(_, it)| matches!(it, Verdict::Wrong(_))))
}

// -------------------------------------------------------------------------------- before

/// The stack acts on every tagged resource of the account, so there must be no other.
fn refuse_a_used_account(aws: &Aws) -> Result<()> {
    let listed = aws.call("resourcegroupstaggingapi", "get_tag_keys", json!({}))?;
    let keys: Vec<_> = listed["TagKeys"].as_array().into_iter().flatten().filter_map(aws::text).collect();
    match keys.iter().find(|it| it.starts_with("nightshift:")) {
        None => Ok(()),
        Some(key) => Err(Fault::new(format!(
            "this account uses the tag {key} in {}: use a sandbox account, or if an earlier run was killed: \
             cargo verify --take-away --account {}",
            aws.region, aws.account
        ))),
    }
}

fn announce(aws: &Aws) {
    say(&format!("This creates in the account {}, region {}, all of it called {NAME}:\n", aws.account, aws.region));
    RESOURCES.iter().for_each(|it| say(&format!("  - {}", it.what)));
    say(
        "\nIt takes about half an hour, mostly for the database, and costs less than 1 USD. At the end it deletes all.",
    );
}

fn answer_is_yes() -> Result<bool> {
    print!("Type yes to begin: ");
    io::stdout().flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim() == "yes")
}

// -------------------------------------------------------------------------------- steps

/// What could be made, and why the others could not.
fn make(aws: &Aws) -> BTreeMap<&'static str, Result<()>> {
    let mut made = BTreeMap::new();
    for resource in &RESOURCES {
        let result = if aws.is_stopped() { Err(Fault::new("stopped")) } else { (resource.make)(aws) };
        if let Err(fault) = &result {
            complain(&format!("{} could not be made: {fault}", resource.name));
        }
        made.insert(resource.name, result);
    }
    made
}

fn try_one(aws: &Aws, belief: &Belief, made: &BTreeMap<&'static str, Result<()>>) -> Verdict {
    let missing = belief.needs.iter().find_map(|it| made.get(it)?.as_ref().err().map(|fault| (it, fault)));
    let verdict = match missing {
        _ if aws.is_stopped() => Verdict::NotTried("stopped".to_owned()),
        Some((name, fault)) => Verdict::NotTried(format!("the {name} could not be made: {fault}")),
        None => (belief.try_it)(aws).unwrap_or_else(|fault| Verdict::NotTried(fault.to_string())),
    };
    say(&format!("{:<10} {}", word(&verdict), belief.step));
    verdict
}

// -------------------------------------------------------------------------------- after

/// Takes everything away, the last first. Whether nothing is left.
fn take_away(aws: &Aws) -> bool {
    let mut left = Vec::new();
    for resource in RESOURCES.iter().rev() {
        // Refusals pass: a cluster has tasks for a while, a database is stopping.
        let mut refused = String::new();
        let gone =
            aws.wait_until_gone(&format!("the {} to be gone", resource.name), || match (resource.take_away)(aws) {
                Ok(gone) => Ok(gone.then_some(())),
                Err(fault) if fault.is_gone() => Ok(Some(())),
                Err(fault) => {
                    refused = fault.to_string();
                    Ok(None)
                }
            });
        if gone.is_err() {
            complain(&format!("the {} is still there: {refused}", resource.name));
            left.push(resource.name);
        }
    }
    match left.is_empty() {
        true => say("Everything is taken away."),
        false if aws.is_local() => complain(&format!("Left: {}.", left.join(", "))),
        false => {
            let left = left.join(", ");
            complain(&format!("Left: {left}. Try: cargo verify --take-away --account {}", aws.account));
        }
    }
    left.is_empty()
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Held(_) => "held",
        Verdict::Wrong(_) => "WRONG",
        Verdict::NotTried(_) => "not tried",
    }
}

/// In Markdown.
fn table(aws: &Aws, verdicts: &[(&Belief, Verdict)]) -> String {
    let on = if aws.is_local() { "the local AWS".to_owned() } else { format!("a sandbox account, {}", aws.region) };
    let mut table = format!("\nTried on {on}:\n\n| belief | verdict | seen |\n| --- | --- | --- |\n");
    for (belief, verdict) in verdicts {
        let (Verdict::Held(seen) | Verdict::Wrong(seen) | Verdict::NotTried(seen)) = verdict;
        let seen = seen.replace(['\n', '|'], " ").replace(&aws.account, "ACCOUNT");
        table += &format!("| `{}`: {} | {} | {seen} |\n", belief.step, belief.says, word(verdict));
    }
    table
}

fn say(text: &str) {
    // Who has closed the pipe reads no more; what was made is taken away all the same.
    let _ = writeln!(anstream::stdout(), "{text}");
}

fn complain(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}
