//! `--html FILE`: the story as one page that needs nothing else, with a picture of what happened in which order.
//!
//! What the screen shows is noted down here as well, and written at the end. The page is well-formed XML too, so that any
//! parser can check it.

use std::fmt::{Display, Write};
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use testkit::{Error, Message, Result};

use crate::stories::Story;

/// A piece of the story.
pub enum Piece {
    Chapter(String),
    Said(String),
    Command(String),
    Fact { name: String, text: String },
    Claim(String),
    Table { header: Vec<String>, rows: Vec<Vec<String>> },
    Mail { address: String, subject: String, text: String },
}

static PIECES: Mutex<Vec<Piece>> = Mutex::new(Vec::new());

/// Notes a piece down.
pub fn note(piece: Piece) {
    PIECES.lock().unwrap_or_else(PoisonError::into_inner).push(piece);
}

/// Notes a message down.
pub fn note_mail(address: &str, message: &Message) {
    let subject = message.subject.clone().unwrap_or_default();
    let text = message.forms.get("email").unwrap_or(&message.body).clone();
    note(Piece::Mail { address: address.to_owned(), subject, text });
}

/// Writes all that was noted down.
pub fn write(path: &Path, story: &Story) -> Result<()> {
    let pieces = PIECES.lock().unwrap_or_else(PoisonError::into_inner);
    let page = page(story.name, story.about, &pieces);
    fs::write(path, page).map_err(|err| Error::new(format!("{} cannot be written: {err}", path.display())))
}

