//! The AWS calls that the code of a function makes, found by reading it.
//!
//! By the layout a file that calls AWS is named after the service, so `.update_service()` in an `ecs.rs` is a call if
//! the SDK of ECS has an operation of that name. What a function uses of `shared/` is followed by name, from function
//! to function: by the module in front of the name where there is one, by the import, or in the same file. Where none of
//! these says which is meant, all of that name are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::sources::{Kind, Source, Token, root, shipped};

/// An AWS service: how its files are called, which SDK speaks to it, and its prefix in IAM.
pub struct Service {
    /// `ecs` for `ecs.rs` and `ecs/`.
    pub file: &'static str,
    /// The crate; none where its calls are named as texts.
    pub sdk: Option<&'static str>,
    /// What comes before the colon of its IAM actions.
    pub iam: &'static str,
}

/// The services that Nightshift calls.
pub const SERVICES: [Service; 23] = [
    Service { file: "autoscaling", sdk: Some("aws-sdk-applicationautoscaling"), iam: "application-autoscaling" },
    Service { file: "budgets", sdk: Some("aws-sdk-budgets"), iam: "budgets" },
    Service { file: "cloudwatch", sdk: Some("aws-sdk-cloudwatch"), iam: "cloudwatch" },
    Service { file: "codedeploy", sdk: None, iam: "codedeploy" },
    Service { file: "ec2", sdk: None, iam: "ec2" },
    Service { file: "ec2_autoscaling", sdk: None, iam: "autoscaling" },
    Service { file: "ecr", sdk: None, iam: "ecr" },
    Service { file: "ecs", sdk: Some("aws-sdk-ecs"), iam: "ecs" },
    Service { file: "elb", sdk: None, iam: "elasticloadbalancing" },
    Service { file: "iam", sdk: None, iam: "iam" },
    Service { file: "inspector", sdk: Some("aws-sdk-inspector2"), iam: "inspector2" },
    Service { file: "kms", sdk: None, iam: "kms" },
    Service { file: "lambda", sdk: None, iam: "lambda" },
    Service { file: "logs", sdk: None, iam: "logs" },
    Service { file: "pricing", sdk: None, iam: "pricing" },
    Service { file: "rds", sdk: Some("aws-sdk-rds"), iam: "rds" },
    Service { file: "s3", sdk: None, iam: "s3" },
    Service { file: "scheduler", sdk: None, iam: "scheduler" },
    Service { file: "secretsmanager", sdk: None, iam: "secretsmanager" },
    Service { file: "sns", sdk: Some("aws-sdk-sns"), iam: "sns" },
    Service { file: "ssm", sdk: None, iam: "ssm" },
    Service { file: "sts", sdk: Some("aws-sdk-sts"), iam: "sts" },
    Service { file: "tagging", sdk: None, iam: "tag" },
];

/// The operations whose IAM action has another name.
const OTHERWISE_NAMED: [(&str, &str); 13] = [
    ("budgets:DescribeBudget", "budgets:ViewBudget"),
    ("budgets:DescribeBudgets", "budgets:ViewBudget"),
    ("lambda:Invoke", "lambda:InvokeFunction"),
    ("s3:CompleteMultipartUpload", "s3:PutObject"),
    ("s3:CreateMultipartUpload", "s3:PutObject"),
    ("s3:DeleteObjects", "s3:DeleteObject"),
    ("s3:GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
    ("s3:HeadBucket", "s3:ListBucket"),
    ("s3:HeadObject", "s3:GetObject"),
    ("s3:ListBuckets", "s3:ListAllMyBuckets"),
    ("s3:ListObjectVersions", "s3:ListBucketVersions"),
    ("s3:ListObjectsV2", "s3:ListBucket"),
    ("s3:UploadPart", "s3:PutObject"),
];

/// The shared crates that may call AWS.
const SHARED: [&str; 3] = ["shared/aws", "shared/registry", "shared/runtime"];

/// A call of an AWS operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// `ecs:UpdateService`.
    pub action: String,
    /// The file and line of it.
    pub place: String,
}

/// Every call that the code of a function can make.
pub fn of_function(name: &str) -> Vec<Call> {
    let own = shipped(&format!("functions/{name}"));
    let shared: Vec<Source> = SHARED.into_iter().flat_map(shipped).collect();
    reachable(&own, &shared)
}

