//! Events and commands, reduced to what is shown or told.

use board::Section;
use runtime::{Reading, no_such_command};
use serde_json::Value;

use crate::plan::scope::{Period, Scope};

/// What a run of this function was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request(pub(crate) Scope);

/// What CloudWatch shows where a person adds the widget: it fills the parameters in from the first block.
pub const DESCRIPTION: &str = "\
## Nightshift's board
Shows what the functions of the stack would do, with buttons for what needs a person.

### Parameters
`board`: `all`, or one or more of `tonight`, `images`, `backups`, `money`, `alarms`, `needs-you`, separated by spaces.

### Example
```yaml
board: needs-you
```
Each viewer invokes this function, and each button another one of the stack, with their own rights.
";

impl runtime::Request for Request {
    const ACCEPTED: &'static [&'static str] = &[
        "{} (the whole board)",
        "{\"board\":\"tonight images backups money alarms needs-you\"} (these parts of it)",
        "{\"report\":\"day\"}, {\"report\":\"week\"}, {\"report\":\"month\"}",
        "{\"describe\":true}",
    ];

    fn sweep() -> Self {
        Request(Scope::Board(Section::ALL.map(|(_, it)| it).to_vec()))
    }

    fn command(name: &str, argument: Value) -> Result<Reading<Self>, String> {
        let scope = match (name, &argument) {
            ("describe", Value::Bool(true)) => Scope::Describe,
            ("describe", other) => return Err(format!("\"describe\" takes true, not {other}")),
            ("board", Value::String(names)) => Scope::Board(sections(names)?),
            ("board", other) => return Err(format!("\"board\" takes a text, not {other}; accepted: {}", names())),
            ("report", Value::String(period)) => Scope::Report(
                Period::named(period)
                    .ok_or_else(|| format!("\"report\": unknown word \"{period}\"; accepted: day, week, month"))?,
            ),
            ("report", other) => return Err(format!("\"report\" takes day, week or month, not {other}")),
            _ => return Err(no_such_command(name)),
        };
        Ok(Reading::Work(Request(scope)))
    }
}

fn names() -> String {
    let names: Vec<&str> = Section::ALL.iter().map(|(name, _)| *name).collect();
    format!("all, {}", names.join(", "))
}

fn sections(text: &str) -> Result<Vec<Section>, String> {
    let mut sections = Vec::new();
    for word in text.split_whitespace() {
        match Section::named(word) {
            Some(section) if sections.contains(&section) => {}
            Some(section) => sections.push(section),
            None if word == "all" => return Ok(Section::ALL.map(|(_, it)| it).to_vec()),
            None => return Err(format!("\"board\": unknown word \"{word}\"; accepted: {}", names())),
        }
    }
    match sections.is_empty() {
        true => Err(format!("\"board\" names nothing; accepted: {}", names())),
        false => Ok(sections),
    }
}

#[cfg(test)]
mod tests {
    use runtime::Request as _;
    use serde_json::json;

    use super::*;

    fn read(payload: Value) -> Result<Reading<Scope>, String> {
        Ok(Request::read(runtime::event(payload)?)?.map(|it| it.0))
    }

    fn sample(name: &str) -> Result<Reading<Scope>, String> {
        let path = format!("{}/../../events/report-operations/{name}.json", env!("CARGO_MANIFEST_DIR"));
        read(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    #[test]
    fn every_sample_is_reduced_to_what_is_shown_or_told() {
        let all = Section::ALL.map(|(_, it)| it).to_vec();
        assert_eq!(sample("sweep"), Ok(Reading::Work(Scope::Board(all.clone()))));
        assert_eq!(sample("dry-run"), Ok(Reading::Work(Scope::Board(all))));
        assert_eq!(sample("describe"), Ok(Reading::Work(Scope::Describe)));
        assert_eq!(sample("widget"), Ok(Reading::Work(Scope::Board(vec![Section::NeedsYou, Section::Images]))));
        for (name, period) in
            [("report-day", Period::Day), ("report-week", Period::Week), ("report-month", Period::Month)]
        {
            assert_eq!(sample(name), Ok(Reading::Work(Scope::Report(period))), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_shown_is_refused_with_the_word_at_fault() {
        let accepted = "accepted: all, tonight, images, backups, money, alarms, needs-you";
        for (payload, wrong) in [
            (json!({"board": "images sleep"}), format!("\"board\": unknown word \"sleep\"; {accepted}")),
            (json!({"board": ""}), format!("\"board\" names nothing; {accepted}")),
            (json!({"board": 1}), format!("\"board\" takes a text, not 1; {accepted}")),
            (json!({"report": "year"}), "\"report\": unknown word \"year\"; accepted: day, week, month".into()),
            (json!({"describe": false}), "\"describe\" takes true, not false".into()),
            (json!({"rollback": {}}), "there is no command \"rollback\"".into()),
        ] {
            assert_eq!(read(payload), Err(wrong));
        }
    }
}
