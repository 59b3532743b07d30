//! What was deployed in a week, and how long each image took from its push until it was live.

use std::collections::{BTreeMap, BTreeSet};

use board::Board;
use jiff::{SignedDuration, Timestamp};
use rules::ServiceName;
use rules::facts::Fact;

use super::world::{Deployment, Ended};

/// How many services are asked about: two calls for each.
pub const MOST: usize = 100;

/// How long before the window it is looked for the same image: a restart deploys one again that has been live for long.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(21 * 24);

/// The deployments of the services whose image a rule chooses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Deployed {
    /// By service: what was deployed, the newest first, or why that could not be read.
    pub services: Vec<(String, Result<Vec<Deployment>, String>)>,
    /// When each image was pushed, by its digest.
    pub pushed: BTreeMap<String, Timestamp>,
    /// Why some of that could not be read.
    pub unread: Option<String>,
}

/// The services that are asked about.
pub fn services(board: &Board) -> Vec<ServiceName> {
    let names = board.facts("deploy-image").filter_map(|(_, fact)| match fact {
        Fact::Image(it) => it.service.parse().ok(),
        _ => None,
    });
    let names: BTreeSet<ServiceName> = names.collect();
    names.into_iter().take(MOST).collect()
}

/// Since when deployments are asked for.
pub fn since((from, _): (Timestamp, Timestamp)) -> Timestamp {
    from - LOOK_BACK
}

impl Deployed {
    /// The images whose push counts, by registry and repository.
    pub fn images(&self, window: (Timestamp, Timestamp)) -> BTreeMap<String, BTreeSet<String>> {
        let mut images: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for it in self.first_live(window).into_iter().flat_map(|it| &it.images) {
            images.entry(it.0.clone()).or_default().insert(it.1.clone());
        }
        images
    }

    /// The deployments within the window that made an image live which had not been live on that service before.
    fn first_live(&self, (from, until): (Timestamp, Timestamp)) -> Vec<&Deployment> {
        let mut first = Vec::new();
        for history in self.services.iter().filter_map(|(_, it)| it.as_ref().ok()) {
            let mut known: BTreeSet<&(String, String)> = BTreeSet::new();
            for it in history.iter().rev().filter(|it| it.end == Ended::Well && !it.images.is_empty()) {
                let is_new = it.images.iter().any(|image| !known.contains(image));
                known.extend(&it.images);
                if is_new && it.ended.is_some_and(|at| from <= at && at < until) {
                    first.push(it);
                }
            }
        }
        first
    }

    /// How long each image of the window took. Of several containers the one that was pushed last was waited for.
    pub fn took(&self, window: (Timestamp, Timestamp)) -> Vec<SignedDuration> {
        let took = self.first_live(window).into_iter().filter_map(|it| {
            let pushed = it.images.iter().filter_map(|(_, digest)| self.pushed.get(digest)).max()?;
            Some(it.ended?.duration_since(*pushed)).filter(|it| !it.is_negative())
        });
        let mut took: Vec<SignedDuration> = took.collect();
        took.sort();
        took
    }
}
