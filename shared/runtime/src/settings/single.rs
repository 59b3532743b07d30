//! Variables that hold one value of a kind of its own, and how one that is wrong is refused.

use jiff::Timestamp;
use reconcile::message::{BadRunbookBase, RunbookBase};

/// A variable of the environment that cannot be understood.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{variable}: {wrong}; accepted: {accepted}")]
pub struct BadSetting {
    variable: String,
    wrong: String,
    accepted: String,
}

/// A variable with what is wrong about it and what is accepted.
pub fn bad(variable: &str, wrong: &str, accepted: &str) -> BadSetting {
    BadSetting { variable: variable.into(), wrong: wrong.into(), accepted: accepted.into() }
}

pub fn runbooks(value: Option<&str>) -> Result<Option<RunbookBase>, BadSetting> {
    let wrong = |it: BadRunbookBase| bad("NIGHTSHIFT_RUNBOOK_BASE", &it.to_string(), RunbookBase::ACCEPTED);
    value.map(|it| it.parse().map_err(wrong)).transpose()
}

pub fn slo(value: Option<&str>) -> Result<Option<f64>, BadSetting> {
    let Some(text) = value else { return Ok(None) };
    let percent = text.parse::<f64>().ok().filter(|it| (1.0..=100.0).contains(it));
    percent
        .map(Some)
        .ok_or_else(|| bad("NIGHTSHIFT_SLO", &format!("'{text}' is not a percentage"), "1 to 100, such as 99.9"))
}

pub fn now(value: Option<&str>) -> Result<Option<Timestamp>, BadSetting> {
    let Some(moment) = value else { return Ok(None) };
    let wrong = format!("'{moment}' is not a moment");
    let moment =
        moment.parse().map_err(|_| bad("NIGHTSHIFT_NOW", &wrong, "RFC 3339, such as 2026-11-21T03:10:00+09:00"))?;
    Ok(Some(moment))
}
