//! Command lines that people paste.

use std::fmt;

use serde_json::Value;

/// A command for a POSIX shell, quoted word by word: whatever a name holds, it arrives as it is and nothing else runs.
///
/// ```
/// use reconcile::CommandLine;
///
/// let line = CommandLine::of(["aws", "budgets", "describe-budget", "--budget-name", "Bob's; touch pwned"]);
/// assert_eq!(line.to_string(), r"aws budgets describe-budget --budget-name 'Bob'\''s; touch pwned'");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    words: Vec<String>,
    /// What the program reads from its standard input.
    input: Option<String>,
}

impl CommandLine {
    /// The command of these words; the first is the program.
    pub fn of<W: Into<String>>(words: impl IntoIterator<Item = W>) -> Self {
        CommandLine { words: words.into_iter().map(Into::into).collect(), input: None }
    }

    /// Sends a function a command, and shows its answer.
    ///
    /// Version 1 of the AWS CLI takes a payload as it is, version 2 in Base64 unless an option says otherwise that
    /// version 1 refuses. Read as a file of bytes, both take it as it is. The answer goes to the standard error, since
    /// the CLI writes what Lambda says of the call to the standard output, in the middle of it.
    pub fn invocation(function: &str, payload: &Value) -> Self {
        let mut payload = payload.clone();
        if let Value::Object(fields) = &mut payload {
            fields.insert("format".into(), "text".into());
        }
        let words = ["aws", "lambda", "invoke", "--function-name", function, "--payload", "fileb:///dev/stdin"];
        let words = words.into_iter().chain(["/dev/stderr"]).map(str::to_owned).collect();
        CommandLine { words, input: Some(payload.to_string()) }
    }

    /// The same in a region, whatever the profile of the person who pastes it says.
    pub fn in_region(mut self, region: Option<&str>) -> Self {
        if let (Some(region), Some("aws"), false) =
            (region, self.words.first().map(String::as_str), self.words.iter().any(|it| it == "--region"))
        {
            // Before the options, so that it ends no list of values and no operand follows it.
            let at = self.words.len().min(3);
            self.words.splice(at..at, ["--region".to_owned(), region.to_owned()]);
        }
        self
    }

    /// The words, as the program gets them.
    pub fn words(&self) -> &[String] {
        &self.words
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(input) = &self.input {
            // Unlike echo, printf leaves a backslash alone in every shell.
            f.write_str("printf %s ")?;
            quoted(input, f)?;
            f.write_str(" | ")?;
        }
        for (index, word) in self.words.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            quoted(word, f)?;
        }
        if self.input.is_some() { f.write_str(" >/dev/null") } else { Ok(()) }
    }
}

fn quoted(word: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let plain = |it: char| it.is_ascii_alphanumeric() || "_@%+=:,./-".contains(it);
    match !word.is_empty() && word.chars().all(plain) {
        true => f.write_str(word),
        // Within single quotes a shell takes everything as it is, but for the quote itself.
        false => write!(f, "'{}'", word.replace('\'', r"'\''")),
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
    fn a_command_reaches_a_function_as_it_is_by_way_of_the_standard_input() {
        let payload = serde_json::json!({"release": {"budget": "Bob's \\n \"$HOME\" 서울"}});
        let line = CommandLine::invocation("shop-enforce-budget", &payload).in_region(Some("eu-west-1"));
        // The stub says what it read and what it was given; its answer is what the person sees.
        let script = format!("aws() {{ cat >&2; printf '\\n%s' \"$*\" >&2; echo noise; }}\n{line}");
        let output = Command::new("sh").args(["-c", &script]).output().expect("a shell is there");
        let seen = String::from_utf8(output.stderr).unwrap();
        let (read, given) = seen.rsplit_once('\n').unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(read).unwrap(),
            serde_json::json!({"release": payload["release"], "format": "text"})
        );
        let expected = "lambda invoke --region eu-west-1 --function-name shop-enforce-budget \
                        --payload fileb:///dev/stdin /dev/stderr";
        assert_eq!((given, output.stdout.as_slice()), (expected, b"".as_slice()));
    }

    #[test]
    fn a_region_is_named_once_and_only_to_the_aws_cli() {
        let in_region = |words: &[&str]| CommandLine::of(words.iter().copied()).in_region(Some("r")).to_string();
        assert_eq!(
            in_region(&["aws", "ecs", "tag-resource", "--tags", "a"]),
            "aws ecs tag-resource --region r --tags a"
        );
        assert_eq!(in_region(&["aws", "ecs", "x", "--region", "s"]), "aws ecs x --region s");
        assert_eq!(in_region(&["git", "push"]), "git push");
        assert_eq!(CommandLine::of(["aws", "ecs"]).in_region(None).to_string(), "aws ecs");
    }

    #[test]
    fn what_needs_no_quotes_has_none() {
        let line = CommandLine::of(["aws", "ecs", "untag-resource", "--resource-arn", "arn:aws:ecs:r:1:service/a/b-1"]);
        assert_eq!(line.to_string(), "aws ecs untag-resource --resource-arn arn:aws:ecs:r:1:service/a/b-1");
    }
}