/// Every call that the preview makes itself, those of the functions that it runs left out.
pub fn of_preview() -> Vec<Call> {
    let shared: Vec<Source> = SHARED.into_iter().flat_map(shipped).collect();
    reachable(&shipped("shared/preview"), &shared)
}

fn reachable(own: &[Source], shared: &[Source]) -> Vec<Call> {
    let shared: Vec<Part> = shared.iter().flat_map(parts).collect();
    let mut reached = BTreeSet::new();
    let mut fresh: Vec<Part> = own.iter().flat_map(parts).collect();
    let mut calls = BTreeSet::new();
    while let Some(part) = fresh.pop() {
        calls.extend(part.calls());
        for (mention, module) in mentions(&part.tokens) {
            let named: Vec<_> = shared.iter().enumerate().filter(|(_, it)| it.is_meant_by(&mention)).collect();
            let module = module.or(part.imports.get(mention.name()).map(String::as_str));
            let here = |it: &(usize, &Part)| it.1.path == part.path;
            let meant: Vec<_> = match (module, &mention) {
                (Some(module), _) => named.into_iter().filter(|(_, it)| is_below(&it.path, module)).collect(),
                // A method can be one of any type.
                (None, Mention::Function(_)) if named.iter().any(here) => named.into_iter().filter(here).collect(),
                (None, _) => named,
            };
            let new = meant.into_iter().filter(|(index, _)| reached.insert(*index)).map(|(_, it)| it.clone());
            fresh.extend(new.collect::<Vec<_>>());
        }
    }
    calls.into_iter().collect()
}

/// The places where a request is sent in a file that is not named after a service.
pub fn outside_of_service_files() -> Vec<String> {
    let functions = crate::sources::folders("functions").into_iter().map(|it| format!("functions/{it}"));
    let crates = functions.chain(crate::sources::folders("shared").into_iter().map(|it| format!("shared/{it}")));
    crates
        .filter(|it| it != "shared/testkit")
        .flat_map(|it| shipped(&it))
        .filter(|source| service_of(source).is_none())
        .flat_map(|source| {
            let sent: Vec<_> = method_calls(&source.tokens)
                .filter(|(name, _)| *name == "send")
                .map(|(_, line)| format!("{}:{line}", source.path.display()))
                .collect();
            sent
        })
        .collect()
}

/// A `fn` of a source file, or (without a name) what stands outside of any.
#[derive(Clone)]
struct Part {
    name: Option<String>,
    path: PathBuf,
    service: Option<&'static Service>,
    /// What the file imports, by name, each with its module.
    imports: BTreeMap<String, String>,
    tokens: Vec<Token>,
}

impl Part {
    fn is_meant_by(&self, mention: &Mention) -> bool {
        let name = self.name.as_deref();
        match mention {
            Mention::Function(it) => name == Some(it) && !self.takes_self(),
            Mention::Method(it) => name == Some(it) && self.takes_self(),
            Mention::Either(it) => name == Some(it),
        }
    }

    fn takes_self(&self) -> bool {
        let parameters = self.tokens.iter().skip_while(|it| !it.is('('));
        let first = parameters.take_while(|it| !it.is(')') && !it.is(',')).collect::<Vec<_>>();
        first.iter().any(|it| it.word() == Some("self"))
    }

    fn calls(&self) -> Vec<Call> {
        let Some(service) = self.service else { return Vec::new() };
        let typed = method_calls(&self.tokens).filter_map(|(name, line)| {
            let operation = operations(service.sdk?).get(name)?;
            Some((operation.as_str(), line))
        });
        typed
            .chain(named_calls(&self.tokens))
            .map(|(operation, line)| {
                let action = format!("{}:{operation}", service.iam);
                let other = OTHERWISE_NAMED.iter().find(|(it, _)| *it == action);
                let action = other.map_or(action, |(_, name)| name.to_string());
                Call { action, place: format!("{}:{line}", self.path.display()) }
            })
            .collect()
    }
}

