//! What snapshots are called, and which of them Nightshift made.

use jiff::Zoned;
use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use super::kind::Kind;
use crate::Digest;

/// What the ids of all snapshots begin with that Nightshift makes.
pub const PREFIX: &str = "nightshift-";

/// What the snapshot of the database `id` before the deployment of `image` is called.
///
/// Whoever needs it and whoever takes it come to the same name, so that a doubled command is one snapshot. It is one
/// that RDS takes for an instance and for a cluster, since who asks need not know which of the two it is.
pub fn predeploy_id(id: &str, image: &Digest) -> String {
    snapshot_id("predeploy-", id, image.short().trim_start_matches("sha256:"), Kind::Cluster.longest_id())
}

/// What the snapshot of a database in the night of this date is called: always the same, so that none is taken twice.
///
/// Another database of the same name may have one of this night already: a blue/green switchover swaps the names, and
/// a restore may take the name of what it replaces. Then [`night_id_apart`] is used.
pub fn night_id(kind: Kind, database: &str, night: Date) -> String {
    snapshot_id("", database, &night.to_string(), kind.longest_id())
}

/// The id of the night for one database alone, whatever others were called so: it holds a hash of `resource_id`.
pub fn night_id_apart(kind: Kind, database: &str, night: Date, resource_id: &str) -> String {
    snapshot_id("", database, &format!("{night}-{}", hash(resource_id)), kind.longest_id())
}

/// What the snapshot is called that is taken before a database sleeps, by the moment at which that sleep began.
///
/// `scale-staging`, which waits for it, and `snapshot-databases`, which takes it, come to the same name at each tick.
pub fn sleep_id(kind: Kind, database: &str, begun: &Zoned) -> String {
    snapshot_id("", database, &begun.strftime("%Y-%m-%d-%H%M%S").to_string(), kind.longest_id())
}

