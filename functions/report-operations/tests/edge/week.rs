//! What a week and a month read besides: databases, scans, metric filters, sizes of tasks, and prices.

use serde_json::{Value, json};
use testkit::scripted::{Answer, Call, Script};

use super::{Aws, invoke};

const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

pub fn answer(call: &Call) -> Answer {
    match call.operation.as_str() {
        // Two pages.
        "DescribeDBInstances" if call.text("Marker").is_empty() => Answer::Xml(format!(
            "<Marker>more</Marker><DBInstances>{}</DBInstances>",
            instance("kfood-db", "postgres", "13.20", "db.t4g.medium")
        )),
        "DescribeDBInstances" => {
            assert_eq!((call.text("Marker"), call.text("MaxRecords")), ("more", "100"));
            Answer::Xml(format!("<DBInstances>{}</DBInstances>", instance("dev-db", "mysql", "8.4.3", "db.t4g.small")))
        }
        "DescribePendingMaintenanceActions" => Answer::Xml(
            "<PendingMaintenanceActions><ResourcePendingMaintenanceActions>\
             <ResourceIdentifier>arn:aws:rds:ap-northeast-2:123456789012:db:kfood-db</ResourceIdentifier>\
             <PendingMaintenanceActionDetails><PendingMaintenanceAction><Action>system-update</Action>\
             <Description>New OS</Description><ForcedApplyDate>2026-12-20T00:00:00Z</ForcedApplyDate>\
             </PendingMaintenanceAction></PendingMaintenanceActionDetails>\
             </ResourcePendingMaintenanceActions></PendingMaintenanceActions>"
                .into(),
        ),
        "DescribeDBMajorEngineVersions" => {
            let support = |name: &str, end: &str| {
                format!(
                    "<SupportedEngineLifecycle><LifecycleSupportName>open-source-rds-{name}-support</LifecycleSupportName>\
                     <LifecycleSupportEndDate>{end}</LifecycleSupportEndDate></SupportedEngineLifecycle>"
                )
            };
            Answer::Xml(format!(
                "<DBMajorEngineVersions><DBMajorEngineVersion><Engine>postgres</Engine>\
                 <MajorEngineVersion>13</MajorEngineVersion><SupportedEngineLifecycles>{}{}</SupportedEngineLifecycles>\
                 </DBMajorEngineVersion></DBMajorEngineVersions>",
                support("standard", "2026-02-28T23:59:59Z"),
                support("extended", "2029-02-28T23:59:59Z")
            ))
        }
        "DescribeImageScanFindings" => {
            assert_eq!(
                (call.text("repositoryName"), &call.body["imageId"]["imageDigest"]),
                ("codemate-backend", &json!(DIGEST))
            );
            Answer::Json(json!({"imageScanStatus": {"status": "COMPLETE"},
                "imageScanFindings": {"findingSeverityCounts": {"CRITICAL": 2, "MEDIUM": 4}}, "nextToken": "x"}))
        }
        "DescribeMetricFilters" => {
            let filter = |name: &str, metric: Value| {
                json!({"filterName": name, "filterPattern": "x",
                "logGroupName": format!("/ecs/{name}"), "metricTransformations": [metric]})
            };
            let metric = |name: &str| json!({"metricNamespace": "Shop", "metricName": name, "metricValue": "1"});
            let mut split = metric("Errors");
            split["dimensions"] = json!({"Path": "$.path"});
            Answer::Json(json!({"metricFilters":
                [filter("api", metric("ApiErrors")), filter("logins", metric("Logins")), filter("by-path", split)]}))
        }
        "ListServiceDeployments" => {
            assert_eq!(call.text("cluster"), "codemate-cluster");
            // Four weeks: one that is told, and three in which an image may have been live before.
            assert_eq!(call.body["createdAt"], json!({"after": 1_793_624_400}));
            let brief = |arn: &str, days: i64, status: &str| {
                json!({"targetServiceRevisionArn": arn, "status": status,
                "createdAt": super::NOON - days * 86_400, "finishedAt": super::NOON - days * 86_400 + 300})
            };
            match call.text("nextToken") {
                "" => Answer::Json(json!({"serviceDeployments": [brief("r1", 5, "SUCCESSFUL")], "nextToken": "more"})),
                _ => Answer::Json(
                    json!({"serviceDeployments": [brief("r2", 1, "SUCCESSFUL"), brief("r3", 3, "ROLLBACK_SUCCESSFUL")]}),
                ),
            }
        }
        "DescribeServiceRevisions" => {
            assert_eq!(call.body["serviceRevisionArns"], json!(["r2", "r3", "r1"]));
            let revision = |arn: &str, digest: &str| {
                json!({"serviceRevisionArn": arn, "containerImages": [
                {"containerName": "app", "imageDigest": digest,
                    "image": "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/codemate-backend:v1"},
                {"containerName": "proxy", "imageDigest": "sha256:9", "image": "public.ecr.aws/nginx/nginx:1"}]})
            };
            Answer::Json(
                json!({"serviceRevisions": [revision("r1", "gone"), revision("r2", DIGEST), revision("r3", "bad")]}),
            )
        }
        // One of both is gone, so each is asked about by itself.
        "DescribeImages" => match call.body["imageIds"].as_array().unwrap().as_slice() {
            [one] if one["imageDigest"] == DIGEST => Answer::Json(json!({"imageDetails": [
                {"imageDigest": DIGEST, "imagePushedAt": super::NOON as f64 - 86_400.0 - 0.5}]})),
            _ => Answer::Refused("ImageNotFoundException"),
        },
        "DescribeServices" => {
            assert_eq!((call.text("cluster"), &call.body["services"]), ("truegul-staging", &json!(["ml-server"])));
            Answer::Json(json!({"services": [{"taskDefinition": "arn:aws:ecs:r:1:task-definition/ml-server:7"}]}))
        }
        "DescribeTaskDefinition" => Answer::Json(json!({"taskDefinition": {"cpu": "1024", "memory": "2048",
            "requiresCompatibilities": ["FARGATE"], "runtimePlatform": {"cpuArchitecture": "ARM64"}}})),
        "GetProducts" => {
            assert_eq!(
                (call.host.as_str(), call.signed_for.as_str()),
                ("api.pricing.us-east-1.amazonaws.com", "us-east-1")
            );
            assert_eq!(call.text("ServiceCode"), "AmazonECS");
            let filter = json!([{"Type": "TERM_MATCH", "Field": "regionCode", "Value": "ap-northeast-2"}]);
            assert_eq!(call.body["Filters"], filter);
            let product = |usage: &str, usd: &str| {
                json!({"product": {"attributes": {"usagetype": usage}}, "terms": {"OnDemand": {"A": {"priceDimensions":
                    {"A.1": {"unit": "hours", "pricePerUnit": {"USD": usd}}}}}}})
                .to_string()
            };
            match call.text("NextToken") {
                "" => {
                    Answer::Json(json!({"PriceList": [product("APN2-Fargate-ARM-vCPU-Hours:perCPU", "0.0372500000")],
                    "NextToken": "more"}))
                }
                _ => Answer::Json(json!({"PriceList": [product("APN2-Fargate-ARM-GB-Hours", "0.0040900000")]})),
            }
        }
        other => panic!("the script knows no {other}"),
    }
}

