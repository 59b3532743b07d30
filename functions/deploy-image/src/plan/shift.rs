//! Deployments of ECS that shift traffic, or pause for a person: what only they need. Rolling deployments need none of it.
//!
//! While such a deployment is under way the tasks of before still run. So the way back is one call, StopServiceDeployment,
//! and UpdateService is for what is over.

use jiff::{Timestamp, Zoned};
use reconcile::{Choice, Undo, when};
use rules::Digest;
use rules::deploy::Approval;
use rules::memory::{Approved, Shifted};
use serde_json::json;

use super::case::Case;
use super::draft::Draft;
use super::gate::{Blocked, test_health};
use super::offer;
use super::step::{Continue, MemoryChange, Step, Stop, StoppedBy};
use super::verdict;
use super::world::{Pause, Rollout, Shift};

/// The stage at which the new tasks have the test traffic, and none of the production traffic yet.
const TESTED: &str = "POST_TEST_TRAFFIC_SHIFT";

/// The deployment under way that deploys the revision in use, if it can be stopped.
pub fn shift<'a>(case: &Case<'a>) -> Option<&'a Shift> {
    let newest = case.history().first()?;
    let of_ours = newest.task_definition == case.revision.arn();
    case.shift().filter(|it| it.under_way && of_ours && newest.arn.as_ref() == Some(&it.arn))
}

/// Whether the deployment under way waits for a person: a newer image does not overtake that.
pub fn is_paused(case: &Case<'_>) -> bool {
    shift(case).is_some_and(|it| it.waiting().next().is_some())
}

/// Whether the new tasks have all production traffic, and those of before still run.
pub fn has_all_traffic(case: &Case<'_>) -> bool {
    case.shifts() && shift(case).is_some_and(|it| it.traffic == Some(100.0))
}

/// When the deployment under way ends at the earliest, by its own times: starting tasks and pauses come on top.
pub fn ends(case: &Case<'_>) -> Option<Timestamp> {
    case.service.primary().and_then(|it| it.began).map(|it| it + case.service.bakes)
}

/// Whether each deployment of the service may pause for a person.
pub fn pauses(case: &Case<'_>) -> bool {
    case.service.pauses && !case.by_code_deploy()
}

/// Until when the deployment under way lasts at least, for people; `answered` are the pauses that this run answers.
pub fn until(case: &Case<'_>, now: &Zoned, answered: &[String]) -> String {
    let waiting = || shift(case)?.waiting().filter(|it| !answered.contains(&it.hook)).filter_map(|it| it.until).max();
    let pause = waiting();
    match (pause, ends(case).filter(|it| *it > now.timestamp())) {
        (Some(pause), _) => format!(" and waits for a person until {}", when(pause, now)),
        (None, Some(end)) => format!(", at least until {}", when(end, now)),
        (None, None) => String::new(),
    }
}

/// How far the deployment under way is, for people.
pub fn under_way(case: &Case<'_>) -> String {
    let what = if case.shifts() { "a deployment that shifts traffic" } else { "a deployment that pauses" };
    let place = shift(case).map(place).filter(|it| !it.is_empty());
    place.map_or(what.into(), |it| format!("{what} ({it})"))
}

/// Stage and share of the traffic.
pub fn place(shift: &Shift) -> String {
    let stage = Some(&shift.stage).filter(|it| !it.is_empty()).map(|it| format!("stage {it}"));
    let traffic = shift.traffic.map(|it| format!("{it} % of the traffic"));
    stage.into_iter().chain(traffic).collect::<Vec<_>>().join(", ")
}

/// The deployment of this image that was taken back since nobody answered at its pause.
fn expired<'a>(case: &Case<'a>, image: &Digest) -> Option<&'a Rollout> {
    let newest = case.history().first().filter(|it| it.expired)?;
    (case.digest_of_ours(case.described(&newest.task_definition)?).as_ref() == Some(image)).then_some(newest)
}

/// Whether an approval was given before the image waited at a pause in vain.
pub fn is_before_expiry(case: &Case<'_>, approved: &Approved) -> bool {
    expired(case, &approved.digest).is_some_and(|it| it.began.is_none_or(|began| approved.at <= began))
}

