//! How long things may take before that means something.

use jiff::SignedDuration;

/// So long after a change began, what is not as it should be may have been left so by a run that died.
pub const GRACE: SignedDuration = SignedDuration::from_mins(15);

/// What a person started stays up so long where the schedule never changes.
pub const STANDS_FOR: SignedDuration = SignedDuration::from_hours(24);

/// A deployment that takes longer than this is not waited for any more.
pub const DEPLOYS_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// A service whose tasks do not all run so long after it was woken is told.
pub const UP_WITHIN: SignedDuration = SignedDuration::from_mins(20);

/// A window tells when its services were woken if that happened so soon after it began; otherwise it is remembered.
pub const WOKEN_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// A database that does not serve so long after it was started is told, and one that is stopped again is started again.
pub const SERVES_WITHIN: SignedDuration = SignedDuration::from_mins(30);

/// What AWS refuses in a state that allows it is tried again after this time.
pub const TRIED_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// A database that cannot be stopped for its state so long into its sleep is told.
pub const STOPPABLE_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// A cluster is stopped without the snapshot that it was to have before, if that is not there so long after.
pub const BACKED_UP_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// The copy of a memory is made with the first look at a sleeper, and each is looked at once an hour.
pub const COPIED_WITHIN: SignedDuration = SignedDuration::from_mins(80);

/// A command that deploys to an instance has ended by then: the document of deploy-compose has 2 hours, and 10 minutes to
/// reach the instance.
pub const COMPOSES_WITHIN: SignedDuration = SignedDuration::from_mins(130);

/// The same of one that did not get through before: it is sent each hour, and must not keep the instance up all night.
pub const COMPOSES_AGAIN_WITHIN: SignedDuration = SignedDuration::from_mins(30);

/// A migration that has been marked for longer than this has lost whoever removes the mark.
pub const MIGRATES_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// RDS tells of no older events.
pub const EVENTS_ARE_KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);
