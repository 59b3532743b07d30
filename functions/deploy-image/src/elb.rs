//! Calls to Elastic Load Balancing, through its Query API: its SDK crate is large, and one operation is needed of it.

use aws::Error;
use aws::query::{ELASTIC_LOAD_BALANCING, Element, Query, read};
use aws_config::SdkConfig;

use crate::plan::Target;

/// A client of the real network.
pub fn client(config: &SdkConfig) -> Query {
    Query::new(ELASTIC_LOAD_BALANCING, config)
}

/// What the health checks of a target group say of its targets; the answer has no pages.
pub async fn describe_target_health(elb: &Query, group: &str) -> Result<Vec<Target>, Error> {
    let action = elb.action("DescribeTargetHealth").field("TargetGroupArn", group);
    let answer = action.perform(group, None).await?;
    let mut targets = Vec::new();
    read(&answer, |_, it| collect(it, &mut targets))
        .map_err(|why| Error::unexpected("DescribeTargetHealth", group, format!("the answer is not XML: {why}")))?;
    Ok(targets)
}

fn collect(element: &mut Element<'_, '_>, targets: &mut Vec<Target>) {
    element.each(|name, it| match name {
        "TargetHealth" => targets.push(target(it)),
        _ => collect(it, targets),
    });
}

fn target(health: &mut Element<'_, '_>) -> Target {
    let (mut state, mut reason, mut description) = <(String, String, String)>::default();
    health.each(|name, it| match name {
        "State" => state = it.text(),
        "Reason" => reason = it.text(),
        "Description" => description = it.text(),
        _ => {}
    });
    let said = [reason, description].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(", ");
    Target { state, said: if said.is_empty() { "no reason given".into() } else { said } }
}