/// How a word can mean a `fn`: a field or a variable of the same name does not.
enum Mention<'a> {
    /// `name(`.
    Function(&'a str),
    /// `.name(` or `.name::<`.
    Method(&'a str),
    /// `path::name`, or imported, which makes `map(name)` mean it too.
    Either(&'a str),
}

impl Mention<'_> {
    fn name(&self) -> &str {
        match self {
            Mention::Function(it) | Mention::Method(it) | Mention::Either(it) => it,
        }
    }
}

/// The words that can mean a `fn`, each with the module in front of it.
fn mentions(tokens: &[Token]) -> Vec<(Mention<'_>, Option<&str>)> {
    let is = |index: Option<usize>, mark| index.and_then(|it| tokens.get(it)).is_some_and(|it| it.is(mark));
    let mut in_use = false;
    let mut mentions = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        in_use = (in_use || token.word() == Some("use")) && !token.is(';');
        let Some(word) = token.word() else { continue };
        let (before, after) = (index.checked_sub(1), Some(index + 1));
        let in_path = is(before, ':') && is(index.checked_sub(2), ':');
        if in_path && !in_use {
            let module = index.checked_sub(3).and_then(|it| tokens[it].word()).filter(|it| is_module(it));
            mentions.push((Mention::Either(word), module));
        } else if in_use {
            mentions.push((Mention::Either(word), None));
        } else if is(before, '.') && (is(after, '(') || is(after, ':')) {
            mentions.push((Mention::Method(word), None));
        } else if !is(before, '.') && (is(after, '(') || is(after, ':') && is(Some(index + 2), ':')) {
            mentions.push((Mention::Function(word), None));
        }
    }
    mentions
}

/// Whether the word in front of `::` is a module, which lies in a file of its own, and not a crate or a type.
fn is_module(word: &str) -> bool {
    let crates = ["crate", "self", "super"].into_iter().chain(SHARED.iter().map(|it| &it["shared/".len()..]));
    word.starts_with(|it: char| it.is_ascii_lowercase()) && !crates.into_iter().any(|it| it == word)
}

/// Whether the file is that of the module, or lies below it.
fn is_below(path: &Path, module: &str) -> bool {
    let inside_src = path.iter().skip_while(|it| *it != "src");
    inside_src.map(Path::new).any(|it| it.file_stem().is_some_and(|stem| stem == module))
}

/// What the `use` items of a file import into it, by name, each with the module that it comes from.
fn imports(tokens: &[Token]) -> BTreeMap<String, String> {
    let mut imports = BTreeMap::new();
    let mut rest = tokens;
    while let Some(start) = rest.iter().position(|it| it.word() == Some("use")) {
        let item = &rest[start + 1..];
        let item = &item[..item.iter().position(|it| it.is(';')).unwrap_or(item.len())];
        // The module in front of each brace that is open.
        let mut open: Vec<Option<&str>> = Vec::new();
        let mut last = None;
        for (index, token) in item.iter().enumerate() {
            match token.word() {
                Some(word) if item.get(index + 1).is_some_and(|it| it.is(':')) => last = Some(word),
                Some(word) => {
                    let module = last.or(open.last().copied().flatten()).filter(|it| is_module(it));
                    imports.extend(module.map(|it| (word.to_owned(), it.to_owned())));
                }
                None if token.is('{') => open.push(last.take()),
                None if token.is('}') => drop(open.pop()),
                None if token.is(',') => last = None,
                None => {}
            }
        }
        rest = &rest[start + 1..];
    }
    imports
}

fn service_of(source: &Source) -> Option<&'static Service> {
    SERVICES.iter().find(|it| source.is_named(it.file))
}

fn parts(source: &Source) -> Vec<Part> {
    let service = service_of(source);
    let imports = imports(&source.tokens);
    let part = |name: Option<&str>, tokens: &[Token]| Part {
        name: name.map(str::to_owned),
        path: source.path.clone(),
        service,
        imports: imports.clone(),
        tokens: tokens.to_vec(),
    };
    let mut parts = Vec::new();
    let mut outside = Vec::new();
    let mut rest = source.tokens.as_slice();
    while let Some((token, after)) = rest.split_first() {
        let name = after.first().and_then(Token::word);
        match (token.word(), name) {
            (Some("fn"), Some(name)) => {
                let length = item_length(rest);
                parts.push(part(Some(name), &rest[2..length]));
                rest = &rest[length..];
            }
            _ => {
                outside.push(token.clone());
                rest = after;
            }
        }
    }
    parts.push(part(None, &outside));
    parts
}

