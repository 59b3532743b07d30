//! Who may import whom, and what stands in one place only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use nightshift_tests::calls::{cargo, metadata};
use nightshift_tests::modules::{Arrow, Module, arrows, circles};
use nightshift_tests::sources::{Kind, Source, Token, files, folders, read, root, shipped};
use serde_json::Value;

/// The crates of the workspace that each shared crate may import.
///
/// `preview` lies above the functions and may import each: it is a program for a person's own machine, runs the dry run
/// of all of them, and nothing imports it.
const SHARED: [(&str, &[&str]); 11] = [
    ("rules", &[]),
    ("choose", &["rules"]),
    ("reconcile", &[]),
    ("aws", &["rules"]),
    ("board", &["reconcile", "rules"]),
    ("fuzz", &[]),
    ("gates", &["choose", "reconcile", "rules"]),
    ("preview", &["aws", "board", "reconcile", "rules", "runtime"]),
    ("registry", &["aws", "choose", "gates", "rules"]),
    ("runtime", &["aws", "reconcile", "rules"]),
    ("testkit", &["aws", "reconcile", "rules", "runtime"]),
];

/// The crates that never ship.
const FOR_TESTS: [&str; 2] = ["fuzz", "testkit"];

/// The crates of the workspace that a function may import.
const FOR_FUNCTIONS: [&str; 8] = ["aws", "board", "choose", "gates", "reconcile", "registry", "rules", "runtime"];

/// The crates that do no I/O, and so may be neither asynchronous nor know AWS.
const PURE: [&str; 5] = ["board", "choose", "gates", "reconcile", "rules"];

/// The calls that only `runtime` makes; `clippy.toml` forbids them elsewhere.
const CLOCK_AND_ENVIRONMENT: [&str; 4] =
    ["jiff::Zoned::now", "jiff::Timestamp::now", "std::env::var", "std::time::SystemTime::now"];

// -------------------------------------------------------------------------------- crates

struct Dependency {
    of: String,
    on: String,
    only_for_tests: bool,
}

fn dependencies() -> Vec<Dependency> {
    let metadata = metadata(&["--no-deps"]);
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    let text = |it: &Value| it.as_str().expect("a name").to_owned();
    packages
        .iter()
        .flat_map(|package| {
            let dependencies = package["dependencies"].as_array().expect("a list").iter();
            dependencies.map(|it| Dependency {
                of: text(&package["name"]),
                on: text(&it["name"]),
                only_for_tests: it["kind"] == "dev",
            })
        })
        .collect()
}

#[test]
fn crates_import_only_what_lies_below_them() {
    let functions = folders("functions");
    let shared: BTreeMap<_, _> = SHARED.into_iter().collect();
    assert_eq!(shared.keys().copied().collect::<Vec<_>>(), folders("shared"), "SHARED names the folders of shared/");

    let ours = |name: &String| shared.contains_key(name.as_str()) || functions.contains(name);
    let mut wrong = Vec::new();
    for Dependency { of, on, only_for_tests } in dependencies().into_iter().filter(|it| ours(&it.on)) {
        let allowed = match shared.get(of.as_str()) {
            _ if only_for_tests && FOR_TESTS.contains(&on.as_str()) => true,
            _ if of == "preview" && functions.contains(&on) => true,
            Some(below) => below.contains(&on.as_str()),
            None if functions.contains(&of) => FOR_FUNCTIONS.contains(&on.as_str()),
            None => true,
        };
        if !allowed {
            wrong.push(format!("{of} must not depend on {on}"));
        }
    }
    assert_none(wrong);
}

/// A preview that leaves a function out would say that nothing happens. The board only shows what the others would do, and
/// a button only sends a command to one of them.
#[test]
fn a_preview_runs_every_function() {
    let runs = read("shared/preview/src/functions.rs");
    let plans =
        folders("functions").into_iter().filter(|it| !["press-button", "report-operations"].contains(&it.as_str()));
    let missing = plans.filter(|it| !runs.contains(&format!("run!(\"{it}\", ")));
    assert_none(missing.map(|it| format!("shared/preview/src/functions.rs does not run {it}")).collect());
}

