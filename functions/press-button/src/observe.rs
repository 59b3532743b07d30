//! Asks the function that takes the command of a button what it offers now.

use aws::Error;
use aws::lambda::ask_for_dry_run;
use board::DryRun;
use reconcile::Button;
use runtime::Run;
use serde_json::json;

use crate::Clients;

pub async fn offers(clients: &Clients, button: Button, run: &Run<'_>) -> Result<DryRun, Error> {
    let name = function(button, run)?;
    let report = ask_for_dry_run(&clients.lambda, &name, json!({})).await?;
    DryRun::read(&report).map_err(|why| Error::unexpected("Invoke", &name, &why))
}

/// What the function that takes the command of `button` is called in AWS.
pub fn function(button: Button, run: &Run<'_>) -> Result<String, Error> {
    let function = button.function();
    run.sibling(function)
        .ok_or_else(|| Error::unexpected("Invoke", function, "outside of a stack there is no such function"))
}
