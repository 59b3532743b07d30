//! A notice before sleep, where people may not expect it: something is kept awake or boosted for a while, or sleeps for the
//! first time. What sleeps in its usual rhythm is not told.

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::MessageKind;
use rules::keys;
use rules::schedule::{Act, StackCalendar};

use super::draft::Draft;
use super::step::Change;
use super::wants::{Source, Verdict, Wants};

/// For so much longer the command in the message keeps it awake.
const LONGER: SignedDuration = SignedDuration::from_hours(2);

/// What is told before a sleep.
pub struct Notice {
    /// When it sleeps.
    at: Timestamp,
    /// Why that may surprise.
    why: String,
}

/// What to tell now of the sleep that comes within `ahead`, if anything is.
pub fn due(
    wants: &Wants,
    verdict: &Verdict,
    ahead: Option<SignedDuration>,
    now: &Zoned,
    calendar: &StackCalendar,
) -> Option<Notice> {
    let (ahead, at) = (ahead?, verdict.until?);
    let left = at.duration_since(now.timestamp());
    if !verdict.awake || left <= SignedDuration::ZERO || left > ahead || wants.asleep.is_some() {
        return None;
    }
    // With act=wake people have the nights to themselves.
    let then = wants.verdict(&at.to_zoned(now.time_zone().clone()), calendar);
    if then.awake || wants.schedule.act == Act::Wake && then.source == Source::Schedule {
        return None;
    }
    let boost = wants.boost(now.timestamp()).filter(|it| at < it.until);
    let why = match (verdict.source, boost) {
        (Source::Hold | Source::Person | Source::Needed | Source::Maintenance, _) => return None,
        (_, Some(boost)) => {
            format!("its boost by {} lasts until {}, and ends with that", boost.by, wants.local(boost.until, now))
        }
        (Source::AwakeUntil, None) if wants.is_kept_awake_until(at) => "it is kept awake until then only".into(),
        (_, None) if wants.noticed.is_none() => "it is the first time that this is told".into(),
        (_, None) => return None,
    };
    let notice = Notice { at, why };
    (wants.noticed.as_deref() != Some(notice.memory().as_str())).then_some(notice)
}

impl Notice {
    fn memory(&self) -> String {
        format!("{:.0}", self.at)
    }

    /// Drafts the step that tells it, with the command that keeps it awake; `follows` is what sleeps after it.
    pub fn draft(&self, wants: &Wants, follows: &[String], view: serde_json::Value, now: &Zoned, draft: &mut Draft) {
        let zone = wants.schedule.zone(now.time_zone());
        let minutes = (self.at.duration_since(now.timestamp()).as_secs() + 59) / 60;
        let after = match follows {
            [] => String::new(),
            names => format!(", and {} after it where nothing else needs that", names.join(" and ")),
        };
        let headline = format!("goes to sleep in {minutes} min, at {}{after}: {}", wants.local(self.at, now), self.why);
        let longer = self.at.checked_add(LONGER).ok().map(|it| it.to_zoned(zone.clone()));
        draft.remember(keys::NOTICED, self.memory());
        draft.keep_awake_until(longer.map(|it| it.strftime("%Y-%m-%dT%H:%M").to_string()));
        let reason = "SleepNotice tells it before, and the command keeps it awake for two hours more".to_owned();
        draft.step(Change::Tell(MessageKind::NeedsYou), headline, view, reason);
    }
}
