//! When a service that sleeps is awake again.

use jiff::Zoned;
use reconcile::when;
use rules::keys;
use rules::schedule::Schedule;

use super::case::Case;

impl Case<'_> {
    /// When the service is awake again, for people.
    pub fn wakes(&self, now: &Zoned) -> String {
        let stack = &self.calendar().stack;
        let schedule = self.service.tags.get(keys::SCHEDULE).and_then(|it| Schedule::read(it, stack).ok());
        let wanted = schedule.map(|it| it.wanted(now.timestamp(), now.time_zone(), stack)).filter(|it| !it.awake);
        match wanted.and_then(|it| it.until) {
            Some(at) => format!("it is awake, by its schedule {}", when(at, now)),
            None if self.service.tags.contains_key(keys::ASLEEP) => {
                "it is awake, which it is not by its schedule".into()
            }
            None => "it has tasks again".into(),
        }
    }
}
