//! A deployment of ECS that shifts traffic or pauses, as DescribeServiceDeployments tells of it.

use jiff::Timestamp;

/// The newest deployment of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    pub arn: String,
    /// It can still be stopped: ECS is asked for nothing else yet.
    pub under_way: bool,
    /// Such as `POST_TEST_TRAFFIC_SHIFT`; empty if ECS does not say.
    pub stage: String,
    /// When ECS changed it last, such as to the next stage.
    pub moved: Option<Timestamp>,
    /// How many per cent of the production traffic the new tasks have.
    pub traffic: Option<f64>,
    pub pauses: Vec<Pause>,
}

/// A hook at which a deployment waits for a person, or waited.
#[derive(Debug, Clone, PartialEq)]
pub struct Pause {
    /// Each step of the traffic has a hook of its own.
    pub hook: String,
    pub state: PauseState,
    pub until: Option<Timestamp>,
    /// What ECS does then: it goes on, or else back.
    pub then_continues: bool,
}

/// What became of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseState {
    Waits,
    /// Nobody answered in time.
    TimedOut,
    Over,
}

impl Shift {
    /// The pauses that wait for a person now.
    pub fn waiting(&self) -> impl Iterator<Item = &Pause> {
        self.pauses.iter().filter(|it| self.under_way && it.state == PauseState::Waits)
    }
}
