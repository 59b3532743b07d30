//! The Rust sources as a stream of tokens: what ships, without comments, documentation and test code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in a folder of the workspace").to_owned()
}

/// The names of the folders in `folder`, sorted.
pub fn folders(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|err| panic!("{folder}: {err}"));
    let mut names: Vec<_> = entries
        .map(|it| it.expect("a readable folder"))
        .filter(|it| it.path().is_dir())
        .map(|it| it.file_name().into_string().expect("a name in UTF-8"))
        .collect();
    names.sort();
    names
}

/// Every file below `folder` whose name ends in `ending`, sorted, as paths from the workspace's folder.
pub fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|err| panic!("{}: {err}", folder.display())) {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path.strip_prefix(root()).expect("a path in the workspace").to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The text of a file of the workspace.
pub fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(root().join(path)).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// A token of a source file and the line it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// The line, counted from 1.
    pub line: usize,
}

/// What a token is; a group is flattened into its bracket, its content and the other bracket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name or a keyword.
    Word(String),
    /// One character of punctuation, brackets included.
    Mark(char),
    /// A literal, as it is spelled.
    Literal(String),
}

impl Token {
    /// The name or keyword that this is.
    pub fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    /// Whether this is that character.
    pub fn is(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

/// A source file that ships.
pub struct Source {
    /// From the workspace's folder.
    pub path: PathBuf,
    /// What is left of it without comments, documentation and test code.
    pub tokens: Vec<Token>,
}

impl Source {
    /// A file of this path and text.
    pub fn parse(path: &str, text: &str) -> Self {
        let path = PathBuf::from(path);
        Source { tokens: tokens(text, &path, &mut BTreeSet::new()), path }
    }

    /// Whether the file, or a folder between it and `src`, has this name: `plan.rs` and `plan/any.rs` are both `plan`.
    pub fn is_named(&self, name: &str) -> bool {
        let inside_src = self.path.iter().skip_while(|it| *it != "src");
        inside_src.map(Path::new).any(|it| it.file_stem().is_some_and(|stem| stem == name))
    }
}

/// What ships of a crate: the files in its `src`, but for the modules that only tests have.
pub fn shipped(folder: &str) -> Vec<Source> {
    let mut test_modules = BTreeSet::new();
    let sources: Vec<_> = files(&format!("{folder}/src"), ".rs")
        .into_iter()
        .map(|path| Source { tokens: tokens(&read(&path), &path, &mut test_modules), path })
        .collect();
    sources.into_iter().filter(|source| !test_modules.iter().any(|it| source.is_named(it))).collect()
}

fn tokens(text: &str, path: &Path, test_modules: &mut BTreeSet<String>) -> Vec<Token> {
    let stream: TokenStream = text.parse().unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    let mut tokens = Vec::new();
    flatten(stream, &mut tokens, test_modules);
    tokens
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>, test_modules: &mut BTreeSet<String>) {
    let trees: Vec<_> = stream.into_iter().collect();
    let mut rest = trees.as_slice();
    while let Some((tree, after)) = rest.split_first() {
        if let Some((attribute, after_it)) = attribute(rest) {
            match meaning(&attribute) {
                Attribute::Documentation => rest = after_it,
                Attribute::TestOnly => rest = after_item(after_it, test_modules),
                Attribute::Other => {
                    flatten(attribute, tokens, test_modules);
                    rest = after_it;
                }
            }
            continue;
        }
        rest = after;
        let line = tree.span().start().line;
        match tree {
            TokenTree::Ident(it) => tokens.push(Token { kind: Kind::Word(it.to_string()), line }),
            TokenTree::Punct(it) => tokens.push(Token { kind: Kind::Mark(it.as_char()), line }),
            TokenTree::Literal(it) => tokens.push(Token { kind: Kind::Literal(it.to_string()), line }),
            TokenTree::Group(it) => {
                let (open, close) = match it.delimiter() {
                    Delimiter::Parenthesis => ('(', ')'),
                    Delimiter::Brace => ('{', '}'),
                    Delimiter::Bracket => ('[', ']'),
                    Delimiter::None => (' ', ' '),
                };
                tokens.push(Token { kind: Kind::Mark(open), line });
                flatten(it.stream(), tokens, test_modules);
                tokens.push(Token { kind: Kind::Mark(close), line: it.span_close().start().line });
            }
        }
    }
}

enum Attribute {
    Documentation,
    TestOnly,
    Other,
}

/// The inside of the attribute that `trees` begins with, and what comes after it.
fn attribute(trees: &[TokenTree]) -> Option<(TokenStream, &[TokenTree])> {
    let after_hash = match trees {
        [TokenTree::Punct(hash), TokenTree::Punct(bang), rest @ ..]
            if hash.as_char() == '#' && bang.as_char() == '!' =>
        {
            rest
        }
        [TokenTree::Punct(hash), rest @ ..] if hash.as_char() == '#' => rest,
        _ => return None,
    };
    match after_hash {
        [TokenTree::Group(inside), rest @ ..] if inside.delimiter() == Delimiter::Bracket => {
            Some((inside.stream(), rest))
        }
        _ => None,
    }
}

fn meaning(attribute: &TokenStream) -> Attribute {
    let text = attribute.to_string();
    let words: Vec<_> = text.split(|it: char| !it.is_alphanumeric() && it != '_').filter(|it| !it.is_empty()).collect();
    match words.as_slice() {
        ["doc", ..] => Attribute::Documentation,
        ["cfg", condition @ ..] if condition.contains(&"test") && !condition.contains(&"not") => Attribute::TestOnly,
        ["test"] | ["tokio", "test", ..] => Attribute::TestOnly,
        _ => Attribute::Other,
    }
}

/// What comes after the item that `trees` begins with. Notes the name of a module that lies in a file of its own.
fn after_item<'a>(trees: &'a [TokenTree], test_modules: &mut BTreeSet<String>) -> &'a [TokenTree] {
    let mut rest = trees;
    while let Some((_, after)) = attribute(rest) {
        rest = after;
    }
    if let [TokenTree::Ident(keyword), TokenTree::Ident(name), TokenTree::Punct(_), ..] = rest
        && keyword == "mod"
    {
        test_modules.insert(name.to_string());
    }
    let end = rest.iter().position(|tree| match tree {
        TokenTree::Group(it) => it.delimiter() == Delimiter::Brace,
        TokenTree::Punct(it) => it.as_char() == ';',
        _ => false,
    });
    end.map_or(&[], |end| &rest[end + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Source::parse("sample", text).tokens.iter().filter_map(|it| it.word().map(str::to_owned)).collect()
    }

    #[test]
    fn leaves_out_comments_documentation_and_tests() {
        let text =
            "//! top\n/// doc\nfn a() { /* b */ c } #[cfg(test)] mod t { fn d() {} } #[test] fn e() {} fn f() {}";
        assert_eq!(words(text), ["fn", "a", "c", "fn", "f"]);
    }

    #[test]
    fn keeps_what_only_tests_leave_out() {
        assert_eq!(words("#[cfg(not(test))] fn a() {}"), ["cfg", "not", "test", "fn", "a"]);
    }

    #[test]
    fn sees_into_macros() {
        assert_eq!(words("join!(ecs.list_services().send())"), ["join", "ecs", "list_services", "send"]);
    }

    #[test]
    fn notes_test_modules_in_files_of_their_own() {
        let mut test_modules = BTreeSet::new();
        tokens("#[cfg(test)] mod cases; mod other;", Path::new("sample"), &mut test_modules);
        assert_eq!(test_modules.into_iter().collect::<Vec<_>>(), ["cases"]);
    }
}
