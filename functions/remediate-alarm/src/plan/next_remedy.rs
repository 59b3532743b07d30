//! Which remedy of the ladder answers a firing, if one does.

use jiff::{SignedDuration, Timestamp};
use rules::remedied::Taken;
use rules::remedy::{Remedy, in_minutes};

use super::case::AlarmCase;
use reconcile::when;

/// An alarm that fires again within so long after the cooldown has not been helped by the last remedy.
const WINDOW: SignedDuration = SignedDuration::from_hours(2);

/// Which remedy is due.
#[derive(Debug, PartialEq)]
pub enum NextRemedy {
    Due {
        /// Its place on the ladder, from 1.
        rung: u32,
        remedy: Remedy,
        /// Why it is due, in words.
        why: String,
    },
    /// None, for this reason.
    Nothing(String),
    /// None is left: what to tell a person.
    AtTheEnd(String),
}

impl AlarmCase<'_> {
    /// Which remedy answers the firing of that moment.
    pub fn next_remedy(&self, fired: Timestamp) -> NextRemedy {
        let moment = when(fired, self.now);
        if !self.is_answered(fired) {
            return match self.recent() {
                Some(last) => {
                    let why =
                        format!("it fired again at {moment}, after {} at {}", last.remedy, when(last.at, self.now));
                    self.due((last.rung + 1).min(self.rungs()), why)
                }
                None => self.due(1, format!("it fired at {moment}")),
            };
        }
        let left = self.memory.as_ref().is_some_and(|it| it.left);
        let Some(last) = self.memory.as_ref().and_then(|it| it.last.as_ref()).filter(|_| !left) else {
            return NextRemedy::Nothing(format!("what fired at {moment} was left to a person"));
        };
        let begun = format!("{} at {}", last.remedy, when(last.at, self.now));
        if self.is_cooling(last) {
            let cooldown = in_minutes(self.rule.cooldown);
            return NextRemedy::Nothing(format!("what fired at {moment} was answered by {begun}; cooldown={cooldown}"));
        }
        // No alarm fires while it is in ALARM, so a remedy that did not help is only seen by looking again.
        if last.rung < self.rungs() && self.recent().is_some() {
            return self.due(last.rung + 1, format!("it fired at {moment} and is still in ALARM after {begun}"));
        }
        match last.remedy {
            Remedy::Notify => NextRemedy::Nothing(format!("what fired at {moment} was handed to a person")),
            _ if last.rung < self.rungs() => NextRemedy::AtTheEnd(format!(
                "it is still in ALARM after {begun}; the next step of its tag could not be taken in time; it fired at {moment}, and needs you"
            )),
            _ => NextRemedy::AtTheEnd(format!(
                "it is still in ALARM after {begun}; that was the last step of its tag; it fired at {moment}, and needs you"
            )),
        }
    }

    /// Whether the firing of that moment has its answer; a reading that is older than the memory has, too.
    pub fn is_answered(&self, fired: Timestamp) -> bool {
        self.memory.as_ref().is_some_and(|it| fired <= it.fired)
    }

    /// Whether the remedy that was taken is given its time.
    pub fn is_cooling(&self, last: &Taken) -> bool {
        self.now.timestamp() < last.at + self.rule.cooldown
    }

    /// Until when the next step of the ladder counts as an answer to the same trouble.
    pub fn ladder_ends(&self, last: &Taken) -> Timestamp {
        last.at + self.rule.cooldown + WINDOW
    }

    /// The last remedy, if what happens now is its consequence.
    fn recent(&self) -> Option<&Taken> {
        let last = self.memory.as_ref()?.last.as_ref()?;
        (self.now.timestamp() < self.ladder_ends(last)).then_some(last)
    }

    fn rungs(&self) -> u32 {
        self.rule.ladder.len() as u32
    }

    fn due(&self, rung: u32, why: String) -> NextRemedy {
        let remedy = self.rule.ladder.get(rung as usize - 1).copied().unwrap_or(Remedy::Notify);
        NextRemedy::Due { rung, remedy, why }
    }
}
