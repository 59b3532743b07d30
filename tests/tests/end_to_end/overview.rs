//! The alarms on two services and their dashboards, as CloudFormation makes them. The local AWS has no alarms on metric
//! math, so nothing that needs one is named.

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

#[test]
fn each_service_that_is_watched_gets_a_stack_of_alarms_and_a_dashboard() -> Result<()> {
    let aws = LocalAws::start(Options { deploy: false, ..Options::default() })?;
    for service in ["api-server", "ml-server"] {
        let named = format!("truegul-production/{service}");
        let stack = format!("watch-{service}");
        let outputs = aws.deploy_stack("deploy/watch.yaml", &stack, &[("Service", &named)])?;

        let alarms = aws.cloudwatch("DescribeAlarms", json!({}))?;
        let alarms = alarms["MetricAlarms"].as_array().expect("alarms").iter();
        let dimensions = json!([
            { "Name": "ClusterName", "Value": "truegul-production" },
            { "Name": "ServiceName", "Value": service },
        ]);
        let watching: Vec<_> = alarms.filter(|it| it["Dimensions"] == dimensions).collect();
        assert_eq!(watching.len(), 2, "{watching:?}");
        for alarm in &watching {
            let tags = aws.cloudwatch("ListTagsForResource", json!({ "ResourceARN": alarm["AlarmArn"] }))?;
            let of_cpu = alarm["MetricName"] == "CPUUtilization";
            let remedy = if of_cpu { "scale-out step=1 max=6" } else { "restart then=notify cooldown=1h" };
            // CloudFormation adds tags of its own.
            let remedy = json!({ "Key": "nightshift:remedy", "Value": remedy });
            assert!(tags["Tags"].as_array().expect("tags").contains(&remedy), "{tags}");
        }

        let name = format!("{stack}-{}", LocalAws::REGION);
        assert!(outputs["DashboardUrl"].ends_with(&name), "{outputs:?}");
        let dashboard = aws.cloudwatch("GetDashboard", json!({ "DashboardName": name }))?;
        let body: Value = serde_json::from_str(dashboard["DashboardBody"].as_str().expect("a body"))?;
        let widgets = body["widgets"].as_array().expect("widgets");
        let titles: Vec<_> = widgets.iter().filter_map(|it| it["properties"]["title"].as_str()).collect();
        assert_eq!(titles, ["Alarms", &named]);
        let listed: Vec<_> = widgets[0]["properties"]["alarms"].as_array().expect("alarms").iter().collect();
        assert!(watching.iter().all(|it| listed.contains(&&it["AlarmArn"])), "{listed:?}");
    }
    Ok(())
}
