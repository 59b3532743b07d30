//! The changes that this function makes: a command to an instance, and what the instance remembers.

use gates::AskForSnapshot;
use reconcile::{MessageKind, Undo, writing_down};
use rules::compose::{Intent, Ordered};
use rules::rejections::Rejections;
use rules::{Digest, keys};
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Send(Box<Send>),
    /// Asks `snapshot-databases` for the snapshot that comes before a new image.
    AskForSnapshot(AskForSnapshot),
    Record(Record),
    RecordGroup(GroupRecord),
}

/// Sends the stack's own document to one instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Send {
    pub id: String,
    /// What people call the service there.
    pub name: String,
    pub order: Ordered,
    /// The image that it deploys, for people.
    pub to: String,
    /// The image that runs now, for people.
    pub from: String,
    pub from_digest: Option<Digest>,
    pub parameters: Vec<(&'static str, String)>,
    /// The commands that the decision knew of: with another one on the instance, it has to be made anew.
    pub expects: Vec<Option<String>>,
    /// The ARN of the Auto Scaling group that has to know of it first.
    pub needs: Option<String>,
}

/// Writes memory tags of an instance, or removes those without a value, in one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub id: String,
    pub name: String,
    pub change: Change,
    /// The image that it is about, for people.
    pub image: String,
    pub digest: Option<Digest>,
    /// The image that runs, for people; `None` where a deployment left it unknown or unsound.
    pub running: Option<String>,
    /// The instance sleeps by a schedule, so it is not production.
    pub is_staging: bool,
    pub before: Vec<(&'static str, Option<String>)>,
    pub tags: Vec<(&'static str, Option<String>)>,
}

/// Writes memory tags of an Auto Scaling group, or removes those without a value.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupRecord {
    pub group: String,
    /// What people call the service there.
    pub name: String,
    /// One of its instances, by which commands name it.
    pub instance: String,
    /// The image that is rejected since its instance is gone, for people and as it is.
    pub rejects: Option<(String, Digest)>,
    pub before: Vec<(&'static str, Option<String>)>,
    pub tags: Vec<(&'static str, Option<String>)>,
}

/// What a memory is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The image was deployed and is well.
    Live,
    /// The image ran already, or was found by a look.
    Found,
    /// It was found by a look, after people were told that it is not known.
    Settled,
    /// The command ended without a word, so the image is rejected and what runs is not known.
    Silent,
    Reject,
    /// The image failed, and the one before it runs again.
    Restored,
    /// The image failed, and so did the way back.
    Broken,
    Approve,
    Clear,
}

impl Record {
    fn runs(&self) -> &str {
        self.running.as_deref().unwrap_or("an image that is not known")
    }
}

impl Step {
    /// Whoever is told of a later rejection of the same run is told of this one too.
    pub fn mark_as_told(&mut self) {
        let Step::Record(it) = self else { return };
        for (_, value) in it.tags.iter_mut().filter(|(key, _)| *key == keys::REJECTED) {
            let told = value.as_ref().and_then(|it| it.parse::<Rejections>().ok());
            *value = told.and_then(|it| Rejections { untold: false, ..it }.value()).or(value.take());
        }
    }
}

impl reconcile::Step for Step {
    fn action(&self) -> &'static str {
        match self {
            Step::Send(it) => match it.order.intent {
                Intent::Look => "look",
                Intent::Deploy(_) => "deploy",
                Intent::GoBack(_) => "roll-back",
            },
            Step::AskForSnapshot(_) => "ask-for-snapshot",
            Step::Record(it) => match it.change {
                Change::Live => "record-success",
                Change::Found | Change::Settled => "record-image",
                Change::Reject | Change::Silent => "reject",
                Change::Restored => "record-restored",
                Change::Broken => "record-failure",
                Change::Approve => "approve",
                Change::Clear => "clear",
            },
            Step::RecordGroup(GroupRecord { rejects: Some(_), .. }) => "reject",
            Step::RecordGroup(_) => "remember",
        }
    }

    fn headline(&self) -> String {
        match self {
            Step::Send(it) => match it.order.intent {
                Intent::Look => format!("{}: reading back what runs", it.name),
                Intent::Deploy(_) => format!("{}: deploying {} (was {})", it.name, it.to, it.from),
                Intent::GoBack(_) => format!("{}: going back to {} from {}", it.name, it.to, it.from),
            },
            Step::AskForSnapshot(it) => it.headline(),
            Step::Record(it) => match it.change {
                Change::Live => format!("{}: {} is live", it.name, it.image),
                Change::Found | Change::Settled => format!("{}: {} runs", it.name, it.runs()),
                Change::Silent => {
                    format!("{}: {} is rejected, what runs is being read back", it.name, it.image)
                }
                Change::Reject => match &it.running {
                    Some(running) if *running != it.image => {
                        format!("{}: {} is rejected, {running} stays", it.name, it.image)
                    }
                    _ => format!("{}: {} is rejected", it.name, it.image),
                },
                Change::Restored => format!("{}: {} failed, {} runs again", it.name, it.image, it.runs()),
                Change::Broken => format!("{}: {} failed, and the way back failed too", it.name, it.image),
                Change::Approve => format!("{}: {} is approved", it.name, it.image),
                Change::Clear => format!("{}: {} is no longer rejected", it.name, it.image),
            },
            Step::RecordGroup(it) => match &it.rejects {
                Some((image, _)) => format!("{}: {image} is rejected, its instance was terminated", it.name),
                None => format!("{}: the group remembers what its instances know", it.name),
            },
        }
    }

    fn attempt(&self) -> String {
        match self {
            Step::Record(_) | Step::RecordGroup(_) => writing_down(&self.headline()),
            Step::Send(_) | Step::AskForSnapshot(_) => self.headline(),
        }
    }

    fn before(&self) -> Value {
        match self {
            Step::Send(it) => json!({"image": it.from}),
            Step::AskForSnapshot(_) => json!({"snapshot": null}),
            Step::Record(it) => tags(&it.before),
            Step::RecordGroup(it) => tags(&it.before),
        }
    }

    fn after(&self) -> Value {
        match self {
            Step::Send(it) => match it.order.intent.digest() {
                None => json!({"key": it.order.key}),
                Some(digest) => json!({"image": it.to, "digest": digest.to_string(), "key": it.order.key}),
            },
            Step::AskForSnapshot(it) => json!({"snapshot": it.id}),
            Step::Record(it) => tags(&it.tags),
            Step::RecordGroup(it) => tags(&it.tags),
        }
    }

    /// Each names the image that it is about: sent late or twice, it does nothing to another one.
    fn undo(&self) -> Option<Undo> {
        let (command, id, digest) = match self {
            Step::Send(it) => match &it.order.intent {
                Intent::Look => return None,
                Intent::Deploy(digest) => ("rollback", &it.id, Some(digest)),
                // What was gone back from is rejected: forgiven, it is deployed again.
                Intent::GoBack(_) => ("clear", &it.id, it.from_digest.as_ref()),
            },
            Step::AskForSnapshot(_) => return None,
            Step::Record(it) => match it.change {
                Change::Live => ("rollback", &it.id, it.digest.as_ref()),
                Change::Reject | Change::Silent | Change::Restored | Change::Broken => {
                    ("clear", &it.id, it.digest.as_ref())
                }
                Change::Clear => ("reject", &it.id, it.digest.as_ref()),
                Change::Found | Change::Settled | Change::Approve => return None,
            },
            Step::RecordGroup(it) => ("clear", &it.instance, it.rejects.as_ref().map(|(_, it)| it)),
        };
        Some(Undo::Command(json!({command: {"instance": id, "image": digest?.to_string()}})))
    }

    /// How a deployment ended is news; that it begins is routine. A look changes nothing.
    fn tells(&self) -> Option<MessageKind> {
        match self {
            Step::Send(it) => match it.order.intent {
                Intent::Look => None,
                Intent::Deploy(_) => Some(MessageKind::Routine),
                Intent::GoBack(_) => Some(MessageKind::Changed),
            },
            Step::AskForSnapshot(_) => None,
            Step::Record(it) => match it.change {
                Change::Live if it.is_staging => Some(MessageKind::Routine),
                Change::Live => Some(MessageKind::Changed),
                Change::Found => None,
                Change::Reject | Change::Silent | Change::Settled | Change::Restored | Change::Broken => {
                    Some(MessageKind::Failed)
                }
                Change::Approve | Change::Clear => Some(MessageKind::Routine),
            },
            Step::RecordGroup(it) => it.rejects.as_ref().map(|_| MessageKind::Failed),
        }
    }

    /// An instance that is terminated takes along what it knows: so its group knows of an image before it goes out.
    fn needs(&self) -> Option<&str> {
        match self {
            Step::Send(it) => it.needs.as_deref(),
            Step::AskForSnapshot(_) | Step::Record(_) | Step::RecordGroup(_) => None,
        }
    }

    fn once_told(&self) -> Option<Self> {
        let tags = match self {
            Step::Record(it) => &it.tags,
            Step::RecordGroup(it) => &it.tags,
            Step::Send(_) | Step::AskForSnapshot(_) => return None,
        };
        let (key, value) = tags.iter().find(|(key, _)| *key == keys::REJECTED)?;
        let rejections: Rejections = value.as_ref()?.parse().ok()?;
        let tags = vec![(*key, Rejections { untold: false, ..rejections.clone() }.value())];
        let told = match self {
            Step::Record(it) => Step::Record(Record { tags, ..it.clone() }),
            Step::RecordGroup(it) => Step::RecordGroup(GroupRecord { tags, ..it.clone() }),
            Step::Send(_) | Step::AskForSnapshot(_) => return None,
        };
        rejections.untold.then_some(told)
    }
}

fn tags(tags: &[(&'static str, Option<String>)]) -> Value {
    tags.iter().map(|(key, value)| (key.to_string(), json!(value))).collect::<serde_json::Map<_, _>>().into()
}
