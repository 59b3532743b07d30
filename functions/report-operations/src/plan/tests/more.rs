//! What a report says of databases, images, logs and prices, and of what of that could not be read.

use rules::facts::Fact;

use super::*;
use crate::plan::findings;
use crate::plan::price::{Prices, Rate, Task, fargate, instance, wanted};
use crate::plan::world::{Database, Findings, Image, Lifecycle, Pending};

const ALL_WELL: &str = "As it should be: no problem, no alarm in ALARM";

fn database(name: &str, engine: &str, version: &str) -> Database {
    Database {
        name: name.into(),
        class: "db.t4g.medium".into(),
        engine: engine.into(),
        version: version.into(),
        ..Database::default()
    }
}

fn lifecycle(engine: &str, major: &str, standard: &str, extended: Option<&str>) -> Lifecycle {
    Lifecycle { engine: engine.into(), major: major.into(), standard: Some(at(standard)), extended: extended.map(at) }
}

#[test]
fn a_week_tells_what_aws_will_do_to_databases_and_what_is_forced_soon_first() {
    let pending = |name: &str, action: &str, forced: Option<&str>, automatic: Option<&str>| Pending {
        arn: format!("arn:aws:rds:ap-northeast-2:123456789012:db:{name}"),
        action: action.into(),
        description: "New Operating System update is available".into(),
        forced: forced.map(at),
        automatic: automatic.map(at),
        current: None,
    };
    let mut week = seen(Period::Week, &[]);
    week.weekly.pending = Some(Ok(vec![
        pending("old-db", "system-update", None, None),
        pending("kfood-db", "system-update", Some("2026-12-20T00:00:00Z"), Some("2026-12-06T00:00:00Z")),
        pending("later-db", "db-upgrade", Some("2027-06-20T00:00:00Z"), None),
        pending("soon-db", "db-upgrade", None, Some("2026-12-06T00:00:00Z")),
    ]));
    let update = "New Operating System update is available";
    check(
        &week,
        Period::Week,
        &[
            &format!("[!] kfood-db: system-update is pending, done by force on Sun 2026-12-20 09:00 KST: {update}"),
            &format!("old-db: system-update is pending, not done before a person chooses it: {update}"),
            &format!("later-db: db-upgrade is pending, done by force on Sun 2027-06-20 09:00 KST: {update}"),
            &format!(
                "soon-db: db-upgrade is pending, done in the maintenance window from Sun 2026-12-06 09:00 KST: {update}"
            ),
            ALL_WELL,
        ],
    );
    week.weekly.pending = Some(Ok(Vec::new()));
    check(&week, Period::Week, &[&format!("{ALL_WELL}, no maintenance of a database pending")]);
}

#[test]
fn a_week_tells_which_engines_lose_their_support() {
    let mut week = seen(Period::Week, &[]);
    let member =
        Database { cluster: Some("shop".into()), ..database("shop-1", "aurora-mysql", "8.0.mysql_aurora.3.08.0") };
    week.weekly.databases = Some(Ok(vec![
        database("kfood-db", "postgres", "13.20"),
        database("codemate-db", "postgres", "14.9"),
        database("truegul-db", "postgres", "16.4"),
        // Not one of major version 1.
        database("new-db", "postgres", "18.1"),
        Database { name: "shop-2".into(), ..member.clone() },
        member,
        database("bank-db", "oracle-se2", "19.0.0.0"),
    ]));
    week.weekly.lifecycles = Some(Ok(vec![
        lifecycle("postgres", "1", "2020-01-01T00:00:00Z", None),
        lifecycle("postgres", "13", "2026-02-28T00:00:00Z", Some("2029-02-28T00:00:00Z")),
        lifecycle("postgres", "14", "2027-02-28T00:00:00Z", Some("2030-02-28T00:00:00Z")),
        lifecycle("postgres", "16", "2028-11-09T00:00:00Z", None),
        lifecycle("aurora-mysql", "8.0", "2027-04-30T00:00:00Z", None),
    ]));
    check(
        &week,
        Period::Week,
        &[
            "[!] codemate-db: standard support of postgres 14 ends on Sun 2027-02-28 09:00 KST: upgrade before then",
            "[!] kfood-db: standard support of postgres 13 has ended; AWS bills extended support until Wed 2029-02-28 \
             09:00 KST: upgrade",
            "shop: standard support of aurora-mysql 8.0 ends on Fri 2027-04-30 09:00 KST",
            &format!("{ALL_WELL}, engines of 1 database instances supported for more than a year"),
        ],
    );
}

