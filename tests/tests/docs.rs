//! What people read and paste: links lead somewhere, commands arrive as they are meant, policies deny what they say.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nightshift_tests::iam::{Policy, Request};
use nightshift_tests::sources::{files, folders, read, root};
use nightshift_tests::stack::Stack;
use rules::bucket::BucketRule;
use rules::budget::{Enforcement, Expendable};
use rules::compose::ComposeRule;
use rules::deploy::DeployRule;
use rules::follow::FollowRule;
use rules::intent::{AwakeUntil, Boost};
use rules::remedy::RemedyRule;
use rules::retention::{BackupRule, KeepImages};
use rules::schedule::{Schedule, StackCalendar};
use rules::{BadTag, keys};
use serde_json::Value;

/// Every Markdown file of the project, as paths from its folder.
fn pages() -> Vec<PathBuf> {
    let at_the_root = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];
    let below = ["deploy", "docs", "events", "functions", "tests"].iter().flat_map(|it| files(it, ".md"));
    at_the_root.iter().map(PathBuf::from).chain(below).collect()
}

// -------------------------------------------------------------------------------- links

#[test]
fn every_link_leads_to_a_file_and_every_anchor_to_a_heading() {
    let mut wrong = Vec::new();
    for page in pages() {
        let text = without_code(&read(&page));
        let targets = text.split("](").skip(1).filter_map(|it| Some(it.split_once(')')?.0));
        for target in targets.filter(|it| !it.contains("://")) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { page.clone() } else { page.with_file_name(file) };
            if !root().join(&file).exists() {
                wrong.push(format!("{}: {target} does not exist", page.display()));
            } else if !anchor.is_empty() && !anchors(&read(&file)).contains(anchor) {
                wrong.push(format!("{}: {target} is not a heading there", page.display()));
            }
        }
    }
    assert_none(wrong);
}

/// The anchors of the headings, as GitHub and rustdoc make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let page = without_code(page);
    let headings = page.lines().filter(|it| it.starts_with('#')).map(|it| it.trim_start_matches('#').trim());
    let letter = |it: char| match it {
        ' ' => Some('-'),
        it if it.is_alphanumeric() || it == '-' || it == '_' => Some(it.to_ascii_lowercase()),
        _ => None,
    };
    headings.map(|it| it.chars().filter_map(letter).collect()).collect()
}

fn without_code(page: &str) -> String {
    let parts = page.split("\n```").enumerate();
    parts.filter(|(index, _)| index % 2 == 0).map(|(_, part)| part).collect::<Vec<_>>().join("\n")
}

#[test]
fn anchors_are_made_of_headings_only() {
    let page = "# A `b:c` d\ntext\n## 3. What you grant\n```sh\n# comment\n```\n";
    assert_eq!(anchors(page).into_iter().collect::<Vec<_>>(), ["3-what-you-grant", "a-bc-d"]);
}

// -------------------------------------------------------------------------------- commands

/// Stands in for the programs that the pages call: each answers with its own arguments.
struct Stubs {
    folder: PathBuf,
}

