//! What could be tagged, and with what. Pure.

use std::collections::BTreeSet;

use reconcile::CommandLine;
use reconcile::message::short_name;
use rules::image::ImageName;
use rules::keys::UnknownKey;
use rules::version::version;

use crate::page::Line;

/// The tag for a service that runs these images, and how it is said; `None` if none of them is in a private registry.
pub fn deploy_rule(images: &[String]) -> Option<String> {
    let of_ecr: Vec<ImageName> = images.iter().filter_map(|it| ImageName::parse(it)).collect();
    let image = of_ecr.first()?;
    let several = of_ecr.iter().map(ImageName::repository).collect::<BTreeSet<_>>().len() > 1;
    if several {
        // Which container is meant only a person knows.
        return None;
    }
    Some(match image.tag.as_deref().filter(|_| image.digest.is_none()) {
        None => "newest".into(),
        Some(tag) => match version(tag, None) {
            Some(version) => format!("semver range={}.x", version.major),
            None => format!("tag name={tag}"),
        },
    })
}

/// The command that puts a tag on a resource of any of these kinds, by the service in its ARN.
pub fn command(arn: &str, key: &str, value: &str) -> Option<CommandLine> {
    let json = serde_json::json!([{ "Key": key, "Value": value }]).to_string();
    let lower = serde_json::json!([{ "key": key, "value": value }]).to_string();
    let command = |words: [&str; 7]| Some(CommandLine::of(words));
    match arn.split(':').nth(2)? {
        "ecs" => command(["aws", "ecs", "tag-resource", "--resource-arn", arn, "--tags", &lower]),
        "rds" => command(["aws", "rds", "add-tags-to-resource", "--resource-name", arn, "--tags", &json]),
        "ecr" => command(["aws", "ecr", "tag-resource", "--resource-arn", arn, "--tags", &json]),
        "cloudwatch" => command(["aws", "cloudwatch", "tag-resource", "--resource-arn", arn, "--tags", &json]),
        "ec2" => {
            let (_, id) = arn.split_once(":instance/")?;
            command(["aws", "ec2", "create-tags", "--resources", id, "--tags", &json])
        }
        "autoscaling" => {
            let (_, group) = arn.split_once(":autoScalingGroupName/")?;
            // Its instances get no tag: the group sleeps as a whole.
            let tag = serde_json::json!([{
                "ResourceId": group, "ResourceType": "auto-scaling-group", "Key": key, "Value": value,
                "PropagateAtLaunch": false,
            }]);
            Some(CommandLine::of(["aws", "autoscaling", "create-or-update-tags", "--tags", &tag.to_string()]))
        }
        _ => None,
    }
}

/// The command that puts a tag on a bucket, whose ARN does not name the account. The other tags of the bucket stay.
pub fn bucket_command(account: &str, arn: &str, key: &str, value: &str) -> CommandLine {
    let json = serde_json::json!([{ "Key": key, "Value": value }]).to_string();
    let words = ["aws", "s3control", "tag-resource", "--account-id", account, "--resource-arn", arn, "--tags", &json];
    CommandLine::of(words)
}

/// How many copies `daily=7 weekly=4` keeps, once the newest weekly ones are among the daily ones.
const COPIES: f64 = 10.0;

/// USD for each GB and month: the class STANDARD in us-east-1, up to 50 TB, in 2025.
const GB_MONTH: f64 = 0.023;

/// The tag for a bucket, and what it costs: copies where a bucket for them is known, otherwise old versions.
pub fn bucket_rule(name: &str, bytes: Option<f64>, target: Option<&str>) -> (String, String) {
    let gigabytes = bytes.map(|it| it / f64::from(1 << 30));
    let about = |stored: f64| {
        format!("{stored:.1} GB, {:.2} USD a month at {GB_MONTH} USD for each GB (us-east-1)", stored * GB_MONTH)
    };
    match target {
        Some(target) => {
            let cost = gigabytes.map_or_else(
                || "its size is not known".into(),
                |it| {
                    format!("{it:.1} GB, so copies take {}, and each object a COPY request a night", about(it * COPIES))
                },
            );
            (format!("daily=7 weekly=4 to={target}/{name}"), cost)
        }
        None => {
            let cost = gigabytes.map_or_else(
                || "its size is not known".into(),
                |it| format!("{it:.1} GB; if 1 % changes in a day, old versions take {}", about(it * 0.3)),
            );
            ("days=30 mode=versions".into(), cost)
        }
    }
}

/// What is said of a tag key that Nightshift does not know.
pub fn unknown(unknown: &UnknownKey, carriers: &[String]) -> Line {
    let names: Vec<&str> = carriers.iter().take(3).map(|it| short_name(it)).collect();
    let on = match (names.len(), carriers.len()) {
        (0, _) => "no resource carries it now".to_owned(),
        (named, all) if named < all => format!("on {} and {} more", names.join(", "), all - named),
        _ => format!("on {}", names.join(", ")),
    };
    Line::Problem { what: unknown.key.clone(), why: format!("no function knows this tag ({on}); {}", unknown.hint()) }
}

#[cfg(test)]
mod tests {
    use rules::keys;

    use super::*;

    const REGISTRY: &str = "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com";