#[test]
fn a_week_tells_which_running_images_have_critical_findings() {
    let image = |service: &str| Image {
        repository: "codemate-backend".into(),
        digest: "sha256:1".into(),
        service: service.into(),
        label: "1a2b3c4".into(),
    };
    let mut week = seen(Period::Week, &[]);
    week.weekly.findings = Some(vec![
        (image("codemate-cluster/backend"), Ok(Some(Findings { critical: 2, high: 5 }))),
        (image("codemate-cluster/worker"), Ok(Some(Findings { critical: 0, high: 9 }))),
        (image("codemate-cluster/cron"), Ok(None)),
        (image("codemate-cluster/a"), Err("DescribeImageScanFindings: AccessDeniedException: no".into())),
        (image("codemate-cluster/b"), Err("DescribeImageScanFindings: AccessDeniedException: no".into())),
    ]);
    check(
        &week,
        Period::Week,
        &[
            "[!] codemate-cluster/backend runs 1a2b3c4, in which the last scan found 2 critical and 5 high vulnerabilities: \
             build it again",
            "[!] the scan of the image of codemate-cluster/a and 1 more could not be read: \
             DescribeImageScanFindings: AccessDeniedException: no",
            "Run images that were never scanned: codemate-cluster/cron",
            &format!("{ALL_WELL}, 1 running images without a critical finding"),
        ],
    );
}

#[test]
fn the_images_that_are_asked_about_run_and_are_in_a_registry_of_the_account() {
    let image = |service: &str, repository: &str| json!({"resource": service, "fact": "image", "service": service, "running": "v1", "repository": repository, "digest": "sha256:1"});
    let unknown = json!({"resource": "c/x", "fact": "image", "service": "c/x", "running": "public.ecr.aws/nginx"});
    let facts = json!({"facts": [image("c/b", "210987654321/team/api"), image("c/a", "team/api"), unknown]});
    let board = Board { runs: runs(&[("deploy-image", facts)]), ..Board::default() };
    let images = findings::running(&board);
    let found: Vec<_> = images.iter().map(|it| (it.repository.as_str(), it.service.as_str())).collect();
    assert_eq!(found, [("team/api", "c/a")]);
}

#[test]
fn a_day_counts_the_errors_that_metric_filters_found() {
    let mut day = seen(Period::Day, &[]);
    let count = |name: &str, count: f64| (name.to_owned(), count);
    day.errors = Some(Ok(vec![count("/ecs/worker", 0.0), count("/ecs/api", 12.0), count("/ecs/ml", 40.0)]));
    check(&day, Period::Day, &["Errors in logs (52): /ecs/ml 40, /ecs/api 12", ALL_WELL]);
    day.errors = Some(Ok(vec![count("/ecs/api", 0.0)]));
    check(&day, Period::Day, &[&format!("{ALL_WELL}, no error in 1 logs")]);
    day.errors = Some(Ok(Vec::new()));
    check(&day, Period::Day, &[ALL_WELL]);
}

#[test]
fn what_could_not_be_read_is_a_line_each_and_the_rest_stands() {
    let mut week = seen(Period::Week, &[]);
    let denied = || "AccessDenied: no".to_owned();
    week.errors = Some(Err(denied()));
    week.weekly.pending = Some(Err(denied()));
    week.weekly.databases = Some(Err(denied()));
    week.weekly.lifecycles = Some(Ok(Vec::new()));
    check(
        &week,
        Period::Week,
        &[
            "[!] the errors in logs could not be counted: AccessDenied: no",
            "[!] pending maintenance could not be read: AccessDenied: no",
            "[!] the end of support of engines could not be read: AccessDenied: no",
            ALL_WELL,
        ],
    );
}

#[test]
fn availability_is_held_against_the_objective_of_the_shop() {
    let mut day = seen(Period::Day, &[]);
    day.usage = Ok(usage(&[
        (Query::Requests, "app/shop/1", &[("2026-11-30T12:00:00Z", 10_000.0)]),
        (Query::TargetErrors, "app/shop/1", &[("2026-11-30T12:00:00Z", 20.0)]),
    ]));
    let told = "20 of 10000 requests ended in a 5xx, availability 99.800 %";
    for (slo, line) in [
        (None, told.to_owned()),
        (Some(99.5), format!("{told} of 99.5 %")),
        (Some(99.9), format!("[!] {told} of 99.9 %: look at the alarms and logs of the services")),
    ] {
        day.slo = slo;
        check(&day, Period::Day, &[&line, ALL_WELL]);
    }
}