/// Lambda gives a function its credentials in variables; what signs a person in would only be weight.
#[test]
fn no_function_is_built_with_what_signs_a_person_in() {
    let mut wrong = Vec::new();
    for function in folders("functions") {
        let tree = String::from_utf8(cargo(&[
            "tree",
            "--offline",
            "--edges=normal",
            "--prefix=none",
            "--format={p} [{f}]",
            "--package",
            &function,
        ]))
        .expect("cargo prints UTF-8");
        let config = tree.lines().find(|it| it.starts_with("aws-config ")).expect("every function has a configuration");
        if config.contains("sso") || tree.contains("aws-sdk-sso") {
            wrong.push(format!("{function} is built with {config}"));
        }
    }
    assert_none(wrong);
}

#[test]
fn pure_crates_know_neither_aws_nor_tokio() {
    let impure =
        |name: &str| ["aws", "lambda", "tokio", "hyper", "reqwest", "ureq"].iter().any(|it| name.starts_with(it));
    let wrong = dependencies()
        .into_iter()
        .filter(|it| PURE.contains(&it.of.as_str()) && !it.only_for_tests && impure(&it.on))
        .map(|it| format!("{} is pure and must not depend on {}", it.of, it.on))
        .collect();
    assert_none(wrong);
}

#[test]
fn versions_are_stated_once() {
    let manifest = |path: &str| read(path).parse::<toml::Table>().unwrap_or_else(|err| panic!("{path}: {err}"));
    let workspace = manifest("Cargo.toml");
    let stated = workspace["workspace"]["dependencies"].as_table().expect("a table");

    let mut wrong = Vec::new();
    let mut users = BTreeMap::<String, BTreeSet<String>>::new();
    for folder in crates().into_iter().chain(["tests".to_owned()]) {
        let path = format!("{folder}/Cargo.toml");
        let manifest = manifest(&path);
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = manifest.get(kind).and_then(toml::Value::as_table) else { continue };
            for (name, dependency) in dependencies {
                let inherited = dependency.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                if !inherited && stated.contains_key(name) {
                    wrong.push(format!("{path} states {name} anew; write `{name}.workspace = true`"));
                } else if !inherited {
                    users.entry(name.clone()).or_default().insert(path.clone());
                }
            }
        }
    }
    for (name, users) in users.into_iter().filter(|(_, users)| users.len() > 1) {
        wrong.push(format!("{name} is stated in {users:?}; state it in the workspace's Cargo.toml"));
    }
    assert_none(wrong);
}

/// The folders of the crates that ship, and of those for tests.
fn crates() -> Vec<String> {
    ["functions", "shared"]
        .iter()
        .flat_map(|it| folders(it).into_iter().map(move |name| format!("{it}/{name}")))
        .collect()
}

// -------------------------------------------------------------------------------- sources

/// What ships: everything but the crates for tests. Read once for all tests.
fn sources() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    let for_tests = |it: &str| FOR_TESTS.iter().any(|name| it.strip_prefix("shared/") == Some(name));
    SOURCES.get_or_init(|| crates().iter().filter(|it| !for_tests(it)).flat_map(|it| shipped(it)).collect())
}

#[test]
fn plans_know_nothing_but_rules_and_reconcile() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|it| it.path.starts_with("functions") && it.is_named("plan")) {
        for token in crate_roots(&source.tokens) {
            let name = token.word().expect("a root is a word");
            if ["aws", "runtime", "tokio", "futures_util", "lambda_runtime"].contains(&name) || name.starts_with("aws_")
            {
                wrong.push(format!("{}:{} uses {name}", source.path.display(), token.line));
            }
        }
    }
    assert_none(wrong);
}

/// The words that a path begins with: `aws_sdk_ecs` in `aws_sdk_ecs::Client` and in `use aws_sdk_ecs as sdk`.
fn crate_roots(tokens: &[Token]) -> impl Iterator<Item = &Token> {
    (0..tokens.len())
        .filter(|&index| {
            let inside_a_path = index >= 2 && tokens[index - 1].is(':') && tokens[index - 2].is(':');
            let begins_one = tokens.get(index + 1).is_some_and(|it| it.is(':'))
                && tokens.get(index + 2).is_some_and(|it| it.is(':'));
            let imported = index >= 1 && tokens[index - 1].word() == Some("use");
            tokens[index].word().is_some() && !inside_a_path && (begins_one || imported)
        })
        .map(|index| &tokens[index])
}

/// What every module may name of the root of its crate: what a run works with. It stands where the reader begins,
/// and so above the modules that take it.
const OF_THE_ROOT: &str = "Clients";

