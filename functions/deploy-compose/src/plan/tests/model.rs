//! A model of instances with docker compose on them, and of a Systems Manager that runs commands there.

use std::collections::BTreeMap;

use choose::Image;
use jiff::{SignedDuration, ToSpan, Zoned};
use reconcile::Plan;
use rules::compose::{Intent, Ordered};
use rules::{Digest, keys};
use testkit::told::keep;

use crate::plan::world::{Answer, Outcome};
use crate::plan::{Command, Decision, Group, Instance, Invocation, Observation, Scope, Step, World, plan};

pub const RULE: &str = "newest repository=api path=/srv/app service=api health=http://localhost:3000/health";

pub fn digest(number: u8) -> Digest {
    format!("sha256:{number:064x}").parse().unwrap()
}

/// The image `v1.NUMBER`, pushed at that minute of the day before.
pub fn image(number: u8) -> Image {
    Image {
        digest: digest(number),
        tags: vec![format!("v1.{number}")],
        pushed_at: ("2026-11-20T00:00:00Z".parse::<jiff::Timestamp>().unwrap()) + i64::from(number).minutes(),
        media_type: None,
        artifact_media_type: None,
        subject: None,
        archived: false,
    }
}

pub fn now() -> Zoned {
    "2026-11-21T10:00:00+09:00[Asia/Seoul]".parse().unwrap()
}

/// A shop of instances, and what really runs on each.
#[derive(Debug, Clone)]
pub struct Shop {
    pub world: World,
    pub now: Zoned,
    /// What runs on each instance.
    pub runs: BTreeMap<String, Option<Digest>>,
    /// What is under way or was: key, instance, what it does.
    pub sent: Vec<Sent>,
    /// Images that are not well wherever they run.
    pub bad: Vec<Digest>,
    /// Why nothing is told of commands, if so.
    pub unreadable: Option<String>,
    /// Their tag.
    rule: String,
    /// The number of the last one that was launched.
    launched: usize,
}

#[derive(Debug, Clone)]
pub struct Sent {
    pub key: String,
    pub instance: String,
    pub intent: Intent,
    pub migrates: bool,
    pub ended: Option<Invocation>,
}

impl Shop {
    /// Instances of one fleet that all run `v1.1`, which is not known yet.
    pub fn of(count: usize, rule: &str) -> Self {
        let instance = |number: usize| Instance {
            arn: format!("arn:aws:ec2:ap-northeast-2:123456789012:instance/i-{number}"),
            id: format!("i-{number}"),
            account: "123456789012".into(),
            state: "running".into(),
            launched_at: Some("2026-11-01T00:00:00Z".parse().unwrap()),
            tags: [(keys::DEPLOY.to_owned(), rule.to_owned()), ("Name".to_owned(), format!("web-{number}"))].into(),
        };
        let instances: Vec<Instance> = (1..=count).map(instance).collect();
        let runs = instances.iter().map(|it| (it.id.clone(), Some(digest(1)))).collect();
        let pings = instances.iter().map(|it| (it.id.clone(), "Online".to_owned())).collect();
        let world = World {
            instances,
            pings: Ok(pings),
            repositories: [("api".to_owned(), Ok(vec![image(1)]))].into(),
            region: "ap-northeast-2".into(),
            ..World::default()
        };
        let rule = rule.to_owned();
        Shop { world, now: now(), runs, sent: Vec::new(), bad: Vec::new(), unreadable: None, rule, launched: count }
    }

    /// The same, after the first look.
    pub fn known(count: usize, rule: &str) -> Self {
        let mut shop = Shop::of(count, rule);
        shop.run(None);
        shop.work(|_| true);
        shop.run(None);
        shop
    }

