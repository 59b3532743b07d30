//! What the reader sees: lines that fit the terminal, 60 to 80 columns, and colours only where a terminal wants them.
//!
//! Blocks are set apart by a blank line without the story's help.

use std::fmt::Display;
use std::io::Write;
use std::ops::RangeInclusive;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use testkit::{Error, Message, Result};

use crate::page::{self, Piece};
use crate::stories::Story;

/// How wide lines are. Wider ones are hard to read, and below the least the tables hold nothing any more.
const WIDTHS: RangeInclusive<usize> = 60..=80;

/// Sentences in a table get no narrower than that, as long as another column can be broken.
const SENTENCE: usize = 22;

/// No column of a table gets narrower than that.
const NARROWEST: usize = 7;

/// The columns of a line: those of the terminal, as far as they are in [`WIDTHS`]. A file gets the most, unless the
/// variable `COLUMNS` says otherwise, as for other programs.
#[expect(clippy::disallowed_methods, reason = "this is a program, and the width of a terminal is nowhere else")]
fn width() -> usize {
    static WIDTH: OnceLock<usize> = OnceLock::new();
    *WIDTH.get_or_init(|| {
        let of_terminal = || rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|it| usize::from(it.ws_col));
        let told = std::env::var("COLUMNS").ok().and_then(|it| it.parse().ok());
        told.or_else(of_terminal).map_or(*WIDTHS.end(), |it| it.clamp(*WIDTHS.start(), *WIDTHS.end()))
    })
}

/// Where the text of a labelled line begins.
const TEXT: usize = 10;

/// Where the subject of a message begins.
const SUBJECT: usize = 9;

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
    let about = wrapped(story.about, width()).join("\n");
    put(format_args!("\n{TITLE}Nightshift: {}{TITLE:#}\n{about}\n", story.name));
}

/// A chapter, and when it begins.
pub fn chapter(number: usize, title: &str, since: Duration) {
    begin(Block::Heading);
    page::note(Piece::Chapter(format!("{number}  {title}")));
    let clock = format!("{:.1} s", since.as_secs_f64());
    let rule = "─".repeat(width().saturating_sub(title.chars().count() + clock.len() + 5));
    put(format_args!("{TITLE}{number}  {title}{TITLE:#} {DIM}{rule} {clock}{DIM:#}\n"));
}

/// A heading without a number.
pub fn heading(title: &str) {
    begin(Block::Heading);
    page::note(Piece::Chapter(title.to_owned()));
    let rule = "─".repeat(width().saturating_sub(title.chars().count() + 1));
    put(format_args!("{TITLE}{title}{TITLE:#} {DIM}{rule}{DIM:#}\n"));
}

/// What the teller says.
pub fn say(text: &str) {
    begin(Block::Said);
    page::note(Piece::Said(text.to_owned()));
    for line in wrapped(text, width() - 2) {
        put(format_args!("  {line}"));
    }
}

/// What a person or a pipeline would type.
pub fn command(line: &str) {
    begin(Block::Typed);
    page::note(Piece::Command(line.to_owned()));
    for (index, line) in shell_lines(line, width() - 10).iter().enumerate() {
        let mark = if index == 0 { "$ " } else { "      " };
        put(format_args!("  {DIM}{mark}{DIM:#}{BOLD}{line}{BOLD:#}"));
    }
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
    page::note(Piece::Fact { name: name.to_owned(), text: text.to_owned() });
    let mut name = name;
    // A name that is too long for its column moves the text to the right.
    let column = TEXT.max(name.chars().count() + 4);
    for line in wrapped(text, width() - column) {
        put(format_args!("  {DIM}{name:<width$}{DIM:#}{line}", width = column - 2));
        name = "";
    }
}

