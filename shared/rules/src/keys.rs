//! The names of all tags.

/// Tags with this prefix are written by people and never by Nightshift.
pub const PEOPLE: &str = "nightshift:";

/// Tags with this prefix are Nightshift's memory.
pub const MEMORY: &str = "nightshift-state:";

// What people write.

/// On an ECS service or database: it is kept awake until this moment; see [`crate::intent::Moment`].
pub const AWAKE_UNTIL: &str = "nightshift:awake-until";

/// On a DB instance or cluster: how long its backups are kept; see [`crate::retention::BackupRule`]. On an S3 bucket:
/// where its objects are copied to each night; see [`crate::bucket::BucketRule`].
pub const BACKUP: &str = "nightshift:backup";

/// On an ECS service: a person's request for more tasks for a while; see [`crate::intent::Boost`].
pub const BOOST: &str = "nightshift:boost";

/// On a budget: that it is enforced; on an ECS service, a machine or a database: that the budget may put it to sleep.
pub const BUDGET: &str = "nightshift:budget";

/// On an ECS service: which image to deploy; see [`crate::deploy::DeployRule`]. On an EC2 instance: the same for the
/// docker compose project there; see [`crate::compose::ComposeRule`]. On a schedule group: the service that its schedules
/// follow; see [`crate::follow::FollowRule`].
pub const DEPLOY: &str = "nightshift:deploy";

/// On an ECS service: which image to deploy to a further container of it; see [`crate::deploy::DeployRule::further`].
pub const DEPLOY_2: &str = "nightshift:deploy-2";

/// The same for one more container.
pub const DEPLOY_3: &str = "nightshift:deploy-3";

/// On an ECS service or EC2 instance: when deployments may begin; see [`crate::calendar::DeployWindow`].
pub const DEPLOY_WINDOW: &str = "nightshift:deploy-window";

/// On a DB instance or cluster: how often a restore of its backup is tried; see [`crate::drill::DrillRule`]. On an S3
/// bucket: how often a sample of its newest copy is compared; see [`crate::drill::BucketDrill`].
pub const DRILL: &str = "nightshift:drill";

/// On an ECS service or EC2 instance, with any reason in words: no deployment begins until a person removes the tag.
pub const FREEZE: &str = "nightshift:freeze";

/// On an ECS service or database, with any reason in words: it sleeps until a person removes the tag.
pub const HOLD: &str = "nightshift:hold";

/// On a snapshot, with whatever value: it is never deleted.
pub const KEEP: &str = "nightshift:keep";

/// On an ECR repository: how many images stay; see [`crate::retention::KeepImages`].
pub const KEEP_IMAGES: &str = "nightshift:keep-images";

/// On a CloudWatch alarm: what is done about it; see [`crate::remedy::RemedyRule`].
pub const REMEDY: &str = "nightshift:remedy";

/// On an ECS service, a machine, a database or a group of EventBridge Scheduler: when it is awake; see
/// [`crate::schedule::Schedule`].
pub const SCHEDULE: &str = "nightshift:schedule";

/// On a budget, with the name of a source behind it: spend outside of AWS that counts; see [`crate::spend::Source`].
pub const SPEND: &str = "nightshift:spend-";

/// All that people write.
pub const OF_PEOPLE: [&str; 16] = [
    AWAKE_UNTIL,
    BACKUP,
    BOOST,
    BUDGET,
    DEPLOY,
    DEPLOY_2,
    DEPLOY_3,
    DEPLOY_WINDOW,
    DRILL,
    FREEZE,
    HOLD,
    KEEP,
    KEEP_IMAGES,
    REMEDY,
    SCHEDULE,
    SPEND,
];

/// A tag key that looks like one of Nightshift's and is not: no function ever sees what carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// The key as it was written.
    pub key: String,
    /// The key that was most likely meant.
    pub meant: Option<&'static str>,
}

impl UnknownKey {
    /// What a person should write instead.
    pub fn hint(&self) -> String {
        match self.meant {
            Some(meant) => format!("did you mean '{meant}'?"),
            None => format!("accepted: {}", OF_PEOPLE.join(", ")),
        }
    }
}

