//! The drill of a bucket: a sample of the newest good copy is compared with what was copied.

use jiff::{SignedDuration, Zoned};
use reconcile::{Measure, Plan, Trouble, when};
use rules::drill::{BucketDrill, Drilled, Outcome};
use rules::facts::{self, Fact};
use rules::keys;

use super::case::Case;
use super::compare::{Verdict, verdict};
use super::night;
use super::step::{FinishDrill, Place, Step, TakeSample};
use super::world::{Bucket, Compared, Drilling, Folder, Marker, Sample, Scope, Setup, World};

/// A drill that is not over after this time has failed, whatever holds it up.
pub const LASTS: SignedDuration = SignedDuration::from_hours(24);

/// A run lasts five minutes at most. What has not been told by then was lost with its run; before that, the run that ended
/// the drill may just be telling it.
const STILL_TELLING: SignedDuration = SignedDuration::from_mins(5);

/// How many objects are told by name.
const NAMED: usize = 10;

/// The drills of a bucket.
struct Drills<'a> {
    rule: BucketDrill,
    last: Option<Drilled>,
    case: &'a Case<'a>,
}

/// The rule of a bucket's drills, if it has one that can be carried out.
pub fn rule(bucket: &Bucket, setup: &Setup) -> Option<Result<BucketDrill, Trouble>> {
    let value = bucket.tags.get(keys::DRILL)?;
    let rule = value.parse().map_err(|it| Trouble::new("bad-tag", it));
    Some(rule.and_then(|rule| match setup.may_read {
        true => Ok(rule),
        false => {
            let why = format!(
                "{} needs the parameter DrillBuckets=true; without it the stack may not read objects, to compare copies with \
                 the bucket",
                keys::DRILL
            );
            Err(Trouble::new("not-allowed", why))
        }
    }))
}

/// A bucket that has the tag but no copies that could be compared.
pub fn tell_without_copies(bucket: &Bucket, why: &str, plan: &mut Plan<Step>) {
    if bucket.tags.contains_key(keys::DRILL) {
        let message = format!("{why}, so there is no copy that its tag {} could compare: remove it", keys::DRILL);
        plan.problem(&bucket.arn, "nothing-to-drill", message);
    }
}

/// Whether a person's command can be carried out; the error says why not.
pub fn may_drill(world: &World, name: &str, now: &Zoned) -> Result<(), String> {
    let case = night::case(world, name, now)?;
    rule(case.bucket, &world.setup)
        .ok_or_else(|| format!("{name} has no tag {}: add it first, for example with the value monthly", keys::DRILL))?
        .map_err(|it| it.message)?;
    if let Some((folder, _)) = case.drilled_now() {
        return Err(format!("a drill of {} is under way", case.place(folder).url()));
    }
    match case.newest_good() {
        Some(_) => Ok(()),
        None => Err(format!("{name} has no good copy")),
    }
}

impl<'a> Case<'a> {
    /// The copy whose drill is under way.
    pub fn drilled_now(&self) -> Option<(&'a Folder, &'a Marker)> {
        self.good().find(|(_, it)| it.drilling.is_some())
    }

    /// The copy of which the sample has to be read.
    pub fn sampled(&self) -> Option<(Place, &'a Marker)> {
        rule(self.bucket, &self.world.setup)?.ok()?;
        self.drilled_now().map(|(folder, marker)| (self.place(folder), marker))
    }

    /// Begins a drill that is due, goes on with it and ends it; returns what there is to say of the last one.
    pub fn drill(&self, scope: &Scope, plan: &mut Plan<Step>) -> Option<String> {
        let last = self.bucket.tags.get(keys::DRILLED).and_then(|it| it.parse().ok());
        let rule = match rule(self.bucket, &self.world.setup)? {
            Ok(rule) => rule,
            Err(trouble) => {
                plan.trouble(&self.bucket.arn, trouble);
                return None;
            }
        };
        let drills = Drills { rule, last, case: self };
        let asked = matches!(scope, Scope::Drill(name) if *name == self.bucket.name);
        let told = drills.advance(asked, plan);
        drills.measure(plan);
        plan.fact(&self.bucket.arn, drills.fact());
        Some(told)
    }
}

