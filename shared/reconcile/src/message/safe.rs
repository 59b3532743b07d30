//! Names and texts from outside, made safe for a message: nobody can add a line to it, a link, or a mention.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// `text` in one line, without characters that change the order or the meaning of the others.
pub fn one_line(text: &str) -> Cow<'_, str> {
    let safe = |it: char| match it {
        '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        it if it.is_control() || is_invisible(it) => '\u{fffd}',
        it => it,
    };
    match text.chars().any(|it| safe(it) != it) {
        true => text.chars().map(safe).collect::<String>().into(),
        false => text.into(),
    }
}

/// Bidirectional controls make text read otherwise than it is; invisible characters make two names look the same.
fn is_invisible(it: char) -> bool {
    matches!(it,
        '\u{61c}' | '\u{ad}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` in one line, with every address made one that no program follows, but those of AWS's consoles.
pub fn fact(text: &str) -> String {
    let text = one_line(text);
    let mut safe = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at);
        safe.push_str(before);
        let scheme = before.rsplit(|it: char| !it.is_ascii_alphanumeric()).next().unwrap_or_default();
        safe.push_str(if scheme == "https" && is_console(&after[3..]) { "://" } else { "[:]//" });
        rest = &after[3..];
    }
    safe.push_str(rest);
    safe
}

/// Whether an address, without its scheme, is one of an AWS console.
fn is_console(address: &str) -> bool {
    let host = address.split(['/', '?', '#', ' ', ')', ',', ';', '"', '\'']).next().unwrap_or_default();
    // A name and password before the host, or a port after it, are not what consoles have.
    let host = host.trim_end_matches(['.', ':']);
    let sound = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '.';
    let consoles = ["console.aws.amazon.com", "console.amazonaws.cn", "console.amazonaws-us-gov.com"];
    host.chars().all(sound)
        && consoles.iter().any(|it| host.strip_suffix(it).is_some_and(|it| it.is_empty() || it.ends_with('.')))
}

/// A fact for chat, where nothing in it is a format, a link or a mention. Slack knows no escapes but three, so the
/// characters that mean something there, or in Teams, are replaced by ones that look alike.
pub fn chat(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut before = ' ';
    for it in fact(text).chars() {
        match it {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '*' => safe.push('∗'),
            '`' => safe.push('ˋ'),
            '~' => safe.push('∼'),
            // Within a word, as in nightshift_state, it formats nothing.
            '_' if !before.is_alphanumeric() => safe.push('＿'),
            // A digest follows its image's name; a mention begins a word.
            '@' if !before.is_alphanumeric() => safe.push('＠'),
            // The middle of a link in Markdown.
            '(' if before == ']' => safe.push_str(" ("),
            it => safe.push(it),
        }
        before = it;
    }
    safe
}

/// A headline in the ASCII that a subject may hold. A name that cannot be written there is replaced by the kind and
/// the id of the resource, which people call `called`; `instead` says what happened where the rest cannot be written either.
pub fn subject(headline: &str, called: &str, resource: &str, instead: &str) -> String {
    let plain = |text: &str| text.bytes().all(|it| (b' '..=b'~').contains(&it));
    let headline: String = one_line(headline)
        .chars()
        .map(|it| match it {
            '–' | '—' => "-".to_owned(),
            '…' => "...".to_owned(),
            '‘' | '’' => "'".to_owned(),
            '“' | '”' => "\"".to_owned(),
            it => it.to_string(),
        })
        .collect();
    if plain(&headline) {
        return headline;
    }
    let called = one_line(called);
    let named = match headline.contains(called.as_ref()) {
        true => headline.replace(called.as_ref(), &kind_and_id(resource)),
        false => headline.replace(one_line(short_name(resource)).as_ref(), &kind_and_id(resource)),
    };
    if plain(&named) { named } else { format!("{}: {instead}", kind_and_id(resource)) }
}

/// `api-server` of `arn:aws:ecs:…:service/truegul-production/api-server`.
pub fn short_name(resource: &str) -> &str {
    resource.rsplit(['/', ':']).next().unwrap_or(resource)
}

/// What people call it: `truegul-production/api-server` of a service, since each environment has one of that name, and the
/// short name of anything else.
pub fn name(resource: &str) -> &str {
    let service = resource.splitn(6, ':').nth(5).filter(|_| resource.contains(":ecs:"));
    service.and_then(|it| it.strip_prefix("service/")).unwrap_or_else(|| short_name(resource))
}

