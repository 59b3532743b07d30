//! Sends a message to people through an SNS topic.

use aws_sdk_sns::Client;
use reconcile::message::Message;
use serde_json::json;

/// Publishes `message` to `topic`, in one form for each kind of subscriber.
///
/// Amazon Q Developer subscribes by HTTPS and wants nothing but its own schema; everyone else can read the text.
pub async fn publish(sns: &Client, topic: &str, message: &Message) -> Result<(), aws::Error> {
    let forms = json!({
        "default": message.text,
        "email": message.text,
        "https": message.chat.to_string(),
    });
    sns.publish()
        .topic_arn(topic)
        .subject(&message.subject)
        .message_structure("json")
        .message(forms.to_string())
        .send()
        .await
        .map(drop)
        .map_err(|err| aws::Error::new("Publish", topic, err))
}
