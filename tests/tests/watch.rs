//! The alarms on what the parameters name, and the dashboard: what CloudFormation makes of them, whatever was named.

use std::collections::{BTreeMap, BTreeSet};

use nightshift_tests::sources::{Kind, folders, shipped};
use nightshift_tests::stack::Stack;
use nightshift_tests::template::{Template, list};
use rules::remedy::RemedyRule;
use serde_json::{Value, json};

/// Parameters that name something, each with the alarms that are made for it.
const WATCHED: [(&str, &str, &[&str]); 8] = [
    ("WatchService", "truegul-production/api-server", &["ServiceCpuAlarm", "ServiceMemoryAlarm"]),
    ("WatchService2", "truegul-production/ml-server", &["Service2CpuAlarm", "Service2MemoryAlarm"]),
    ("WatchLoadBalancer", "app/shop/50dc6c495c0c9188", &["LoadBalancerErrorsAlarm"]),
    (
        "WatchTargetGroup",
        "targetgroup/api/943f017f100becff",
        &["TargetGroupErrorsAlarm", "TargetGroupHostsAlarm", "TargetGroupSlowAlarm"],
    ),
    (
        "WatchTargetGroup2",
        "targetgroup/ml/73e2d6bc24d8a067",
        &["TargetGroup2ErrorsAlarm", "TargetGroup2HostsAlarm", "TargetGroup2SlowAlarm"],
    ),
    ("WatchDatabase", "truegul-db", &[]),
    ("WatchMaxConnections", "112", &["DatabaseConnectionsAlarm"]),
    ("WatchMinFreeStorage", "5", &["DatabaseStorageAlarm"]),
];

/// The metrics of AWS that are watched or shown, each with the dimensions that AWS writes it with.
const OF_AWS: [(&str, &str, &[&str]); 14] = [
    ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", &["LoadBalancer"]),
    ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", &["LoadBalancer"]),
    ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", &["LoadBalancer", "TargetGroup"]),
    ("AWS/ApplicationELB", "HealthyHostCount", &["LoadBalancer", "TargetGroup"]),
    ("AWS/ApplicationELB", "RequestCount", &["LoadBalancer"]),
    ("AWS/ApplicationELB", "RequestCount", &["LoadBalancer", "TargetGroup"]),
    ("AWS/ApplicationELB", "TargetResponseTime", &["LoadBalancer", "TargetGroup"]),
    ("AWS/ApplicationELB", "UnHealthyHostCount", &["LoadBalancer", "TargetGroup"]),
    ("AWS/ECS", "CPUUtilization", &["ClusterName", "ServiceName"]),
    ("AWS/ECS", "MemoryUtilization", &["ClusterName", "ServiceName"]),
    ("AWS/Lambda", "Errors", &["FunctionName"]),
    ("AWS/RDS", "CPUUtilization", &["DBInstanceIdentifier"]),
    ("AWS/RDS", "DatabaseConnections", &["DBInstanceIdentifier"]),
    ("AWS/RDS", "FreeStorageSpace", &["DBInstanceIdentifier"]),
];

/// The stack with everything named.
fn everything() -> Vec<(&'static str, &'static str)> {
    WATCHED.iter().map(|(name, value, _)| (*name, *value)).chain([("Dashboard", "true")]).collect()
}

/// The alarms of a stack that carry a remedy, by their logical ids.
fn alarms(stack: &Stack) -> BTreeMap<String, Value> {
    let made = stack.made("AWS::CloudWatch::Alarm").into_iter();
    made.filter(|(_, it)| !it["Tags"].is_null()).collect()
}

// -------------------------------------------------------------------------------- what is made

