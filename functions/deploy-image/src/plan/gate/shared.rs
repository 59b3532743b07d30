//! The gates that are the same wherever an image goes, asked for a service of ECS.

use rules::database::predeploy_id;
use rules::deploy::Approval;

use super::{Blocked, Candidate, look, unavailable};
use crate::plan::step::Step;
use crate::plan::world::{Fact, Observation};
use crate::plan::{offer, shift};

/// `scan=critical|high`: the scan of the image has found nothing as bad as that.
pub fn scan(candidate: Candidate<'_>) -> Result<(), Blocked> {
    let Candidate { case, image, .. } = candidate;
    let Some(level) = case.rule.scan else { return Ok(()) };
    match look(case, Fact::Scan { repository: case.repository.clone(), digest: image.digest.clone() })? {
        Observation::Scans(scans) => gates::scan(&candidate.at_gates(&case.running_label()), level, scans),
        other => Err(unavailable(other, "unreadable-scan", format_args!("the scan of {}", candidate.tag))),
    }
}

/// A person has let it out, before the deployment or at its pause.
pub fn approval(candidate: Candidate<'_>) -> Result<(), Blocked> {
    let Candidate { case, memory, image, tag, .. } = candidate;
    let approved = memory.approved.as_ref().filter(|it| it.digest == image.digest);
    shift::hold(case, &image.digest, tag, approved)?;
    if case.rule.approval != Some(Approval::Manual) {
        return Ok(());
    }
    let offer = |label, command| offer::about(case, label, command, &image.digest);
    gates::approval(&candidate.at_gates(&case.running_label()), approved, offer)
}

/// Deployments may begin now.
pub fn window(candidate: Candidate<'_>) -> Result<(), Blocked> {
    let case = candidate.case;
    gates::window(&candidate.at_gates(&case.running_label()), &case.service.tags, case.calendar())
}

/// `snapshot=DBID`: a snapshot of the database has been taken for this very image.
pub fn snapshot(candidate: Candidate<'_>) -> Result<(), Blocked> {
    let Candidate { case, image, .. } = candidate;
    let Some(database) = &case.rule.snapshot else { return Ok(()) };
    let fact = Fact::Snapshot { database: database.clone(), id: predeploy_id(database, &image.digest) };
    let backup = match look(case, fact)? {
        Observation::Backup(backup) => backup,
        other => {
            return Err(unavailable(other, "unreadable-snapshot", format_args!("whether {database} has its snapshot")));
        }
    };
    let (running, name) = (case.running_label(), case.service.name.to_string());
    let take = |step, why| (Step::AskForSnapshot(step), why);
    gates::snapshot(&candidate.at_gates(&running), "deploy-image", name, database, backup, take)
}
