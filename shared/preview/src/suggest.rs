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
