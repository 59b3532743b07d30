//! One instance, its commands and its repository, byte for byte.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::scripted::{Answer, Call, Tables};

pub const DOCUMENT: &str = "nightshift-ComposeDocument-1A2B";

pub fn digest(number: u8) -> String {
    format!("sha256:{number:064x}")
}

pub struct Aws {
    pub tags: BTreeMap<String, String>,
    pub online: bool,
    /// Lists come in pages.
    pub paged: bool,
    /// The tags of the Auto Scaling group `web`, if the instance belongs to one that carries any.
    pub group: BTreeMap<String, String>,
    images: Vec<u8>,
    sent: Vec<Sent>,
}

struct Sent {
    id: String,
    comment: String,
    status: &'static str,
    output: String,
}

impl Aws {
    /// An instance with this rule that runs `v1.1`.
    pub fn shop(rule: &str) -> Self {
        let tags = [("nightshift:deploy", rule), ("Name", "web-1"), ("team", "food")];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Aws { tags, online: true, paged: false, group: BTreeMap::new(), images: vec![1], sent: Vec::new() }
    }

    pub fn push(&mut self, number: u8) {
        self.images.push(number);
    }

    /// A command of another sender.
    pub fn start(&mut self, comment: &str) {
        self.sent.push(Sent {
            id: "c-other".into(),
            comment: comment.into(),
            status: "InProgress",
            output: String::new(),
        });
    }

    /// The last command ends with this outcome.
    pub fn end(&mut self, outcome: &str, running: Option<u8>) {
        let ok = matches!(outcome, "running" | "deployed" | "unchanged");
        let answer = json!({
            "nightshift": 1, "outcome": outcome, "before": digest(1), "running": running.map(digest).unwrap_or_default(),
            "downtime": 4, "migrated": "", "why": if ok { "" } else { "no answer for 60 s" },
        });
        let sent = self.sent.last_mut().expect("one was sent");
        sent.status = if ok { "Success" } else { "Failed" };
        sent.output = format!("{answer}\n");
    }

    fn instances(&self, call: &Call) -> Answer {
        let by_id = call.texts("InstanceId");
        if by_id.is_empty() {
            assert_eq!((call.text("Filter.1.Name"), call.text("Filter.1.Value.1")), ("tag-key", "nightshift:deploy"));
            if self.paged && call.text("NextToken").is_empty() {
                return Answer::Body("<A><reservationSet/><nextToken>more</nextToken></A>".into());
            }
        }
        let tag = |(key, value): (&String, &String)| format!("<item><key>{key}</key><value>{value}</value></item>");
        let tags: String = self.tags.iter().map(tag).collect();
        Answer::Body(format!(
            "<A><reservationSet><item><ownerId>123456789012</ownerId><instancesSet><item><instanceId>i-0abc</instanceId>\
             <instanceState><code>16</code><name>running</name></instanceState><launchTime>2026-11-01T00:00:00.000Z\
             </launchTime><tagSet>{tags}</tagSet></item></instancesSet></item></reservationSet></A>"
        ))
    }

    fn commands(&self, call: &Call) -> Answer {
        assert_eq!(call.text("InstanceId"), "i-0abc");
        let filters: Vec<Value> = call.body["Filters"].as_array().cloned().unwrap_or_default();
        assert!(filters.contains(&json!({"key": "DocumentName", "value": DOCUMENT})), "{filters:?}");
        if self.paged && call.text("NextToken").is_empty() {
            return Answer::Json(json!({"Commands": [], "NextToken": "more"}));
        }
        let command = |it: &Sent| json!({"CommandId": it.id, "Comment": it.comment, "Status": it.status, "DocumentName": DOCUMENT});
        Answer::Json(json!({"Commands": self.sent.iter().map(command).collect::<Vec<_>>()}))
    }
}