impl Drills<'_> {
    fn advance(&self, asked: bool, plan: &mut Plan<Step>) -> String {
        let Case { world, now, .. } = self.case;
        if let Some((folder, marker)) = self.case.drilled_now() {
            self.go_on(folder, marker, plan);
            return "its drill is under way".into();
        }
        self.tell_again(plan);
        let (due, calendar) = (world.setup.drills.due(self.rule.every, now), &world.setup.drills);
        let ended = |it: &Drilled| format!("its last drill {} on {}", it.outcome, when(it.at, now));
        let told = self.last.as_ref().map_or_else(|| "it was never drilled".into(), ended);
        if asked {
            self.begin("a person asks for it", plan);
        } else if self.last.as_ref().is_some_and(|it| it.begun >= due) {
            let next = calendar.next_due(self.rule.every, now);
            return format!("{told}; the next one is due on {}", when(next, now));
        } else if now.timestamp() < due {
            return format!("{told}; the next one is due on {}", when(due, now));
        } else if calendar.is_open(now) {
            self.begin(&format!("{told}, and one is due since {}", when(due, now)), plan);
        }
        format!("{told}; one is due since {}", when(due, now))
    }

    /// Tells how the last drill ended if the run that ended it did not come so far.
    fn tell_again(&self, plan: &mut Plan<Step>) {
        let case = self.case;
        let untold = self.last.as_ref().filter(|it| it.untold && case.since(it.at) >= STILL_TELLING);
        let Some(drilled) = untold.cloned() else { return };
        let why = format!(
            "it ended at {}, and the run that ended it could not tell people; the log of that run says more",
            when(drilled.at, case.now)
        );
        let folder =
            Place { region: case.destination.region.clone(), to: case.rule.to.clone(), name: drilled.snapshot.clone() };
        let (arn, source) = (case.bucket.arn.clone(), case.bucket.name.clone());
        plan.act(&case.bucket.arn, Step::FinishDrill(FinishDrill { arn, source, folder, marker: None, drilled }), why);
    }

    fn begin(&self, why: &str, plan: &mut Plan<Step>) {
        let (case, arn) = (self.case, self.case.bucket.arn.as_str());
        let Some((folder, marker)) = case.good().max_by_key(|(_, it)| it.moment) else {
            return plan.problem(arn, "no-backup", "its drill is due, and it has no good copy that could be compared");
        };
        if let Some(rpo) = self.rule.rpo.filter(|it| case.since(marker.moment) > *it) {
            let message = format!(
                "the drill failed before it began: its newest good copy is of {}, and it may be {} hours old: in a disaster \
                 everything since then would be lost",
                when(marker.moment, case.now),
                rpo.as_hours()
            );
            return plan.problem(arn, "older-than-rpo", message);
        }
        let marker = Marker { drilling: Some(case.now.timestamp()), ..marker.clone() };
        self.sample(case.place(folder), marker, Sample::default(), why, plan);
    }

    fn sample(&self, folder: Place, marker: Marker, sample: Sample, why: &str, plan: &mut Plan<Step>) {
        let size = usize::from(self.rule.sample);
        let step = TakeSample { folder, marker, sample, size, now: self.case.now.timestamp() };
        plan.act(&self.case.bucket.arn, Step::TakeSample(step), why);
    }

    fn go_on(&self, folder: &Folder, marker: &Marker, plan: &mut Plan<Step>) {
        let (case, arn) = (self.case, self.case.bucket.arn.as_str());
        let begun = marker.drilling.unwrap_or(marker.moment);
        let is_over = case.since(begun) > LASTS;
        let place = case.place(folder);
        match case.world.drills.get(&case.bucket.name) {
            Some(Ok(Drilling::Compared(sample, compared))) => self.finish(place, marker, sample, compared, plan),
            Some(Ok(Drilling::Listing(_))) if is_over => {
                self.end(place, marker, Outcome::Failed, "it was not over after a day".into(), plan);
            }
            Some(Ok(Drilling::Listing(sample))) => {
                self.sample(place, marker.clone(), sample.clone(), "not all of its objects were listed", plan);
            }
            Some(Err(why)) if is_over => {
                self.end(place, marker, Outcome::Failed, format!("it was not over after a day: {why}"), plan);
            }
            Some(Err(why)) => plan.problem(
                arn,
                "unreadable",
                format!("its drill cannot go on, since the objects cannot be read: {why}"),
            ),
            None => {}
        }
    }

    fn finish(&self, folder: Place, marker: &Marker, sample: &Sample, compared: &[Compared], plan: &mut Plan<Step>) {
        let (mut same, mut alike, mut changed, mut wrong) = (0, 0, 0, Vec::new());
        for it in compared {
            match verdict(it) {
                Verdict::Same => same += 1,
                Verdict::Alike => alike += 1,
                Verdict::Changed => changed += 1,
                Verdict::Wrong(why) => wrong.push(format!("{} {why}", it.chosen.key)),
            }
        }
        let all = compared.len();
        if !wrong.is_empty() {
            let named = wrong[..wrong.len().min(NAMED)].join("; ");
            let hint = match wrong.iter().any(|it| it.contains("AccessDenied") || it.contains("KMS")) {
                true => ". AccessDenied is mostly a KMS key that does not let the role CopyBucketsRole decrypt",
                false => "",
            };
            let why = format!("{} of {all} objects are not as they were copied: {named}{hint}", wrong.len());
            return self.end(folder, marker, Outcome::Failed, why, plan);
        }
        if same + alike == 0 {
            let why =
                "no object is left in the source that is as old as the copy, so there is nothing to compare it with";
            return self.end(folder, marker, Outcome::Failed, why.into(), plan);
        }
        let parts = [
            (same, "are the same"),
            (alike, "have the same size and beginning, and no checksum to compare"),
            (changed, "were replaced or deleted since"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        let why = format!("of {all} out of {} objects {}", sample.objects, parts.join(", "));
        self.end(folder, marker, Outcome::Proven, why, plan);
    }

    fn end(&self, folder: Place, marker: &Marker, outcome: Outcome, why: String, plan: &mut Plan<Step>) {
        let case = self.case;
        let (now, begun) = (case.now.timestamp(), marker.drilling.unwrap_or(marker.moment));
        let is_good = outcome.is_good();
        let drilled = Drilled {
            outcome,
            at: now,
            begun,
            took: is_good.then(|| now.duration_since(begun).as_mins()),
            data: begun.duration_since(marker.moment).as_hours(),
            good: if is_good { Some(now) } else { self.last.as_ref().and_then(|it| it.good) },
            snapshot: folder.name.clone(),
            untold: true,
        };
        // One that failed after an earlier one found it right is not proven any more.
        let marker = Marker { drilling: None, proven: is_good.then_some(now), ..marker.clone() };
        let (arn, source) = (case.bucket.arn.clone(), case.bucket.name.clone());
        let step = FinishDrill { arn, source, folder, marker: Some(marker), drilled };
        plan.act(&case.bucket.arn, Step::FinishDrill(step), why);
    }

    /// Whether the last good drill is older than two of its periods.
    fn is_overdue(&self) -> bool {
        let good = self.last.as_ref().map(|it| it.good);
        good.is_some_and(|good| good.is_none_or(|it| self.case.since(it) > self.rule.every.longest() * 2))
    }

    fn measure(&self, plan: &mut Plan<Step>) {
        let failed = self.last.as_ref().is_some_and(|it| !it.outcome.is_good());
        for (metric, is_so) in [("DrillFailed", failed), ("DrillOverdue", self.is_overdue())] {
            let of = Some(self.case.bucket.name.clone());
            plan.measure(Measure { metric, kind: "Bucket", of, value: f64::from(u8::from(is_so)) });
        }
    }

    fn fact(&self) -> Fact {
        let last = self.last.as_ref();
        Fact::Drill(facts::Drill {
            database: self.case.bucket.name.clone(),
            outcome: last.map(|it| it.outcome.to_string()),
            at: last.map(|it| it.at),
            // Nothing is restored, so that it says nothing of the time that a recovery takes.
            took_minutes: None,
            data_hours: last.map(|it| it.data),
            good: last.and_then(|it| it.good),
        })
    }
}