fn module_arrows(folder: &str) -> Vec<Arrow> {
    let all = arrows(&shipped(folder)).into_iter();
    all.filter(|it| !(it.to.is_empty() && it.item.as_deref() == Some(OF_THE_ROOT))).collect()
}

fn spelled(module: &Module) -> String {
    if module.is_empty() { "lib".to_owned() } else { module.join("::") }
}

#[test]
fn no_modules_of_a_crate_depend_on_each_other_in_a_circle() {
    let mut wrong = Vec::new();
    for folder in crates() {
        let arrows = module_arrows(&folder);
        for circle in circles(&arrows) {
            wrong.push(format!("{folder}: a circle of {}", circle.iter().map(spelled).collect::<Vec<_>>().join(", ")));
            let inside = arrows.iter().filter(|it| circle.contains(&it.from) && circle.contains(&it.to));
            wrong.extend(inside.map(|it| {
                let item = it.item.as_deref().unwrap_or("itself");
                format!("    {} names {item} of {} ({})", spelled(&it.from), spelled(&it.to), it.at)
            }));
        }
    }
    assert_none(wrong);
}

#[test]
fn a_plan_names_nothing_of_its_crate_but_the_plan() {
    let is_plan = |it: &Module| it.first().is_some_and(|it| it == "plan");
    let is_world = |it: &Module| it.starts_with(&["plan".to_owned(), "world".to_owned()]);
    let mut wrong = Vec::new();
    for name in folders("functions").iter().map(|it| format!("functions/{it}")) {
        for arrow in module_arrows(&name) {
            if is_plan(&arrow.from) && !is_plan(&arrow.to) {
                wrong.push(format!("{}: a plan must not name {}", arrow.at, spelled(&arrow.to)));
            } else if is_world(&arrow.from) && !is_world(&arrow.to) {
                wrong.push(format!("{}: what was observed must not name {}", arrow.at, spelled(&arrow.to)));
            }
        }
    }
    // Not even by a detour: what `request` imports from the plan is the plan's.
    for source in sources().iter().filter(|it| it.path.starts_with("functions") && it.is_named("plan")) {
        for at in source.tokens.windows(4).filter(|at| at[0].word() == Some("crate") && at[1].is(':') && at[2].is(':'))
        {
            if at[3].word() != Some("plan") {
                wrong.push(format!("{}:{}: a plan names crate::plan only", source.path.display(), at[0].line));
            }
        }
    }
    assert_none(wrong);
}

// -------------------------------------------------------------------------------- sizes

/// The most lines of a function's `lib.rs`: its README, its modules, its clients and `handle`.
const STORY: usize = 75;

/// The most lines that ship of a file. What is longer holds two things, and mostly in the wrong order.
const LONGEST: usize = 350;

#[test]
fn the_story_of_a_function_fits_on_a_screen_or_two() {
    let stories = folders("functions").into_iter().map(|it| format!("functions/{it}"));
    let wrong = stories.filter_map(|folder| {
        let lines = read(format!("{folder}/src/lib.rs")).lines().count();
        (lines > STORY).then(|| format!("{folder}/src/lib.rs has {lines} lines, more than {STORY}"))
    });
    assert_none(wrong.collect());
}

#[test]
fn shipped_files_stay_short() {
    let wrong = sources().iter().filter_map(|source| {
        let path = source.path.to_string_lossy();
        // Tests at the end of a file do not ship.
        let text = read(&source.path);
        let lines = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines().count();
        (lines > LONGEST).then(|| format!("{path} has {lines} lines that ship, more than {LONGEST}"))
    });
    assert_none(wrong.collect());
}

/// A file that no module names is not compiled, and its tests pass for ever.
#[test]
fn every_file_is_part_of_its_crate() {
    let kinds = ["functions", "shared"];
    let crates = kinds.iter().flat_map(|kind| folders(kind).into_iter().map(move |it| format!("{kind}/{it}")));
    let mut wrong = Vec::new();
    for file in crates.flat_map(|it| files(&format!("{it}/src"), ".rs")) {
        let name = file.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let folder = file.parent().expect("it lies in a folder");
        if ["lib", "main"].contains(&name.as_str()) || folder.ends_with("src/bin") {
            continue;
        }
        let above = match folder.ends_with("src") {
            true => vec![folder.join("lib.rs"), folder.join("main.rs")],
            false => vec![folder.with_extension("rs")],
        };
        let names = |it: &PathBuf| read(it).contains(&format!("mod {name};"));
        if !above.iter().filter(|it| root().join(it).exists()).any(names) {
            wrong.push(format!("{} is a module of nothing", file.display()));
        }
    }
    assert_none(wrong);
}

