//! The end of a story: what it took, and where to go from here.

use std::collections::BTreeMap;

use testkit::Result;

use crate::function::is_write;
use crate::play::Play;
use crate::screen;
use crate::stories::{self, Story};

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
    screen::claim("none of its calls was refused by its own role", refused.is_empty(), format_args!("{refused:?}"))
}

/// How many e-mails people got in the whole story.
pub fn mails(play: &Play) -> Result<()> {
    let subjects: Vec<String> = play.aws().messages()?.into_iter().filter_map(|it| it.subject).collect();
    screen::heading("What people got");
    let rows: Vec<[String; 2]> =
        subjects.iter().enumerate().map(|(index, it)| [(index + 1).to_string(), it.clone()]).collect();
    if !rows.is_empty() {
        screen::table(["e-mail", "subject"], &rows);
    }
    let count = match rows.len() {
        0 => "not one e-mail in all of this".to_owned(),
        1 => "1 e-mail in all of this".to_owned(),
        many => format!("{many} e-mails in all of this"),
    };
    screen::say(&count);
    Ok(())
}

/// Of more functions nobody reads the pages one after the other.
const MOST_PAGES: usize = 3;

/// The end of every story: what the reader might want next.
pub fn read_next(play: &Play, story: &Story) {
    screen::heading("What to read next");
    let readme = |it: &&str| (format!("functions/{it}/README.md"), "its tag, commands, problems and permissions");
    let exists = |path: &str| play.aws().workspace().join(path).exists();
    let mut rows: Vec<(String, &str)> = match story.functions.len() > MOST_PAGES {
        true => vec![("functions/".into(), "a README of each function: its tag, commands, problems and permissions")],
        false => story.functions.iter().map(readme).filter(|(path, _)| exists(path)).collect(),
    };
    if let Some(next) = stories::after(story) {
        rows.push((format!("cargo demo {}", next.name), next.about));
    }
    rows.push(("cargo demo --keep".into(), "the first story, and the local AWS stays up for you to try"));
    rows.push(("README.md".into(), "what Nightshift is, and how to install it in your account"));
    let rows: Vec<[String; 2]> = rows.into_iter().map(|(path, about)| [path, about.to_owned()]).collect();
    screen::table(["where", "what"], &rows);
}
