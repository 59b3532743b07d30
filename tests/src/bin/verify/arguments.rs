//! The command line.

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    List,
    Verify(Target),
}

/// Against which AWS.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    /// One on this machine, which is gone afterwards.
    Local,
    /// The account of the environment's credentials, which has to be this one.
    Account { id: String, confirmed: bool, only_take_away: bool },
}

/// Reads the arguments; the error says what is wrong with them.
pub fn read(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut account = None;
    let mut confirmed = false;
    let mut only_take_away = false;
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            "--list" => return Ok(Command::List),
            "--yes" => confirmed = true,
            "--take-away" => only_take_away = true,
            "--account" => {
                let id = arguments.next().unwrap_or_default();
                if id.len() != 12 || !id.bytes().all(|it| it.is_ascii_digit()) {
                    return Err(format!("--account takes the 12 digits of an account, not {id:?}."));
                }
                account = Some(id);
            }
            other => {
                return Err(format!(
                    "There is no argument {other:?}, only --account, --yes, --take-away, --list and --help."
                ));
            }
        }
    }
    match account {
        Some(id) => Ok(Command::Verify(Target::Account { id, confirmed, only_take_away })),
        None if confirmed || only_take_away => Err("--yes and --take-away need --account.".to_owned()),
        None => Ok(Command::Verify(Target::Local)),
    }
}

pub const HELP: &str = "\
Tries what Nightshift believes about AWS, step by step, and prints a table. The list: docs/unverified.md.

    cargo verify                          on an AWS that runs on this machine only
    cargo verify --account 123456789012   in a sandbox account, with the credentials of the environment

    --yes         does not ask before it creates anything in the account
    --take-away   only deletes what an earlier run has left there
    --list        names the steps
    --help        this text

In an account it needs boto3's usual credentials and region, and the SAM CLI. It says first what it creates and what
that costs, and deletes all of it at the end, whatever happened.
Ends with 0 if no belief was wrong and nothing is left, with 1 if not, with 2 if the command line is wrong.";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<Command, &str>) {
        let read = read(line.split_whitespace().map(str::to_owned));
        match (read, expected) {
            (Ok(command), Ok(expected)) => assert_eq!(command, expected),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (read, expected) => panic!("{read:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn an_account_is_never_a_default() {
        check("", Ok(Command::Verify(Target::Local)));
        check("--yes", Err("need --account"));
        check("--take-away", Err("need --account"));
        check("--account", Err("12 digits"));
        check("--account 12345", Err("\"12345\""));
        check("--account 12345678901x", Err("12 digits"));
    }

    #[test]
    fn an_account_is_typed_out() {
        let id = "123456789012".to_owned();
        let account = |confirmed, only_take_away| {
            Ok(Command::Verify(Target::Account { id: id.clone(), confirmed, only_take_away }))
        };
        check("--account 123456789012", account(false, false));
        check("--account 123456789012 --yes", account(true, false));
        check("--take-away --account 123456789012", account(false, true));
    }

    #[test]
    fn a_wrong_argument_is_refused_with_the_right_ones() {
        check("--acount 123456789012", Err("There is no argument \"--acount\", only --account"));
        check("123456789012", Err("only --account"));
    }
}
