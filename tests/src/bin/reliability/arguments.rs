//! The command line.

pub const HELP: &str = "\
cargo reliability [options]

Plays the stories of all functions on the real binaries, once for each of their calls and each disturbance: killed, reset,
throttled, stalled, refused, cut off, answered from the past, overlapped by another run. Says where the end was another
one than that of the undisturbed story. It needs no AWS account.

  --story TEXT    only the stories that hold this in their name, or those of this function
  --all           also the plays that cannot end otherwise than one that is played (docs/reliability.md)
  --kind KIND     only this disturbance, such as \"killed after\"
  --every N       of each disturbance of each story only every Nth play, and at least one
  --jobs N        how many plays side by side (default 24; most of them wait)
  --load          no stories: thousands of snapshots and services and hundreds of alarms, against calls that AWS throttles
  --part N        with --load: a part of that size, such as 10 for a tenth
  --memory-last   functions that write their memory after the change: shows that the harness notices
  --logs DIR      keep what each disturbed play logged
  --write         put the tables into docs/reliability.md; with --story the rows of the other stories are those of the
                  last time that this was said
  --help";

/// What was asked for.
#[derive(Debug, PartialEq)]
pub struct Arguments {
    /// What the plays are told.
    pub passed_on: Vec<String>,
    pub write: bool,
    /// What there is many of at once is played, and not the stories.
    pub load: bool,
}

impl Arguments {
    /// Whether only some stories are played.
    pub fn some_stories(&self) -> bool {
        self.passed_on.iter().any(|it| it == "--story")
    }
}

/// `None` asks for help; the error says what is wrong and what is accepted.
pub fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let mut read = Arguments { passed_on: Vec::new(), write: false, load: false };
    let mut only = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--write" => read.write = true,
            "--load" => read.load = true,
            "--memory-last" | "--all" => {
                only.push((argument.clone(), false));
                read.passed_on.push(argument);
            }
            "--story" | "--kind" | "--every" | "--jobs" | "--logs" | "--part" => {
                let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
                let number = matches!(argument.as_str(), "--every" | "--jobs" | "--part");
                match argument.as_str() {
                    "--part" => only.push((argument.clone(), true)),
                    "--kind" | "--every" | "--jobs" => only.push((argument.clone(), false)),
                    _ => {}
                }
                if number && !value.parse::<u32>().is_ok_and(|it| it > 0) {
                    return Err(format!("{argument} {value}: expected a whole number from 1"));
                }
                read.passed_on.extend([argument, value]);
            }
            _ => return Err(format!("There is no argument \"{argument}\".\n\n{HELP}")),
        }
    }
    match only.iter().find(|(_, load)| *load != read.load) {
        Some((argument, true)) => Err(format!("{argument} belongs to --load")),
        Some((argument, false)) => Err(format!("{argument} does not go together with --load")),
        None => Ok(Some(read)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str]) -> Result<Option<Arguments>, String> {
        read(words.iter().map(|it| (*it).to_owned()))
    }

    #[test]
    fn what_the_plays_need_is_passed_on_and_the_rest_is_refused() {
        let read = check(&["--write", "--every", "3", "--memory-last"]).unwrap().unwrap();
        assert_eq!(
            read,
            Arguments {
                passed_on: ["--every", "3", "--memory-last"].map(String::from).into(),
                write: true,
                load: false
            }
        );
        assert!(!read.some_stories());
        assert!(check(&["--story", "prune-backups"]).unwrap().unwrap().some_stories());
        assert_eq!(check(&["--help"]), Ok(None));
        for (words, wrong) in [
            (["--every", "0"].as_slice(), "--every 0: expected a whole number from 1"),
            (&["--story"], "--story needs a value"),
            (&["--part", "10"], "--part belongs to --load"),
            (&["--load", "--all"], "--all does not go together with --load"),
            (&["--load", "--kind", "denied"], "--kind does not go together with --load"),
            (&["--al"], "There is no argument \"--al\""),
        ] {
            assert!(check(words).is_err_and(|it| it.starts_with(wrong)), "{words:?}");
        }
    }
}
