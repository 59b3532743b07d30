//! Calls to Systems Manager.

use std::collections::BTreeSet;

use aws::{Error, JsonApi};
use serde_json::json;

/// DescribeParameters takes no more names than this.
const NAMES_PER_CALL: usize = 50;

/// Which of these parameters there are. Their values are not read: DescribeParameters does not have them.
pub async fn known_parameters(ssm: &JsonApi, names: &[String]) -> Result<BTreeSet<String>, Error> {
    let mut known = BTreeSet::new();
    for names in names.chunks(NAMES_PER_CALL) {
        let body = json!({"ParameterFilters": [{"Key": "Name", "Option": "Equals", "Values": names}]});
        let listed = ssm.list("DescribeParameters", &names[0], body, "Parameters").await?;
        known.extend(listed.iter().filter_map(|it| Some(it["Name"].as_str()?.to_owned())));
    }
    Ok(known)
}