/// An id of at most `longest` letters, of our prefix, `before`, the database, and `after`.
///
/// A database whose name is too long for that is cut and ends in a hash of the name; no id holds two hyphens in a row.
pub fn snapshot_id(before: &str, database: &str, after: &str, longest: usize) -> String {
    // RDS stores ids in lower case.
    let database = database.to_ascii_lowercase();
    let whole = format!("{PREFIX}{before}{database}-{after}");
    if whole.len() <= longest {
        return whole;
    }
    let hash = hash(&database);
    let room = (longest + database.len()).saturating_sub(whole.len() + 1 + hash.len());
    let cut = database.get(..room).unwrap_or_default().trim_end_matches('-');
    format!("{PREFIX}{before}{cut}-{hash}-{after}")
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// The value of the tag `nightshift-state:made-by` of a snapshot: the function, and which snapshot it made where.
///
/// The console and `CopyTags` give a person's copy of a snapshot all tags of the original. Since the tag names the
/// original, the copy is the person's.
pub fn made_by(function: &str, id: &str, region: &str) -> String {
    format!("{function} {id} {region}")
}

/// Whether a tag `nightshift-state:made-by` of this value says that Nightshift made the snapshot `id` of `region`.
pub(super) fn is_made_by(tag: &str, id: &str, region: Option<&str>) -> bool {
    let mut words = tag.split_whitespace().skip(1);
    match (words.next(), words.next()) {
        (Some(named), place) => named == id && place.is_none_or(|it| region.is_none_or(|region| it == region)),
        // Before the tag named the snapshot, it held the function alone.
        (None, _) => is_called_by_us(id),
    }
}

/// Whether an id may be one that [`night_id`], [`sleep_id`] and [`predeploy_id`] made, or that of a copy of such a one:
/// they end in a date, a time, a digest or a region, and so in a word with a digit.
fn is_called_by_us(id: &str) -> bool {
    id.rsplit('-').next().is_some_and(|it| it.bytes().any(|it| it.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn image(number: u64) -> Digest {
        format!("sha256:{number:012x}{:052x}", 0).parse().unwrap()
    }

    fn night() -> Date {
        "2026-11-21".parse().unwrap()
    }

    #[test]
    fn the_snapshot_before_a_deployment_is_called_after_database_and_image() {
        assert_eq!(predeploy_id("Kfood-db", &image(0x1a2b)), "nightshift-predeploy-kfood-db-000000001a2b");
        // 29 letters are the most that fit.
        let fits = "d".repeat(29);
        assert_eq!(predeploy_id(&fits, &image(1)), format!("nightshift-predeploy-{fits}-000000000001"));
        let long = format!("{}-{}", "d".repeat(19), "e".repeat(40));
        assert_eq!(
            predeploy_id(&long, &image(1)),
            format!("nightshift-predeploy-{}-356f1f29-000000000001", "d".repeat(19))
        );
    }

    #[test]
    fn a_snapshot_is_called_after_its_database_and_night() {
        assert_eq!(night_id(Kind::Instance, "kfood-db", night()), "nightshift-kfood-db-2026-11-21");
        // 41 letters are the most that fit for a cluster.
        let fits = "c".repeat(41);
        assert_eq!(night_id(Kind::Cluster, &fits, night()), format!("nightshift-{fits}-2026-11-21"));
        let long = format!("{}-{}", "c".repeat(31), "d".repeat(31));
        assert_eq!(
            night_id(Kind::Cluster, &long, night()),
            format!("nightshift-{}-54e88932-2026-11-21", "c".repeat(31))
        );
        assert_eq!(night_id(Kind::Instance, &long, night()), format!("nightshift-{long}-2026-11-21"));
    }

    #[test]
    fn two_databases_that_had_one_name_in_one_night_have_two_ids() {
        let [blue, green] = ["db-BLUE", "db-GREEN"].map(|it| night_id_apart(Kind::Instance, "app", night(), it));
        assert_ne!(blue, green);
        assert!(green.starts_with("nightshift-app-2026-11-21-"), "{green}");
    }

    #[test]
    fn the_snapshot_before_a_sleep_is_called_after_the_moment_at_which_that_began() {
        let begun = "2026-11-20T20:00:00+09:00[Asia/Seoul]".parse().unwrap();
        assert_eq!(sleep_id(Kind::Cluster, "shop", &begun), "nightshift-shop-2026-11-20-200000");
    }

    #[test]
    fn a_copy_that_a_person_made_with_all_tags_is_not_ours() {
        let tag = made_by("snapshot-databases", "nightshift-app-2026-11-21", "ap-northeast-2");
        let ours = |id, region| is_made_by(&tag, id, Some(region));
        assert!(ours("nightshift-app-2026-11-21", "ap-northeast-2"));
        assert!(!ours("nightshift-app-before-the-migration", "ap-northeast-2"));
        // Under the same name, but in another region.
        assert!(!ours("nightshift-app-2026-11-21", "us-west-2"));
    }

    #[test]
    fn where_the_tag_names_no_snapshot_the_id_tells() {
        for (id, ours) in [
            ("nightshift-app-2026-11-21", true),
            ("nightshift-kfood-db-2026-11-20-200000", true),
            ("nightshift-app-2026-11-21-us-west-2", true),
            ("nightshift-app-2026-11-21-us-gov-west-1", true),
            ("nightshift-predeploy-app-1a2b3c4d1a2b", true),
            ("nightshift-predeploy-app-1a2b3c4d1a2b-eu-central-1", true),
            ("nightshift-cccccccccc-54e88932-us-west-2", true),
            ("nightshift-app-before-the-big-migration", false),
            ("nightshift-app-2026-11-21-copy", false),
        ] {
            assert_eq!(is_made_by("snapshot-databases", id, None), ours, "{id}");
        }
    }

    proptest! {
        #[test]
        fn an_id_is_always_one_that_rds_takes(parts in proptest::collection::vec("[a-zA-Z][a-zA-Z0-9]{0,20}", 1..6)) {
            let mut database = parts.join("-");
            database.truncate(63);
            let database = database.trim_end_matches('-');
            let begun = "2026-11-20T20:00:00+09:00[Asia/Seoul]".parse().unwrap();
            for (kind, longest) in [(Kind::Instance, 255), (Kind::Cluster, 63)] {
                for id in [
                    predeploy_id(database, &image(1)),
                    night_id(kind, database, night()),
                    night_id_apart(kind, database, night(), "cluster-ABC"),
                    sleep_id(kind, database, &begun),
                ] {
                    prop_assert!(id.len() <= longest && !id.contains("--") && !id.ends_with('-'), "{id}");
                    prop_assert!(is_called_by_us(&id), "{id}");
                }
            }
        }

        #[test]
        fn two_databases_or_two_images_never_share_an_id(one in "[a-z]{20,63}", other in "[a-z]{20,63}") {
            prop_assert_ne!(predeploy_id(&one, &image(1)), predeploy_id(&one, &image(2)));
            prop_assume!(one != other);
            prop_assert_ne!(predeploy_id(&one, &image(1)), predeploy_id(&other, &image(1)));
            prop_assert_ne!(night_id(Kind::Cluster, &one, night()), night_id(Kind::Cluster, &other, night()));
        }
    }
}
