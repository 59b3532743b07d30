//! The address of the page that says what to do, for whatever names no page of its own.

use std::fmt;
use std::str::FromStr;

use super::safe::{encoded, is_address, name};

/// What an address may hold in braces.
const WORDS: [&str; 3] = ["function", "problem", "name"];

/// Lambda allows 4 KB for the whole environment of a function.
const LONGEST: usize = 200;

/// The base address of a shop's runbooks.
///
/// ```
/// use reconcile::message::RunbookBase;
///
/// let page = |base: &str| {
///     let base: RunbookBase = base.parse().unwrap();
///     base.page("deploy-image", "bad-tag", "arn:aws:ecs:ap-northeast-2:1:service/shop/api")
/// };
/// assert_eq!(page("https://wiki.example/ops"), "https://wiki.example/ops/bad-tag");
/// assert_eq!(page("https://wiki.example/ops/{function}?of={name}#{problem}"), "https://wiki.example/ops/deploy-image?of=shop%2Fapi#bad-tag");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunbookBase(String);

/// Why a text is not such an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRunbookBase(String);

impl RunbookBase {
    /// What is accepted, for an error.
    pub const ACCEPTED: &'static str = "an address such as https://wiki.example/runbooks, to which /PROBLEM is added, or one \
                                        that holds {function}, {problem} or {name}";

    /// The page about a problem of a resource that a function found.
    pub fn page(&self, function: &str, problem: &str, resource: &str) -> String {
        let RunbookBase(base) = self;
        if !base.contains('{') {
            return format!("{}/{}", base.trim_end_matches('/'), encoded(problem));
        }
        let values = [function, problem, name(resource)];
        let mut page = base.clone();
        // What is put in holds no brace, so it is not replaced again.
        for (word, value) in WORDS.iter().zip(values) {
            page = page.replace(&format!("{{{word}}}"), &encoded(value));
        }
        page
    }
}

impl FromStr for RunbookBase {
    type Err = BadRunbookBase;

    fn from_str(text: &str) -> Result<Self, BadRunbookBase> {
        let refused = |wrong: &str| Err(BadRunbookBase(format!("'{text}' {wrong}")));
        if text.len() > LONGEST {
            return refused(&format!("is longer than {LONGEST} characters"));
        }
        let mut plain = text.to_owned();
        for word in WORDS {
            plain = plain.replace(&format!("{{{word}}}"), word);
        }
        if let Some((_, after)) = plain.split_once('{') {
            let word = after.split_once('}').map_or(after, |(word, _)| word);
            return refused(&format!("holds {{{word}}}, which stands for nothing"));
        }
        // Where the host is one of these words, anybody could choose it by the name of a resource.
        let host = text.strip_prefix("https://").and_then(|it| it.split(['/', '?', '#']).next()).unwrap_or_default();
        if host.contains(['{', '@']) || !host.contains('.') || !is_address(&plain) {
            return refused("is not the address of a page (https://HOST/PATH)");
        }
        if !text.contains('{') && text.contains(['?', '#']) {
            return refused("holds ? or #, so /PROBLEM cannot be added: say by {problem} where it goes");
        }
        Ok(RunbookBase(text.into()))
    }
}

impl fmt::Display for BadRunbookBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadRunbookBase(wrong) = self;
        f.write_str(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RunbookBase, String> {
        text.parse().map_err(|it: BadRunbookBase| it.to_string())
    }

    #[test]
    fn what_is_not_an_address_of_pages_is_refused_with_the_word_at_fault() {
        for (text, wrong) in [
            ("http://wiki.example", "is not the address of a page"),
            ("wiki.example/ops", "is not the address of a page"),
            ("https://", "is not the address of a page"),
            ("https://wiki", "is not the address of a page"),
            ("https://{name}.example/ops", "is not the address of a page"),
            ("https://wiki.example@evil.example/ops", "is not the address of a page"),
            ("https://wiki.example/o ps", "is not the address of a page"),
            ("https://wiki.example/<b>", "is not the address of a page"),
            ("https://wiki.example/{service}", "holds {service}, which stands for nothing"),
            ("https://wiki.example/{name", "holds {name}, which stands for nothing"),
            ("https://wiki.example/page?id=4", "holds ? or #, so /PROBLEM cannot be added"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.starts_with(&format!("'{text}' {wrong}")), "{refused}");
        }
        assert!(read(&format!("https://wiki.example/{}", "x".repeat(200))).unwrap_err().ends_with("200 characters"));
    }

    #[test]
    fn whatever_a_text_or_a_name_holds_the_page_is_an_address_on_the_same_host() {
        let samples =
            ["https://wiki.example/ops", "https://wiki.example/{function}?of={name}#{problem}", "api {name} 서비스"];
        fuzz::texts(&samples, |text| {
            let (own, templated) = (read(text), read("https://wiki.example/{name}?{problem}").unwrap());
            let pages = own.iter().map(|base| base.page("deploy-image", "bad-tag", "arn:aws:ecs:r:1:service/shop/api"));
            for page in pages.chain([templated.page("deploy-image", text, text)]) {
                // A long name makes a long address, but never another one.
                let start: String = page.chars().take(400).collect();
                assert!(is_address(&start), "{page}");
            }
            assert!(templated.page("deploy-image", text, text).starts_with("https://wiki.example/"));
        });
    }
}
