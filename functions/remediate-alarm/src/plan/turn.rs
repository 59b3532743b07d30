//! Whose turn it is: which remedy of the ladder answers a firing, if one does.

use jiff::{SignedDuration, Timestamp};
use rules::remedied::Taken;
use rules::remedy::{Remedy, in_minutes};

use super::Case;
use super::step::local;

/// An alarm that fires again within so long after the cooldown has not been helped by the last remedy.
const WINDOW: SignedDuration = SignedDuration::from_hours(2);

/// Which remedy is due.
#[derive(Debug, PartialEq)]
pub enum Turn {
    /// This one.
    Next {
        /// Its place on the ladder, from 1.
        rung: u32,
        /// What it is.
        remedy: Remedy,
        /// Why it is due, in words.
        why: String,
    },
    /// None, for this reason.
    Nothing(String),
    /// None is left: what to tell a person.
    AtTheEnd(String),
}

impl Case<'_> {
    /// Which remedy answers the firing of that moment.
    pub fn turn(&self, fired: Timestamp) -> Turn {
        let moment = local(fired, self.now);
        if !self.is_answered(fired) {
            return match self.recent() {
                Some(last) => {
                    let why =
                        format!("it fired again at {moment}, after {} at {}", last.remedy, local(last.at, self.now));
                    self.next(self.after(last.rung), why)
                }
                None => self.next(1, format!("it fired at {moment}")),
            };
        }
        let left = self.memory.as_ref().is_some_and(|it| it.left);
        let Some(last) = self.memory.as_ref().and_then(|it| it.last.as_ref()).filter(|_| !left) else {
            return Turn::Nothing(format!("what fired at {moment} was left to a person"));
        };
        let begun = format!("{} at {}", last.remedy, local(last.at, self.now));
        if self.cooling(last) {
            let cooldown = in_minutes(self.rule.cooldown);
            return Turn::Nothing(format!("what fired at {moment} was answered by {begun}; cooldown={cooldown}"));
        }
        // No alarm fires while it is in ALARM, so a remedy that did not help is only seen by looking again.
        if last.rung < self.rungs() && self.recent().is_some() {
            return self.next(last.rung + 1, format!("it fired at {moment} and is still in ALARM after {begun}"));
        }
        match last.remedy {
            Remedy::Notify => Turn::Nothing(format!("what fired at {moment} was handed to a person")),
            _ => Turn::AtTheEnd(format!(
                "it fired at {moment} and is still in ALARM after {begun}, the last that its tag asks for: over to you"
            )),
        }
    }

    /// Whether the firing of that moment has its answer; a reading that is older than the memory has, too.
    pub fn is_answered(&self, fired: Timestamp) -> bool {
        self.memory.as_ref().is_some_and(|it| fired <= it.fired)
    }

    /// Whether the remedy that was taken is given its time.
    pub fn cooling(&self, last: &Taken) -> bool {
        self.now.timestamp() < last.at + self.rule.cooldown
    }

    /// The last remedy, if what happens now is its consequence.
    fn recent(&self) -> Option<&Taken> {
        let last = self.memory.as_ref()?.last.as_ref()?;
        (self.now.timestamp() < last.at + self.rule.cooldown + WINDOW).then_some(last)
    }

    /// The rung after this one; the last one stays the last.
    fn after(&self, rung: u32) -> u32 {
        (rung + 1).min(self.rungs())
    }

    fn rungs(&self) -> u32 {
        self.rule.ladder.len() as u32
    }

    fn next(&self, rung: u32, why: String) -> Turn {
        let remedy = self.rule.ladder.get(rung as usize - 1).copied().unwrap_or(Remedy::Notify);
        Turn::Next { rung, remedy, why }
    }
}