/// Why an image waits that has to do with pauses: nobody answered at its last one, or there is none to ask at.
pub fn hold(case: &Case<'_>, image: &Digest, tag: &str, approved: Option<&Approved>) -> Result<(), Blocked> {
    let unanswered = expired(case, image).is_some() && approved.is_none_or(|it| is_before_expiry(case, it));
    if unanswered {
        return Err(Blocked::Asks {
            kind: "pause-expired",
            message: format!(
                "the deployment of {tag} paused, nobody answered in time, and ECS took it back. The image is not rejected \
                 and can be deployed once more"
            ),
            choices: vec![offer::about(case, "Deploy it once more", "approve", image)],
        });
    }
    let needs = match (&case.rule.approval, &case.rule.test_health) {
        (Some(Approval::AtHook), _) => "approval=at-hook",
        (_, Some(_)) => "test-health=",
        _ => return Ok(()),
    };
    match pauses(case) {
        true => Ok(()),
        false => Err(Blocked::NeedsPerson(
            "no-pause",
            format!(
                "{tag} is not deployed: the service has no pause hook. {needs} needs a hook of the type PAUSE in the deployment \
                 configuration of the service, at the stage {}: add one, or use approval=manual and health=",
                if case.shifts() || case.by_code_deploy() { TESTED } else { "POST_SCALE_UP" }
            ),
        )),
    }
}

