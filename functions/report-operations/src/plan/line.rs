//! The lines of a report: what is red stands first, and what is green is one line.

use std::fmt::Display;

/// The most lines of each kind: a message that nobody reads to its end tells nothing.
const MOST: usize = 60;

/// The lines so far.
#[derive(Debug, Default)]
pub struct Lines {
    red: Vec<String>,
    news: Vec<String>,
    green: Vec<String>,
}

impl Lines {
    /// What needs a person, and what that person does next: a page to look at, or a command.
    pub fn red(&mut self, line: impl Display, next: impl Display) {
        self.red.push(format!("{line}; {next}"));
    }

    /// What is worth a line.
    pub fn news(&mut self, line: impl Into<String>) {
        self.news.push(line.into());
    }

    /// What is as it should be.
    pub fn green(&mut self, words: impl Into<String>) {
        self.green.push(words.into());
    }

    /// The whole report; `rest` shows what needs a person and is left out.
    pub fn finish(self, rest: impl Display) -> Vec<String> {
        let mut lines = Vec::new();
        for (mark, mut all) in [("[!] ", self.red), ("", self.news)] {
            let more = all.len().saturating_sub(MOST);
            all.truncate(MOST);
            lines.extend(all.into_iter().map(|it| format!("{mark}{it}")));
            if more > 0 {
                let rest = if mark.is_empty() { String::new() } else { format!("; {rest}") };
                lines.push(format!("{mark}and {more} more{rest}"));
            }
        }
        if !self.green.is_empty() {
            lines.push(format!("As it should be: {}", self.green.join(", ")));
        }
        lines
    }
}