    /// An instance with the same tag is started now, and runs this image; its id.
    pub fn launch(&mut self, number: u8) -> String {
        let ids = self.world.instances.iter().filter_map(|it| it.id.strip_prefix("i-")?.parse::<usize>().ok());
        let last = ids.chain([self.launched]).max().unwrap_or_default() + 1;
        self.launched = last;
        let mut instance = Shop::of(last, &self.rule).world.instances.pop().unwrap();
        instance.launched_at = Some(self.now.timestamp());
        for key in [keys::DEPLOY_WINDOW, keys::FREEZE] {
            let of_group = self.world.instances.first().and_then(|it| it.tags.get(key).cloned());
            instance.tags.extend(of_group.map(|it| (key.to_owned(), it)));
        }
        let id = instance.id.clone();
        if let Some(group) = self.group() {
            group.members.insert(id.clone(), "InService".into());
            instance.tags.insert("aws:autoscaling:groupName".into(), group.name.clone());
        }
        self.world.instances.push(instance);
        self.world.instances.sort_by(|a, b| a.id.cmp(&b.id));
        self.world.pings.as_mut().unwrap().insert(id.clone(), "Online".into());
        self.runs.insert(id.clone(), Some(digest(number)));
        id
    }

    pub fn instance(&mut self, id: &str) -> &mut Instance {
        self.world.instances.iter_mut().find(|it| it.id == id).unwrap()
    }

    pub fn tag(&mut self, id: &str, key: &str) -> Option<String> {
        self.instance(id).tags.get(key).cloned()
    }

    pub fn push(&mut self, number: u8) {
        self.world.repositories.get_mut("api").unwrap().as_mut().unwrap().push(image(number));
    }

    pub fn later(&mut self, minutes: i64) {
        self.now = &self.now + SignedDuration::from_mins(minutes);
    }

    /// What is decided now.
    pub fn decide(&mut self, scope: &Scope, command: Option<&Command>) -> Decision {
        self.world.invocations.clear();
        for instance in &self.world.instances {
            let Some(order) = instance.tags.get(keys::COMMAND).and_then(|it| it.parse::<Ordered>().ok()) else {
                continue;
            };
            let waiting = |it: &Sent| Invocation {
                command: command_id(&it.key),
                status: "InProgress".into(),
                details: "In Progress".into(),
                ended_at: None,
                answer: None,
            };
            let found = self.sent.iter().find(|it| it.key == order.key && it.instance == instance.id);
            let found = found.map(|it| it.ended.clone().unwrap_or_else(|| waiting(it)));
            let told = self.unreadable.clone().map_or(Ok(found), Err);
            self.world.invocations.insert(instance.id.clone(), told);
        }
        plan(&self.world, scope, command, &self.now)
    }

    /// A run whose steps are carried out as long as `lives`; what was decided.
    pub fn run_while(&mut self, scope: &Scope, command: Option<&Command>, lives: impl FnMut() -> bool) -> Plan<Step> {
        let decision = self.decide(scope, command);
        assert!(decision.lacking.is_empty(), "{:?}", decision.lacking);
        self.carry_out(&decision.plan, lives);
        decision.plan
    }

    /// Two runs that decided from the same, and do it one after the other.
    pub fn overlap(&mut self) {
        let one = self.decide(&Scope::Everywhere, None).plan;
        let other = self.decide(&Scope::Everywhere, None).plan;
        self.carry_out(&one, || true);
        self.carry_out(&other, || true);
    }

    fn carry_out(&mut self, plan: &Plan<Step>, mut lives: impl FnMut() -> bool) {
        keep("deploy-compose", plan);
        // What others need is done first.
        let mut unwritten = Vec::new();
        for planned in &plan.steps {
            if let Step::RecordGroup(it) = &planned.step {
                match lives() {
                    true => self.write_group(it),
                    false => unwritten.push(planned.resource.clone()),
                }
            }
        }
        for planned in &plan.steps {
            match &planned.step {
                Step::Record(it) => {
                    if !lives() {
                        break;
                    }
                    self.write(&it.id.clone(), it.tags.clone());
                }
                Step::RecordGroup(_) | Step::AskForSnapshot(_) => {}
                Step::Send(it) => {
                    if it.needs.as_ref().is_some_and(|it| unwritten.contains(it)) {
                        continue;
                    }
                    let there = self.tag(&it.id, keys::COMMAND);
                    if !it.expects.contains(&there) || !lives() {
                        continue;
                    }
                    self.write(&it.id.clone(), vec![(keys::COMMAND, Some(it.order.to_string()))]);
                    if lives() {
                        self.send(it);
                    }
                }
            }
        }
        // A run takes time, and a key names its second.
        self.now = &self.now + SignedDuration::from_secs(1);
        // What people were told of is remembered.
        for planned in &plan.steps {
            match reconcile::Step::once_told(&planned.step) {
                Some(Step::Record(it)) if lives() => self.write(&it.id.clone(), it.tags.clone()),
                Some(Step::RecordGroup(it)) if lives() => self.write_group(&it),
                _ => {}
            }
        }
    }

