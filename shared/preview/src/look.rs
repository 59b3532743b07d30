//! What could be tagged, and tags that nothing reads: looked at one by one, so that a denied read is one line.

use std::collections::BTreeSet;

use aws::Error;
use aws::query::{EC2, EC2_AUTO_SCALING, Query, RDS};
use aws::rds::list_databases;
use aws::rest::Rest;
use aws::tagging::{self, Tagging};
use aws_config::SdkConfig;
use jiff::Timestamp;
use rules::keys;

use crate::arguments::{self, Options};
use crate::page::{Line, Section};
use crate::sts::Caller;
use crate::{cloudwatch, ecr, ecs, machines, own_alarms, s3, suggest};

/// How a backup is kept that a person did not think about yet: a week of days and a month of weeks.
const BACKUP: &str = "daily=7 weekly=4";

/// When machines are awake that are used in working hours.
const SCHEDULE: &str = "mon-fri 08:00-20:00";

/// How many images stay by default.
const KEEP_IMAGES: &str = "count=30";

/// Tells people, and does nothing else.
const REMEDY: &str = "notify";

/// The parts of the page after those of the functions.
pub async fn sections(sdk: &SdkConfig, caller: &Caller, options: &Options, now: Timestamp) -> Vec<Section> {
    let index = Tagging::new(sdk);
    let mut unknown = Section::new("Tags that nothing reads");
    match unknown_keys(&index).await {
        Ok(lines) => unknown.lines = lines,
        Err(error) => unknown.lines.push(unread("tag keys", &error)),
    }
    if unknown.lines.is_empty() {
        unknown.lines.push(Line::Text("None: every key that begins like Nightshift's is one of them.".into()));
    }
    let mut services = Section::new("Services that could be deployed by a tag");
    fill(&mut services, "services", services_without(sdk).await);
    let mut databases = Section::new("Databases that could be backed up by a tag");
    fill(&mut databases, "databases", databases_without(sdk).await);
    let mut buckets = Section::new("Buckets that could be backed up by a tag, once BackupBuckets names them");
    fill(&mut buckets, "buckets", buckets_without(sdk, &index, caller, options, now).await);
    let mut machines = Section::new("Machines that could sleep by a tag, where they are not production");
    fill(&mut machines, "machines", machines_without(sdk).await);
    let mut repositories = Section::new("Repositories that could be cleaned up by a tag");
    fill(&mut repositories, "repositories", repositories_without(sdk, &index).await);
    let mut alarms = Section::new("Alarms that could have a remedy by a tag");
    fill(&mut alarms, "alarms", alarms_without(sdk, &index).await);
    vec![unknown, services, databases, buckets, machines, repositories, alarms]
}

fn fill(section: &mut Section, what: &str, lines: Result<Vec<Line>, Error>) {
    match lines {
        Ok(lines) if lines.is_empty() => section.lines.push(Line::Text("None is left without a tag.".into())),
        Ok(lines) => section.lines.extend(lines),
        Err(error) => section.lines.push(unread(what, &error)),
    }
}

fn unread(what: &str, error: &Error) -> Line {
    Line::Problem { what: format!("{what} could not be read"), why: error.to_string() }
}

fn suggestion(arn: &str, name: &str, key: &str, value: &str) -> Option<Line> {
    let command = suggest::command(arn, key, value)?;
    Some(Line::Command { what: format!("{name}: {key} = {value}"), command })
}

async fn unknown_keys(index: &Tagging) -> Result<Vec<Line>, Error> {
    let mut lines = Vec::new();
    for unknown in index.keys_in_use().await?.iter().filter_map(|it| keys::unknown(it)) {
        let carriers = tagging::carriers(index, &unknown.key).await?;
        lines.push(suggest::unknown(&unknown, &carriers));
    }
    Ok(lines)
}

async fn services_without(sdk: &SdkConfig) -> Result<Vec<Line>, Error> {
    let client = aws_sdk_ecs::Client::new(sdk);
    let (services, denied) = ecs::list_services(&client).await?;
    let without: Vec<_> = services.into_iter().filter(|it| !it.tags.contains_key(keys::DEPLOY)).collect();
    let mut lines = Vec::new();
    for (service, images) in without.iter().zip(ecs::images(&client, &without).await) {
        let name = service.name.to_string();
        match images.map(|it| suggest::deploy_rule(&it)) {
            Ok(Some(rule)) => lines.extend(suggestion(&service.arn, &name, keys::DEPLOY, &rule)),
            Ok(None) => {
                let why = "not one image of a private ECR registry; see the options container and repository";
                lines.push(Line::LeftAlone { what: name, why: why.into() });
            }
            Err(error) => lines.push(unread(&name, &error)),
        }
    }
    lines.extend(denied.into_iter().map(|why| Line::Problem { what: "a service could not be read".into(), why }));
    Ok(lines)
}

