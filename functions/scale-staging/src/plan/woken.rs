//! Whether what was woken has come up: that UpdateService accepted a count does not mean that tasks run.

use jiff::{SignedDuration, Timestamp, Zoned};
use rules::keys;

use super::case::Case;
use super::step::Change;
use super::times::{UP_WITHIN, WOKEN_WITHIN};
use super::wants::{Source, Verdict, Wants};
use super::world::Message;

/// The kind of the problem; as long as people were told of it, it is looked at again.
pub const NOT_UP: &str = "not-up";

/// A task that has just been started may still be on its way.
const JUST_STARTED: SignedDuration = SignedDuration::from_mins(5);

/// When a service was woken, if that is recent enough to be looked at.
///
/// A window tells when its services were woken, so that a morning costs no further tag.
pub fn woken_at(wants: &Wants, verdict: &Verdict, now: &Zoned) -> Option<Timestamp> {
    let of_schedule = verdict.since.filter(|_| verdict.source == Source::Schedule);
    let of_schedule =
        of_schedule.filter(|it| now.timestamp().duration_since(*it) < UP_WITHIN * 2 || wants.was_told_of(NOT_UP));
    wants.woken.map(|it| it.since).or(of_schedule)
}

/// Whether what was woken then should have come up by now.
pub fn should_be_up(woken_at: Timestamp, now: &Zoned) -> bool {
    now.timestamp().duration_since(woken_at) >= UP_WITHIN
}

impl Case<'_> {
    /// Remembers that it is being woken, where its schedule does not tell that.
    pub fn remember_that_it_is_woken(&mut self, desired: i32) {
        if desired <= self.service.running {
            return;
        }
        let told = self.verdict.since.filter(|_| self.verdict.source == Source::Schedule);
        if told.is_none_or(|it| self.at().duration_since(it) >= WOKEN_WITHIN) {
            let woken = rules::sleep::Woken { since: self.at() };
            self.draft.remember(keys::WOKEN, woken.to_string());
            self.wants.woken = Some(woken);
        }
    }

    /// Tells of one that was woken and whose tasks do not all run.
    pub fn check_that_it_is_up(&mut self) {
        let desired = self.size.desired;
        if !self.verdict.awake || desired == 0 || desired <= self.service.running {
            if desired == self.service.desired {
                self.draft.forget(&[keys::WOKEN]);
                self.step(Change::Remember, "is up");
            }
            return;
        }
        let Some(woken_at) = woken_at(&self.wants, &self.verdict, self.now) else { return };
        if should_be_up(woken_at, self.now) && !self.is_deploying() && !self.has_just_started_a_task() {
            let said = self.service.messages.iter().find(|it| !is_progress(&it.text));
            let said = match said {
                Some(it) => format!("; ECS says: {}", lasting(&it.text)),
                None if self.service.is_group() => "; its activity in the console says why".into(),
                None => String::new(),
            };
            let things = self.service.things();
            self.draft.trouble(NOT_UP, format!("it was woken with {desired} {things}, and fewer run{said}"));
        }
    }

    fn has_just_started_a_task(&self) -> bool {
        let is_start = |it: &Message| it.text.contains("has started") && self.at().duration_since(it.at) < JUST_STARTED;
        self.service.running > 0 && self.service.messages.first().is_some_and(is_start)
    }
}

/// What ECS says of every start, whether or not it comes to something.
fn is_progress(text: &str) -> bool {
    ["has started", "has reached a steady state", "registered", "has begun draining", "deployment"]
        .iter()
        .any(|it| text.contains(it))
}

/// An event without what differs each time that it comes: the ids of tasks, and numbers in brackets.
fn lasting(text: &str) -> String {
    let differs = |word: &str| {
        let word = word.trim_matches(|it: char| !it.is_ascii_alphanumeric());
        let word = word.rsplit('/').next().unwrap_or(word);
        word.len() >= 32 && word.bytes().all(|it| it.is_ascii_hexdigit() || it == b'-')
    };
    let words: Vec<&str> = text.split_whitespace().map(|it| if differs(it) { "…" } else { it }).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_reads_the_same_whichever_task_it_is_about() {
        let event = |task: &str| format!("(service api) (task {task}) failed container health checks.");
        let expected = "(service api) (task … failed container health checks.";
        for task in ["0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"] {
            assert_eq!(lasting(&event(task)), expected);
        }
    }
}
