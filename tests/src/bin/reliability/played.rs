//! What came of all stories the last time, so that one which was changed can be played alone.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;
use testkit::Result;

/// A file with a line for each story.
pub struct Played(PathBuf);

impl Played {
    /// Beside the binaries, which it is of.
    pub fn beside(folder: &Path) -> Self {
        Played(folder.join("reliability.jsonl"))
    }

    /// The lines of the last time, with these in the place of those of the same stories.
    pub fn with(&self, new: Vec<Value>) -> Result<Vec<Value>> {
        let text = match fs::read_to_string(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let known = text.lines().map(serde_json::from_str).collect::<std::result::Result<Vec<Value>, _>>()?;
        Ok(merged(known, new))
    }

    pub fn keep(&self, lines: &[Value]) -> Result<()> {
        Ok(fs::write(&self.0, lines.iter().map(|it| format!("{it}\n")).collect::<String>())?)
    }
}

fn merged(mut known: Vec<Value>, new: Vec<Value>) -> Vec<Value> {
    for line in new {
        match known.iter_mut().find(|it| it["story"] == line["story"]) {
            Some(old) => *old = line,
            None => known.push(line),
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_story_that_is_played_anew_takes_the_place_of_its_line() {
        let line = |story: &str, plays: u64| json!({"story": story, "plays": plays});
        let known = vec![line("a prune", 3), line("a month", 4)];
        let after = merged(known, vec![line("a month", 5), line("a drill", 6)]);
        assert_eq!(after, [line("a prune", 3), line("a month", 5), line("a drill", 6)]);
        assert_eq!(merged(Vec::new(), vec![line("a prune", 1)]), [line("a prune", 1)]);
    }
}
