//! `promote from=CLUSTER/SERVICE soak=24h`: the image that has been live on another service for long enough.
//!
//! A look at that service shows the image that is live on it and what went wrong with it; how long that lasts is counted
//! from look to look ([`rules::soak`]). The rest is as with any selector: the gates, the windows, the ways back.

use choose::Selection;
use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::when;
use rules::deploy::{DeployRule, Selector};
use rules::schedule::Schedule;
use rules::sleep::Asleep;
use rules::soak::{self, Soak};
use rules::{Digest, ServiceName, keys};

use super::case::Case;
use super::draft::{Draft, Live};
use super::gate::{Blocked, look, unavailable};
use super::proven::{is_rolling_out, verdicts};
use super::step::MemoryChange;
use super::world::{Fact, Fired, Image, Observation, Origin, RolloutEnd, RolloutState};

/// A chain of services that promote from one another is followed so far.
const LONGEST_CHAIN: usize = 8;

/// The windows of a schedule that a forecast looks ahead.
const WINDOWS_AHEAD: usize = 400;

/// What went wrong with the image that is live, and when.
struct Disturbance {
    at: Timestamp,
    what: String,
}

/// What a look at the service shows of an image.
struct Seen<'a> {
    image: &'a Image,
    awake: bool,
    /// The last deployment of it fell, and stands as it fell.
    fallen: Option<Timestamp>,
}

/// The image that is live on the service, if one is.
fn seen<'a>(case: &Case<'a>, from: &ServiceName, source: &Origin) -> Result<Seen<'a>, Blocked> {
    let service = &source.service;
    let primary = service.primary();
    if is_rolling_out(source) {
        let why = format!("{from}, which it promotes from, has a deployment under way");
        return Err(Blocked::pending(why, "that has ended"));
    }
    let mut digests: Vec<Digest> = source.pinned.values().cloned().collect();
    if digests.is_empty() {
        digests.extend(verdicts(source).map(|it| it.digest));
    }
    let ours = case.images.iter().filter(|it| digests.contains(&it.digest));
    let Some(image) = ours.max_by_key(|it| (it.pushed_at, &it.digest)) else {
        let repository = &case.repository;
        return Err(match digests.is_empty() {
            true => {
                let why = format!("ECS does not tell which image {from} runs, and none was found live on it");
                Blocked::pending(why, "an image is found live there")
            }
            false => Blocked::NeedsPerson(
                "foreign-source",
                format!("nothing to promote from {from}: it runs no image of {repository}"),
            ),
        });
    };
    let awake = service.desired > 0 && service.running > 0 && !service.tags.contains_key(keys::ASLEEP);
    let proven = awake || verdicts(source).any(|it| it.digest == image.digest);
    let fallen = primary.filter(|it| it.state == RolloutState::Failed).map(|it| it.began.unwrap_or(Timestamp::MAX));
    if !proven && fallen.is_none() {
        return Err(Blocked::pending(
            format!(
                "{} was deployed to {from} while that slept, so it has shown nothing yet",
                case.label(&image.digest)
            ),
            format!("{from} is awake and the image was found live on it"),
        ));
    }
    Ok(Seen { image, awake: awake && fallen.is_none(), fallen })
}

/// The last thing that went wrong after `since`.
fn disturbance(
    from: &ServiceName,
    source: &Origin,
    fired: &[Fired],
    seen: &Seen<'_>,
    since: Timestamp,
) -> Option<Disturbance> {
    let digest = &seen.image.digest;
    let deployments = source.history.iter().filter_map(|it| {
        let of_image = it.pinned.values().any(|it| it == digest);
        let what = match it.end {
            RolloutEnd::TakenBack | RolloutEnd::GoingBack if of_image => format!("a restart of {from} failed"),
            RolloutEnd::Successful if !of_image && !it.pinned.is_empty() => {
                format!("another image was live on {from} in between")
            }
            _ => return None,
        };
        Some(Disturbance { at: it.began?, what })
    });
    let alarms = fired.iter().filter(|it| it.service == *from);
    let alarms = alarms.map(|it| Disturbance { at: it.at, what: format!("the alarm {} fired", it.alarm) });
    let fallen = seen.fallen.map(|at| Disturbance { at, what: format!("the last deployment of {from} failed") });
    deployments.chain(alarms).chain(fallen).filter(|it| it.at > since).max_by_key(|it| it.at)
}

