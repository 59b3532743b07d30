//! Tasks of the revision that would be registered can start at all, as far as AWS says.

use super::{Blocked, Candidate, look};
use crate::plan::preflight::{faults, needs};
use crate::plan::world::{Fact, Observation, short_name};

/// Nothing that the task definition names is known to be missing.
pub fn startable(candidate: Candidate<'_>) -> Result<(), Blocked> {
    let Candidate { case, tag, .. } = candidate;
    let (base, service) = (case.base(), &case.service.arn);
    let needs = needs(base, service);
    if needs.is_empty() {
        return Ok(());
    }
    let Observation::Needs(found) = look(case, Fact::Needs(needs))? else { return Ok(()) };
    let faults = faults(base, service, found);
    if faults.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{tag} is not deployed: none of its tasks could start. With the task definition {}: {}. It goes out with the \
         next run after that is corrected, within an hour",
        short_name(base.arn()),
        faults.join("; ")
    );
    Err(Blocked::NeedsPerson("cannot-start", message))
}
