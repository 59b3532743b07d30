//! Calls to services of AWS's Query protocol for which there is no SDK crate here: forms in, XML out.
//!
//! The SDK of EC2 alone is larger than all others together, for the five calls that are needed of it
//! (`docs/decisions/0009-ec2-without-its-sdk.md`). What makes a call safe is the SDK's own all the same: its signatures,
//! credentials, retries, timeouts and errors.

mod xml;

use std::fmt;

use aws_config::SdkConfig;
use rules::partition::Partition;
use tokio::time::Instant;

use crate::presign::encoded;
use crate::untyped::{Sent, Service, Style, Untyped};
use crate::{Error, Pace};

pub(crate) use xml::read_what_there_is;
pub use xml::{Element, read, read_result};

/// An API of the Query protocol.
#[derive(Debug, Clone, Copy)]
pub struct Api {
    service: Service,
    version: &'static str,
    /// It answers in one region of each partition, and not in that of the function.
    global: bool,
}

const fn api(id: &'static str, host: &'static str, version: &'static str) -> Api {
    Api { service: Service { id, host, signed_as: host, style: Style::Query }, version, global: false }
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/>
pub const CLOUDWATCH: Api = api("CloudWatch", "monitoring", "2010-08-01");

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/>
pub const EC2: Api = api("EC2", "ec2", "2016-11-15");

/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/>
pub const EC2_AUTO_SCALING: Api = api("Auto Scaling", "autoscaling", "2011-01-01");

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/>
pub const ELASTIC_LOAD_BALANCING: Api = api("Elastic Load Balancing v2", "elasticloadbalancing", "2015-12-01");

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/>
pub const IAM: Api = Api { global: true, ..api("IAM", "iam", "2010-05-08") };

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/>
pub const RDS: Api = api("RDS", "rds", "2014-10-31");

/// A client of an [`Api`] in the region of the function, at the pace that the service allows.
pub struct Query {
    untyped: Untyped,
    version: &'static str,
    pub(crate) pace: Pace,
    /// Its address and its region, where it answers in one region of a partition only.
    home: Option<(String, String)>,
}

/// A call that is being put together.
#[derive(Clone)]
pub struct Action<'a> {
    query: &'a Query,
    name: &'static str,
    fields: Vec<(String, String)>,
}

impl Query {
    /// With the region, the credentials and the limits of `config`.
    pub fn new(api: Api, config: &SdkConfig) -> Self {
        let untyped = Untyped::new(api.service, config);
        let home = api.global.then(|| home(api.service.host, untyped.region()));
        let home = home.map(|(address, region)| (untyped.address_set().unwrap_or(address), region));
        Query { untyped, version: api.version, pace: Pace::learned(), home }
    }

    /// The region that is called.
    pub(crate) fn region(&self) -> &str {
        self.untyped.region()
    }

    /// The beginning of a call of the operation `name`.
    pub fn action(&self, name: &'static str) -> Action<'_> {
        Action { query: self, name, fields: Vec::new() }
    }

    async fn attempt(&self, name: &'static str, resource: &str, body: &str) -> Result<String, Error> {
        let here = || (self.untyped.address(), self.untyped.region().to_owned());
        let (address, region) = self.home.clone().unwrap_or_else(here);
        let sent = Sent {
            method: "POST",
            address,
            region,
            path: "/".into(),
            headers: vec![("content-type", "application/x-www-form-urlencoded".into())],
            body: body.to_owned(),
        };
        self.untyped.exchange(name, resource, sent).await.map(|it| it.text)
    }
}

/// Where a global service answers for the partition of `region`, and the region that it is signed for: as the SDKs' rules
/// of endpoints say for IAM.
fn home(host: &str, region: &str) -> (String, String) {
    let partition = Partition::of_region(region);
    let (host, home) = match partition.name {
        "aws" => (host.to_owned(), "us-east-1"),
        "aws-us-gov" => (format!("{host}.us-gov"), "us-gov-west-1"),
        "aws-cn" => (format!("{host}.cn-north-1"), "cn-north-1"),
        // The others have their first region only, or one that is not public.
        _ => (format!("{host}.{region}"), region),
    };
    (format!("https://{host}.{}", partition.domain), home.to_owned())
}

impl Action<'_> {
    /// The operation.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The same with a field.
    pub fn field(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.fields.push((name.into(), value.to_string()));
        self
    }

