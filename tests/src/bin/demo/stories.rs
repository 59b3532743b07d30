//! The stories that can be played.

mod alarm;
mod backups;
mod board;
mod budget;
mod deploy;
mod drill;
mod gates;
mod machines;
mod promote;
mod sleep;
mod uploads;

use testkit::Result;

use crate::play::Play;

/// A story: what happens in a shop, told while it happens.
pub struct Story {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it shows, in a line.
    pub about: &'static str,
    /// The functions that have something to do in it. Only these are built.
    pub functions: &'static [&'static str],
    /// Tells it.
    pub play: fn(&Play) -> Result<()>,
}

/// All stories, in the order in which a newcomer would play them.
const STORIES: [Story; 11] = [
    deploy::STORY,
    gates::STORY,
    promote::STORY,
    backups::STORY,
    drill::STORY,
    uploads::STORY,
    sleep::STORY,
    machines::STORY,
    budget::STORY,
    alarm::STORY,
    board::STORY,
];

/// The story after this one; after the last one there is none.
pub fn after(story: &Story) -> Option<&'static Story> {
    let stories = const { &STORIES };
    let at = stories.iter().position(|it| it.name == story.name)?;
    stories.get(at + 1)
}

/// The story of plain `cargo demo`.
pub const PLAIN: &str = STORIES[0].name;

/// The story of that name; the error names those that exist.
pub fn find(name: &str) -> std::result::Result<&'static Story, String> {
    const { &STORIES }.iter().find(|it| it.name == name).ok_or_else(|| {
        let names: Vec<&str> = STORIES.iter().map(|it| it.name).collect();
        format!("There is no story {name:?}, only {}. `cargo demo list` says what they show.", names.join(", "))
    })
}

/// A line for each story.
pub fn list() -> String {
    let width = STORIES.iter().map(|it| it.name.len()).max().unwrap_or_default();
    let lines: Vec<String> = STORIES.iter().map(|it| format!("{:width$}   {}", it.name, it.about)).collect();
    lines.join("\n")
}