// -------------------------------------------------------------------------------- one of each thing

#[test]
fn services_are_described_in_batches_in_one_place() {
    let is_call = |tokens: &[Token], at: usize| {
        tokens[at].is('.') && tokens.get(at + 1).and_then(Token::word) == Some("describe_services")
    };
    let mut places = Vec::new();
    for source in sources() {
        let tokens = &source.tokens;
        let calls = (0..tokens.len()).filter(|&at| is_call(tokens, at));
        places.extend(calls.map(|at| format!("{}:{}", source.path.display(), tokens[at].line)));
    }
    assert!(places.len() == 1 && places[0].starts_with("shared/aws/src/ecs.rs"), "{places:?}");
}

/// What writes a line into the log at the level that stacks log at, or past it.
const SAYS: [&str; 7] = ["info", "event", "span", "println", "print", "eprintln", "eprint"];

/// A sweep with nothing to do is one line, which counts what was left alone: the runtime writes it. A function that said
/// something by itself would say it of each of a hundred services, every five minutes.
#[test]
fn a_run_is_logged_by_the_runtime_alone() {
    let own = ["shared/runtime", "shared/preview"];
    let others = sources().iter().filter(|it| own.iter().all(|own| !it.path.starts_with(own)));
    let wrong = others.flat_map(|source| {
        source.tokens.windows(2).filter_map(|it| {
            let macro_ = it[0].word().filter(|word| it[1].is('!') && SAYS.contains(word))?;
            Some(format!("{}:{} logs by {macro_}!, which is for the runtime", source.path.display(), it[0].line))
        })
    });
    assert_none(wrong.collect());
}

/// What an HTTP client of the SDK that only pretends is made with.
const PRETENDED: [&str; 4] = ["infallible_client_fn", "StaticReplayClient", "ReplayEvent", "capture_request"];

#[test]
fn aws_is_scripted_in_one_place() {
    let sources = ["functions", "shared"].into_iter().flat_map(|it| files(it, ".rs"));
    let pretends = |path: &PathBuf| PRETENDED.iter().any(|it| read(path).contains(it));
    let places: Vec<String> = sources.filter(pretends).map(|it| it.display().to_string()).collect();
    assert_eq!(places, ["shared/testkit/src/scripted.rs"]);
}

#[test]
fn a_python_package_has_one_version_in_what_is_deployed_and_what_is_tested() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files("tests/local-aws", ".txt").into_iter().chain(files("deploy", ".txt")) {
        for line in read(file).lines().filter(|it| !it.starts_with('#')) {
            let (package, version) = line.split_once("==").unwrap_or_else(|| panic!("{line} is not pinned"));
            versions.entry(package.to_owned()).or_default().insert(version.to_owned());
        }
    }
    assert!(versions.contains_key("aws-sam-translator"), "{versions:?}");
    assert_none(versions.iter().filter(|(_, it)| it.len() > 1).map(|it| format!("{it:?}")).collect());
}

/// `sam build`, `cargo lambda build` and `cargo lambda watch` build one function after the other. A feature that only one
/// of them turns on in a crate of the SDK, or below it, compiles the whole SDK once more, which takes minutes.
#[test]
fn functions_are_built_from_the_same_crates_of_the_sdk() {
    let sdk = below_the_sdk();
    let mut features: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for function in folders("functions") {
        for (package, with) in built_with(&function) {
            let name = package.split(' ').next().unwrap_or_default();
            if sdk.contains(name) {
                features.entry(package).or_default().entry(with).or_default().push(function.clone());
            }
        }
    }
    assert!(features.len() > 100, "{features:?}");
    assert_none(features.into_iter().filter(|(_, it)| it.len() > 1).map(|it| format!("{it:?}")).collect());
}

