//! `deploy/watch.yaml`, the alarms on a service and its dashboard, with every set of parameters; and Nightshift's own dashboard.

use std::collections::{BTreeMap, BTreeSet};

use nightshift_tests::sources::{Kind, folders, read, shipped};
use nightshift_tests::stack::Stack;
use nightshift_tests::template::{Template, list};
use rules::remedy::RemedyRule;
use serde_json::{Value, json};

/// A parameter that names something, or asks for an alarm.
struct Watched {
    parameter: &'static str,
    on: &'static str,
    off: &'static str,
    /// Without this other parameter it has no effect.
    needs: Option<&'static str>,
    alarms: &'static [&'static str],
}

const WATCHED: [Watched; 8] = [
    Watched {
        parameter: "Service",
        on: "truegul-production/api-server",
        off: "",
        needs: None,
        alarms: &["ServiceCpuAlarm", "ServiceMemoryAlarm"],
    },
    Watched { parameter: "LoadBalancer", on: "app/shop/50dc6c495c0c9188", off: "", needs: None, alarms: &[] },
    Watched {
        parameter: "TargetGroup",
        on: "targetgroup/api/943f017f100becff",
        off: "",
        needs: Some("LoadBalancer"),
        alarms: &["TargetGroupErrorsAlarm", "TargetGroupHostsAlarm", "TargetGroupSlowAlarm"],
    },
    Watched {
        parameter: "TargetGroup2",
        on: "targetgroup/green/73e2d6bc24d8a067",
        off: "",
        needs: Some("LoadBalancer"),
        alarms: &["TargetGroup2ErrorsAlarm", "TargetGroup2HostsAlarm", "TargetGroup2SlowAlarm"],
    },
    Watched { parameter: "Database", on: "truegul-db", off: "", needs: None, alarms: &[] },
    Watched {
        parameter: "LoadBalancerAlarm",
        on: "true",
        off: "false",
        needs: Some("LoadBalancer"),
        alarms: &["LoadBalancerErrorsAlarm"],
    },
    Watched {
        parameter: "MaxConnections",
        on: "112",
        off: "0",
        needs: Some("Database"),
        alarms: &["DatabaseConnectionsAlarm"],
    },
    Watched {
        parameter: "MinFreeStorage",
        on: "5",
        off: "0",
        needs: Some("Database"),
        alarms: &["DatabaseStorageAlarm"],
    },
];

/// How many of them, from the first on, are shown on the dashboard by their name.
const NAMED: usize = 5;

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
fn everything() -> Stack {
    Stack::watching(&all_named())
}

fn all_named() -> Vec<(&'static str, &'static str)> {
    WATCHED.iter().map(|it| (it.parameter, it.on)).collect()
}

/// The alarms of a stack, by their logical ids.
fn alarms(stack: &Stack) -> BTreeMap<String, Value> {
    stack.made("AWS::CloudWatch::Alarm")
}

// -------------------------------------------------------------------------------- what is created

#[test]
fn each_parameter_creates_its_own_alarms_and_no_others() {
    for named in subsets() {
        let stack = Stack::watching(&named);
        let created: BTreeSet<_> = alarms(&stack).into_keys().collect();
        let expected = WATCHED.iter().filter(|it| counts(&named, it)).flat_map(|it| it.alarms);
        assert_eq!(created, expected.map(|it| it.to_string()).collect(), "{named:?}");
        let alone = |of: &str, by: &str| names(&named, of) && !names(&named, by);
        let refused = alone("TargetGroup", "LoadBalancer")
            || alone("TargetGroup2", "LoadBalancer")
            || alone("MaxConnections", "Database")
            || ["Service", "LoadBalancer", "Database"].iter().all(|it| !names(&named, it));
        assert_eq!(stack.is_accepted(), !refused, "{named:?}");
    }
}

