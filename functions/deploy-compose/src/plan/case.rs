//! One instance with all that was observed of it put together and its tags read.

use std::collections::BTreeMap;
use std::str::FromStr;

use choose::{Image, Running};
use jiff::Timestamp;
use reconcile::Trouble;
use rules::compose::{ComposeRule, Ordered, Runs};
use rules::image::Repository;
use rules::memory::{Approved, Verdict};
use rules::rejections::Rejections;
use rules::{BadTag, Digest, ShortDigest, keys};

use super::world::{Group, Instance, World};

pub struct Case<'a> {
    pub instance: &'a Instance,
    pub rule: ComposeRule,
    pub memory: Memory,
    /// Its Auto Scaling group, if that carries the tag too, and what that remembers.
    pub group: Option<(&'a Group, Memory)>,
    /// The repository: `NAME`, or `ACCOUNT/NAME` in the registry of another account.
    pub repository: String,
    pub images: &'a [Image],
    pub world: &'a World,
}

/// What an instance remembers, read from its tags.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    pub rejected: Option<Rejections>,
    pub approved: Option<Approved>,
    pub verdict: Option<Verdict>,
    pub runs: Option<Runs>,
    pub order: Option<Ordered>,
}

impl Memory {
    fn read(tags: &BTreeMap<String, String>) -> Result<Self, BadTag> {
        fn read<T: FromStr<Err = BadTag>>(tags: &BTreeMap<String, String>, key: &str) -> Result<Option<T>, BadTag> {
            tags.get(key).map(|it| it.parse()).transpose()
        }
        Ok(Memory {
            rejected: read(tags, keys::REJECTED)?,
            approved: read(tags, keys::APPROVED)?,
            verdict: read(tags, keys::VERDICT)?,
            runs: read(tags, keys::RUNS)?,
            order: read(tags, keys::COMMAND)?,
        })
    }

    pub fn rejects(&self, digest: &Digest) -> bool {
        self.rejected.as_ref().is_some_and(|it| it.covers(digest))
    }

    /// The image that was found to run well and runs still, and what can be gone back to from it.
    pub fn well(&self) -> Option<(Verdict, Option<ShortDigest>)> {
        let verdict = self.verdict.clone().filter(|it| self.running() == Some(&it.digest))?;
        Some((verdict, self.runs.as_ref().and_then(|it| it.before.clone())))
    }

    /// The image that runs, as it was read back.
    pub fn running(&self) -> Option<&Digest> {
        self.runs.as_ref()?.digest.as_ref()
    }
}

impl<'a> Case<'a> {
    pub fn read(instance: &'a Instance, rule: ComposeRule, world: &'a World) -> Result<Self, Trouble> {
        if let Some(key) = [keys::DEPLOY_2, keys::DEPLOY_3].into_iter().find(|it| instance.tags.contains_key(*it)) {
            let message = format!("an instance has one tag {}, and {key} is for ECS services: remove it", keys::DEPLOY);
            return Err(Trouble::new("bad-tag", message));
        }
        let bad = |it: BadTag| Trouble::new("bad-memory", format!("{it}; remove the tag"));
        let mut memory = Memory::read(&instance.tags).map_err(bad)?;
        let group = group_of(instance, world)?;
        let repository = rule.repository.to_string();
        let images = match world.repositories.get(&repository) {
            Some(Ok(images)) => images,
            Some(Err(error)) => {
                return Err(Trouble::unreadable(
                    "unreadable-repository",
                    format_args!("the images of {repository}"),
                    error,
                ));
            }
            None => return Err(Trouble::new("unreadable-repository", format!("{repository} was not read"))),
        };
        // What failed on an instance that is gone by now fails here too.
        if let Some(rejected) = group.as_ref().and_then(|(_, it)| it.rejected.as_ref()) {
            let is_there = |short: &ShortDigest| images.iter().any(|it| short.is(&it.digest));
            memory.rejected.get_or_insert_default().include(rejected, is_there);
        }
        Ok(Case { instance, rule, memory, group, repository, images, world })
    }

