//! The binary form in which CloudWatch is spoken to, from and to JSON.
//!
//! A moment is `{"at": SECONDS}` in JSON.

use serde_json::{Map, Value, json};

/// A value in binary form.
pub fn write(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(value, &mut bytes);
    bytes
}

fn put(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Null => bytes.push(0xf6),
        Value::Bool(it) => bytes.push(0xf4 + u8::from(*it)),
        Value::Number(it) if it.is_u64() => head(0, it.as_u64().expect("it is one"), bytes),
        Value::Number(it) => {
            bytes.push(0xfb);
            bytes.extend(it.as_f64().expect("a number").to_be_bytes());
        }
        Value::String(it) => text(it, bytes),
        Value::Array(all) => {
            head(4, all.len() as u64, bytes);
            all.iter().for_each(|it| put(it, bytes));
        }
        Value::Object(fields) if fields.contains_key("at") => {
            head(6, 1, bytes);
            put(&json!(fields["at"].as_f64().expect("seconds")), bytes);
        }
        Value::Object(fields) => {
            head(5, fields.len() as u64, bytes);
            for (name, it) in fields {
                text(name, bytes);
                put(it, bytes);
            }
        }
    }
}

fn text(it: &str, bytes: &mut Vec<u8>) {
    head(3, it.len() as u64, bytes);
    bytes.extend(it.as_bytes());
}

fn head(major: u8, count: u64, bytes: &mut Vec<u8>) {
    bytes.push(major << 5 | 27);
    bytes.extend(count.to_be_bytes());
}

/// A value out of its binary form.
pub fn read(bytes: &[u8]) -> Value {
    if bytes.is_empty() { json!({}) } else { take(&mut bytes.iter().copied()).expect("a value") }
}

/// The next value; `None` at the end of a list or map of unknown length.
fn take(bytes: &mut impl Iterator<Item = u8>) -> Option<Value> {
    let first = bytes.next().expect("a byte");
    if first == 0xff {
        return None;
    }
    let (major, short) = (first >> 5, first & 31);
    let length = match short {
        24..=27 => {
            Some((0..1 << (short - 24)).fold(0_u64, |all, _| all << 8 | u64::from(bytes.next().expect("a byte"))))
        }
        31 => None,
        short => Some(u64::from(short)),
    };
    let wanted = |taken: usize| length.is_none_or(|it| (taken as u64) < it);
    Some(match major {
        0 => json!(length.expect("a length")),
        3 => {
            let text: Vec<u8> = (0..length.expect("a length")).map(|_| bytes.next().expect("a byte")).collect();
            json!(String::from_utf8(text).expect("text"))
        }
        4 => {
            let mut all = Vec::new();
            while wanted(all.len()) {
                let Some(it) = take(bytes) else { break };
                all.push(it);
            }
            json!(all)
        }
        5 => {
            let mut fields = Map::new();
            while wanted(fields.len()) {
                let Some(name) = take(bytes) else { break };
                fields.insert(name.as_str().expect("a name").to_owned(), take(bytes).expect("a value"));
            }
            Value::Object(fields)
        }
        // A tag says what follows; the only one in use is that of a moment, in seconds.
        6 => take(bytes).expect("a value"),
        7 => match short {
            20 => json!(false),
            21 => json!(true),
            27 => json!(f64::from_bits(length.expect("eight bytes"))),
            _ => Value::Null,
        },
        other => panic!("nothing sends a value of the kind {other}"),
    })
}
