//! Which module of a crate names which other one, read from the sources.
//!
//! `use` is followed through groups, globs and re-exports to the module that declares the item, since what a file
//! depends on is where the item lies and not where it is passed on. Paths in code count like imports.
//! That a module declares its child (`mod child;`) is not a dependency, nor that it passes on what it does not use
//! itself (`pub use child::Item;`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::sources::{Source, Token};

/// A module, as the words of its path: none for the root of the crate, `["plan", "world"]` for `plan/world.rs`.
pub type Module = Vec<String>;

/// That one module names something of another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    /// The module that names something.
    pub from: Module,
    /// The module that declares it.
    pub to: Module,
    /// What is named there, if it is not the module itself.
    pub item: Option<String>,
    /// The file and line of it.
    pub at: String,
}

/// Every arrow between two different modules of a crate. `main.rs` is a crate of its own and left out.
pub fn arrows(sources: &[Source]) -> Vec<Arrow> {
    let files: Vec<File> = sources.iter().filter_map(File::read).collect();
    let modules: BTreeMap<&[String], &File> = files.iter().map(|it| (it.module.as_slice(), it)).collect();
    let mut arrows = BTreeSet::new();
    for file in &files {
        for path in file.paths.iter().filter(|it| !it.only_passed_on) {
            let Some(found) = resolve(&modules, &file.module, &path.words, 0) else { continue };
            if found.module != file.module {
                let at = format!("{}:{}", file.path.display(), path.line);
                arrows.insert(Arrow { from: file.module.clone(), to: found.module, item: found.item, at });
            }
        }
    }
    arrows.into_iter().collect()
}

/// The groups of modules that depend on each other in a circle, each sorted.
pub fn circles(arrows: &[Arrow]) -> Vec<Vec<Module>> {
    let mut reached: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
    for arrow in arrows {
        reached.entry(&arrow.from).or_default().insert(&arrow.to);
    }
    let direct = reached.clone();
    for (_, ends) in reached.iter_mut() {
        let mut fresh: Vec<_> = ends.iter().copied().collect();
        while let Some(next) = fresh.pop() {
            let further = direct.get(next).into_iter().flatten();
            fresh.extend(further.copied().filter(|it| ends.insert(*it)));
        }
    }
    let mutual = |a: &Module, b: &Module| {
        reached.get(a).is_some_and(|it| it.contains(b)) && reached.get(b).is_some_and(|it| it.contains(a))
    };
    let mut circles: Vec<Vec<Module>> = Vec::new();
    for module in reached.keys().filter(|it| mutual(it, it)) {
        match circles.iter_mut().find(|it| mutual(&it[0], module)) {
            Some(circle) => circle.push((*module).clone()),
            None => circles.push(vec![(*module).clone()]),
        }
    }
    circles
}

// -------------------------------------------------------------------------------- files

struct File {
    path: PathBuf,
    module: Module,
    paths: Vec<PathInCode>,
    items: BTreeSet<String>,
}

/// A path as it is spelled: `super::world::Service`, `crate::plan::*`.
struct PathInCode {
    words: Vec<String>,
    /// What an import calls it in this file; `*` for a glob.
    imported_as: Option<String>,
    /// Whether it is only passed on to others (`pub use`), and not used in this file.
    only_passed_on: bool,
    line: usize,
}

impl File {
    fn read(source: &Source) -> Option<Self> {
        let module = module(&source.path)?;
        Some(File { path: source.path.clone(), module, paths: paths(&source.tokens), items: items(&source.tokens) })
    }

    fn imports(&self) -> impl Iterator<Item = (&str, &PathInCode)> {
        self.paths.iter().filter_map(|it| Some((it.imported_as.as_deref()?, it)))
    }
}

/// `src/plan/world.rs` and `src/plan/world/mod.rs` are `plan::world`.
fn module(path: &Path) -> Option<Module> {
    let inside_src = path.iter().skip_while(|it| *it != "src").skip(1);
    let mut words: Module = inside_src.map(|it| it.to_string_lossy().trim_end_matches(".rs").to_owned()).collect();
    match words.last()?.as_str() {
        "main" if words.len() == 1 => return None,
        "lib" | "mod" => drop(words.pop()),
        _ => {}
    }
    Some(words)
}

/// The names that a file declares outside of any braces.
fn items(tokens: &[Token]) -> BTreeSet<String> {
    let mut depth = 0;
    let mut items = BTreeSet::new();
    for pair in tokens.windows(2) {
        match &pair[0] {
            it if it.is('{') => depth += 1,
            it if it.is('}') => depth -= 1,
            _ => {}
        }
        let keyword = pair[0].word().unwrap_or_default();
        if depth == 0 && ["fn", "struct", "enum", "trait", "type", "const", "static"].contains(&keyword) {
            items.extend(pair[1].word().map(str::to_owned));
        }
    }
    items
}

