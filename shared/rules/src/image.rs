//! What a container image is called, and what in a registry is an image at all.

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

/// What an entry of a registry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A container image of one platform, as far as the listing tells.
    Single,
    /// A list of others: a multi-platform image, or a build cache, which only its manifest tells apart.
    Index,
    /// A signature, attestation or SBOM: it belongs to an image.
    Attachment,
    /// Something that no container can be started from: a chart, a build cache, a module of WebAssembly.
    Other,
}

/// What a registry's listing says of an entry, as far as that tells what it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Listing<'a> {
    /// `imageManifestMediaType`; older entries may lack it.
    pub manifest: Option<&'a str>,
    /// `artifactMediaType`: the media type of the configuration; an index has none.
    pub artifact: Option<&'a str>,
    /// `subjectManifestDigest`: what it is attached to.
    pub subject: Option<&'a str>,
}

/// The media types of what lists other images.
pub const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// The media types of the configurations that containers are started from.
const CONFIGS: [&str; 2] =
    ["application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json"];

/// The entry of BuildKit's cache in the index that it is pushed as (`type=registry`).
const CACHE: &str = "application/vnd.buildkit.cacheconfig.v0";

/// What an entry of a registry is: the one rule for what is deployed and for what counts as an image when old ones go.
pub fn kind(listing: Listing<'_>) -> Kind {
    let artifact = listing.artifact.filter(|it| !it.is_empty());
    match (listing.subject, artifact) {
        (Some(_), _) => Kind::Attachment,
        (None, Some(it)) if is_statement(it) => Kind::Attachment,
        (None, Some(it)) if !CONFIGS.contains(&it) => Kind::Other,
        _ if listing.manifest.is_some_and(|it| INDEXES.contains(&it)) => Kind::Index,
        _ => Kind::Single,
    }
}

/// Whether a media type is that of a statement about an image: a signature, an attestation, an SBOM, a SOCI index.
fn is_statement(media_type: &str) -> bool {
    const PARTS: [&str; 8] = ["cosign", "sigstore", "in-toto", "cncf.notary", "spdx", "cyclonedx", "syft", "soci"];
    PARTS.iter().any(|it| media_type.contains(it))
}

/// Whether a tag is one under which cosign and its like attach signatures and the like: `sha256-….sig`.
///
/// Their media type is that of an ordinary image, so only the name gives them away.
pub fn is_attachment_tag(tag: &str) -> bool {
    attached_to(tag).is_some()
}

/// The digest that a tag of cosign's attaches something to.
pub fn attached_to(tag: &str) -> Option<Digest> {
    format!("sha256:{}", tag.strip_prefix("sha256-")?.get(..64)?).parse().ok()
}

/// A platform that an image is built for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// `linux` or `windows`.
    pub os: String,
    /// `amd64`, `arm64`, as Go calls processors.
    pub processor: String,
}

impl Platform {
    /// The platform of an image, as manifests name it.
    pub fn new(os: &str, processor: &str) -> Self {
        Platform { os: os.to_ascii_lowercase(), processor: processor.to_ascii_lowercase() }
    }

    /// The platform of a task definition's `runtimePlatform`; where that says nothing, ECS takes Linux on X86_64.
    pub fn of_tasks(processor: Option<&str>, os: Option<&str>) -> Self {
        let processor = match processor {
            Some("ARM64") => "arm64",
            None | Some("X86_64" | "") => "amd64",
            Some(other) => other,
        };
        // WINDOWS_SERVER_2022_CORE and so on.
        let windows = os.is_some_and(|it| it.to_ascii_uppercase().starts_with("WINDOWS"));
        Platform::new(if windows { "windows" } else { "linux" }, processor)
    }

    /// The processor that a tag such as `v1.2.0-arm64` names at its end.
    pub fn processor_of_tag(tag: &str) -> Option<&'static str> {
        const NAMES: [(&str, &str); 6] = [
            ("arm64", "arm64"),
            ("aarch64", "arm64"),
            ("arm64v8", "arm64"),
            ("amd64", "amd64"),
            ("x86_64", "amd64"),
            ("x86-64", "amd64"),
        ];
        let tag = tag.to_ascii_lowercase();
        let ends = |name: &str| tag.strip_suffix(name).is_some_and(|it| it.is_empty() || it.ends_with(['-', '_', '.']));
        NAMES.iter().find(|(name, _)| ends(name)).map(|(_, processor)| *processor)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.processor)
    }
}

/// What the manifest of an index lists: the images of its platforms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// The images, and the platforms that they are for.
    pub images: Vec<(Digest, Platform)>,
    /// It is a build cache: no container can be started from it.
    pub is_cache: bool,
}

/// One entry of an index's manifest, as the registry sends it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entry<'a> {
    /// `mediaType`
    pub media_type: Option<&'a str>,
    /// `digest`
    pub digest: Option<&'a str>,
    /// `platform.os`
    pub os: Option<&'a str>,
    /// `platform.architecture`
    pub processor: Option<&'a str>,
}

