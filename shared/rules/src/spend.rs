//! Spend outside of the bill of AWS, such as that of a model's API, as a tag on a budget names it.

use crate::budget::Money;
use crate::keys;
use crate::tag::{BadTag, Reader};

/// The most dimensions that CloudWatch knows of one metric.
const DIMENSIONS: usize = 30;

/// A metric of CloudWatch that counts what is bought elsewhere, and what one of it costs.
///
/// ```
/// use rules::spend::Source;
///
/// let source = Source::read("nightshift:spend-LLM", "metric=TrueGul/LLM/Answers price=0.004 limit=100").unwrap();
/// assert_eq!((source.namespace.as_str(), source.metric.as_str()), ("TrueGul/LLM", "Answers"));
/// assert_eq!(source.cost_of(32_750.0).unwrap().rounded(), "131");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Of the metric.
    pub namespace: String,
    /// The name of the metric.
    pub metric: String,
    /// CloudWatch finds a metric by exactly its dimensions: none, if there are none here.
    pub dimensions: Vec<(String, String)>,
    /// Of one, in the currency of the budget. A token costs less than the millionth of [`Money`].
    pub price: f64,
    /// Its share of the budget's limit.
    pub limit: Option<Money>,
}

/// The name of a source that a tag with this key describes; empty where the key has none.
pub fn name_of(key: &str) -> Option<&str> {
    key.strip_prefix(keys::SPEND)
}

impl Source {
    /// Reads the tag; the error says what is wrong with it.
    pub fn read(key: &str, value: &str) -> Result<Self, String> {
        Self::parsed(value).map_err(|bad| format!("{key}: {} in '{}'; {}", bad.wrong, bad.value, bad.help))
    }

    fn parsed(value: &str) -> Result<Self, BadTag> {
        const METRIC: &str = "NAMESPACE/METRIC, such as metric=TrueGul/LLM/Answers";
        const PRICE: &str = "the price of one, such as price=0.004";
        const DIMENSION: &str = "Name:Value, at most 30 of them";
        let mut tag = Reader::repeating(keys::SPEND, value, "dim")?;
        let metric = tag.option("metric");
        let price = tag.option("price");
        let limit = tag.option("limit");
        let dimensions = tag.all("dim");
        // A misspelt option is told before the one that it leaves missing.
        tag.clone().finish()?;
        let metric = metric.ok_or_else(|| tag.bad("no option 'metric'", format!("metric={METRIC}")))?;
        let price = price.ok_or_else(|| tag.bad("no option 'price'", format!("price={PRICE}")))?;
        // A namespace may hold slashes, and what the last one separates is the name.
        let (namespace, name) = metric.rsplit_once('/').unwrap_or_default();
        if namespace.is_empty() || name.is_empty() {
            return Err(tag.bad_option("metric", metric, METRIC));
        }
        let read = |it: &str| -> Option<(String, String)> {
            let (name, value) = it.split_once(':').filter(|(name, value)| !name.is_empty() && !value.is_empty())?;
            Some((name.into(), value.into()))
        };
        let mut pairs = Vec::new();
        for it in dimensions {
            match read(it) {
                Some(pair) if pairs.len() < DIMENSIONS => pairs.push(pair),
                _ => return Err(tag.bad_option("dim", it, DIMENSION)),
            }
        }
        let limit = match limit {
            Some(text) => match text.parse::<Money>() {
                Ok(limit) if limit > Money::ZERO => Some(limit),
                _ => return Err(tag.bad_option("limit", text, "an amount above 0, such as limit=100")),
            },
            None => None,
        };
        let digits = price.bytes().all(|it| it.is_ascii_digit() || it == b'.');
        let amount = price.parse::<f64>().ok().filter(|it| digits && it.is_finite() && *it > 0.0);
        let price = amount.ok_or_else(|| tag.bad_option("price", price, PRICE))?;
        Ok(Source { namespace: namespace.into(), metric: name.into(), dimensions: pairs, price, limit })
    }

