//! What a task definition or a task calls an image.

use std::fmt;

use rules::ShortDigest;

/// An image as it is referred to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// By digest, which is the same in every repository.
    Digest(String),
    /// By the end of its digest, which is all that a tag has room for.
    End(ShortDigest),
    /// By tag.
    Tag {
        /// The repository, whatever the registry.
        repository: String,
        /// The tag.
        tag: String,
    },
}

impl Named {
    /// Reads `REGISTRY/REPOSITORY:TAG`, `REPOSITORY@DIGEST` and the like; without either it means `latest`.
    pub fn read(image: &str) -> Self {
        // What a task pulled by digest is told with its digest once more.
        if let Some((_, digest)) = image.rsplit_once('@') {
            return Named::Digest(digest.into());
        }
        let path = match image.split_once('/') {
            // A registry has a dot or a port in its name, or is this machine.
            Some((registry, path)) if registry.contains(['.', ':']) || registry == "localhost" => path,
            _ => image,
        };
        let (repository, tag) = path.split_once(':').unwrap_or((path, "latest"));
        Named::Tag { repository: repository.into(), tag: tag.into() }
    }

    /// Whether the image of this digest and these tags in `repository` is meant.
    pub fn is(&self, repository: &str, digest: &str, tags: &[String]) -> bool {
        match self {
            Named::Digest(it) => it == digest,
            Named::End(it) => digest.parse().is_ok_and(|digest| it.is(&digest)),
            Named::Tag { repository: it, tag } => it == repository && tags.contains(tag),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Named::Digest(digest) => f.write_str(digest),
            Named::End(end) => write!(f, "sha256:…{end}"),
            Named::Tag { repository, tag } => write!(f, "{repository}:{tag}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_by_digest_or_by_tag_whatever_the_registry() {
        for (image, expected) in [
            ("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/api:v1.0.0", "api:v1.0.0"),
            ("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/team/api", "team/api:latest"),
            ("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/api:v1@sha256:1a", "sha256:1a"),
            ("api@sha256:1a", "sha256:1a"),
            ("api@sha256:1a@sha256:1a", "sha256:1a"),
            ("localhost:5000/api:v1", "api:v1"),
            ("library/nginx:1.27", "library/nginx:1.27"),
            ("nginx", "nginx:latest"),
        ] {
            assert_eq!(Named::read(image).to_string(), expected);
        }
    }
}
