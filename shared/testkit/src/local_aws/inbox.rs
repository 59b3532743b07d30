//! What people would have got: a queue that is subscribed to the stack's topic.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::{
    LocalAws,
    messages::{Inbox, Message},
};
use crate::{Error, Result};

impl LocalAws {
    /// All messages that have been delivered so far, oldest first.
    pub fn messages(&self) -> Result<Vec<Message>> {
        let inbox = self.inbox.as_ref().ok_or_else(|| Error::new("no stack is deployed, so it sends no messages"))?;
        // Held throughout, so that two readers do not get half of the messages each.
        let mut received = inbox.received.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let request = json!({"QueueUrl": inbox.queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0});
            let answer = self.sqs("ReceiveMessage", request)?;
            let batch = answer["Messages"].as_array().cloned().unwrap_or_default();
            if batch.is_empty() {
                return Ok(received.clone());
            }
            let published = self.control("GET", "published", None)?;
            for delivery in batch {
                received.push(message(&delivery, &published)?);
                self.sqs(
                    "DeleteMessage",
                    json!({"QueueUrl": inbox.queue, "ReceiptHandle": delivery["ReceiptHandle"]}),
                )?;
            }
        }
    }

    pub(super) fn subscribe_inbox(&self, topic: &str) -> Result<Inbox> {
        let queue = self.create_queue("nightshift-inbox")?;
        let arn = self.queue_arn("nightshift-inbox");
        self.sns("Subscribe", &[("TopicArn", topic), ("Protocol", "sqs"), ("Endpoint", &arn)])?;
        Ok(Inbox { queue, received: Mutex::default() })
    }

    /// Makes a queue that topics and rules of the account may send to, and returns its URL.
    pub fn create_queue(&self, name: &str) -> Result<String> {
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": self.queue_arn(name),
        }]});
        let attributes = json!({"Policy": policy.to_string()});
        let answer = self.sqs("CreateQueue", json!({"QueueName": name, "Attributes": attributes}))?;
        let url = answer["QueueUrl"].as_str().ok_or_else(|| Error::new(format!("CreateQueue answered {answer}")))?;
        Ok(url.to_owned())
    }

    /// The ARN of a queue.
    pub fn queue_arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{name}", Self::REGION, Self::ACCOUNT)
    }
}

fn message(delivery: &Value, published: &Value) -> Result<Message> {
    let envelope: Value = serde_json::from_str(delivery["Body"].as_str().unwrap_or_default())?;
    let record = published.as_array().into_iter().flatten().find(|it| it["message_id"] == envelope["MessageId"]);
    let forms = record.map(|it| serde_json::from_value(it["forms"].clone())).transpose()?;
    Ok(Message {
        subject: envelope["Subject"].as_str().map(str::to_owned),
        body: envelope["Message"].as_str().unwrap_or_default().to_owned(),
        forms: forms.unwrap_or_default(),
    })
}