#[test]
fn nothing_is_made_unless_it_is_named() {
    let stack = Stack::with(&[]);
    assert_eq!(alarms(&stack).keys().collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(stack.made("AWS::CloudWatch::Dashboard").is_empty());
    let template = Template::read();
    for (id, alarm) in template.resources("AWS::CloudWatch::Alarm") {
        assert_eq!(alarm["Condition"].is_null(), alarm["Properties"]["Tags"].is_null(), "{id}");
        assert_eq!(alarm["Condition"].is_null(), !alarm["Properties"]["AlarmActions"].is_null(), "{id}");
    }
}

#[test]
fn each_parameter_brings_its_own_alarms_and_no_others() {
    for named in subsets() {
        let with = |name: &str| names(&named, name);
        let stack = Stack::with(&named);
        let made: BTreeSet<_> = alarms(&stack).into_keys().collect();
        let expected = WATCHED.iter().filter(|(name, ..)| {
            let found_by = match *name {
                "WatchTargetGroup" | "WatchTargetGroup2" => "WatchLoadBalancer",
                "WatchMaxConnections" | "WatchMinFreeStorage" => "WatchDatabase",
                alone => alone,
            };
            with(name) && with(found_by)
        });
        let expected = expected.flat_map(|(_, _, alarms)| alarms.iter().map(|it| it.to_string()));
        assert_eq!(made, expected.collect(), "{named:?}");
        let left_out = |of: &str, by: &str| with(of) && !with(by);
        let refused = left_out("WatchTargetGroup", "WatchLoadBalancer")
            || left_out("WatchTargetGroup2", "WatchLoadBalancer")
            || left_out("WatchMaxConnections", "WatchDatabase");
        assert_eq!(stack.is_accepted(), !refused, "{named:?}");
    }
}

/// Each set of parameters that somebody could give, the dashboard always among them.
fn subsets() -> Vec<Vec<(&'static str, &'static str)>> {
    let subset = |bits: usize| {
        let off = |name: &str| if name.contains("Max") || name.contains("Min") { "0" } else { "" };
        let given = WATCHED.iter().enumerate();
        let given = given.map(|(at, (name, on, _))| (*name, if bits >> at & 1 == 1 { *on } else { off(name) }));
        given.chain([("Dashboard", "true")]).collect::<Vec<_>>()
    };
    (0..1 << WATCHED.len()).map(subset).collect()
}

/// Whether one of these parameters names something.
fn names(named: &[(&str, &str)], parameter: &str) -> bool {
    named.iter().any(|(it, value)| *it == parameter && !value.is_empty() && *value != "0")
}

// -------------------------------------------------------------------------------- alarms

#[test]
fn each_alarm_says_what_it_means_and_where_to_look_first() {
    let shop: Vec<_> = WATCHED.iter().map(|(_, value, _)| *value).collect();
    for (id, alarm) in alarms(&Stack::with(&everything())) {
        let description = alarm["AlarmDescription"].as_str().unwrap_or_else(|| panic!("{id} is not described"));
        assert!(description.contains("Look first"), "{id}: {description}");
        assert!(shop.iter().any(|it| description.contains(it)), "{id} does not name what it watches");
        assert!(description.len() <= 1024, "{id}: CloudWatch takes 1,024 characters");
        let missing = alarm["TreatMissingData"].as_str();
        let expected = if id == "DatabaseStorageAlarm" { "ignore" } else { "notBreaching" };
        assert_eq!(missing, Some(expected), "{id}");
        assert_eq!(alarm["AlarmActions"], Value::Null, "{id} would tell people twice");
    }
}

#[test]
fn the_alarms_are_as_strict_as_they_say() {
    // Threshold, periods that have to breach of how many, seconds of a period.
    let strict = |id: &str| match id.replace('2', "").as_str() {
        "ServiceCpuAlarm" | "ServiceMemoryAlarm" | "DatabaseConnectionsAlarm" => (json!(80), 5, 5, 60),
        "TargetGroupErrorsAlarm" => (json!(1), 3, 5, 60),
        "TargetGroupHostsAlarm" => (json!(0), 2, 2, 60),
        "TargetGroupSlowAlarm" => (json!("1"), 3, 5, 60),
        "LoadBalancerErrorsAlarm" => (json!(10), 1, 1, 60),
        "DatabaseStorageAlarm" => (json!("5"), 3, 3, 300),
        other => panic!("{other} is not in this table"),
    };
    for (id, alarm) in alarms(&Stack::with(&everything())) {
        let of = alarm["EvaluationPeriods"].as_u64().expect("periods");
        let breaching = alarm["DatapointsToAlarm"].as_u64().unwrap_or(of);
        for (metric, period) in metrics_of(&alarm) {
            assert_eq!((alarm["Threshold"].clone(), breaching, of, period), strict(&id), "{id}, {metric:?}");
        }
        let low = id == "DatabaseStorageAlarm";
        let operator = if low { "LessThanThreshold" } else { "GreaterThanThreshold" };
        assert_eq!(alarm["ComparisonOperator"], operator, "{id}");
    }
}

#[test]
fn every_metric_that_is_watched_is_one_that_aws_writes() {
    for (id, alarm) in alarms(&Stack::with(&everything())) {
        let metrics = metrics_of(&alarm);
        assert!(!metrics.is_empty(), "{id} watches nothing");
        for (metric, _) in metrics {
            assert!(is_of_aws(&metric), "{id}: AWS writes no {metric:?}");
        }
    }
}

#[test]
fn the_math_of_an_alarm_uses_each_of_its_metrics_and_returns_one() {
    for (id, alarm) in alarms(&Stack::with(&everything())) {
        let metrics = list(&alarm["Metrics"]);
        let Some(expression) = metrics.iter().find_map(|it| it["Expression"].as_str()) else { continue };
        for metric in metrics.iter().filter(|it| it["Expression"].is_null()) {
            let name = metric["Id"].as_str().expect("an id");
            assert!(expression.split(' ').any(|it| it == name), "{id}: '{expression}' leaves {name} out");
            assert_eq!(metric["ReturnData"], false, "{id}: an alarm watches one time series");
        }
    }
    let stack = Stack::with(&everything());
    assert_eq!(alarms(&stack)["DatabaseConnectionsAlarm"]["Metrics"][0]["Expression"], "100 * connections / 112");
}

/// A metric: namespace, name and dimensions.
type Metric = (String, String, Vec<String>);

/// The metrics that an alarm watches, each with its period.
fn metrics_of(alarm: &Value) -> Vec<(Metric, u64)> {
    let metric = |it: &Value, period: &Value| {
        let dimensions = list(&it["Dimensions"]).into_iter().map(|it| string(&it["Name"])).collect();
        ((string(&it["Namespace"]), string(&it["MetricName"]), dimensions), period.as_u64().expect("a period"))
    };
    if alarm["Metrics"].is_null() {
        return vec![metric(alarm, &alarm["Period"])];
    }
    let queries = list(&alarm["Metrics"]).into_iter().filter(|it| it["Expression"].is_null());
    queries.map(|it| metric(&it["MetricStat"]["Metric"], &it["MetricStat"]["Period"])).collect()
}

fn is_of_aws((namespace, name, dimensions): &Metric) -> bool {
    OF_AWS.iter().any(|(space, metric, by)| namespace == space && name == metric && dimensions == by)
}

// -------------------------------------------------------------------------------- remedies

#[test]
fn every_remedy_is_well_formed() {
    for (id, remedy) in remedies("act") {
        assert_eq!(wrong_with(&remedy), None, "{id}: nightshift:remedy is '{remedy}'");
    }
}

#[test]
fn people_who_want_no_action_get_none() {
    assert_eq!(remedies("notify").len(), remedies("act").len());
    for (id, remedy) in remedies("notify") {
        assert_eq!(remedy, "notify", "{id}");
    }
}

/// Two alarms on one bad image would otherwise take back the good one before it too.
#[test]
fn one_alarm_of_a_service_rolls_back_and_no_more() {
    let rolling_back: Vec<_> = remedies("act").into_iter().filter(|(_, it)| it.contains("rollback")).collect();
    let ids: Vec<_> = rolling_back.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["TargetGroup2ErrorsAlarm", "TargetGroupErrorsAlarm"]);
}

