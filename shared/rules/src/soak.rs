//! `nightshift-state:soak`: how long an image has been live on the service that another one promotes from.
//!
//! The hours are counted from one look to the next, and only those in which the service was awake: what slept from Friday
//! to Monday has shown nothing. AWS does not tell when a service slept, so it cannot be computed afterwards.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::length;
use crate::memory::written;
use crate::tag::{BadTag, Reader};
use crate::{Digest, ServiceName, ShortDigest, keys};

/// Two looks may be so far apart: the sweep comes every hour, and one of them may be lost. Whatever is further apart may
/// hide a sleep, so that time does not count.
const FARTHEST: SignedDuration = SignedDuration::from_mins(125);

const MOMENT: &str = "2026-11-21T03:00:00Z";

/// How long an image has been live on a service, as of the last look.
///
/// `sha256:… of=0123456789abcdef since=2026-11-21T03:00:00Z minutes=690 at=2026-11-21T14:30:00Z ready=1a2b3c4d5e6f`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Soak {
    /// The image.
    pub digest: Digest,
    /// Which service it is live on, see [`Soak::mark_of`].
    pub of: String,
    /// When the count began.
    pub since: Timestamp,
    /// How many minutes of it the service was awake.
    pub minutes: i64,
    /// Up to when they are counted, if they go on; without it the count stands still.
    pub at: Option<Timestamp>,
    /// The image before, if that was live for long enough.
    pub ready: Option<ShortDigest>,
}

/// What one look at the service shows.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The service that is looked at.
    pub of: &'a ServiceName,
    /// The image that is live on it.
    pub digest: &'a Digest,
    /// Its tasks run.
    pub awake: bool,
    /// Since when it sleeps, if it does and that is known.
    pub asleep_since: Option<Timestamp>,
    /// The last moment at which something went wrong with it.
    pub disturbed: Option<Timestamp>,
    /// How long the image has to be live.
    pub needed: SignedDuration,
    /// The moment of the look.
    pub now: Timestamp,
}

impl Soak {
    /// How a service is marked in the tag, where its name may be too long.
    pub fn mark_of(service: &ServiceName) -> String {
        let hash = Sha256::digest(service.to_string());
        hash.iter().take(8).map(|it| format!("{it:02x}")).collect()
    }

    /// The count after a look. Once it is done, it stands still.
    pub fn after(memory: Option<&Soak>, look: Look<'_>) -> Soak {
        let after = Self::counted(memory, look);
        let at = after.at.filter(|_| !after.is_done(look.needed));
        Soak { at, ..after }
    }

    fn counted(memory: Option<&Soak>, look: Look<'_>) -> Soak {
        let of = Soak::mark_of(look.of);
        let now = written(look.now);
        let known = memory.filter(|it| it.of == of);
        let begin = |since: Timestamp, ready| Soak {
            digest: look.digest.clone(),
            of: of.clone(),
            since,
            minutes: 0,
            at: look.awake.then_some(now),
            ready,
        };
        let Some(known) = known else { return begin(now, None) };
        if known.digest != *look.digest {
            let done = known.is_done(look.needed).then(|| ShortDigest::of(&known.digest));
            let ready = done.or_else(|| known.ready.clone()).filter(|it| !it.is(look.digest));
            return begin(now, ready);
        }
        if let Some(disturbed) = look.disturbed.map(written).filter(|it| *it > known.since) {
            return begin(disturbed, known.ready.clone());
        }
        let Some(from) = known.at else { return Soak { at: look.awake.then_some(now), ..known.clone() } };
        let to = if look.awake { now } else { look.asleep_since.filter(|it| *it <= now).unwrap_or(from) };
        let gap = to.duration_since(from);
        let counts = (SignedDuration::ZERO..=FARTHEST).contains(&gap);
        let minutes = if counts { gap.as_mins() } else { 0 };
        // What is less than a minute is counted with the next look.
        let at = if counts { from + SignedDuration::from_mins(minutes) } else { now };
        Soak { minutes: known.minutes + minutes, at: look.awake.then_some(at), ..known.clone() }
    }

    /// Whether the image was live for so long.
    pub fn is_done(&self, needed: SignedDuration) -> bool {
        self.minutes >= needed.as_mins()
    }