impl Stubs {
    const PROGRAMS: [&str; 4] = ["aws", "cargo", "docker", "sam"];

    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("empty")).expect("a folder for the stubs");
        for program in Self::PROGRAMS {
            let file = folder.join(program);
            // Arguments end in a NUL, which no argument can hold, and calls in a line. What stands on the standard input
            // takes the place of its name. The answer goes where no command can send it elsewhere.
            let script = format!(
                "#!/bin/sh\n{{\nprintf '%s\\0' \"${{0##*/}}\"\nfor it in \"$@\"; do\n\
                 [ \"$it\" != fileb:///dev/stdin ] || it=$(/bin/cat)\nprintf '%s\\0' \"$it\"\ndone\nprintf '\\n'\n}} >>'{}'\n",
                folder.join("calls").display()
            );
            fs::write(&file, script).expect("a stub");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a stub can be made executable");
        }
        Stubs { folder }
    }

    /// Pastes `text` into a shell that knows nothing but the stubs: the calls that it makes, with their arguments.
    fn paste(&self, text: &str) -> Result<Vec<Vec<String>>, String> {
        let folder = self.folder.join("empty");
        let calls = self.folder.join("calls");
        fs::write(&calls, "").map_err(|err| err.to_string())?;
        let mut shell = Command::new("/bin/sh");
        shell.arg("-eu").arg("-c").arg(text).env_clear().env("PATH", &self.folder).current_dir(&folder);
        let output = shell.output().map_err(|err| err.to_string())?;
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() || !complaint.is_empty() {
            return Err(format!("the shell says {complaint}"));
        }
        if let Some(file) = fs::read_dir(&folder).map_err(|err| err.to_string())?.flatten().next() {
            return Err(format!("it writes the file {}", file.path().display()));
        }
        if !output.stdout.is_empty() {
            return Err(format!("it prints {}", String::from_utf8_lossy(&output.stdout)));
        }
        let said = fs::read_to_string(&calls).map_err(|err| err.to_string())?;
        let calls = said.split_terminator("\0\n");
        Ok(calls.map(|it| it.split('\0').map(str::to_owned).collect()).collect())
    }
}

/// The commands of a page: its blocks for a shell, and what is quoted in a line and begins with `aws`.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, part) in page.split("\n```").enumerate() {
        match (index % 2, part.strip_prefix("sh\n")) {
            (1, Some(block)) => found.push(block.to_owned()),
            (0, _) => {
                found.extend(part.split('`').skip(1).step_by(2).filter(|it| it.starts_with("aws ")).map(str::to_owned))
            }
            _ => {}
        }
    }
    found
}

/// The options of the AWS CLI that take several values.
const LISTS: [&str; 7] =
    ["--dimensions", "--include", "--parameter-overrides", "--services", "--tag-keys", "--tags", "--resource-arns"];

/// What is wrong with the arguments of a call.
fn fault(call: &[String]) -> Option<String> {
    let (program, arguments) = call.split_first()?;
    if program != "aws" {
        return None;
    }
    let [service, operation, options @ ..] = arguments else { return Some("it names no operation".to_owned()) };
    let mut option = "";
    let mut values = 0;
    for argument in options {
        if argument.starts_with("--") {
            (option, values) = (argument, 0);
            continue;
        }
        // What the CLI copies and lists stands by itself.
        if service == "s3" && (argument.starts_with("s3://") || argument == "-") {
            continue;
        }
        values += 1;
        let is_output = service == "lambda" && operation == "invoke" && argument == "/dev/stderr";
        if option.is_empty() || values > 1 && !LISTS.contains(&option) && !is_output {
            return Some(format!("'{argument}' belongs to no option"));
        }
        let fault = match option {
            "--payload" if !is_output => payload(argument),
            "--tags" => tag(argument).err(),
            "--function-name" => {
                let known = argument
                    .strip_prefix("nightshift-")
                    .is_some_and(|it| folders("functions").contains(&it.to_owned()));
                (!known).then(|| format!("there is no function {argument}"))
            }
            _ => None,
        };
        if fault.is_some() {
            return fault;
        }
    }
    None
}

fn payload(text: &str) -> Option<String> {
    match text.strip_prefix("fileb://") {
        Some(file) => (!root().join(file).exists()).then(|| format!("there is no file {file}")),
        None => serde_json::from_str::<Value>(text).err().map(|err| format!("the payload {text} is not JSON: {err}")),
    }
}

