//! What a person asks of a service, or another function by a wish, turned into memory and steps.

use jiff::Zoned;
use reconcile::Plan;
use rules::keys;
use rules::memory::Approved;

use super::case::{Case, Memory};
use super::select::{Image, Selection};
use super::step::{Step, What};
use super::{chosen, reject, remember};

/// What a person asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Let this image out.
    Approve {
        /// A tag or a digest.
        image: String,
    },
    /// Never bring this image, nor what was pushed before it; if it runs, go back.
    Reject {
        /// A tag or a digest.
        image: String,
    },
    /// Go back to the image before, and do not bring this one again.
    RollBack,
    /// Try again what was rejected.
    Clear,
}

/// Heeds `ask` and the service's own wish: changes `memory`, plans to write it down, and says whether to go back at once.
///
/// The error is a problem: its kind and what is wrong.
pub fn heed(
    case: &Case<'_>,
    ask: Option<&Ask>,
    memory: &mut Memory,
    now: &Zoned,
    plan: &mut Plan<Step>,
) -> Result<bool, (&'static str, String)> {
    match ask {
        None => wish(case, memory, plan),
        Some(Ask::Approve { image }) => approve(case, image, memory, now, plan).map(|()| false),
        Some(Ask::Reject { image }) => {
            let image = find(case, image)?;
            if memory.rejects(&image.digest, image.pushed_at) {
                plan.skip(&case.service.arn, format!("{} is rejected already", case.label(&image.digest)));
            }
            reject(case, memory, image.digest.clone(), image.pushed_at, "person", "somebody rejected it".into(), plan);
            Ok(false)
        }
        Some(Ask::RollBack) => go_back(case, memory, "person", "somebody asked to roll back", plan),
        Some(Ask::Clear) => {
            clear(case, memory, now, plan);
            Ok(false)
        }
    }
}

/// Another function's wish to go back; one about an image that no longer runs is pointless.
fn wish(case: &Case<'_>, memory: &mut Memory, plan: &mut Plan<Step>) -> Result<bool, (&'static str, String)> {
    let Some(wish) = memory.wish.clone() else { return Ok(false) };
    if wish.digest.is_some() && wish.digest != case.running().digest {
        return Ok(false);
    }
    go_back(case, memory, &wish.by, &format!("{} asked to roll back", wish.by), plan)
}

fn go_back(
    case: &Case<'_>,
    memory: &mut Memory,
    by: &str,
    why: &str,
    plan: &mut Plan<Step>,
) -> Result<bool, (&'static str, String)> {
    let running = case.running();
    let Some(digest) = running.digest else {
        return Err((
            "unknown-image",
            format!(
                "it cannot be told which image runs ({} is not in the repository as it was), so it cannot be rejected; \
                     go back by hand with aws ecs update-service",
                case.running_label()
            ),
        ));
    };
    let pushed_at = case.pushed_at(&digest).unwrap_or(running.no_later_than);
    reject(case, memory, digest, pushed_at, by, why.into(), plan);
    Ok(true)
}

/// An approval counts only for the image that would go out: a newer one has to be looked at first.
fn approve(
    case: &Case<'_>,
    image: &str,
    memory: &mut Memory,
    now: &Zoned,
    plan: &mut Plan<Step>,
) -> Result<(), (&'static str, String)> {
    let image = find(case, image)?;
    let label = case.label(&image.digest);
    if memory.rejects(&image.digest, image.pushed_at) {
        return Err(("rejected", format!("{label} is rejected; send \"clear\" first if it is to be tried again")));
    }
    match chosen(case, memory) {
        Selection::Newer { image: next, .. } if next.digest == image.digest => {
            let approved = Approved { digest: image.digest.clone(), at: now.timestamp(), cleared: false };
            let known = memory.approved.as_ref().is_some_and(|it| it.digest == image.digest);
            if !known {
                remember(
                    case,
                    What::Approve,
                    keys::APPROVED,
                    Some(approved.to_string()),
                    &label,
                    "somebody approved it".into(),
                    plan,
                );
                memory.approved = Some(approved);
            }
            Ok(())
        }
        Selection::Newer { tag, .. } => {
            Err(("superseded", format!("{label} is superseded by {tag}: approve that, or reject it first")))
        }
        _ => Err(("not-next", format!("{label} is not what '{}' would bring next", case.rule.selector))),
    }
}

/// What was rejected may be tried again: that is an approval as well, so that what is known against it does not count.
fn clear(case: &Case<'_>, memory: &mut Memory, now: &Zoned, plan: &mut Plan<Step>) {
    let Some(rejected) = memory.rejected.take() else {
        return plan.skip(&case.service.arn, "nothing is rejected");
    };
    let label = case.label(&rejected.digest);
    let approved = Approved { digest: rejected.digest, at: now.timestamp(), cleared: true };
    let why = "somebody cleared it, so what is known against it does not count";
    remember(case, What::Approve, keys::APPROVED, Some(approved.to_string()), &label, why.into(), plan);
    remember(case, What::Clear, keys::REJECTED, None, &label, "somebody cleared it".into(), plan);
    memory.approved = Some(approved);
}

fn find<'a>(case: &Case<'a>, image: &str) -> Result<&'a Image, (&'static str, String)> {
    let named = |it: &&Image| it.digest.to_string() == image || it.tags.iter().any(|tag| tag == image);
    case.images.iter().find(named).ok_or_else(|| {
        ("no-such-image", format!("there is no image '{image}' in the repository {}", case.image.repository))
    })
}