impl Index {
    /// Takes the entries of a manifest. Attestations are listed beside the images, for a platform that is `unknown`.
    pub fn of<'a>(entries: impl IntoIterator<Item = Entry<'a>>) -> Self {
        let mut index = Index::default();
        for it in entries {
            index.is_cache |= it.media_type == Some(CACHE);
            let Some(digest) = it.digest.and_then(|it| it.parse().ok()) else { continue };
            match (it.os, it.processor) {
                (Some("unknown"), _) | (_, Some("unknown")) | (None, _) | (_, None) => {}
                (Some(os), Some(processor)) => index.images.push((digest, Platform::new(os, processor))),
            }
        }
        index
    }

    /// Whether a container of this platform can be started from it. Where no platform is named, nothing speaks against it.
    pub fn suits(&self, platform: &Platform) -> bool {
        !self.is_cache && (self.images.is_empty() || self.images.iter().any(|(_, it)| it == platform))
    }
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

    #[test]
    fn caches_charts_and_statements_are_not_images() {
        let (index, single) = (Some(INDEXES[0]), Some("application/vnd.oci.image.manifest.v1+json"));
        for (manifest, artifact, subject, expected) in [
            (None, None, None, Kind::Single),
            (single, Some("application/vnd.oci.image.config.v1+json"), None, Kind::Single),
            (None, Some("application/vnd.docker.container.image.v1+json"), None, Kind::Single),
            (None, Some(""), None, Kind::Single),
            (index, None, None, Kind::Index),
            (Some(INDEXES[1]), None, None, Kind::Index),
            (single, Some("application/vnd.buildkit.cacheconfig.v0"), None, Kind::Other),
            (single, Some("application/vnd.cncf.helm.config.v1+json"), None, Kind::Other),
            (single, Some("application/vnd.wasm.config.v0+json"), None, Kind::Other),
            (single, Some("application/vnd.oci.empty.v1+json"), None, Kind::Other),
            (single, Some("application/vnd.oci.image.config.v1+json"), Some("sha256:1"), Kind::Attachment),
            (single, Some("application/vnd.dev.cosign.artifact.sig.v1+json"), None, Kind::Attachment),
            (single, Some("application/spdx+json"), None, Kind::Attachment),
        ] {
            assert_eq!(kind(Listing { manifest, artifact, subject }), expected, "{artifact:?} {subject:?}");
        }
        assert!(is_attachment_tag(&format!("sha256-{:064x}.sig", 7)));
        assert!(is_attachment_tag(&format!("sha256-{:064x}", 7)));
        assert!(!is_attachment_tag("sha256-abc.sig") && !is_attachment_tag("v1.0.0"));
    }

    #[test]
    fn an_index_suits_the_platforms_that_it_lists() {
        let digests: Vec<String> = (1..5).map(|it| format!("sha256:{it:064x}")).collect();
        let entry = |at: usize, os, processor| Entry { digest: Some(&digests[at]), os, processor, ..Entry::default() };
        let both = Index::of([
            entry(0, Some("linux"), Some("amd64")),
            entry(1, Some("linux"), Some("arm64")),
            entry(2, Some("unknown"), Some("unknown")),
        ]);
        let intel = Index::of([entry(0, Some("linux"), Some("amd64")), entry(2, Some("unknown"), Some("unknown"))]);
        let cache = Index::of([
            entry(0, None, None),
            Entry {
                media_type: Some("application/vnd.buildkit.cacheconfig.v0"),
                digest: Some(&digests[1]),
                ..Entry::default()
            },
        ]);
        let (x86, arm) = (Platform::of_tasks(None, None), Platform::of_tasks(Some("ARM64"), Some("LINUX")));
        assert_eq!((x86.to_string(), arm.to_string()), ("linux/amd64".into(), "linux/arm64".into()));
        assert!(both.suits(&x86) && both.suits(&arm) && both.images.len() == 2);
        assert!(intel.suits(&x86) && !intel.suits(&arm));
        assert!(cache.is_cache && !cache.suits(&x86));
        assert!(Index::of([entry(0, None, None)]).suits(&arm), "nothing is known against it");
        let windows = Platform::of_tasks(Some("X86_64"), Some("WINDOWS_SERVER_2022_CORE"));
        assert!(!both.suits(&windows));
    }

    #[test]
    fn a_tag_may_end_with_the_name_of_a_processor() {
        for (tag, processor) in [
            ("v1.0.0-arm64", Some("arm64")),
            ("v1.0.0_x86_64", Some("amd64")),
            ("linux-aarch64", Some("arm64")),
            ("amd64", Some("amd64")),
            ("v1.0.0-AMD64", Some("amd64")),
            ("v1.0.0", None),
            ("charm64", None),
            ("arm64-v1", None),
        ] {
            assert_eq!(Platform::processor_of_tag(tag), processor, "{tag}");
        }
    }

    proptest! {
        #[test]
        fn no_reference_makes_it_panic(image in any::<String>(), tail in "[a-z0-9./:@-]{0,40}") {
            let _ = (ImageName::parse(&image), looks_like_ecr(&image), attached_to(&image), Platform::processor_of_tag(&image));
            let _ = ImageName::parse(&format!("123456789012.dkr.ecr.{tail}"));
            let _ = attached_to(&format!("sha256-{image}"));
        }
    }
}
