//! What the service that is promoted from has proven of an image.

use rules::deploy::Selector;
use rules::memory::Verdict;
use rules::rejections::Rejections;
use rules::soak::Soak;
use rules::{Digest, keys};

use super::memory::Memory;
use super::world::{Fact, Image, Observation, Origin, World};

/// The images that were live for long enough on the service that `selector` promotes from, as far as that is known.
pub fn promoted<'q>(
    selector: &Selector,
    images: &'q [Image],
    world: &World,
    memory: &'q Memory,
) -> [Option<&'q Digest>; 2] {
    let Selector::Promote { from, soak } = selector else { return [None, None] };
    let Some(count) = memory.soak.as_ref().filter(|it| it.of == Soak::mark_of(from)) else { return [None, None] };
    let origin = match world.facts.get(&Fact::Origin(from.clone())) {
        Some(Observation::Origin(Some(origin))) => Some(origin),
        // It is looked at before anything is done.
        None => None,
        Some(_) => return [None, None],
    };
    let fine = |it: &&Digest| origin.is_none_or(|origin| !rejects(origin, it));
    let ready = count.ready.as_ref().and_then(|it| images.iter().find(|image| it.is(&image.digest)));
    let ready = ready.map(|it| &it.digest);
    [Some(&count.digest).filter(|_| count.is_done(*soak)).filter(fine), ready.filter(fine)]
}

/// Whether the service has rejected the image.
fn rejects(origin: &Origin, digest: &Digest) -> bool {
    let tags = keys::DEPLOYS.iter().filter_map(|it| origin.service.tags.get(it.rejected));
    tags.map(|it| it.parse::<Rejections>()).any(|it| it.is_ok_and(|it| it.covers(digest)))
}

/// The images that were found live on the service by the function that deploys to it.
pub fn verdicts(origin: &Origin) -> impl Iterator<Item = Verdict> {
    keys::DEPLOYS.iter().filter_map(|it| origin.service.tags.get(it.verdict)?.parse().ok())
}