/// The names of the crates of the SDK and of all that they depend on.
fn below_the_sdk() -> BTreeSet<String> {
    let metadata = metadata(&["--locked"]);
    let list = |it: &Value| it.as_array().cloned().unwrap_or_default();
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let names: BTreeMap<String, String> =
        list(&metadata["packages"]).iter().map(|it| (text(&it["id"]), text(&it["name"]))).collect();
    let nodes: BTreeMap<String, Value> =
        list(&metadata["resolve"]["nodes"]).into_iter().map(|it| (text(&it["id"]), it)).collect();
    let mut below = BTreeSet::new();
    let mut next: Vec<&String> = names.iter().filter(|(_, name)| name.starts_with("aws-")).map(|(id, _)| id).collect();
    while let Some(id) = next.pop() {
        if !below.insert(id) {
            continue;
        }
        for dependency in nodes[id]["deps"].as_array().into_iter().flatten() {
            let is_for_tests = list(&dependency["dep_kinds"]).iter().all(|it| it["kind"] == "dev");
            if let Some((id, _)) = names.get_key_value(&text(&dependency["pkg"])).filter(|_| !is_for_tests) {
                next.push(id);
            }
        }
    }
    below.into_iter().map(|id| names[id].clone()).collect()
}

/// The crates that a function alone is built from, each with its features.
fn built_with(function: &str) -> BTreeSet<(String, String)> {
    let mut tree = Command::new(env!("CARGO"));
    tree.current_dir(root()).args(["tree", "--locked", "--package", function]);
    tree.args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}|{f}"]);
    let output = tree.output().expect("cargo tree starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let pairs = text.lines().filter_map(|it| it.trim_end_matches(" (*)").split_once('|'));
    pairs.map(|(package, features)| (package.to_owned(), features.to_owned())).collect()
}

#[test]
fn actions_of_the_workflow_are_pinned_by_commit() {
    let mut wrong = Vec::new();
    let mut pinned = 0;
    for file in files(".github", ".yml") {
        let file = file.display().to_string();
        for line in read(&file).lines().filter(|it| it.contains("uses:") && !it.contains("./")) {
            let commit = line.split('@').nth(1).and_then(|it| it.split(' ').next()).unwrap_or_default();
            let is_commit = commit.len() == 40 && commit.bytes().all(|it| it.is_ascii_hexdigit());
            match is_commit && line.contains("# v") {
                true => pinned += 1,
                false => wrong.push(format!("{file}: {}", line.trim())),
            }
        }
    }
    assert_none(wrong);
    assert!(pinned >= 3, "only {pinned} actions were found");
}

#[test]
fn functions_and_shared_crates_are_apart_in_the_sources_too() {
    let functions: BTreeSet<_> = folders("functions").into_iter().map(|it| it.replace('-', "_")).collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let own = source.path.iter().nth(1).expect("the folder of a crate").to_string_lossy().replace('-', "_");
        for token in crate_roots(&source.tokens) {
            let name = token.word().expect("a root is a word");
            let is_main = source.is_named("main") && name == own;
            if functions.contains(name) && !is_main && own != "preview" || FOR_TESTS.contains(&name) {
                wrong.push(format!("{}:{} uses {name}", source.path.display(), token.line));
            }
        }
    }
    assert_none(wrong);
}

#[test]
fn tag_names_stand_in_rules_alone() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|it| !it.path.starts_with("shared/rules")) {
        for token in &source.tokens {
            if let Kind::Literal(text) = &token.kind
                && (text.contains("nightshift:") || text.contains("nightshift-state:"))
            {
                wrong.push(format!("{}:{} spells a tag in {text}", source.path.display(), token.line));
            }
        }
    }
    assert_none(wrong);
}

// -------------------------------------------------------------------------------- clock and environment

/// A command in a text is neither quoted for the shell, nor does it name the region, nor can it be pasted: what people
/// send is a `CommandLine`, an `Undo` or a `Choice`. The forms that a refusal lists are in `request.rs`.
#[test]
fn no_text_spells_a_command() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|it| !it.is_named("request") && !it.path.starts_with("shared/preview")) {
        let literals = source.tokens.iter().filter_map(|it| match &it.kind {
            Kind::Literal(text) => Some((it.line, text)),
            _ => None,
        });
        let spelled = literals.filter(|(_, text)| command_in(text));
        wrong.extend(spelled.map(|(line, text)| format!("{}:{line}: {text}", source.path.display())));
    }
    assert_none(wrong);
}

