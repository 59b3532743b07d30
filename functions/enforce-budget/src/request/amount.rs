//! Amounts as messages spell them, in whatever currency and format.

use rules::budget::Money;

/// The amount in `$1,234.56`, `1.234,56 €`, `₩1,200,000` or `USD -3.20`; `None` where it is not clear.
pub fn read(text: &str) -> Option<Money> {
    let from = text.find(|it: char| it.is_ascii_digit())?;
    let to = text.rfind(|it: char| it.is_ascii_digit())? + 1;
    let number = &text[from..to];
    let sign = if text[..from].contains('-') { "-" } else { "" };
    // The last point or comma begins the decimals if it is the only one of its kind and not before three digits.
    let point = number.rfind(['.', ',']).filter(|at| {
        let mark = &number[*at..=*at];
        let decimals = number.len() - at - 1;
        number.matches(mark).count() == 1 && (decimals != 3 || number.starts_with('0'))
    });
    let (whole, part) = point.map_or((number, ""), |at| (&number[..at], &number[at + 1..]));
    let thousands = |it: &char| matches!(it, '.' | ',' | '\'' | ' ' | '\u{a0}' | '\u{202f}');
    let whole: String = whole.chars().filter(|it| !thousands(it)).collect();
    format!("{sign}{whole}.{part}").parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_format_that_messages_come_in_is_read() {
        for (text, cents) in [
            ("$36.69", Some(3_669)),
            ("$100", Some(10_000)),
            ("$1,234.56", Some(123_456)),
            ("$1,234,567.89", Some(123_456_789)),
            ("1.234,56 €", Some(123_456)),
            ("€1.234.567", Some(123_456_700)),
            ("₩1,200,000", Some(120_000_000)),
            ("CHF 1'234.50", Some(123_450)),
            ("1 234,50 USD", Some(123_450)),
            ("1,234", Some(123_400)),
            ("0.957", Some(95)),
            ("USD -3.20", Some(-320)),
            ("-$3.2", Some(-320)),
            ("3.20 USD (of 300)", None),
            ("N/A", None),
            ("", None),
        ] {
            let read = read(text);
            let expected = cents.map(Money::cents);
            let near = read.zip(expected).is_some_and(|(a, b)| !a.clearly_exceeds(b) && !b.clearly_exceeds(a));
            assert!(near || read == expected, "{text}: {read:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = read(&text);
        }

        #[test]
        fn dollars_with_cents_are_read_exactly(cents in 0..100_000_000_000i64) {
            let whole: Vec<char> = (cents / 100).to_string().chars().rev().collect();
            let grouped: Vec<String> = whole.chunks(3).map(|it| it.iter().rev().collect()).rev().collect();
            let text = format!("${}.{:02}", grouped.join(","), cents % 100);
            prop_assert_eq!(read(&text), Some(Money::cents(cents)), "{}", text);
        }
    }
}

#[cfg(test)]
mod bad_input {
    #[test]
    fn amounts_in_mails() {
        fuzz::texts(&["$304.72", "₩1,234,567", "1.234,56 €", "USD -3.20"], |text| fuzz::used(super::read(text)));
    }
}