/// Services that promote from one another in a circle wait for ever.
fn ensure_no_circle(case: &Case<'_>, from: &ServiceName) -> Result<(), Blocked> {
    let mut chain = vec![case.service.name.clone()];
    let mut next = from.clone();
    while chain.len() < LONGEST_CHAIN {
        let closes = chain.contains(&next);
        chain.push(next.clone());
        if closes {
            let names: Vec<String> = chain.iter().map(ToString::to_string).collect();
            return Err(Blocked::NeedsPerson(
                "promotion-circle",
                format!(
                    "each of these promotes from the next one, so none ever gets a new image: {}",
                    names.join(", ")
                ),
            ));
        }
        let Observation::Origin(Some(source)) = look(case, Fact::Origin(next))? else { return Ok(()) };
        let rules = keys::DEPLOYS.iter().filter_map(|it| source.service.tags.get(it.rule)?.parse::<DeployRule>().ok());
        match rules.map(|it| it.selector).find_map(|it| match it {
            Selector::Promote { from, .. } => Some(from),
            _ => None,
        }) {
            Some(from) => next = from,
            None => return Ok(()),
        }
    }
    Ok(())
}

/// When a service with these tags will have been awake for `left` more; `None` if that cannot be told.
fn forecast(case: &Case<'_>, source: &Origin, awake: bool, left: SignedDuration, now: &Zoned) -> Option<Timestamp> {
    let (zone, stack) = (now.time_zone(), &case.calendar().stack);
    let (mut at, mut left) = (now.timestamp(), left);
    let Some(schedule) = source.service.tags.get(keys::SCHEDULE) else { return awake.then(|| at + left) };
    let schedule = Schedule::read(schedule, stack).ok()?;
    // It sleeps by something else than its schedule.
    if !awake && schedule.wanted(at, zone, stack).awake {
        return None;
    }
    for _ in 0..WINDOWS_AHEAD {
        let wanted = schedule.wanted(at, zone, stack);
        match (wanted.awake, wanted.until) {
            (true, None) => return Some(at + left),
            (true, Some(until)) if until.duration_since(at) >= left => return Some(at + left),
            (true, Some(until)) => left -= until.duration_since(at),
            (false, None) => return None,
            (false, Some(_)) => {}
        }
        at = wanted.until?;
    }
    None
}