// -------------------------------------------------------------------------------- paths

fn paths(tokens: &[Token]) -> Vec<PathInCode> {
    let mut found = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        if tokens[index].word() == Some("use") {
            let first = found.len();
            let public = index >= 1 && (tokens[index - 1].word() == Some("pub") || tokens[index - 1].is(')'));
            index = import(tokens, index + 1, &[], &mut found);
            for path in found[first..].iter_mut().filter(|_| public) {
                let name = path.imported_as.as_deref();
                // `mod tell; pub use tell::tell;` uses nothing either.
                let uses = (0..tokens.len()).filter(|&at| {
                    tokens[at].word() == name
                        && !is_separator(tokens, at + 1)
                        && (at == 0 || tokens[at - 1].word() != Some("mod"))
                });
                path.only_passed_on = uses.count() <= 1;
            }
        } else if begins_a_path(tokens, index) {
            let (words, after) = words(tokens, index);
            found.push(PathInCode { words, imported_as: None, only_passed_on: false, line: tokens[index].line });
            index = after;
        } else {
            index += 1;
        }
    }
    found
}

fn is_separator(tokens: &[Token], index: usize) -> bool {
    tokens.get(index).is_some_and(|it| it.is(':')) && tokens.get(index + 1).is_some_and(|it| it.is(':'))
}

fn begins_a_path(tokens: &[Token], index: usize) -> bool {
    let inside = index >= 2 && is_separator(tokens, index - 2);
    let visibility = index >= 1 && tokens[index - 1].word() == Some("in");
    tokens[index].word().is_some() && is_separator(tokens, index + 1) && !inside && !visibility
}

/// The words of the path that begins here, and where it ends.
fn words(tokens: &[Token], mut index: usize) -> (Vec<String>, usize) {
    let mut words = Vec::new();
    while let Some(word) = tokens.get(index).and_then(Token::word) {
        words.push(word.to_owned());
        index += 1;
        if !is_separator(tokens, index) {
            break;
        }
        index += 2;
    }
    (words, index)
}

/// Reads one branch of a `use`, below `prefix`; answers where it ends.
fn import(tokens: &[Token], start: usize, prefix: &[String], found: &mut Vec<PathInCode>) -> usize {
    let (own, mut index) = words(tokens, start);
    let line = tokens[start.min(tokens.len() - 1)].line;
    let mut all = [prefix, &own].concat();
    match tokens.get(index) {
        Some(it) if it.is('{') => {
            index += 1;
            while !tokens[index].is('}') {
                index = if tokens[index].is(',') { index + 1 } else { import(tokens, index, &all, found) };
            }
            return index + 1;
        }
        Some(it) if it.is('*') => {
            found.push(PathInCode { words: all, imported_as: Some("*".to_owned()), only_passed_on: false, line });
            return index + 1;
        }
        _ => {}
    }
    if all.len() > 1 && all.last().is_some_and(|it| it == "self") {
        all.pop();
    }
    let mut name = all.last().cloned();
    // `words` has stopped before it: `as` follows a word without a separator.
    if tokens.get(index).and_then(Token::word) == Some("as") {
        name = tokens.get(index + 1).and_then(Token::word).map(str::to_owned);
        index += 2;
    }
    if !all.is_empty() {
        found.push(PathInCode { words: all, imported_as: name, only_passed_on: false, line });
    }
    index.max(start + 1)
}

// -------------------------------------------------------------------------------- resolution

struct Found {
    module: Module,
    item: Option<String>,
}

type Files<'a> = BTreeMap<&'a [String], &'a File>;

/// How many re-exports are followed; more are a circle of their own.
const AT_MOST: usize = 16;

/// Where the thing lies that `words` names inside the module `here`; nothing if it is not of this crate.
fn resolve(files: &Files, here: &[String], words: &[String], depth: usize) -> Option<Found> {
    if depth > AT_MOST {
        return None;
    }
    let mut module = here.to_vec();
    let mut rest = words;
    match words.first()?.as_str() {
        "crate" => (module, rest) = (Module::new(), &words[1..]),
        "self" => rest = &words[1..],
        "super" => {
            while let Some((first, after)) = rest.split_first().filter(|(first, _)| *first == "super") {
                debug_assert_eq!(first, "super");
                module.pop();
                rest = after;
            }
        }
        first => {
            let is_child = files.contains_key([here, &[first.to_owned()]].concat().as_slice());
            let imported = files.get(here)?.imports().any(|(name, it)| name == first && it.words != words);
            if !is_child && !imported {
                return None;
            }
        }
    }
    descend(files, module, rest, depth)
}

