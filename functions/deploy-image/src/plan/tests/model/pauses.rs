//! Deployments of ECS that pause for a person, whether traffic shifts or tasks are replaced one by one.

use jiff::SignedDuration;
use rules::Digest;

use super::Model;
use crate::plan::*;

/// How long a person has for an answer.
const ANSWER_WITHIN: SignedDuration = SignedDuration::from_mins(120);

impl Model {
    /// From now on each deployment pauses, once its new tasks run.
    pub fn ask_people(&mut self, shifting: bool) {
        (self.asks, self.service.pauses) = (true, true);
        if shifting {
            self.service.strategy = Strategy::Shifting("CANARY".into());
        }
    }

    pub fn begin_shift(&mut self) {
        if !self.asks {
            return;
        }
        if self.is_shifting() {
            self.service.deployments[0].state = RolloutState::Unsaid;
        }
        self.shift = Some(Shift {
            arn: self.past.last().unwrap().arn.clone().unwrap(),
            under_way: true,
            stage: "SCALE_UP".into(),
            moved: Some(self.moment()),
            traffic: self.is_shifting().then_some(0.0),
            pauses: vec![],
        });
    }

    fn is_shifting(&self) -> bool {
        matches!(self.service.strategy, Strategy::Shifting(_))
    }

    /// The pause that waits for an answer.
    pub fn pause(&self) -> Option<&Pause> {
        self.shift.as_ref()?.waiting().next()
    }

    /// Whether this image was deployed, and each time nobody answered at its pause.
    pub fn was_never_answered(&self, image: &Digest) -> bool {
        let mut tried = self.past.iter().filter(|it| it.pinned.get("app") == Some(image)).peekable();
        tried.peek().is_some() && tried.all(|it| it.arn.as_ref().is_some_and(|it| self.unanswered.contains(it)))
    }

    /// The image in whose place an earlier revision is deployed that was live before.
    pub fn left_on_the_way_back(&self) -> Option<Digest> {
        let [before @ .., replaced, last] = &self.past[..] else { return None };
        let number = |arn: &str| self.revision(arn).number();
        let was_live = |it: &Rollout| it.task_definition == last.task_definition && it.end == RolloutEnd::Successful;
        let back = number(&last.task_definition) < number(&replaced.task_definition) && before.iter().any(was_live);
        let digest = self.pinned(&replaced.task_definition).remove("app");
        digest.filter(|_| back && last.end == RolloutEnd::Open)
    }

    /// What ECS tells of a deployment, if it shifts traffic or pauses.
    pub fn deployment(&self, arn: &str) -> Option<Shift> {
        let newest = self.shift.clone().filter(|it| it.arn == arn);
        let unanswered = || {
            let hook = "ecs-pause-0".to_owned();
            let pause = Pause { hook, state: PauseState::TimedOut, until: None, then_continues: false };
            let (arn, pauses) = (arn.to_owned(), vec![pause]);
            let before = Shift { arn, under_way: false, stage: String::new(), moved: None, traffic: None, pauses };
            self.unanswered.contains(&before.arn).then_some(before)
        };
        newest.or_else(unanswered)
    }

    /// Whether the deployment under way has not moved for an hour.
    pub fn hangs(&self) -> bool {
        let moved = self.shift.as_ref().and_then(|it| it.moved);
        moved.is_some_and(|it| self.moment().duration_since(it) >= SignedDuration::from_hours(1))
    }

    /// ECS does what is next: tasks start or fail, a pause begins or runs out, the traffic shifts, the deployment ends.
    pub fn go_on(&mut self) {
        let Some(shift) = self.shift.clone().filter(|it| it.under_way) else { return };
        let waits = self.pause().map(|it| it.until.unwrap());
        if waits.is_some_and(|until| self.moment() < until) {
            return;
        }
        let arn = self.service.task_definition.clone();
        let broken = shift.pauses.is_empty() && (self.is_bad(&arn) || std::mem::take(&mut self.broken));
        self.minutes += 1;
        let (now, shifts) = (self.moment(), self.is_shifting());
        let stage = if shifts { "POST_TEST_TRAFFIC_SHIFT" } else { "POST_SCALE_UP" };
        let current = self.shift.as_mut().unwrap();
        current.moved = Some(now);
        if waits.is_some() {
            current.pauses.iter_mut().for_each(|it| it.state = PauseState::TimedOut);
            self.stop_shift();
            self.past.last_mut().unwrap().reason = "A lifecycle hook timed out.".into();
            self.unanswered.push(shift.arn);
        } else if broken {
            self.stop_shift();
            self.past.last_mut().unwrap().reason = "ECS deployment circuit breaker: tasks failed to start.".into();
        } else if shift.pauses.is_empty() {
            current.stage = stage.into();
            current.pauses = vec![Pause {
                hook: format!("ecs-pause-{}", self.past.len()),
                state: PauseState::Waits,
                until: Some(now + ANSWER_WITHIN),
                then_continues: false,
            }];
        } else if shifts && shift.traffic != Some(100.0) {
            (current.stage, current.traffic) = ("BAKE_TIME".into(), Some(100.0));
        } else {
            current.under_way = false;
            self.past.last_mut().unwrap().end = RolloutEnd::Successful;
            self.service.deployments[0].state = if shifts { RolloutState::Unsaid } else { RolloutState::Completed };
        }
    }
}
