//! The long steps before a story: what is being done, and for how long.
//!
//! A terminal sees the seconds count and where the step is; a file gets one line for each step.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use testkit::Progress;

/// Where the seconds stand.
const COLUMN: usize = 32;

/// No line that is drawn again may wrap.
const NARROW: usize = 59;

/// Shows the step under way. Clones show the same.
#[derive(Clone, Default)]
pub struct Steps(Arc<Mutex<Option<Step>>>);

struct Step {
    name: String,
    detail: String,
    begun: Instant,
    /// Columns that are written on.
    written: usize,
    /// The seconds after which the next sign of life is due.
    due: u64,
}

impl Steps {
    /// Takes what the testkit tells.
    pub fn tell(&self, progress: Progress<'_>) {
        match progress {
            Progress::Step(name) => self.begin(name),
            Progress::Detail(detail) => {
                if let Some(step) = self.lock().as_mut() {
                    step.detail = detail.to_owned();
                }
            }
        }
    }

    /// Ends the step under way and begins another.
    pub fn begin(&self, name: &str) {
        self.end();
        let mut step = Step { name: name.to_owned(), detail: String::new(), begun: Instant::now(), written: 0, due: 0 };
        step.show();
        *self.lock() = Some(step);
        let steps = self.clone();
        thread::spawn(move || steps.tick());
    }

    /// Ends the step under way.
    pub fn end(&self) {
        if let Some(step) = self.lock().take() {
            step.finish();
        }
    }

    /// Signs of life until the step has ended.
    fn tick(&self) {
        let Some(begun) = self.lock().as_ref().map(|it| it.begun) else { return };
        loop {
            thread::sleep(Duration::from_millis(100));
            match self.lock().as_mut() {
                Some(step) if step.begun == begun => step.show(),
                _ => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Step>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Step {
    fn show(&mut self) {
        let seconds = self.begun.elapsed().as_secs();
        if self.written > 0 && seconds < self.due {
            return;
        }
        let mut stdout = io::stdout();
        let text = match (stdout.is_terminal(), seconds) {
            (true, _) => {
                self.due = seconds + 1;
                let text = format!("  {:<COLUMN$}{seconds:>4} s    {}", self.name, self.detail);
                let text: String = text.chars().take(NARROW).collect();
                format!("\r{text:<0$}", self.written)
            }
            (false, 0) => {
                self.due = 10;
                format!("  {} ", self.name)
            }
            (false, _) => {
                // Few enough that half an hour fits on a line.
                self.due = [60, 180, 600, 1800].into_iter().find(|it| seconds < *it).unwrap_or(seconds * 2);
                format!("... {seconds} s ")
            }
        };
        self.written = if text.starts_with('\r') { text.len() - 1 } else { self.written + text.len() };
        // Nothing depends on it.
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }

    fn finish(self) {
        let seconds = format!("{:.1} s", self.begun.elapsed().as_secs_f64());
        let mut stdout = io::stdout();
        let text = if stdout.is_terminal() {
            let text = format!("  {:<COLUMN$}{seconds:>6}", self.name);
            format!("\r{text:<0$}\n", self.written)
        } else {
            let column = (COLUMN + 8).saturating_sub(self.written).max(seconds.len() + 1);
            format!("{seconds:>column$}\n")
        };
        let _ = stdout.write_all(text.as_bytes());
    }
}
