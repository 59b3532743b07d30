//! Commands, reduced to what to look at.

use runtime::{Argument, Reading, no_such_command};
use serde_json::Value;

use crate::plan::{At, Scope, Wanted};

/// What a run of this function was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request(pub(crate) Scope);

impl runtime::Request for Request {
    const ACCEPTED: &'static [&'static str] = &[
        "{} (look at every bucket)",
        "{\"dry_run\":true}",
        "{\"copy\":{\"bucket\":\"NAME\"}}",
        "{\"drill\":{\"bucket\":\"NAME\"}}",
        "{\"restore\":{\"bucket\":\"NAME\",\"at\":\"2026-11-20T03:00\",\"to\":\"BUCKET/prefix\"}}",
    ];

    fn sweep() -> Self {
        Request(Scope::Everything)
    }

    fn command(name: &str, argument: Value) -> Result<Reading<Self>, String> {
        match name {
            "copy" | "drill" => {
                let mut argument = Argument::read(name, argument, "{\"bucket\":\"NAME\"}")?;
                let bucket = bucket_of(name, argument.text("bucket")?)?;
                argument.end()?;
                let scope = if name == "copy" { Scope::Copy(bucket) } else { Scope::Drill(bucket) };
                Ok(Reading::Work(Request(scope)))
            }
            "restore" => {
                let form = "{\"bucket\":\"NAME\",\"at\":\"2026-11-20T03:00\",\"to\":\"BUCKET/prefix\"}";
                let mut argument = Argument::read(name, argument, form)?;
                let bucket = bucket_of(name, argument.text("bucket")?)?;
                let (at, to) = (argument.text("at")?, argument.text("to")?);
                argument.end()?;
                let at = At::read(&at).ok_or_else(|| {
                    format!(
                        "\"restore\": at: '{at}' is not a moment; accepted: 2026-11-20T03:00, with or without +09:00"
                    )
                })?;
                let to = to.parse().map_err(|()| {
                    format!("\"restore\": to: '{to}' is not a folder; accepted: BUCKET/prefix, such as kfood-backups/restored")
                })?;
                Ok(Reading::Work(Request(Scope::Restore(Wanted { bucket, at, to }))))
            }
            other => Err(no_such_command(other)),
        }
    }
}

fn bucket_of(command: &str, name: String) -> Result<String, String> {
    let sound = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-' || it == '.';
    match (3..=63).contains(&name.len()) && name.chars().all(sound) {
        true => Ok(name),
        false => Err(format!("\"{command}\": \"{name}\" is not the name of a bucket")),
    }
}

#[cfg(test)]
mod tests {
    use runtime::Request as _;
    use serde_json::json;

    use super::*;

    fn sample(name: &str) -> Result<Reading<Scope>, String> {
        let path = format!("{}/../../events/copy-buckets/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let payload = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Ok(Request::read(runtime::event(payload)?)?.map(|it| it.0))
    }

    #[test]
    fn every_sample_is_reduced_to_what_to_look_at() {
        for name in ["sweep", "dry-run", "scheduled-default"] {
            assert_eq!(sample(name), Ok(Reading::Work(Scope::Everything)), "{name}");
        }
        let restore = Wanted {
            bucket: "kfood-uploads".into(),
            at: At::Local("2026-11-20T03:00:00".parse().unwrap()),
            to: "kfood-backups/restored".parse().unwrap(),
        };
        assert_eq!(sample("restore"), Ok(Reading::Work(Scope::Restore(restore))));
        assert_eq!(sample("copy"), Ok(Reading::Work(Scope::Copy("kfood-uploads".into()))));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_the_word_at_fault() {
        for (payload, wrong) in [
            (json!({"recover": {}}), "there is no command \"recover\""),
            (
                json!({"restore": {"bucket": "kfood-uploads", "at": "2026-11-20", "to": "kfood-backups/restored"}}),
                "\"restore\": at: '2026-11-20' is not a moment; accepted: 2026-11-20T03:00, with or without +09:00",
            ),
            (
                json!({"restore": {"bucket": "kfood-uploads", "at": "2026-11-20T03:00", "to": "kfood-backups"}}),
                "\"restore\": to: 'kfood-backups' is not a folder; accepted: BUCKET/prefix, such as kfood-backups/restored",
            ),
            (json!({"copy": {}}), "\"copy\" lacks \"bucket\"; it takes {\"bucket\":\"NAME\"}"),
            (json!({"copy": {"bucket": "KFood"}}), "\"copy\": \"KFood\" is not the name of a bucket"),
        ] {
            assert_eq!(runtime::event(payload).and_then(Request::read), Err(wrong.to_owned()));
        }
    }
}
