//! XML as it comes: each element is visited once, in order.

use aws_smithy_xml::decode::{Document, ScopedDecoder, try_data};

/// An element that is being read.
pub struct Element<'i, 'a>(ScopedDecoder<'i, 'a>);

/// Visits the elements in the root of `answer`, each with its name; the error says why it is not XML.
pub fn read(answer: &str, mut visit: impl FnMut(&str, &mut Element<'_, '_>)) -> Result<(), String> {
    let mut document = Document::new(answer);
    let root = document.root_element().map_err(|it| it.to_string())?;
    Element(root).each(&mut visit);
    Ok(())
}

impl Element<'_, '_> {
    /// Visits the elements in it, each with its name.
    pub fn each(&mut self, mut visit: impl FnMut(&str, &mut Element<'_, '_>)) {
        while let Some(inner) = self.0.next_tag() {
            let name = inner.start_el().local().to_owned();
            visit(&name, &mut Element(inner));
        }
    }

    /// The text in it; none where there are elements instead.
    pub fn text(&mut self) -> String {
        try_data(&mut self.0).map(|it| it.trim().to_owned()).unwrap_or_default()
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
}