/// Says what is so, or fails if it isn't; `saw` is what there was instead.
pub fn claim(text: &str, holds: bool, saw: impl Display) -> Result<()> {
    if !holds {
        return Err(Error::new(format!("it should have been so: {text}\nbut there was: {saw}")));
    }
    begin(Block::Claims);
    page::note(Piece::Claim(text.to_owned()));
    for (index, line) in wrapped(text, width() - 4).iter().enumerate() {
        let mark = if index == 0 { "✓" } else { " " };
        put(format_args!("  {GOOD}{mark}{GOOD:#} {line}"));
    }
    Ok(())
}

/// Aligned columns. Where the line is too short for them, the widest ones are wrapped.
pub fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) {
    begin(Block::Table);
    let header_of_page = header.iter().map(ToString::to_string).collect();
    page::note(Piece::Table { header: header_of_page, rows: rows.iter().map(|it| it.to_vec()).collect() });
    let natural = |column: usize| {
        let cells = rows.iter().map(|it| it[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or_default()
    };
    let widths = fitted((0..N).map(natural).collect(), width() - 2 - 2 * (N - 1));
    let line = |cells: &[String; N], style: &dyn Fn(&str) -> Style| {
        let columns: Vec<Vec<String>> = cells.iter().zip(&widths).map(|(cell, &width)| wrapped(cell, width)).collect();
        for row in 0..columns.iter().map(Vec::len).max().unwrap_or_default() {
            let mut line = String::new();
            for ((cell, column), &width) in cells.iter().zip(&columns).zip(&widths) {
                let (style, text) = (style(cell), column.get(row).map_or("", String::as_str));
                let space = " ".repeat(width.saturating_sub(text.chars().count()));
                // A style around nothing would keep the spaces at the end of the line.
                line +=
                    &if text.is_empty() { format!("  {space}") } else { format!("  {style}{text}{style:#}{space}") };
            }
            put(line.trim_end());
        }
    };
    line(&header.map(str::to_owned), &|_| DIM);
    for row in rows {
        line(row, &style_of);
    }
}

/// Takes from the last column, which holds sentences, and then from the widest one until all of them fit.
fn fitted(mut widths: Vec<usize>, room: usize) -> Vec<usize> {
    if let Some((last, others)) = widths.split_last_mut() {
        *last = (*last).min(SENTENCE.max(room.saturating_sub(others.iter().sum())));
    }
    while widths.iter().sum::<usize>() > room {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => break,
        }
    }
    widths
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
    page::note_mail(address, message);
    let inner = width() - 6;
    let text = message.forms.get("email").unwrap_or(&message.body);
    let edge = |left: char, right: char| format!("  {DIM}{left}{}{right}{DIM:#}", "─".repeat(inner + 2));
    let line = |text: &str, style: Style| {
        put(format_args!("  {DIM}│{DIM:#} {style}{text:<inner$}{style:#} {DIM}│{DIM:#}"));
    };
    put(edge('╭', '╮'));
    line(&format!("To:      {address}"), DIM);
    for (index, part) in wrapped(message.subject.as_deref().unwrap_or_default(), inner - SUBJECT).iter().enumerate() {
        line(&format!("{:SUBJECT$}{part}", if index == 0 { "Subject:" } else { "" }), BOLD);
    }
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

/// A command in lines that a shell takes as one: between words a backslash joins them, and JSON in quotes may be broken
/// after a comma.
fn shell_lines(command: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (index, part) in command.split('\'').enumerate() {
        let is_quoted = index % 2 == 1;
        let words: Vec<String> = if is_quoted {
            cut(&format!("'{part}'"), width)
        } else {
            part.split(' ').filter(|it| !it.is_empty()).map(str::to_owned).collect()
        };
        for (piece, word) in words.into_iter().enumerate() {
            let last = lines.last_mut().expect("never empty");
            if last.is_empty() {
                last.push_str(&word);
            } else if is_quoted && piece > 0 {
                lines.push(word);
            } else if last.chars().count() + 1 + word.chars().count() > width {
                last.push_str(" \\");
                lines.push(word);
            } else {
                last.push(' ');
                last.push_str(&word);
            }
        }
    }
    lines
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
