//! `deploy/compose/deploy.sh`: what it does on a machine, and that the template has it as it is.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nightshift_tests::sources::{read, root};
use nightshift_tests::template::Template;
use serde_json::{Value, json};

const SCRIPT: &str = "deploy/compose/deploy.sh";

/// The repository, and what its images are called in these stories.
const REPOSITORY: &str = "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/table-order-api";
const HEALTH: &str = "http://localhost:3000/api/v1/health";

/// What the script takes from a machine that no story plays.
const TOOLS: [&str; 21] = [
    "bash", "cat", "cksum", "cp", "cut", "env", "flock", "grep", "head", "kill", "mkdir", "mktemp", "mv", "python3",
    "rm", "sed", "sort", "tail", "timeout", "touch", "tr",
];

fn digest(name: &str) -> String {
    let byte = name.bytes().fold(7_u8, |sum, it| sum.wrapping_mul(31).wrapping_add(it));
    format!("sha256:{}", format!("{byte:02x}0").repeat(22)[..64].to_owned())
}

fn image(name: &str) -> String {
    format!("{REPOSITORY}@{}", digest(name))
}

/// A machine in a folder: the project in `srv/app`, programs that are played, and nothing of the real machine.
struct Machine {
    folder: PathBuf,
    parameters: Vec<(String, String)>,
    environment: Vec<(String, String)>,
}

