//! What has to be read before anything can be decided.

use std::collections::BTreeSet;

use rules::compose::Ordered;
use rules::keys;

use super::command::Scope;
use super::fleet::fleets;
use super::world::World;

/// What to read of the instances that a run looks at.
#[derive(Debug, Default)]
pub struct Wanted {
    pub instances: Vec<String>,
    pub repositories: BTreeSet<String>,
    /// The command that each instance remembers.
    pub orders: Vec<(String, Ordered)>,
    /// One of them belongs to an Auto Scaling group.
    pub groups: bool,
}

/// What to read, by the instances alone.
pub fn wanted(world: &World, scope: &Scope) -> Wanted {
    let mut wanted = Wanted::default();
    for (instance, rule) in fleets(world, scope).into_iter().flat_map(|it| it.members) {
        let Ok(rule) = rule else { continue };
        wanted.instances.push(instance.id.clone());
        wanted.repositories.insert(rule.repository.to_string());
        wanted.groups |= instance.group().is_some();
        let order = instance.tags.get(keys::COMMAND).and_then(|it| it.parse::<Ordered>().ok());
        wanted.orders.extend(order.map(|it| (instance.id.clone(), it)));
    }
    wanted
}
