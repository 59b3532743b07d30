//! The alarms on a service and the dashboard, as CloudFormation makes them. The local AWS has no alarms on metric math,
//! so nothing that needs one is named.

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

#[test]
fn a_service_that_is_named_gets_its_alarms_and_its_place_on_the_dashboard() -> Result<()> {
    let named = [
        ("WatchService", "truegul-production/api-server"),
        ("WatchService2", "truegul-production/ml-server"),
        ("Dashboard", "true"),
    ];
    let parameters = named.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let aws = LocalAws::start(Options { parameters, ..Options::default() })?;

    let alarms = aws.cloudwatch("DescribeAlarms", json!({}))?;
    let alarms = alarms["MetricAlarms"].as_array().expect("alarms").iter();
    let watching: Vec<_> = alarms.filter(|it| it["Namespace"] == "AWS/ECS").collect();
    assert_eq!(watching.len(), 4, "{watching:?}");
    for alarm in watching {
        let tags = aws.cloudwatch("ListTagsForResource", json!({ "ResourceARN": alarm["AlarmArn"] }))?;
        let of_cpu = alarm["MetricName"] == "CPUUtilization";
        let remedy = if of_cpu { "scale-out step=1 max=6" } else { "restart then=notify cooldown=1h" };
        // CloudFormation adds tags of its own.
        let remedy = json!({ "Key": "nightshift:remedy", "Value": remedy });
        assert!(tags["Tags"].as_array().expect("tags").contains(&remedy), "{tags}");
        assert_eq!(alarm["Dimensions"][0], json!({ "Name": "ClusterName", "Value": "truegul-production" }));
    }

    let name = json!({ "DashboardName": format!("nightshift-{}", LocalAws::REGION) });
    let dashboard = aws.cloudwatch("GetDashboard", name)?;
    let body: Value = serde_json::from_str(dashboard["DashboardBody"].as_str().expect("a body"))?;
    let widgets = body["widgets"].as_array().expect("widgets");
    let titles: Vec<_> = widgets.iter().filter_map(|it| it["properties"]["title"].as_str()).collect();
    assert_eq!(titles[..3], ["Alarms", "truegul-production/api-server", "truegul-production/ml-server"]);
    let listed = widgets[0]["properties"]["alarms"].as_array().expect("alarms").len();
    assert_eq!(listed, 4);
    Ok(())
}
