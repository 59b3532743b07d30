//! Calls to an API by its JSON, for functions that need few of its operations or pass its JSON on as it is.
//!
//! The SDK's runtime signs, sends, retries and gives up as it does for its own clients. What is left out are the types:
//! the client of CodeDeploy alone makes a twentieth of the function that uses it, that of Lambda a fiftieth for one
//! operation, and a typed task definition loses each field that is younger than the client.

use aws_config::SdkConfig;
use serde_json::{Map, Value};

use crate::Error;
use crate::untyped::{Answered, Sent, Service, Style, Untyped};

/// An API that takes and gives JSON, and names the operation in a header.
#[derive(Debug, Clone, Copy)]
pub struct Api {
    service: Service,
    /// What stands before the operation, with the date of the version.
    target: &'static str,
    /// The field with the place where the next page begins, in requests and answers.
    page: &'static str,
}

const fn api(id: &'static str, host: &'static str, signed_as: &'static str, target: &'static str) -> Api {
    Api { service: Service { id, host, signed_as, style: Style::Json }, target, page: "nextToken" }
}

/// <https://docs.aws.amazon.com/codedeploy/latest/APIReference/>
pub const CODEDEPLOY: Api = api("CodeDeploy", "codedeploy", "codedeploy", "CodeDeploy_20141006");

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/>
pub const ECR: Api = api("ECR", "api.ecr", "ecr", "AmazonEC2ContainerRegistry_V20150921");

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/>
pub const ECS: Api = api("ECS", "ecs", "ecs", "AmazonEC2ContainerServiceV20141113");

/// <https://docs.aws.amazon.com/kms/latest/APIReference/>
pub const KMS: Api = api("KMS", "kms", "kms", "TrentService");

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/>
pub const LOGS: Api = api("CloudWatch Logs", "logs", "logs", "Logs_20140328");

/// <https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html>, which answers in
/// few regions.
pub const PRICING: Api = api("Pricing", "api.pricing", "pricing", "AWSPriceListService");

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/>
pub const SECRETS_MANAGER: Api =
    Api { page: "NextToken", ..api("Secrets Manager", "secretsmanager", "secretsmanager", "secretsmanager") };

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/>
pub const SSM: Api = Api { page: "NextToken", ..api("SSM", "ssm", "ssm", "AmazonSSM") };

/// <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/>
pub(crate) const TAGGING: Api = Api {
    page: "PaginationToken",
    ..api("Resource Groups Tagging API", "tagging", "tagging", "ResourceGroupsTaggingAPI_20170126")
};

/// <https://docs.aws.amazon.com/lambda/latest/api/>, which names operations in the path.
pub(crate) const LAMBDA: Api = api("Lambda", "lambda", "lambda", "");

/// <https://docs.aws.amazon.com/scheduler/latest/APIReference/>, which names operations by method and path.
pub(crate) const SCHEDULER: Api = Api { page: "NextToken", ..api("Scheduler", "scheduler", "scheduler", "") };

/// Where an operation is that its method and path name.
pub(crate) struct Route {
    pub method: &'static str,
    /// With its query, encoded.
    pub path: String,
}

/// A client for an [`Api`].
#[derive(Debug, Clone)]
pub struct JsonApi {
    untyped: Untyped,
    target: &'static str,
    page: &'static str,
}

impl JsonApi {
    /// A client with the region, the credentials, the endpoint, the retries and the limits of `config`.
    pub fn new(api: Api, config: &SdkConfig) -> Self {
        JsonApi { untyped: Untyped::new(api.service, config), target: api.target, page: api.page }
    }

    /// Calls `operation` on `resource`, which is the name for error messages.
    ///
    /// # Errors
    ///
    /// What AWS refuses or does not answer, after the SDK's own retries.
    pub async fn call(
        &self,
        operation: &'static str,
        resource: &str,
        body: impl Into<Value>,
    ) -> Result<Map<String, Value>, Error> {
        let headers = vec![
            ("content-type", "application/x-amz-json-1.1".into()),
            ("x-amz-target", format!("{}.{operation}", self.target)),
        ];
        let route = Route { method: "POST", path: "/".into() };
        let answered = self.send(operation, resource, route, headers, body.into().to_string()).await?;
        fields(operation, resource, answered)
    }

    /// Sends `operation` on `resource` to a method and path.
    pub(crate) async fn send(
        &self,
        operation: &'static str,
        resource: &str,
        Route { method, path }: Route,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> Result<Answered, Error> {
        let (address, region) = (self.untyped.address(), self.untyped.region().into());
        self.untyped.exchange(operation, resource, Sent { method, address, region, path, headers, body }).await
    }

    /// All items of the list `field` of an operation that answers in pages. A page may be empty and not the last one.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call), of any page.
    pub async fn list(
        &self,
        operation: &'static str,
        resource: &str,
        mut body: Value,
        field: &str,
    ) -> Result<Vec<Value>, Error> {
        let mut items = Vec::new();
        loop {
            let mut page = self.call(operation, resource, body.clone()).await?;
            if let Some(Value::Array(some)) = page.remove(field) {
                items.extend(some);
            }
            match page.remove(self.page) {
                Some(Value::String(next)) if !next.is_empty() => body[self.page] = next.into(),
                _ => return Ok(items),
            }
        }
    }
}

/// The fields of an answer; none of an operation that has nothing to say.
pub(crate) fn fields(operation: &'static str, resource: &str, answered: Answered) -> Result<Map<String, Value>, Error> {
    match answered.json {
        Value::Object(fields) => Ok(fields),
        Value::Null => Ok(Map::new()),
        _ => Err(Error::unexpected(operation, resource, "the answer is not an object")),
    }
}

#[cfg(test)]
mod tests;
