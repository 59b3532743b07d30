//! Tags of images with mistakes in them.

use fuzz::used;

use super::select::*;
use crate::Image;
use crate::kind::{Platform, attached_to};

#[test]
fn tags_of_images() {
    let rules =
        ["newest prefix=v", "semver range=1.1.x", "semver channel=rc", "number prefix=main-", "tag name=latest"];
    let samples = ["v1.1.0", "2.0.0-rc1", "main-42", "1.2.3-alpine", "20260115", "latest", "1a2b3c4", "sha256-1a.sig"];
    fuzz::texts(&samples, |tag| {
        let images: Vec<Image> =
            vec![image(1, 0, &["v1.0.0", "main-41"]), image(2, 5, &[tag, "latest"]), image(3, 9, &[tag])];
        for rule in rules {
            let question = Question::of(rule, &images, &running(1, tag));
            used(format!("{:?}", question.choice().select()));
        }
        used((attached_to(tag), Platform::processor_of_tag(tag)));
    });
}