impl Draft<'_> {
    /// Answers the pauses of a deployment by what its test address says, or asks people.
    pub fn at_pauses(&mut self) -> Result<(), Blocked> {
        let case = self.case;
        let Some(shift) = shift(case) else { return Ok(()) };
        // A way back is a deployment as any other, and pauses like one. Unanswered, ECS would return to what was rejected.
        let left = verdict::left_on_the_way_back(case).filter(|it| self.memory.rejects(it));
        for pause in shift.waiting() {
            if self.answered.contains(&pause.hook) {
                continue;
            }
            if let Some(left) = &left {
                let why =
                    format!("it takes the place of {}, which is rejected, and no way back waits", case.label(left));
                self.go_on_after(shift, pause, why);
                continue;
            }
            let mut note = String::new();
            if case.rule.test_health.is_some() && !case.shifts() {
                note = "A rolling deployment has no test traffic, so test-health= is not asked. ".into();
            } else if let Some(url) = case.rule.test_health.as_ref().filter(|_| shift.stage == TESTED) {
                match test_health(case, url) {
                    Ok(()) if case.rule.approval != Some(Approval::AtHook) => {
                        self.go_on_after(shift, pause, format!("{url} answers well on the test traffic"));
                        continue;
                    }
                    Ok(()) => note = format!("{url} answers well on the test traffic. "),
                    Err(Blocked::NeedsPerson(_, why)) => note = format!("{why}. "),
                    Err(blocked) => return Err(blocked),
                }
            }
            self.ask_at(shift, pause, &note);
        }
        Ok(())
    }

    fn ask_at(&mut self, shift: &Shift, pause: &Pause, note: &str) {
        let case = self.case;
        let then = if pause.then_continues { "goes on" } else { "goes back" };
        let until = pause.until.map_or(String::new(), |it| format!(" until {}; then ECS {then}", when(it, self.now)));
        let image = case.running().digest.map_or_else(|| case.running_label(), |it| it.to_string());
        let about = json!({"service": case.service.name.to_string(), "image": image});
        let mut about_pause = about.clone();
        about_pause["hook"] = pause.hook.as_str().into();
        let message =
            format!("{} is paused ({}){until}. {note}It can go on, or back", case.running_label(), place(shift));
        let choices = [
            Choice::new("Go on", Undo::Command(json!({"approve": about_pause}))),
            Choice::new("Go back", Undo::Command(json!({"reject": about}))),
        ];
        self.ask("paused", message, choices);
    }

    fn go_on_after(&mut self, shift: &Shift, pause: &Pause, why: impl std::fmt::Display) {
        let case = self.case;
        self.answered.push(pause.hook.clone());
        let step = Continue {
            service: case.service.name.clone(),
            deployment: shift.arn.clone(),
            hook: pause.hook.clone(),
            stage: shift.stage.clone(),
            image: case.running_label(),
            digest: case.running().digest,
        };
        self.act(Step::Continue(step), why);
    }

    /// A person approves `image`: where its deployment pauses, it goes on. `false` where no pause has to do with it.
    ///
    /// Each step of the traffic pauses at a hook of its own, so an answer is for one pause and is not remembered.
    pub fn continue_pause(&mut self, image: &Digest, hook: Option<&str>) -> bool {
        let case = self.case;
        let shift = shift(case).filter(|_| case.running().digest.as_ref() == Some(image));
        let waiting: Vec<&Pause> = shift.iter().flat_map(|it| it.waiting()).collect();
        let meant = |it: &&&Pause| hook.is_none_or(|hook| hook == it.hook);
        let mut answered = false;
        for pause in waiting.iter().filter(meant) {
            shift.iter().for_each(|it| self.go_on_after(it, pause, "a person approved it"));
            answered = true;
        }
        if !answered && let Some(hook) = hook {
            self.skip(format!(
                "no deployment of {} waits at {hook}: it was answered already, or is over",
                case.label(image)
            ));
        }
        answered || hook.is_some()
    }

    /// The rejected image that the way back under way takes the traffic from, where nothing newer may overtake that: the
    /// newer image would pause for a person, and the rejected one would have the traffic until the answer.
    ///
    /// A way back that hangs may never end, so a newer image may replace it.
    pub fn leaves_first(&self) -> Option<Digest> {
        let case = self.case;
        let left = verdict::left_on_the_way_back(case).filter(|it| pauses(case) && self.memory.rejects(it))?;
        verdict::stuck(case, self.now).is_none().then_some(left)
    }

    /// Why an image waits for a way back from `left`.
    pub fn after_way_back(&self, tag: &str, left: &str) -> Blocked {
        let why =
            format!("{tag} is newer, but its deployment may pause for a person, and the service leaves {left} first");
        Blocked::pending(why, "the way back has ended")
    }

    /// Takes the deployment under way back at once; `false` where none is, and an earlier revision has to be deployed.
    pub fn stop_shift(&mut self, asked: Option<&str>) -> bool {
        let case = self.case;
        let Some(shift) = shift(case) else { return false };
        let label = case.running_label();
        let step = Stop {
            service: case.service.name.clone(),
            deployment: shift.arn.clone(),
            by: StoppedBy::Ecs,
            from: label.clone(),
            from_digest: case.running().digest,
            from_revision: case.revision.arn().into(),
            to_revision: None,
        };
        let why = asked.map_or_else(|| format!("{label} is rejected"), str::to_owned);
        let place = place(shift);
        let place = if place.is_empty() { "its deployment is under way".into() } else { place };
        // Of a rolling deployment some of them may have been replaced already.
        let before = if case.shifts() { "the tasks of before still run" } else { "ECS starts those of before again" };
        self.act(Step::Stop(step), format!("{why}; {before} ({place})"));
        true
    }

    /// The first verdict: all traffic is on the image, and until when the way back takes no more than a call.
    pub fn tell_all_traffic(&mut self) {
        let case = self.case;
        if !has_all_traffic(case) {
            return;
        }
        let until = ends(case).filter(|it| *it > self.now.timestamp());
        let until = until.map(|it| format!(", at least until {}", when(it, self.now))).unwrap_or_default();
        let why = format!("the tasks of before still run, so it can go back at once{until}");
        match case.running().digest {
            Some(digest) if self.memory.shifted.as_ref().is_none_or(|it| it.digest != digest) => {
                let value = Some(Shifted { digest: digest.clone() }.to_string());
                self.remember_image(MemoryChange::AllTraffic, case.keys.verdict, value, &digest, why);
            }
            _ => self.skip(format!("all traffic is on {}; {why}", case.running_label())),
        }
    }
}