/// Whether a text holds a call of the AWS CLI or an object with a name and another object, as commands are.
fn command_in(text: &str) -> bool {
    let text = text.replace("\\\n", " ").replace("\\\"", "\"").replace("{{", "{");
    let words: Vec<&str> = text.split(|it: char| it.is_whitespace() || it == '`' || it == '"').collect();
    let is_call = |it: &[&str]| it[0] == "aws" && it[2].contains('-') && !it[1].is_empty();
    // Where another object begins in it, the text was split.
    let is_object = |it: &str| {
        it.split_once("\":").is_some_and(|(name, rest)| {
            let value = rest.trim_start();
            (value.is_empty() || value.starts_with(['{', '"']))
                && name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_')
        })
    };
    words.windows(3).any(is_call) || text.split("{\"").skip(1).any(is_object)
}

#[test]
fn a_command_in_a_text_is_found() {
    for text in
        ["deploy it with aws ecs update-service --cluster c", "send {\\\"approve\\\":{\\\"service\\\":\\\"a\\\"}}"]
    {
        assert!(command_in(text), "{text}");
    }
    for text in
        ["aws", "the aws account of a well-known team", "look at it with {\\\"dry_run\\\":true}", "{name}: {why}"]
    {
        assert!(!command_in(text), "{text}");
    }
}

#[test]
fn clippy_forbids_the_clock_and_the_environment() {
    let settings: toml::Table = read("clippy.toml").parse().expect("clippy.toml is TOML");
    let forbidden = settings["disallowed-methods"].as_array().expect("a list");
    let mut wrong = Vec::new();
    for call in CLOCK_AND_ENVIRONMENT {
        let entry = forbidden.iter().find(|it| it.get("path").and_then(toml::Value::as_str) == Some(call));
        match entry.map(|it| it.get("reason").is_some()) {
            None => wrong.push(format!("clippy.toml does not forbid {call}")),
            Some(false) => wrong.push(format!("clippy.toml does not say why it forbids {call}")),
            Some(true) => {}
        }
    }
    assert_none(wrong);

    let workspace: toml::Table = read("Cargo.toml").parse().expect("Cargo.toml is TOML");
    assert_eq!(workspace["workspace"]["lints"]["clippy"]["disallowed_methods"].as_str(), Some("deny"));
}

#[test]
fn only_the_runtime_is_excused() {
    let excused = |source: &Source| source.tokens.iter().any(|it| it.word() == Some("disallowed_methods"));
    let wrong = sources()
        .iter()
        .filter(|it| !it.path.starts_with("shared/runtime") && excused(it))
        .map(|it| format!("{} switches disallowed_methods off", it.path.display()))
        .collect();
    assert_none(wrong);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for folder in crates().into_iter().chain(["tests".to_owned()]) {
        let manifest: toml::Table = read(format!("{folder}/Cargo.toml")).parse().expect("a manifest is TOML");
        let inherits = manifest.get("lints").and_then(|it| it.get("workspace")).and_then(toml::Value::as_bool);
        assert_eq!(inherits, Some(true), "{folder}");
    }
}

#[test]
fn every_bootstrap_is_linked_at_a_fixed_address() {
    let functions = crates().into_iter().filter(|it| it.starts_with("functions/"));
    for folder in functions {
        let manifest: toml::Table = read(format!("{folder}/Cargo.toml")).parse().expect("a manifest is TOML");
        let build = manifest["package"].get("build").and_then(toml::Value::as_str);
        assert_eq!(build, Some("../build.rs"), "{folder}: see docs/decisions/0012-linked-at-a-fixed-address.md");
    }
}

#[test]
fn what_is_deployed_is_built_at_a_fixed_address_for_the_oldest_processors_of_lambda() {
    let config: toml::Table = read(".cargo/config.toml").parse().expect("the settings of cargo are TOML");
    let script = read("deploy/build.sh");
    let targets: Vec<&str> = script.split("target=").skip(1).filter_map(|it| it.split(' ').next()).collect();
    assert_eq!(targets, ["aarch64-unknown-linux-musl", "x86_64-unknown-linux-musl"]);
    for (target, processor) in targets.iter().zip(["neoverse-n1", "haswell"]) {
        let flags = config["target"].get(*target).and_then(|it| it.get("rustflags")).and_then(toml::Value::as_array);
        let flags: Vec<&str> = flags.into_iter().flatten().filter_map(toml::Value::as_str).collect();
        for wanted in ["relocation-model=static".to_owned(), format!("target-cpu={processor}")] {
            assert!(flags.contains(&wanted.as_str()), "{target}: see docs/decisions/0013-static-bootstraps.md");
        }
    }
}

#[track_caller]
fn assert_none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
