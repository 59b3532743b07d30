//! Addresses that people have asked after a deployment: `health=URL`.

use std::net::IpAddr;

use http::Uri;

/// Why `url` can never be asked; whether its name exists and is a public one, only DNS can tell.
pub fn fault(url: &str) -> Option<&'static str> {
    // A tag holds neither, and the parser would drop what follows the second.
    if url.contains(['?', '#']) {
        return Some("a tag cannot hold '?' or '#'");
    }
    if !url.is_ascii() {
        return Some("write an international name in its ASCII form, xn--…");
    }
    let Ok(uri) = url.parse::<Uri>() else { return Some("it is not a URL") };
    let Some(scheme) = uri.scheme_str().filter(|it| matches!(*it, "http" | "https")) else {
        return Some("it begins with neither https:// nor http://");
    };
    let Some(authority) = uri.authority() else { return Some("it names no host") };
    if authority.as_str().contains('@') {
        return Some("a user or a password does not belong into a tag");
    }
    let host = authority.host();
    let after_host = authority.as_str().strip_prefix(host).unwrap_or_default();
    if !after_host.is_empty() && uri.port_u16().is_none_or(|it| it == 0) {
        return Some("the port is a number from 1 to 65535");
    }
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(_) if scheme == "http" => Some("over http:// only a name is asked"),
        Ok(_) => None,
        Err(_) => name_fault(host),
    }
}

/// Host names of RFC 1123. One without a dot is never public, nor is one whose last label is a number.
fn name_fault(host: &str) -> Option<&'static str> {
    let sound = |label: &str| {
        let inside = |it: u8| it.is_ascii_alphanumeric() || it == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(inside) && !label.starts_with('-') && !label.ends_with('-')
    };
    let labels: Vec<&str> = host.strip_suffix('.').unwrap_or(host).split('.').collect();
    if host.len() > 253 || !labels.iter().all(|it| sound(it)) {
        return Some("the host name is not valid");
    }
    let top = labels.last().is_some_and(|it| it.bytes().any(|it| it.is_ascii_alphabetic()));
    (labels.len() < 2 || !top).then_some("the host name is not a public one")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_that_can_be_asked_is_accepted() {
        for fine in [
            "https://x.example/health",
            "https://x.example:8443",
            "https://x.example:65535/a/b-c_d~e",
            "http://x.example/",
            "https://8.8.8.8/",
            "https://[2606:4700::1111]:8443/health",
            "https://xn--bcher-kva.example/health",
            "https://x.example./",
        ] {
            assert_eq!(fault(fine), None, "{fine}");
        }
    }

    #[test]
    fn an_address_that_can_never_be_asked_is_refused_with_the_fault() {
        for (wrong, expected) in [
            ("", "it is not a URL"),
            ("/health", "it begins with neither https:// nor http://"),
            ("x.example", "it begins with neither https:// nor http://"),
            ("ftp://x.example/", "it begins with neither https:// nor http://"),
            ("https://", "it is not a URL"),
            ("https:///health", "it is not a URL"),
            ("https://x.example/?a=b", "a tag cannot hold '?' or '#'"),
            ("https://user:word@x.example/", "a user or a password does not belong into a tag"),
            ("https://x.example:0/", "the port is a number from 1 to 65535"),
            ("https://x.example:65536/", "the port is a number from 1 to 65535"),
            ("https://x.example:/", "the port is a number from 1 to 65535"),
            ("https://x.example:https/", "the port is a number from 1 to 65535"),
            ("https://bücher.example/", "write an international name in its ASCII form, xn--…"),
            ("https://-x.example/", "the host name is not valid"),
            ("https://x_y.example/", "the host name is not valid"),
            ("https://x..example/", "the host name is not valid"),
            ("https://localhost/", "the host name is not a public one"),
            ("https://256.1.1.1/", "the host name is not a public one"),
            ("https://2130706433/", "the host name is not a public one"),
            ("http://8.8.8.8/", "over http:// only a name is asked"),
        ] {
            assert_eq!(fault(wrong), Some(expected), "{wrong}");
        }
        let long = format!("https://{}.example/", "a".repeat(64));
        assert_eq!(fault(&long), Some("the host name is not valid"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_is_accepted_can_be_parsed(url in "(https?://)?[a-z0-9.:@/\\[\\]%_-]{0,30}") {
            if fault(&url).is_none() {
                let uri: Uri = url.parse().unwrap();
                prop_assert!(uri.host().is_some_and(|it| !it.is_empty()));
            }
        }
    }
}
