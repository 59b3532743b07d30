//! Calls to S3 and to its control API without their SDK crates: paths and XML in, XML out.
//!
//! `docs/decisions/0010-s3-without-its-sdk.md` says why. Signatures, credentials, retries, timeouts and errors are the
//! SDK's own, as for all calls of `untyped.rs`.

use std::collections::BTreeMap;
use std::fmt::Write;

use aws_config::SdkConfig;
use rules::partition::Partition;

use crate::Error;
use crate::presign::encoded;
use crate::untyped::{Answered, Sent, Service, Style, Untyped};

const S3: Service = Service { id: "S3", host: "s3", signed_as: "s3", style: Style::S3 };

/// S3, in any region.
pub struct Rest(Untyped);

/// A bucket, with the region that its calls go to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    /// The region.
    pub region: String,
    /// The name.
    pub name: String,
}

/// A call that is being put together.
pub struct Action<'a> {
    rest: &'a Rest,
    name: &'static str,
    /// What it is about, for errors.
    resource: String,
    sent: Sent,
}

impl Rest {
    /// S3 as `config` describes it.
    pub fn new(config: &SdkConfig) -> Self {
        Rest(Untyped::new(S3, config))
    }

    /// The region of the function.
    pub fn home(&self) -> &str {
        self.0.region()
    }

    /// The beginning of a call of the operation `name`.
    pub fn action(&self, name: &'static str) -> Action<'_> {
        let sent = Sent {
            method: "GET",
            address: String::new(),
            region: String::new(),
            path: "/".into(),
            headers: Vec::new(),
            body: String::new(),
        };
        Action { rest: self, name, resource: String::new(), sent }
    }
}

impl Action<'_> {
    /// About S3 as a whole, in the region of the function.
    pub fn service(mut self, method: &'static str) -> Self {
        let region = self.rest.home().to_owned();
        let domain = Partition::of_region(&region).domain;
        self.sent.address = self.rest.0.address_set().unwrap_or_else(|| format!("https://s3.{region}.{domain}"));
        self.sent.method = method;
        self.sent.region = region;
        self
    }

    /// About a bucket, or about the object `key` of it.
    pub fn bucket(mut self, method: &'static str, bucket: &Bucket, key: &str) -> Self {
        let Bucket { region, name } = bucket;
        let domain = Partition::of_region(region).domain;
        let key = url_encoded(key);
        // The certificate of S3 does not cover names that hold a dot.
        (self.sent.address, self.sent.path) = match self.rest.0.address_set() {
            Some(url) => (url, format!("/{name}/{key}")),
            None if name.contains('.') => (format!("https://s3.{region}.{domain}"), format!("/{name}/{key}")),
            None => (format!("https://{name}.s3.{region}.{domain}"), format!("/{key}")),
        };
        self.sent.method = method;
        self.sent.region = region.clone();
        self.resource = name.clone();
        self
    }

    /// About what an account has in a region, by the path that the API gives it.
    pub fn control(mut self, method: &'static str, region: &str, account: &str, path: &str) -> Self {
        let domain = Partition::of_region(region).domain;
        self.sent.address = match self.rest.0.address_set() {
            Some(url) => url,
            None => format!("https://{account}.s3-control.{region}.{domain}"),
        };
        self.sent.method = method;
        self.sent.region = region.to_owned();
        self.sent.path = path.to_owned();
        self.header("x-amz-account-id", account)
    }

    /// What an error names, instead of the bucket.
    pub fn about(mut self, resource: &str) -> Self {
        self.resource = resource.to_owned();
        self
    }

    /// The same with a field of the query; one without a value stands alone.
    pub fn field(mut self, name: &str, value: &str) -> Self {
        let separator = if self.sent.path.contains('?') { '&' } else { '?' };
        let _ = write!(self.sent.path, "{separator}{}", encoded(name));
        if !value.is_empty() {
            let _ = write!(self.sent.path, "={}", encoded(value));
        }
        self
    }