/// Whether `key` looks like a key for people to write and is not one of them.
///
/// ```
/// use rules::keys;
///
/// assert_eq!(keys::unknown("nightshift:deploi").unwrap().meant, Some(keys::DEPLOY));
/// assert_eq!(keys::unknown("NightShift-Backup").unwrap().meant, Some(keys::BACKUP));
/// assert_eq!(keys::unknown("nightshift:colour").unwrap().meant, None);
/// assert_eq!(keys::unknown("nightshift:deploy"), None);
/// assert_eq!(keys::unknown("nightshift:spend-LLM"), None);
/// assert_eq!(keys::unknown("nightshift-state:problem"), None);
/// ```
pub fn unknown(key: &str) -> Option<UnknownKey> {
    let lower = key.to_ascii_lowercase();
    let ours = lower.starts_with(PEOPLE.trim_end_matches(':')) && !key.starts_with(MEMORY);
    if !ours || OF_PEOPLE.contains(&key) || key.starts_with(SPEND) {
        return None;
    }
    // The prefix is the same for all, so it says nothing about which was meant.
    let word = |it: &str| it[PEOPLE.len() - 1..].trim_start_matches(|it: char| !it.is_ascii_alphanumeric()).to_owned();
    let words: Vec<&'static str> = OF_PEOPLE.iter().map(|it| &it[PEOPLE.len()..]).collect();
    let meant = crate::tag::closest(&word(&lower), &words);
    let meant = meant.and_then(|word| OF_PEOPLE.into_iter().find(|it| it[PEOPLE.len()..] == *word));
    Some(UnknownKey { key: key.into(), meant })
}

// What Nightshift writes.

/// On a service or database that a person started by hand: it stays awake until this moment.
pub const AWAKE_UNTIL_MEMORY: &str = "nightshift-state:awake-until";

/// On an ECS service: another function's request for more tasks for a while; see [`crate::intent::Boost`].
pub const BOOST_MEMORY: &str = "nightshift-state:boost";

/// On an ECS service: its size before it was boosted; see [`crate::sleep::Boosted`].
pub const BOOSTED: &str = "nightshift-state:boosted";

/// On a service or database: what is wrong with its budget tag, as people were told last by `enforce-budget`.
pub const BUDGET_PROBLEM: &str = "nightshift-state:budget-problem";

/// On a service or database: another function's request that it sleeps; see [`crate::intent::Hold`].
pub const HOLD_MEMORY: &str = "nightshift-state:hold";

/// On a CloudWatch alarm: what was done about it, and when; see [`crate::remedied::Remedied`].
pub const REMEDIED: &str = "nightshift-state:remedied";

/// On a CloudWatch alarm that watches several things: the same of one of them, by its id.
pub const REMEDIED_OF: &str = "nightshift-state:remedied.";

/// The key under which an alarm remembers what was done about one of the things that it watches.
pub fn remedied_of(contributor: &str) -> String {
    let fits = |it: char| it.is_ascii_alphanumeric() || "_.:/=+-@".contains(it);
    let id = contributor.chars().map(|it| if fits(it) { it } else { '_' }).take(64);
    REMEDIED_OF.chars().chain(id).collect()
}

/// On a CloudWatch alarm: what is wrong with its remedy, as people were told last by `remediate-alarm`.
pub const REMEDY_PROBLEM: &str = "nightshift-state:remedy-problem";

/// On a service or database: what is wrong with its schedule, as people were told last by `scale-staging`.
pub const SLEEP_PROBLEM: &str = "nightshift-state:sleep-problem";

/// On a budget: which steps people were told of in which period.
pub const WARNED: &str = "nightshift-state:warned";

/// On a database: AWS refused to stop or start it; see [`crate::sleep::Refused`].
pub const REFUSED: &str = "nightshift-state:refused";

/// On a database: the windows of RDS that lie in its sleep, as people were told.
pub const WINDOWS: &str = "nightshift-state:windows";

/// On whatever sleeps: the moment of the sleep that people were told of before it.
pub const NOTICED: &str = "nightshift-state:noticed";

/// On an ECS service: it was woken and is not up yet; see [`crate::sleep::Woken`].
pub const WOKEN: &str = "nightshift-state:woken";
/// On a snapshot: which attempt of its night it is, if not the first.
pub const ATTEMPT: &str = "nightshift-state:attempt";

/// On whatever sleeps: its size before; see [`crate::sleep::Asleep`].
pub const ASLEEP: &str = "nightshift-state:asleep";

/// On a DB instance or cluster: what is wrong with its backups, as people were told last by `prune-backups`.
pub const PRUNE_PROBLEM: &str = "nightshift-state:prune-problem";