    /// What people call the service in its Auto Scaling group.
    pub fn name_in(&self, group: &Group) -> String {
        format!("{} of {}", self.rule.service, group.name)
    }

    /// What people call the service on this instance.
    pub fn name(&self) -> String {
        format!("{} on {}", self.rule.service, self.instance.name())
    }

    /// Whether a memory is of the service that the tag names now.
    pub fn is_here(&self, of: Option<&String>) -> bool {
        of.is_none_or(|it| *it == self.rule.place())
    }

    /// `HOST/NAME`, as Docker pulls from it.
    pub fn reference(&self) -> String {
        let name = &self.rule.repository;
        let account = name.account.clone().unwrap_or_else(|| self.instance.account.clone());
        let region = self.world.region.clone();
        let repository = Repository { account, region, name: name.name.clone() };
        format!("{}/{}", repository.usual_host(), repository.name)
    }

    /// How people know an image: by a tag of its, or by the beginning of its digest.
    pub fn label(&self, digest: &Digest) -> String {
        let tags = self.images.iter().filter(|it| it.digest == *digest).flat_map(|it| &it.tags);
        tags.filter(|it| *it != "latest").min().cloned().unwrap_or_else(|| digest.short().to_owned())
    }

    pub fn pushed_at(&self, digest: &Digest) -> Option<Timestamp> {
        self.images.iter().find(|it| it.digest == *digest).map(|it| it.pushed_at)
    }

    pub fn image(&self, short: &ShortDigest) -> Option<&'a Image> {
        self.images.iter().find(|it| short.is(&it.digest))
    }

    /// An image by a tag, by its digest, or by the beginning of that.
    pub fn find(&self, image: &str) -> Result<&'a Image, String> {
        let by_tag = |it: &&Image| it.tags.iter().any(|tag| tag == image);
        // Enough digits for people to copy from a message, and none by chance.
        let by_digest = |it: &&Image| image.len() >= "sha256:".len() + 8 && it.digest.to_string().starts_with(image);
        self.images.iter().find(by_tag).or_else(|| self.images.iter().find(by_digest)).ok_or_else(|| {
            let repository = &self.repository;
            let accepted = "accepted: a tag of it, or sha256:DIGEST";
            format!("there is no image '{image}' in the repository {repository}; {accepted}")
        })
    }

    /// The image that counts as the one that runs: where nothing runs now, the one that ran last.
    pub fn known(&self, runs: &Runs) -> Running {
        let before = || Some(self.image(runs.before.as_ref()?)?.digest.clone());
        let digest = runs.digest.clone().or_else(before);
        Running { elsewhere: digest.is_none(), digest, tag: runs.tag.clone(), no_later_than: runs.at }
    }

    /// How people know what runs.
    pub fn running_label(&self, memory: &Memory) -> String {
        match &memory.runs {
            None => "what runs is not known".into(),
            Some(Runs { digest: None, .. }) => "nothing".into(),
            Some(Runs { tag: Some(tag), .. }) => tag.clone(),
            Some(Runs { digest: Some(digest), .. }) => self.label(digest),
        }
    }
}

/// The Auto Scaling group of an instance. One that does not carry the tag is not used.
fn group_of<'a>(instance: &Instance, world: &'a World) -> Result<Option<(&'a Group, Memory)>, Trouble> {
    let Some(name) = instance.group() else { return Ok(None) };
    let groups = world.groups.as_ref().map_err(|error| {
        Trouble::unreadable("unreadable-group", format_args!("what the Auto Scaling group {name} remembers"), error)
    })?;
    let Some(group) = groups.iter().find(|it| it.name == *name) else { return Ok(None) };
    let bad = |it: BadTag| Trouble::new("bad-memory", format!("{it}; remove the tag of the Auto Scaling group {name}"));
    Ok(Some((group, Memory::read(&group.tags).map_err(bad)?)))
}
