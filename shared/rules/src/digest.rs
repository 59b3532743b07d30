//! The digest of an image.

use std::fmt;
use std::str::FromStr;

/// The digest of an image: `sha256:` and 64 lower-case hex digits.
///
/// ```
/// let digest: rules::Digest = format!("sha256:{:064x}", 0x1a2b).parse().unwrap();
/// assert_eq!(digest.short(), "sha256:000000000000");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

/// Something that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no digest; accepted: sha256: and 64 lower-case hex digits")]
pub struct BadDigest(String);

impl Digest {
    /// The algorithm and the first 12 digits, enough for people.
    pub fn short(&self) -> &str {
        &self.0[.."sha256:".len() + 12]
    }
}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let digits = text.strip_prefix("sha256:").filter(|it| it.len() == 64);
        let hex = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
        match digits {
            Some(digits) if digits.bytes().all(hex) => Ok(Digest(text.into())),
            _ => Err(BadDigest(text.into())),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_digest_is_one() {
        let digits = "0123456789abcdef".repeat(4);
        assert_eq!(format!("sha256:{digits}").parse::<Digest>().unwrap().to_string(), format!("sha256:{digits}"));
        let upper = format!("sha256:{}", digits.to_uppercase());
        for wrong in
            ["", "sha256:", &digits, &format!("sha256:{digits}0"), &format!("sha512:{digits}"), &upper, "sha256:é"]
        {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }
}
