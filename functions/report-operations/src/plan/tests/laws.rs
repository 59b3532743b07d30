//! What every report keeps to, whatever was read: what needs a person first and with what to do next, and what is as it
//! should be in one line at the end.

use super::*;
use crate::plan::history::Deployed;
use crate::plan::world::{Database, Findings, Image, Lifecycle, Pending};

/// Names of every kind that AWS lets people choose, those for a shell among them.
fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("shop/api".to_owned()),
        Just("kfood-db".to_owned()),
        Just("\u{c2dd}\u{b2f9} 5xx; rm -rf $HOME".to_owned()),
        Just("it's \"quoted\"".to_owned()),
    ]
}

/// A report in which each thing is well or not, read or denied.
fn reports() -> impl Strategy<Value = (Seen, Period)> {
    let period = prop_oneof![Just(Period::Day), Just(Period::Week), Just(Period::Month)];
    (period, names(), proptest::collection::vec(any::<bool>(), 24), 0..90usize).prop_map(|(period, name, is, many)| {
        let denied = || "AccessDeniedException: no".to_owned();
        let read = |index: usize| if is[index] { Err(denied()) } else { Ok(()) };
        let resource = format!("arn:aws:rds:ap-northeast-2:1:db:{name}");
        let choices = if is[0] {
            json!([{"label": "Approve", "payload": {}, "command": "aws lambda invoke"}])
        } else {
            json!([])
        };
        let problems = vec![json!({"resource": resource, "problem": "x", "message": name, "choices": choices}); many];
        let backup = json!({"resource": resource, "fact": "backup", "database": name, "rule": "days=7",
            "age_hours": if is[1] { json!(90.0) } else { json!(3.0) }, "snapshots": []});
        let drill = json!({"resource": resource, "fact": "drill", "database": name,
            "outcome": if is[2] { "failed" } else { "proven" }});
        let budget = json!({"resource": "b", "fact": "budget", "name": name, "currency": "USD", "limit": "300",
            "actual": "318", "percent": 106, "from": "2026-12-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"});
        let mut seen = seen(
            period,
            &[
                ("deploy-image", json!({"problems": problems})),
                ("snapshot-databases", json!({"facts": [backup]})),
                ("copy-buckets", json!({"facts": [backup, drill]})),
                (
                    "drill-restores",
                    json!({"facts": [drill], "refused": if is[3] { json!("too many") } else { json!(null) }}),
                ),
                ("enforce-budget", json!({"facts": [budget]})),
            ],
        );
        if is[4] {
            seen.board.runs.insert("scale-staging".into(), Err(denied()));
        }
        let firing = Firing { name: name.clone(), arn: "arn".into(), since: None, reason: "over".into() };
        seen.board.firing = Some(read(5).map(|()| if is[6] { vec![firing] } else { Vec::new() }));
        let high = if is[7] { 97.0 } else { 15.0 };
        let day = "2026-11-30T12:00:00Z";
        let measured = usage(&[
            (Query::ServiceCpu, &name, &[(day, high)]),
            (Query::ServiceMemory, &name, &[(day, high)]),
            (Query::DatabaseCpu, &name, &[(day, high)]),
            (Query::DatabaseStorage, &name, &[("2026-11-01T12:00:00Z", 9e9), (day, if is[8] { 1e9 } else { 8.9e9 })]),
            (Query::CertificateDays, "arn:cert", &[(day, if is[9] { 9.0 } else { 90.0 })]),
            (Query::Requests, "app/shop/1", &[(day, 2000.0)]),
            (Query::TargetErrors, "app/shop/1", &[(day, if is[10] { 500.0 } else { 0.0 })]),
            (Query::BudgetSpent, &name, &[(day, if is[11] { 106.0 } else { 40.0 })]),
        ]);
        seen.usage = read(12).map(|()| measured.clone());
        seen.slo = is[13].then_some(99.9);
        seen.routine = Some(read(14).map(|()| vec!["Asleep (1): dev".into()]));
        seen.errors = Some(read(15).map(|()| vec![("/ecs/api".into(), 3.0)]));
        let pending = Pending {
            arn: resource,
            action: "system-update".into(),
            forced: is[16].then(|| at("2026-12-05T00:00:00Z")),
            ..Pending::default()
        };
        seen.weekly.pending = Some(read(17).map(|()| vec![pending]));
        let database =
            Database { name: name.clone(), engine: "postgres".into(), version: "13.2".into(), ..Database::default() };
        seen.weekly.databases = Some(read(18).map(|()| vec![database]));
        let end = if is[19] { "2026-02-01T00:00:00Z" } else { "2029-02-01T00:00:00Z" };
        let lifecycle =
            Lifecycle { engine: "postgres".into(), major: "13".into(), standard: Some(at(end)), extended: None };
        seen.weekly.lifecycles = Some(read(20).map(|()| vec![lifecycle]));
        let image =
            Image { repository: "api".into(), digest: "sha256:1".into(), service: name.clone(), label: "v1".into() };
        seen.weekly.findings =
            Some(vec![(image, read(21).map(|()| Some(Findings { critical: u64::from(is[22]), high: 0 })))]);
        seen.weekly.sizes = Some(read(12).map(|()| measured));
        let history = read(23).map(|()| Vec::new());
        seen.weekly.deployed =
            Some(Deployed { services: vec![(name, history)], unread: is[23].then(denied), ..Deployed::default() });
        (seen, period)
    })
}

