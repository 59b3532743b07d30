//! What no AWS offers: to see every call, to let calls fail, and to decide how a rollout ends.

use serde_json::{Value, json};

use super::LocalAws;
use crate::{Error, Result};

/// A call that was made to AWS.
#[derive(Clone, Debug)]
pub struct Call {
    /// The service, as IAM spells it: `ecs`, `tag`.
    pub service: String,
    /// The action, as IAM spells it: `UpdateService`.
    pub action: String,
    /// The HTTP status of the answer.
    pub status: u64,
    /// When, in seconds since 1970.
    pub time: f64,
    /// The function that called; known only with [`Options::auth`](super::Options::auth).
    pub function: Option<String>,
}

impl LocalAws {
    /// Every call since the start or since [`forget_calls`](Self::forget_calls), those of the test included.
    pub fn calls(&self) -> Result<Vec<Call>> {
        let calls = self.control("GET", "calls", None)?;
        let text = |it: &Value| it.as_str().map(str::to_owned);
        let call = |it: &Value| {
            Some(Call {
                service: text(&it["service"])?,
                action: text(&it["action"])?,
                status: it["status"].as_u64()?,
                time: it["time"].as_f64()?,
                function: text(&it["function"]),
            })
        };
        Ok(calls.as_array().into_iter().flatten().filter_map(call).collect())
    }

    /// Begins the list of calls anew.
    pub fn forget_calls(&self) -> Result<()> {
        self.control("DELETE", "calls", None).map(drop)
    }

    /// Answers the next `times` calls of this kind with an error. Calls of the test itself are spared.
    pub fn fail_calls(&self, service: &str, action: &str, times: u32, code: &str) -> Result<()> {
        let mut faults = self.control("GET", "faults", None)?.as_array().cloned().unwrap_or_default();
        faults.push(json!({"service": service, "action": action, "times": times, "status": 400, "code": code}));
        self.control("POST", "faults", Some(Value::Array(faults))).map(drop)
    }

    /// How rollouts end from now on: by themselves, and images of these digests fail.
    pub fn rollouts_end_by_themselves(&self, bad_digests: &[&str]) -> Result<()> {
        self.control("POST", "rollouts", Some(json!({"mode": "auto", "bad_digests": bad_digests}))).map(drop)
    }

    /// How rollouts end from now on: not before [`end_rollout`](Self::end_rollout).
    pub fn rollouts_wait(&self) -> Result<()> {
        self.control("POST", "rollouts", Some(json!({"mode": "manual"}))).map(drop)
    }

    /// Ends the rollout in progress of `cluster/service`: `completed` or `failed`. A rollback that follows is in progress.
    pub fn end_rollout(&self, service: &str, outcome: &str) -> Result<()> {
        self.control("POST", "rollout", Some(json!({"service": service, "outcome": outcome}))).map(drop)
    }

    /// Lets the deployment of `cluster/service` that shifts traffic go on to a stage with that much of the production
    /// traffic, or to the pause before it.
    pub fn shift_to(&self, service: &str, stage: &str, traffic: f64) -> Result<()> {
        let end = json!({"service": service, "outcome": "stage", "stage": stage, "traffic": traffic});
        self.control("POST", "rollout", Some(end)).map(drop)
    }

    /// From now on it is this moment (RFC 3339) for ECS, ECR, alarms and these functions.
    pub fn set_moment(&self, moment: &str, functions: &[&str]) -> Result<()> {
        self.control("POST", "clock", Some(json!({"moment": moment})))?;
        functions.iter().try_for_each(|it| self.set_clock(it, moment))
    }

    /// Ends the running tasks of a family, their containers with this code; returns how many there were.
    pub fn end_tasks(&self, family: &str, exit_code: i32) -> Result<usize> {
        let ended = self.control("POST", "task", Some(json!({"family": family, "exit_code": exit_code})))?;
        Ok(ended.as_array().map_or(0, Vec::len))
    }

