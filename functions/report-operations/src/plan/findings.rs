//! What scans have found in the images that run.

use rules::facts::Fact;

use super::line::Lines;
use super::seen::Seen;
use super::world::Image;
use board::Board;

/// How many images are asked about: a call for each.
const MOST: usize = 100;

/// The images that services run, of those that are deployed by a rule from a registry of the account.
pub fn running(board: &Board) -> Vec<Image> {
    let images = board.facts("deploy-image").filter_map(|(_, fact)| match fact {
        Fact::Image(it) => {
            let (repository, digest) = it.repository.clone().zip(it.digest.clone())?;
            let is_account = |it: &str| it.len() == 12 && it.bytes().all(|it| it.is_ascii_digit());
            let elsewhere = repository.split_once('/').is_some_and(|(first, _)| is_account(first));
            let image = Image { repository, digest, service: it.service.clone(), label: it.running.clone() };
            (!elsewhere).then_some(image)
        }
        _ => None,
    });
    let mut images: Vec<Image> = images.collect();
    images.sort();
    images.dedup();
    images.truncate(MOST);
    images
}

pub fn tell(seen: &Seen, lines: &mut Lines) {
    let Some(all) = &seen.weekly.findings else { return };
    let (mut clean, mut unscanned, mut unread) = (0, Vec::new(), Vec::new());
    for (image, found) in all {
        let Image { service, label, repository, .. } = image;
        match found {
            Ok(Some(it)) if it.critical > 0 => {
                let line = format!(
                    "{service} runs {label}, in which the last scan found {} critical and {} high vulnerabilities: \
                     build it again",
                    it.critical, it.high
                );
                let id = format!("imageDigest={}", image.digest);
                let words =
                    ["aws", "ecr", "describe-image-scan-findings", "--repository-name", repository, "--image-id", &id];
                lines.red(line, seen.stack.run(words));
            }
            Ok(Some(_)) => clean += 1,
            Ok(None) => unscanned.push(service.as_str()),
            Err(why) => unread.push((service.as_str(), why)),
        }
    }
    if let Some((service, why)) = unread.first() {
        let more = if unread.len() > 1 { format!(" and {} more", unread.len() - 1) } else { String::new() };
        lines.red(
            format_args!("the scan of the image of {service}{more} could not be read: {why}"),
            seen.stack.own_log(),
        );
    }
    if !unscanned.is_empty() {
        lines.news(format!("Run images that were never scanned: {}", unscanned.join(", ")));
    }
    if clean > 0 {
        lines.green(format!("{clean} running images without a critical finding"));
    }
}
