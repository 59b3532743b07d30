//! Command lines that people paste.

use std::fmt;

/// A command for a POSIX shell, quoted word by word: whatever a name holds, it arrives as it is and nothing else runs.
///
/// ```
/// use reconcile::CommandLine;
///
/// let line = CommandLine::of(["aws", "budgets", "describe-budget", "--budget-name", "Bob's; touch pwned"]);
/// assert_eq!(line.to_string(), r"aws budgets describe-budget --budget-name 'Bob'\''s; touch pwned'");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine(Vec<String>);

impl CommandLine {
    /// The command of these words; the first is the program.
    pub fn of<W: Into<String>>(words: impl IntoIterator<Item = W>) -> Self {
        CommandLine(words.into_iter().map(Into::into).collect())
    }

    /// The words, as the program gets them.
    pub fn words(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            let plain = |it: char| it.is_ascii_alphanumeric() || "_@%+=:,./-".contains(it);
            match !word.is_empty() && word.chars().all(plain) {
                true => f.write_str(word)?,
                // Within single quotes a shell takes everything as it is, but for the quote itself.
                false => write!(f, "'{}'", word.replace('\'', r"'\''"))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What a program gets when a person pastes `line` into a real shell.
    fn pasted(line: &CommandLine) -> Vec<String> {
        // The stub prints its arguments, each ended by a byte that none of them can hold.
        let script = format!("aws() {{ printf '%s\\0' \"$@\"; }}\n{line}");
        let output = Command::new("sh").args(["-c", &script]).output().expect("a shell is there");
        assert!(output.status.success() && output.stderr.is_empty(), "{line}: {output:?}");
        let mut words: Vec<String> = String::from_utf8(output.stdout).unwrap().split('\0').map(str::to_owned).collect();
        assert_eq!(words.pop().as_deref(), Some(""));
        words
    }

    #[test]
    fn whatever_a_name_holds_a_shell_hands_it_on_as_it_is_and_runs_nothing_else() {
        let folder = std::env::temp_dir().join(format!("nightshift-quoting-{}", std::process::id()));
        let touch = format!("'; touch {}; echo '", folder.display());
        for name in [
            "plain",
            "",
            "Bob's budget",
            &touch,
            "$(touch pwned)",
            "`id`",
            "a\\b",
            "\"x\"",
            "$HOME",
            "*",
            "~",
            "#",
            "a b\tc",
            "new\nline",
            "--payload",
            "서울 예산",
            "!!",
            "{\"release\":{\"budget\":\"Bob's\"}}",
        ] {
            let line = CommandLine::of(["aws", "budgets", "--name", name, "end"]);
            assert_eq!(pasted(&line), ["budgets", "--name", name, "end"]);
        }
        assert!(!folder.exists(), "the name was run");
    }

    #[test]
    fn what_needs_no_quotes_has_none() {
        let line = CommandLine::of(["aws", "ecs", "untag-resource", "--resource-arn", "arn:aws:ecs:r:1:service/a/b-1"]);
        assert_eq!(line.to_string(), "aws ecs untag-resource --resource-arn arn:aws:ecs:r:1:service/a/b-1");
    }
}
