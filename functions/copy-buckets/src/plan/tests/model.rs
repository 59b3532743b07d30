//! Buckets with copies, and an S3 that carries plans out.

use std::collections::BTreeMap;

use jiff::civil::time;
use jiff::{ToSpan, Zoned};
use reconcile::Plan;
use rules::drill::{Calendar, Drilled};
use rules::keys;

use crate::plan::step::FinishDrill;
use crate::plan::{Bucket, Destination, Folder, Job, Marker, Scope, Setup, State, Step, TakeSample, World, plan};

pub const UPLOADS: &str = "kfood-uploads";
pub const RULE: &str = "days=30 to=kfood-backups/uploads prefix=uploads/";

pub fn night() -> Zoned {
    "2026-11-21T03:00:00+09:00[Asia/Seoul]".parse().unwrap()
}

pub fn arn(name: &str) -> String {
    format!("arn:aws:s3:::{name}")
}

pub fn bucket(name: &str, rule: &str) -> Bucket {
    Bucket { arn: arn(name), name: name.into(), tags: BTreeMap::from([(keys::BACKUP.into(), rule.into())]) }
}

pub fn marker(days_ago: i64, state: State) -> Marker {
    let moment = night().checked_sub(days_ago.days()).unwrap().timestamp();
    Marker {
        made_by: "nightshift copy-buckets".into(),
        source: UPLOADS.into(),
        prefix: "uploads/".into(),
        moment,
        attempt: 1,
        state,
        job: (state != State::Starting).then(|| format!("job-{days_ago}")),
        objects: (state == State::Complete).then_some(1000),
        failed: (state == State::Complete).then_some(0),
        problems: Vec::new(),
        ended: None,
        drilling: None,
        proven: None,
    }
}

pub fn folder(days_ago: i64, state: State) -> Folder {
    Folder { date: night().checked_sub(days_ago.days()).unwrap().date(), marker: Some(marker(days_ago, state)) }
}

/// The shop's uploads, with these folders in their destination, the oldest first.
pub fn world(folders: Vec<Folder>) -> World {
    let destination = Destination { region: "ap-northeast-2".into(), folders, versioning: None };
    World {
        buckets: vec![bucket(UPLOADS, RULE)],
        only_drilled: Vec::new(),
        setup: Setup {
            sources: [arn(UPLOADS), arn("kfood-logs")].into(),
            targets: [arn("kfood-backups"), arn(UPLOADS)].into(),
            role: Some("arn:aws:iam::123456789012:role/copies".into()),
            at: time(3, 0, 0, 0),
            may_read: true,
            drills: Calendar { at: time(10, 0, 0, 0), holidays: Default::default() },
        },
        destinations: BTreeMap::from([(UPLOADS.into(), Ok(destination))]),
        jobs: BTreeMap::new(),
        obstacles: BTreeMap::new(),
        versioning: BTreeMap::new(),
        restores: BTreeMap::new(),
        drills: BTreeMap::new(),
        site: None,
    }
}

impl World {
    /// What the bucket of the copies does with old versions.
    pub fn target_versions(&mut self) -> &mut Option<crate::plan::Versioning> {
        &mut self.destinations.get_mut(UPLOADS).unwrap().as_mut().unwrap().versioning
    }

    pub fn folders(&mut self) -> &mut Vec<Folder> {
        &mut self.destinations.get_mut(UPLOADS).unwrap().as_mut().unwrap().folders
    }
}

pub fn job(status: &str, succeeded: u64, failed: u64) -> Job {
    Job { status: status.into(), total: 1000, succeeded, failed, ..Job::default() }
}

/// S3 carries the plan out; jobs that are created are under way.
pub fn applied(plan: &Plan<Step>, mut world: World) -> World {
    for planned in &plan.steps {
        let folders = world.folders();
        match &planned.step {
            Step::Begin(it) => {
                let id = it.token.clone();
                let marker = Marker { state: State::Copying, job: Some(id.clone()), ..it.marker.clone() };
                folders.retain(|other| other.date.to_string() != it.folder.name);
                folders.push(Folder { date: it.folder.name.parse().unwrap(), marker: Some(marker) });
                folders.sort_by_key(|it| it.date);
                world.jobs.insert(id, Ok(job("Active", 0, 0)));
            }
            Step::Record(it) => {
                let folder = folders.iter_mut().find(|other| other.date.to_string() == it.folder.name).unwrap();
                folder.marker = Some(it.marker.clone());
            }
            Step::TakeSample(TakeSample { folder: place, marker, .. }) => {
                let folder = folders.iter_mut().find(|other| other.date.to_string() == place.name).unwrap();
                folder.marker = Some(marker.clone());
            }
            Step::FinishDrill(FinishDrill { folder: place, marker, drilled, .. }) => {
                if let Some(marker) = marker {
                    let folder = folders.iter_mut().find(|other| other.date.to_string() == place.name).unwrap();
                    folder.marker = Some(marker.clone());
                }
                let told = Drilled { untold: false, ..drilled.clone() };
                world.buckets[0].tags.insert(keys::DRILLED.into(), told.to_string());
            }
            Step::Delete(it) => folders.retain(|other| other.date.to_string() != it.folder.name),
            Step::Restore(_) | Step::RecordRestore(_) | Step::ForgetRestore(_) => {}
        }
    }
    world
}

/// What is done (as `* ACTION DATE: reason`), left alone (as `+ reason`) and wrong (as `! KIND: message`).
pub fn lines(world: &World, scope: &Scope, now: &Zoned) -> Vec<String> {
    let plan = plan(world, scope, now);
    testkit::told::keep("copy-buckets", &plan);
    let act = |step: &Step| match step {
        Step::Begin(it) => format!("begin {}", it.folder.name),
        Step::Record(it) => format!("record {} {:?}", it.folder.name, it.marker.state),
        Step::Delete(it) => format!("delete {}", it.folder.name),
        Step::Restore(it) => format!("restore {}", it.folder.name),
        Step::RecordRestore(it) => format!("record {} {:?}", it.folder.name, it.marker.state),
        Step::ForgetRestore(_) => "forget".to_owned(),
        Step::TakeSample(it) => format!("sample {} {} of {}", it.folder.name, it.sample.chosen.len(), it.size),
        Step::FinishDrill(it) => format!("finish {} {}", it.folder.name, it.drilled.outcome),
    };
    let refused = plan.refused.iter().map(|it| format!("refused: {it}"));
    let done = plan.steps.iter().map(|it| format!("* {}: {}", act(&it.step), it.reason));
    let left = plan.skipped.iter().map(|it| format!("+ {}", it.reason));
    let wrong = plan.problems.iter().map(|it| format!("! {}: {}", it.problem, it.message));
    refused.chain(done).chain(left).chain(wrong).collect()
}
