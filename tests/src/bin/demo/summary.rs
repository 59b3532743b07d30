//! The end of a story: what it took, and where to go from here.

use std::collections::BTreeMap;

use testkit::Result;

use crate::function::is_write;
use crate::play::Play;
use crate::screen;

/// What the newcomer might want next; what does not exist is not mentioned.
const READ_NEXT: [(&str, &str); 5] = [
    ("README.md", "what Nightshift is, and how to bring it into your account"),
    ("functions/deploy-image/README.md", "the tag, the commands, the problems, the permissions"),
    ("template.yaml", "what wakes the function, and what it may do"),
    ("events/README.md", "the events and commands as files, to send them yourself"),
    ("ARCHITECTURE.md", "how it is built"),
];

const KEEP: &str = "the same, and the local AWS stays up for you to try";

/// Adds up what a function did in the whole story.
pub fn tell(play: &Play, function: &str, messages: usize) -> Result<()> {
    screen::heading("What it took");
    let calls = play.calls_in_all(function)?;
    let mut kinds: BTreeMap<(bool, String, String), usize> = BTreeMap::new();
    for call in &calls {
        *kinds.entry((is_write(call), call.service.clone(), call.action.clone())).or_default() += 1;
    }
    let row = |((write, service, action), count): (&(bool, String, String), &usize)| {
        let kind = if *write { "write" } else { "read" };
        [kind.to_owned(), format!("{count:>5}"), format!("{service}:{action}")]
    };
    let rows: Vec<[String; 3]> = kinds.iter().map(row).collect();
    screen::table(["kind", "calls", "of"], &rows);
    let told = play.aws().messages()?.len();
    let writes = calls.iter().filter(|it| is_write(it)).count();
    let reads = calls.len() - writes;
    let took = format!("{} runs of {function}: {reads} reads, {writes} writes, {messages} messages", play.runs());
    screen::claim(&took, told == messages, told)?;
    let refused: Vec<_> = calls.iter().filter(|it| it.status >= 400).collect();
    screen::claim("none of its calls was refused by its own role", refused.is_empty(), format_args!("{refused:?}"))?;
    screen::heading("What to read next");
    let exists = |path: &str| play.aws().workspace().join(path).exists();
    let read_next = READ_NEXT.iter().filter(|(path, _)| exists(path)).chain([&("cargo demo --keep", KEEP)]);
    let rows: Vec<[String; 2]> = read_next.map(|(path, about)| [path.to_string(), about.to_string()]).collect();
    screen::table(["where", "what"], &rows);
    Ok(())
}
