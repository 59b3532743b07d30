//! Reads of S3.

use aws::Error;
use aws::query::read;
use aws::rest::Rest;

/// The names of the buckets of the region.
pub async fn list_buckets(s3: &Rest) -> Result<Vec<String>, Error> {
    let (mut names, mut token): (Vec<String>, Option<String>) = Default::default();
    loop {
        let list = s3.action("ListBuckets").service("GET").about("buckets").field("bucket-region", s3.home());
        let list = list.field("max-buckets", "1000");
        let answer = match token.take() {
            Some(token) => list.field("continuation-token", &token).call().await?,
            None => list.call().await?,
        };
        read(&answer, |name, it| match name {
            "ContinuationToken" => token = Some(it.text()).filter(|it| !it.is_empty()),
            "Buckets" => it.each(|_, it| {
                it.each(|name, it| {
                    if name == "Name" {
                        names.push(it.text());
                    }
                });
            }),
            _ => {}
        })
        .map_err(|err| Error::unexpected("ListBuckets", "buckets", err))?;
        if token.is_none() {
            return Ok(names);
        }
    }
}

#[cfg(test)]
mod tests {
    use testkit::scripted::{Answer, Call, HOME, Script, Tables};

    use super::*;

    /// An S3 with two pages of buckets.
    struct Buckets;

    impl Tables for Buckets {
        fn answer(&mut self, call: &Call) -> Answer {
            let query = &call.body["query"];
            assert_eq!(
                (call.host.as_str(), &query["bucket-region"]),
                ("s3.ap-northeast-2.amazonaws.com", &HOME.into())
            );
            let (name, next) = match query["continuation-token"].as_str() {
                None => ("kfood-backups", "<ContinuationToken>2</ContinuationToken>"),
                Some(_) => ("kfood-uploads", ""),
            };
            Answer::Body(format!(
                "<ListAllMyBucketsResult><Owner><ID>1</ID></Owner><Buckets><Bucket><CreationDate>x</CreationDate>\
                 <Name>{name}</Name></Bucket></Buckets>{next}</ListAllMyBucketsResult>"
            ))
        }
    }

    #[tokio::test]
    async fn all_pages_of_the_buckets_of_the_region_are_read() {
        let script = Script::new(Buckets);
        let names = list_buckets(&Rest::new(&script.sdk())).await.unwrap();
        assert_eq!(names, ["kfood-backups", "kfood-uploads"]);
    }
}
