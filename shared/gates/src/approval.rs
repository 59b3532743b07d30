//! `approval=manual`: a person lets each image out.

use reconcile::Choice;
use rules::memory::Approved;

use crate::{Blocked, Candidate};

/// The problem that asks a person whether an image goes out.
const NEEDS_APPROVAL: &str = "needs-approval";

/// A person has let this very image out; `offer` is a command about it, with the label of its button.
pub fn approval<F, A>(
    candidate: &Candidate<'_>,
    approved: Option<&Approved>,
    offer: impl Fn(&'static str, &'static str) -> Choice,
) -> Result<(), Blocked<F, A>> {
    let Candidate { running, image, tag, .. } = *candidate;
    if approved.is_some_and(|it| it.digest == image.digest) {
        return Ok(());
    }
    // Its digest makes another image of the same tag another question.
    let message = format!(
        "{tag} waits for your approval (runs {running}). Approved, {} is deployed at once; rejected, it never is",
        image.digest.short(),
    );
    let choices = vec![offer("Approve", "approve"), offer("Reject", "reject")];
    Err(Blocked::Asks { kind: NEEDS_APPROVAL, message, choices })
}
