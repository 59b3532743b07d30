//! What happened in the last day as it does every day, told from what is remembered on the resources themselves.
//!
//! What is deleted leaves nothing to tell from: the log and the metrics of `prune-backups` have it. Which images went live
//! the report has from `deploy-image`, which knows what people call them.

use std::collections::BTreeMap;

use jiff::Zoned;
use reconcile::when;
use rules::keys;
use rules::sleep::Asleep;

use super::world::short_name;

/// A line for each thing that was done in the day before `now`, or that is so since, by the tags of `resources`.
pub fn last_day(resources: &BTreeMap<String, BTreeMap<String, String>>, now: &Zoned) -> Vec<String> {
    let (mut asleep, mut awake, mut snapshots) = (Vec::new(), Vec::new(), Vec::new());
    for (arn, tags) in resources {
        let name = short_name(arn);
        if let Some(database) = tags.get(keys::DATABASE) {
            if is_of_tonight(name, now) {
                snapshots.push(database.clone());
            }
            continue;
        }
        match tags.get(keys::ASLEEP).and_then(|it| it.parse::<Asleep>().ok()) {
            Some(memory) => asleep.push(format!("{name} (since {})", when(memory.since, now))),
            None if tags.contains_key(keys::SCHEDULE) => awake.push(name.to_owned()),
            None => {}
        }
    }
    [("Asleep", asleep), ("Awake", awake), ("Snapshots of the night", snapshots)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what} ({}): {}", names.len(), shown(&names)))
        .collect()
}

/// How many names stand in a line.
const NAMES: usize = 20;

fn shown(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMES);
    let shown = names[..names.len() - more].join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// A snapshot is called after its night, which is the date on which it was taken.
fn is_of_tonight(snapshot: &str, now: &Zoned) -> bool {
    snapshot.contains(&format!("-{}", now.date()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECS: &str = "arn:aws:ecs:ap-northeast-2:123456789012:service/dev";
    const RDS: &str = "arn:aws:rds:ap-northeast-2:123456789012";

    #[track_caller]
    fn check(resources: &[(String, &[(&str, String)])], expected: &[&str]) {
        let tags =
            |tags: &&[(&str, String)]| tags.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
        let resources = resources.iter().map(|(arn, it)| (arn.clone(), tags(it))).collect();
        let now: Zoned = "2026-11-21T09:00:00+09:00[Asia/Seoul]".parse().unwrap();
        assert_eq!(last_day(&resources, &now), expected);
    }

    #[test]
    fn a_day_is_told_from_what_is_remembered() {
        let schedule = (keys::SCHEDULE, "mon-fri 08:00-20:00".to_owned());
        let asleep = (keys::ASLEEP, "since=2026-11-20T11:00:00Z desired=2 by=schedule".to_owned());
        let database = (keys::DATABASE, "app-db".to_owned());
        check(
            &[
                (format!("{ECS}/backend"), &[schedule.clone(), asleep]),
                (format!("{ECS}/frontend"), &[schedule]),
                (format!("{RDS}:snapshot:nightshift-app-db-2026-11-21"), std::slice::from_ref(&database)),
                (format!("{RDS}:snapshot:nightshift-app-db-2026-11-20"), std::slice::from_ref(&database)),
            ],
            &[
                "Asleep (1): backend (since Fri 2026-11-20 20:00 KST)",
                "Awake (1): frontend",
                "Snapshots of the night (1): app-db",
            ],
        );
    }

    #[test]
    fn what_has_nothing_to_tell_is_not_told_and_what_cannot_be_read_neither() {
        check(&[], &[]);
        check(&[(format!("{ECS}/api"), &[(keys::ASLEEP, "?".to_owned())])], &[]);
    }

    #[test]
    fn a_long_list_ends_in_a_number() {
        let names: Vec<String> = (0..25).map(|it| format!("s{it}")).collect();
        assert!(shown(&names).ends_with(", s19 and 5 more"));
    }
}