/// How many tokens the `fn` takes that `tokens` begins with, its body included.
fn item_length(tokens: &[Token]) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        if ['(', '[', '{'].into_iter().any(|it| token.is(it)) {
            depth += 1;
        } else if [')', ']', '}'].into_iter().any(|it| token.is(it)) {
            depth = depth.saturating_sub(1);
            if depth == 0 && token.is('}') {
                return index + 1;
            }
        } else if depth == 0 && token.is(';') {
            return index + 1;
        }
    }
    tokens.len()
}

/// The methods called without an argument, `.name()`, which is how each operation of an SDK begins; `Client::name` too.
fn method_calls(tokens: &[Token]) -> impl Iterator<Item = (&str, usize)> {
    tokens.windows(4).filter_map(|it| {
        let method = it[0].is('.') && it[2].is('(') && it[3].is(')');
        let path = it[0].word() == Some("Client") && it[1].is(':') && it[2].is(':');
        let name = if method {
            &it[1]
        } else if path {
            &it[3]
        } else {
            return None;
        };
        Some((name.word()?, name.line))
    })
}

/// The operations that are named as texts: `.action("StopInstances"`, `.call("UpdateService"` and `.list("ListTasks"`.
fn named_calls(tokens: &[Token]) -> impl Iterator<Item = (&str, usize)> {
    tokens.windows(4).filter_map(|it| {
        let named = it[0].is('.') && matches!(it[1].word(), Some("action" | "call" | "list" | "send")) && it[2].is('(');
        let Kind::Literal(name) = &it[3].kind else { return None };
        let name = name.strip_prefix('"')?.strip_suffix('"')?;
        named.then_some((name, it[1].line))
    })
}

/// The operations of an SDK crate, read from its sources: from the method's name to the operation's.
fn operations(sdk: &str) -> &'static BTreeMap<String, String> {
    static OPERATIONS: OnceLock<BTreeMap<&'static str, BTreeMap<String, String>>> = OnceLock::new();
    let all = OPERATIONS.get_or_init(|| {
        let manifests = sdk_manifests();
        let operations = |sdk| Some((sdk, operations_below(&manifests.get(sdk)?.with_file_name("src/operation"))));
        SERVICES.iter().filter_map(|it| operations(it.sdk?)).collect()
    });
    all.get(sdk).unwrap_or_else(|| panic!("a file is named after the service of {sdk}, which is not in Cargo.lock"))
}

fn operations_below(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|err| panic!("{}: {err}", folder.display()));
    let operations: BTreeMap<_, _> = entries
        .map(|it| it.expect("a readable folder").path())
        .filter(|it| it.is_dir())
        .map(|it| it.file_name().expect("a folder has a name").to_string_lossy().into_owned())
        .map(|it| (it.clone(), pascal_case(&it)))
        .collect();
    assert!(!operations.is_empty(), "{} has no operations: is the SDK laid out anew?", folder.display());
    operations
}

/// `update_service` as `UpdateService`. Abbreviations come out as `Db`; IAM compares actions without regard to case.
pub fn pascal_case(name: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split(['_', '-']).filter(|it| !it.is_empty()).map(capital).collect()
}

fn sdk_manifests() -> BTreeMap<String, PathBuf> {
    let metadata = metadata(&["--filter-platform", &host()]);
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    packages
        .iter()
        .map(|it| (text(&it["name"]), PathBuf::from(text(&it["manifest_path"]))))
        .filter(|(name, _)| name.starts_with("aws-sdk-"))
        .collect()
}

/// What `cargo metadata` says of the workspace.
pub fn metadata(options: &[&str]) -> serde_json::Value {
    let output = cargo(&[&["metadata", "--format-version=1"], options].concat());
    serde_json::from_slice(&output).expect("cargo metadata prints JSON")
}

