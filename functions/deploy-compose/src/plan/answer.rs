//! The last line that the script writes, as `deploy/compose/README.md` describes it.

use serde_json::Value;

use super::world::{Answer, Outcome};

/// How much of a reason is told to people.
const LONGEST: usize = 300;

/// The answer in the output of a command; none if the script did not come to its end.
pub fn answer_of(output: &str) -> Option<Answer> {
    let last = output.lines().rev().find(|it| !it.trim().is_empty())?;
    let answer: Value = serde_json::from_str(last.trim()).ok()?;
    // A later version may mean something else by the same words.
    if answer["nightshift"] != 1 {
        return None;
    }
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    let outcome = match text("outcome") {
        "running" => Outcome::Running,
        "deployed" => Outcome::Deployed,
        "unchanged" => Outcome::Unchanged,
        "restored" => Outcome::Restored,
        "failed" => Outcome::Failed,
        "refused" => Outcome::Refused,
        _ => return None,
    };
    // What a program printed goes into messages.
    let plain = |it: char| if it.is_control() { ' ' } else { it };
    Some(Answer {
        outcome,
        before: text("before").parse().ok(),
        running: text("running").parse().ok(),
        downtime: answer["downtime"].as_u64().unwrap_or_default(),
        migration_failed: text("migrated") == "failed",
        why: text("why").chars().map(plain).take(LONGEST).collect::<String>().trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_answer_and_anything_else_is_none() {
        let line = r#"{"nightshift":1,"outcome":"restored","before":"","running":"sha256:x","downtime":4,"migrated":"","why":"a\tb"}"#;
        let answer = answer_of(&format!("pulling\n{line}\n\n")).unwrap();
        assert_eq!((answer.outcome, answer.downtime, answer.running), (Outcome::Restored, 4, None));
        assert_eq!(answer.why, "a b");
        let later = line.replace("\"nightshift\":1", "\"nightshift\":2");
        let other = line.replace("restored", "exploded");
        for none in ["", "\n", "done", "{", "[]", "null", &later, &other, &format!("{line}\nbye")] {
            assert_eq!(answer_of(none), None, "{none}");
        }
    }
}
