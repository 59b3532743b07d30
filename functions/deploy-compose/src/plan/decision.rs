//! What is decided about all instances of a run, while it is made.

use std::collections::BTreeSet;

use reconcile::Plan;

use super::step::Step;
use super::world::Fact;

/// What is decided about all instances of a run.
#[derive(Debug, Default)]
pub struct Decision {
    /// What to do; not to be carried out while something is lacking.
    pub plan: Plan<Step>,
    /// What has to be observed first.
    pub lacking: BTreeSet<Fact>,
}
