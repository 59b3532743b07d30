//! `nightshift:drill` on an S3 bucket: how often a sample of its newest copy is compared with what was copied.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;

use super::{Every, LENGTH, Length};
use crate::keys;
use crate::length::in_minutes;
use crate::tag::{BadTag, Reader};

/// How many objects are compared where the tag does not say.
const SAMPLE: u16 = 100;

/// Each of them takes up to four calls, so that this many fit into one run.
const LARGEST_SAMPLE: u16 = 500;

/// What is expected of the drills of a bucket.
///
/// ```
/// use rules::drill::BucketDrill;
///
/// let rule: BucketDrill = "monthly rpo=26h".parse().unwrap();
/// assert_eq!((rule.sample, rule.to_string().as_str()), (100, "monthly rpo=26h"));
/// let wrong = "monthly rto=1h".parse::<BucketDrill>().unwrap_err().to_string();
/// assert!(wrong.starts_with("nightshift:drill: unknown option 'rto' in 'monthly rto=1h'"), "{wrong}");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketDrill {
    /// How often.
    pub every: Every,
    /// How old the newest good copy may be when its drill begins.
    pub rpo: Option<SignedDuration>,
    /// How many objects are compared.
    pub sample: u16,
}

/// A number of objects.
struct Objects(u16);

impl FromStr for Objects {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = text.parse().map_err(drop)?;
        (1..=LARGEST_SAMPLE).contains(&number).then_some(Objects(number)).ok_or(())
    }
}

impl FromStr for BucketDrill {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::DRILL, value)?;
        let every = Every::take(&mut tag)?;
        let rpo = tag.parsed::<Length>("rpo", LENGTH)?.map(|it| it.0);
        let sample = tag.parsed::<Objects>("sample", "1 to 500")?.map_or(SAMPLE, |it| it.0);
        tag.finish().map(|()| BucketDrill { every, rpo, sample })
    }
}

impl fmt::Display for BucketDrill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.every)?;
        self.rpo.iter().try_for_each(|it| write!(f, " rpo={}", in_minutes(*it)))?;
        match self.sample {
            SAMPLE => Ok(()),
            other => write!(f, " sample={other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_what_is_accepted() {
        for (value, wrong) in [
            ("", "how often is missing"),
            ("sample=5", "how often is missing"),
            ("daily", "'daily'"),
            ("monthly sample=0", "sample=0 cannot be understood"),
            ("monthly sample=501", "sample=501 cannot be understood"),
            ("monthly check=kfood-drill", "unknown option 'check'"),
            ("monthly rpo=1", "rpo=1 cannot be understood"),
        ] {
            let error = value.parse::<BucketDrill>().unwrap_err().to_string();
            assert!(error.starts_with("nightshift:drill") && error.contains(wrong), "{value}: {error}");
        }
        for value in ["weekly", "monthly rpo=90m", "quarterly sample=500"] {
            assert_eq!(value.parse::<BucketDrill>().unwrap().to_string(), value);
        }
    }
}