impl Machine {
    /// A machine with docker and its compose plugin, on which nothing runs yet.
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compose").join(name);
        let _ = fs::remove_dir_all(&folder);
        for below in ["bin", "home", "tmp", "srv/app"] {
            fs::create_dir_all(folder.join(below)).expect("a folder");
        }
        let found = |tool: &str| {
            let folders = ["/usr/bin", "/bin", "/usr/local/bin"].map(|it| Path::new(it).join(tool));
            folders.into_iter().find(|it| it.exists()).unwrap_or_else(|| panic!("this machine has no {tool}"))
        };
        for tool in TOOLS {
            symlink(found(tool), folder.join("bin").join(tool)).expect("a link");
        }
        let mut machine = Machine { folder, parameters: Vec::new(), environment: Vec::new() };
        for program in ["docker", "aws", "curl", "date", "sleep"] {
            machine.install(program);
        }
        machine.write("plugin", "");
        let path = machine.path("srv/app");
        for (name, value) in [
            ("Mode", "deploy"),
            ("Path", path.as_str()),
            ("Service", "api"),
            ("Image", image("new").as_str()),
            ("Health", HEALTH),
            ("Wait", "5"),
            ("Migrate", ""),
            ("Key", "deploy-1"),
        ] {
            machine.set(name, value);
        }
        machine.compose(&format!("${{API_IMAGE:-{}}}", image("old")));
        machine
    }

    /// The same, with the image `old` started by hand.
    fn running(name: &str) -> Self {
        let machine = Self::new(name);
        machine.started("old");
        machine
    }

    fn path(&self, below: &str) -> String {
        self.folder.join(below).display().to_string()
    }

    fn write(&self, below: &str, text: &str) {
        fs::create_dir_all(self.folder.join(below).parent().expect("a folder")).expect("a folder");
        fs::write(self.folder.join(below), text).expect("a file");
    }

    fn install(&self, program: &str) {
        let played = if ["date", "sleep"].contains(&program) { program } else { "program" };
        symlink(root().join("tests/local-aws/machine").join(played), self.folder.join("bin").join(program))
            .expect("a program");
    }

    fn remove(&self, program: &str) {
        fs::remove_file(self.folder.join("bin").join(program)).expect("a program");
    }

    fn set(&mut self, name: &str, value: &str) {
        self.parameters.retain(|(it, _)| it != name);
        self.parameters.push((name.into(), value.into()));
    }

    fn compose(&self, image: &str) {
        let file = format!(
            "services:\n  api:\n    image: {image}\n    ports:\n      - \"3000:3000\"\n  migrate:\n    image: {image}\n"
        );
        self.write("srv/app/compose.yaml", &file);
    }

    /// How images behave, by their names in these stories.
    fn images(&self, behaviours: &[(&str, Value)]) {
        let all: serde_json::Map<String, Value> =
            behaviours.iter().map(|(it, how)| (digest(it), how.clone())).collect();
        self.write("images.json", &Value::from(all).to_string());
    }

    fn state(&self) -> Value {
        let text = fs::read_to_string(self.folder.join("state.json")).unwrap_or_else(|_| "{}".into());
        serde_json::from_str(&text).expect("the state is JSON")
    }

    /// Plays a person who starts what the files of the folder say.
    fn started(&self, name: &str) {
        self.started_from(name, &self.path("srv/app/compose.yaml"));
    }

    fn started_from(&self, name: &str, files: &str) {
        let id = format!("sha256:{}", digest(name)[7..].chars().rev().collect::<String>());
        let mut state = self.state();
        state["images"][&id] = json!({"RepoDigests": [image(name)], "RepoTags": []});
        state["containers"] = json!([{
            "Id": "c0", "Name": "app-api-1", "Image": id, "Name of its image": format!("{REPOSITORY}:latest"),
            "Ports": ["3000"], "Started": 0, "Exited": null, "Until": null, "Labels": {
                "com.docker.compose.project": "app", "com.docker.compose.service": "api",
                "com.docker.compose.oneoff": "False", "com.docker.compose.project.config_files": files}}]);
        self.write("state.json", &state.to_string());
    }

    fn change(&self, change: impl Fn(&mut Value)) {
        let mut state = self.state();
        change(&mut state);
        self.write("state.json", &state.to_string());
    }

    fn output(&self) -> Output {
        let mut script = Command::new(self.folder.join("bin/bash"));
        script.arg(root().join(SCRIPT)).env_clear().env("PATH", self.folder.join("bin"));
        script.env("MACHINE", &self.folder).env("NIGHTSHIFT_STATE", self.folder.join("nightshift"));
        script.env("HOME", self.folder.join("home")).env("TMPDIR", self.folder.join("tmp"));
        script.envs(self.environment.iter().map(|(name, value)| (name, value)));
        script.envs(self.parameters.iter().map(|(name, value)| (format!("SSM_{name}"), value)));
        script.output().expect("bash starts")
    }

    /// What the script answers, its digests by their names here: `deployed old > new, 2 s`, and why if it says so.
    fn run(&self) -> String {
        let output = self.output();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(complaint.is_empty(), "{complaint}");
        assert_eq!(said.lines().count(), 1, "{said}{complaint}");
        let answer: Value = serde_json::from_str(&said).unwrap_or_else(|err| panic!("{err}: {said}"));
        assert_eq!(answer["nightshift"], 1);
        let text = |name: &str| answer[name].as_str().expect("a text").to_owned();
        let outcome = text("outcome");
        let is_well = ["running", "deployed", "unchanged"].contains(&outcome.as_str());
        assert_eq!(output.status.code(), Some(i32::from(!is_well)), "{said}");
        let mut told = format!("{outcome} {} > {}", text("before"), text("running"));
        match answer["downtime"].as_u64().expect("seconds") {
            0 => {}
            seconds => told += &format!(", {seconds} s"),
        }
        for (label, it) in
            [("migration ", text("migrated")), ("", text("why"))].into_iter().filter(|it| !it.1.is_empty())
        {
            told += &format!(", {label}{it}");
        }
        for name in ["old", "new", "newer", "newest"] {
            told = told.replace(&image(name), name).replace(&digest(name), name);
        }
        told.replace(&self.path(""), "/").replace("  ", " - ").replace(" > ,", " > -,")
    }

    /// The names of the images that are on the machine.
    fn local(&self) -> Vec<&'static str> {
        let state = self.state();
        let all: Vec<String> = state["images"].as_object().expect("images").values().map(ToString::to_string).collect();
        ["old", "new", "newer", "newest"]
            .into_iter()
            .filter(|it| all.iter().any(|all| all.contains(&image(it))))
            .collect()
    }

    fn calls(&self) -> String {
        self.state()["calls"].to_string().replace(&image("new"), "new").replace(&image("old"), "old")
    }
}