    /// How long the service still has to be awake.
    pub fn left(&self, needed: SignedDuration) -> SignedDuration {
        SignedDuration::from_mins((needed.as_mins() - self.minutes).max(0))
    }

    /// Whether another count is worth a tag that is written: each write is a call, and a look without one loses nothing.
    pub fn is_worth_writing(&self, before: Option<&Soak>, needed: SignedDuration) -> bool {
        let Some(before) = before else { return true };
        let same = (&self.digest, &self.of, self.since, &self.ready, self.at.is_some(), self.is_done(needed))
            == (&before.digest, &before.of, before.since, &before.ready, before.at.is_some(), before.is_done(needed));
        // A gap that did not count has to be passed over for good.
        let jumped = || {
            let counted = SignedDuration::from_mins(self.minutes - before.minutes);
            self.at.zip(before.at).is_some_and(|(at, from)| at.duration_since(from) > counted)
        };
        !same || self.minutes - before.minutes >= WRITTEN_EVERY || jumped()
    }
}

/// In minutes: less than the hour between two sweeps, more than the events of one deployment take.
const WRITTEN_EVERY: i64 = 30;

/// A hundred years. What is more was written by hand, and would leave the calendar when it is added to.
const MOST_MINUTES: i64 = 100 * 366 * 24 * 60;

impl FromStr for Soak {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::SOAK, value)?;
        let Some(word) = tag.word() else { return Err(tag.bad("no digest", "sha256:DIGEST")) };
        let digest = word.parse().map_err(|_| tag.bad_word(word, &["sha256:DIGEST"]))?;
        let soak = Soak {
            digest,
            of: tag.required("of", "the mark of a service")?,
            since: tag.required("since", MOMENT)?,
            minutes: tag.required("minutes", "a number of minutes")?,
            at: tag.parsed("at", MOMENT)?,
            ready: tag.parsed("ready", "the last 12 digits of a digest")?,
        };
        if !(0..=MOST_MINUTES).contains(&soak.minutes) {
            return Err(tag.bad_option("minutes", &soak.minutes.to_string(), "a number of minutes"));
        }
        tag.finish().map(|()| soak)
    }
}

impl fmt::Display for Soak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of={} since={} minutes={}", self.digest, self.of, written(self.since), self.minutes)?;
        self.at.iter().try_for_each(|it| write!(f, " at={}", written(*it)))?;
        self.ready.iter().try_for_each(|it| write!(f, " ready={it}"))
    }
}

/// A length of time such as `90m` or `24h`; `0h` too.
pub(crate) type Length = length::Length<0, { 720 * 60 }>;