/// The platform of this machine; packages for others need not have been downloaded.
fn host() -> String {
    let version = String::from_utf8(cargo(&["-vV"])).expect("cargo prints UTF-8");
    let host = version.lines().find_map(|it| it.strip_prefix("host: "));
    host.expect("cargo names its host").to_owned()
}

/// What cargo prints for these arguments; it has to end well.
pub fn cargo(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The actions that a `lib.rs` reaches, with a shared `tagging.rs` and `ecs.rs` beside it.
    fn check(lib: &str, expected: &[&str]) {
        let shared = [
            Source::parse(
                "shared/aws/src/tagging.rs",
                "pub async fn resources(c: &Client) { listing(c).await } \
                 async fn listing(c: &JsonApi) { c.list(\"GetResources\", key, body).await }",
            ),
            Source::parse(
                "shared/aws/src/ecs.rs",
                "impl Tags { fn write(&self) { self.ecs.tag_resource().send() } } fn unused(c: &Client) { c.run_task() }",
            ),
        ];
        let calls = reachable(&[Source::parse("functions/sample/src/lib.rs", lib)], &shared);
        assert_eq!(calls.iter().map(|it| it.action.as_str()).collect::<Vec<_>>(), expected, "{lib}");
    }

    #[test]
    fn follows_what_is_called_and_no_field_of_the_same_name() {
        check("fn a() { tagging::resources(c) }", &["tag:GetResources"]);
        check("use aws::tagging::resources; fn a() { b.map(resources) }", &["tag:GetResources"]);
        check("fn a() { event.resources.first() }", &[]);
        check("fn a() { Event { resources: b }; builder.resources(c) }", &[]);
        check("fn a() { tags.write() }", &["ecs:TagResource"]);
        check("fn a() { write(tags) }", &[]);
    }

    #[test]
    fn an_operation_without_an_sdk_is_known_by_its_name() {
        let ec2 =
            Source::parse("functions/sample/src/ec2.rs", "fn a(q: &Query) { q.action(\"StopInstances\").call(id) }");
        let found = reachable(&[ec2], &[]);
        assert_eq!(found.iter().map(|it| it.action.as_str()).collect::<Vec<_>>(), ["ec2:StopInstances"]);
    }

    #[test]
    fn a_module_or_an_import_says_which_of_two_is_meant() {
        let shared = [
            Source::parse("shared/aws/src/ecs.rs", "pub fn mark(c: &Client) { c.tag_resource() }"),
            Source::parse(
                "shared/aws/src/rds.rs",
                "pub fn mark(c: &Client) { write(c) } fn write(c: &Client) { c.add_tags_to_resource() }",
            ),
        ];
        let check = |lib: &str, expected: &[&str]| {
            let calls = reachable(&[Source::parse("functions/sample/src/lib.rs", lib)], &shared);
            assert_eq!(calls.iter().map(|it| it.action.as_str()).collect::<Vec<_>>(), expected, "{lib}");
        };
        let (ecs, rds) = ("ecs:TagResource", "rds:AddTagsToResource");
        check("fn a() { aws::ecs::mark(c) }", &[ecs]);
        check("use aws::rds::{Client, mark}; fn a() { mark(c) }", &[rds]);
        check("use aws::{ecs::mark, rds::Client}; fn a() { mark(c) }", &[ecs]);
        // One of the function's own.
        check("fn a() { cloudwatch::mark(c) }", &[]);
        check("fn a() { aws::mark(c) }", &[ecs, rds]);
    }

    #[test]
    fn finds_operations_only_in_the_file_of_their_service() {
        let calls = |path| reachable(&[Source::parse(path, "fn a() { join!(c.describe_services().send()) }")], &[]);
        assert_eq!(calls("functions/sample/src/ecs.rs")[0].action, "ecs:DescribeServices");
        assert_eq!(calls("functions/sample/src/ecs/services.rs")[0].place, "functions/sample/src/ecs/services.rs:1");
        assert_eq!(calls("functions/sample/src/ecr.rs"), []);
        let named =
            Source::parse("functions/sample/src/codedeploy.rs", r#"fn a() { api.call("StopDeployment", id, body) }"#);
        assert_eq!(reachable(&[named], &[])[0].action, "codedeploy:StopDeployment");
        assert_eq!(calls("functions/sample/src/plan.rs"), []);
    }
}
