//! The process of the server: started on a port that it picks, and stopped, with all its children, when dropped.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::disk;
use super::folders::{local_aws_dir, target_dir};
use crate::{Error, Result};

pub struct Server {
    process: Mutex<Child>,
    endpoint: String,
    /// Its home: the log, and the code that the functions run from.
    directory: TempDir,
}

impl Server {
    /// Starts the launcher and waits until it says where it listens.
    pub fn start(python: &Path, auth: bool) -> Result<Self> {
        Self::launch(python, auth).map_err(|err| disk::explained(err, &target_dir().join("local-aws")))
    }

    fn launch(python: &Path, auth: bool) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(target_dir().join("local-aws"))
            .map_err(|err| Error::from(err).context("making a folder for the local AWS"))?;
        let mut launcher = Command::new(python);
        // `-B`: no compiled files in the source tree.
        launcher.arg("-B").arg(local_aws_dir().join("launcher.py")).arg("--directory").arg(directory.path());
        if auth {
            launcher.arg("--auth");
        }
        // In a group of its own, so that Ctrl-C reaches it only through us and nothing is cut off halfway.
        launcher.process_group(0);
        // Functions would inherit credentials and a proxy; the launcher makes the environment that they get.
        launcher
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(directory.path().join("log"))?);
        let mut process = launcher.spawn().map_err(|err| Error::from(err).context("starting the local AWS"))?;
        let stdout = process.stdout.take();
        let mut server = Self { process: Mutex::new(process), endpoint: String::new(), directory };
        server.endpoint = stdout
            .and_then(|it| first_line(it, Duration::from_secs(30)))
            .and_then(|line| serde_json::from_str::<Value>(&line).ok()?["endpoint"].as_str().map(str::to_owned))
            .ok_or_else(|| Error::new(format!("the local AWS did not start\n{}", server.log_tail())))?;
        Ok(server)
    }

    pub fn process_id(&self) -> u32 {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// How it ended, if it has, such as `signal: 9 (SIGKILL)`.
    pub fn exit(&self) -> Option<String> {
        let ended = self.process.lock().unwrap_or_else(PoisonError::into_inner).try_wait();
        ended.ok().flatten().map(|it| it.to_string())
    }

    /// The same after a call has failed. A process that is killed closes its connections a moment before it is gone.
    pub fn exit_after(&self, error: &Error) -> Option<String> {
        let deadline = Instant::now() + Duration::from_millis(500);
        // An error with a code is an answer, so whoever gave it is there.
        while error.code().is_none() && self.exit().is_none() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        self.exit()
    }

    /// The error, or that the disk is full, where its log and the code of the functions are.
    pub fn explained(&self, error: Error) -> Error {
        disk::explained(error, self.directory.path())
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let log = fs::read(self.directory.path().join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        format!("the end of the server's log:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        // The end of its input tells the launcher to stop the functions and itself.
        drop(process.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(5);
        while matches!(process.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                // Nothing more can be done about a process that cannot be killed.
                let _ = process.kill();
                let _ = process.wait();
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn first_line(stream: impl Read + Send + 'static, patience: Duration) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        // The receiver has gone if the patience was over.
        let _ = BufReader::new(stream).read_line(&mut line).map(|_| sender.send(line));
    });
    receiver.recv_timeout(patience).ok()
}