    /// The same with a header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.sent.headers.push((name, value.into()));
        self
    }

    /// The same with a body.
    pub fn body(mut self, body: String) -> Self {
        self.sent.body = body;
        self
    }

    /// Makes the call; returns the body of the answer.
    pub async fn call(self) -> Result<String, Error> {
        self.answer().await.map(|it| it.text)
    }

    /// Makes the call; returns the region of the bucket that it is about, as the answer tells it.
    pub async fn region(self) -> Result<Option<String>, Error> {
        self.answer().await.map(|it| it.header("x-amz-bucket-region").map(str::to_owned))
    }

    /// Makes the call that writes an object, or a part of one; returns its ETag.
    pub async fn etag(self) -> Result<String, Error> {
        let (name, resource) = (self.name, self.resource.clone());
        let etag = self.answer().await?.header("etag").map(str::to_owned);
        etag.ok_or_else(|| Error::unexpected(name, &resource, "the answer has no ETag"))
    }

    /// Makes the call that reads an object, a range of it, or only what S3 says of it; returns the headers of the answer by
    /// their names in small letters, and the contents.
    pub async fn contents(self) -> Result<(BTreeMap<String, String>, Vec<u8>), Error> {
        let Answered { headers, bytes, .. } = self.answer().await?;
        let named = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        Ok((named.collect(), bytes))
    }

    async fn answer(self) -> Result<Answered, Error> {
        let Action { rest, name, resource, sent } = self;
        rest.0.exchange(name, &resource, sent).await
    }
}

/// `text` as it stands in XML.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // S3 takes carriage returns in keys, which a reader of XML would make line feeds.
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
    out
}

/// A key as lists and addresses hold it: everything but letters, digits, four signs and slashes by its bytes.
pub fn url_encoded(key: &str) -> String {
    let parts: Vec<String> = key.split('/').map(encoded).collect();
    parts.join("/")
}

/// What [`escaped`] is to XML, backwards to the encoding that S3 gives keys in a listing on request.
pub fn unencoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|it| u8::from_str_radix(std::str::from_utf8(it).ok()?, 16).ok());
        rest = match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                &after[2..]
            }
            (b'+', _) => {
                bytes.push(b' ');
                after
            }
            _ => {
                bytes.push(*first);
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use testkit::scripted::{Answer, Call, HOME, Script, Tables};

    use super::*;

    /// An S3 that notes what it is asked.
    struct Notes;

    impl Tables for Notes {
        fn answer(&mut self, call: &Call) -> Answer {
            Answer::Body(format!("<A><b>{} {}</b></A>", call.host, call.text("path")))
        }
    }

    #[tokio::test]
    async fn a_call_goes_to_the_host_of_its_bucket_or_account_with_its_path_encoded() {
        let script = Script::new(Notes);
        let rest = Rest::new(&script.sdk());
        let bucket = |name: &str| Bucket { region: "us-west-2".into(), name: name.into() };
        let get = rest.action("GetObject").bucket("GET", &bucket("shop"), "a b/ü+c.json").field("x", "1/2");
        assert!(get.call().await.unwrap().contains("shop.s3.us-west-2.amazonaws.com /a%20b/%C3%BC%2Bc.json"));
        let dotted = rest.action("HeadBucket").bucket("HEAD", &bucket("shop.example"), "");
        assert!(dotted.call().await.unwrap().contains("s3.us-west-2.amazonaws.com /shop.example/"));
        let job = rest.action("DescribeJob").control("GET", HOME, "123456789012", "/v20180820/jobs/1");
        let answer = job.call().await.unwrap();
        assert!(
            answer.contains(&format!("123456789012.s3-control.{HOME}.amazonaws.com /v20180820/jobs/1")),
            "{answer}"
        );
    }

    #[test]
    fn keys_survive_the_way_into_xml_and_out_of_a_listing() {
        assert_eq!(escaped("a&b<c>\r"), "a&amp;b&lt;c&gt;&#13;");
        for (encoded, key) in
            [("a%20b%2Fc", "a b/c"), ("a+b", "a b"), ("%C3%BC", "ü"), ("100%", "100%"), ("%zz", "%zz")]
        {
            assert_eq!(unencoded(encoded), key);
        }
    }
}
