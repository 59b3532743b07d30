//! The local AWS of one test or demo: started, deployed to, and gone when it is dropped.

mod binaries;
mod calls;
mod commands;
mod control;
mod disk;
mod folders;
mod http;
mod inbox;
mod messages;
mod programs;
mod progress;
mod python;
mod server;
mod shop;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

pub use calls::Invocation;
pub use control::Call;
pub use messages::Message;
pub use progress::Progress;

use crate::{Error, Result};
use commands::Commands;
use folders::{local_aws_dir, workspace};
use http::Http;
use messages::Inbox;
use python::Packages;
use server::Server;

/// How long [`LocalAws::wait_until`] waits: long enough for a busy machine, as nothing here takes longer than a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// What kind of AWS to start.
pub struct Options {
    /// Evaluate IAM: functions may do what their roles in the template grant, and nothing else.
    pub auth: bool,
    /// Build the functions and deploy `template.yaml`.
    pub deploy: bool,
    /// Which functions to deploy; all of them if none is named. In the place of each other one the stack has a function
    /// that says so and fails.
    pub functions: Vec<&'static str>,
    /// Build those functions only, and not all of them from the crates that the tests are linked with.
    pub build_only_these: bool,
    /// Parameters of the template. `Architecture` is this machine's unless given.
    pub parameters: Vec<(String, String)>,
    /// Is told, in a line for people, what is being waited for.
    pub progress: Box<dyn Fn(Progress<'_>)>,
    /// Set by another thread, it ends whatever is being waited for, with an error.
    pub stop: Arc<AtomicBool>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            auth: true,
            deploy: true,
            functions: Vec::new(),
            build_only_these: false,
            parameters: Vec::new(),
            progress: Box::new(|progress| match progress {
                Progress::Step(line) => eprintln!("local AWS: {line}"),
                Progress::Detail(line) => eprintln!("local AWS:   {line}"),
            }),
            stop: Arc::default(),
        }
    }
}

/// A running local AWS: region ap-northeast-2, account 123456789012. Dropping it stops all its processes.
pub struct LocalAws {
    server: Server,
    http: Http,
    outputs: BTreeMap<String, String>,
    inbox: Option<Inbox>,
    stop: Arc<AtomicBool>,
}

impl LocalAws {
    /// The region that everything is in.
    pub const REGION: &'static str = http::REGION;
    /// The account that owns everything.
    pub const ACCOUNT: &'static str = "123456789012";
    /// The name of the stack.
    pub const STACK: &'static str = "nightshift";

    /// Starts it and, unless told otherwise, deploys the template. The first start on a machine installs MiniStack.
    pub fn start(options: Options) -> Result<Self> {
        let stopped = flag(&options.stop);
        let commands = Commands { progress: &options.progress, stop: &stopped };
        let (programs, binaries) = installed_and_built(&options, &commands)?;
        let python = programs.join("python");
        commands.step("starting the local AWS");
        let server = Server::start(&python, options.auth)?;
        let http = Http::new(server.endpoint());
        let mut aws = Self { server, http, outputs: BTreeMap::new(), inbox: None, stop: options.stop.clone() };
        aws.wait_until("the server to answer", || Ok(aws.http.is_healthy().then_some(())))?;
        if options.deploy {
            commands.step("deploying template.yaml");
            let deployed = aws.deploy_main(&commands, &python, &binaries, &options.parameters);
            aws.outputs = deployed.map_err(|err| aws.server.explained(err))?;
            aws.inbox = Some(aws.subscribe_inbox(aws.output("TopicArn")?)?);
        }
        Ok(aws)
    }

    /// The Python of the local AWS, with boto3; installed if it is missing. For programs that call another AWS.
    pub fn interpreter(options: &Options) -> Result<PathBuf> {
        let stopped = flag(&options.stop);
        let commands = Commands { progress: &options.progress, stop: &stopped };
        Ok(python::SERVER.install(&commands)?.join("python"))
    }

    /// The AWS CLI, installed if it is missing, for programs that call another AWS.
    pub fn command_line_interface(options: &Options) -> Result<PathBuf> {
        let stopped = flag(&options.stop);
        let commands = Commands { progress: &options.progress, stop: &stopped };
        Ok(python::AWS_CLI.install(&commands)?.join("aws"))
    }

    /// That interpreter, and the binaries of all functions by name; built if they are not. For what plays AWS itself.
    pub fn interpreter_and_binaries(options: &Options) -> Result<(PathBuf, BTreeMap<String, PathBuf>)> {
        let stopped = flag(&options.stop);
        let commands = Commands { progress: &options.progress, stop: &stopped };
        let (programs, binaries) = installed_and_built(options, &commands)?;
        Ok((programs.join("python"), binaries))
    }

