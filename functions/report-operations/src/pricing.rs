//! Calls to the price list of AWS, as JSON: what an hour costs on demand.

use aws::{Error, JsonApi};
use aws_config::{Region, SdkConfig};
use rules::partition::Partition;
use serde_json::{Value, json};

use crate::plan::price::{Product, Rate};

/// How many pages are read of the products that a filter leaves.
const MOST_PAGES: usize = 5;

/// A client for the region of the partition in which the price list answers.
pub fn client(config: &SdkConfig) -> JsonApi {
    let own = config.region().map(|it| it.as_ref()).unwrap_or_default();
    let region = match Partition::of_region(own).name {
        "aws-cn" => "cn-northwest-1",
        _ => "us-east-1",
    };
    JsonApi::new(aws::PRICING, &config.to_builder().region(Region::from_static(region)).build())
}

/// The rates of what `product` describes.
pub async fn rates(pricing: &JsonApi, product: &Product) -> Result<Vec<Rate>, Error> {
    let filters: Vec<Value> = product
        .filters
        .iter()
        .map(|(field, value)| json!({"Type": "TERM_MATCH", "Field": field, "Value": value}))
        .collect();
    let mut asked =
        json!({"ServiceCode": product.service, "Filters": filters, "FormatVersion": "aws_v1", "MaxResults": 100});
    let mut rates = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = pricing.call("GetProducts", product.service, asked.clone()).await?;
        let listed = page.get("PriceList").and_then(Value::as_array).into_iter().flatten();
        // Each product is a text that holds JSON.
        let products = listed.filter_map(|it| serde_json::from_str::<Value>(it.as_str()?).ok());
        rates.extend(products.flat_map(|it| Rate::all(&it)));
        match page.get("NextToken").and_then(Value::as_str).filter(|it| !it.is_empty()) {
            Some(next) => asked["NextToken"] = json!(next),
            None => break,
        }
    }
    Ok(rates)
}
