//! Sends a message to people through an SNS topic.

use std::collections::HashMap;

use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use reconcile::message::Message;
use serde_json::json;

/// Publishes `message` to `topic`, in one form for each kind of subscriber.
///
/// Amazon Q Developer subscribes by HTTPS and wants nothing but its own schema; everyone else can read the text.
/// The attributes are what a subscription can filter by: `kind`, `function` and `resource`.
pub async fn publish(sns: &Client, topic: &str, function: &str, message: &Message) -> Result<(), aws::Error> {
    let forms = json!({
        "default": message.text,
        "email": message.text,
        "https": message.chat.to_string(),
    });
    let publish = sns
        .publish()
        .topic_arn(topic)
        .subject(&message.subject)
        .message_structure("json")
        .message(forms.to_string())
        .set_message_attributes(Some(attributes(function, message)));
    publish.send().await.map(drop).map_err(|err| aws::Error::new("Publish", topic, err))
}

fn attributes(function: &str, message: &Message) -> HashMap<String, MessageAttributeValue> {
    let all = [
        ("kind", "String", message.kind.to_string()),
        ("function", "String", function.to_owned()),
        // A filter matches if one of them does.
        ("resource", "String.Array", json!(message.resources).to_string()),
    ];
    let value = |kind, value| MessageAttributeValue::builder().data_type(kind).string_value(value).build().ok();
    all.into_iter().filter_map(|(name, kind, text)| Some((name.to_owned(), value(kind, text)?))).collect()
}