    /// Where it listens, for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> &str {
        self.server.endpoint()
    }

    /// The id of the server's process.
    pub fn process_id(&self) -> u32 {
        self.server.process_id()
    }

    /// The Python of the local AWS, with boto3.
    pub fn python(&self) -> Result<PathBuf> {
        self.installed(&python::SERVER, "python")
    }

    /// The AWS CLI; installed if it is missing.
    pub fn aws_cli(&self) -> Result<PathBuf> {
        self.installed(&python::AWS_CLI, "aws")
    }

    /// The program behind `cargo lambda`; installed if it is missing.
    pub fn cargo_lambda(&self) -> Result<PathBuf> {
        self.installed(&python::CARGO_LAMBDA, "cargo-lambda")
    }

    fn installed(&self, packages: &Packages, program: &str) -> Result<PathBuf> {
        let stopped = flag(&self.stop);
        Ok(packages.install(&Commands { progress: &|_| (), stop: &stopped })?.join(program))
    }

    /// The binaries of all functions; built if they are not.
    pub fn binaries(&self) -> Result<BTreeMap<String, PathBuf>> {
        let stopped = flag(&self.stop);
        binaries::build(&Commands { progress: &|_| (), stop: &stopped })
    }

    /// A program of the workspace, built: the path of its binary, which is called as its package.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let stopped = flag(&self.stop);
        binaries::program(&Commands { progress: &|_| (), stop: &stopped }, name)
    }

    /// The root of the workspace that is deployed.
    pub fn workspace(&self) -> PathBuf {
        workspace()
    }

    /// An output of the stack.
    pub fn output(&self, key: &str) -> Result<&str> {
        let value = self.outputs.get(key);
        value
            .map(String::as_str)
            .ok_or_else(|| Error::new(format!("the stack has no output {key}, only {:?}", self.outputs)))
    }

    /// Asks again and again until there is an answer. Gives up after half a minute, naming `what` it waited for.
    pub fn wait_until<T>(&self, what: &str, mut question: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = question().map_err(|err| match self.server.exit_after(&err) {
                Some(status) => self.server.explained(Error::new(format!("{}\n{err}", self.ended(&status)))),
                None => self.server.explained(err),
            });
            if let Some(answer) = answer? {
                return Ok(answer);
            }
            if self.stop.load(Ordering::Relaxed) {
                return Err(Error::new(format!("stopped while waiting for {what}")));
            }
            if let Some(status) = self.server.exit() {
                let ended = Error::new(self.ended(&status)).context(format_args!("waiting for {what}"));
                return Err(self.server.explained(ended));
            }
            if Instant::now() > deadline {
                let vain = Error::new(format!("waited in vain for {what}\n{}", self.server.log_tail()));
                return Err(self.server.explained(vain));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn ended(&self, status: &str) -> String {
        format!("the local AWS has ended with {status}\n{}", self.server.log_tail())
    }

    /// The end of the server's log, for error messages.
    pub fn log_tail(&self) -> String {
        self.server.log_tail()
    }

    /// Deploys a further template of the workspace, one without functions, as a stack of its own. Returns its outputs.
    pub fn deploy_stack(
        &self,
        template: &str,
        stack: &str,
        parameters: &[(&str, &str)],
    ) -> Result<BTreeMap<String, String>> {
        let stopped = flag(&self.stop);
        let commands = Commands { progress: &|_| (), stop: &stopped };
        let mut deploy = self.deploy_command(&self.python()?, template, stack);
        for (key, value) in parameters {
            deploy.args(["--parameter", &format!("{key}={value}")]);
        }
        self.outputs_of(&commands, &mut deploy, template)
    }

    fn deploy_main(
        &self,
        commands: &Commands<'_>,
        python: &Path,
        binaries: &BTreeMap<String, PathBuf>,
        parameters: &[(String, String)],
    ) -> Result<BTreeMap<String, String>> {
        let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
        let mut deploy = self.deploy_command(python, "template.yaml", Self::STACK);
        deploy.arg("--placeholders");
        for (name, path) in binaries {
            deploy.args(["--binary", &format!("{name}={}", path.display())]);
        }
        // Of a parameter given twice the last one counts.
        deploy.args(["--parameter", &format!("Architecture={machine}")]);
        // MiniStack has the API of AWS Budgets, but not the resource type.
        deploy.args(["--parameter", "BudgetAmount=0"]);
        // What is routine is told at once: a test does not wait for the report of the day.
        deploy.args(["--parameter", "Routine=each"]);
        for (key, value) in parameters {
            deploy.args(["--parameter", &format!("{key}={value}")]);
        }
        self.outputs_of(commands, &mut deploy, "template.yaml")
    }

    fn deploy_command(&self, python: &Path, template: &str, stack: &str) -> Command {
        let mut deploy = Command::new(python);
        deploy.arg(local_aws_dir().join("deploy.py")).args(["--endpoint", self.endpoint(), "--stack", stack]);
        deploy.arg("--template").arg(workspace().join(template));
        deploy
    }

    fn outputs_of(
        &self,
        commands: &Commands<'_>,
        deploy: &mut Command,
        template: &str,
    ) -> Result<BTreeMap<String, String>> {
        let output = commands.output(deploy.env_clear())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Error::new(format!("deploying {template} failed: {said}\n{}", self.log_tail())));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// Downloads and compiles side by side, since each leaves to the other what it does not use.
fn installed_and_built(options: &Options, commands: &Commands<'_>) -> Result<(PathBuf, BTreeMap<String, PathBuf>)> {
    if !options.deploy {
        return Ok((python::SERVER.install(commands)?, BTreeMap::new()));
    }
    let failed = AtomicBool::new(false);
    let [told, given_up] = [flag(&options.stop), flag(&failed)];
    let stopped = || told() || given_up();
    thread::scope(|scope| {
        let installing = scope.spawn(|| python::SERVER.install(&Commands { progress: &|_| (), stop: &stopped }));
        let built = match options.build_only_these {
            true => binaries::build_only(commands, &options.functions),
            false => binaries::build(commands),
        };
        failed.store(built.is_err(), Ordering::Relaxed);
        if built.is_ok() && !installing.is_finished() {
            commands.step("installing MiniStack (once)");
        }
        let programs = installing.join().map_err(|_| Error::new("installing MiniStack panicked"))?;
        let mut binaries = built?;
        binaries.retain(|name, _| options.functions.is_empty() || options.functions.contains(&name.as_str()));
        Ok((programs?, binaries))
    })
}

fn flag(flag: &AtomicBool) -> impl Fn() -> bool + Sync {
    || flag.load(Ordering::Relaxed)
}
