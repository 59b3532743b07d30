use testkit::scripted::{self, Answer, Script, Tables};

use super::*;

const KEY: &str = "nightshift:deploy";

/// A page of GetResources: the ARNs on it, the tag that they carry, and the token of the next page.
type Page = (&'static [&'static str], &'static str, &'static str);

/// The pages by their tokens.
#[derive(Default)]
struct Index(BTreeMap<&'static str, Page>);

impl Tables for Index {
    fn answer(&mut self, call: &scripted::Call) -> Answer {
        match call.operation.as_str() {
            "GetResources" => {
                let (arns, key, next) = self.0[call.text("PaginationToken")];
                let tagged = |arn: &&str| json!({"ResourceARN": arn, "Tags": [{"Key": key, "Value": "newest"}]});
                let listed: Vec<Value> = arns.iter().map(tagged).collect();
                Answer::Json(json!({"ResourceTagMappingList": listed, "PaginationToken": next}))
            }
            "GetTagKeys" => match call.text("PaginationToken") {
                "" => Answer::Json(json!({"TagKeys": ["a"], "PaginationToken": "more"})),
                _ => Answer::Json(json!({"TagKeys": ["b"]})),
            },
            other => panic!("the script knows no {other}"),
        }
    }
}

fn script(pages: &[(&'static str, Page)]) -> Script<Index> {
    Script::new(Index(pages.iter().copied().collect()))
}

async fn services(script: &Script<Index>) -> Result<Vec<String>, Error> {
    resources(&Tagging::new(&script.sdk()), "ecs:service", KEY).await
}

#[tokio::test]
async fn follows_every_page_a_short_one_too_and_drops_what_lost_its_tag() {
    let script =
        script(&[("", (&["c", "a"], KEY, "more")), ("more", (&[], KEY, "last")), ("last", (&["b", "a"], KEY, ""))]);
    assert_eq!(services(&script).await.unwrap(), ["a", "b", "c"]);
    let calls = script.all_calls();
    let asked: Vec<&str> = calls.iter().map(|it| it.text("PaginationToken")).collect();
    assert_eq!(asked, ["", "more", "last"]);
    let first = json!({"ResourceTypeFilters": ["ecs:service"], "TagFilters": [{"Key": KEY}], "ResourcesPerPage": 100});
    assert_eq!(calls[0].body, first);
    assert_eq!(calls[0].host, "tagging.ap-northeast-2.amazonaws.com");

    let stale = self::script(&[("", (&["a"], "something-else", ""))]);
    assert!(services(&stale).await.unwrap().is_empty());
}

#[tokio::test]
async fn carriers_are_asked_for_without_a_type_and_keys_in_pages() {
    let script = script(&[("", (&["a"], KEY, ""))]);
    let index = Tagging::new(&script.sdk());
    assert_eq!(carriers(&index, KEY).await.unwrap(), ["a"]);
    assert!(script.all_calls()[0].body.get("ResourceTypeFilters").is_none());
    assert_eq!(index.keys_in_use().await.unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn begins_anew_when_the_token_expires_and_gives_up_in_the_end() {
    let script = script(&[("", (&["a"], KEY, ""))]);
    script.refuse("GetResources", "", 1, 400, "PaginationTokenExpiredException");
    assert_eq!(services(&script).await.unwrap(), ["a"]);

    script.refuse("GetResources", "", TRIES, 400, "PaginationTokenExpiredException");
    let before = script.count("GetResources");
    let error = services(&script).await.unwrap_err();
    assert_eq!(error.code, "PaginationTokenExpiredException");
    assert_eq!(script.count("GetResources") - before, TRIES);
}