pub(crate) const LENGTH: &str = "24h or 90m (at most 720h); 0h asks only that it is live there";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(number: u8) -> Digest {
        format!("sha256:{number:064x}").parse().unwrap()
    }

    fn source() -> ServiceName {
        ServiceName::parse("staging/api").unwrap()
    }

    fn start() -> Timestamp {
        "2026-11-21T03:00:00Z".parse().unwrap()
    }

    /// What happens between two looks.
    #[derive(Debug, Clone)]
    struct Between {
        minutes: i64,
        image: u8,
        awake: bool,
        disturbed: bool,
    }

    fn between() -> impl Strategy<Value = Between> {
        (0..200i64, 0..3u8, prop::bool::weighted(0.8), prop::bool::weighted(0.1))
            .prop_map(|(minutes, image, awake, disturbed)| Between { minutes, image, awake, disturbed })
    }

    proptest! {
        #[test]
        fn never_more_is_counted_than_the_image_was_live_undisturbed_and_awake(
            looks in prop::collection::vec(between(), 1..40), needed in 0..600i64, forgets in any::<bool>()
        ) {
            let needed = SignedDuration::from_mins(needed);
            let (mut memory, mut now): (Option<Soak>, Timestamp) = (None, start());
            // The minutes since the image came, since it was disturbed last, and of those that may count.
            let (mut image, mut at_most, mut was_awake) = (None, 0, false);
            for it in looks {
                let middle = now + SignedDuration::from_mins(it.minutes / 2);
                now += SignedDuration::from_mins(it.minutes);
                let digest = digest(it.image);
                let disturbed = (it.disturbed && it.minutes > 1).then_some(middle);
                let seen = Look { of: &source(), digest: &digest, awake: it.awake, asleep_since: None, disturbed, needed, now };
                let after = Soak::after(memory.as_ref(), seen);
                if image != Some(it.image) || disturbed.is_some() { at_most = 0 } else if was_awake && it.awake { at_most += it.minutes }
                (image, was_awake) = (Some(it.image), it.awake);
                prop_assert!(after.minutes <= at_most, "{after} counts more than {at_most}");
                // The same look twice changes nothing.
                prop_assert_eq!(&Soak::after(Some(&after), seen), &after);
                prop_assert_eq!(after.to_string().parse::<Soak>(), Ok(after.clone()));
                if !forgets || after.is_worth_writing(memory.as_ref(), needed) { memory = Some(after) }
            }
        }

        #[test]
        fn an_hourly_look_at_a_service_that_is_awake_counts_every_hour(needed in 1..100i64, quick in prop::collection::vec(0..60i64, 0..5)) {
            let needed = SignedDuration::from_hours(needed);
            let mut memory: Option<Soak> = None;
            for hour in 0..=needed.as_hours() {
                // Events between two sweeps neither add nor lose anything.
                for minute in [0].into_iter().chain(quick.iter().copied()) {
                    let now = start() + SignedDuration::from_hours(hour) + SignedDuration::from_mins(minute);
                    if memory.as_ref().and_then(|it| it.at).is_some_and(|at| at > now) { continue }
                    let seen = Look { of: &source(), digest: &digest(1), awake: true, asleep_since: None, disturbed: None, needed, now };
                    let after = Soak::after(memory.as_ref(), seen);
                    if after.is_worth_writing(memory.as_ref(), needed) { memory = Some(after) }
                }
            }
            prop_assert!(memory.unwrap().is_done(needed));
        }

        #[test]
        fn no_value_makes_it_panic(value in any::<String>()) {
            let _ = (value.parse::<Soak>(), value.parse::<Length>());
        }
    }

    #[test]
    fn an_image_that_was_live_for_long_enough_stays_ready_while_the_next_one_soaks() {
        let needed = SignedDuration::from_hours(1);
        let look = |memory: Option<&Soak>, image: u8, minutes: i64| {
            let now = start() + SignedDuration::from_mins(minutes);
            let digest = digest(image);
            let seen =
                Look { of: &source(), digest: &digest, awake: true, asleep_since: None, disturbed: None, needed, now };
            Soak::after(memory, seen)
        };
        let first = look(None, 1, 0);
        let done = look(Some(&first), 1, 60);
        assert!(done.is_done(needed) && !first.is_done(needed));
        let next = look(Some(&done), 2, 90);
        assert_eq!((next.minutes, next.ready.clone()), (0, Some(ShortDigest::of(&digest(1)))));
        let third = look(Some(&next), 3, 100);
        assert_eq!(third.ready, Some(ShortDigest::of(&digest(1))), "what did not soak replaces nothing");
        assert_eq!(look(Some(&third), 1, 110).ready, None, "it is the one that soaks again");
    }

    #[test]
    fn another_service_to_promote_from_begins_anew() {
        let (digest, needed) = (digest(1), SignedDuration::ZERO);
        let look =
            |of, now| Look { of, digest: &digest, awake: true, asleep_since: None, disturbed: None, needed, now };
        let other = ServiceName::parse("staging/worker").unwrap();
        let source = source();
        let memory = Soak { minutes: 90, ..Soak::after(None, look(&source, start())) };
        assert_eq!(Soak::after(Some(&memory), look(&other, start())).minutes, 0);
    }

    #[test]
    fn what_was_awake_until_it_fell_asleep_counts_until_then() {
        let (digest, needed) = (digest(1), SignedDuration::from_hours(24));
        let first = Soak::after(
            None,
            Look {
                of: &source(),
                digest: &digest,
                awake: true,
                asleep_since: None,
                disturbed: None,
                needed,
                now: start(),
            },
        );
        let asleep = Look {
            of: &source(),
            digest: &digest,
            awake: false,
            asleep_since: Some(start() + SignedDuration::from_mins(20)),
            disturbed: None,
            needed,
            now: start() + SignedDuration::from_mins(55),
        };
        let after = Soak::after(Some(&first), asleep);
        assert_eq!((after.minutes, after.at), (20, None));
    }
}