fn instance(name: &str, engine: &str, version: &str, class: &str) -> String {
    format!(
        "<DBInstance><DBInstanceIdentifier>{name}</DBInstanceIdentifier><DBInstanceClass>{class}</DBInstanceClass>\
         <Engine>{engine}</Engine><EngineVersion>{version}</EngineVersion><MultiAZ>false</MultiAZ>\
         <Endpoint><Address>x</Address></Endpoint></DBInstance>"
    )
}

fn shop() -> Script<Aws> {
    let script = Script::new(Aws::shop());
    let facts = json!([{"resource": "arn:1", "fact": "image", "service": "codemate-cluster/codemate-backend",
        "running": "9f8e7d6", "repository": "codemate-backend", "digest": DIGEST}]);
    script.aws().reports.insert("deploy-image", json!({"facts": facts}));
    script
}

async fn told(script: &Script<Aws>, period: &str) -> Vec<String> {
    let report = invoke(script, json!({"report": period, "dry_run": true})).await;
    report.skipped.into_iter().map(|it| it.reason).collect()
}

#[track_caller]
fn has(lines: &[String], expected: &[&str]) {
    for it in expected {
        assert!(lines.iter().any(|line| line.contains(it)), "{it} is not in {lines:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_week_reads_databases_scans_and_prices_page_by_page() {
    let script = shop();
    let lines = told(&script, "week").await;
    has(
        &lines,
        &[
            "[!] kfood-db: system-update is pending, done by force on Sun 2026-12-20 09:00 KST: New OS",
            "[!] kfood-db: standard support of postgres 13 has ended",
            "[!] codemate-cluster/codemate-backend runs 9f8e7d6, in which the last scan found 2 critical and 0 high",
            "Deployments in this week, by whomever: 3 of 1 services, failed and taken back: codemate-cluster/codemate-backend 1",
            "From push to live: 5 min, 1 image",
            // A week of a CPU and two gigabytes on ARM.
            "168 hours of tasks and 0 hours of databases that did not run, about 7.63 USD at AWS's prices on demand",
        ],
    );
    assert_eq!((script.count("DescribeDBInstances"), script.count("GetProducts"), script.count("Publish")), (2, 2, 0));
    assert_eq!(script.count("DescribeMetricFilters"), 0, "errors are counted by the day");
}

#[tokio::test(start_paused = true)]
async fn a_day_counts_errors_by_the_metric_filters_that_there_are() {
    let script = shop();
    has(&told(&script, "day").await, &["Errors in logs (12): /ecs/api 12"]);
    assert_eq!((script.count("DescribeDBInstances"), script.count("GetProducts")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn each_read_that_is_denied_is_a_line_and_the_rest_stands() {
    for (operation, period, line) in [
        (
            "DescribeMetricFilters",
            "day",
            "[!] the errors in logs could not be counted: DescribeMetricFilters all: AccessDenied",
        ),
        ("DescribePendingMaintenanceActions", "week", "[!] pending maintenance could not be read"),
        ("DescribeDBInstances", "week", "[!] the end of support of engines could not be read: DescribeDBInstances"),
        (
            "DescribeDBMajorEngineVersions",
            "week",
            "[!] the end of support of engines could not be read: DescribeDBMajor",
        ),
        (
            "DescribeImageScanFindings",
            "week",
            "[!] the scan of the image of codemate-cluster/codemate-backend could not be read",
        ),
        (
            "ListServiceDeployments",
            "week",
            "[!] the deployments of codemate-cluster/codemate-backend could not be read: ListServiceDeployments",
        ),
        (
            "DescribeServiceRevisions",
            "week",
            "[!] the deployments of codemate-cluster/codemate-backend could not be read: DescribeServiceRevisions",
        ),
        ("DescribeImages", "week", "[!] when images were pushed could not be read: DescribeImages codemate-backend"),
        ("GetProducts", "week", "did not run; AWS's price list could not be read: GetProducts AmazonECS: AccessDenied"),
        ("DescribeServices", "week", "did not run; AWS's price list could not be read: DescribeServices"),
    ] {
        let script = shop();
        script.refuse(operation, "", 99, 403, "AccessDenied");
        let lines = told(&script, period).await;
        has(&lines, &[line, "alarm api-5xx is in ALARM"]);
        let about = lines.iter().filter(|it| it.contains("AccessDenied")).count();
        assert_eq!(about, 1, "{operation}: {lines:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_without_a_scan_is_not_one_without_findings() {
    let script = shop();
    script.refuse("DescribeImageScanFindings", "", 9, 400, "ScanNotFoundException");
    has(&told(&script, "week").await, &["Run images that were never scanned: codemate-cluster/codemate-backend"]);
}
