//! Addresses in the web console of the partition.

use super::part::Site;
use crate::kind::MessageKind;

/// Where to look first: what each resource is, and where something failed, its logs.
///
/// What has no page of its own leads to the function, whose log holds the whole report.
pub fn links(resources: &[String], kind: MessageKind, site: &Site<'_>, function: &str) -> Vec<(&'static str, String)> {
    let Some(console) = site.console else {
        return vec![("Log group", format!("/aws/lambda/{}", site.invoke_as))];
    };
    let mut links: Vec<_> = resources.iter().flat_map(|it| of_resource(it, kind, console)).collect();
    if links.is_empty() {
        links.extend(site.region.map(|region| {
            let name = if site.invoke_as.is_empty() { function } else { site.invoke_as };
            let path = format!("lambda/home?region={region}#/functions/{}?tab=monitoring", encoded(name));
            ("Its runs", address(region, console, &path))
        }));
    }
    links
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

/// A name within an address: whatever it holds, it ends nothing and begins nothing.
fn encoded(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}
