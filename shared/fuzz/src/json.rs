//! Mistakes in JSON: values of other kinds, fields that are missing or new, and mistakes in texts.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::edit::{Edit, edits};

/// How deep a value is nested at most; what Lambda hands on was read by serde_json, which refuses more than 128.
const DEEPEST: usize = 100;

#[derive(Debug, Clone)]
enum Change {
    Replace(Value),
    Remove,
    Text(Edit),
    /// The value inside of lists.
    Nest(usize),
    Copies(usize),
    Another(Index),
}

/// A sample, changed at some places; and a text of JSON with mistakes that can still be read.
pub fn values(samples: &[Value]) -> impl Strategy<Value = Value> + use<> {
    let (samples, texts) = (samples.to_vec(), samples.iter().map(Value::to_string).collect::<Vec<_>>());
    let all = samples.clone();
    let changed =
        (any::<Index>(), vec((vec(any::<Index>(), 0..6), changes()), 0..5)).prop_map(move |(sample, changes)| {
            let mut value = sample.get(&samples).clone();
            changes.iter().for_each(|(path, change)| at(&mut value, path, change, &samples));
            value
        });
    let written = (any::<Index>(), vec(edits(), 0..3)).prop_map(move |(sample, edits)| {
        let mut text = sample.get(&texts).clone();
        edits.iter().for_each(|it| it.make(&mut text, &texts));
        serde_json::from_str(&text).unwrap_or_else(|_| sample.get(&all).clone())
    });
    prop_oneof![4 => changed, 1 => written]
}

fn changes() -> impl Strategy<Value = Change> {
    let odd = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e308),
        json!(0.1),
        json!(""),
        json!(" "),
        json!("\0"),
        json!("null"),
        json!([]),
        json!([null]),
        json!({}),
        json!({"": {}}),
    ];
    prop_oneof![
        4 => select(odd.to_vec()).prop_map(Change::Replace),
        2 => Just(Change::Remove),
        4 => edits().prop_map(Change::Text),
        1 => (1..DEEPEST).prop_map(Change::Nest),
        1 => (2..200_usize).prop_map(Change::Copies),
        1 => any::<Index>().prop_map(Change::Another),
    ]
}

/// Goes down the path as far as there is something, and makes the change there.
fn at(value: &mut Value, path: &[Index], change: &Change, samples: &[Value]) {
    let next = path.split_first();
    match (value, next) {
        (Value::Object(fields), Some((first, rest))) if !fields.is_empty() => {
            let name = fields.keys().nth(first.index(fields.len())).expect("the index is one of it").clone();
            if rest.is_empty() && matches!(change, Change::Remove) {
                fields.shift_remove(&name);
            } else if let Some(inner) = fields.get_mut(&name) {
                at(inner, rest, change, samples);
            }
        }
        (Value::Array(items), Some((first, rest))) if !items.is_empty() => {
            let index = first.index(items.len());
            at(&mut items[index], rest, change, samples);
        }
        (value, _) => {
            let before = value.take();
            *value = made(before, change, samples);
        }
    }
}

fn made(value: Value, change: &Change, samples: &[Value]) -> Value {
    match change {
        Change::Replace(other) => other.clone(),
        Change::Remove => Value::Null,
        Change::Text(edit) => {
            let mut text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            edit.make(&mut text, &[]);
            text.into()
        }
        Change::Nest(times) => (0..*times).fold(value, |inner, _| json!([inner])),
        Change::Copies(times) => vec![value; *times].into(),
        Change::Another(sample) => sample.get(samples).clone(),
    }
}