#[test]
fn how_far_a_service_is_scaled_out_is_for_its_owner_to_say() {
    let named = [("WatchService", "shop/api"), ("ScaleOutMax", "3")];
    let alarms = alarms(&Stack::with(&named));
    assert_eq!(remedy_of(&alarms["ServiceCpuAlarm"]), "scale-out step=1 max=3");
}

fn remedies(wanted: &'static str) -> BTreeMap<String, String> {
    let named: Vec<_> = everything().into_iter().chain([("AlarmRemedies", wanted)]).collect();
    alarms(&Stack::with(&named)).iter().map(|(id, it)| (id.clone(), remedy_of(it))).collect()
}

fn remedy_of(alarm: &Value) -> String {
    let tags = list(&alarm["Tags"]);
    assert_eq!(tags.len(), 1);
    assert_eq!(tags[0]["Key"], "nightshift:remedy");
    string(&tags[0]["Value"])
}

/// What `remediate-alarm` would find wrong with a remedy.
fn wrong_with(remedy: &str) -> Option<String> {
    remedy.parse::<RemedyRule>().err().map(|it| it.to_string())
}

// -------------------------------------------------------------------------------- the dashboard

/// The widgets of the dashboard.
fn widgets(stack: &Stack) -> Vec<Value> {
    let dashboards = stack.made("AWS::CloudWatch::Dashboard");
    let body = string(&dashboards["OverviewDashboard"]["DashboardBody"]);
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|err| panic!("{err}:\n{body}"));
    list(&body["widgets"]).into_iter().cloned().collect()
}

