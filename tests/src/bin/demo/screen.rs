//! What the reader sees: no line wider than 100 columns, and colours only where a terminal wants them.
//!
//! Blocks are set apart by a blank line without the story's help.

use std::fmt::Display;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use testkit::{Error, Message, Result};

use crate::stories::Story;

const WIDTH: usize = 100;

/// The last column of a table has at least so much, even if its lines then are longer than [`WIDTH`].
const NARROWEST: usize = 24;

/// Where the text of a labelled line begins.
const TEXT: usize = 10;

/// Where the text of a fact in a message begins.
const FACT: usize = 12;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const TITLE: Style = AnsiColor::Cyan.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BUSY: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// What a line belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Block {
    Heading,
    Said,
    Typed,
    Facts,
    Announced,
    Table,
    Mail,
    Claims,
}

/// Begins a block, or goes on with the same.
fn begin(block: Block) {
    static LAST: Mutex<Block> = Mutex::new(Block::Heading);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let goes_on = match block {
        Block::Typed | Block::Facts | Block::Claims => *last == block,
        Block::Table => *last == Block::Announced,
        Block::Heading | Block::Said | Block::Announced | Block::Mail => false,
    };
    // A heading has its own.
    if !goes_on && *last != Block::Heading {
        put("");
    }
    *last = block;
}

/// A line, or several.
pub fn put(text: impl Display) {
    // Who has closed the pipe reads no more; the story is still checked to its end.
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// The last word.
pub fn end(text: &str) {
    begin(Block::Said);
    put(text);
}

/// What went wrong.
pub fn complain(text: &str) {
    // There is nowhere else to say it.
    let _ = writeln!(anstream::stderr(), "{BAD}{text}{BAD:#}");
}

pub fn title(story: &Story) {
    put(format_args!("\n{TITLE}Nightshift: {}{TITLE:#}\n{}\n", story.name, story.about));
}

/// A chapter, and when it begins.
pub fn chapter(number: usize, title: &str, since: Duration) {
    begin(Block::Heading);
    let clock = format!("{:.1} s", since.as_secs_f64());
    let rule = "─".repeat(WIDTH.saturating_sub(title.chars().count() + clock.len() + 5));
    put(format_args!("{TITLE}{number}  {title}{TITLE:#} {DIM}{rule} {clock}{DIM:#}\n"));
}

/// A heading without a number.
pub fn heading(title: &str) {
    begin(Block::Heading);
    let rule = "─".repeat(WIDTH.saturating_sub(title.chars().count() + 1));
    put(format_args!("{TITLE}{title}{TITLE:#} {DIM}{rule}{DIM:#}\n"));
}

/// What the teller says.
pub fn say(text: &str) {
    begin(Block::Said);
    for line in wrapped(text, WIDTH - 2) {
        put(format_args!("  {line}"));
    }
}

/// What a person or a pipeline would type.
pub fn command(line: &str) {
    begin(Block::Typed);
    put(format_args!("  {DIM}${DIM:#} {BOLD}{line}{BOLD:#}"));
}

/// A fact with its name in front.
pub fn fact(name: &str, text: &str) {
    begin(Block::Facts);
    named(name, text);
}

/// The same, and a table follows.
pub fn announce(name: &str, text: &str) {
    begin(Block::Announced);
    named(name, text);
}

fn named(name: &str, text: &str) {
    let mut name = name;
    for line in wrapped(text, WIDTH - TEXT) {
        put(format_args!("  {DIM}{name:<width$}{DIM:#}{line}", width = TEXT - 2));
        name = "";
    }
}

/// Says what is so, or fails if it isn't; `saw` is what there was instead.
pub fn claim(text: &str, holds: bool, saw: impl Display) -> Result<()> {
    if !holds {
        return Err(Error::new(format!("it should have been so: {text}\nbut there was: {saw}")));
    }
    begin(Block::Claims);
    for (index, line) in wrapped(text, WIDTH - 4).iter().enumerate() {
        let mark = if index == 0 { "✓" } else { " " };
        put(format_args!("  {GOOD}{mark}{GOOD:#} {line}"));
    }
    Ok(())
}

/// Aligned columns; the last one is wrapped.
pub fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) {
    begin(Block::Table);
    let width_of = |column: usize| {
        let cells = rows.iter().map(|it| it[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N - 1).map(width_of).collect();
    let left = 2 + widths.iter().map(|it| it + 2).sum::<usize>();
    let line = |cells: &[String; N], style: &dyn Fn(&str) -> Style| {
        let mut line = "  ".to_owned();
        for (cell, &width) in cells.iter().zip(&widths) {
            let style = style(cell);
            line += &format!("{style}{cell:<width$}{style:#}  ");
        }
        for (index, text) in wrapped(&cells[N - 1], WIDTH.saturating_sub(left).max(NARROWEST)).iter().enumerate() {
            let style = style(text);
            let before = if index == 0 { std::mem::take(&mut line) } else { " ".repeat(left) };
            put(format_args!("{before}{style}{text}{style:#}"));
        }
    };
    line(&header.map(str::to_owned), &|_| DIM);
    for row in rows {
        line(row, &style_of);
    }
}

fn style_of(word: &str) -> Style {
    match word {
        "COMPLETED" | "deploy" | "record-success" => GOOD,
        "IN_PROGRESS" => BUSY,
        "FAILED" | "reject" => BAD,
        "none" => DIM,
        it if it.starts_with("problem") => BAD,
        _ => Style::new(),
    }
}

/// A message as it lies in an inbox.
pub fn mail(address: &str, message: &Message) {
    begin(Block::Mail);
    let inner = WIDTH - 6;
    let text = message.forms.get("email").unwrap_or(&message.body);
    let edge = |left: char, right: char| format!("  {DIM}{left}{}{right}{DIM:#}", "─".repeat(inner + 2));
    let line = |text: &str, style: Style| {
        put(format_args!("  {DIM}│{DIM:#} {style}{text:<inner$}{style:#} {DIM}│{DIM:#}"));
    };
    put(edge('╭', '╮'));
    line(&format!("To:      {address}"), DIM);
    line(&format!("Subject: {}", message.subject.as_deref().unwrap_or_default()), BOLD);
    line("", DIM);
    for paragraph in text.trim_end().lines() {
        let hanging = if paragraph.starts_with("  ") { FACT } else { 0 };
        let (first, rest) = paragraph.split_at_checked(hanging).unwrap_or(("", paragraph));
        for (index, part) in wrapped(rest, inner - hanging).iter().enumerate() {
            let before = if index == 0 { first } else { &" ".repeat(hanging) };
            line(&format!("{before}{part}"), Style::new());
        }
    }
    put(edge('╰', '╯'));
}

/// Compact JSON, broken after commas.
pub fn json(value: &serde_json::Value) -> String {
    value.to_string().replace(",\"", ", \"")
}

/// The words of `text` in lines of at most `width`; a longer word is cut, or it would break the box of a mail.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ').flat_map(|it| cut(it, width)) {
        let line = lines.last_mut().expect("never empty");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word);
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
    }
    lines
}

/// `word` in pieces of at most `width`: after a comma if there is one, as the commands in mails have them.
fn cut(word: &str, width: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest: Vec<char> = word.chars().collect();
    while rest.len() > width {
        let comma = rest[..width].iter().rposition(|&it| it == ',');
        let tail = rest.split_off(comma.map_or(width, |it| it + 1));
        pieces.push(rest.into_iter().collect());
        rest = tail;
    }
    pieces.push(rest.into_iter().collect());
    pieces
}
