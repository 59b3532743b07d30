//! The tables, and where they stand in the documentation.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use testkit::{Error, Result};

use crate::load::Load;
use crate::outcome::Outcome;

/// Where the tables of the stories and the table of the load stand.
pub const STORIES: &str = "<!-- cargo reliability --write -->\n";
pub const LOADS: &str = "<!-- cargo reliability --load --write -->\n";
const END: &str = "<!-- end -->\n";

/// One table with a line for each story, and one with a line for each disturbance.
pub fn tables(outcomes: &[Outcome]) -> String {
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
    let minutes = outcomes.iter().map(|it| it.worked).sum::<f64>() / 60.0;
    let all: u64 = outcomes.iter().map(|it| it.all).sum();
    let _ = writeln!(page, "\n{plays} plays of {all} took {minutes:.0} minutes of a processor.");
    page
}

/// A table with a line for each load.
pub fn loads(loads: &[Load]) -> String {
    let mut page = String::from(
        "| load | function | runs | calls | refused | longest run | deadline | memory | what was done |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for it in loads {
        let Load { name, function, runs, calls, refused, seconds, deadline, memory, said, .. } = it;
        let _ = writeln!(
            page,
            "| {name} | `{function}` | {runs} | {calls} | {refused} | {seconds:.0} s | {deadline} s | {memory:.0} MiB | {said} |"
        );
    }
    page
}

/// Puts the tables behind the mark `begin` in `docs/reliability.md`.
pub fn write(workspace: &Path, begin: &str, tables: &str) -> Result<()> {
    let path = workspace.join("docs/reliability.md");
    let page = fs::read_to_string(&path)?;
    let around = page.split_once(begin).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = around.ok_or_else(|| Error::new(format!("{}: its marks are missing", path.display())))?;
    Ok(fs::write(&path, format!("{before}{begin}\n{tables}\n{END}{after}"))?)
}
