//! Answers of AWS with mistakes in them, and answers that are not of AWS at all.

use aws_smithy_runtime_api::http::Headers;
use fuzz::used;
use serde_json::json;

use crate::query::{Element, read, read_result};
use crate::untyped::Refusal;
use crate::{rest, seconds};

const XML: [&str; 4] = [
    "<?xml version='1.0'?><DescribeInstancesResponse xmlns='x'><reservationSet><item><instancesSet><item><instanceId>i-0abc\
     </instanceId><tagSet><item><key>Name</key><value>a &amp; b</value></item></tagSet></item></instancesSet></item>\
     </reservationSet></DescribeInstancesResponse>",
    "<ListBucketResult><IsTruncated>false</IsTruncated><CommonPrefixes><Prefix>a%20b/</Prefix></CommonPrefixes>\
     </ListBucketResult>",
    "<DescribeJobResult><Job><Status>Complete</Status><ProgressSummary><TotalNumberOfTasks>10</TotalNumberOfTasks>\
     </ProgressSummary></Job></DescribeJobResult>",
    "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error><RequestId>0</RequestId>\
     </ErrorResponse>",
];

/// Every element as deep as functions look.
fn visit(element: &mut Element<'_, '_>, deep: usize) -> usize {
    if deep == 0 {
        return element.text().len();
    }
    let mut found = 0;
    element.each(|_, it| found += visit(it, deep - 1));
    found
}

#[test]
fn answers_in_xml() {
    fuzz::texts(&XML, |text| {
        for deep in [0, 1, 4] {
            used(read(text, |_, it| used(visit(it, deep))));
            used(read_result("DescribeInstances", "all", text, |_, it| used(visit(it, deep))));
        }
    });
}

#[test]
fn refusals() {
    let others = [r#"{"__type":"com.amazonaws.ecs#ClusterNotFoundException","message":"x"}"#, "<html>502</html>"];
    let samples: Vec<&str> = XML.into_iter().chain(others).collect();
    fuzz::texts(&samples, |text| used(Refusal::read(400, &Headers::new(), text).to_string()));
}

/// A proxy may answer with any page.
#[test]
fn a_refusal_of_a_million_nested_elements_is_read() {
    let page = "<a>".repeat(1_000_000);
    used(Refusal::read(502, &Headers::new(), &page).to_string());
}

#[test]
fn keys_and_times() {
    fuzz::texts(&["a%20b/c+d", "100%", "%C3%BC"], |text| {
        used(rest::unencoded(text));
        used(rest::escaped(text));
    });
    fuzz::values(&[json!(1_795_000_000.25)], |it| used(seconds(it)));
}
