//! The page for a browser: one file, without a script and without anything from elsewhere.

use std::fmt::Write;

use board::escaped;

use crate::page::{Line, Page};

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}\
h2{margin-top:2rem;border-bottom:1px solid #d0d7de}\
p{margin:.4rem 0}code{display:block;overflow-x:auto;white-space:pre;background:#f6f8fa;padding:.5rem;border-radius:4px}\
b{display:inline-block;min-width:5.5rem}.would b{color:#0550ae}.problem b{color:#a40e26}.nothing{color:#57606a}\
.why{display:block;margin-left:5.5rem;color:#57606a}\
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}code{background:#161b22}\
.would b{color:#79c0ff}.problem b{color:#ff9492}.nothing,.why{color:#9198a1}h2{border-color:#30363d}}";

/// The page as HTML. Whatever a name or a tag holds, it is text in it.
pub fn html(page: &Page) -> String {
    let title = escaped(page.title);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n"
    );
    for line in &page.intro {
        let _ = writeln!(html, "<p>{}</p>", escaped(line));
    }
    if !page.board.is_empty() {
        let _ = writeln!(html, "<section>{}</section>", page.board);
    }
    for section in &page.sections {
        let _ = writeln!(html, "<section><h2>{}</h2>", escaped(&section.heading));
        for line in &section.lines {
            let told = |class: &str, word: &str, what: &str, why: &str| {
                let (what, why) = (escaped(what), escaped(why));
                format!("<p class=\"{class}\"><b>{word}</b> {what}<span class=\"why\">{why}</span></p>")
            };
            let line = match line {
                Line::Would { what, why } => told("would", "would", what, why),
                Line::Problem { what, why } => told("problem", "problem", what, why),
                Line::LeftAlone { what, why } => told("nothing", "nothing", what, why),
                Line::Command { what, command } => {
                    format!("<p>{}</p><code>{}</code>", escaped(what), escaped(&command.to_string()))
                }
                Line::Text(it) => format!("<p>{}</p>", escaped(it)),
            };
            let _ = writeln!(html, "{line}");
        }
        html.push_str("</section>\n");
    }
    html.push_str("</body></html>\n");
    html
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reconcile::CommandLine;

    use super::*;

    fn page(text: &str) -> Page {
        let mut page = Page::new("Tonight");
        page.intro.push(text.into());
        let lines = &mut page.section(text).lines;
        lines.push(Line::Would { what: text.into(), why: text.into() });
        lines.push(Line::Command { what: text.into(), command: CommandLine::of(["aws", text]) });
        lines.push(Line::Text(text.into()));
        page
    }

    proptest! {
        /// The tags of the page are the same whatever a name holds.
        #[test]
        fn no_name_becomes_markup(text in any::<String>()) {
            let marks = |it: &str| it.matches(['<', '>']).count();
            prop_assert_eq!(marks(&html(&page(&text))), marks(&html(&page("plain"))));
        }
    }

    #[test]
    fn it_is_one_file_without_a_script() {
        let html = html(&page("<script src=https://example.com></script> & \"it's\""));
        assert!(html.contains("&lt;script src=https://example.com&gt;&lt;/script&gt; &amp; &quot;it&#39;s&quot;"));
        for other in ["<script", "<link", "<img", "<iframe", "url("] {
            assert!(!html.contains(other), "{other}");
        }
    }
}
