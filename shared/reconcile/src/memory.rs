//! Tells the same problem once, then again only when it changes or after a day; some after a month.
//!
//! The memory of what was told is a tag on the resource itself; this module only decides its value.
//! It reads `KINDS DIGEST told=MOMENT`: the kinds for people who look at the tag, the digest to see a change.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, Zoned};
use sha2::{Digest, Sha256};

use crate::report::{Action, Outcome, Problem, Report};

/// After this time a problem that is still there is told again.
const TELL_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The same for what is monthly.
const A_MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What of a report is news to people, and what to remember of it.
#[derive(Debug, PartialEq)]
pub struct News<'a> {
    /// Problems that were not told before.
    pub problems: Vec<&'a Problem>,
    /// Failed actions that were not told before.
    pub failures: Vec<&'a Action>,
    /// Why the plan as a whole was refused, if that was not told before.
    pub refused: Option<&'a str>,
    /// What to remember on which resource, once it has been told.
    pub notes: Vec<Note>,
}

/// A change to what a resource remembers of the problems told about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// The resource's ARN.
    pub resource: String,
    /// The new memory; `None` to forget.
    pub value: Option<String>,
}

/// What of `report` was not told before, by the memory that the examined resources hold.
///
/// A resource that cannot remember (it is not in `remembered`) is told about every time. That a plan was refused is
/// remembered under the name of the function.
pub fn news<'a>(report: &'a Report, remembered: &BTreeMap<String, Option<String>>, now: &Zoned) -> News<'a> {
    let mut troubles: BTreeMap<&str, Wrong> = BTreeMap::new();
    for problem in &report.problems {
        troubles.entry(&problem.resource).or_default().problems.push(problem);
    }
    for action in report.actions.iter().filter(|it| it.outcome == Outcome::Failed) {
        troubles.entry(&action.resource).or_default().failures.push(action);
    }
    if let Some(refused) = report.plan_refused() {
        troubles.entry(&report.function).or_default().refused = Some(refused);
    }
    let mut news = News { problems: Vec::new(), failures: Vec::new(), refused: None, notes: Vec::new() };
    for (resource, trouble) in &troubles {
        let told = remembered.get(*resource).and_then(|it| it.as_deref()).and_then(Told::parse);
        if told.is_some_and(|it| it.digest == trouble.digest() && !it.is_older_than(trouble.tell_again_after(), now)) {
            continue;
        }
        news.problems.extend(&trouble.problems);
        news.failures.extend(&trouble.failures);
        news.refused = news.refused.or(trouble.refused);
        if remembered.contains_key(*resource) {
            news.notes.push(Note { resource: resource.to_string(), value: Some(trouble.memory(now)) });
        }
    }
    for (resource, memory) in remembered {
        if memory.is_some() && !troubles.contains_key(resource.as_str()) {
            news.notes.push(Note { resource: resource.clone(), value: None });
        }
    }
    news
}

/// All that is wrong with one resource.
#[derive(Default)]
struct Wrong<'a> {
    problems: Vec<&'a Problem>,
    failures: Vec<&'a Action>,
    refused: Option<&'a str>,
}

impl Wrong<'_> {
    /// The same as long as the causes are the same. Of a failure the code counts: the messages of some services hold
    /// moments and counts.
    fn digest(&self) -> String {
        let mut causes: Vec<String> =
            self.problems.iter().map(|it| format!("{}\n{}{}", it.problem, it.message, choices(it))).collect();
        causes.extend(self.failures.iter().map(|it| {
            let code = it.error.as_ref().map_or("", |error| &error.code);
            format!("failed {}\n{code}", it.action)
        }));
        causes.extend(self.refused.map(|it| format!("refused\n{it}")));
        causes.sort();
        Sha256::digest(causes.join("\n\n")).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Monthly if all that is wrong is.
    fn tell_again_after(&self) -> SignedDuration {
        let monthly = self.failures.is_empty() && self.refused.is_none() && self.problems.iter().all(|it| it.monthly);
        if monthly { A_MONTH } else { TELL_AGAIN_AFTER }
    }

    fn memory(&self, now: &Zoned) -> String {
        let mut kinds: Vec<&str> = self.problems.iter().map(|it| it.problem.as_str()).collect();
        kinds.extend(self.failures.iter().map(|_| "failed"));
        kinds.extend(self.refused.map(|_| "refused"));
        kinds.sort();
        kinds.dedup();
        kinds.truncate(4);
        format!("{} {} told={:.0}", kinds.join("+"), self.digest(), now.timestamp())
    }
}

/// What a person could decide: of another image it is another question, though the words are the same.
fn choices(problem: &Problem) -> String {
    problem.choices.iter().map(|it| format!("\n{}", it.line())).collect()
}

/// What a resource remembers of what was told; what cannot be read counts as never told.
struct Told<'a> {
    digest: &'a str,
    at: Timestamp,
}

impl<'a> Told<'a> {
    fn parse(memory: &'a str) -> Option<Self> {
        let mut words = memory.split_whitespace().skip(1);
        let digest = words.next()?;
        let at = words.next()?.strip_prefix("told=")?.parse().ok()?;
        Some(Told { digest, at })
    }

