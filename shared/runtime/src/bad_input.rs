//! Payloads and settings with mistakes in them.

use std::collections::BTreeMap;

use fuzz::used;
use serde_json::json;

use crate::answer;
use crate::event::Incoming;
use crate::settings::Settings;

#[test]
fn payloads() {
    fuzz::events("remediate-alarm", |payload| {
        used(answer::reader(&payload) as u8);
        used(Incoming::read(payload));
    });
}

/// Lambda hands on bytes. What cannot be read as JSON never gets here; what is nearly JSON does.
#[test]
fn payloads_as_they_are_written() {
    let samples: Vec<String> = fuzz::event_samples().iter().map(|(_, it)| it.to_string()).collect();
    let samples: Vec<&str> = samples.iter().map(String::as_str).collect();
    fuzz::texts(&samples, |text| {
        if let Ok(payload) = serde_json::from_str(text) {
            used(Incoming::read(payload));
        }
    });
}

#[test]
fn settings_of_a_stack() {
    let sample = json!({
        "NIGHTSHIFT_BACKUP_BUCKETS": "arn:aws:s3:::kfood-uploads arn:aws:s3:::kfood-logs",
        "NIGHTSHIFT_COPY_AT": "03:00",
        "NIGHTSHIFT_COPY_REGIONS": "us-west-2=arn:aws:kms:us-west-2:123456789012:key/1 eu-west-1",
        "NIGHTSHIFT_COPY_ROLE_ARN": "arn:aws:iam::123456789012:role/copies",
        "NIGHTSHIFT_DRY_RUN": "true",
        "NIGHTSHIFT_FREEZE": "2026-12-20/2027-01-03",
        "NIGHTSHIFT_HOLIDAYS": "2026-12-25 01-01",
        "NIGHTSHIFT_MAX_CHANGES": "500",
        "NIGHTSHIFT_NOW": "2026-11-21T03:10:00+09:00",
        "NIGHTSHIFT_ROUTINE": "daily",
        "NIGHTSHIFT_RUNBOOK_BASE": "https://wiki.example/{function}#{problem}",
        "NIGHTSHIFT_SCHEDULES": "office=mon-fri 08:00-20:00; demo=always",
        "NIGHTSHIFT_TIME_ZONE": "Asia/Seoul",
        "NIGHTSHIFT_TOPIC_ARN": "arn:aws:sns:ap-northeast-2:123456789012:nightshift",
    });
    fuzz::values(&[sample], |it| {
        let text = |it: &serde_json::Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
        let all = it.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value)));
        let variables: BTreeMap<String, String> = all.collect();
        used(Settings::read(&variables).map_err(|it| it.to_string()));
    });
}
