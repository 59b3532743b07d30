//! Reads what the decision depends on.

mod images;
mod snapshots;

use aws::Error;
use runtime::Run;

pub use images::Registry;
pub use snapshots::Places;

use crate::plan::World;

/// Everything that the decision depends on, of every region.
pub async fn observe(places: &Places<'_>, registry: &Registry, region: String, run: &Run<'_>) -> Result<World, Error> {
    let (snapshots, images) = tokio::join!(snapshots::read(places), registry.read());
    let (databases, snapshots, copies) = snapshots?;
    let mut world = World {
        region,
        databases,
        snapshots,
        copies,
        sharing: Default::default(),
        repositories: images.repositories,
        usage: images.usage,
    };
    if run.keep_shared() {
        world.sharing = snapshots::ask_whether_shared(places, &world, run).await;
    }
    Ok(world)
}
