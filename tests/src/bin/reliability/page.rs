//! The tables, and where they stand in the documentation.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use testkit::{Error, Result};

use crate::outcome::Outcome;

const BEGIN: &str = "<!-- cargo reliability --write -->\n";
const END: &str = "<!-- end -->\n";

/// One table with a line for each story, and one with a line for each disturbance.
pub fn tables(outcomes: &[Outcome], took: Duration) -> String {
    let mut page = String::from(
        "| story | functions | runs | calls | plays | as undisturbed | lost | doubled | not told | told too often | news lost |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for it in outcomes {
        let functions: Vec<String> = it.functions.iter().map(|it| format!("`{it}`")).collect();
        let well = it.plays - it.wrong.len() as u64;
        let [lost, doubled, untold, overtold] = ["lost", "doubled", "untold", "overtold"].map(|what| it.count(what));
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {well} | {lost} | {doubled} | {untold} | {overtold} | {} |",
            it.story,
            functions.join(", "),
            it.runs,
            it.calls,
            it.plays,
            it.silent
        );
    }
    page.push_str("\n| disturbance | plays | as undisturbed |\n| --- | --- | --- |\n");
    let mut kinds: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for it in outcomes {
        it.kinds.iter().for_each(|(kind, count)| kinds.entry(kind).or_default().0 += count);
        it.wrong.iter().for_each(|wrong| kinds.entry(&wrong.kind).or_default().1 += 1);
    }
    for (kind, (plays, wrong)) in kinds {
        let _ = writeln!(page, "| {kind} | {plays} | {} |", plays - wrong);
    }
    let plays: u64 = outcomes.iter().map(|it| it.plays).sum();
    let minutes = took.as_secs_f64() / 60.0;
    let _ = writeln!(page, "\n{plays} plays took {minutes:.1} minutes.");
    page
}

/// Puts the tables between their marks in `docs/reliability.md`.
pub fn write(workspace: &Path, tables: &str) -> Result<()> {
    let path = workspace.join("docs/reliability.md");
    let page = fs::read_to_string(&path)?;
    let around = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = around.ok_or_else(|| Error::new(format!("{}: its marks are missing", path.display())))?;
    Ok(fs::write(&path, format!("{before}{BEGIN}\n{tables}\n{END}{after}"))?)
}