/// A tag in the CLI's short form, `key=…,value=…`: what Nightshift would say about it.
fn tag(text: &str) -> Result<(), String> {
    let after_key = text.strip_prefix("Key=").or_else(|| text.strip_prefix("key="));
    let pair = after_key.and_then(|it| {
        let (key, value) = it.split_once(",value=").or_else(|| it.split_once(",Value="))?;
        Some((key.to_owned(), value.to_owned()))
    });
    let (key, value) = pair.ok_or_else(|| format!("{text} is not a tag in the short form"))?;
    if value.contains(',') {
        return Err(format!("the CLI would end the value at the comma in {text}"));
    }
    let said = |it: Result<(), BadTag>| it.map_err(|err| err.to_string());
    match key.as_str() {
        // A path says that it is about an instance.
        keys::DEPLOY if value.contains(" path=") => said(value.parse::<ComposeRule>().map(drop)),
        keys::DEPLOY if value.starts_with("follow=") => said(value.parse::<FollowRule>().map(drop)),
        keys::DEPLOY => said(value.parse::<DeployRule>().map(drop)),
        keys::BACKUP if value.contains("to=") => said(value.parse::<BucketRule>().map(drop)),
        keys::BACKUP => said(value.parse::<BackupRule>().map(drop)),
        keys::SCHEDULE => said(Schedule::read(&value, &StackCalendar::default()).map(drop)),
        keys::REMEDY => said(value.parse::<RemedyRule>().map(drop)),
        keys::KEEP_IMAGES => said(value.parse::<KeepImages>().map(drop)),
        keys::BOOST => said(Boost::read(keys::BOOST, &value).map(drop)),
        keys::AWAKE_UNTIL => said(AwakeUntil::read(keys::AWAKE_UNTIL, &value).map(drop)),
        keys::BUDGET => said(value.parse::<Enforcement>().map(drop).or_else(|_| value.parse::<Expendable>().map(drop))),
        other if read("shared/rules/src/keys.rs").contains(&format!("\"{other}\"")) => Ok(()),
        other if other.starts_with("nightshift") => Err(format!("there is no tag {other}")),
        _ => Ok(()),
    }
}

#[test]
fn every_command_can_be_pasted_and_says_what_it_means() {
    let stubs = Stubs::new("pages");
    let mut wrong = Vec::new();
    let mut pasted = 0;
    for page in pages() {
        for command in commands(&read(&page)) {
            // Programs of the project itself are not stubs.
            if [".ci/run", "docs/benchmarks/", "target/", "./install.sh", "deploy/"]
                .iter()
                .any(|it| command.contains(it))
            {
                continue;
            }
            let at = page.display();
            match stubs.paste(&command) {
                Err(error) => wrong.push(format!("{at}: {error}\n{command}")),
                Ok(calls) => {
                    pasted += calls.len();
                    wrong.extend(calls.iter().filter_map(|it| Some(format!("{at}: {}\n{command}", fault(it)?))));
                }
            }
        }
    }
    assert_none(wrong);
    assert!(pasted >= 30, "only {pasted} commands were found");
}

#[test]
fn the_parameters_that_pages_give_to_the_installation_exist() {
    let template = read("template.yaml");
    let commands: Vec<String> = pages().iter().flat_map(|it| commands(&read(it))).collect();
    let given = commands.iter().filter(|it| it.contains("install.sh")).flat_map(|it| it.split_whitespace());
    let names: Vec<_> = given.filter_map(|it| Some(it.split_once('=')?.0)).filter(|it| !it.starts_with('-')).collect();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        assert!(template.contains(&format!("\n  {name}:\n    Type: ")), "{name} is not a parameter of the template");
    }
}

#[test]
fn every_variable_of_a_function_is_in_the_readme() {
    let settings = read("shared/runtime/src/settings.rs");
    let list = settings.split("const VARIABLES").nth(1).and_then(|it| it.split("];").next()).expect("the list");
    let known: BTreeSet<&str> = list.split('"').filter(|it| it.starts_with("NIGHTSHIFT_")).collect();
    let readme = read("README.md");
    let line = readme.lines().find(|it| it.starts_with("Environment of every function")).expect("the line");
    let told: BTreeSet<&str> = line.split('`').filter(|it| it.starts_with("NIGHTSHIFT_")).collect();
    assert_eq!(told, known);
}

