//! What in a registry is an image, and for which platform.

use proptest::prelude::*;

use crate::kind::*;

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
    fn no_tag_makes_it_panic(tag in any::<String>()) {
        let _ = (attached_to(&tag), Platform::processor_of_tag(&tag));
        let _ = attached_to(&format!("sha256-{tag}"));
    }
}
