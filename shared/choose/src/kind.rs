//! What in a registry is an image at all, and for which platform.

use std::fmt;

use rules::Digest;

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