/// What a newcomer needs is refused in words where it is too old; the pages say the same.
#[test]
fn the_pages_say_which_python_and_which_rust_are_needed() {
    let python = read("shared/testkit/src/local_aws/python.rs");
    let oldest = python.split("OLDEST: (u32, u32) = (").nth(1).and_then(|it| it.split(')').next()).expect("a version");
    let python = format!("Python {} or later", oldest.replace(", ", "."));
    let manifest = read("Cargo.toml");
    let rust = manifest.split("rust-version = \"").nth(1).and_then(|it| it.split('"').next()).expect("a version");
    let (readme, contributing) = (read("README.md"), read("CONTRIBUTING.md"));
    assert!(readme.contains(&python) && contributing.contains(&python), "{python}");
    assert!(readme.contains(&format!("Rust {rust} or newer")), "Rust {rust}");
}

#[test]
fn every_memory_is_in_the_table_of_the_architecture() {
    let keys = read("shared/rules/src/keys.rs");
    let keys = keys.split("\n#[cfg(test)]").next().unwrap_or_default();
    let memories: BTreeSet<&str> = keys.split('"').filter(|it| it.starts_with("nightshift-state:")).collect();
    let page = read("ARCHITECTURE.md");
    let rows = page.split("## What is remembered, and where").nth(1).and_then(|it| it.split("\n## ").next());
    let names: BTreeSet<&str> = rows.expect("the table").split('`').collect();
    let told = |key: &str| {
        let name = key.trim_start_matches("nightshift-state:");
        // Those of the second and third tag of a service stand in one row.
        let name = name.strip_suffix("-3").map_or(name.to_owned(), |it| format!("{it}-2"));
        [format!("nightshift-state:{name}"), format!(":{name}"), name].iter().any(|it| names.contains(it.as_str()))
    };
    // Not the prefix of all, nor those of names that are made of them.
    let whole = memories.into_iter().filter(|it| !it.ends_with([':', '.']));
    let missing: Vec<&str> = whole.filter(|it| !told(it)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_is_wrong_with_a_command_is_found() {
    let stubs = Stubs::new("samples");
    let check = |text: &str, expected: &str| {
        let said = match stubs.paste(text) {
            Err(error) => error,
            Ok(calls) => calls.iter().find_map(|it| fault(it)).unwrap_or_default(),
        };
        assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{text}\n{said}");
    };
    check("aws ecs tag-resource --resource-arn ARN --tags 'key=nightshift:deploy,value=semver range=1.x'", "");
    check("aws ecs tag-resource --tags key=nightshift:deploy,value=semver range=1.x", "not a tag in the short form");
    check("aws ecs tag-resource --tags key=nightshift:deploy,value=sermver", "sermver");
    check("aws ecs tag-resource --tags key=nightshift:depoly,value=newest", "there is no tag nightshift:depoly");
    check(
        "printf %s {'dry_run':true} | aws lambda invoke --function-name nightshift-deploy-image \
         --payload fileb:///dev/stdin /dev/stderr >/dev/null",
        "not JSON",
    );
    check(
        "printf %s '{}' | aws lambda invoke --function-name nightshift-deploy --payload fileb:///dev/stdin /dev/stderr",
        "no function",
    );
    check("aws budgets tag-resource --resource-arn Bob's", "the shell says");
    check("aws rds reboot-db-instance --db-instance-identifier DBID [--force-failover]", "belongs to no option");
    check("aws rds describe-db-instances > file", "it writes the file");
    check("curl https://example.com", "the shell says");
}

#[test]
fn everything_is_paused_and_goes_on_again() {
    let page = read("README.md");
    let section = page.split("### Pause everything now").nth(1).expect("the README has the section");
    let mut blocks = section.split("```sh\n").skip(1).filter_map(|it| it.split("```").next());
    let stubs = Stubs::new("pause");
    let mut calls_of = |operation: &str| {
        let calls = stubs.paste(blocks.next().expect("a command")).expect("a shell takes it");
        assert!(calls.iter().all(|it| it[2] == operation), "{calls:?}");
        calls.iter().map(|it| it[4].replace("nightshift-", "")).collect::<BTreeSet<_>>()
    };
    let functions: BTreeSet<String> = folders("functions").into_iter().collect();
    assert_eq!(calls_of("put-function-concurrency"), functions);
    assert_eq!(calls_of("delete-function-concurrency"), functions);
}

// -------------------------------------------------------------------------------- who may do what

/// The policy of the README's section "Who may do what".
fn policy() -> Value {
    let page = read("README.md");
    let section = page.split("### Who may do what").nth(1).expect("the README has the section");
    let json = section.split("```json\n").nth(1).and_then(|it| it.split("```").next()).expect("it has a policy");
    serde_json::from_str(json).unwrap_or_else(|err| panic!("the policy is not JSON: {err}"))
}

/// The request of a role, with the tag keys that it sets or removes.
fn request(role: &str, action: &str, resource: &str, tag_keys: &[&str]) -> Request {
    let role = format!("arn:aws:iam::123456789012:role/{role}");
    let request = Request::new(action, resource).with("aws:PrincipalArn", &role);
    tag_keys.iter().fold(request, |it, key| it.with("aws:TagKeys", key))
}

#[test]
fn the_policy_of_the_readme_denies_what_it_says() {
    let document = policy();
    assert_eq!(document["Version"], "2012-10-17");
    let policy = Policy::of_document(&Stack::with(&[]), &document);
    const SERVICE: &str = "arn:aws:ecs:ap-northeast-2:123456789012:service/production/api";
    const FUNCTION: &str = "arn:aws:lambda:ap-northeast-2:123456789012:function:nightshift-deploy-image";
    const OTHER: &str = "arn:aws:lambda:ap-northeast-2:123456789012:function:checkout";
    let rows: &[(&str, &str, &str, &[&str], bool)] = &[
        // Every people's and every memory tag, however it is written.
        ("developer", "ecs:TagResource", SERVICE, &["nightshift:deploy"], true),
        ("developer", "ecs:TagResource", SERVICE, &["team", "nightshift:deploy"], true),
        ("developer", "ecs:TagResource", SERVICE, &["nightshift-state:approved"], true),
        ("developer", "ecs:UntagResource", SERVICE, &["nightshift:hold"], true),
        ("developer", "ecs:CreateService", SERVICE, &["nightshift:deploy"], true),
        ("developer", "rds:AddTagsToResource", "arn:aws:rds:eu-west-1:1:db:a", &["nightshift:schedule"], true),
        ("developer", "rds:RemoveTagsFromResource", "arn:aws:rds:eu-west-1:1:db:a", &["nightshift:backup"], true),
        ("developer", "ecr:TagResource", "arn:aws:ecr:eu-west-1:1:repository/a", &["nightshift:keep-images"], true),
        ("developer", "cloudwatch:TagResource", "arn:aws:cloudwatch:eu-west-1:1:alarm:a", &["nightshift:remedy"], true),
        ("developer", "budgets:TagResource", "arn:aws:budgets::1:budget/a", &["nightshift:budget"], true),
        ("developer", "tag:TagResources", "*", &["nightshift:deploy"], true),
        ("my-operations", "ecs:TagResource", SERVICE, &["nightshift:deploy"], true),
        // Commands.
        ("developer", "lambda:InvokeFunction", FUNCTION, &[], true),
        // What has nothing to do with Nightshift.
        ("developer", "ecs:TagResource", SERVICE, &["team"], false),
        ("developer", "ecs:UpdateService", SERVICE, &[], false),
        ("developer", "ecs:DeleteService", SERVICE, &[], false),
        ("developer", "lambda:InvokeFunction", OTHER, &[], false),
        ("developer", "lambda:GetFunction", FUNCTION, &[], false),
        // Those who may.
        ("operations", "ecs:TagResource", SERVICE, &["nightshift:deploy"], false),
        ("operations", "lambda:InvokeFunction", FUNCTION, &[], false),
        ("nightshift-DeployImageRole-1A2B3C", "ecs:TagResource", SERVICE, &["nightshift-state:verdict"], false),
        ("nightshift-RemediateAlarmRole-1A2B3C", "lambda:InvokeFunction", FUNCTION, &[], false),
    ];
    let wrong = rows.iter().filter_map(|&(role, action, resource, tag_keys, expected)| {
        let denied = policy.denies(&request(role, action, resource, tag_keys));
        (denied != expected).then(|| format!("{role} {action} {tag_keys:?} on {resource}: denied is {denied}"))
    });
    assert_none(wrong.collect());

    // Each tag that people write, whatever is added.
    let names = read("shared/rules/src/keys.rs");
    let tags: Vec<_> = names.split('"').filter(|it| it.starts_with("nightshift") && !it.ends_with(':')).collect();
    assert!(tags.len() > 20, "{tags:?}");
    for tag in tags {
        assert!(policy.denies(&request("developer", "tag:TagResources", "*", &[tag])), "{tag}");
    }
}

#[track_caller]
fn assert_none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

// -------------------------------------------------------------------------------- the checklists

/// What the plan of a shop with checklists asks for, by heading.
const ASKED: [(&str, &[&str]); 3] = [
    ("Every day", &["resource use", "error logs", "response time", "database connections"]),
    ("Every week", &["backups", "metrics", "cost"]),
    ("Every month", &["restore test", "audit", "SLA"]),
];

#[test]
fn every_item_of_a_checklist_is_answered_somewhere_and_shown_by_a_test_that_exists() {
    let page = read("docs/checklists.md");
    let tests: BTreeSet<String> = ["functions", "shared", "tests"]
        .iter()
        .flat_map(|it| files(it, ".rs"))
        .flat_map(|it| {
            let names = |text: &str| -> Vec<String> {
                let after =
                    text.split("fn ").skip(1).filter_map(|it| it.split_once('(').map(|it| it.0.trim().to_owned()));
                after.collect()
            };
            names(&read(it))
        })
        .collect();
    let mut wrong = Vec::new();
    for (heading, asked) in ASKED {
        let (_, part) = page.split_once(&format!("## {heading}\n")).expect("the heading");
        let part = part.split("\n## ").next().unwrap_or_default();
        let rows = part.lines().filter(|it| it.starts_with("| ")).skip(2);
        let rows: Vec<Vec<&str>> = rows.map(|it| it.trim_matches('|').split('|').map(str::trim).collect()).collect();
        for item in asked {
            if !rows.iter().any(|it| it[0].contains(item)) {
                wrong.push(format!("{heading} has no item '{item}'"));
            }
        }
        for row in &rows {
            let [item, place, shown] = row[..] else {
                wrong.push(format!("{row:?} has not three columns"));
                continue;
            };
            if place.starts_with("not answered") {
                continue;
            }
            let is_place = ["report of", "board,", "]("].iter().any(|it| place.contains(it));
            let named: Vec<&str> = shown.split(',').map(|it| it.trim().trim_matches('`')).collect();
            if !is_place {
                wrong.push(format!("{item}: '{place}' names neither a report, nor the board, nor a page"));
            }
            wrong.extend(
                named.iter().filter(|it| !tests.contains(**it)).map(|it| format!("{item}: there is no test '{it}'")),
            );
        }
    }
    assert!(wrong.is_empty(), "docs/checklists.md:\n{}", wrong.join("\n"));
}