#[test]
fn a_month_tells_what_fills_and_what_grows() {
    let mut month = seen(Period::Month, &[]);
    let gib = 1024.0 * 1024.0 * 1024.0;
    let both = |before: f64, after: f64| [("2026-11-02T00:00:00Z", before), ("2026-11-29T00:00:00Z", after)];
    month.usage = Ok(usage(&[
        (Query::DatabaseStorage, "kfood-db", &both(40.0 * gib, 20.0 * gib)),
        (Query::DatabaseStorage, "slow-db", &both(40.0 * gib, 35.0 * gib)),
        (Query::DatabaseStorage, "calm-db", &both(40.0 * gib, 39.0 * gib)),
        (Query::DatabaseStorage, "new-db", &[("2026-11-29T00:00:00Z", 5.0 * gib)]),
        (Query::Requests, "app/shop/1", &both(16_800.0, 33_600.0)),
    ]));
    check(
        &month,
        Period::Month,
        &[
            "[!] kfood-db: free storage went from 40.0 to 20.0 GiB in the month; at this rate it is full in 1.0 months",
            "0 of 50400 requests ended in a 5xx, availability 100.000 %",
            "slow-db: free storage went from 40.0 to 35.0 GiB in the month; at this rate it is full in 7.0 months",
            "Requests an hour, first week and last week of the month: app/shop/1 100 to 200 (+100 %)",
            ALL_WELL,
        ],
    );
}

#[test]
fn a_month_tells_how_long_each_restore_took_and_which_failed() {
    let drill = |name: &str, outcome: &str| {
        json!({"resource": format!("arn:aws:rds:r:1:db:{name}"), "fact": "drill", "database": name, "outcome": outcome,
            "at": "2026-11-02T02:00:00Z", "took_minutes": 31, "data_hours": 8})
    };
    let never = json!({"resource": "arn:aws:rds:r:1:db:new-db", "fact": "drill", "database": "new-db"});
    let facts = json!([drill("kfood-db", "proven"), drill("old-db", "failed"), never]);
    let told = lines(&seen(Period::Month, &[("drill-restores", json!({"facts": facts}))]), Period::Month, &now());
    let page = "https://r.console.aws.amazon.com/rds/home?region=r#database:id=old-db;is-cluster=false";
    assert_eq!(
        told,
        [
            &format!("[!] old-db: last drill failed on Mon 2026-11-02 11:00 KST, RTO 31 min, RPO 8 h; see {page}"),
            "kfood-db: last drill proven on Mon 2026-11-02 11:00 KST, RTO 31 min, RPO 8 h",
            "new-db: never restored on trial",
            ALL_WELL,
        ]
    );
}

fn rate(usage: &str, usd: f64) -> Rate {
    Rate { usage: usage.into(), usd }
}

/// The rates of Fargate in a region, with those that mean something else.
fn of_fargate() -> Vec<Rate> {
    vec![
        rate("APN2-Fargate-vCPU-Hours:perCPU", 0.04656),
        rate("APN2-Fargate-GB-Hours", 0.00511),
        rate("APN2-Fargate-ARM-vCPU-Hours:perCPU", 0.03725),
        rate("APN2-Fargate-ARM-GB-Hours", 0.00409),
        rate("APN2-SpotUsage-Fargate-vCPU-Hours:perCPU", 0.01),
        rate("APN2-Fargate-Windows-vCPU-Hours:perCPU", 0.09),
        rate("APN2-Fargate-EphemeralStorage-GB-Hours", 0.0001),
    ]
}

fn asleep(database: bool) -> Board {
    let name = if database { "dev-db" } else { "dev/api" };
    let fact = json!({"resource": "1", "fact": "sleep", "name": name, "state": "asleep", "why": "x",
        "since": "2026-11-01T00:00:00Z", "tasks": 2, "database": database, "awake": []});
    Board { runs: runs(&[("scale-staging", json!({"facts": [fact]}))]), ..Board::default() }
}

