//! Commands, reduced to what to look at.

use runtime::{Argument, Reading, no_such_command};
use serde_json::Value;

use crate::plan::Scope;

/// What a run of this function was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request(pub(crate) Scope);

impl runtime::Request for Request {
    const ACCEPTED: &'static [&'static str] =
        &["{} (look at every bucket)", "{\"dry_run\":true}", "{\"copy\":{\"bucket\":\"NAME\"}}"];

    fn sweep() -> Self {
        Request(Scope::Everything)
    }

    fn command(name: &str, argument: Value) -> Result<Reading<Self>, String> {
        if name != "copy" {
            return Err(no_such_command(name));
        }
        let mut argument = Argument::read(name, argument, "{\"bucket\":\"NAME\"}")?;
        let bucket = argument.text("bucket")?;
        argument.end()?;
        let sound = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-' || it == '.';
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(sound) {
            return Err(format!("\"copy\": \"{bucket}\" is not the name of a bucket"));
        }
        Ok(Reading::Work(Request(Scope::Copy(bucket))))
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
        assert_eq!(sample("copy"), Ok(Reading::Work(Scope::Copy("kfood-uploads".into()))));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_the_word_at_fault() {
        for (payload, wrong) in [
            (json!({"restore": {}}), "there is no command \"restore\""),
            (json!({"copy": {}}), "\"copy\" lacks \"bucket\"; it takes {\"bucket\":\"NAME\"}"),
            (json!({"copy": {"bucket": "KFood"}}), "\"copy\": \"KFood\" is not the name of a bucket"),
        ] {
            assert_eq!(runtime::event(payload).and_then(Request::read), Err(wrong.to_owned()));
        }
    }
}