/// On an S3 bucket: what is wrong with its copies, as people were told last by `copy-buckets`.
pub const BUCKET_PROBLEM: &str = "nightshift-state:bucket-problem";

/// On an S3 bucket: the folder that a moment of it is restored to, while that is under way.
pub const BUCKET_RESTORE: &str = "nightshift-state:bucket-restore";

/// On an EC2 instance: the command that was sent to it last; on its Auto Scaling group: the one that deploys an image which
/// runs on none of its instances yet. See [`crate::compose::Ordered`].
pub const COMMAND: &str = "nightshift-state:command";

/// On a copy of a snapshot: of which snapshot, and of which database; see [`crate::database::Original`].
pub const COPY_OF: &str = "nightshift-state:copy-of";

/// On an ECS service: the image that a person let through; see [`crate::memory::Approved`].
pub const APPROVED: &str = "nightshift-state:approved";

/// On a drill database: of what it is a restore, and until when it may exist; see [`crate::drill::Drill`].
pub const DRILL_MEMORY: &str = "nightshift-state:drill";

/// On a drill database: the snapshot that it was restored from; see [`crate::drill::Source`].
pub const DRILL_FROM: &str = "nightshift-state:drill-from";

/// On a DB instance or cluster: what is wrong with its drills, as people were told last by `drill-restores`.
pub const DRILL_PROBLEM: &str = "nightshift-state:drill-problem";

/// On a drill database: how far its drill has come; see [`crate::drill::Progress`].
pub const DRILL_PROGRESS: &str = "nightshift-state:drill-progress";

/// On a DB instance or cluster: how its last drill ended; see [`crate::drill::Drilled`].
pub const DRILLED: &str = "nightshift-state:drilled";

/// On an ECS service: the images that a person forgave after they were rejected; see [`crate::rejections::Cleared`].
pub const CLEARED: &str = "nightshift-state:cleared";

/// On a snapshot: the database that it was taken of.
pub const DATABASE: &str = "nightshift-state:database";

/// On a task definition: whether the address of `health=` answered well before it was deployed: `well`, `ill`, `unknown`.
pub const HEALTH: &str = "nightshift-state:health";

/// On a task definition: what people call the image that it pins.
pub const IMAGE: &str = "nightshift-state:image";

/// On a snapshot: the function that made it, its id and its region; see [`crate::database::made_by`]. Whatever lacks it
/// is not Nightshift's to delete.
pub const MADE_BY: &str = "nightshift-state:made-by";

/// On an ECS service: the migration that last ended well; see [`crate::memory::Migrated`].
pub const MIGRATED: &str = "nightshift-state:migrated";

/// On an ECS service: the migration that runs in its name; see [`crate::migrating::Migrating`].
pub const MIGRATING: &str = "nightshift-state:migrating";

/// On a task definition: the revision (`family:number`) that was live before it.
pub const PREVIOUS: &str = "nightshift-state:previous";

/// On a DB instance or cluster: why the snapshot before a deployment is not taken, as people were told last.
pub const PREDEPLOY_PROBLEM: &str = "nightshift-state:predeploy-problem";

/// On any resource: the problem that people were told of last.
pub const PROBLEM: &str = "nightshift-state:problem";

/// On a snapshot: that a drill has restored it; see [`crate::drill::Proven`].
pub const PROVEN: &str = "nightshift-state:proven";

/// On an EC2 instance: the image that was read back from it; see [`crate::compose::Runs`].
pub const RUNS: &str = "nightshift-state:runs";

/// On an EC2 instance: what is wrong with its deployments, as people were told last by `deploy-compose`.
pub const COMPOSE_PROBLEM: &str = "nightshift-state:compose-problem";

/// On a snapshot: the retention rule of its database when it was taken; see [`crate::retention::BackupRule`].
pub const RETAINED_BY: &str = "nightshift-state:backup";

/// On an ECS service: the images that are not tried again; see [`crate::rejections::Rejections`].
pub const REJECTED: &str = "nightshift-state:rejected";

/// On an ECS service: another function's request to go back; see [`crate::memory::RollbackIntent`].
pub const ROLLBACK: &str = "nightshift-state:rollback";

/// On a DB instance or cluster: what is wrong with its backups, as people were told last by `snapshot-databases`.
pub const SNAPSHOT_PROBLEM: &str = "nightshift-state:snapshot-problem";

/// On an ECS service: how long the image that it would get has been live on the service that it is promoted from; see
/// [`crate::soak::Soak`].
pub const SOAK: &str = "nightshift-state:soak";