/// Whether it is the address of a page and nothing else: whoever wrote it can add no line and no mention.
pub fn is_address(text: &str) -> bool {
    let plain = |it: u8| it.is_ascii_graphic() && !b"<>\"'`|\\^{}".contains(&it);
    text.len() <= 500 && text.strip_prefix("https://").is_some_and(|it| !it.is_empty()) && text.bytes().all(plain)
}

/// A name within an address: whatever it holds, it ends nothing and begins nothing.
pub fn encoded(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// `service api-server`; where the name is not ASCII, `budget 1f2e3d4c`: the beginning of the digest of the ARN.
pub fn kind_and_id(resource: &str) -> String {
    let id = short_name(resource);
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    let kind = match parts.get(2) {
        Some(&"cloudwatch") => "alarm",
        Some(&"rds") => "database",
        _ => parts.get(5).and_then(|it| it.split(['/', ':']).next()).unwrap_or("resource"),
    };
    let ascii = |text: &str| !text.is_empty() && text.bytes().all(|it| (b'!'..=b'~').contains(&it));
    let kind = if ascii(kind) { kind } else { "resource" };
    if ascii(id) {
        return format!("{kind} {id}");
    }
    let digest: String = Sha256::digest(resource).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{kind} {digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_one_line_whose_characters_are_what_they_look_like() {
        for (text, expected) in [
            ("api-server 서비스 é", "api-server 서비스 é"),
            ("a\nUndo      rm -rf /", "a Undo      rm -rf /"),
            ("a\r\n\tb\u{2028}c\u{85}d", "a   b c d"),
            ("evil\u{202e}gnp.exe", "evil\u{fffd}gnp.exe"),
            ("api\u{200b}server\u{feff}\u{1b}[31m", "api\u{fffd}server\u{fffd}\u{fffd}[31m"),
        ] {
            assert_eq!(one_line(text), expected);
        }
    }

    #[test]
    fn only_addresses_of_aws_consoles_stay_addresses() {
        let console = "https://ap-northeast-2.console.aws.amazon.com/ecs/v2?region=ap-northeast-2";
        for text in
            [console, "see https://console.aws.amazon.com/cost-management/home, then", "https://console.amazonaws.cn."]
        {
            assert_eq!(fact(text), text);
        }
        for text in [
            "https://evil.example",
            "http://console.aws.amazon.com",
            "https://console.aws.amazon.com.evil.example/",
            "https://console.aws.amazon.com@evil.example/",
            "https://evilconsole.aws.amazon.com",
            "https://evil.example/console.aws.amazon.com",
            "javascript://console.aws.amazon.com",
        ] {
            assert_eq!(fact(text), text.replace("://", "[:]//"));
        }
    }

    #[test]
    fn nothing_in_a_name_is_a_format_a_link_or_a_mention_in_chat() {
        for (text, expected) in [
            ("repo@sha256:1a2b nightshift_state", "repo@sha256:1a2b nightshift_state"),
            ("<!channel> & <https://evil.example|here>", "&lt;!channel&gt; &amp; &lt;https[:]//evil.example|here&gt;"),
            ("@here @channel (@all)", "＠here ＠channel (＠all)"),
            ("*bold* _it_ ~no~ `code`", "∗bold∗ ＿it_ ∼no∼ ˋcodeˋ"),
            ("[click](https://evil.example)", "[click] (https[:]//evil.example)"),
        ] {
            assert_eq!(chat(text), expected);
        }
    }

    #[test]
    fn a_subject_names_what_cannot_be_written_by_kind_and_id() {
        let budget = "arn:aws:budgets::123456789012:budget/서울 예산";
        let id = kind_and_id(budget);
        assert!(id.starts_with("budget ") && id.len() == "budget ".len() + 8, "{id}");
        assert_eq!(subject("서울 예산: 85% is spent", name(budget), budget, "tell"), format!("{id}: 85% is spent"));
        assert_eq!(subject("서울 예산: 85% 사용", name(budget), budget, "tell"), format!("{id}: tell"));
        let service = "arn:aws:ecs:r:1:service/shop/api";
        assert_eq!(
            subject("shop/api: goes back – to v1…", name(service), service, "deploy"),
            "shop/api: goes back - to v1..."
        );
        assert_eq!(subject("shop/api: 배포", name(service), service, "deploy"), "service api: deploy");
        let instance = "arn:aws:ec2:r:1:instance/i-1";
        assert_eq!(subject("api on 가게: v2 waits", "api on 가게", instance, "off"), "instance i-1: v2 waits");
        assert_eq!(kind_and_id("arn:aws:cloudwatch:r:1:alarm:api-5xx"), "alarm api-5xx");
        assert_eq!(kind_and_id("deploy-image"), "resource deploy-image");
    }
}
