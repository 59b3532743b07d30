//! A headline within the length of a subject: whole facts are left out, not letters of one.

/// Between what stands alone and what explains it. A sentence that ends before one of these is true all the same; one
/// that ends before "but", "if", "until" or "unless" need not be.
const JOINTS: [&str; 15] = [
    ": ",
    ", so ",
    ", since ",
    ", and ",
    ", which ",
    ", of which ",
    ", in which ",
    ", from where ",
    ", because ",
    ", such as ",
    ", as ",
    ", worst ",
    ", see ",
    ", from ",
    ", checked by ",
];

/// What AWS answered comes after this; an operation without its error says nothing.
const UNREADABLE: &str = " cannot be read: ";

/// With fewer words there is a name, and nothing is said of it.
const FEWEST_WORDS: usize = 2;

/// `headline` in at most `longest` characters: without what stands in brackets, or up to a joint, whichever says more.
/// Where that leaves nothing, whole words and an ellipsis.
pub fn to(headline: &str, longest: usize) -> String {
    let mut without_brackets = headline.to_owned();
    let mut best = ends_at_joint(headline, longest);
    while let Some(shorter) = without_last_brackets(&without_brackets) {
        without_brackets = shorter;
        let it = ends_at_joint(&without_brackets, longest);
        if length(it.as_deref()) > length(best.as_deref()) {
            best = it;
        }
    }
    best.unwrap_or_else(|| whole_words(headline, longest))
}

fn length(text: Option<&str>) -> usize {
    text.map_or(0, |it| it.chars().count())
}

/// The whole text where it fits, else as much as ends before a joint and says something.
fn ends_at_joint(text: &str, longest: usize) -> Option<String> {
    if text.chars().count() <= longest {
        return Some(text.to_owned());
    }
    let name = text.find(": ").map_or(0, |at| at + 2);
    let end = text.find(UNREADABLE).map_or(text.len(), |at| at + UNREADABLE.len());
    let mut best = None;
    for (at, _) in outside(text).filter(|(at, _)| (name..end).contains(at)) {
        let says_something = text[name..at].split(' ').count() >= FEWEST_WORDS;
        let fits = text[..at].chars().count() <= longest;
        if fits && says_something && JOINTS.iter().any(|it| text[at..].starts_with(it)) {
            best = Some(text[..at].to_owned());
        }
    }
    best
}

/// The characters that stand neither in brackets nor in quotation marks.
fn outside(text: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut depth, mut quote, mut before) = (0_usize, None, ' ');
    text.char_indices().filter(move |(at, it)| {
        let after = text[at + it.len_utf8()..].chars().next();
        let was = std::mem::replace(&mut before, *it);
        match (quote, it) {
            (Some(open), it) => {
                // An apostrophe within a word ends no quotation.
                if open == *it && !after.is_some_and(char::is_alphanumeric) {
                    quote = None;
                }
                return false;
            }
            (None, '\'' | '"') if !was.is_alphanumeric() => quote = Some(*it),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && quote.is_none()
    })
}

/// The text without the last `(…)` that follows the name, if there is one.
fn without_last_brackets(text: &str) -> Option<String> {
    let name = text.find(": ")?;
    let from = text.rfind(" (").filter(|it| *it > name)?;
    let to = from + text[from..].find(')')? + 1;
    Some(format!("{}{}", &text[..from], &text[to..]))
}

/// The first words, with an ellipsis; of a word that is too long alone its first letters.
fn whole_words(text: &str, longest: usize) -> String {
    let cut: String = text.chars().take(longest - "...".len()).collect();
    let words = cut.rfind(' ').filter(|it| it * 2 > cut.len());
    format!("{}...", cut[..words.unwrap_or(cut.len())].trim_end_matches([',', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(headline: &str, expected: &str) {
        assert_eq!(to(headline, 60), expected);
        assert!(expected.len() <= 60);
    }

    #[test]
    fn a_headline_ends_where_a_fact_ends() {
        check("shop/api: v2 is live", "shop/api: v2 is live");
        check(
            "shop/api: v2 is not deployed: its migration was interrupted: SpotInterruption of its task",
            "shop/api: v2 is not deployed: its migration was interrupted",
        );
        check(
            "app: it is stopped, and AWS takes no snapshot of a stopped database: start it, then ask again",
            "app: it is stopped",
        );
    }

    #[test]
    fn what_stands_in_brackets_is_left_out_where_more_is_said_then() {
        check(
            "shop/api: v2 (sha256:000000000000) is held back: its scan found 1 CRITICAL",
            "shop/api: v2 is held back: its scan found 1 CRITICAL",
        );
        check(
            "staging/api: gets more tasks (3 -> 4 tasks) until 22:00, as alarm:cpu asks",
            "staging/api: gets more tasks until 22:00, as alarm:cpu asks",
        );
    }

    #[test]
    fn nothing_ends_before_a_word_that_turns_its_meaning_around() {
        let but = "app: the snapshots of these databases are deleted, but not the newest ones";
        check(but, "app: the snapshots of these databases are deleted, but...");
        let unless = "app: it is deleted in an hour from now, unless a person who may do that says so";
        check(unless, "app: it is deleted in an hour from now, unless a person...");
    }

    #[test]
    fn nothing_ends_within_a_quotation_or_right_after_the_name() {
        check(
            "app: RDS says \"broken: the key is gone, and so is the data\" of this database",
            "app: RDS says \"broken: the key is gone, and so is the...",
        );
        check(
            "kfood-uploads: failed: choosing the objects of a copy, with which it is compared",
            "kfood-uploads: failed: choosing the objects of a copy...",
        );
    }

    #[test]
    fn what_aws_answered_is_left_out_as_a_whole() {
        check(
            "shop/api: the images of api cannot be read: DescribeImages api: AccessDenied",
            "shop/api: the images of api cannot be read",
        );
    }

    #[test]
    fn it_fits_whatever_it_says() {
        for headline in [
            "서비스: 배포, 배포, and 배포 (배포: 배포) '배포".repeat(20),
            "a: (((b) c), so (d: e)), which 'f: g".repeat(20),
            "a-service-with-a-name-".repeat(20),
            ": , and ) ' \" (".repeat(20),
        ] {
            for longest in 10..150 {
                let short = to(&headline, longest);
                assert!(short.chars().count() <= longest, "{short}");
                assert_eq!(short.chars().next(), headline.chars().next());
            }
        }
    }
}