/// Each set of parameters that a person could give.
fn subsets() -> Vec<Vec<(&'static str, &'static str)>> {
    let subset = |bits: usize| {
        let given = WATCHED.iter().enumerate();
        given.map(|(at, it)| (it.parameter, if bits >> at & 1 == 1 { it.on } else { it.off })).collect()
    };
    (0..1 << WATCHED.len()).map(subset).collect()
}

/// Whether this parameter is given, and the one that it needs.
fn counts(named: &[(&str, &str)], it: &Watched) -> bool {
    names(named, it.parameter) && it.needs.is_none_or(|it| names(named, it))
}

fn names(named: &[(&str, &str)], parameter: &str) -> bool {
    let watched = WATCHED.iter().find(|it| it.parameter == parameter).expect("a parameter of the table");
    named.iter().any(|(it, value)| *it == parameter && *value != watched.off)
}

/// `aws cloudformation deploy` then needs no bucket, no transform and no capability.
#[test]
fn the_template_is_plain_and_fits_into_a_request() {
    assert!(read("deploy/watch.yaml").len() < 51_200);
    let template = Template::watch();
    assert_eq!(template.0["Transform"], Value::Null);
    let types: BTreeSet<_> =
        template.0["Resources"].as_object().expect("resources").values().map(|it| string(&it["Type"])).collect();
    assert_eq!(types.into_iter().collect::<Vec<_>>(), ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"]);
}

#[test]
fn the_main_template_watches_nothing_but_nightshift() {
    for (id, alarm) in Stack::with(&[]).made("AWS::CloudWatch::Alarm") {
        assert_eq!(alarm["Tags"], Value::Null, "{id}");
        let namespace = string(&alarm["Namespace"]);
        assert!(["AWS/Lambda", "AWS/SQS", "Nightshift"].contains(&namespace.as_str()), "{id} watches {namespace}");
    }
    assert!(Stack::with(&[]).made("AWS::CloudWatch::Dashboard").is_empty());
    assert!(Stack::watching(&[("Dashboard", "false")]).made("AWS::CloudWatch::Dashboard").is_empty());
}

#[test]
fn every_parameter_is_explained_and_grouped() {
    let template = Template::watch();
    let interface = &template.0["Metadata"]["AWS::CloudFormation::Interface"];
    let groups = list(&interface["ParameterGroups"]);
    let grouped: BTreeSet<_> = groups.into_iter().flat_map(|it| list(&it["Parameters"])).map(string).collect();
    let labelled = interface["ParameterLabels"].as_object().expect("labels");
    let readme = read("README.md");
    for (name, parameter) in template.0["Parameters"].as_object().expect("parameters") {
        assert!(parameter["Description"].is_string(), "{name} is not explained");
        assert!(!parameter["Default"].is_null(), "{name} has no default");
        assert_eq!(parameter["AllowedPattern"].is_string(), parameter["ConstraintDescription"].is_string(), "{name}");
        assert!(grouped.contains(name), "{name} is in no group");
        assert!(labelled.contains_key(name), "{name} has no label");
        assert!(readme.contains(&format!("`{name}")), "README.md says nothing about {name}");
    }
}

// -------------------------------------------------------------------------------- alarms

#[test]
fn each_alarm_says_what_it_means_and_where_to_look_first() {
    let shop: Vec<_> = WATCHED.iter().take(NAMED).map(|it| it.on).collect();
    for (id, alarm) in alarms(&everything()) {
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
    for (id, alarm) in alarms(&everything()) {
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
    for (id, alarm) in alarms(&everything()) {
        let metrics = metrics_of(&alarm);
        assert!(!metrics.is_empty(), "{id} watches nothing");
        for (metric, _) in metrics {
            assert!(is_of_aws(&metric), "{id}: AWS writes no {metric:?}");
        }
    }
}

#[test]
fn the_math_of_an_alarm_uses_each_of_its_metrics_and_returns_one() {
    for (id, alarm) in alarms(&everything()) {
        let metrics = list(&alarm["Metrics"]);
        let Some(expression) = metrics.iter().find_map(|it| it["Expression"].as_str()) else { continue };
        for metric in metrics.iter().filter(|it| it["Expression"].is_null()) {
            let name = metric["Id"].as_str().expect("an id");
            assert!(expression.split(' ').any(|it| it == name), "{id}: '{expression}' leaves {name} out");
            assert_eq!(metric["ReturnData"], false, "{id}: an alarm watches one time series");
        }
    }
    let stack = everything();
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
    let named = [("Service", "shop/api"), ("ScaleOutMax", "3")];
    let alarms = alarms(&Stack::watching(&named));
    assert_eq!(remedy_of(&alarms["ServiceCpuAlarm"]), "scale-out step=1 max=3");
}

fn remedies(wanted: &'static str) -> BTreeMap<String, String> {
    let named: Vec<_> = all_named().into_iter().chain([("AlarmRemedies", wanted)]).collect();
    alarms(&Stack::watching(&named)).iter().map(|(id, it)| (id.clone(), remedy_of(it))).collect()
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

// -------------------------------------------------------------------------------- the dashboards

/// The widgets of a stack's dashboard.
fn widgets(stack: &Stack) -> Vec<Value> {
    let dashboards = stack.made("AWS::CloudWatch::Dashboard");
    let (_, dashboard) = dashboards.first_key_value().expect("a dashboard");
    let body = string(&dashboard["DashboardBody"]);
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|err| panic!("{err}:\n{body}"));
    list(&body["widgets"]).into_iter().cloned().collect()
}

/// The dashboard of the main stack, and that of a stack with everything named.
fn dashboards() -> [Vec<Value>; 2] {
    [widgets(&Stack::with(&[("Dashboard", "true")])), widgets(&everything())]
}

#[test]
fn the_dashboard_shows_what_is_named_and_nothing_else() {
    for named in subsets() {
        let stack = Stack::watching(&named);
        let shown = widgets(&stack);
        let titles: Vec<_> = shown.iter().filter_map(|it| it["properties"]["title"].as_str()).collect();
        for watched in WATCHED.iter().take(NAMED) {
            let found = titles.iter().any(|it| it.starts_with(watched.on));
            assert_eq!(found, counts(&named, watched), "{} of {named:?}", watched.parameter);
        }
        assert_eq!(alarms_shown(&shown), alarms(&stack).into_keys().collect(), "{named:?}");
    }
}

#[test]
fn the_dashboard_of_nightshift_shows_all_of_its_alarms() {
    let stack = Stack::with(&[("Dashboard", "true")]);
    assert_eq!(alarms_shown(&widgets(&stack)), alarms(&stack).into_keys().collect());
}

/// The logical ids of the alarms whose state is shown.
fn alarms_shown(widgets: &[Value]) -> BTreeSet<String> {
    let listed = widgets.iter().filter(|it| it["type"] == "alarm");
    let listed: Vec<_> = listed.map(|it| list(&it["properties"]["alarms"])).collect();
    assert!(listed.iter().all(|it| !it.is_empty()), "a widget of no alarms");
    let id = |it: &Value| string(it).strip_suffix(".Arn").expect("the ARN of an alarm").to_owned();
    listed.concat().into_iter().map(id).collect()
}

#[test]
fn every_widget_has_a_place_and_a_region() {
    for widget in dashboards().concat() {
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
    for metric in metrics_shown(&dashboards().concat()) {
        let (namespace, name, dimensions) = &metric;
        if namespace == "Nightshift" {
            assert!(ours.contains(name), "no function writes {name}");
            let of = match name.as_str() {
                "BackupAgeHours" if dimensions.iter().any(|it| it == "Bucket") => Some("Bucket"),
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
    let widgets = widgets(&Stack::with(&[("Dashboard", "true")]));
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
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}
