//! An S3 with the buckets of one shop, byte for byte, and Batch Operations with one job.

use std::collections::BTreeMap;

use serde_json::json;
use testkit::scripted::{Answer, Call, Tables};

pub const MARKER: &str = "kfood-backups/uploads/2026-11-21/_nightshift.json";
pub const REPORT: &str = "kfood-backups/uploads/2026-11-21/_nightshift-report/job-job-1/results/0123456789abcdef.csv";

pub struct Aws {
    /// The tags of the bucket that is copied.
    pub tags: BTreeMap<String, String>,
    /// By bucket and key.
    pub objects: BTreeMap<String, String>,
    /// Status, all objects, those that were copied and those that were not.
    pub job: (&'static str, u64, u64, u64),
    pub jobs: usize,
    pub public: bool,
    pub pays: bool,
    /// `Enabled`, or none.
    pub versioning: Option<&'static str>,
    /// The lifecycle rules, as XML.
    pub lifecycle: &'static str,
    /// Key, version, moment, and whether it is the mark of a deletion, as S3 lists them.
    pub versions: Vec<(String, String, &'static str, bool)>,
    /// How many of them are on a page.
    pub page: usize,
    /// The parts of an upload.
    pub parts: Vec<String>,
}

impl Aws {
    pub fn shop(rule: &str) -> Self {
        Aws {
            tags: [("nightshift:backup".to_owned(), rule.to_owned())].into(),
            objects: BTreeMap::new(),
            job: ("Active", 1000, 10, 0),
            jobs: 0,
            public: false,
            pays: false,
            versioning: None,
            lifecycle: "",
            versions: Vec::new(),
            page: 2,
            parts: Vec::new(),
        }
    }

    /// What the copy of a date says of itself.
    pub fn marker(date: &str, state: &str) -> String {
        let moment = format!("{date}T00:00:00Z");
        json!({"made_by": "nightshift copy-buckets", "source": "kfood-uploads", "moment": moment, "attempt": 1,
               "state": state, "job": "job-0"})
        .to_string()
    }

    fn list(&self, call: &Call) -> Answer {
        let query = &call.body["query"];
        let prefix = format!("{}/{}", call.text("bucket"), query["prefix"].as_str().unwrap_or_default());
        let bucket = format!("{}/", call.text("bucket"));
        let encoded = |it: &str| it.replace('&', "%26").replace('<', "%3C");
        let keys = self.objects.keys().filter(|it| it.starts_with(&prefix));
        let inside: String = match query["delimiter"].as_str() {
            Some(_) => {
                let mut folders: Vec<String> = keys
                    .filter_map(|it| {
                        let (folder, _) = it[prefix.len()..].split_once('/')?;
                        Some(format!("{}{folder}/", &prefix[bucket.len()..]))
                    })
                    .collect();
                folders.dedup();
                // Pages of two, as S3 may give fewer than were asked for.
                let from: usize = query["continuation-token"].as_str().and_then(|it| it.parse().ok()).unwrap_or(0);
                let more = match folders.len() > from + 2 {
                    true => format!("<NextContinuationToken>{}</NextContinuationToken>", from + 2),
                    false => String::new(),
                };
                let page = folders.iter().skip(from).take(2);
                let page: String =
                    page.map(|it| format!("<CommonPrefixes><Prefix>{it}</Prefix></CommonPrefixes>")).collect();
                more + &page
            }
            None => keys
                .take(1000)
                .map(|it| format!("<Contents><Key>{}</Key></Contents>", encoded(&it[bucket.len()..])))
                .collect(),
        };
        Answer::Body(format!("<ListBucketResult>{inside}</ListBucketResult>"))
    }

    fn list_versions(&self, call: &Call) -> Answer {
        let query = &call.body["query"];
        let marked = |it: &(String, String, &str, bool)| {
            (Some(it.0.as_str()), Some(it.1.as_str()))
                == (query["key-marker"].as_str(), query["version-id-marker"].as_str())
        };
        let from = self.versions.iter().position(marked).map_or(0, |it| it + 1);
        let page = &self.versions[from..self.versions.len().min(from + self.page)];
        let entry = |(key, id, at, is_deletion): &(String, String, &str, bool)| {
            let name = if *is_deletion { "DeleteMarker" } else { "Version" };
            format!(
                "<{name}><Key>{}</Key><VersionId>{id}</VersionId><LastModified>{at}</LastModified><ETag>&quot;{}&quot;</ETag>\
                 </{name}>",
                aws::rest::url_encoded(key),
                etag_of(self.objects.get(&self.name_of(key, id)).map(String::as_str).unwrap_or_default())
            )
        };
        let next = match page.last().filter(|_| from + page.len() < self.versions.len()) {
            Some((key, id, ..)) => format!(
                "<IsTruncated>true</IsTruncated><NextKeyMarker>{}</NextKeyMarker><NextVersionIdMarker>{id}</NextVersionIdMarker>",
                aws::rest::url_encoded(key)
            ),
            None => "<IsTruncated>false</IsTruncated>".into(),
        };
        let entries: String = page.iter().map(entry).collect();
        Answer::Body(format!("<ListVersionsResult>{next}{entries}</ListVersionsResult>"))
    }

    /// Under which name a version is among the objects: the newest one under its key.
    fn name_of(&self, key: &str, id: &str) -> String {
        let name = format!("kfood-uploads/{key}");
        let versioned = format!("{name}?{id}");
        if self.objects.contains_key(&versioned) { versioned } else { name }
    }

    /// The object, or the version of it, that a call is about.
    fn object_of(&self, call: &Call) -> Option<String> {
        let object = format!("{}/{}", call.text("bucket"), call.text("key"));
        let object = match call.body["query"]["versionId"].as_str() {
            Some(version) => format!("{object}?{version}"),
            None => object,
        };
        self.objects.get(&object).cloned()
    }

    fn read_range(&self, call: &Call) -> Answer {
        let Some(text) = self.object_of(call) else {
            return Answer::Failed { status: 404, code: "NoSuchKey", message: "there is none".into() };
        };
        let refused = |status, code: &'static str| Answer::Failed { status, code, message: "no".into() };
        match text.as_str() {
            "" => refused(416, "InvalidRange"),
            "archived" if call.text("bucket") == "kfood-backups" => refused(403, "InvalidObjectState"),
            "locked" => refused(400, "KMS.DisabledException"),
            text => {
                let range = call.body["headers"]["range"].as_str().unwrap_or_default();
                let last: usize = range.strip_prefix("bytes=0-").and_then(|it| it.parse().ok()).unwrap();
                let read = &text[..text.len().min(last + 1)];
                let mut headers = headers_of(call, text, read.len());
                headers.push(("content-range", format!("bytes 0-{}/{}", read.len() - 1, text.len())));
                Answer::Object(headers, read.as_bytes().to_vec())
            }
        }
    }

    fn delete(&mut self, call: &Call) -> Answer {
        let xml = call.text("xml").to_owned();
        assert!(call.body["headers"]["x-amz-checksum-sha256"].is_string(), "S3 wants a checksum");
        let keys: Vec<String> =
            xml.split("<Key>").skip(1).filter_map(|it| Some(it.split_once("</Key>")?.0.to_owned())).collect();
        assert!(keys.len() <= 1000, "S3 takes a thousand keys");
        let mut errors = String::new();
        for key in keys {
            match key.contains("locked") {
                true => errors.push_str(&format!(
                    "<Error><Key>{key}</Key><Code>AccessDenied</Code><Message>locked</Message></Error>"
                )),
                false => {
                    let plain = key.replace("&lt;", "<").replace("&amp;", "&");
                    self.objects.remove(&format!("{}/{plain}", call.text("bucket")));
                }
            }
        }
        Answer::Body(format!("<DeleteResult>{errors}</DeleteResult>"))
    }
}

/// What S3 says of an object; its checksum only where it is asked for.
fn headers_of(call: &Call, text: &str, length: usize) -> Vec<(&'static str, String)> {
    let etag = format!("\"{}\"", etag_of(text));
    let mut headers = vec![("etag", etag), ("content-length", length.to_string())];
    if call.body["headers"]["x-amz-checksum-mode"] == "ENABLED" {
        headers.push(("x-amz-checksum-crc64nvme", format!("sum{}", etag_of(text))));
        headers.push(("x-amz-checksum-type", "FULL_OBJECT".into()));
    }
    headers
}

/// As long as a digest, and another one for each text here.
pub fn etag_of(text: &str) -> String {
    let sum = text.bytes().fold(7_u64, |sum, it| sum.wrapping_mul(31).wrapping_add(u64::from(it)));
    format!("{sum:032x}")
}

impl Tables for Aws {
    fn answer(&mut self, call: &Call) -> Answer {
        let object = format!("{}/{}", call.text("bucket"), call.text("key"));
        match call.operation.as_str() {
            "GetResources" => {
                let asked = call.body["TagFilters"][0]["Key"].as_str().unwrap_or_default();
                if !self.tags.contains_key(asked) {
                    return Answer::Json(json!({"ResourceTagMappingList": []}));
                }
                let tags: Vec<_> = self.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
                let bucket = json!({"ResourceARN": "arn:aws:s3:::kfood-uploads", "Tags": tags});
                Answer::Json(json!({"ResourceTagMappingList": [bucket]}))
            }
            "HEAD" if call.text("key").is_empty() => Answer::Elsewhere("us-west-2"),
            "HEAD" => match self.object_of(call) {
                Some(text) => Answer::Object(headers_of(call, &text, text.len()), Vec::new()),
                None => Answer::Failed { status: 404, code: "NotFound", message: "there is none".into() },
            },
            "GET" if call.body["headers"]["range"].is_string() && !object.ends_with(".csv") => self.read_range(call),
            "GET list-type" => self.list(call),
            "GET requestPayment" => {
                let payer = if self.pays { "Requester" } else { "BucketOwner" };
                Answer::Body(format!(
                    "<RequestPaymentConfiguration><Payer>{payer}</Payer></RequestPaymentConfiguration>"
                ))
            }
            "GET policyStatus" if self.public => {
                Answer::Body("<PolicyStatus><IsPublic>TRUE</IsPublic></PolicyStatus>".into())
            }
            "GET policyStatus" => {
                Answer::Failed { status: 404, code: "NoSuchBucketPolicy", message: "there is none".into() }
            }
            "GET" => match self.objects.get(&object) {
                Some(text) => Answer::Body(text.clone()),
                None => Answer::Failed { status: 404, code: "NoSuchKey", message: "there is none".into() },
            },
            "GET versioning" => {
                let status = self.versioning.map(|it| format!("<Status>{it}</Status>")).unwrap_or_default();
                Answer::Body(format!("<VersioningConfiguration>{status}</VersioningConfiguration>"))
            }
            "GET lifecycle" if self.lifecycle.is_empty() => {
                Answer::Failed { status: 404, code: "NoSuchLifecycleConfiguration", message: "there is none".into() }
            }
            "GET lifecycle" => {
                Answer::Body(format!("<LifecycleConfiguration>{}</LifecycleConfiguration>", self.lifecycle))
            }
            "GET versions" => self.list_versions(call),
            "PUT" => {
                assert_eq!(call.signed_for, "us-west-2");
                self.objects.insert(object, call.text("xml").to_owned());
                Answer::Written("\"whole\"".into())
            }
            "POST uploads" => Answer::Body(
                "<InitiateMultipartUploadResult><UploadId>up 1</UploadId></InitiateMultipartUploadResult>".into(),
            ),
            "PUT partNumber" => {
                let query = &call.body["query"];
                assert_eq!(query["uploadId"], "up 1");
                assert!(call.body["headers"]["x-amz-checksum-sha256"].is_string(), "Object Lock wants a checksum");
                let number: usize = query["partNumber"].as_str().unwrap_or_default().parse().unwrap();
                self.parts.truncate(number - 1);
                self.parts.push(call.text("xml").to_owned());
                Answer::Written(format!("\"part-{number}\""))
            }
            "POST uploadId" => {
                let named = call.text("xml").matches("<PartNumber>").count();
                assert_eq!(named, self.parts.len(), "{}", call.text("xml"));
                self.objects.insert(object, self.parts.concat());
                Answer::Body(
                    "<CompleteMultipartUploadResult><ETag>&quot;parts-2&quot;</ETag></CompleteMultipartUploadResult>"
                        .into(),
                )
            }
            "POST delete" => self.delete(call),
            "POST jobs" => {
                self.jobs += 1;
                Answer::Body(format!("<CreateJobResult><JobId>job-{}</JobId></CreateJobResult>", self.jobs))
            }
            "GET jobs" => {
                let (status, total, succeeded, failed) = self.job;
                Answer::Body(format!(
                    "<DescribeJobResult><Job><Status>{status}</Status><ProgressSummary>\
                     <TotalNumberOfTasks>{total}</TotalNumberOfTasks>\
                     <NumberOfTasksSucceeded>{succeeded}</NumberOfTasksSucceeded>\
                     <NumberOfTasksFailed>{failed}</NumberOfTasksFailed></ProgressSummary></Job></DescribeJobResult>"
                ))
            }
            "POST tags" | "DELETE tags" => {
                // As the tags of the bucket are from now on.
                if call.operation == "POST tags" {
                    let inside = |name: &str| {
                        let rest = call.text("xml").split(&format!("<{name}>")).nth(1).unwrap_or_default().to_owned();
                        rest.split("</").next().unwrap_or_default().to_owned()
                    };
                    self.tags.insert(inside("Key"), inside("Value"));
                } else {
                    self.tags.remove(call.body["query"]["tagKeys"].as_str().unwrap_or_default());
                }
                Answer::Body(String::new())
            }
            other => panic!("the script knows no {other}"),
        }
    }
}