    /// The same at a moment (RFC 3339) on the clock that the test has set, for what measures how long a task took.
    pub fn end_tasks_at(&self, family: &str, exit_code: i32, moment: &str) -> Result<usize> {
        let end = json!({"family": family, "exit_code": exit_code, "ended_at": moment});
        let ended = self.control("POST", "task", Some(end))?;
        Ok(ended.as_array().map_or(0, Vec::len))
    }

    /// Makes a DB snapshot one that was taken at `created_at` (RFC 3339) and is in the state `status`.
    pub fn change_snapshot(&self, id: &str, created_at: &str, status: &str) -> Result<()> {
        let change = json!({"id": id, "created_at": created_at, "status": status});
        self.control("POST", "snapshot", Some(change)).map(drop)
    }

    /// A restored database is in the state `status` now; one that is `available` may still be loading its data.
    pub fn restored(&self, id: &str, status: &str, loading: bool) -> Result<()> {
        self.control("POST", "restored", Some(json!({"id": id, "status": status, "loading": loading}))).map(drop)
    }

    /// Makes a budget one of which so much is spent, and so much forecast.
    pub fn change_budget(&self, name: &str, actual: &str, forecast: Option<&str>) -> Result<()> {
        let change = json!({"name": name, "actual": actual, "forecast": forecast});
        self.control("POST", "budget", Some(change)).map(drop)
    }

    /// AWS starts a DB instance that has been stopped for seven days.
    pub fn start_after_seven_days(&self, id: &str) -> Result<()> {
        self.control("POST", "database", Some(json!({"id": id}))).map(drop)
    }

    /// How services' events are delivered from now on: `live`, `twice`, `lost` or `held`. Those that were held are sent
    /// newest first.
    pub fn deliver_events(&self, mode: &str) -> Result<()> {
        self.control("POST", "events", Some(json!({"mode": mode}))).map(drop)
    }

    /// Functions see `tag-index` or `services` as they are now, for that many reads or until [`thaw`](Self::thaw).
    pub fn freeze(&self, what: &str, times: Option<u32>) -> Result<()> {
        self.control("POST", "late", Some(json!({"what": what, "times": times}))).map(drop)
    }

    /// Functions see everything as it is again.
    pub fn thaw(&self) -> Result<()> {
        self.control("DELETE", "late", None).map(drop)
    }

    /// Throttles an action: `size` calls at once, then `rate` a second.
    pub fn throttle(&self, service: &str, action: &str, size: u32, rate: f64) -> Result<()> {
        let bucket = json!([{"service": service, "action": action, "size": size, "rate": rate}]);
        self.control("POST", "buckets", Some(bucket)).map(drop)
    }

    /// The next calls of RunTask start nothing, for these reasons.
    pub fn tasks_fail_to_start(&self, reasons: &[&str]) -> Result<()> {
        self.control("POST", "run-task", Some(json!({"reasons": reasons}))).map(drop)
    }

    /// The tasks of a family end before a container has begun; returns how many there were.
    pub fn end_tasks_before_they_begin(&self, family: &str, reason: &str) -> Result<usize> {
        let end = json!({"family": family, "stop_code": "TaskFailedToStart", "reason": reason});
        let ended = self.control("POST", "task", Some(end))?;
        Ok(ended.as_array().map_or(0, Vec::len))
    }

    /// What an hour does: ECS forgets the ended tasks of a family, and the tokens that started them.
    pub fn forget_tasks(&self, family: &str) -> Result<()> {
        self.control("POST", "forget", Some(json!({"family": family}))).map(drop)
    }

    /// Calls an endpoint below `/_nightshift/`; `tests/local-aws/control.py` lists them.
    pub fn control(&self, method: &str, endpoint: &str, body: Option<Value>) -> Result<Value> {
        let body = body.map(|it| it.to_string()).unwrap_or_default();
        let answer = self.http.rest("nightshift", method, &format!("/_nightshift/{endpoint}"), body)?;
        match answer.status {
            200 => Ok(serde_json::from_str(&answer.text)?),
            status => Err(Error::new(format!("{method} {endpoint}: {status} {}", answer.text))),
        }
    }
}
