//! The demo as its users run it: what it prints, how it ends, and that nothing is left running.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nightshift_tests::browser::look_at;

/// Arguments with which no story is played.
const NO_STORY: [&str; 7] = ["list", "help", "-h", "--help", "deploi", "--kept", "--all"];

fn demo(arguments: &[&str]) -> Command {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"));
    demo.args(arguments).stdin(Stdio::null()).env_remove("COLUMNS");
    // Otherwise it would compile the SDK once more, from fewer crates than the tests have.
    if !arguments.iter().any(|it| NO_STORY.contains(it)) {
        demo.arg("--all");
    }
    demo
}

fn output(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = demo(arguments).output().expect("the demo starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the demo writes UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn every_story_is_listed_with_a_line() {
    let (code, stdout, stderr) = output(&["list"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.lines().all(|it| it.split_once("   ").is_some_and(|(_, about)| !about.is_empty())), "{stdout}");
    assert!(stdout.starts_with("deploy   "), "{stdout}");
}

#[test]
fn what_makes_no_sense_is_refused_with_what_does() {
    for (arguments, wrong) in [
        (["deploi"].as_slice(), "There is no story \"deploi\", only deploy"),
        (&["--kept"], "There is no option --kept, only --keep, --all, --html and --help."),
        (&["deploi", "--html"], "--html needs the name of the file to write"),
        (&["deploy", "list"], "One story at a time: what is \"list\"?"),
    ] {
        let (code, stdout, stderr) = output(arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(stderr.starts_with(wrong), "{stderr}");
    }
}

#[test]
fn help_says_what_there_is() {
    for arguments in [["--help"].as_slice(), &["-h"], &["help"], &["deploy", "--help"]] {
        let (code, stdout, _) = output(arguments);
        assert_eq!(code, Some(0), "{arguments:?}");
        assert!(stdout.contains("cargo demo list") && stdout.contains("--keep"), "{stdout}");
    }
}

#[test]
fn the_story_deploy_is_told_to_its_end() {
    let (code, stdout, stderr) = output(&[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    fits(&stdout, 80);
    mails("deploy", &stdout);
    for line in [
        "  api-server  deploy  v1.1.0 is the image that 'semver range=1.x' selects in",
        "  ✓ v1.0.0 (api-server:1)  →  v1.1.0 (api-server:2)",
        "  ✓ api-server is back on v1.1.0, api-server:2",
        "  ✓ v1.2.1 is live",
        "  ✓ and the problem is forgotten",
        "  ✓ none of its calls was refused by its own role",
    ] {
        assert!(stdout.lines().any(|it| it == line), "{line:?} is missing in\n{stdout}");
    }
    for subject in [
        "truegul-production/api-server: v1.2.0 is rejected, v1.1.0 stays",
        "truegul-production/ml-server: nightshift:deploy: ",
    ] {
        let told = in_mails(&stdout).contains(&format!("Subject: [Nightshift] {subject}"));
        assert!(told, "{subject:?} is missing in\n{stdout}");
    }
    assert!(!stdout.contains('\x1b'), "colours in a file:\n{stdout}");
    assert!(stdout.ends_with(" s. Nothing is left running.\n"), "{stdout}");
    let endpoint = stdout.lines().find_map(endpoint_in).expect("the endpoint is told");
    wait_until_gone(&endpoint);
}

/// How many e-mails each story sends, and how many it sent when a run with any news sent one; the stories without such a
/// figure are younger.
const MAILS: [(&str, usize, Option<usize>); 9] = [
    ("deploy", 2, Some(9)),
    ("gates", 3, Some(7)),
    ("promote", 6, None),
    ("backups", 2, Some(4)),
    ("drill", 2, None),
    ("uploads", 5, None),
    ("sleep", 1, Some(9)),
    ("budget", 5, Some(8)),
    ("alarm", 4, Some(7)),
];

/// A budget that is used up and an alarm at night are mostly what a person has to know at once; of the rest little is.
#[test]
fn the_stories_send_less_than_half_of_the_mails_that_they_once_sent() {
    let (now, before) = MAILS.into_iter().fold((0, 0), |(now, before), it| match it {
        (_, mails, Some(once)) => (now + mails, before + once),
        _ => (now, before),
    });
    assert!(now * 2 < before, "{now} of {before}");
}

/// Of nothing but what it has to say is anybody told.
fn mails(story: &str, stdout: &str) {
    let (_, now, _) = MAILS.into_iter().find(|(name, ..)| *name == story).expect("its mails are counted");
    let line =
        if now == 1 { "  1 e-mail in all of this".to_owned() } else { format!("  {now} e-mails in all of this") };
    assert!(stdout.lines().any(|it| it == line), "{line:?} is missing in\n{stdout}");
}

/// What the mails say, without their boxes and the breaks of their lines.
fn in_mails(stdout: &str) -> String {
    let inside = stdout.lines().filter_map(|it| it.strip_prefix("  │ ")?.strip_suffix(" │"));
    inside.flat_map(str::split_whitespace).fold(String::new(), |text, word| text + word + " ")
}

/// No line is wider, boxes are closed, and the end says what to read.
fn fits(stdout: &str, columns: usize) {
    let wide: Vec<&str> = stdout.lines().filter(|it| it.chars().count() > columns).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    let edges = ["╭", "│", "╰"].map(|it| format!("  {it}"));
    let open: Vec<&str> = stdout
        .lines()
        .filter(|it| edges.iter().any(|edge| it.starts_with(edge)) && it.chars().count() != columns)
        .collect();
    assert!(open.is_empty(), "{open:#?}");
    let end = stdout.split("What to read next").nth(1).expect("every story ends with that");
    assert!(end.contains("README") && end.contains("cargo demo --keep"), "{end}");
}

/// Checks a page with the parser of XML that Python has: that it is whole, that nothing is loaded from elsewhere, and that
/// each mark of the picture leads to a piece. Prints the text of all mails.
const READ_PAGE: &str = "
import sys, xml.etree.ElementTree as tree
text = open(sys.argv[1], encoding='utf-8').read().replace('<!DOCTYPE html>', '')
page = tree.fromstring(text)
assert not any('src' in it.attrib or it.tag.endswith('script') for it in page.iter()), 'it loads something'
ids = [it.attrib['id'] for it in page.iter() if 'id' in it.attrib]
links = [it.attrib['href'] for it in page.iter() if 'href' in it.attrib]
assert len(ids) == len(set(ids)) and len(links) > 20, (len(ids), len(links))
assert all(it[:1] == '#' and it[1:] in ids for it in links), links
print('\\n'.join(''.join(it.itertext()) for it in page.iter() if it.attrib.get('class') == 'mail'))
";

#[test]
fn a_story_becomes_a_page_with_all_its_mails() {
    let page = Path::new(env!("CARGO_TARGET_TMPDIR")).join("story.html");
    let (code, stdout, stderr) = output(&["deploy", "--html", &page.display().to_string()]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let read = Command::new("python3").args(["-c", READ_PAGE]).arg(&page).output().expect("Python starts");
    let mails = String::from_utf8_lossy(&read.stdout);
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    look_at(&page);
    let words = |text: &str| text.split_whitespace().collect::<String>();
    for line in stdout.lines().filter_map(|it| it.strip_prefix("  │ ")?.strip_suffix(" │")) {
        let line = line.trim_start_matches("Subject:").trim_start_matches("To:");
        assert!(words(&mails).contains(&words(line)), "{line:?} is missing in {mails}");
    }
    let endpoint = stdout.lines().find_map(endpoint_in).expect("the endpoint is told");
    wait_until_gone(&endpoint);
}

#[test]
fn a_narrow_terminal_breaks_no_line() {
    let output = demo(&["deploy"]).env("COLUMNS", "60").output().expect("the demo starts");
    let stdout = String::from_utf8(output.stdout).expect("the demo writes UTF-8");
    assert!(output.status.success(), "{stdout}");
    fits(&stdout, 60);
}

#[test]
fn the_story_gates_is_told_to_its_end() {
    let (code, stdout, stderr) = output(&["gates"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    fits(&stdout, 80);
    mails("gates", &stdout);
    for line in [
        "  ✓ the message holds the command that lets it out",
        "  ✓ it runs on a revision with the new image",
        "  ✓ api-server runs v1.1.0, api-server:2",
        "  ✓ two images, two migrations, however often anybody looked",
        "  ✓ none of its calls was refused by its own role",
    ] {
        assert!(stdout.lines().any(|it| it == line), "{line:?} is missing in\n{stdout}");
    }
    assert!(stdout.ends_with(" s. Nothing is left running.\n"), "{stdout}");
}

/// At both ends of the widths, since nowhere else are whole tags and reasons in tables.
#[test]
fn the_story_promote_is_told_to_its_end() {
    for columns in [80, 60] {
        let output = demo(&["promote"]).env("COLUMNS", columns.to_string()).output().expect("the demo starts");
        let stdout = String::from_utf8(output.stdout).expect("the demo writes UTF-8");
        assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
        fits(&stdout, columns);
        mails("promote", &stdout);
        for line in [
            "  ✓ a night and a weekend asleep count for nothing",
            "  ✓ it is approved, and waits for its window",
            "  ✓ stage and share of the traffic are told",
            "  ✓ one StopServiceDeployment",
            "  ✓ and no UpdateService",
            "  ✓ c0ffee2 stays rejected",
            "  ✓ none of its calls was refused by its own role",
        ] {
            assert!(stdout.lines().any(|it| it == line), "{line:?} is missing in\n{stdout}");
        }
        let subject = "Subject: [Nightshift] codemate-cluster/codemate-backend: all traffic is on c0ffee2";
        assert!(in_mails(&stdout).contains(subject), "{stdout}");
    }
}

#[test]
fn the_story_backups_is_told_to_its_end() {
    let (code, stdout, stderr) = output(&["backups"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    fits(&stdout, 80);
    mails("backups", &stdout);
    for line in [
        "  ✓ each of them has its snapshot of tonight",
        "  ✓ the newest of each database stayed",
        "  ✓ pruned again, nothing more goes",
        "  ✓ the night has a good snapshot after all",
        "  ✓ prune-backups deletes nothing of it",
    ] {
        assert!(stdout.lines().any(|it| it == line), "{line:?} is missing in\n{stdout}");
    }
    assert!(in_mails(&stdout).contains("Subject: [Nightshift] codemate-db: "), "{stdout}");
    // Of a month that is over the rule keeps the last night.
    assert!(stdout.lines().any(|it| it.ends_with("·■")), "{stdout}");
}

/// In a narrow terminal as well: no other story shows keys of objects and pictures in one.
#[test]
fn the_story_uploads_is_told_to_its_end() {
    let output = demo(&["uploads"]).env("COLUMNS", "60").output().expect("the demo starts");
    let stdout = String::from_utf8(output.stdout).expect("the demo writes UTF-8");
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    fits(&stdout, 60);
    mails("uploads", &stdout);
    for line in [
        "  2026-11-07 ·······■■■■■■■ 2026-11-20",
        "  ✓ the last seven nights are there",
        "  ✓ the mail names it",
        "  ✓ the image that was overwritten is there as it was",
        "  ✓ the image that was deleted is there as it was",
        "  ✓ none of its calls was refused by its own role",
    ] {
        assert!(stdout.lines().any(|it| it == line), "{line:?} is missing in\n{stdout}");
    }
    let mails = in_mails(&stdout);
    assert!(mails.contains("16 objects restored to"), "{stdout}");
}

#[test]
fn the_story_drill_is_told_to_its_end() {
    let (code, stdout, stderr) = output(&["drill"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    fits(&stdout, 80);
    mails("drill", &stdout);
    for line in [
        "  ✓ it is due on the first weekday of October at 10:00",
        "  ✓ it is not public, and has no backups of its own",
        "  ✓ the check has found it right",
        "  ✓ that was the drill of this month",
        "  ✓ the empty table is found by a drill, not by a disaster",
        "  ✓ two databases were restored, and these two were deleted",
        "  ✓ none of its calls was refused by its own role",
    ] {
        assert!(stdout.lines().any(|it| it == line), "{line:?} is missing in\n{stdout}");
    }
    for told in [
        "Subject: [Nightshift] kfood-db: restored in 28 of 60 min, data 7 of 24 h old",
        "Subject: [Nightshift] kfood-db: the restore drill from nightshift-kfood-db-2026-11-02 FAILED",
        "the check said last: \"table payments has 0 rows\"",
    ] {
        assert!(in_mails(&stdout).contains(told), "{told:?} is missing in\n{stdout}");
    }
}

#[test]
fn the_story_drill_fits_a_narrow_terminal() {
    let output = demo(&["drill"]).env("COLUMNS", "60").output().expect("the demo starts");
    let stdout = String::from_utf8(output.stdout).expect("the demo writes UTF-8");
    assert!(output.status.success(), "{stdout}");
    fits(&stdout, 60);
}

#[test]
fn the_story_budget_is_told_to_its_end() {
    let (code, stdout, stderr) = output(&["budget"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    fits(&stdout, 80);
    mails("budget", &stdout);
    for line in [
        "  ✓ the forecast is told once, and 80 % once",
        "  ✓ both services of staging are held",
        "  ✓ production is not held",
        "  ✓ nothing is written, nothing is sent",
        "  ✓ both are free again, seventeen minutes into December as AWS counts it, in",
        "  staging  ························☾☾☾☾☾☾·",
    ] {
        assert!(stdout.lines().any(|it| it == line), "{line:?} is missing in\n{stdout}");
    }
    assert!(
        in_mails(&stdout).contains("Subject: [Nightshift] TrueGul Monthly: 101 % of 300 USD spent, 2 put to"),
        "{stdout}"
    );
}

#[test]
fn the_story_sleep_is_told_to_its_end() {
    let (code, stdout, stderr) = output(&["sleep"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    fits(&stdout, 80);
    mails("sleep", &stdout);
    for line in [
        "  ✓ all four are in the answer",
        "  Fri 19:55  2 tasks  2 tasks   available  stopped  remember codemate-dev-db",
        "  ✓ the size is remembered on the service itself",
        "  ✓ what the colleague started stays up until Monday",
        "  ✓ what AWS started is stopped again",
        "  ✓ and the backend scales between 2 and 6 again",
        "  ✓ nothing is remembered any more",
        "  Seoul      backend  frontend  database  archive",
        "  Sat 11:00  ·        ·         ■         ·",
    ] {
        assert!(stdout.lines().any(|it| it == line), "{line:?} is missing in\n{stdout}");
    }
    assert!(stdout.ends_with(" s. Nothing is left running.\n"), "{stdout}");
}

/// At both ends of the widths: no other story has names of groups and instances in its tables.
#[test]
fn the_story_machines_is_told_to_its_end() {
    for columns in [80, 60] {
        let output = demo(&["machines"]).env("COLUMNS", columns.to_string()).output().expect("the demo starts");
        let stdout = String::from_utf8(output.stdout).expect("the demo writes UTF-8");
        assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
        fits(&stdout, columns);
        for line in [
            "  ✓ the database went down after both",
            "  ✓ the group has its two instances back",
            "  ✓ you are told once, with what helps",
            "  ✓ the instance runs, and nothing is remembered any more",
            "  ✓ the second one, two hours later, holds both",
            "  ✓ in December both are free again",
            "  ✓ none of their calls was refused by their own roles",
        ] {
            assert!(stdout.lines().any(|it| it == line), "{line:?} is missing in\n{stdout}");
        }
        let mails = in_mails(&stdout);
        assert!(mails.contains("AWS has no capacity for its instance type"), "{stdout}");
    }
}

#[test]
fn the_story_alarm_is_told_to_its_end() {
    let (code, stdout, stderr) = output(&["alarm"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    fits(&stdout, 80);
    mails("alarm", &stdout);
    for line in [
        "  ✓ v1.1.0 is live",
        "  ✓ v1.1.0 is rejected, and will not come back by itself",
        "  ✓ and nothing written",
        "  ✓ the alarm itself remembers what was done",
        "  ✓ v1.0.0 runs on",
    ] {
        assert!(stdout.lines().any(|it| it == line), "{line:?} is missing in\n{stdout}");
    }
    assert!(
        in_mails(&stdout).contains(
            "Subject: [Nightshift] truegul-production/api-server: api-server-5xx: recovered after less than a minute "
        ),
        "{stdout}"
    );
}

#[test]
fn the_story_board_is_told_to_its_end() {
    let (code, stdout, stderr) = output(&["board"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    fits(&stdout, 80);
    for line in [
        "  ✓ every function was asked and has answered",
        "  ✓ the window of the button says what is done",
        "  ✓ production runs c0ffee2",
        "  ✓ the board has nothing left to approve",
        "  ✓ nothing is deployed again",
        "  ✓ no role refused a call",
    ] {
        assert!(stdout.lines().any(|it| it == line), "{line:?} is missing in\n{stdout}");
    }
    let endpoint = stdout.lines().find_map(endpoint_in).expect("the endpoint is told");
    wait_until_gone(&endpoint);
}

#[test]
fn an_interrupted_story_stops_everything() {
    let mut demo = Running::start(&["deploy"]);
    demo.read_until("1  The shop as it is");
    assert_eq!(demo.end("INT").code(), Some(130));
}

#[test]
fn a_killed_story_leaves_nothing_running_either() {
    let mut demo = Running::start(&["deploy"]);
    demo.read_until("1  The shop as it is");
    assert_eq!(demo.end("KILL").code(), None);
}

#[test]
fn a_kept_aws_stays_up_until_it_is_interrupted() {
    let mut demo = Running::start(&["--keep"]);
    demo.read_until("The local AWS stays up until Ctrl-C");
    demo.read_until("cargo lambda invoke --remote nightshift-deploy-image");
    assert!(is_up(&demo.endpoint));
    assert_eq!(demo.end("TERM").code(), Some(0));
}

/// A demo under way.
struct Running {
    process: Child,
    stdout: BufReader<Box<dyn Read>>,
    endpoint: String,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut process =
            demo(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the demo starts");
        let stdout = process.stdout.take().expect("it is piped");
        Running { process, stdout: BufReader::new(Box::new(stdout)), endpoint: String::new() }
    }

    /// Reads on until a line holds `text`.
    fn read_until(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(self.stdout.read_line(&mut line).expect("lines of text"), 0, "the demo ended before {text:?}");
            self.endpoint = endpoint_in(&line).unwrap_or(std::mem::take(&mut self.endpoint));
        }
    }

    /// Sends a signal, and sees to it that everything ends.
    fn end(mut self, signal: &str) -> ExitStatus {
        let pid = self.process.id().to_string();
        let kill = Command::new("kill").args([&format!("-{signal}"), &pid]).status().expect("kill starts");
        assert!(kill.success());
        // It goes on to write, and must not find the pipe full.
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("lines of text");
        let status = self.process.wait().expect("the demo ends");
        wait_until_gone(&self.endpoint);
        status
    }
}

fn endpoint_in(line: &str) -> Option<String> {
    line.split_once("The local AWS listens on ").map(|(_, endpoint)| endpoint.trim().to_owned())
}

fn is_up(endpoint: &str) -> bool {
    TcpStream::connect(endpoint.trim_start_matches("http://")).is_ok()
}

/// Waits until the server and all its functions have ended: whoever is killed cannot wait for them.
fn wait_until_gone(endpoint: &str) {
    assert_ne!(endpoint, "", "the endpoint is told");
    let variable = format!("AWS_ENDPOINT_URL={endpoint}");
    let deadline = Instant::now() + Duration::from_secs(10);
    while is_up(endpoint) || processes_with(&variable) > 0 {
        assert!(Instant::now() < deadline, "something is left running at {endpoint}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// How many processes have this in their environment, as functions have.
fn processes_with(variable: &str) -> usize {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let environments = processes.filter_map(|it| fs::read(it.path().join("environ")).ok());
    environments.filter(|it| it.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())).count()
}
