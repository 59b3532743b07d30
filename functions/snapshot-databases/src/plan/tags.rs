//! Which tags a snapshot gets.

use std::collections::BTreeMap;

use rules::keys;

/// RDS takes no more tags.
const MOST_TAGS: usize = 50;

/// The tags of a new snapshot: those of what it is made of that `wanted` lets through, and `ours`.
///
/// All of them have to be given: with a single tag of our own RDS copies none of the database's.
pub fn tags(
    of: &BTreeMap<String, String>,
    ours: &[(&'static str, String)],
    wanted: impl Fn(&str) -> bool,
) -> Vec<(String, String)> {
    let reserved = |key: &str| ["aws:", "rds:"].iter().any(|it| key.to_ascii_lowercase().starts_with(it));
    let is_ours = |key: &str| ours.iter().any(|(it, _)| *it == key);
    let inherited = of.iter().filter(|(key, _)| wanted(key) && !reserved(key) && !is_ours(key));
    let mut tags: Vec<(String, String)> = ours.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
    // Of too many tags those go that Nightshift does not need.
    let (needed, others): (Vec<_>, Vec<_>) = inherited.partition(|(key, _)| key.starts_with(keys::MEMORY));
    tags.extend(needed.into_iter().chain(others).map(|(key, value)| (key.clone(), value.clone())));
    tags.truncate(MOST_TAGS);
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_the_database_come_along_and_reserved_ones_do_not() {
        let of = [("team", "food"), ("aws:cloudformation:stack-name", "x"), ("RDS:x", "y"), ("mine", "old")];
        let of = of.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let tags = tags(&of, &[("mine", "new".into())], |_| true);
        assert_eq!(tags, [("mine".into(), "new".into()), ("team".into(), "food".into())]);
    }

    #[test]
    fn of_too_many_tags_those_of_the_database_go() {
        let of = (0..60).map(|it| (format!("team-{it:02}"), String::new())).collect();
        let tags = tags(&of, &[("mine", "new".into())], |_| true);
        assert_eq!((tags.len(), tags[0].0.as_str(), tags[49].0.as_str()), (50, "mine", "team-48"));
    }
}
