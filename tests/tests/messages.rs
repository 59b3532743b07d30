//! What people are sent: every message once in docs/messages.md, short, with a link and what to do; every command runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use nightshift_tests::sources::{Kind, Source, folders, read, root, shipped};
use serde_json::Value;
use testkit::{LocalAws, Options};

const PAGE: &str = "docs/messages.md";

/// Makes the page anew, where the environment says so.
const RENEW: &str = "NIGHTSHIFT_RENEW=1 cargo test -p nightshift-tests --test messages";

/// A message of a plan that a test of a function has made.
#[derive(Clone)]
struct Told {
    function: String,
    /// Its problems and actions.
    about: Vec<String>,
    kind: String,
    subject: String,
    text: String,
    card: Value,
}

/// What the tests of the functions' decisions tell, and every command in it.
struct Gathered {
    told: Vec<Told>,
    commands: BTreeSet<String>,
}

/// Runs the tests of the decisions, which keep what people would be told. Their order is that of the names of the tests.
fn gathered() -> &'static Gathered {
    static GATHERED: OnceLock<Result<Gathered, String>> = OnceLock::new();
    let gathered = GATHERED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("messages");
        let _ = fs::remove_dir_all(&folder);
        let mut tests = Command::new(env!("CARGO"));
        tests.current_dir(root()).args(["test", "--quiet", "--lib"]).env("NIGHTSHIFT_MESSAGES", &folder);
        // Random plans are another page each time.
        tests.env("PROPTEST_CASES", "0");
        // With these the crates of the SDK are the ones that these tests are linked with.
        tests.args(["--package", "nightshift-tests", "--package", "testkit", "--features", "testkit/scripted"]);
        for function in folders("functions") {
            tests.args(["--package", &function]);
        }
        let output = tests.args(["--", "plan::tests", "--skip", "laws"]).output().expect("cargo starts");
        if !output.status.success() {
            return Err([&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it)).concat());
        }
        let mut files: Vec<PathBuf> =
            fs::read_dir(&folder).expect("tests kept messages").map(|it| it.expect("a file").path()).collect();
        files.sort();
        let mut gathered = Gathered { told: Vec::new(), commands: BTreeSet::new() };
        for file in files {
            for line in fs::read_to_string(&file).expect("lines").lines() {
                gathered.add(&serde_json::from_str(line).expect("JSON"));
            }
        }
        Ok(gathered)
    });
    match gathered {
        Ok(gathered) => gathered,
        Err(said) => panic!("the tests of the decisions fail: {said}"),
    }
}

