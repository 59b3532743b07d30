//! The page for a terminal.

use std::fmt::Write;

use crate::page::{Line, Page};

/// The page as text. What comes from AWS may hold control characters, which a terminal would obey; they are left out.
pub fn text(page: &Page) -> String {
    let mut text = format!("{}\n", page.title);
    for line in &page.intro {
        let _ = writeln!(text, "{}", plain(line));
    }
    for section in &page.sections {
        let _ = writeln!(text, "\n== {}", plain(&section.heading));
        for line in &section.lines {
            let _ = match line {
                Line::Would { what, why } => {
                    writeln!(text, "  would    {}\n           because {}", plain(what), plain(why))
                }
                Line::Problem { what, why } => writeln!(text, "  PROBLEM  {}: {}", plain(what), plain(why)),
                Line::LeftAlone { what, why } => writeln!(text, "  nothing  {}: {}", plain(what), plain(why)),
                Line::Command { what, command } => {
                    writeln!(text, "  {}\n    {}", plain(what), plain(&command.to_string()))
                }
                Line::Text(it) => writeln!(text, "  {}", plain(it)),
            };
        }
    }
    text
}

fn plain(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use reconcile::CommandLine;

    use super::*;

    #[test]
    fn every_kind_of_line_says_what_it_is() {
        let mut page = Page::new("Tonight");
        page.intro.push("Account 1.".into());
        let lines = &mut page.section("deploy-image").lines;
        lines.push(Line::Would { what: "api: deploying v2".into(), why: "it is newer".into() });
        lines.push(Line::Problem { what: "\u{1b}[31mweb".into(), why: "bad tag".into() });
        lines.push(Line::LeftAlone { what: "ml".into(), why: "it runs the newest".into() });
        lines.push(Line::Command { what: "back up".into(), command: CommandLine::of(["aws", "a b"]) });
        lines.push(Line::Text("That is all.".into()));
        assert_eq!(
            text(&page),
            "Tonight\nAccount 1.\n\n== deploy-image\n  would    api: deploying v2\n           because it is newer\n  \
             PROBLEM   [31mweb: bad tag\n  nothing  ml: it runs the newest\n  back up\n    aws 'a b'\n  That is all.\n"
        );
    }
}
