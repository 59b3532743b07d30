//! A bucket whose old versions S3 keeps: whether that is so, and for as long as the rule says.

use reconcile::{CommandLine, Plan, Undo};
use rules::bucket::Versions;
use serde_json::json;

use super::case::Case;
use super::step::Step;
use super::world::{Bucket, LifecycleRule, Versioning};

/// Tells what is missing; returns whether every moment of the last days can be restored.
pub fn check(bucket: &Bucket, rule: &Versions, found: &Versioning, plan: &mut Plan<Step>) -> bool {
    let Bucket { arn, name, .. } = bucket;
    let days = u32::from(rule.days);
    let mut is_sound = true;
    if !found.is_enabled() {
        is_sound = false;
        let is = if found.status.is_some() { "suspended" } else { "not enabled" };
        plan.problem(arn, "versioning-off", format!("its versioning is {is}: what is replaced or deleted now is lost"));
        let words = ["aws", "s3api", "put-bucket-versioning", "--bucket", name];
        let words = words.into_iter().chain(["--versioning-configuration", "Status=Enabled"]);
        plan.choice("Enable versioning", Undo::Shell(CommandLine::of(words)));
    }
    let about = |it: &&LifecycleRule| {
        it.is_enabled && (it.prefix.starts_with(&rule.prefix) || rule.prefix.starts_with(&it.prefix))
    };
    for it in found.rules.iter().filter(about) {
        if let Some(after) = it.deletes_after.filter(|it| *it < days) {
            is_sound = false;
            plan.problem(
                arn,
                "versions-deleted-early",
                format!(
                    "the rule '{}' of its lifecycle deletes old versions after {after} days, and days={days} asks for \
                     {days}: change one of both",
                    it.id
                ),
            );
        }
        if let Some(after) = it.archives_after.filter(|it| *it < days) {
            is_sound = false;
            plan.problem(
                arn,
                "versions-archived",
                format!(
                    "the rule '{}' of its lifecycle archives old versions after {after} days, from where a restore \
                     cannot copy them: let it wait for {days} days, or use GLACIER_IR",
                    it.id
                ),
            );
        }
        if let Some(after) = it.archives_current_after {
            is_sound = false;
            plan.problem(
                arn,
                "versions-archived",
                format!(
                    "the rule '{}' of its lifecycle archives objects after {after} days, from where a restore cannot copy \
                     them: use GLACIER_IR, or leave them out by prefix=",
                    it.id
                ),
            );
        }
    }
    if !ends(&rule.prefix, found) {
        let endless = format!("nothing deletes its old versions, which days={days} no longer asks for");
        tell(arn, "versions-endless", &endless, Expiring { bucket: name, prefix: &rule.prefix, days }, found, plan);
    }
    is_sound
}

/// Copies in a bucket with versioning: what is deleted there stays as an old version. So it is with Object Lock, which
/// lets a lifecycle rule wait until a version is not locked any more.
pub fn tell_lingering(case: &Case<'_>, plan: &mut Plan<Step>) {
    let to = &case.rule.to;
    let prefix = format!("{}/", to.prefix);
    let Some(found) = case.destination.versioning.as_ref().filter(|it| it.status.is_some()) else { return };
    if !ends(&prefix, found) {
        let lingers = format!("nothing deletes the old versions of copies in {}, which has versioning", to.bucket);
        let expiring = Expiring { bucket: &to.bucket, prefix: &prefix, days: 1 };
        tell(&case.bucket.arn, "copies-endless", &lingers, expiring, found, plan);
    }
}

/// Whether a rule deletes all old versions below `prefix` some day.
fn ends(prefix: &str, found: &Versioning) -> bool {
    let covers = |it: &LifecycleRule| {
        it.is_enabled && !it.is_filtered && it.deletes_after.is_some() && prefix.starts_with(&it.prefix)
    };
    found.rules.iter().any(covers)
}

/// A lifecycle rule that is missing.
struct Expiring<'a> {
    bucket: &'a str,
    prefix: &'a str,
    days: u32,
}

/// Old versions that nothing deletes do no harm but cost.
fn tell(
    arn: &str,
    problem: &'static str,
    message: &str,
    missing: Expiring<'_>,
    found: &Versioning,
    plan: &mut Plan<Step>,
) {
    let wanted = json!({
        "ID": "nightshift-old-versions",
        "Status": "Enabled",
        "Filter": {"Prefix": missing.prefix},
        "NoncurrentVersionExpiration": {"NoncurrentDays": missing.days},
    });
    if !found.rules.is_empty() {
        // The call replaces the configuration, so that a command to paste would remove the other rules.
        return plan.monthly(arn, problem, format!("{message}: add to the rules of its lifecycle {wanted}"));
    }
    plan.monthly(arn, problem, format!("{message}: give it a lifecycle configuration"));
    let words = ["aws", "s3api", "put-bucket-lifecycle-configuration", "--bucket", missing.bucket];
    let words = words.into_iter().map(str::to_owned);
    let words = words.chain(["--lifecycle-configuration".to_owned(), json!({"Rules": [wanted]}).to_string()]);
    plan.choice("Delete old versions after that", Undo::Shell(CommandLine::of(words)));
}