impl Gathered {
    fn add(&mut self, line: &Value) {
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let texts = |name: &str| {
            let all = line[name].as_array().into_iter().flatten();
            all.filter_map(|it| it.as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        self.commands.extend(texts("commands"));
        if line["text"].is_string() {
            self.told.push(Told {
                function: text("function"),
                about: texts("about"),
                kind: text("kind"),
                subject: text("subject"),
                text: text("text"),
                card: line["card"].clone(),
            });
        }
    }

    /// Every message once: for each problem and each action the shortest list of things that holds it.
    fn catalogue(&self) -> Vec<&Told> {
        let mut all: Vec<&Told> = self.told.iter().collect();
        all.sort_by_key(|it| it.about.len());
        let mut shown = BTreeSet::new();
        all.retain(|it| {
            let keys = it.about.iter().map(|about| (it.function.clone(), it.kind.clone(), about.clone()));
            // All of them, whatever the first one says.
            keys.fold(false, |is_new, key| shown.insert(key) | is_new)
        });
        all.sort_by(|a, b| (&a.function, order(&a.kind), &a.about).cmp(&(&b.function, order(&b.kind), &b.about)));
        all
    }
}

fn order(kind: &str) -> usize {
    ["needs-you", "failed", "changed", "routine"].iter().position(|it| *it == kind).unwrap_or(4)
}

fn median(mut lengths: Vec<usize>) -> usize {
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied().unwrap_or_default()
}

fn page(catalogue: &[&Told]) -> String {
    let mut page = format!(
        "# Messages\n\nEvery message that people can get, with its subject, as e-mail.\nThe names are those of tests. \
         This page is made of the tests of the decisions; renew it with\n\n```\n{RENEW}\n```\n\n{} messages; half of \
         them are no longer than {} characters.\n",
        catalogue.len(),
        median(catalogue.iter().map(|it| it.text.chars().count()).collect()),
    );
    let mut before = (String::new(), String::new());
    for it in catalogue {
        if before.0 != it.function {
            let _ = write!(page, "\n## {}\n", it.function);
        }
        if before != (it.function.clone(), it.kind.clone()) {
            let _ = write!(page, "\n### {}: {}\n", it.function, it.kind);
        }
        before = (it.function.clone(), it.kind.clone());
        let _ = write!(page, "\n`{}`\n\n```\nSubject: {}\n\n{}```\n", it.about.join("`, `"), it.subject, it.text);
    }
    page
}

#[expect(clippy::disallowed_methods, reason = "a person says in the environment that the page is made anew")]
fn renews() -> bool {
    std::env::var_os("NIGHTSHIFT_RENEW").is_some()
}

#[test]
fn the_page_of_messages_is_what_the_tests_tell() {
    let page = page(&gathered().catalogue());
    if renews() {
        return fs::write(root().join(PAGE), page).expect("the page can be written");
    }
    let there = fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    let differs = there.lines().zip(page.lines()).find(|(there, made)| there != made);
    assert!(there == page, "{PAGE} is stale, first at {differs:?}; renew it with: {RENEW}");
}

#[test]
fn every_message_is_of_one_kind_has_a_link_and_says_what_to_do() {
    let catalogue = gathered().catalogue();
    let mut wrong = Vec::new();
    for it in &catalogue {
        let lines: Vec<&str> = it.text.lines().collect();
        let headline = lines.first().copied().unwrap_or_default();
        if order(&it.kind) > 3 || it.card["content"]["keywords"][0] != it.kind.as_str() {
            wrong.push(format!("{} has no kind", it.subject));
        }
        if !lines.iter().any(|it| it.contains(": https://")) {
            wrong.push(format!("{} has no link\n{}", it.subject, it.text));
        }
        // A command, a second sentence, or what is accepted; more than the name and what is wrong with it.
        let says = lines.iter().skip(1).take_while(|it| !it.contains(": https://"));
        let says = says.filter(|it| !it.is_empty() && !it.starts_with("Problem: ")).count();
        let what = headline.split_once(": ").map_or(headline, |(_, what)| what);
        if order(&it.kind) < 2 && says == 0 && !what.contains([':', ';', ',']) {
            wrong.push(format!("{} does not say what to do\n{}", it.subject, it.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let median = median(catalogue.iter().map(|it| it.text.chars().count()).collect());
    assert!(median <= 500, "half of the messages are longer than {median} characters");
}

/// What is not a name: words alone, with a hyphen, a slash or a colon in none of them.
#[test]
fn what_to_do_begins_with_a_capital() {
    let mut wrong = BTreeSet::new();
    for it in &gathered().told {
        let lines: Vec<&str> = it.text.lines().collect();
        // The headline of a problem begins with a name, and stands after an empty line or first.
        let told = lines.windows(3).filter(|it| !it[0].is_empty() && it[2].starts_with("Problem: ")).map(|it| it[1]);
        let is_word = |it: &str| it.bytes().all(|it| it.is_ascii_lowercase());
        let first = |it: &str| it.split([' ', ',']).next().unwrap_or_default().trim_end_matches(':').to_owned();
        wrong.extend(told.filter(|it| !it.is_empty() && is_word(&first(it))));
    }
    assert!(wrong.is_empty(), "their first words are missing in OPENINGS of reconcile's headline.rs: {wrong:#?}");
}

/// The lines that a person can paste.
fn pasteable(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|it| it.starts_with("printf %s ") || it.starts_with("aws "))
}

#[test]
fn no_message_holds_a_command_twice_or_two_that_are_called_the_same() {
    let mut wrong = Vec::new();
    // Of every message that a test tells, not only of those on the page.
    for it in &gathered().told {
        let commands: Vec<&str> = pasteable(&it.text).collect();
        let labels: Vec<&str> = it
            .text
            .lines()
            .zip(it.text.lines().skip(1))
            .filter(|(_, it)| commands.contains(it))
            .map(|it| it.0)
            .collect();
        for lines in [&commands, &labels] {
            let once: BTreeSet<&str> = lines.iter().copied().collect();
            if once.len() < lines.len() {
                wrong.push(format!("{}\n{}", it.subject, it.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Whether it is a name that only programs know: an ARN, the id of an instance, a token of Nightshift, a long hash.
fn is_for_programs(word: &str) -> bool {
    let word = word.trim_matches(|it: char| !it.is_ascii_alphanumeric());
    let is_id = |it: &str| it.strip_prefix("i-").is_some_and(|it| it.bytes().all(|it| it.is_ascii_hexdigit()));
    let is_hash = word.len() >= 32 && word.bytes().all(|it| it.is_ascii_hexdigit() || it == b'-');
    word.starts_with("arn:") || word.starts_with("ns-") || is_id(word) || is_hash
}

#[test]
fn a_subject_names_what_people_know_and_says_more_than_an_error_of_aws() {
    let mut wrong = Vec::new();
    for it in gathered().catalogue() {
        let subject = it.subject.trim_start_matches("[Nightshift] ");
        let (name, what) = subject.split_once(": ").unwrap_or(("", subject));
        // An error of AWS may hold an id.
        if name.split_whitespace().any(is_for_programs) || subject.contains("arn:") || subject.contains(" ns-") {
            wrong.push(format!("{subject}: it names something by an id"));
        }
        let first = what.split([' ', ':']).next().unwrap_or_default();
        // `ListCommands`, `ThrottlingException`: two capitals in one word, and none of the words between them.
        let capitals = first.bytes().filter(u8::is_ascii_uppercase).count();
        if first.len() > 6 && capitals >= 2 && first.bytes().any(|it| it.is_ascii_lowercase()) && first != "CodeDeploy"
        {
            let known = ["CloudWatch", "Nightshift"];
            if !known.contains(&first) {
                wrong.push(format!("{subject}: it begins with an error"));
            }
        }
        if what.split(' ').count() < 2 {
            wrong.push(format!("{subject}: it says too little"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The names in the tests are as long as those of a shop: a cluster and a service of 29 characters.
#[test]
fn a_subject_ends_where_a_fact_ends_and_not_within_one() {
    let subjects = gathered().catalogue().into_iter().map(|it| it.subject.as_str());
    let wrong: Vec<_> = subjects.filter(|it| it.split(" (+").next().is_some_and(|it| it.ends_with("..."))).collect();
    assert!(wrong.is_empty(), "their first sentence is too long, and nothing can be left out of it: {wrong:#?}");
}

#[test]
fn what_was_changed_is_told_without_what_only_programs_compare() {
    let mut wrong = Vec::new();
    for it in &gathered().told {
        let changes = it.text.lines().filter(|it| {
            let told = ["Why: ", "Error: ", "If this is wrong, "].iter().any(|word| it.starts_with(word));
            it.starts_with("Now: ") || it.starts_with("Before: ") || it.contains(" -> ") && !told
        });
        for line in changes.filter(|it| !it.starts_with("printf ") && !it.starts_with("aws ")) {
            let is_memory = ["by=", "at=", "since=", "told="].iter().any(|word| line.contains(word));
            if is_memory || line.split_whitespace().any(is_for_programs) {
                wrong.push(format!("{}: {line}", it.subject));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// With the tests of a week in `deploy-image`: two services and a database that sleep at night, a snapshot each night, ten
/// deployments to the services, or to production, are seven daily reports and a weekly one, and nothing else.
#[test]
fn what_happens_every_night_is_routine() {
    let nightly = ["sleep", "wake", "take-snapshot", "copy-snapshot", "delete-snapshot", "delete-images", "deploy"];
    let of_a_night = gathered().told.iter().filter(|it| it.about.iter().all(|about| nightly.contains(&about.as_str())));
    let wrong: Vec<_> = of_a_night.filter(|it| it.kind != "routine").map(|it| &it.subject).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let all: BTreeSet<&str> = gathered().told.iter().flat_map(|it| &it.about).map(String::as_str).collect();
    assert!(nightly.iter().all(|it| all.contains(it)), "{all:#?}");
}

/// The kinds of problems that the sources of a function name.
fn kinds(function: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for Source { path, tokens } in shipped(&format!("functions/{function}")) {
        if !path.to_string_lossy().contains("plan") {
            continue;
        }
        for (at, token) in tokens.iter().enumerate() {
            let Kind::Literal(text) = &token.kind else { continue };
            let kind = text.trim_matches('"');
            let is_kind = kind.contains('-') && kind.bytes().all(|it| it.is_ascii_lowercase() || it == b'-');
            let before = tokens[at.saturating_sub(8)..at].iter().rev();
            let words: Vec<&str> = before.take_while(|it| !it.is(';')).filter_map(|it| it.word()).collect();
            let tells = ["problem", "monthly", "trouble", "ask", "NeedsPerson", "Scheduled", "kind", "Trouble"];
            if is_kind && words.first().is_some_and(|it| tells.contains(it)) {
                found.insert(kind.to_owned());
            }
        }
    }
    found
}

#[test]
fn every_problem_that_a_decision_names_is_on_the_page() {
    let told: BTreeSet<String> =
        gathered().told.iter().flat_map(|it| it.about.iter().map(|about| format!("{} {about}", it.function))).collect();
    let named: BTreeSet<String> = folders("functions")
        .iter()
        .flat_map(|function| kinds(function).into_iter().map(move |it| format!("{function} {it}")))
        .collect();
    assert!(named.len() > 30, "{named:#?}");
    let missing: Vec<_> = named.difference(&told).collect();
    assert!(missing.is_empty(), "no test of a decision tells {missing:#?}");
}

// -------------------------------------------------------------------------------- commands

/// What `aws` would be given: its arguments and its standard input.
#[derive(Debug, PartialEq)]
struct Call {
    arguments: Vec<String>,
    input: String,
}

/// Pastes the commands into a shell whose `aws` says what it was given, one after the other.
fn pasted(commands: &BTreeSet<String>) -> Vec<Call> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pasted");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("empty")).expect("a folder");
    let said = folder.join("said");
    let stub = format!(
        "#!/bin/sh\n{{ printf '%s\\0' \"$@\"; case \"$*\" in *fileb:///dev/stdin*) printf 'INPUT\\0'; /bin/cat; printf '\\0';; \
         esac; printf 'END\\0'; }} >>'{}'\n",
        said.display()
    );
    fs::write(folder.join("aws"), stub).expect("a stub");
    fs::set_permissions(folder.join("aws"), fs::Permissions::from_mode(0o755)).expect("it can be run");
    let script: String = commands.iter().map(|it| format!("{it}\n")).collect();
    let mut shell = Command::new("/bin/sh");
    shell.arg("-eu").arg("-c").arg(&script).env_clear().env("PATH", &folder).current_dir(folder.join("empty"));
    let output = shell.output().expect("a shell");
    assert!(output.status.success() && output.stderr.is_empty() && output.stdout.is_empty(), "{output:?}");
    assert_eq!(fs::read_dir(folder.join("empty")).expect("a folder").count(), 0, "a command writes a file");
    let said = fs::read_to_string(said).expect("the stub was called");
    let calls = said.split("END\0").filter(|it| !it.is_empty());
    let calls = calls.map(|it| {
        let (arguments, input) = it.split_once("INPUT\0").unwrap_or((it, ""));
        let arguments = arguments.split_terminator('\0').map(str::to_owned).collect();
        Call { arguments, input: input.trim_end_matches('\0').to_owned() }
    });
    calls.collect()
}

#[test]
fn every_command_that_a_message_or_an_answer_prints_reaches_aws_as_it_is_meant() {
    let commands = &gathered().commands;
    let calls = pasted(commands);
    assert_eq!(calls.len(), commands.len(), "each command is one call");
    assert!(calls.len() > 60, "only {} commands", calls.len());
    let mut wrong = Vec::new();
    for Call { arguments, input } in &calls {
        let option = |name: &str| arguments.iter().skip_while(|it| *it != name).nth(1).map(String::as_str);
        if option("--region") != Some("ap-northeast-2") {
            wrong.push(format!("{arguments:?} names no region"));
        }
        if arguments[..2] == ["lambda", "invoke"] {
            let function = option("--function-name").and_then(|it| it.strip_prefix("nightshift-")).unwrap_or_default();
            let payload: Value = serde_json::from_str(input).unwrap_or_default();
            if !folders("functions").contains(&function.to_owned()) || payload["format"] != "text" {
                wrong.push(format!("{arguments:?} with {input}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Every block of the page of messages too.
    let page = read(PAGE);
    let on_page: BTreeSet<String> =
        page.lines().filter(|it| it.starts_with("printf %s ") || it.starts_with("aws ")).map(str::to_owned).collect();
    assert!(!on_page.is_empty() && on_page.is_subset(commands), "{:#?}", on_page.difference(commands));
}

/// A service and its operation, as the first command of that shape.
fn shapes(commands: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut shapes = BTreeMap::new();
    for command in commands {
        let call = command.split("aws ").last().unwrap_or_default();
        let words: Vec<&str> = call.split_whitespace().collect();
        // By its options too: one operation is called in several forms.
        let options: BTreeSet<&str> = words.iter().filter(|it| it.starts_with("--")).copied().collect();
        shapes.entry(format!("{} {} {options:?}", words[0], words[1])).or_insert_with(|| command.clone());
    }
    shapes
}

/// An AWS that takes every request, keeps it and answers with an empty object, or with that text where a function is
/// invoked.
fn listening(requests: Arc<Mutex<Vec<String>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = Vec::new();
            let mut part = [0; 4096];
            loop {
                let read = stream.read(&mut part).unwrap_or(0);
                request.extend_from_slice(&part[..read]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { if read == 0 { break } else { continue } };
                let head = head.to_lowercase();
                let length = head.lines().find_map(|it| it.strip_prefix("content-length: ")?.trim().parse().ok());
                if head.contains("expect: 100-continue") && body.is_empty() {
                    let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                if read == 0 || body.len() >= length.unwrap_or(0) {
                    break;
                }
            }
            let text = String::from_utf8_lossy(&request).into_owned();
            let answer = match () {
                () if text.contains("/invocations") => "[\"Done: it was done\"]",
                () if text.contains("Action=") => "<R><Result/></R>",
                () => "{}",
            };
            requests.lock().expect("no panic").push(text);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
                answer.len()
            );
        }
    });
    address
}

#[test]
fn the_real_aws_cli_takes_every_shape_of_command_and_shows_the_answer_alone() {
    let first = LocalAws::command_line_interface(&Options::default()).expect("the AWS CLI can be installed");
    // The second version is not on PyPI; it is tried where it is installed.
    for cli in [Some(first), second_version()].into_iter().flatten() {
        takes_every_shape(&cli);
    }
}

/// Version 2 of the AWS CLI, if the shell finds one.
#[expect(clippy::disallowed_methods, reason = "the path says which programs are installed")]
fn second_version() -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut all = path.split(':').map(|it| Path::new(it).join("aws")).filter(|it| it.exists());
    all.find(|it| {
        let version = Command::new(it).arg("--version").output();
        version.is_ok_and(|it| it.stdout.starts_with(b"aws-cli/2"))
    })
}

fn takes_every_shape(cli: &Path) {
    let path = format!("{}:/usr/bin:/bin", cli.parent().expect("a folder").display());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let endpoint = listening(Arc::clone(&requests));
    let shapes = shapes(&gathered().commands);
    assert!(shapes.len() >= 8, "{:#?}", shapes.keys());
    let mut wrong = Vec::new();
    for (shape, command) in &shapes {
        requests.lock().expect("no panic").clear();
        let mut shell = Command::new("/bin/sh");
        // Versions before 2.13 do not read the variable.
        let (before, call) = command.rsplit_once("aws ").expect("a call of the CLI");
        shell.arg("-c").arg(format!("{before}aws --endpoint-url {endpoint} {call}")).env_clear().envs([
            ("PATH", path.as_str()),
            ("HOME", env!("CARGO_TARGET_TMPDIR")),
            ("AWS_PAGER", ""),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_MAX_ATTEMPTS", "1"),
        ]);
        let output = shell.output().expect("a shell");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let sent = requests.lock().expect("no panic").len();
        let invokes = shape.starts_with("lambda invoke");
        // A version 2 of before 2024 does not know yet that budgets have tags.
        if shape.starts_with("budgets ") && said.contains("Invalid choice") {
            continue;
        }
        if sent != 1 || invokes && said != "[\"Done: it was done\"]" || invokes && !output.stdout.is_empty() {
            wrong.push(format!("{command}\n{sent} requests, {}: {said}", output.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
