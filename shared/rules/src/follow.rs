//! `nightshift:deploy` on a schedule group: which service its schedules follow.

use std::fmt;
use std::str::FromStr;

use crate::tag::{BadTag, Reader};
use crate::{ServiceName, keys};

/// What the tag `nightshift:deploy` of a group of EventBridge Scheduler asks for.
///
/// ```
/// use rules::follow::FollowRule;
///
/// let rule: FollowRule = "follow=shop/api".parse().unwrap();
/// assert_eq!(rule.service.to_string(), "shop/api");
///
/// let wrong = "newest".parse::<FollowRule>().unwrap_err();
/// assert_eq!(
///     wrong.to_string(),
///     "nightshift:deploy: no option 'follow' in 'newest'; accepted: follow=CLUSTER/SERVICE"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowRule {
    /// The service whose proven task definition the schedules run.
    pub service: ServiceName,
}

impl FromStr for FollowRule {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::DEPLOY, value)?;
        let rule = FollowRule { service: tag.required("follow", "CLUSTER/SERVICE")? };
        tag.finish()?;
        Ok(rule)
    }
}

impl fmt::Display for FollowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "follow={}", self.service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_service_of_a_cluster_can_be_followed() {
        for (value, wrong) in [
            ("follow=api", "follow=api cannot be understood"),
            ("follow=shop/api approval=manual", "unknown option 'approval'"),
            ("newest follow=shop/api", "unknown word 'newest'"),
            ("folow=shop/api", "no option 'follow'"),
        ] {
            let error = value.parse::<FollowRule>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("nightshift:deploy: {wrong} in '{value}'")), "{error}");
        }
        assert_eq!("follow=shop/api".parse::<FollowRule>().unwrap().to_string(), "follow=shop/api");
    }
}
