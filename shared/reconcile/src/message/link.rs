//! Addresses in the web console of the partition.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::part::{Part, Site};
use super::safe::{encoded, is_address};
use crate::kind::MessageKind;
use crate::report::{Hint, Report};

/// What a message is about, and where people look besides.
pub struct About<'a> {
    report: &'a Report,
    /// ARNs, the resources of the message first.
    resources: Vec<&'a str>,
    hints: BTreeSet<&'a Hint>,
    /// What is wrong, in a word, and with which resource.
    trouble: Option<(&'a str, &'a str)>,
}

impl<'a> About<'a> {
    pub fn of(report: &'a Report, part: &Part<'a>, resources: &'a [String]) -> Self {
        let mut all: Vec<&str> = resources.iter().map(String::as_str).collect();
        let hints: BTreeSet<&Hint> = all.iter().filter_map(|it| report.hints.get(*it)).flatten().collect();
        let related = hints.iter().filter_map(|it| if let Hint::Related(arn) = it { Some(arn.as_str()) } else { None });
        for it in part.stories().into_iter().chain(related) {
            if !all.contains(&it) {
                all.push(it);
            }
        }
        About { report, resources: all, hints, trouble: part.trouble(report) }
    }

    pub fn function(report: &'a Report) -> Self {
        About { report, resources: vec![&report.function], hints: BTreeSet::new(), trouble: None }
    }
}

/// Where to look first: what each resource is, and where something failed, its logs and what to do.
///
/// What has no page of its own leads to the function, whose log holds the whole report.
pub fn links(about: &About<'_>, kind: MessageKind, site: &Site<'_>) -> Vec<(&'static str, String)> {
    let mut links = Vec::new();
    if kind <= MessageKind::Failed {
        let runbooks = about.hints.iter().filter_map(|it| if let Hint::Runbook(page) = it { Some(page) } else { None });
        links.extend(runbooks.filter(|it| is_address(it)).map(|it| ("Runbook", it.clone())));
        if let (true, Some(base), Some((word, resource))) = (links.is_empty(), site.runbooks, about.trouble) {
            links.push(("Runbook", base.page(&about.report.function, word, resource)));
        }
    }
    let Some(console) = site.console else {
        links.push(("Log group", format!("/aws/lambda/{}", site.invoke_as)));
        return links;
    };
    let groups = about.hints.iter().filter_map(|it| if let Hint::LogGroup(group) = it { Some(group) } else { None });
    let groups: Vec<_> = match (site.region, kind <= MessageKind::Failed) {
        (Some(region), true) => {
            groups.map(|it| ("Logs of that hour", logs(it, about.report.at.timestamp(), region, console))).collect()
        }
        _ => Vec::new(),
    };
    let pages = about.resources.iter().flat_map(|it| of_resource(it, kind, console));
    // The tab of the service shows the logs of its tasks, too, but of now.
    links.extend(pages.filter(|(name, _)| *name != "Logs" || groups.is_empty()));
    links.extend(groups);
    if links.iter().all(|(name, _)| *name == "Runbook") {
        links.extend(site.region.map(|region| {
            let name = if site.invoke_as.is_empty() { &about.report.function } else { site.invoke_as };
            let path = format!("lambda/home?region={region}#/functions/{}?tab=monitoring", encoded(name));
            ("Its runs", address(region, console, &path))
        }));
    }
    links
}

/// The page of a resource in the web console; nothing where it has none.
pub fn page_of(arn: &str, console: &str) -> Option<String> {
    of_resource(arn, MessageKind::Routine, console).into_iter().next().map(|(_, page)| page)
}

/// The hour before, as CloudWatch Logs shows it: what failed was written before a person hears of it. Its page reads the
/// part after `#` once more, with `$` in the place of `%`.
fn logs(group: &str, at: Timestamp, region: &str, console: &str) -> String {
    let twice = encoded(&encoded(group)).replace('%', "$");
    let (from, until) = (at.as_millisecond() - 3_600_000, at.as_millisecond() + 300_000);
    let path = format!(
        "cloudwatch/home?region={region}#logsV2:log-groups/log-group/{twice}/log-events$3Fstart$3D{from}$26end$3D{until}"
    );
    address(region, console, &path)
}