fn descend(files: &Files, mut module: Module, mut rest: &[String], depth: usize) -> Option<Found> {
    while let Some((first, after)) = rest.split_first() {
        let child = [module.as_slice(), std::slice::from_ref(first)].concat();
        if files.contains_key(child.as_slice()) {
            (module, rest) = (child, after);
            continue;
        }
        let file = files.get(module.as_slice())?;
        if file.items.contains(first) {
            return Some(Found { module, item: Some(first.clone()) });
        }
        // The item has been passed on: it lies where the import leads.
        if let Some((_, import)) = file.imports().find(|(name, _)| name == first)
            && import.words.first() != Some(first)
            && let Some(found) = resolve(files, &module, &[import.words.as_slice(), after].concat(), depth + 1)
        {
            return Some(found);
        }
        for (_, glob) in file.imports().filter(|(name, _)| *name == "*") {
            let full = [glob.words.as_slice(), rest].concat();
            if let Some(found) = resolve(files, &module, &full, depth + 1)
                && files.get(found.module.as_slice()).is_some_and(|it| it.items.contains(first))
            {
                return Some(found);
            }
        }
        return Some(Found { module, item: Some(first.clone()) });
    }
    Some(Found { module, item: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let sources: Vec<_> = files.iter().map(|(path, text)| Source::parse(&format!("src/{path}"), text)).collect();
        let show = |it: &Module| if it.is_empty() { "crate".to_owned() } else { it.join("::") };
        let mut found: Vec<_> =
            arrows(&sources).iter().map(|it| format!("{} -> {}", show(&it.from), show(&it.to))).collect();
        found.dedup();
        assert_eq!(found, expected);
    }

    const EMPTY: [(&str, &str); 3] = [("lib.rs", ""), ("plan/world.rs", "pub struct World;"), ("ecs.rs", "")];

    #[track_caller]
    fn check_in_plan(text: &str, expected: &[&str]) {
        check(&[EMPTY.as_slice(), &[("plan.rs", text)]].concat(), expected);
    }

    #[test]
    fn declaring_a_module_is_not_an_arrow() {
        check_in_plan("mod world; pub mod other;", &[]);
    }

    #[test]
    fn imports_are_arrows() {
        check_in_plan("use crate::ecs; use std::fmt; use rules::world::World;", &["plan -> ecs"]);
        check_in_plan("use super::ecs::list;", &["plan -> ecs"]);
        check_in_plan("use self::world::World;", &["plan -> plan::world"]);
        check_in_plan("use world::World as W;", &["plan -> plan::world"]);
        check_in_plan("use crate::{ecs::{self, x}, plan::world::*};", &["plan -> ecs", "plan -> plan::world"]);
    }

    #[test]
    fn paths_in_code_are_arrows() {
        check_in_plan(
            "fn f(it: &super::ecs::X) { crate::plan::world::g::<u8>() }",
            &["plan -> ecs", "plan -> plan::world"],
        );
        check_in_plan("pub(in crate::ecs) fn f() { std::mem::drop(x); a.super_name() }", &[]);
    }

    #[test]
    fn a_name_that_was_imported_leads_where_the_import_leads() {
        check_in_plan("use crate::ecs as e; fn f() { e::g() }", &["plan -> ecs"]);
    }

    #[test]
    fn what_is_passed_on_lies_where_it_is_declared() {
        check(
            &[
                ("lib.rs", "mod plan; mod ecs; pub use plan::World;"),
                ("plan.rs", "mod world; pub(crate) use world::*;"),
                ("plan/world.rs", "pub struct World;"),
                ("ecs.rs", "use crate::World; use crate::plan::World as W;"),
            ],
            &["ecs -> plan::world"],
        );
    }

    #[test]
    fn passing_on_is_an_arrow_only_where_the_item_is_used_too() {
        check_in_plan("pub use world::World;", &[]);
        check_in_plan("mod world; pub use world::world;", &[]);
        check_in_plan("pub use world::World; fn f() { World::new() }", &["plan -> plan::world"]);
        check_in_plan("pub(crate) use world::World; fn f(_: World) {}", &["plan -> plan::world"]);
        check_in_plan("use world::World;", &["plan -> plan::world"]);
    }

    #[test]
    fn tests_do_not_count() {
        check_in_plan("#[cfg(test)] mod tests { use crate::ecs; }", &[]);
    }

    #[test]
    fn a_circle_is_found_over_several_modules() {
        let arrow = |from: &str, to: &str| Arrow {
            from: vec![from.to_owned()],
            to: vec![to.to_owned()],
            item: None,
            at: String::new(),
        };
        let all = [arrow("a", "b"), arrow("b", "c"), arrow("c", "a"), arrow("c", "d"), arrow("e", "a")];
        assert_eq!(circles(&all), [[["a"], ["b"], ["c"]]]);
        assert_eq!(circles(&all[1..]), Vec::<Vec<Module>>::new());
    }
}
