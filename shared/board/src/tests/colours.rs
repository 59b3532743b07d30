//! Whether what is written and drawn can be told from what is behind it, for people who see less contrast too.

use std::collections::BTreeMap;

use crate::Theme;
use crate::style::style;

/// What WCAG 2 asks of text, and of what is drawn.
const TEXT: f64 = 4.5;
const DRAWN: f64 = 3.0;

/// The relative luminance of a colour such as `#16191f` or `#fff`, as WCAG 2 defines it.
fn luminance(colour: &str) -> f64 {
    let digits: String = match colour.len() {
        4 => colour.chars().skip(1).flat_map(|it| [it, it]).collect(),
        _ => colour.chars().skip(1).collect(),
    };
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.03928 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// The colours of a style by selector and property, the last rule of each: what holds in a browser.
fn colours(style: &str) -> BTreeMap<(String, String), String> {
    let mut colours = BTreeMap::new();
    for rule in style.split('}') {
        let Some((selector, body)) = rule.rsplit_once('{') else { continue };
        let selector = selector.rsplit('{').next().unwrap_or_default();
        for (property, value) in body.split(';').filter_map(|it| it.split_once(':')) {
            if value.starts_with('#') {
                colours.insert((selector.to_owned(), property.to_owned()), value.to_owned());
            }
        }
    }
    colours
}

#[test]
fn every_text_and_everything_drawn_has_the_contrast_that_people_need_in_both_themes() {
    assert!((contrast("#fff", "#000000") - 21.0).abs() < 0.01, "the largest there is");
    for theme in [Theme::Light, Theme::Dark, Theme::Either] {
        let colours = colours(&style(theme));
        let of = |selector: &str, property: &str| &colours[&(selector.to_owned(), property.to_owned())];
        let (page, trough) = (of(".ns", "background"), of(".ns .bg", "fill"));
        let (mut texts, mut drawn) = (0, 0);
        for ((selector, property), colour) in &colours {
            match property.as_str() {
                "color" => {
                    texts += 1;
                    let found = contrast(colour, page);
                    assert!(found >= TEXT, "{theme:?}: {selector} has {found:.2} to 1 on the page");
                }
                "fill" if selector != ".ns .bg" => {
                    drawn += 1;
                    let found = contrast(colour, trough);
                    assert!(found >= DRAWN, "{theme:?}: {selector} has {found:.2} to 1 on its bar");
                }
                _ => {}
            }
        }
        assert_eq!((texts, drawn), (5, 6), "{theme:?}: a new colour is checked too");
    }
}