#[test]
fn the_dashboard_shows_what_was_named_and_nothing_else() {
    for named in subsets() {
        let stack = Stack::with(&named);
        let shown = widgets(&stack);
        let titles: Vec<_> = shown.iter().filter_map(|it| it["properties"]["title"].as_str()).collect();
        let with = |name: &str| names(&named, name);
        for (parameter, value, _) in WATCHED.iter().take(6) {
            let found = titles.iter().any(|it| it.starts_with(value));
            let expected = with(parameter) && (!parameter.contains("Group") || with("WatchLoadBalancer"));
            assert_eq!(found, expected, "{parameter} of {named:?}");
        }
        let alarms: BTreeSet<_> = alarms(&stack).keys().map(|it| format!("{it}.Arn")).collect();
        let listed = shown.iter().filter(|it| it["type"] == "alarm");
        let listed: Vec<_> = listed.map(|it| list(&it["properties"]["alarms"])).collect();
        assert!(listed.iter().all(|it| !it.is_empty()), "{named:?}: a widget of no alarms");
        assert_eq!(listed.concat().into_iter().map(string).collect::<BTreeSet<_>>(), alarms, "{named:?}");
    }
}

#[test]
fn every_widget_has_a_place_and_a_region() {
    for widget in widgets(&Stack::with(&everything())) {
        assert!(widget["width"].as_u64().is_some_and(|it| 24 % it == 0), "{widget}");
        assert!(widget["height"].is_u64(), "{widget}");
        if widget["type"] == "metric" {
            assert_eq!(widget["properties"]["region"], "ap-northeast-2", "{widget}");
            assert!(widget["properties"]["period"].is_u64(), "{widget}");
        }
    }
}