async fn databases_without(sdk: &SdkConfig) -> Result<Vec<Line>, Error> {
    let databases = list_databases(&Query::new(RDS, sdk)).await?;
    // The snapshots of a cluster hold its members, too.
    let without = databases.iter().filter(|it| it.member_of.is_none() && !it.tags.contains_key(keys::BACKUP));
    Ok(without.filter_map(|it| suggestion(&it.arn, &it.id, keys::BACKUP, BACKUP)).collect())
}

/// Buckets in which tools keep what they deploy, and no data.
const OF_TOOLS: [&str; 4] = ["aws-sam-cli-", "cdk-", "cf-templates-", "elasticbeanstalk-"];

async fn buckets_without(
    sdk: &SdkConfig,
    tagged: &Tagging,
    caller: &Caller,
    options: &Options,
    now: Timestamp,
) -> Result<Vec<Line>, Error> {
    let all = s3::list_buckets(&Rest::new(sdk)).await?;
    let tagged: BTreeSet<String> = tagging::resources(tagged, "s3", keys::BACKUP).await?.into_iter().collect();
    let arn = |name: &str| arguments::bucket_arn(&caller.partition, name);
    let targets: BTreeSet<String> = options.backup_targets.iter().map(|it| arn(it)).collect();
    let without = all.into_iter().filter(|it| {
        let arn = arn(it);
        !tagged.contains(&arn) && !targets.contains(&arn) && !OF_TOOLS.iter().any(|tool| it.starts_with(tool))
    });
    let cloudwatch = aws_sdk_cloudwatch::Client::new(sdk);
    let sized = aws::each(without, 8, async |name: String| {
        let size = cloudwatch::bucket_size(&cloudwatch, &name, now).await;
        (name, size)
    });
    let target = options.backup_targets.first().map(|it| it.rsplit(':').next().unwrap_or(it));
    let lines = sized.await.into_iter().map(|(name, size)| {
        // What CloudWatch does not say is only a price.
        let (rule, cost) = suggest::bucket_rule(&name, size.ok().flatten(), target);
        let command = suggest::bucket_command(&caller.account, &arn(&name), keys::BACKUP, &rule);
        Line::Command { what: format!("{name}: {} = {rule} ({cost})", keys::BACKUP), command }
    });
    Ok(lines.collect())
}

/// What belongs to a group, to ECS or to another service of AWS, or is there for a while only, is not suggested.
async fn machines_without(sdk: &SdkConfig) -> Result<Vec<Line>, Error> {
    let mut all = machines::list_groups(&Query::new(EC2_AUTO_SCALING, sdk)).await?;
    all.extend(machines::list_instances(&Query::new(EC2, sdk)).await?);
    let without = all.iter().filter(|it| !it.is_unfit && !it.tags.contains_key(keys::SCHEDULE));
    Ok(without.filter_map(|it| suggestion(&it.arn, &it.name, keys::SCHEDULE, SCHEDULE)).collect())
}

async fn repositories_without(sdk: &SdkConfig, tagged: &Tagging) -> Result<Vec<Line>, Error> {
    let all = ecr::list_repositories(&aws::JsonApi::new(aws::ECR, sdk)).await?;
    // The index lists only what has or had a tag, so it says which are to be left out.
    let tagged: BTreeSet<String> =
        tagging::resources(tagged, "ecr:repository", keys::KEEP_IMAGES).await?.into_iter().collect();
    let without = all.iter().filter(|(arn, _)| !tagged.contains(arn));
    Ok(without.filter_map(|(arn, name)| suggestion(arn, name, keys::KEEP_IMAGES, KEEP_IMAGES)).collect())
}

async fn alarms_without(sdk: &SdkConfig, tagged: &Tagging) -> Result<Vec<Line>, Error> {
    let all = cloudwatch::list_alarms(&aws_sdk_cloudwatch::Client::new(sdk)).await?;
    let tagged: BTreeSet<String> =
        tagging::resources(tagged, "cloudwatch:alarm", keys::REMEDY).await?.into_iter().collect();
    let all = own_alarms::without_own(all);
    let without = all.iter().filter(|it| !tagged.contains(&it.arn));
    Ok(without.filter_map(|it| suggestion(&it.arn, &it.name, keys::REMEDY, REMEDY)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_that_is_suggested_is_accepted() {
        BACKUP.parse::<rules::retention::BackupRule>().unwrap();
        KEEP_IMAGES.parse::<rules::retention::KeepImages>().unwrap();
        REMEDY.parse::<rules::remedy::RemedyRule>().unwrap();
        rules::schedule::Schedule::read(SCHEDULE, &Default::default()).unwrap();
    }
}
