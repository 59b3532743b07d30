//! XML as it comes: each element is visited once, in order.

use std::str::FromStr;

use aws_smithy_xml::decode::{Document, ScopedDecoder, try_data};

use crate::Error;

/// An element that is being read.
pub struct Element<'i, 'a>(ScopedDecoder<'i, 'a>);

/// Visits the elements in the root of `answer`, each with its name; the error says why it is not XML.
pub fn read(answer: &str, visit: impl FnMut(&str, &mut Element<'_, '_>)) -> Result<(), String> {
    read_whole(answer, visit).map(drop)
}

/// The same of a text that may break off, or not be XML at all; returns the name of the root.
pub(crate) fn read_what_there_is(
    answer: &str,
    mut visit: impl FnMut(&str, &mut Element<'_, '_>),
) -> Result<String, String> {
    let mut document = Document::new(answer);
    let root = document.root_element().map_err(|it| it.to_string())?;
    let name = root.start_el().local().to_owned();
    Element(root).each(&mut visit);
    Ok(name)
}

/// Visits the fields of the result of `operation`, which most services wrap as `<XResponse><XResult>`: what a proxy says
/// in place of the service is not an empty listing.
///
/// # Errors
///
/// An answer that is not such a result, or not all of one.
pub fn read_result(
    operation: &'static str,
    resource: &str,
    answer: &str,
    mut visit: impl FnMut(&str, &mut Element<'_, '_>),
) -> Result<(), Error> {
    let unexpected = |why: String| Error::unexpected(operation, resource, why);
    let mut is_there = false;
    let root = read_whole(answer, |name, it| {
        if name.strip_suffix("Result") == Some(operation) {
            is_there = true;
            it.each(&mut visit);
        }
    });
    match root.map_err(unexpected)?.strip_suffix("Response") == Some(operation) && is_there {
        true => Ok(()),
        false => Err(unexpected(format!("the answer holds no {operation}Result"))),
    }
}

/// What is put in front of the end of an answer.
const END: &str = "end-of-answer";

/// Reads an answer, and finds out whether it was all of one; returns the name of the root.
///
/// The decoder takes an answer that breaks off, or that has a mistake in its middle, for a shorter one: a listing would
/// lack databases, and nobody would notice. So an element of our own is put in front of the last closing tag: the root
/// holds it only if everything before it was read. To read each token once more costs two fifths of the whole.
fn read_whole(answer: &str, mut visit: impl FnMut(&str, &mut Element<'_, '_>)) -> Result<String, String> {
    let incomplete = || "the answer is not complete XML".to_owned();
    let Some((before, last)) = answer.rfind("</").map(|at| answer.split_at(at)) else {
        // S3 answers with an empty root.
        let is_whole = Document::new(answer).try_fold(false, |_, it| Some(it.ok()?.1 == 0));
        return if is_whole == Some(true) { read_what_there_is(answer, visit) } else { Err(incomplete()) };
    };
    let mut is_whole = false;
    let root = read_what_there_is(&format!("{before}<{END}/>{last}"), |name, it| match name {
        END => is_whole = true,
        _ => visit(name, it),
    })?;
    let closes = last.trim_end().strip_suffix('>').is_some_and(|it| it.trim_end().ends_with(&root));
    if is_whole && closes { Ok(root) } else { Err(incomplete()) }
}

impl Element<'_, '_> {
    /// Visits the elements in it, each with its name.
    pub fn each(&mut self, mut visit: impl FnMut(&str, &mut Element<'_, '_>)) {
        while let Some(inner) = self.0.next_tag() {
            let name = inner.start_el().local().to_owned();
            visit(&name, &mut Element(inner));
        }
    }

    /// The text in it, without the spaces around it; none where there are elements instead.
    pub fn text(&mut self) -> String {
        self.whole_text().trim().to_owned()
    }

    /// The text in it as it stands: spaces belong to a tag.
    pub fn whole_text(&mut self) -> String {
        try_data(&mut self.0).map(|it| it.into_owned()).unwrap_or_default()
    }

    /// The text in it, if there is any.
    pub fn filled(&mut self) -> Option<String> {
        Some(self.text()).filter(|it| !it.is_empty())
    }

    /// What the text in it says; nothing where it cannot be read.
    pub fn parsed<T: FromStr>(&mut self) -> Option<T> {
        self.text().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_visited_in_their_order_whatever_is_left_out() {
        let mut found = Vec::new();
        let answer = "<?xml version='1.0'?><a xmlns='x'> <b>1 &amp; 2</b><c><d/><e>3</e></c><f/> <c><e>4</e></c></a>";
        read(answer, |name, it| match name {
            "c" => it.each(|name, it| found.push(format!("c.{name}={}", it.text()))),
            "b" | "f" => found.push(format!("{name}={}", it.text())),
            _ => {}
        })
        .unwrap();
        assert_eq!(found, ["b=1 & 2", "c.d=", "c.e=3", "f=", "c.e=4"]);
        assert!(read("no", |_, _| {}).is_err());
    }

    #[test]
    fn an_answer_that_is_not_whole_is_not_a_shorter_one() {
        let answer = "<XResponse><XResult><Entries><Entry>1</Entry><Entry>2</Entry></Entries></XResult></XResponse>";
        let count = |answer: &str| {
            let mut entries = 0;
            read_result("X", "all", answer, |_, it| it.each(|_, _| entries += 1)).map(|()| entries)
        };
        assert_eq!(count(answer), Ok(2));
        assert_eq!(count("<?xml version='1.0'?><XResponse><XResult/></XResponse>\n"), Ok(0));
        for length in 0..answer.len() {
            assert!(count(&answer[..length]).is_err(), "{}", &answer[..length]);
        }
        let refused = |answer: &str| count(answer).unwrap_err().to_string();
        for part in ["<VersioningConfiguration xmlns='x'", "<a><b/>", "<a><b/", "</a>"] {
            assert!(read(part, |_, _| {}).is_err(), "{part}");
        }
        assert_eq!(read("<VersioningConfiguration xmlns='x'/>", |_, _| {}), Ok(()));
        assert!(refused(&answer.replacen("</Entry>", "<>", 1)).starts_with("X all: UnexpectedAnswer: "));
        for other in ["<html><body>sign in first</body></html>", &answer.replace('X', "Y"), "<XResponse></XResponse>"] {
            assert_eq!(refused(other), "X all: UnexpectedAnswer: the answer holds no XResult");
        }
    }

    #[test]
    fn spaces_around_a_value_are_kept_where_they_belong_to_it() {
        let mut found = Vec::new();
        read("<a><b> 1 </b><b> &amp; </b><b/></a>", |_, it| found.push(it.whole_text())).unwrap();
        assert_eq!(found, [" 1 ", " & ", ""]);
        let mut found = Vec::new();
        read("<a><b> 1 </b><b>x</b><b/></a>", |_, it| found.push(it.parsed::<i32>())).unwrap();
        assert_eq!(found, [Some(1), None, None]);
    }
}