    fn write_group(&mut self, it: &crate::plan::step::GroupRecord) {
        let group = self.world.groups.as_mut().unwrap().iter_mut().find(|group| group.name == it.group).unwrap();
        for (key, value) in it.tags.clone() {
            match value {
                Some(value) => drop(group.tags.insert(key.into(), value)),
                None => drop(group.tags.remove(key)),
            }
        }
    }

    /// All instances belong to the Auto Scaling group `web`, which carries the tag too.
    pub fn grouped(mut self) -> Self {
        let group = Group {
            arn: "arn:aws:autoscaling:ap-northeast-2:123456789012:autoScalingGroup:1:autoScalingGroupName/web".into(),
            name: "web".into(),
            members: self.world.instances.iter().map(|it| (it.id.clone(), "InService".to_owned())).collect(),
            tags: [(keys::DEPLOY.to_owned(), self.rule.clone())].into(),
        };
        self.world.groups = Ok(vec![group]);
        for instance in &mut self.world.instances {
            instance.tags.insert("aws:autoscaling:groupName".into(), "web".into());
        }
        self
    }

    pub fn group(&mut self) -> Option<&mut Group> {
        self.world.groups.as_mut().unwrap().first_mut()
    }

    pub fn group_tag(&mut self, key: &str) -> Option<String> {
        self.group()?.tags.get(key).cloned()
    }

    /// An instance is terminated, whatever is under way there.
    pub fn terminate(&mut self, id: &str) {
        self.world.instances.retain(|it| it.id != id);
        self.sent.iter_mut().filter(|it| it.instance == id).for_each(|it| {
            it.ended.get_or_insert_with(|| Invocation { status: "Terminated".into(), ..ended(&it.key, None) });
        });
        if let Some(group) = self.group() {
            group.members.remove(id);
        }
    }

    fn send(&mut self, it: &crate::plan::Send) {
        if self.sent.iter().any(|other| other.instance == it.id && other.key == it.order.key) {
            return;
        }
        let busy = self.sent.iter().any(|other| other.instance == it.id && other.ended.is_none());
        assert!(!busy, "two commands at once on {}", it.id);
        self.sent.push(Sent {
            key: it.order.key.clone(),
            instance: it.id.clone(),
            intent: it.order.intent.clone(),
            migrates: it.parameters.iter().any(|(key, value)| *key == "Migrate" && !value.is_empty()),
            ended: None,
        });
    }

