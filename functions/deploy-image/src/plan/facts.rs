//! Which image a service runs and which one waits, for the board.

use choose::Selection;
use jiff::Zoned;
use rules::facts::{Fact, Image};

use super::case::Case;
use super::world::RolloutState;

/// What is so of `case` before anything is decided.
pub fn image(case: &Case<'_>, now: &Zoned) -> Fact {
    let running = case.running().digest;
    let live = case.memory.verdict.as_ref().filter(|it| Some(&it.digest) == running.as_ref()).map(|it| it.at);
    let primary = case.service.primary();
    let next = match case.selection(&case.memory) {
        Selection::Newer { image, .. } => Some(case.label(&image.digest)),
        _ => None,
    };
    let rejected = case.memory.rejected.iter().flat_map(|it| &it.images).map(|short| {
        let known = case.images.iter().find(|it| short.is(&it.digest));
        known.map_or_else(|| format!("sha256:…{short}"), |it| case.label(&it.digest))
    });
    Fact::Image(Image {
        service: case.service.name.to_string(),
        running: case.running_label(),
        pushed: running.as_ref().and_then(|it| case.pushed_at(it)),
        repository: Some(case.repository.clone()),
        digest: running.map(|it| it.to_string()),
        since: live.or(primary.and_then(|it| it.began)),
        deploying: primary.is_some_and(|it| it.state == RolloutState::InProgress),
        next,
        rejected: rejected.collect(),
        windows: gates::within_a_day(&case.service.tags, case.calendar(), now),
        frozen: gates::frozen(&case.service.tags, case.calendar(), now),
    })
}