    #[test]
    fn the_rule_follows_from_the_image_that_runs() {
        let digest = format!("api@sha256:{}", "0".repeat(64));
        for (images, rule) in [
            (&["api:v1.4.2"][..], Some("semver range=1.x")),
            (&["api:latest"], Some("tag name=latest")),
            (&["api"], Some("tag name=latest")),
            (&["api:main"], Some("tag name=main")),
            (&[&digest], Some("newest")),
            (&["api:v1.0.0", "proxy:v2.0.0"], None),
            (&["api:v1.0.0", "api:v1.0.0"], Some("semver range=1.x")),
            (&[], None),
        ] {
            let images: Vec<String> = images.iter().map(|it| format!("{REGISTRY}/{it}")).collect();
            assert_eq!(deploy_rule(&images).as_deref(), rule, "{images:?}");
            if let Some(rule) = rule {
                rule.parse::<rules::deploy::DeployRule>().unwrap();
            }
        }
        assert_eq!(deploy_rule(&["public.ecr.aws/nginx/nginx:stable".into()]), None);
        let beside = ["public.ecr.aws/xray/daemon:3".into(), format!("{REGISTRY}/api:v2.0.0")];
        assert_eq!(deploy_rule(&beside).as_deref(), Some("semver range=2.x"));
    }

    #[test]
    fn a_command_fits_the_service_of_the_resource() {
        let line = |arn: &str| command(arn, keys::DEPLOY, "semver range=1.x").map(|it| it.to_string());
        assert_eq!(
            line("arn:aws:ecs:r:1:service/a/b").unwrap(),
            r#"aws ecs tag-resource --resource-arn arn:aws:ecs:r:1:service/a/b --tags '[{"key":"nightshift:deploy","value":"semver range=1.x"}]'"#
        );
        for (arn, begins) in [
            (
                "arn:aws:rds:r:1:db:shop",
                "aws rds add-tags-to-resource --resource-name arn:aws:rds:r:1:db:shop --tags '[{\"Key\"",
            ),
            (
                "arn:aws:ecr:r:1:repository/a",
                "aws ecr tag-resource --resource-arn arn:aws:ecr:r:1:repository/a --tags '[{\"Key\"",
            ),
            (
                "arn:aws:cloudwatch:r:1:alarm:it's",
                "aws cloudwatch tag-resource --resource-arn 'arn:aws:cloudwatch:r:1:alarm:it'",
            ),
            ("arn:aws:ec2:r:1:instance/i-0a1b", "aws ec2 create-tags --resources i-0a1b --tags '[{\"Key\""),
            (
                "arn:aws:autoscaling:r:1:autoScalingGroup:uuid:autoScalingGroupName/web",
                "aws autoscaling create-or-update-tags --tags '[{\"ResourceId\":\"web\",\"ResourceType\":\"auto-scaling-group\",\
                 \"Key\":\"nightshift:deploy\"",
            ),
        ] {
            assert!(line(arn).unwrap().starts_with(begins), "{:?}", line(arn));
        }
        assert_eq!(line("arn:aws:s3:::bucket"), None);
    }

    #[test]
    fn a_bucket_is_suggested_with_its_price_and_a_command_that_keeps_its_other_tags() {
        let gigabytes = |it: f64| Some(it * f64::from(1 << 30));
        for (bytes, target, rule, cost) in [
            (
                gigabytes(100.0),
                Some("kfood-backups"),
                "daily=7 weekly=4 to=kfood-backups/kfood-uploads",
                "100.0 GB, so copies take 1000.0 GB, 23.00 USD a month at 0.023 USD for each GB (us-east-1), and each \
                 object a COPY request a night",
            ),
            (
                gigabytes(100.0),
                None,
                "days=30 mode=versions",
                "100.0 GB; if 1 % changes in a day, old versions take 30.0 GB, 0.69 USD a month at 0.023 USD for each GB \
                 (us-east-1)",
            ),
            (None, None, "days=30 mode=versions", "its size is not known"),
        ] {
            assert_eq!(bucket_rule("kfood-uploads", bytes, target), (rule.to_owned(), cost.to_owned()));
            rule.parse::<rules::bucket::BucketRule>().unwrap();
        }
        let line = bucket_command("123456789012", "arn:aws:s3:::kfood-uploads", keys::BACKUP, "days=30 mode=versions");
        assert_eq!(
            line.to_string(),
            r#"aws s3control tag-resource --account-id 123456789012 --resource-arn arn:aws:s3:::kfood-uploads --tags '[{"Key":"nightshift:backup","Value":"days=30 mode=versions"}]'"#
        );
    }

    #[test]
    fn an_unknown_key_says_where_it_is_and_what_was_meant() {
        let told = |key: &str, carriers: &[&str]| {
            let carriers: Vec<String> = carriers.iter().map(|it| it.to_string()).collect();
            match unknown(&keys::unknown(key).unwrap(), &carriers) {
                Line::Problem { why, .. } => why,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            told("nightshift:deploi", &["a/1", "a/2", "a/3", "a/4"]),
            "no function knows this tag (on 1, 2, 3 and 1 more); did you mean 'nightshift:deploy'?"
        );
        let foreign = told("nightshift:colour", &[]);
        assert!(
            foreign.starts_with("no function knows this tag (no resource carries it now); accepted: nightshift:awake")
        );
    }
}
