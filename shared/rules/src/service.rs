//! How people and AWS name an ECS service.

use std::fmt;
use std::str::FromStr;

/// The name of an ECS service: its cluster's and its own, since a service's name is unique within one cluster only.
///
/// ```
/// use rules::ServiceName;
///
/// let name = ServiceName::parse("shop/api").unwrap();
/// assert_eq!((name.cluster.as_str(), name.name.as_str()), ("shop", "api"));
/// assert_eq!(ServiceName::of_arn("arn:aws:ecs:ap-northeast-2:123456789012:service/shop/api"), Some(name));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName {
    /// The cluster's name.
    pub cluster: String,
    /// The service's name.
    pub name: String,
}

impl ServiceName {
    /// The name in `CLUSTER/SERVICE`, or in the service's ARN.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with("arn:") {
            return Self::of_arn(text);
        }
        let (cluster, name) = text.split_once('/')?;
        let sound = |it: &str| !it.is_empty() && !it.contains(['/', ':', ' ']);
        (sound(cluster) && sound(name)).then(|| ServiceName { cluster: cluster.into(), name: name.into() })
    }

    /// The name in `arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/SERVICE`.
    ///
    /// `None` for the old short form without a cluster: a service with such an ARN cannot carry tags.
    pub fn of_arn(arn: &str) -> Option<Self> {
        let (_, name) = arn.split_once(":service/")?;
        if name.starts_with("arn:") { None } else { Self::parse(name) }
    }
}

impl FromStr for ServiceName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::parse(text).ok_or(())
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_by_cluster_and_service_or_by_its_arn() {
        let name = |text| ServiceName::parse(text).map(|it| it.to_string());
        assert_eq!(name("a/b").as_deref(), Some("a/b"));
        assert_eq!(name("arn:aws:ecs:ap-northeast-2:123456789012:service/a/b").as_deref(), Some("a/b"));
        for wrong in [
            "",
            "a",
            "a/",
            "/b",
            "a/b/c",
            "a/b c",
            "arn:aws:ecs:ap-northeast-2:123456789012:service/b",
            "arn:aws:ecs:ap-northeast-2:123456789012:service/a/b/c",
            "arn:aws:ecs:ap-northeast-2:123456789012:service/arn:x/b",
            "arn:x",
        ] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }
}