const STYLE: &str = "
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b2733; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid #c8d2dc }
pre, code, td, th { font: 13px/1.5 ui-monospace, monospace } pre { white-space: pre-wrap; overflow-wrap: anywhere }
pre.command { background: #eef2f6; padding: .4rem .8rem } pre.command::before { content: '$ '; color: #66788a }
.table, .picture { overflow-x: auto } table { border-collapse: collapse } th { text-align: left; color: #66788a; font-weight: normal }
td, th { padding: .15rem 1.2rem .15rem 0; vertical-align: top; overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: 5rem 1fr; margin: .3rem 0 } dt { color: #66788a } dd { margin: 0; overflow-wrap: anywhere }
p.claim { margin: .2rem 0 } p.claim::before { content: '✓ '; color: #16803c; font-weight: bold }
.mail { border: 1px solid #c8d2dc; border-radius: 6px; padding: .6rem 1rem; margin: 1rem 0 } .mail header { border-bottom: 1px solid #e2e8ee }
:target { outline: 3px solid #e9a23b; outline-offset: 3px }
@media (prefers-color-scheme: dark) { body { color: #d8e0e8; background: #12181f } pre.command { background: #1e2731 } }
";

fn page(name: &str, about: &str, pieces: &[Piece]) -> String {
    let mut html = format!(
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>Nightshift: {name}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>Nightshift: {name}</h1>\n<p>{}</p>\n<div class=\"picture\">\n{}</div>\n",
        escaped(about),
        picture(pieces),
    );
    for (index, piece) in pieces.iter().enumerate() {
        html += &piece_html(index, piece);
    }
    html + "</body>\n</html>\n"
}

fn piece_html(index: usize, piece: &Piece) -> String {
    let id = format!("id=\"p{index}\"");
    match piece {
        Piece::Chapter(title) => format!("<h2 {id}>{}</h2>\n", escaped(title)),
        Piece::Said(text) => format!("<p {id}>{}</p>\n", escaped(text)),
        Piece::Command(line) => format!("<pre {id} class=\"command\">{}</pre>\n", escaped(line)),
        Piece::Fact { name, text } => {
            format!("<dl {id}><dt>{}</dt><dd><code>{}</code></dd></dl>\n", escaped(name), escaped(text))
        }
        Piece::Claim(text) => format!("<p {id} class=\"claim\">{}</p>\n", escaped(text)),
        Piece::Table { header, rows } => {
            let cells = |tag: &str, cells: &[String]| {
                let cells: String = cells.iter().map(|it| format!("<{tag}>{}</{tag}>", escaped(it))).collect();
                format!("<tr>{cells}</tr>")
            };
            let rows: String = rows.iter().map(|it| cells("td", it)).collect();
            format!("<div {id} class=\"table\"><table>{}{rows}</table></div>\n", cells("th", header))
        }
        Piece::Mail { address, subject, text } => format!(
            "<article {id} class=\"mail\"><header>To: {}<br/><strong>{}</strong></header><pre>{}</pre></article>\n",
            escaped(address),
            escaped(subject),
            escaped(text.trim_end()),
        ),
    }
}

/// A lane of the picture: its name, its colour, and what is in it.
struct Lane {
    name: &'static str,
    colour: &'static str,
    has: fn(&Piece) -> bool,
}

const LANES: [Lane; 5] = [
    Lane { name: "people and pipelines", colour: "#3a6ea5", has: |it| matches!(it, Piece::Command(_)) },
    Lane { name: "events of AWS", colour: "#b7791f", has: |it| is_fact(it, &["event", "alarm"]) },
    Lane { name: "runs", colour: "#16803c", has: |it| is_fact(it, &["run"]) },
    Lane { name: "memory in tags", colour: "#7c4dab", has: |it| is_fact(it, &["tag", "memory"]) },
    Lane { name: "mails", colour: "#c0392b", has: |it| matches!(it, Piece::Mail { .. }) || is_fact(it, &["e-mail"]) },
];

fn is_fact(piece: &Piece, names: &[&str]) -> bool {
    matches!(piece, Piece::Fact { name, .. } if names.contains(&name.as_str()))
}

/// The words of a mark, shown when a pointer rests on it.
fn words(piece: &Piece) -> &str {
    match piece {
        Piece::Chapter(text) | Piece::Said(text) | Piece::Command(text) | Piece::Claim(text) => text,
        Piece::Fact { text, .. } => text,
        Piece::Mail { subject, .. } => subject,
        Piece::Table { .. } => "",
    }
}

const LEFT: usize = 170;
const STEP: usize = 22;
const HEIGHT: usize = 30;

/// What happened in which order: a lane for each kind, a column for each mark, a band for each chapter. Every mark leads
/// to its piece.
fn picture(pieces: &[Piece]) -> String {
    let mut marks = String::new();
    let mut bands = String::new();
    let mut column = 0;
    let mut chapters: Vec<(usize, &str)> = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        if let Piece::Chapter(title) = piece {
            chapters.push((column, title));
        }
        let Some(lane) = LANES.iter().position(|it| (it.has)(piece)) else { continue };
        let (x, y) = (LEFT + column * STEP + STEP / 2, HEIGHT * (lane + 1) + HEIGHT / 2);
        let (colour, title) = (LANES[lane].colour, escaped(words(piece)));
        let _ = writeln!(
            marks,
            "<a href=\"#p{index}\"><circle cx=\"{x}\" cy=\"{y}\" r=\"7\" fill=\"{colour}\"><title>{title}</title></circle></a>"
        );
        column += 1;
    }
    let bottom = HEIGHT * (LANES.len() + 1);
    let ends = chapters.iter().skip(1).map(|it| it.0).chain([column]);
    for (index, ((from, title), to)) in chapters.iter().zip(ends).enumerate() {
        let (x, width) = (LEFT + from * STEP, (to - from) * STEP);
        // A chapter in which nothing happens has no room for its number.
        if width == 0 {
            continue;
        }
        let shade = if index % 2 == 0 { "#88a0b8" } else { "#c8d2dc" };
        let number = title.split(' ').next().unwrap_or_default();
        let _ = writeln!(
            bands,
            "<rect x=\"{x}\" y=\"{HEIGHT}\" width=\"{width}\" height=\"{}\" fill=\"{shade}\" opacity=\".2\"/>\
             <text x=\"{}\" y=\"20\" text-anchor=\"middle\">{}<title>{}</title></text>",
            bottom - HEIGHT,
            x + width / 2,
            escaped(number),
            escaped(title),
        );
    }
    let mut lanes = String::new();
    for (index, lane) in LANES.iter().enumerate() {
        let y = HEIGHT * (index + 1) + HEIGHT / 2;
        let _ = writeln!(
            lanes,
            "<text x=\"0\" y=\"{}\" fill=\"{}\">{}</text><line x1=\"{LEFT}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"#9aa8b5\"/>",
            y + 5,
            lane.colour,
            lane.name,
            LEFT + column * STEP,
        );
    }
    let width = LEFT + column * STEP;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {bottom}\" width=\"{width}\" height=\"{bottom}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"14\" fill=\"#66788a\" role=\"img\">\n\
         <title>What happened, in this order</title>\n{bands}{lanes}{marks}</svg>\n"
    )
}

/// A text as HTML and XML write it.
fn escaped(text: impl Display) -> String {
    let text = text.to_string();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
