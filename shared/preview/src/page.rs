//! What a preview has to say, before it is text or a web page.

use reconcile::CommandLine;

/// A preview.
#[derive(Debug, PartialEq)]
pub struct Page {
    pub title: &'static str,
    pub intro: Vec<String>,
    pub sections: Vec<Section>,
    /// The same drawn, as HTML; only a web page shows it.
    pub board: String,
}

/// A part of it.
#[derive(Debug, PartialEq)]
pub struct Section {
    pub heading: String,
    pub lines: Vec<Line>,
}

/// A line of it.
#[derive(Debug, PartialEq)]
pub enum Line {
    /// Something that would be done.
    Would {
        what: String,
        why: String,
    },
    /// Something that needs a person.
    Problem {
        what: String,
        why: String,
    },
    /// Something that is looked at and stays as it is.
    LeftAlone {
        what: String,
        why: String,
    },
    /// A command for a person to paste, and what it does.
    Command {
        what: String,
        command: CommandLine,
    },
    Text(String),
}

impl Page {
    pub fn new(title: &'static str) -> Self {
        Page { title, intro: Vec::new(), sections: Vec::new(), board: String::new() }
    }

    /// A new part at the end.
    pub fn section(&mut self, heading: &str) -> &mut Section {
        self.sections.push(Section::new(heading));
        let last = self.sections.len() - 1;
        &mut self.sections[last]
    }
}

impl Section {
    pub fn new(heading: impl Into<String>) -> Self {
        Section { heading: heading.into(), lines: Vec::new() }
    }
}
