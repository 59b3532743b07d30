//! Whether an object of a copy is what was copied.

use super::world::{Compared, Object, START, Side};

/// What a comparison comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The same from the first byte to the last.
    Same,
    /// As far as can be told: the size is the same, and the beginning where it could be read.
    Alike,
    /// The object in the source is another one by now, so that nothing can be said.
    Changed,
    Wrong(String),
}

/// What `compared` comes to.
pub fn verdict(compared: &Compared) -> Verdict {
    let source = match &compared.source {
        Side::Missing => return Verdict::Changed,
        Side::There(it) if it.etag != compared.chosen.etag => return Verdict::Changed,
        Side::Refused(code) => return Verdict::Wrong(format!("the source cannot be read: {code}")),
        Side::There(it) => it,
    };
    let copy = match &compared.copy {
        Side::Missing => return Verdict::Wrong("is not in the copy".into()),
        Side::Refused(code) => return Verdict::Wrong(format!("cannot be read from the copy: {code}")),
        Side::There(it) => it,
    };
    if copy.size != source.size {
        return Verdict::Wrong(format!("has {} bytes in the copy and {} in the source", copy.size, source.size));
    }
    match compared.same_start {
        Some(false) => return Verdict::Wrong("differs from the source".into()),
        Some(true) if source.size <= START => return Verdict::Same,
        _ => {}
    }
    let mut both = source.checksums.iter().filter_map(|(name, ours)| Some((name, ours, copy.checksums.get(name)?)));
    if let Some((name, ours, theirs)) = both.next() {
        return match ours == theirs {
            true => Verdict::Same,
            false => Verdict::Wrong(format!("has another {name} checksum than the source")),
        };
    }
    // That of an object that was uploaded in parts depends on the parts.
    let is_digest = |it: &Object| !it.has_kms_key && it.etag.len() == 32 && !it.etag.contains('-');
    match is_digest(source) && is_digest(copy) {
        true if source.etag == copy.etag => Verdict::Same,
        true => Verdict::Wrong("has another ETag than the source".into()),
        false => Verdict::Alike,
    }
}
