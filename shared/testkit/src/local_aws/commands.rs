//! Runs other programs to their end: says what they say meanwhile, and ends them, with all their children, when told to.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::progress::Progress;
use crate::{Error, Result};

/// How programs are run.
pub struct Commands<'a> {
    pub progress: &'a dyn Fn(Progress<'_>),
    /// Whether to end what is running.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

impl Commands<'_> {
    /// Tells what is being waited for from now on.
    pub fn step(&self, line: &str) {
        (self.progress)(Progress::Step(line));
    }

    pub fn is_stopped(&self) -> bool {
        (self.stop)()
    }

    /// Runs a program, tells each line that it writes to standard error, and returns all that it wrote.
    pub fn output(&self, command: &mut Command) -> Result<Output> {
        let program = Path::new(command.get_program()).display().to_string();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(|err| Error::from(err).context(&program))?;
        let (sender, lines) = mpsc::channel();
        let stdout = child.stdout.take().map(read_all);
        let stderr = child.stderr.take().map(|stream| read_lines(stream, sender));
        loop {
            match lines.recv_timeout(Duration::from_millis(50)) {
                Ok(line) => (self.progress)(Progress::Detail(line.trim())),
                // Its standard error has ended, and so does the program.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.is_stopped() {
                end_group(&mut child);
                return Err(Error::new(format!("stopped while {program} was running")));
            }
        }
        Ok(Output { status: child.wait()?, stdout: joined(stdout), stderr: joined(stderr) })
    }
}

/// Ends the program and whatever it has started.
fn end_group(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by itself meanwhile.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

fn read_all(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is all that can be told.
        let _ = stream.read_to_end(&mut bytes);
        bytes
    })
}

fn read_lines(stream: impl Read + Send + 'static, lines: Sender<String>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        for line in BufReader::new(stream).lines().map_while(std::result::Result::ok) {
            all.extend_from_slice(line.as_bytes());
            all.push(b'\n');
            // Nobody listens any more once the program has been stopped.
            let _ = lines.send(line);
        }
        all
    })
}

fn joined(reader: Option<JoinHandle<Vec<u8>>>) -> Vec<u8> {
    reader.and_then(|it| it.join().ok()).unwrap_or_default()
}
