//! How large a service is: its count, and the limits of its scaling target.

use rules::sleep::{Limits, Suspended};
use serde_json::{Value, json};

/// The size of a service, as it is or as it will be after some calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub desired: i32,
    pub target: Option<Limits>,
}

impl Size {
    /// After its scaling target, if it has one, was registered with this least number of tasks and these suspensions.
    pub fn limited(self, min: i32, suspended: Suspended) -> Self {
        let Some(target) = self.target else { return self };
        // Registering a target moves the count inside its limits at once, even if only a suspension changes.
        Size { desired: self.desired.min(target.max).max(min), target: Some(Limits { min, suspended, ..target }) }
    }

    pub fn counted(self, desired: i32) -> Self {
        Size { desired, ..self }
    }

    /// The most tasks that it may have.
    pub fn most(self) -> i32 {
        self.target.map_or(i32::MAX, |it| it.max)
    }

    /// How many tasks it gets where it is not recorded how many it had.
    pub fn least(self) -> i32 {
        self.target.map_or(1, |it| it.min.max(1).min(it.max))
    }

    /// Whether its count is one that its scaling target would leave as it is.
    pub fn is_within_limits(self) -> bool {
        self.target.is_none_or(|it| (it.min..=it.max).contains(&self.desired))
    }

    pub fn view(self) -> Value {
        let mut view = json!({"desired": self.desired});
        if let Some(Limits { min, max, suspended }) = self.target {
            view["min"] = min.into();
            view["max"] = max.into();
            if suspended != Suspended::default() {
                view["suspended"] = suspended.to_string().into();
            }
        }
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(desired: i32, min: i32, max: i32) -> Size {
        Size { desired, target: Some(Limits { min, max, suspended: Suspended::default() }) }
    }

    #[test]
    fn registering_a_target_moves_the_count_inside_its_limits() {
        assert_eq!(size(0, 0, 6).limited(2, Suspended::ALL).desired, 2);
        assert_eq!(size(9, 0, 6).limited(0, Suspended::ALL).desired, 6);
        assert_eq!(size(3, 2, 6).limited(0, Suspended::ALL).desired, 3);
        let plain = Size { desired: 3, target: None };
        assert_eq!(plain.limited(5, Suspended::ALL), plain);
    }

    #[test]
    fn a_size_that_was_not_recorded_is_one_task_within_the_limits() {
        assert_eq!(Size { desired: 0, target: None }.least(), 1);
        assert_eq!((size(0, 0, 6).least(), size(0, 2, 6).least(), size(0, 0, 0).least()), (1, 2, 0));
    }

    #[test]
    fn a_count_outside_of_the_limits_is_told_apart() {
        let cases = [(size(0, 2, 6), false), (size(2, 2, 6), true), (size(7, 2, 6), false)];
        assert!(cases.iter().all(|(size, within)| size.is_within_limits() == *within));
        assert!(Size { desired: 7, target: None }.is_within_limits());
    }
}