    /// The same with a field, where there is a value.
    pub fn maybe(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// The same with several values of a field, as `Name.1`, `Name.2` and so on; the name as it stands before the number.
    pub fn values(self, name: &str, values: impl IntoIterator<Item = impl fmt::Display>) -> Self {
        values
            .into_iter()
            .zip(1..)
            .fold(self, |action, (value, number)| action.field(format!("{name}.{number}"), value))
    }

    /// Makes the call for `resource`, unless its turn comes later than `until`; the answer is XML.
    pub async fn perform(self, resource: &str, until: Option<Instant>) -> Result<String, Error> {
        let Action { query, name, fields } = self;
        let mut body = format!("Action={name}&Version={}", query.version);
        for (field, value) in &fields {
            body.push_str(&format!("&{}={}", encoded(field), encoded(value)));
        }
        query.pace.call(until, async || query.attempt(name, resource, &body).await).await
    }
}

#[cfg(test)]
mod tests {
    use testkit::scripted::{Answer, Call, Script, Tables};

    use super::*;

    /// An EC2 that answers with the fields of the request.
    struct Ec2;

    impl Tables for Ec2 {
        fn answer(&mut self, call: &Call) -> Answer {
            assert_eq!(
                (call.host.as_str(), call.signed_for.as_str()),
                ("ec2.ap-northeast-2.amazonaws.com", "ap-northeast-2")
            );
            Answer::Body(format!("<Answer><asked>{}</asked></Answer>", call.text("Filter.1.Value.1")))
        }
    }

    async fn ask(script: &Script<Ec2>) -> Result<String, Error> {
        let query = Query::new(EC2, &script.sdk());
        let action = query.action("DescribeInstances").field("Filter.1.Name", "tag-key");
        action.values("Filter.1.Value", ["a b&c"]).maybe("NextToken", None::<&str>).perform("all", None).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_signed_for_its_service_and_carries_its_fields() {
        let script = Script::new(Ec2);
        assert_eq!(ask(&script).await.unwrap(), "<Answer><asked>a b&c</asked></Answer>");
        let sent = script.bodies("DescribeInstances").remove(0);
        assert_eq!((sent["Version"].as_str(), sent.get("NextToken")), (Some("2016-11-15"), None));
    }

    #[test]
    fn a_global_service_is_called_in_the_home_of_its_partition() {
        let of = |region| home("iam", region);
        let is = |address: &str, region: &str| (address.to_owned(), region.to_owned());
        assert_eq!(of("ap-northeast-2"), is("https://iam.amazonaws.com", "us-east-1"));
        assert_eq!(of("us-gov-east-1"), is("https://iam.us-gov.amazonaws.com", "us-gov-west-1"));
        assert_eq!(of("cn-northwest-1"), is("https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1"));
        assert_eq!(of("eusc-de-east-1"), is("https://iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_tried_again_and_what_stays_is_an_error_in_the_words_of_aws() {
        let script = Script::new(Ec2);
        script.refuse("DescribeInstances", "", 1, 500, "InternalError");
        script.refuse("DescribeInstances", "", 2, 503, "RequestLimitExceeded");
        ask(&script).await.unwrap();
        assert_eq!(script.count("DescribeInstances"), 4);
        script.refuse("DescribeInstances", "", 1, 403, "UnauthorizedOperation");
        let error = ask(&script).await.unwrap_err();
        assert_eq!(error.to_string(), "DescribeInstances all: UnauthorizedOperation: refused by the script");
        assert!(error.request_id.is_some() && error.is_denied(), "{error:?}");
    }
}