#[test]
fn every_metric_on_the_dashboard_is_one_that_is_written() {
    let ours = written_by_functions();
    let mut shown = BTreeSet::new();
    for metric in metrics_shown(&widgets(&Stack::with(&everything()))) {
        let (namespace, name, dimensions) = &metric;
        if namespace == "Nightshift" {
            assert!(ours.contains(name), "no function writes {name}");
            let of = match name.as_str() {
                "BackupAgeHours" => Some("Database"),
                "BudgetSpentPercent" | "BudgetForecastPercent" => Some("Budget"),
                _ => None,
            };
            let by: Vec<_> = ["Function"].into_iter().chain(of).collect();
            assert_eq!(*dimensions, by, "{name}");
            assert!(by.iter().all(|it| ours.contains(*it)), "{name} is written without {by:?}");
            shown.insert(name.clone());
        } else {
            assert!(is_of_aws(&metric), "AWS writes no {metric:?}");
        }
    }
    let of_each = ["ActionsDone", "Duration", "FailedRuns", "Problems", "Runs"];
    let of_some = ["BackupAgeHours", "BudgetForecastPercent", "BudgetSpentPercent"];
    assert_eq!(shown.iter().map(String::as_str).collect::<BTreeSet<_>>(), of_each.into_iter().chain(of_some).collect());
}

/// The metrics of widgets, those that are searched for included.
fn metrics_shown(widgets: &[Value]) -> Vec<Metric> {
    let mut shown = Vec::new();
    for line in widgets.iter().flat_map(|it| it["properties"]["metrics"].as_array().into_iter().flatten()) {
        let line = line.as_array().expect("a line of a graph");
        let texts: Vec<_> = line.iter().filter_map(Value::as_str).collect();
        match texts[..] {
            [namespace, name, ref dimensions @ ..] => {
                assert!(dimensions.iter().all(|it| !it.is_empty()), "{line:?}");
                let names = dimensions.iter().step_by(2).map(|it| it.to_string()).collect();
                shown.push((namespace.to_owned(), name.to_owned(), names));
            }
            _ => shown.extend(searched(line[0]["expression"].as_str().expect("an expression"))),
        }
    }
    shown
}

/// The metric that a search finds: `SEARCH('{Namespace,Dimension} MetricName="Name" …', 'Statistic', 3600)`.
fn searched(expression: &str) -> Option<Metric> {
    let query = expression.strip_prefix("SEARCH('{")?.split_once("', '").expect("a query and a statistic").0;
    let (schema, terms) = query.split_once("} MetricName=\"").expect("a schema and the name of a metric");
    let mut schema = schema.split(',').map(str::to_owned);
    let namespace = schema.next().expect("a namespace");
    Some((namespace, terms.split('"').next().expect("a name").to_owned(), schema.collect()))
}

/// Every text in the code that writes metrics.
fn written_by_functions() -> BTreeSet<String> {
    let functions = folders("functions").into_iter().map(|it| format!("functions/{it}"));
    let sources = functions.chain(["shared/runtime".to_owned()]).flat_map(|it| shipped(&it));
    let tokens = sources.flat_map(|it| it.tokens.into_iter().map(|it| it.kind));
    let literal = |kind| match kind {
        Kind::Literal(text) => Some(text.trim_matches('"').to_owned()),
        _ => None,
    };
    tokens.filter_map(literal).collect()
}

/// None is named, so none is forgotten: a search for the metrics of functions leaves their names open, and one for
/// those of Lambda asks for the stack's name only, with which all of them begin.
#[test]
fn every_function_is_on_the_dashboard() {
    let widgets = widgets(&Stack::with(&everything()));
    let lines = widgets.iter().flat_map(|it| it["properties"]["metrics"].as_array().into_iter().flatten());
    let searches: Vec<_> =
        lines.filter_map(|it| it[0]["expression"].as_str()).filter(|it| it.contains("SEARCH")).collect();
    assert!(searches.len() >= 6, "{searches:?}");
    for search in searches {
        let terms = search.split_once('}').expect("a schema").1.split_once("', '").expect("a statistic").0;
        let open = terms.split_once("MetricName=").expect("the name of a metric").1.split_once(' ').map(|(_, it)| it);
        let of_lambda = search.contains("AWS/Lambda");
        assert_eq!(open, of_lambda.then_some("FunctionName=nightshift"), "{search}");
    }
    for (id, function) in Template::read().functions() {
        let name = function["FunctionName"]["Fn::Sub"].as_str().expect("a name");
        assert!(name.starts_with("${AWS::StackName}-"), "{id}");
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