impl Tables for Aws {
    fn answer(&mut self, call: &Call) -> Answer {
        match call.operation.as_str() {
            "DescribeInstances" => self.instances(call),
            "CreateTags" => {
                for number in 1.. {
                    let key = call.text(&format!("Tag.{number}.Key")).to_owned();
                    if key.is_empty() {
                        break;
                    }
                    self.tags.insert(key, call.text(&format!("Tag.{number}.Value")).to_owned());
                }
                Answer::Body("<A><return>true</return></A>".into())
            }
            "DeleteTags" if call.text("Tags.member.1.ResourceId").is_empty() => {
                for number in 1.. {
                    let key = call.text(&format!("Tag.{number}.Key"));
                    if key.is_empty() {
                        break;
                    }
                    self.tags.remove(key);
                }
                Answer::Body("<A><return>true</return></A>".into())
            }
            "DescribeAutoScalingGroups" => {
                assert_eq!(call.text("Filters.member.1.Values.member.1"), "nightshift:deploy");
                let tag =
                    |(key, it): (&String, &String)| format!("<member><Key>{key}</Key><Value>{it}</Value></member>");
                let tags: String = self.group.iter().map(tag).collect();
                let arn = "arn:aws:autoscaling:ap-northeast-2:123456789012:autoScalingGroup:1:autoScalingGroupName/web";
                Answer::Body(format!(
                    "<A><R><AutoScalingGroups><member><AutoScalingGroupARN>{arn}</AutoScalingGroupARN>\
                     <AutoScalingGroupName>web</AutoScalingGroupName><Instances><member><InstanceId>i-0abc</InstanceId>\
                     <LifecycleState>InService</LifecycleState></member></Instances><Tags>{tags}</Tags></member>\
                     </AutoScalingGroups></R></A>"
                ))
            }
            "CreateOrUpdateTags" | "DeleteTags" if call.text("Tags.member.1.ResourceId") == "web" => {
                let (key, value) = (call.text("Tags.member.1.Key"), call.text("Tags.member.1.Value"));
                assert_eq!(call.text("Tags.member.1.ResourceType"), "auto-scaling-group");
                match call.operation.as_str() {
                    "DeleteTags" => drop(self.group.remove(key)),
                    _ => {
                        assert_eq!(call.text("Tags.member.1.PropagateAtLaunch"), "false");
                        self.group.insert(key.into(), value.into());
                    }
                }
                Answer::Body("<A/>".into())
            }
            "DescribeInstanceInformation" => {
                let status = if self.online { "Online" } else { "ConnectionLost" };
                Answer::Json(json!({"InstanceInformationList": [{"InstanceId": "i-0abc", "PingStatus": status}]}))
            }
            "ListCommands" => self.commands(call),
            "SendCommand" => {
                let id = format!("c-{}", self.sent.len());
                let comment = call.text("Comment").to_owned();
                // There is no token: whoever asks twice gets two.
                self.sent.push(Sent { id: id.clone(), comment, status: "Pending", output: String::new() });
                Answer::Json(json!({"Command": {"CommandId": id}}))
            }
            "GetCommandInvocation" => match self.sent.iter().find(|it| it.id == call.text("CommandId")) {
                Some(it) => Answer::Json(json!({
                    "Status": it.status, "StatusDetails": it.status, "ResponseCode": 0, "StandardOutputContent": it.output,
                    "ExecutionEndDateTime": "2026-11-21T00:30:00.123Z",
                })),
                None => Answer::Refused("InvocationDoesNotExist"),
            },
            "DescribeImages" => {
                let image = |it: &u8| {
                    json!({
                        "imageDigest": digest(*it), "imageTags": [format!("v1.{it}")],
                        "imagePushedAt": 1_795_000_000 + i64::from(*it), "imageStatus": "ACTIVE",
                    })
                };
                Answer::Json(json!({"imageDetails": self.images.iter().map(image).collect::<Vec<_>>()}))
            }
            other => panic!("the script knows no {other}"),
        }
    }
}