    /// What this many cost; nothing where that is not an amount.
    pub fn cost_of(&self, count: f64) -> Option<Money> {
        Money::of(count * self.price).filter(|it| *it >= Money::ZERO)
    }

    /// `TrueGul/LLM Answers (Model small)`, as the console shows it.
    pub fn title(&self) -> String {
        let dimensions: Vec<String> = self.dimensions.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let dimensions =
            if dimensions.is_empty() { "without dimensions".into() } else { format!("with {}", dimensions.join(", ")) };
        format!("{}, metric {}, {dimensions}", self.namespace, self.metric)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "nightshift:spend-LLM";

    fn read(value: &str) -> Result<Source, String> {
        Source::read(KEY, value)
    }

    #[test]
    fn a_source_is_a_metric_and_the_price_of_one() {
        let source = read("metric=Shop/LLM/Tokens price=0.00000015 dim=Model:gpt:4o dim=Env:prod limit=100").unwrap();
        assert_eq!((source.namespace.as_str(), source.metric.as_str()), ("Shop/LLM", "Tokens"));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(source.dimensions, [pair("Model", "gpt:4o"), pair("Env", "prod")]);
        assert_eq!(source.limit, Some(Money::cents(10_000)));
        assert_eq!(source.cost_of(1_000_000.0), Some(Money::cents(15)));
        assert_eq!(source.title(), "Shop/LLM, metric Tokens, with Model gpt:4o, Env prod");
        assert_eq!(name_of(KEY), Some("LLM"));
        assert_eq!((name_of("nightshift:spend-"), name_of("nightshift:budget")), (Some(""), None));
    }

    #[test]
    fn what_is_not_an_amount_costs_nothing_known() {
        let source = read("metric=Shop/Answers price=0.004").unwrap();
        assert_eq!(source.cost_of(0.0), Some(Money::ZERO));
        for count in [f64::NAN, f64::INFINITY, -250.0, 1e300] {
            assert_eq!(source.cost_of(count), None, "{count}");
        }
    }

    #[test]
    fn what_is_wrong_is_quoted_under_the_key_that_carries_it() {
        for (value, wrong) in [
            (
                "metric=Answers price=1",
                "metric=Answers cannot be understood in 'metric=Answers price=1'; \
                 accepted: metric=NAMESPACE/METRIC, such as metric=TrueGul/LLM/Answers",
            ),
            (
                "metric=Shop/Answers",
                "no option 'price' in 'metric=Shop/Answers'; accepted: price=the price of one, such as price=0.004",
            ),
            (
                "metric=Shop/Answers cost=1",
                "unknown option 'cost' in 'metric=Shop/Answers cost=1'; accepted: metric, price, limit, dim",
            ),
            (
                "metric=A/B price=-1",
                "price=-1 cannot be understood in 'metric=A/B price=-1'; accepted: price=the price of one, such as price=0.004",
            ),
            (
                "metric=A/B price=1 dim=Model",
                "dim=Model cannot be understood in 'metric=A/B price=1 dim=Model'; accepted: dim=Name:Value, at most 30 of them",
            ),
            (
                "metric=A/B price=1 limit=0",
                "limit=0 cannot be understood in 'metric=A/B price=1 limit=0'; accepted: limit=an amount above 0, such as limit=100",
            ),
            (
                "LLM metric=A/B price=1",
                "unknown word 'LLM' in 'LLM metric=A/B price=1'; accepted: no word here, but the options metric, price, limit, dim",
            ),
        ] {
            assert_eq!(read(value).unwrap_err(), format!("{KEY}: {wrong}"));
        }
    }

    proptest! {
        #[test]
        fn no_value_makes_it_panic(value in any::<String>(), count in any::<f64>()) {
            if let Ok(source) = read(&value) {
                let _ = source.cost_of(count);
            }
        }

        #[test]
        fn more_never_costs_less(one in 0..1_000_000_000u64, more in 0..1_000_000u64) {
            let source = read("metric=A/B price=0.004").unwrap();
            prop_assert!(source.cost_of((one + more) as f64) >= source.cost_of(one as f64));
        }
    }
}