#[test]
fn hours_that_slept_are_worth_what_aws_would_have_billed_on_demand() {
    let mut week = seen(Period::Week, &[]);
    week.board = Board { firing: Some(Ok(Vec::new())), ..asleep(false) };
    let task = Task { cpus: 0.5, gigabytes: 1.0, arm: true };
    week.prices = Some(Ok(Prices {
        tasks: [("dev/api".into(), task)].into(),
        rates: [(fargate("ap-northeast-2"), of_fargate())].into(),
    }));
    let slept = "Asleep in 7 days: 336 hours of tasks and 0 hours of databases that did not run";
    // 336 hours of half a CPU and a gigabyte.
    check(&week, Period::Week, &[&format!("{slept}, about 7.63 USD at AWS's prices on demand"), ALL_WELL]);
    week.prices = Some(Ok(Prices::default()));
    check(&week, Period::Week, &[&format!("{slept}; AWS's price list has no price for them"), ALL_WELL]);
    week.prices = Some(Err("GetProducts AmazonECS: AccessDeniedException: no".into()));
    let unread = "AWS's price list could not be read: GetProducts AmazonECS: AccessDeniedException: no";
    check(&week, Period::Week, &[&format!("{slept}; {unread}"), ALL_WELL]);
}

#[test]
fn a_database_has_the_one_price_of_its_class_and_two_prices_are_none() {
    let region = "ap-northeast-2";
    let dev = database("dev-db", "postgres", "16.4");
    let product = instance(&dev, region).unwrap();
    let slept = Usage::default().slept(&asleep(true), Period::Week.window(&now()));
    assert_eq!(wanted(&slept, std::slice::from_ref(&dev), region), [product.clone()].into());
    assert_eq!(instance(&database("x", "oracle-se2", "19"), region), None);
    let cost = |rates: Vec<Rate>| {
        let prices = Prices { rates: [(product.clone(), rates)].into(), ..Prices::default() };
        prices.cost(&slept, std::slice::from_ref(&dev), region).map(|it| (it.usd * 100.0).round() / 100.0)
    };
    let plain = || rate("APN2-InstanceUsage:db.t4g.medium", 0.102);
    assert_eq!(cost(vec![plain(), rate("APN2-InstanceUsageIOOptimized:db.t4g.medium", 0.13)]), Some(17.14));
    assert_eq!(cost(vec![plain(), rate("APN2-InstanceUsage:db.t4g.medium", 0.2)]), None);
    assert_eq!(cost(Vec::new()), None);
}

#[test]
fn a_product_of_the_price_list_is_read_with_what_costs_nothing_left_out() {
    let dimension = |unit: &str, usd: &str| json!({"unit": unit, "pricePerUnit": {"USD": usd}});
    let product = json!({"product": {"attributes": {"usagetype": "APN2-InstanceUsage:db.t4g.medium"}},
        "terms": {"OnDemand": {"A.B": {"priceDimensions": {"A.B.1": dimension("Hrs", "0.1020000000"),
            "A.B.2": dimension("Hrs", "0.0000000000"), "A.B.3": dimension("GB-Mo", "0.131")}}},
            "Reserved": {"C": {"priceDimensions": {"C.1": dimension("Hrs", "0.05")}}}}});
    assert_eq!(Rate::all(&product), [rate("APN2-InstanceUsage:db.t4g.medium", 0.102)]);
    assert_eq!(Rate::all(&json!({})), []);
}

proptest! {
    #[test]
    fn money_never_comes_from_what_has_no_price(
        hours in proptest::collection::vec(0.1..500.0_f64, 1..5), priced in any::<bool>()
    ) {
        let named = |(index, hours): (usize, &f64)| crate::plan::usage::Slept {
            name: format!("dev/{index}"), database: false, hours: *hours };
        let slept: Vec<_> = hours.iter().enumerate().map(named).collect();
        let task = Task { cpus: 1.0, gigabytes: 0.0, arm: false };
        let tasks = if priced { [("dev/0".to_owned(), task)].into() } else { BTreeMap::new() };
        let prices = Prices { tasks, rates: [(fargate("r"), of_fargate())].into() };
        let cost = prices.cost(&slept, &[], "r");
        prop_assert_eq!(cost.is_some(), priced);
        if let Some(cost) = cost {
            prop_assert!((cost.usd - hours[0] * 0.04656).abs() < 1e-9);
            prop_assert_eq!(cost.unpriced, slept.len() - 1);
        }
    }
}

#[test]
fn a_fact_of_an_older_function_says_nothing_of_the_registry() {
    let old = json!({"fact": "image", "service": "c/a", "running": "v1"});
    let Ok(Fact::Image(image)) = serde_json::from_value(old) else { panic!("an image") };
    assert_eq!((image.repository, image.pushed), (None, None));
}