proptest! {
    #[test]
    fn what_needs_a_person_stands_first_with_a_page_or_a_command((seen, period) in reports(), public in any::<bool>()) {
        let mut seen = seen;
        if !public {
            seen.stack.console = None;
        }
        let told = lines(&seen, period, &now());
        let reds = told.iter().take_while(|it| it.starts_with("[!] ")).count();
        prop_assert!(told[reds..].iter().all(|it| !it.starts_with("[!]")), "{told:#?}");
        for it in &told[..reds] {
            let is_next = it.contains("; see https://") || it.contains("; run ") || it.contains(": aws lambda invoke");
            prop_assert!(is_next, "{it:?} says nothing to do");
            prop_assert!(public || !it.contains("https://"), "{it:?} names a console that there is not");
        }
        // As many as a person reads, and all of them counted.
        prop_assert!(reds <= 61, "{reds}");
    }

    #[test]
    fn what_is_as_it_should_be_is_one_line_at_the_end((seen, period) in reports()) {
        let told = lines(&seen, period, &now());
        let green: Vec<usize> = told.iter().enumerate().filter(|(_, it)| it.starts_with("As it should be: ")).map(|it| it.0).collect();
        prop_assert!(green.is_empty() || green == [told.len() - 1], "{told:#?}");
    }

    /// A name that a person pastes with a command arrives as one word, and nothing else runs.
    #[test]
    fn no_name_ends_a_command((seen, period) in reports()) {
        let mut seen = seen;
        seen.stack.console = None;
        for line in lines(&seen, period, &now()).iter().filter(|it| it.starts_with("[!] ")) {
            let Some((_, command)) = line.rsplit_once("; run ") else { continue };
            // Without what is quoted nothing is left that a shell reads as more than words.
            let bare: String = command.replace(r"'\''", "").split('\'').step_by(2).collect();
            let harmless = bare.replace("| aws lambda invoke", "").replace(" >/dev/null", "");
            prop_assert!(!harmless.contains(['$', ';', '|', '&', '"', '>']), "{command}");
        }
    }
}

#[test]
fn each_kind_of_line_leads_to_its_own_page_or_command() {
    let stack = seen(Period::Day, &[]).stack;
    let console = "https://ap-northeast-2.console.aws.amazon.com";
    assert_eq!(
        [
            stack.service("shop/api"),
            stack.database("kfood-db"),
            stack.alarm("api 5xx"),
            stack.budgets(),
            stack.resource("arn:aws:s3:::kfood-uploads", "copy-buckets"),
            stack.log("prune-backups"),
            stack.run(["aws", "acm", "describe-certificate", "--certificate-arn", "it's"]),
        ],
        [
            format!("see {console}/ecs/v2/clusters/shop/services/api/health?region=ap-northeast-2"),
            format!("see {console}/rds/home?region=ap-northeast-2#database:id=kfood-db;is-cluster=false"),
            format!("see {console}/cloudwatch/home?region=ap-northeast-2#alarmsV2:alarm/api%205xx"),
            "see https://console.aws.amazon.com/costmanagement/home#/budgets".into(),
            "see https://console.aws.amazon.com/s3/buckets/kfood-uploads".into(),
            "run aws logs tail --region ap-northeast-2 /aws/lambda/nightshift-prune-backups --since 1h".into(),
            r"run aws acm describe-certificate --region ap-northeast-2 --certificate-arn 'it'\''s'".into(),
        ]
    );
}