    fn is_older_than(&self, span: SignedDuration, now: &Zoned) -> bool {
        now.timestamp().duration_since(self.at) >= span
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Failure;

    const NOW: &str = "2026-11-21T03:10:00+09:00[Asia/Seoul]";

    fn now() -> Zoned {
        NOW.parse().unwrap()
    }

    fn report(problems: &[(&str, &str, &str)], failures: &[(&str, &str)]) -> Report {
        Report {
            actions: failures
                .iter()
                .map(|(resource, code)| Action {
                    resource: resource.to_string(),
                    action: "set",
                    headline: String::new(),
                    tells: None,
                    is_in_daily_report: false,
                    story: None,
                    reason: String::new(),
                    before: ().into(),
                    after: ().into(),
                    outcome: Outcome::Failed,
                    error: Some(Failure {
                        code: code.to_string(),
                        message: "as it is at the moment".into(),
                        request_id: None,
                    }),
                    undo: None,
                    choices: Vec::new(),
                    offer: None,
                })
                .collect(),
            problems: problems
                .iter()
                .map(|(resource, problem, message)| Problem {
                    resource: resource.to_string(),
                    problem: problem.to_string(),
                    message: message.to_string(),
                    kind: crate::MessageKind::NeedsYou,
                    story: None,
                    choices: Vec::new(),
                    monthly: false,
                })
                .collect(),
            ..Report::new("test", now())
        }
    }

    /// The memory after `report` was told at `now`, starting from `memory`, and whether anything was told.
    fn tell(report: &Report, memory: Option<&str>, now: &Zoned) -> (Option<String>, bool) {
        let remembered = BTreeMap::from([("a".to_string(), memory.map(str::to_owned))]);
        let news = news(report, &remembered, now);
        let told = !news.problems.is_empty() || !news.failures.is_empty();
        let after = news.notes.first().map_or(memory.map(str::to_owned), |note| note.value.clone());
        (after, told)
    }

    #[test]
    fn the_same_problem_is_told_once_and_again_after_a_day() {
        let trouble = report(&[("a", "bad-tag", "unknown word 'x'")], &[]);
        let (memory, told) = tell(&trouble, None, &now());
        assert!(told);
        assert!(memory.as_deref().unwrap().starts_with("bad-tag "));
        assert!(memory.as_deref().unwrap().ends_with(" told=2026-11-20T18:10:00Z"));
        let hour = now().checked_add(SignedDuration::from_hours(1)).unwrap();
        assert_eq!(tell(&trouble, memory.as_deref(), &hour), (memory.clone(), false));
        let day = now().checked_add(SignedDuration::from_hours(24)).unwrap();
        let (again, told) = tell(&trouble, memory.as_deref(), &day);
        assert!(told);
        assert_ne!(again, memory);
    }

    #[test]
    fn a_monthly_problem_is_told_again_after_a_month_unless_another_is_with_it() {
        let mut trouble = report(&[("a", "last-backups", "x")], &[]);
        trouble.problems[0].monthly = true;
        let (memory, _) = tell(&trouble, None, &now());
        let later = |days: i64| now().checked_add(SignedDuration::from_hours(days * 24)).unwrap();
        assert!(!tell(&trouble, memory.as_deref(), &later(29)).1);
        assert!(tell(&trouble, memory.as_deref(), &later(30)).1);
        trouble.problems.extend(report(&[("a", "bad-tag", "y")], &[]).problems);
        let (memory, _) = tell(&trouble, None, &now());
        assert!(tell(&trouble, memory.as_deref(), &later(1)).1);
    }

    #[test]
    fn a_changed_problem_is_told_at_once_and_a_solved_one_forgotten() {
        let (memory, _) = tell(&report(&[("a", "bad-tag", "unknown word 'x'")], &[]), None, &now());
        let (_, told) = tell(&report(&[("a", "bad-tag", "unknown word 'y'")], &[]), memory.as_deref(), &now());
        assert!(told);
        assert_eq!(tell(&report(&[], &[]), memory.as_deref(), &now()), (None, false));
    }

    #[test]
    fn a_failure_is_the_same_as_long_as_its_code_is() {
        let (memory, told) = tell(&report(&[], &[("a", "AccessDenied")]), None, &now());
        assert!(told);
        assert!(!tell(&report(&[], &[("a", "AccessDenied")]), memory.as_deref(), &now()).1);
        assert!(tell(&report(&[], &[("a", "Throttling")]), memory.as_deref(), &now()).1);
    }

    #[test]
    fn a_resource_that_cannot_remember_is_told_about_every_time() {
        let trouble = report(&[("elsewhere", "bad-tag", "x")], &[]);
        let news = news(&trouble, &BTreeMap::new(), &now());
        assert_eq!((news.problems.len(), news.notes.len()), (1, 0));
    }

    #[test]
    fn an_unreadable_memory_counts_as_never_told() {
        for memory in ["", "x", "a b c", "a b told=yesterday", "a b told="] {
            assert!(tell(&report(&[("a", "bad-tag", "x")], &[]), Some(memory), &now()).1, "{memory:?}");
        }
    }
}
