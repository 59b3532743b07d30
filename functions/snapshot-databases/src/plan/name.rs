//! What snapshots are called, and which tags they get.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rules::database::{Kind, snapshot_id};
use rules::keys;

/// RDS takes no more tags.
const MOST_TAGS: usize = 50;

/// The id of the snapshot of a database in the night of this date: always the same, so that none is taken twice.
pub fn of_the_night(kind: Kind, database: &str, date: Date) -> String {
    snapshot_id("", database, &date.to_string(), kind.longest_id())
}

/// The tags of a new snapshot: those of what it is made of that `wanted` lets through, and `ours`.
///
/// All of them have to be given: with a single tag of our own RDS copies none of the database's.
pub fn tags(
    of: &BTreeMap<String, String>,
    ours: &[(&'static str, String)],
    wanted: impl Fn(&str) -> bool,
) -> Vec<(String, String)> {
    let reserved = |key: &str| ["aws:", "rds:"].iter().any(|it| key.to_ascii_lowercase().starts_with(it));
    let is_ours = |key: &str| ours.iter().any(|(it, _)| *it == key);
    let inherited = of.iter().filter(|(key, _)| wanted(key) && !reserved(key) && !is_ours(key));
    let mut tags: Vec<(String, String)> = ours.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
    // Of too many tags those go that Nightshift does not need.
    let (needed, others): (Vec<_>, Vec<_>) = inherited.partition(|(key, _)| key.starts_with(keys::MEMORY));
    tags.extend(needed.into_iter().chain(others).map(|(key, value)| (key.clone(), value.clone())));
    tags.truncate(MOST_TAGS);
    tags
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn night() -> Date {
        "2026-11-21".parse().unwrap()
    }

    #[test]
    fn a_snapshot_is_called_after_its_database_and_night() {
        assert_eq!(of_the_night(Kind::Instance, "kfood-db", night()), "nightshift-kfood-db-2026-11-21");
        // 41 letters are the most that fit for a cluster.
        let fits = "c".repeat(41);
        assert_eq!(of_the_night(Kind::Cluster, &fits, night()), format!("nightshift-{fits}-2026-11-21"));
        let long = format!("{}-{}", "c".repeat(31), "d".repeat(31));
        assert_eq!(
            of_the_night(Kind::Cluster, &long, night()),
            format!("nightshift-{}-54e88932-2026-11-21", "c".repeat(31))
        );
        assert_eq!(of_the_night(Kind::Instance, &long, night()), format!("nightshift-{long}-2026-11-21"));
    }

    #[test]
    fn tags_of_the_database_come_along_and_reserved_ones_do_not() {
        let of = [("team", "food"), ("aws:cloudformation:stack-name", "x"), ("RDS:x", "y"), ("mine", "old")];
        let of = of.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let tags = tags(&of, &[("mine", "new".into())], |_| true);
        assert_eq!(tags, [("mine".into(), "new".into()), ("team".into(), "food".into())]);
    }

    proptest! {
        #[test]
        fn an_id_is_always_one_that_rds_takes(parts in proptest::collection::vec("[a-zA-Z][a-zA-Z0-9]{0,20}", 1..6)) {
            let mut database = parts.join("-");
            database.truncate(63);
            let database = database.trim_end_matches('-');
            for (kind, longest) in [(Kind::Instance, 255), (Kind::Cluster, 63)] {
                let id = of_the_night(kind, database, night());
                prop_assert!(id.len() <= longest && !id.contains("--") && !id.ends_with('-'), "{id}");
            }
        }

        #[test]
        fn two_databases_never_share_an_id(one in "[a-z]{50,63}", other in "[a-z]{50,63}") {
            prop_assume!(one != other);
            prop_assert_ne!(of_the_night(Kind::Cluster, &one, night()), of_the_night(Kind::Cluster, &other, night()));
        }
    }
}
