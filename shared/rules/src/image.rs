//! What a container image is called. What in a registry is an image at all, the crate `choose` says.

use std::fmt;

use crate::Digest;
use crate::partition::Partition;

/// A repository of ECR. All hosts of a registry (FIPS, dual-stack) hold the same repositories, so no host is part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    /// The account whose registry it is in.
    pub account: String,
    /// The registry's region.
    pub region: String,
    /// Its name, which may hold slashes.
    pub name: String,
}

/// An image in a private ECR registry, as a container names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// `123456789012.dkr.ecr.ap-northeast-2.amazonaws.com`: the host that the task definition uses, and goes on to use.
    pub registry: String,
    /// The registry's account.
    pub account: String,
    /// The registry's region.
    pub region: String,
    /// The repository's name.
    pub repository: String,
    /// The tag, if it is named; without a digest `latest` is meant where there is none.
    pub tag: Option<String>,
    /// The digest, if it is pinned.
    pub digest: Option<Digest>,
}

impl ImageName {
    /// Reads an image reference; `None` for one that is not in a private ECR registry.
    ///
    /// ```
    /// use rules::image::ImageName;
    ///
    /// let fips = ImageName::parse("123456789012.dkr-ecr-fips.us-east-1.on.aws/team/api:v1").unwrap();
    /// assert_eq!((fips.region.as_str(), fips.repository.as_str()), ("us-east-1", "team/api"));
    /// assert_eq!(ImageName::parse("public.ecr.aws/nginx/nginx:stable"), None);
    /// ```
    pub fn parse(image: &str) -> Option<Self> {
        let (registry, rest) = image.split_once('/')?;
        let (account, region) = registry_of(registry)?;
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().ok()?)),
            None => (rest, None),
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            // Docker's rule: neither tag nor digest means `latest`.
            None => (rest, digest.is_none().then(|| "latest".to_owned())),
        };
        Some(ImageName {
            registry: registry.into(),
            account: account.into(),
            region: region.into(),
            repository: repository.into(),
            tag,
            digest,
        })
    }

    /// The repository that it is in.
    pub fn repository(&self) -> Repository {
        Repository { account: self.account.clone(), region: self.region.clone(), name: self.repository.clone() }
    }

    /// The reference of another image of the same repository, by digest.
    pub fn pinned(&self, digest: &Digest) -> String {
        format!("{}/{}@{digest}", self.registry, self.repository)
    }
}

impl Repository {
    /// The host by which most task definitions name its registry.
    pub fn usual_host(&self) -> String {
        format!("{}.dkr.ecr.{}.{}", self.account, self.region, Partition::of_region(&self.region).domain)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The account and region of a private registry of ECR, by any of its hosts: `ACCOUNT.dkr.ecr.REGION.DOMAIN`, with
/// `dkr-ecr` for dual-stack and `-fips` for FIPS.
fn registry_of(host: &str) -> Option<(&str, &str)> {
    let (account, rest) = host.split_once('.')?;
    let rest = rest.strip_prefix("dkr.ecr").or_else(|| rest.strip_prefix("dkr-ecr"))?;
    let rest = rest.strip_prefix("-fips").unwrap_or(rest).strip_prefix('.')?;
    let region = Partition::registry_domains().find_map(|it| rest.strip_suffix(it)?.strip_suffix('.'))?;
    let digits = account.len() == 12 && account.bytes().all(|it| it.is_ascii_digit());
    (digits && !region.is_empty() && !region.contains('.')).then_some((account, region))
}

/// Whether an image reference looks like one of a private registry of ECR, though [`ImageName::parse`] does not know it.
pub fn looks_like_ecr(image: &str) -> bool {
    let host = image.split('/').next().unwrap_or_default();
    host.contains(".dkr.ecr") || host.contains(".dkr-ecr")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_registry_is_known_by_each_of_its_hosts() {
        for (host, region) in [
            ("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com", "ap-northeast-2"),
            ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
            ("123456789012.dkr-ecr.us-east-1.on.aws", "us-east-1"),
            ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "us-east-1"),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "cn-north-1"),
            ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
            ("123456789012.dkr-ecr.eusc-de-east-1.on.amazonwebservices.eu", "eusc-de-east-1"),
            ("123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
            ("123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
            ("123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
            ("123456789012.dkr.ecr.us-isof-east-1.csp.hci.ic.gov", "us-isof-east-1"),
        ] {
            let image = ImageName::parse(&format!("{host}/team/api:v1")).unwrap_or_else(|| panic!("{host}"));
            assert_eq!((image.registry.as_str(), image.account.as_str()), (host, "123456789012"));
            let repository =
                Repository { account: "123456789012".into(), region: region.into(), name: "team/api".into() };
            assert_eq!(image.repository(), repository, "{host}");
            assert!(ImageName::parse(&format!("{}/x", repository.usual_host())).is_some(), "{host}");
        }
    }

    #[test]
    fn what_is_elsewhere_is_not_an_image_of_ecr() {
        for image in [
            "nginx",
            "nginx:1.27",
            "public.ecr.aws/nginx/nginx:stable",
            "ghcr.io/team/api:v1",
            "localhost:5000/api",
            "12345678901.dkr.ecr.us-east-1.amazonaws.com/api",
            "abcdefghijkl.dkr.ecr.us-east-1.amazonaws.com/api",
            "123456789012.dkr.ecr..amazonaws.com/api",
            "123456789012.dkr.ecr.us-east-1.example.com/api",
            "123456789012.dkr.ecrx.us-east-1.amazonaws.com/api",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/api@sha256:1a",
        ] {
            assert_eq!(ImageName::parse(image), None, "{image}");
        }
        assert!(looks_like_ecr("123456789012.dkr.ecr.us-east-1.new.example/api:v1"));
        assert!(!looks_like_ecr("public.ecr.aws/nginx/nginx:stable"));
    }

    #[test]
    fn a_tag_or_a_digest_or_both_or_neither_is_named() {
        let host = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
        let digest = format!("sha256:{:064x}", 7);
        for (rest, tag, pinned) in [
            ("api".to_owned(), Some("latest"), false),
            ("api:v1".to_owned(), Some("v1"), false),
            (format!("api@{digest}"), None, true),
            (format!("api:v1@{digest}"), Some("v1"), true),
        ] {
            let image = ImageName::parse(&format!("{host}/{rest}")).unwrap();
            assert_eq!((image.repository.as_str(), image.tag.as_deref(), image.digest.is_some()), ("api", tag, pinned));
            assert_eq!(image.pinned(&digest.parse().unwrap()), format!("{host}/api@{digest}"));
        }
    }

    proptest! {
        #[test]
        fn no_reference_makes_it_panic(image in any::<String>(), tail in "[a-z0-9./:@-]{0,40}") {
            let _ = (ImageName::parse(&image), looks_like_ecr(&image));
            let _ = ImageName::parse(&format!("123456789012.dkr.ecr.{tail}"));
        }
    }
}
