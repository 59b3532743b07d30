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

/// Something that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a digest; accepted: sha256: and 64 lower-case hex digits")]
pub struct BadDigest(String);

impl Digest {
    /// The algorithm and the first 12 digits, enough for people.
    pub fn short(&self) -> &str {
        &self.0[.."sha256:".len() + 12]
    }

    /// The hex digits, without the algorithm.
    pub fn digits(&self) -> &str {
        &self.0["sha256:".len()..]
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

/// The end of a digest: 8 hex digits or more, so that a tag has room for several.
///
/// Among the thousand images of a repository, two alike in 8 digits are met once in ten thousand repositories; 12 are
/// written where there is room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortDigest(String);

impl ShortDigest {
    /// The end of `digest`, as long as it is usually written.
    pub fn of(digest: &Digest) -> Self {
        ShortDigest(digest.digits()[64 - 12..].into())
    }

    /// The whole of `digest`.
    pub fn whole(digest: &Digest) -> Self {
        ShortDigest(digest.digits().into())
    }

    /// Whether it is the end of `digest`.
    pub fn is(&self, digest: &Digest) -> bool {
        digest.digits().ends_with(&self.0)
    }

    /// Its last 12 digits, or all where there are fewer.
    pub fn usual(&self) -> &str {
        &self.0[self.0.len().saturating_sub(12)..]
    }

    /// A digest that ends so, for an image of which nothing else is known any more.
    pub fn padded(&self) -> Digest {
        Digest(format!("sha256:{:0>64}", self.0))
    }

    /// Its last 8 digits.
    pub fn shortest(&self) -> &str {
        &self.0[self.0.len() - 8..]
    }
}

impl FromStr for ShortDigest {
    type Err = BadDigest;

    /// With the algorithm before it or without.
    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let hex = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
        let fine = (8..=64).contains(&digits.len()) && digits.bytes().all(hex);
        if fine { Ok(ShortDigest(digits.into())) } else { Err(BadDigest(text.into())) }
    }
}

impl fmt::Display for ShortDigest {
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

    #[test]
    fn the_end_of_a_digest_stands_for_it() {
        let digest: Digest = format!("sha256:{}", "0123456789abcdef".repeat(4)).parse().unwrap();
        let short = ShortDigest::of(&digest);
        assert_eq!((short.to_string().as_str(), short.shortest()), ("456789abcdef", "89abcdef"));
        for fine in ["89abcdef", "sha256:456789abcdef", &digest.to_string()] {
            assert!(fine.parse::<ShortDigest>().unwrap().is(&digest), "{fine}");
        }
        assert!(!"89abcdee".parse::<ShortDigest>().unwrap().is(&digest));
        for wrong in ["", "0123456", "v1.2.3.4.5", "0123456G", &"0".repeat(65)] {
            assert!(wrong.parse::<ShortDigest>().is_err(), "{wrong}");
        }
    }
}