/// Addresses in buckets that this report is about stay such: no program follows them, and people paste them. Those of
/// other buckets come from outside.
pub fn with_own_buckets(text: &str, report: &Report) -> String {
    let hints = report.hints.iter().flat_map(|(resource, hints)| {
        let related = hints.iter().filter_map(|it| if let Hint::Related(arn) = it { Some(arn) } else { None });
        related.chain([resource])
    });
    let buckets: BTreeSet<&str> = hints.filter_map(|it| it.split_once(":s3:::").map(|(_, name)| name)).collect();
    buckets
        .into_iter()
        .fold(text.to_owned(), |text, bucket| text.replace(&format!("s3[:]//{bucket}/"), &format!("s3://{bucket}/")))
}

fn of_resource(arn: &str, kind: MessageKind, console: &str) -> Vec<(&'static str, String)> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, service, region, account, resource] = parts[..] else { return Vec::new() };
    let at = |path: String| address(region, console, &path);
    let named = |prefix: &str| resource.strip_prefix(prefix).map(encoded);
    match service {
        "ecs" => {
            let names: Vec<String> = resource.split('/').skip(1).map(encoded).collect();
            let [cluster, name] = &names[..] else { return Vec::new() };
            let tab = |tab: &str| at(format!("ecs/v2/clusters/{cluster}/services/{name}/{tab}?region={region}"));
            let mut links = vec![("Service", tab("health"))];
            if kind <= MessageKind::Failed {
                links.push(("Logs", tab("logs")));
            }
            links
        }
        "rds" => {
            let page = |it: String| at(format!("rds/home?region={region}#{it}"));
            let database = |name, cluster| page(format!("database:id={name};is-cluster={cluster}"));
            let found = (named("db:").map(|it| database(it, false)))
                .or_else(|| named("cluster:").map(|it| database(it, true)))
                .map(|it| ("Database", it))
                .or_else(|| Some(("Snapshot", page(format!("db-snapshot:id={}", named("snapshot:")?)))))
                .or_else(|| Some(("Snapshot", page(format!("db-snapshot:id={}", named("cluster-snapshot:")?)))));
            found.into_iter().collect()
        }
        "cloudwatch" => {
            let page = |it| at(format!("cloudwatch/home?region={region}#alarmsV2:alarm/{it}"));
            named("alarm:").map(|it| ("Alarm", page(it))).into_iter().collect()
        }
        "ecr" => {
            let page = |it| at(format!("ecr/repositories/private/{account}/{it}?region={region}"));
            named("repository/").map(|it| ("Repository", page(it))).into_iter().collect()
        }
        "ec2" => {
            let page = |it| at(format!("ec2/home?region={region}#InstanceDetails:instanceId={it}"));
            named("instance/").map(|it| ("Instance", page(it))).into_iter().collect()
        }
        "autoscaling" => {
            let name = resource.split_once("autoScalingGroupName/").map(|(_, it)| encoded(it));
            let page = |it| at(format!("ec2/home?region={region}#AutoScalingGroupDetails:id={it}"));
            name.map(|it| ("Group", page(it))).into_iter().collect()
        }
        // The ARN of a bucket names no region, nor does the console ask for one. Budgets belong to none.
        "s3" if !resource.contains('/') => {
            vec![("Bucket", format!("https://{console}/s3/buckets/{}", encoded(resource)))]
        }
        "budgets" => vec![("Budgets", format!("https://{console}/costmanagement/home#/budgets"))],
        _ => Vec::new(),
    }
}

fn address(region: &str, console: &str, path: &str) -> String {
    format!("https://{region}.{console}/{path}")
}