#[track_caller]
fn check(machine: &Machine, expected: &str) {
    assert_eq!(machine.run(), expected);
}

// ------------------------------------------------------------------------------------------------ what goes well

#[test]
fn a_new_image_is_deployed_and_what_it_took_is_told() {
    let machine = Machine::running("deployed");
    check(&machine, "deployed old > new, 2 s");
    assert_eq!(machine.calls(), r#"["aws ecr get-login-password --region ap-northeast-2","pulled new"]"#);
    check(&machine, "unchanged new > new");
    assert_eq!(machine.local(), ["old", "new"]);
}

#[test]
fn what_runs_is_read_and_nothing_is_changed() {
    let mut machine = Machine::running("look");
    machine.set("Mode", "look");
    for asked in [REPOSITORY, "", &image("new")] {
        machine.set("Image", asked);
        check(&machine, "running old > old");
    }
    machine.change(|it| it["containers"][0]["Exited"] = json!(1));
    check(&machine, "running - > -, api does not run");
    machine.change(|it| it["containers"] = json!([]));
    check(&machine, "running - > -, no container of api");
    assert_eq!(machine.calls(), "[]");
}

#[test]
fn the_first_image_of_a_machine_is_deployed_and_one_that_ended_is_replaced() {
    check(&Machine::new("first"), "deployed - > new");
    let machine = Machine::running("ended");
    machine.change(|it| it["containers"][0]["Exited"] = json!(1));
    check(&machine, "deployed old > new");
}

#[test]
fn neither_a_variable_nor_env_nor_its_files_win_over_the_pinned_image() {
    let mut machine = Machine::running("env");
    let env = format!("API_IMAGE={}\nCOMPOSE_FILE=other.yaml\nCOMPOSE_PROJECT_NAME=app\n", image("old"));
    machine.write("srv/app/.env", &env);
    machine.write("srv/app/other.yaml", "services:\n  other:\n    image: other\n");
    machine.environment = vec![("API_IMAGE".into(), image("old")), ("COMPOSE_FILE".into(), "other.yaml".into())];
    check(&machine, "deployed old > new, 2 s");
}

#[test]
fn an_override_of_the_project_stays_in_force() {
    let machine = Machine::running("override");
    machine.write("srv/app/compose.override.yaml", "services:\n  api:\n    ports:\n      - \"8080:8080\"\n");
    check(&machine, "deployed old > new, 2 s");
    assert_eq!(machine.state()["containers"][0]["Ports"], json!(["3000", "8080"]));
}

#[test]
fn a_path_may_have_spaces_and_may_name_the_file() {
    let mut machine = Machine::new("spaces");
    let file = fs::read_to_string(machine.folder.join("srv/app/compose.yaml")).expect("a file");
    machine.write("srv/my app/docker-compose.yml", &file);
    machine.set("Path", &machine.path("srv/my app/"));
    check(&machine, "deployed - > new");

    let mut machine = Machine::new("file");
    fs::rename(machine.folder.join("srv/app/compose.yaml"), machine.folder.join("srv/app/prod.yaml"))
        .expect("it moves");
    machine.set("Path", &machine.path("srv/app/prod.yaml"));
    check(&machine, "deployed - > new");
}

#[test]
fn the_older_docker_compose_does_as_well() {
    let machine = Machine::running("classic");
    fs::remove_file(machine.folder.join("plugin")).expect("the plugin");
    machine.install("docker-compose");
    let file = fs::read_to_string(machine.folder.join("srv/app/compose.yaml")).expect("a file");
    machine.write("srv/app/compose.yaml", &format!("version: \"3.8\"\n{file}"));
    check(&machine, "deployed old > new, 2 s");
}

#[test]
fn wget_asks_where_curl_is_missing_and_the_helper_of_docker_logs_in_where_the_cli_is() {
    let machine = Machine::running("others");
    machine.remove("curl");
    machine.install("wget");
    machine.remove("aws");
    let helper = "#!/bin/sh\n[ \"$1\" = get ] && read -r host\n[ \"$host\" ] && echo '{\"Username\":\"AWS\",\"Secret\":\"a-token\"}'\n";
    machine.write("bin/docker-credential-ecr-login", &helper.replace("#!/bin/sh", "#!/usr/bin/env bash"));
    let program = machine.folder.join("bin/docker-credential-ecr-login");
    fs::set_permissions(program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it can be run");
    check(&machine, "deployed old > new, 2 s");
}

#[test]
fn a_migration_runs_once_before_with_the_new_image() {
    let mut machine = Machine::running("migration");
    machine.set("Migrate", "migrate");
    check(&machine, "deployed old > new, 2 s, migration succeeded");
    assert!(machine.calls().ends_with(r#""pulled new","migrated new"]"#), "{}", machine.calls());
}

#[test]
fn without_an_address_a_health_check_of_docker_counts_or_half_a_minute_without_a_restart() {
    for (name, check_says, expected) in [
        ("checked", Some("healthy"), "deployed old > new, 2 s"),
        ("unchecked", None, "deployed old > new, 2 s"),
        ("ill", Some("unhealthy"), "restored old > old, 4 s, its health check did not pass for 5 s"),
    ] {
        let mut machine = Machine::running(name);
        machine.set("Health", "");
        machine.images(&[("new", check_says.map_or(json!({}), |it| json!({"check": it})))]);
        check(&machine, expected);
    }
}

// ------------------------------------------------------------------------------------------------ the way back

#[test]
fn an_image_that_does_not_work_gives_way_to_the_previous_one() {
    for (name, behaviour, expected) in [
        ("unhealthy", json!({"starts": "unhealthy"}), format!("10 s, no answer of {HEALTH} for 5 s")),
        ("crashes", json!({"starts": "crashes"}), "10 s, its container restarted 5 times".into()),
        ("exits", json!({"starts": "exits"}), "7 s, its container ended with exit code 3".into()),
        (
            "cannot-start",
            json!({"up": "exec: no such file"}),
            "5 s, compose could not start it: Error response from daemon: exec: no such file".into(),
        ),
    ] {
        let machine = Machine::running(name);
        machine.images(&[("new", behaviour)]);
        check(&machine, &format!("restored old > old, {expected}"));
        assert_eq!(machine.local(), ["old"], "what was pulled in vain is removed");
        let log =
            fs::read_to_string(machine.folder.join("nightshift").join(&machine.path("srv/app/api/failed.log")[1..]));
        assert_eq!(log.expect("the log of the container"), format!("the log of {}\n", image("new")));
    }
}

#[test]
fn what_gave_no_answer_before_need_not_give_one_after_and_nobody_counts_its_downtime() {
    let machine = Machine::running("ill-before");
    machine.images(&[("old", json!({"starts": "unhealthy"})), ("new", json!({"starts": "unhealthy"}))]);
    check(
        &machine,
        &format!("restored old > old, no answer of {HEALTH} for 5 s; the previous image gave no answer either"),
    );
}

#[test]
fn a_way_back_that_fails_is_told_with_what_runs_now() {
    let machine = Machine::running("stuck");
    machine.images(&[("old", json!({"up": "no space left on device"})), ("new", json!({"starts": "unhealthy"}))]);
    let expected = format!(
        "failed old > -, 10 s, no answer of {HEALTH} for 5 s; \
         the previous image is not back: Error response from daemon: no space left on device"
    );
    check(&machine, &expected);
    let machine = Machine::new("nothing-before");
    machine.images(&[("new", json!({"starts": "unhealthy"}))]);
    let expected =
        format!("failed - > new, no answer of {HEALTH} for 5 s; nothing ran before, so there is nothing to go back to");
    check(&machine, &expected);
}

#[test]
fn an_image_without_a_digest_is_gone_back_to_as_well() {
    let machine = Machine::running("built-here");
    machine.change(|it| {
        let id = it["containers"][0]["Image"].as_str().expect("an id").to_owned();
        it["images"][&id] = json!({"RepoDigests": [], "RepoTags": ["app-api:latest"]});
    });
    machine.images(&[("new", json!({"starts": "crashes"}))]);
    check(&machine, "restored - > -, 10 s, its container restarted 5 times");
    assert_eq!(machine.state()["containers"].as_array().map(Vec::len), Some(1));
}

#[test]
fn nothing_is_stopped_where_the_previous_image_is_gone_and_cannot_be_pulled() {
    let machine = Machine::running("gone");
    machine.change(|it| it["images"] = json!({}));
    let told = machine.run();
    let expected =
        "refused - > -, the image that runs is not on this machine any more, so there would be no way back: ";
    assert!(told.starts_with(expected), "{told}");
    assert_eq!(machine.state()["containers"][0]["Id"], "c0");
}

// ------------------------------------------------------------------------------------------------ nothing changes

#[test]
fn an_image_that_cannot_be_pulled_stops_nothing() {
    for (name, reason) in [("full", "no space left on device"), ("denied", "denied: not authorized")] {
        let machine = Machine::running(name);
        machine.images(&[("new", json!({"pull": reason}))]);
        check(&machine, &format!("refused old > old, cannot pull the image: Error response from daemon: {reason}"));
        assert_eq!(machine.state()["containers"][0]["Id"], "c0");
    }
}

#[test]
fn a_migration_that_fails_leaves_the_old_image_running_and_prints_no_password() {
    let mut machine = Machine::running("migration-fails");
    machine.set("Migrate", "migrate");
    machine.images(&[("new", json!({"migration": 1}))]);
    let log = machine.path("nightshift") + &machine.path("srv/app/api/migrate.log");
    let told = machine.run();
    let shown = log.replace(&machine.path(""), "/");
    assert_eq!(
        told,
        format!(
            "refused old > old, migration failed, the migration 'migrate' failed: exit code 1, its output is in {shown}"
        )
    );
    assert!(fs::read_to_string(log).expect("its output").contains("hunter2"));
    assert_eq!(machine.state()["containers"][0]["Id"], "c0");
    assert_eq!(machine.state()["containers"].as_array().map(Vec::len), Some(1), "its container is removed");

    machine.set("Migrate", "migrations");
    check(
        &machine,
        "refused old > old, migration failed, \
         the migration 'migrations' failed: there is no service migrations in /srv/app/compose.yaml",
    );
}

#[test]
fn two_at_once_are_one() {
    let mut machine = Machine::running("locked");
    let lock = fs::File::create(machine.folder.join("nightshift.lock")).expect("a file");
    lock.lock().expect("a lock");
    for mode in ["deploy", "look"] {
        machine.set("Mode", mode);
        check(&machine, "refused - > -, another deployment is under way on this machine");
    }
    drop(lock);
    check(&machine, "running old > old");
}

#[test]
fn a_machine_that_lacks_something_is_told_what() {
    for (program, expected) in [
        ("docker", "docker is not installed"),
        ("flock", "flock is not installed"),
        ("curl", &format!("neither curl nor wget is installed, so nobody can ask {HEALTH}")),
    ] {
        let machine = Machine::running(&format!("without-{program}"));
        machine.remove(program);
        check(&machine, &format!("refused - > -, {expected}"));
    }
    let machine = Machine::running("without-compose");
    fs::remove_file(machine.folder.join("plugin")).expect("the plugin");
    check(&machine, "refused - > -, neither the plugin 'docker compose' nor docker-compose is installed for root");
    let machine = Machine::running("without-aws");
    machine.remove("aws");
    check(
        &machine,
        "refused old > old, cannot log in to 123456789012.dkr.ecr.ap-northeast-2.amazonaws.com: \
         neither the AWS CLI nor docker-credential-ecr-login is installed",
    );
    let machine = Machine::running("without-role");
    machine.write("no-role", "");
    check(
        &machine,
        "refused old > old, cannot log in to 123456789012.dkr.ecr.ap-northeast-2.amazonaws.com: \
         Unable to locate credentials. You can configure credentials by running aws configure.",
    );
    let mut machine = Machine::running("without-project");
    machine.set("Path", &machine.path("srv"));
    check(&machine, "refused - > -, no compose.yaml, compose.yml or docker-compose.yml in /srv");
    let mut machine = Machine::running("without-service");
    machine.set("Service", "apo");
    check(&machine, "refused - > -, no such service: apo");
    let machine = Machine::running("without-disk");
    machine.write("nightshift", "a file where the folder would be");
    assert!(machine.run().ends_with("and to temporary files: is the disk full?"));
}

#[test]
fn a_service_that_was_started_from_other_files_is_left_alone() {
    let machine = Machine::running("other-files");
    let files = format!("{},{}", machine.path("srv/app/compose.yaml"), machine.path("srv/app/compose.prod.yaml"));
    machine.started_from("old", &files);
    check(
        &machine,
        "refused old > old, api was started from /srv/app/compose.yaml,/srv/app/compose.prod.yaml, \
         and not from /srv/app/compose.yaml: name that file in path=, or start it from /srv/app/compose.yaml once",
    );
}

#[test]
fn a_project_with_another_name_gets_no_second_container_beside_its_own() {
    let mut machine = Machine::running("other-project");
    let folder = machine.path("srv/app");
    machine.change(|it| {
        let labels = &mut it["containers"][0]["Labels"];
        labels["com.docker.compose.project"] = json!("shop");
        labels["com.docker.compose.project.working_dir"] = json!(folder);
    });
    let refused = "refused - > -, api runs in the compose project 'shop', which is not the one of /srv/app/compose.yaml: \
                   write COMPOSE_PROJECT_NAME=shop into /srv/app/.env";
    for mode in ["look", "deploy"] {
        machine.set("Mode", mode);
        check(&machine, refused);
    }
    // A link to the folder is the same folder.
    symlink(&folder, machine.folder.join("srv/shop-api")).expect("a link");
    machine.set("Path", &machine.path("srv/shop-api"));
    assert!(machine.run().starts_with("refused - > -, api runs in the compose project 'shop'"));
    machine.set("Path", &folder);
    machine.write("srv/app/.env", "COMPOSE_PROJECT_NAME=shop\n");
    check(&machine, "deployed old > new, 2 s");
}

#[test]
fn what_compose_did_not_even_begin_restarts_nothing() {
    let mut machine = Machine::running("not-begun");
    machine.images(&[("new", json!({"creates": "invalid mount config"}))]);
    let expected = "refused old > old, compose could not start it: Error response from daemon: invalid mount config; \
                    nothing was stopped";
    check(&machine, expected);
    assert_eq!(machine.state()["containers"][0]["Id"], "c0");
    let state = machine.folder.join("nightshift").join(&machine.path("srv/app/api")[1..]);
    assert!(!state.join("override.yaml").exists() && !state.join("pending").exists());
    // A migration that has run is not repeated for it.
    machine.set("Migrate", "migrate");
    check(&machine, &expected.replace(", compose", ", migration succeeded, compose"));
    machine.images(&[]);
    check(&machine, "deployed old > new, 2 s, migration succeeded");
    assert_eq!(machine.calls().matches("migrated new").count(), 1);
}

/// The agent repeats what was under way when its machine was stopped.
#[test]
fn a_command_that_a_night_lies_behind_deploys_nothing() {
    let mut machine = Machine::running("late");
    machine.set("Key", "ns-1a2b3c4d5e6f-1795000000");
    machine.write("clock", "1795010801");
    check(&machine, "refused - > -, this command is older than 3 hours, so what it deploys may be over by now");
    machine.set("Mode", "look");
    check(&machine, "running old > old");
    machine.set("Mode", "deploy");
    machine.write("clock", "1795010700");
    check(&machine, "deployed old > new, 2 s");
}

#[test]
fn a_policy_to_pull_always_does_not_hinder_the_way_back() {
    let machine = Machine::running("policy");
    check(&machine, "deployed old > new, 2 s");
    let pinned = machine.folder.join("nightshift").join(&machine.path("srv/app/api/override.yaml")[1..]);
    let text = fs::read_to_string(pinned).expect("the override");
    assert!(text.ends_with(&format!("    image: \"{}\"\n    pull_policy: missing\n", image("new"))), "{text}");
}

// ------------------------------------------------------------------------------------------------ bad input

#[test]
fn a_parameter_is_data_and_never_text_of_the_shell() {
    let hostile =
        ["$(touch owned)", "`touch owned`", "a; touch owned", "a\ntouch owned", "a\" && touch owned \"", "'; #"];
    let mut machine = Machine::running("hostile");
    for name in ["Mode", "Path", "Service", "Image", "Health", "Wait", "Migrate", "Key"] {
        let before = machine.parameters.clone();
        for value in hostile {
            for whole in [value.to_owned(), format!("/srv/{value}"), format!("{}{value}", image("new"))] {
                machine.set(name, &whole);
                let told = machine.run();
                assert!(told.starts_with(&format!("refused - > -, {name} '")), "{name} {whole}: {told}");
            }
        }
        machine.parameters = before;
    }
    assert!(!root().join("owned").exists() && !machine.folder.join("owned").exists());
    for (name, value) in [
        ("Path", "/srv/../etc"),
        ("Path", "srv"),
        ("Wait", "0"),
        ("Wait", "601"),
        ("Migrate", "api"),
        ("Image", REPOSITORY),
        ("Health", "file:///etc/passwd"),
        ("Key", ""),
    ] {
        let before = machine.parameters.clone();
        machine.set(name, value);
        let told = machine.run();
        assert!(told.starts_with(&format!("refused - > -, {name} '{value}': expected ")), "{told}");
        machine.parameters = before;
    }
    assert_eq!(machine.state()["containers"][0]["Id"], "c0");
}

#[test]
fn an_agent_that_does_not_set_variables_is_told_so() {
    let mut machine = Machine::running("old-agent");
    machine.parameters.clear();
    check(
        &machine,
        "refused - > -, the SSM Agent does not give parameters as variables: update it to 3.3.2746.0 or newer",
    );
}

// ------------------------------------------------------------------------------------------------ killed and run again

/// Runs the script, which is killed on its way.
fn killed(machine: &Machine, at: &str) {
    machine.images(&[("new", json!({"kills": at}))]);
    let output = machine.output();
    assert_eq!(output.status.code(), None, "{output:?}");
    assert!(output.stdout.is_empty());
    // What it had started ends, and gives the lock free.
    fs::File::open(machine.folder.join("nightshift.lock")).expect("the lock").lock().expect("nobody holds it");
    machine.images(&[]);
}

#[test]
fn a_run_that_was_killed_is_finished_by_the_next() {
    let mut machine = Machine::running("killed");
    killed(&machine, "up");
    machine.set("Mode", "look");
    assert!(machine.run().ends_with("a deployment was ended before it was done"));
    machine.set("Mode", "deploy");
    assert!(machine.run().starts_with("deployed old > new"));
}

#[test]
fn the_way_back_survives_a_killed_run() {
    let mut machine = Machine::running("killed-bad");
    killed(&machine, "up");
    machine.images(&[("new", json!({"starts": "unhealthy"})), ("newer", json!({"starts": "unhealthy"}))]);
    machine.set("Image", &image("newer"));
    let told = machine.run();
    assert!(told.starts_with("restored old > old"), "{told}");
}

#[test]
fn what_a_person_started_after_a_killed_run_counts_more() {
    let mut machine = Machine::running("killed-person");
    killed(&machine, "up");
    machine.started("newest");
    machine.images(&[("newer", json!({"starts": "unhealthy"}))]);
    machine.set("Image", &image("newer"));
    let told = machine.run();
    assert!(told.starts_with("restored newest > newest"), "{told}");
}

#[test]
fn a_migration_that_a_killed_run_began_is_waited_for_and_one_that_succeeded_is_not_repeated() {
    let mut machine = Machine::running("killed-migration");
    machine.set("Migrate", "migrate");
    killed(&machine, "run");
    check(&machine, "deployed old > new, 2 s, migration succeeded");
    assert_eq!(machine.calls().matches("migrated new").count(), 2);
    assert_eq!(machine.state()["containers"].as_array().map(Vec::len), Some(1));

    let mut machine = Machine::running("killed-after-migration");
    machine.set("Migrate", "migrate");
    killed(&machine, "up");
    assert!(machine.run().ends_with("migration succeeded"));
    assert_eq!(machine.calls().matches("migrated new").count(), 1);
}

// ------------------------------------------------------------------------------------------------ disks

#[test]
fn two_images_stay_and_what_the_script_did_not_pull_stays_too() {
    let mut machine = Machine::running("tidy");
    check(&machine, "deployed old > new, 2 s");
    for (name, expected) in [("newer", vec!["old", "new", "newer"]), ("newest", vec!["old", "newer", "newest"])] {
        machine.set("Image", &image(name));
        assert!(machine.run().starts_with("deployed"));
        assert_eq!(machine.local(), expected, "the first image came with a person, and the two newest stay");
    }
}

// ------------------------------------------------------------------------------------------------ the document

fn document() -> Value {
    Template::read().0["Resources"]["ComposeDocument"]["Properties"].clone()
}

/// `NIGHTSHIFT_RENEW=1` writes the script into the template.
#[test]
#[expect(clippy::disallowed_methods, reason = "whoever changes the script asks for it in the environment")]
fn the_template_has_the_script_as_it_is() {
    let script = read(SCRIPT);
    if std::env::var_os("NIGHTSHIFT_RENEW").is_some() {
        let template = read("template.yaml");
        let begin = template.find("runCommand:\n").expect("the document runs a command");
        let first = begin + template[begin..].find("#!/bin/bash").expect("the script");
        let indent = &template[template[..first].rfind('\n').expect("a line") + 1..first];
        let block = template[first..].split_inclusive('\n');
        let length: usize = block
            .take_while(|it| it.trim().is_empty() || it.starts_with(indent) || it.starts_with('#'))
            .map(str::len)
            .sum();
        let indented: String =
            script.lines().map(|it| if it.is_empty() { "\n".into() } else { format!("{indent}{it}\n") }).collect();
        let renewed = format!("{}{}{}", &template[..first - indent.len()], indented, &template[first + length..]);
        fs::write(root().join("template.yaml"), renewed).expect("the template is written");
    }
    let steps = document()["Content"]["mainSteps"].clone();
    assert_eq!(steps.as_array().map(Vec::len), Some(1));
    assert_eq!(
        steps[0]["inputs"]["runCommand"],
        json!([script]),
        "NIGHTSHIFT_RENEW=1 cargo test -p nightshift-tests --test compose_script puts the script into template.yaml"
    );
}

/// Systems Manager replaces what stands in two braces, before any shell quotes it.
#[test]
fn nothing_can_be_pasted_into_the_script() {
    let document = document();
    assert!(!read(SCRIPT).contains("{{"));
    let content = &document["Content"];
    assert_eq!((&content["schemaVersion"], &document["DocumentType"]), (&json!("2.2"), &json!("Command")));
    let parameters = content["parameters"].as_object().expect("parameters");
    let names: Vec<&str> = parameters.keys().map(String::as_str).collect();
    assert_eq!(names, ["Mode", "Path", "Service", "Image", "Health", "Wait", "Migrate", "Key"]);
    for (name, it) in parameters {
        assert_eq!((&it["type"], &it["interpolationType"]), (&json!("String"), &json!("ENV_VAR")), "{name}");
        let pattern = it["allowedPattern"].as_str().expect("a pattern");
        assert!(pattern.starts_with('^') && pattern.ends_with('$'), "{name}: {pattern}");
    }
    // A document has at most 64 KB.
    assert!(content.to_string().len() < 64 * 1024, "{}", content.to_string().len());
}

/// A name in the template would hinder CloudFormation from changing the document, and from a second stack.
#[test]
fn the_document_is_changed_in_its_place() {
    let document = document();
    assert_eq!((&document["Name"], &document["UpdateMethod"]), (&Value::Null, &json!("NewVersion")));
}
