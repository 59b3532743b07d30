//! Jobs of S3 Batch Operations. A job lives in the region of the bucket that it writes to.

use aws::Error;
use aws::query::read;
use aws::rest::{Rest, escaped};
use sha2::{Digest, Sha256};

use crate::plan::{Job, Place, REPORT};

pub const NAMESPACE: &str = "http://awss3control.amazonaws.com/doc/2018-08-20/";

/// Of the jobs of an account those with the higher number come first; ours are never urgent.
const PRIORITY: u32 = 1;

/// What a job is to copy.
pub struct Copying<'a> {
    /// The bucket.
    pub source: &'a str,
    pub folder: &'a Place,
    pub class: Option<&'static str>,
    pub role: &'a str,
    /// S3 answers the same token with the same job.
    pub token: String,
    /// What people read of it in the console of S3.
    pub about: String,
    pub objects: Objects<'a>,
}

/// Which objects.
pub enum Objects<'a> {
    /// Those whose keys begin so, as they are when the job begins.
    Prefix(&'a str),
    /// The versions in a list that was written into the bucket of the copy.
    Listed { manifest: String, etag: &'a str },
}

/// Creates the job that copies; returns its id. S3 answers the same token with the same job.
pub async fn create_job(s3: &Rest, account: &str, copying: &Copying<'_>) -> Result<String, Error> {
    let (folder, source) = (copying.folder, copying.source);
    let body = request(copying);
    let create = s3.action("CreateJob").control("POST", &folder.region, account, "/v20180820/jobs");
    let answer = create.about(source).body(body).call().await?;
    let mut id = None;
    let visited = read(&answer, |name, it| {
        if name == "JobId" {
            id = Some(it.text());
        }
    });
    visited.map_err(|err| Error::unexpected("CreateJob", source, err))?;
    id.ok_or_else(|| Error::unexpected("CreateJob", source, "the answer names no job"))
}

fn request(copying: &Copying<'_>) -> String {
    let Copying { source, folder, class, role, token, about, objects } = copying;
    let partition = role.split(':').nth(1).unwrap_or("aws");
    let arn = |bucket: &str| format!("arn:{partition}:s3:::{bucket}");
    let (source, target) = (arn(source), arn(&folder.to.bucket));
    let prefix = folder.key();
    let prefix = prefix.trim_end_matches('/');
    let class = class.map(|it| format!("<StorageClass>{it}</StorageClass>")).unwrap_or_default();
    let manifest = match objects {
        Objects::Prefix(prefix) => generated(&source, prefix),
        Objects::Listed { manifest, etag } => format!(
            "<Manifest><Spec><Format>S3BatchOperations_CSV_20180820</Format><Fields><member>Bucket</member>\
             <member>Key</member><member>VersionId</member></Fields></Spec><Location><ObjectArn>{target}/{}</ObjectArn>\
             <ETag>{}</ETag></Location></Manifest>",
            escaped(manifest),
            escaped(etag)
        ),
    };
    // Tokens have 64 characters at most, and the name of a bucket alone can have 63.
    let token: String = Sha256::digest(token.as_bytes()).iter().map(|it| format!("{it:02x}")).collect();
    format!(
        "<CreateJobRequest xmlns=\"{NAMESPACE}\"><ConfirmationRequired>false</ConfirmationRequired>\
         <Operation><S3PutObjectCopy><TargetResource>{target}</TargetResource>{class}\
         <TargetKeyPrefix>{prefix}</TargetKeyPrefix></S3PutObjectCopy></Operation>\
         <Report><Bucket>{target}</Bucket><Format>Report_CSV_20180820</Format><Enabled>true</Enabled>\
         <Prefix>{prefix}/{REPORT}</Prefix><ReportScope>FailedTasksOnly</ReportScope></Report>\
         <ClientRequestToken>{token}</ClientRequestToken>\
         <Description>Nightshift: {about}</Description><Priority>{PRIORITY}</Priority><RoleArn>{}</RoleArn>\
         {manifest}</CreateJobRequest>",
        escaped(role),
    )
}

/// S3 makes the list of objects by itself.
fn generated(source: &str, prefix: &str) -> String {
    // A filter takes one prefix.
    let filter = match prefix {
        "" => String::new(),
        prefix => format!(
            "<Filter><KeyNameConstraint><MatchAnyPrefix><member>{}</member></MatchAnyPrefix></KeyNameConstraint></Filter>",
            escaped(prefix)
        ),
    };
    format!(
        "<ManifestGenerator><S3JobManifestGenerator><SourceBucket>{source}</SourceBucket>{filter}\
         <EnableManifestOutput>false</EnableManifestOutput></S3JobManifestGenerator></ManifestGenerator>"
    )
}

/// How far a job has come.
pub async fn describe_job(s3: &Rest, account: &str, region: &str, id: &str) -> Result<Job, Error> {
    let path = format!("/v20180820/jobs/{id}");
    let answer = s3.action("DescribeJob").control("GET", region, account, &path).about(id).call().await?;
    let mut job = Job::default();
    let visited = read(&answer, |name, it| {
        if name != "Job" {
            return;
        }
        it.each(|name, it| match name {
            "Status" => job.status = it.text(),
            "ProgressSummary" => it.each(|name, it| {
                let number = it.text().parse().unwrap_or(0);
                match name {
                    "TotalNumberOfTasks" => job.total = number,
                    "NumberOfTasksSucceeded" => job.succeeded = number,
                    "NumberOfTasksFailed" => job.failed = number,
                    _ => {}
                }
            }),
            "FailureReasons" => it.each(|_, it| {
                let (mut code, mut reason) = (String::new(), String::new());
                it.each(|name, it| match name {
                    "FailureCode" => code = it.text(),
                    "FailureReason" => reason = it.text(),
                    _ => {}
                });
                job.reasons.push(format!("{code}: {reason}"));
            }),
            _ => {}
        });
    });
    visited.map_err(|err| Error::unexpected("DescribeJob", id, err))?;
    Ok(job)
}
