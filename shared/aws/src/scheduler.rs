//! Schedules of EventBridge Scheduler: which a group has, what one says, and one of them changed.
//!
//! Only groups carry tags. A schedule is changed as a whole: UpdateSchedule
//! sets what a request leaves out to its default. So a schedule is kept as AWS sent it, fields younger than this version
//! included, and goes back with what was changed in it.

use aws_config::SdkConfig;
use serde_json::{Map, Value, json};

use crate::Error;
use crate::json_api::{JsonApi, Route, SCHEDULER, fields};
use crate::presign::encoded;

/// What GetSchedule answers and UpdateSchedule does not take, or takes in the path.
const ANSWERED_ONLY: [&str; 4] = ["Arn", "CreationDate", "LastModificationDate", "Name"];

/// EventBridge Scheduler in the region of the function.
#[derive(Debug, Clone)]
pub struct Scheduler(JsonApi);

/// Which schedule: its group and its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScheduleName {
    /// Its group.
    pub group: String,
    /// Its name, which is its own within the group.
    pub name: String,
}

/// A schedule as GetSchedule answers it.
pub type Schedule = Map<String, Value>;

impl std::fmt::Display for ScheduleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.group, self.name)
    }
}

impl ScheduleName {
    /// Of the ARN of a schedule, `arn:aws:scheduler:REGION:ACCOUNT:schedule/GROUP/NAME`.
    pub fn of_arn(arn: &str) -> Option<Self> {
        let (group, name) = arn.split_once(":schedule/")?.1.split_once('/')?;
        Some(ScheduleName { group: group.into(), name: name.into() })
    }

    fn path(&self) -> String {
        format!("/schedules/{}", encoded(&self.name))
    }
}

/// The name of a group, of its ARN `arn:aws:scheduler:REGION:ACCOUNT:schedule-group/NAME`.
pub fn group_of_arn(arn: &str) -> Option<&str> {
    arn.split_once(":schedule-group/").map(|(_, name)| name).filter(|it| !it.is_empty())
}

impl Scheduler {
    /// With the region, the credentials and the limits of `config`.
    pub fn new(config: &SdkConfig) -> Self {
        Scheduler(JsonApi::new(SCHEDULER, config))
    }

    /// The schedules of a group, disabled ones included; none where the group is gone.
    ///
    /// # Errors
    ///
    /// A page that AWS does not give.
    pub async fn list_schedules(&self, group: &str) -> Result<Vec<ScheduleName>, Error> {
        let mut names = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let page = next.map_or(String::new(), |it| format!("&NextToken={}", encoded(&it)));
            let path = format!("/schedules?ScheduleGroup={}&MaxResults=100{page}", encoded(group));
            let route = Route { method: "GET", path };
            let answered = match self.0.send("ListSchedules", group, route, Vec::new(), String::new()).await {
                Err(error) if is_gone(&error) => return Ok(names),
                other => fields("ListSchedules", group, other?)?,
            };
            let listed = answered.get("Schedules").and_then(Value::as_array).into_iter().flatten();
            names.extend(listed.filter_map(|it| {
                let text = |name: &str| it[name].as_str().map(str::to_owned);
                Some(ScheduleName { group: text("GroupName").unwrap_or_else(|| group.into()), name: text("Name")? })
            }));
            next = match answered.get("NextToken").and_then(Value::as_str) {
                Some(token) if !token.is_empty() => Some(token.to_owned()),
                _ => return Ok(names),
            };
        }
    }

    /// A schedule as it is now; nothing where it is gone.
    ///
    /// # Errors
    ///
    /// What AWS refuses or does not answer.
    pub async fn get_schedule(&self, name: &ScheduleName) -> Result<Option<Schedule>, Error> {
        let resource = name.to_string();
        let path = format!("{}?groupName={}", name.path(), encoded(&name.group));
        let route = Route { method: "GET", path };
        match self.0.send("GetSchedule", &resource, route, Vec::new(), String::new()).await {
            Err(error) if is_gone(&error) => Ok(None),
            other => fields("GetSchedule", &resource, other?).map(Some),
        }
    }

    /// Replaces a schedule by `schedule`, which was read a moment ago and changed in what is meant to be changed.
    ///
    /// Scheduler has no condition on a version: what another wrote between the reading and this call is lost. So read
    /// right before.
    ///
    /// # Errors
    ///
    /// What AWS refuses, a schedule that is gone included.
    pub async fn update_schedule(&self, name: &ScheduleName, schedule: &Schedule) -> Result<(), Error> {
        let mut body = schedule.clone();
        ANSWERED_ONLY.iter().for_each(|it| drop(body.remove(*it)));
        body.insert("GroupName".into(), name.group.as_str().into());
        let headers = vec![("content-type", "application/json".to_owned())];
        let route = Route { method: "PUT", path: name.path() };
        let body = Value::from(body).to_string();
        self.0.send("UpdateSchedule", &name.to_string(), route, headers, body).await.map(drop)
    }
}

impl Scheduler {
    /// Writes a tag of a group, by the ARN of the group, or removes it where there is no value.
    ///
    /// # Errors
    ///
    /// What AWS refuses.
    pub async fn write_schedule_group_tag(&self, arn: &str, key: &str, value: Option<&str>) -> Result<(), Error> {
        let path = format!("/tags/{}", encoded(arn));
        let Some(value) = value else {
            let path = format!("{path}?TagKeys={}", encoded(key));
            let route = Route { method: "DELETE", path };
            return self.0.send("UntagResource", arn, route, Vec::new(), String::new()).await.map(drop);
        };
        let headers = vec![("content-type", "application/json".to_owned())];
        let body = json!({"Tags": [{"Key": key, "Value": value}]}).to_string();
        self.0.send("TagResource", arn, Route { method: "POST", path }, headers, body).await.map(drop)
    }
}

fn is_gone(error: &Error) -> bool {
    error.code == "ResourceNotFoundException"
}

#[cfg(test)]
mod tests;