impl Draft<'_> {
    /// Looks at the service that is promoted from, and counts on.
    pub fn look_at_source(&mut self) {
        let case = self.case;
        self.source = match &case.rule.selector {
            Selector::Promote { from, soak } => Some(self.count(from, *soak)),
            _ => None,
        };
        let counts = matches!(&case.rule.selector, Selector::Promote { soak, .. } if !soak.is_zero());
        if !counts && case.memory.soak.is_some() {
            self.remember(MemoryChange::Soak, case.keys.soak, None, "", "nothing has to soak any more");
        }
        match &self.source {
            Some(Err(Blocked::Lacks(fact))) => drop(self.lacking.insert(fact.clone())),
            Some(Err(Blocked::Pending(_)) | Ok(_)) => {}
            // What was live on a service that cannot be looked at says nothing.
            Some(Err(_)) | None => self.memory.soak = None,
        }
    }

    fn count(&mut self, from: &ServiceName, needed: SignedDuration) -> Result<Live, Blocked> {
        let case = self.case;
        ensure_no_circle(case, from)?;
        let source = match look(case, Fact::Origin(from.clone()))? {
            Observation::Origin(Some(source)) if source.service.status == "ACTIVE" => source,
            Observation::Origin(_) => {
                let message =
                    format!("there is no service {from}, which it promotes from; correct from=CLUSTER/SERVICE");
                return Err(Blocked::NeedsPerson("no-such-source", message));
            }
            other => {
                return Err(unavailable(
                    other,
                    "unreadable-source",
                    format_args!("what runs on {from}, which it promotes from,"),
                ));
            }
        };
        let fired: &[Fired] = match needed.is_zero() {
            true => &[],
            false => match look(case, Fact::Fired)? {
                Observation::Fired(fired) => fired,
                other => return Err(unavailable(other, "unreadable-source", "which alarms fire")),
            },
        };
        let seen = seen(case, from, source)?;
        let before = self.memory.soak.take();
        let since = before.as_ref().map_or(Timestamp::MAX, |it| it.since);
        let disturbance = disturbance(from, source, fired, &seen, since);
        let asleep = source.service.tags.get(keys::ASLEEP).and_then(|it| it.parse::<Asleep>().ok());
        let mut count = Soak::after(
            before.as_ref(),
            soak::Look {
                of: from,
                digest: &seen.image.digest,
                awake: seen.awake,
                asleep_since: asleep.map(|it| it.since),
                disturbed: disturbance.as_ref().map(|it| it.at),
                needed,
                now: self.now.timestamp(),
            },
        );
        // A service that went back to an older image has taken back what was ready.
        let pushed =
            |it: &rules::ShortDigest| case.images.iter().find(|image| it.is(&image.digest)).map(|it| it.pushed_at);
        count.ready = count.ready.filter(|it| pushed(it).is_some_and(|it| it <= seen.image.pushed_at));
        if !needed.is_zero() && count.is_worth_writing(before.as_ref(), needed) {
            let why = match disturbance.filter(|_| count.minutes == 0) {
                Some(it) => format!("counted anew, since {}", it.what),
                None => format!("live on {from} for {}", of(&count, needed)),
            };
            let value = Some(count.to_string());
            self.remember_image(MemoryChange::Soak, case.keys.soak, value, &seen.image.digest, why);
        }
        let earliest = forecast(case, source, seen.awake, count.left(needed), self.now);
        self.memory.soak = Some(count);
        Ok(Live { digest: seen.image.digest.clone(), awake: seen.awake, earliest })
    }

    /// Says what becomes of the image on the service that is promoted from, and whether that is all there is to say.
    pub fn tell_source(&mut self, selection: &Selection<'_>) -> bool {
        let case = self.case;
        let nothing = matches!(selection, Selection::NoMatch { .. });
        let Selector::Promote { from, soak } = &case.rule.selector else { return false };
        match self.source.take() {
            None => false,
            Some(Err(blocked)) => {
                self.hold(blocked);
                nothing
            }
            Some(Ok(live)) => {
                let label = case.label(&live.digest);
                let done = self.memory.soak.as_ref().is_none_or(|it| it.is_done(*soak));
                let runs = case.running().digest.as_ref() == Some(&live.digest);
                match (runs, done) {
                    (true, _) if nothing => self.skip(format!("runs {label}, which is live on {from}")),
                    (false, false) => self.tell_soak(&live, &label, from, *soak),
                    _ if nothing => {
                        self.skip(format!("{label}, which is live on {from}, is rejected there or no image"))
                    }
                    _ => {}
                }
                nothing
            }
        }
    }

    fn tell_soak(&mut self, live: &Live, label: &str, from: &ServiceName, needed: SignedDuration) {
        let Some(count) = &self.memory.soak else { return };
        let opens = live.earliest.and_then(|it| self.case.opens(it, self.now.time_zone()));
        let frozen = self.case.service.tags.contains_key(keys::FREEZE);
        let earliest = match (live.earliest, opens) {
            (None, _) => format!("; when that is over nothing tells: {from} sleeps, and not by its schedule"),
            (Some(soaked), None) => {
                format!("; that takes until {}, and after it no window ever opens", when(soaked, self.now))
            }
            (Some(soaked), Some(_)) if frozen => {
                format!(
                    "; that takes until {}, and it then waits until {} is removed",
                    when(soaked, self.now),
                    keys::FREEZE
                )
            }
            (Some(_), Some(opens)) => format!("; it is deployed {} at the earliest", when(opens, self.now)),
        };
        let sleeps = if live.awake { "" } else { ", which sleeps, so nothing is counted" };
        let counted = of(count, needed);
        let soaks = format!("{label} soaks on {from}{sleeps}: live for {counted}{earliest}");
        self.waits.get_or_insert_with(|| soaks.clone());
        self.skip(soaks);
    }
}

/// `11 of 24 awake hours`.
fn of(count: &Soak, needed: SignedDuration) -> String {
    match needed.as_mins() {
        minutes if minutes % 60 == 0 && minutes >= 120 => {
            format!("{} of {} hours awake", count.minutes.min(minutes) / 60, minutes / 60)
        }
        minutes => format!("{} of {minutes} minutes awake", count.minutes.min(minutes)),
    }
}