/// On a copy of a snapshot: when the original was taken, since AWS dates a copy by the copying.
pub const TAKEN: &str = "nightshift-state:taken";

/// On an ECS service: the image that was last found live; see [`crate::memory::Verdict`].
pub const VERDICT: &str = "nightshift-state:verdict";

/// A tag by which people say which image to deploy to containers of a service, and the memory of it.
#[derive(Debug, PartialEq, Eq)]
pub struct DeployKeys {
    /// What people write.
    pub rule: &'static str,
    /// See [`APPROVED`].
    pub approved: &'static str,
    /// See [`CLEARED`].
    pub cleared: &'static str,
    /// See [`IMAGE`].
    pub image: &'static str,
    /// See [`REJECTED`].
    pub rejected: &'static str,
    /// See [`SOAK`].
    pub soak: &'static str,
    /// See [`VERDICT`].
    pub verdict: &'static str,
}

/// The tags of one service, each about other containers and with a memory of its own.
pub const DEPLOYS: [DeployKeys; 3] = [
    DeployKeys {
        rule: DEPLOY,
        approved: APPROVED,
        cleared: CLEARED,
        image: IMAGE,
        rejected: REJECTED,
        soak: SOAK,
        verdict: VERDICT,
    },
    DeployKeys {
        rule: DEPLOY_2,
        approved: "nightshift-state:approved-2",
        cleared: "nightshift-state:cleared-2",
        image: "nightshift-state:image-2",
        rejected: "nightshift-state:rejected-2",
        soak: "nightshift-state:soak-2",
        verdict: "nightshift-state:verdict-2",
    },
    DeployKeys {
        rule: DEPLOY_3,
        approved: "nightshift-state:approved-3",
        cleared: "nightshift-state:cleared-3",
        image: "nightshift-state:image-3",
        rejected: "nightshift-state:rejected-3",
        soak: "nightshift-state:soak-3",
        verdict: "nightshift-state:verdict-3",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_an_owner_and_fits_a_tag_key() {
        for key in OF_PEOPLE {
            assert!(key.starts_with(PEOPLE) && key.len() <= 128, "{key}");
        }
        for key in [
            ASLEEP,
            APPROVED,
            ATTEMPT,
            AWAKE_UNTIL_MEMORY,
            BOOST_MEMORY,
            BOOSTED,
            BUCKET_PROBLEM,
            BUCKET_RESTORE,
            BUDGET_PROBLEM,
            CLEARED,
            COMMAND,
            COMPOSE_PROBLEM,
            COPY_OF,
            DATABASE,
            DRILL_FROM,
            DRILL_MEMORY,
            DRILL_PROBLEM,
            DRILL_PROGRESS,
            DRILLED,
            HEALTH,
            HOLD_MEMORY,
            IMAGE,
            MADE_BY,
            MIGRATED,
            MIGRATING,
            NOTICED,
            PREDEPLOY_PROBLEM,
            PREVIOUS,
            PROBLEM,
            PROVEN,
            PRUNE_PROBLEM,
            REFUSED,
            REJECTED,
            REMEDIED,
            REMEDIED_OF,
            REMEDY_PROBLEM,
            RETAINED_BY,
            ROLLBACK,
            RUNS,
            SLEEP_PROBLEM,
            SNAPSHOT_PROBLEM,
            SOAK,
            TAKEN,
            VERDICT,
            WARNED,
            WINDOWS,
            WOKEN,
        ] {
            assert!(key.starts_with(MEMORY) && key.len() <= 128, "{key}");
        }
        for it in &DEPLOYS {
            assert!(it.rule.starts_with(PEOPLE), "{it:?}");
            let memory = [it.approved, it.cleared, it.image, it.rejected, it.soak, it.verdict];
            assert!(memory.iter().all(|key| key.starts_with(MEMORY)), "{it:?}");
        }
    }

    #[test]
    fn the_list_of_what_people_write_leaves_none_out() {
        let declared = include_str!("keys.rs").split("#[cfg(test)]").next().unwrap_or_default().lines();
        let declared: Vec<&str> = declared
            .filter_map(|line| line.strip_prefix("pub const ")?.split_once(": &str = \"")?.1.strip_suffix("\";"))
            .filter(|it| it.starts_with(PEOPLE) && *it != PEOPLE)
            .collect();
        assert_eq!(declared, OF_PEOPLE);
    }
}