    fn write(&mut self, id: &str, tags: Vec<(&'static str, Option<String>)>) {
        let instance = self.instance(id);
        for (key, value) in tags {
            match value {
                Some(value) => drop(instance.tags.insert(key.into(), value)),
                None => drop(instance.tags.remove(key)),
            }
        }
    }

    /// A sweep, in the words of the plan.
    pub fn run(&mut self, command: Option<(&str, Command)>) -> Vec<String> {
        let plan = match command {
            None => self.run_while(&Scope::Everywhere, None, || true),
            Some((name, command)) => self.run_while(&Scope::Instance(name.into()), Some(&command), || true),
        };
        said(&plan)
    }

    /// The script runs on the instances that are up: what is under way ends.
    pub fn work(&mut self, answers: impl Fn(&Sent) -> bool) {
        let up: Vec<String> =
            self.world.instances.iter().filter(|it| it.state == "running").map(|it| it.id.clone()).collect();
        let bad = self.bad.clone();
        for sent in self.sent.iter_mut().filter(|it| it.ended.is_none() && up.contains(&it.instance)) {
            let before = self.runs[&sent.instance].clone();
            let (outcome, running) = match &sent.intent {
                Intent::Look => (Outcome::Running, before.clone()),
                Intent::Deploy(digest) | Intent::GoBack(digest) if Some(digest) == before.as_ref() => {
                    (Outcome::Unchanged, before.clone())
                }
                Intent::Deploy(digest) | Intent::GoBack(digest) if bad.contains(digest) => match &before {
                    Some(_) => (Outcome::Restored, before.clone()),
                    None => (Outcome::Failed, None),
                },
                Intent::Deploy(digest) | Intent::GoBack(digest) => (Outcome::Deployed, Some(digest.clone())),
            };
            self.runs.insert(sent.instance.clone(), running.clone());
            let why = match outcome {
                Outcome::Restored | Outcome::Failed => "no answer of http://localhost:3000/health for 90 s",
                _ => "",
            };
            let answer = answers(sent).then(|| Answer {
                outcome,
                before,
                running,
                downtime: 4,
                migration_failed: false,
                why: why.into(),
            });
            sent.ended = Some(ended(&sent.key, answer));
        }
    }

    /// Ends what is under way on an instance with this answer.
    pub fn answer(&mut self, id: &str, answer: Answer) {
        let running = answer.running.clone();
        let sent = self.sent.iter_mut().find(|it| it.instance == id && it.ended.is_none()).expect("one is under way");
        sent.ended = Some(ended(&sent.key, Some(answer)));
        self.runs.insert(id.into(), running);
    }

    /// What is under way on an instance did not get to it.
    pub fn undelivered(&mut self, id: &str) {
        let sent = self.sent.iter_mut().find(|it| it.instance == id && it.ended.is_none()).expect("one is under way");
        let details = "Delivery Timed Out".into();
        sent.ended = Some(Invocation { status: "TimedOut".into(), details, ..ended(&sent.key, None) });
    }

    /// Until nothing more happens.
    pub fn settle(&mut self) {
        for _ in 0..40 {
            let before = format!("{:?}", (&self.world.instances, &self.world.groups, &self.sent));
            self.run(None);
            self.work(|_| true);
            if format!("{:?}", (&self.world.instances, &self.world.groups, &self.sent)) == before {
                return;
            }
            self.later(1);
        }
        panic!("it does not come to an end: {:?}", self.sent);
    }

    pub fn observe(&mut self, fact: crate::plan::Fact, seen: Observation) {
        self.world.facts.insert(fact, seen);
    }
}

pub fn answer(outcome: Outcome, before: Option<u8>, running: Option<u8>) -> Answer {
    Answer {
        outcome,
        before: before.map(digest),
        running: running.map(digest),
        downtime: 4,
        migration_failed: false,
        why: "its container ended with exit code 1".into(),
    }
}

/// What Systems Manager calls the command of this key: a UUID, of which the AWS CLI takes nothing shorter.
fn command_id(key: &str) -> String {
    let folded = key.bytes().fold(0u64, |sum, it| sum.wrapping_mul(31).wrapping_add(it.into()));
    format!("0a1b2c3d-4e5f-4678-9abc-{:012x}", folded & 0xffff_ffff_ffff)
}

fn ended(key: &str, answer: Option<Answer>) -> Invocation {
    let status = match &answer {
        Some(it) if matches!(it.outcome, Outcome::Running | Outcome::Deployed | Outcome::Unchanged) => "Success",
        _ => "Failed",
    };
    Invocation { command: command_id(key), status: status.into(), details: status.into(), ended_at: None, answer }
}

/// `web-1 deploy: …` for steps, `! web-1 KIND: …` for problems, `- web-1: …` for what was left alone.
pub fn said(plan: &Plan<Step>) -> Vec<String> {
    let name = |arn: &str| arn.rsplit('/').next().unwrap_or(arn).to_owned();
    let step = |it: &reconcile::Planned<Step>| format!("{} ({})", reconcile::Step::headline(&it.step), it.reason);
    let steps = plan.steps.iter().map(step);
    let problems = plan.problems.iter().map(|it| format!("! {} {}: {}", name(&it.resource), it.problem, it.message));
    let skipped = plan.skipped.iter().map(|it| format!("- {}: {}", name(&it.resource), it.reason));
    let refused = plan.refused.iter().map(|it| format!("refused: {it}"));
    steps.chain(problems).chain(skipped).chain(refused).collect()
}
