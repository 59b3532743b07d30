//! Groups of EventBridge Scheduler whose schedules follow a service.

use std::collections::BTreeMap;

/// A group that opted in. Only groups carry tags.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleGroup {
    pub arn: String,
    pub name: String,
    pub tags: BTreeMap<String, String>,
    /// Its schedules, or why they could not be read; none where the stack may change no schedule.
    pub schedules: Option<Result<Vec<Scheduled>, String>>,
}

/// A schedule that runs a task of ECS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    /// Its name within its group.
    pub name: String,
    /// The ARN of the role with which Scheduler runs the task.
    pub role: String,
    /// As it is written there: with a revision, or without one for the newest.
    pub task_definition: String,
}
