//! Calls to AWS as a person or a pipeline makes them, in plain JSON: no SDK has to be built for a test.

use serde_json::{Value, json};

use super::{LocalAws, http::element};
use crate::{Error, Result};

/// What a function has answered.
#[derive(Debug)]
pub struct Invocation {
    /// The answer, or what Lambda makes of an error: `errorType` and `errorMessage`.
    pub payload: Value,
    /// `Unhandled` if the function failed.
    pub error: Option<String>,
}

impl LocalAws {
    /// Calls ECS.
    pub fn ecs(&self, action: &str, body: Value) -> Result<Value> {
        self.http.json("ecs", "AmazonEC2ContainerServiceV20141113", action, &body)
    }

    /// Calls ECR.
    pub fn ecr(&self, action: &str, body: Value) -> Result<Value> {
        self.http.json("ecr", "AmazonEC2ContainerRegistry_V20150921", action, &body)
    }

    /// Calls CodeDeploy.
    pub fn codedeploy(&self, action: &str, body: Value) -> Result<Value> {
        self.http.json("codedeploy", "CodeDeploy_20141006", action, &body)
    }

    /// Calls Application Auto Scaling.
    pub fn scaling(&self, action: &str, body: Value) -> Result<Value> {
        self.http.json("application-autoscaling", "AnyScaleFrontendService", action, &body)
    }

    /// Calls the Resource Groups Tagging API.
    pub fn tagging(&self, action: &str, body: Value) -> Result<Value> {
        self.http.json("tagging", "ResourceGroupsTaggingAPI_20170126", action, &body)
    }

    /// Calls SQS.
    pub fn sqs(&self, action: &str, body: Value) -> Result<Value> {
        self.http.json("sqs", "AmazonSQS", action, &body)
    }

    /// Calls EventBridge.
    pub fn events(&self, action: &str, body: Value) -> Result<Value> {
        self.http.json("events", "AWSEvents", action, &body)
    }

    /// Calls AWS Budgets.
    pub fn budgets(&self, action: &str, body: Value) -> Result<Value> {
        self.http.json("budgets", "AWSBudgetServiceGateway", action, &body)
    }

    /// Calls CloudWatch Logs.
    pub fn logs(&self, action: &str, body: Value) -> Result<Value> {
        self.http.json("logs", "Logs_20140328", action, &body)
    }

    /// Calls CloudWatch.
    pub fn cloudwatch(&self, action: &str, body: Value) -> Result<Value> {
        self.http.json("monitoring", "GraniteServiceVersion20100801", action, &body)
    }

    /// Calls SNS, which answers in XML; see [`LocalAws::element`].
    pub fn sns(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        self.http.query("sns", "2010-03-31", action, parameters)
    }

    /// Calls IAM, which answers in XML.
    pub fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        self.http.query("iam", "2010-05-08", action, parameters)
    }

    /// Calls RDS, which answers in XML.
    pub fn rds(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        self.http.query("rds", "2014-10-31", action, parameters)
    }

    /// Calls EC2, which answers in XML.
    pub fn ec2(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        self.http.query("ec2", "2016-11-15", action, parameters)
    }

    /// Calls EC2 Auto Scaling, which answers in XML.
    pub fn groups(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        self.http.query("autoscaling", "2011-01-01", action, parameters)
    }

    /// Calls CloudFormation, which answers in XML.
    pub fn cloudformation(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        self.http.query("cloudformation", "2010-05-15", action, parameters)
    }

    /// The names of all buckets.
    pub fn s3_buckets(&self) -> Result<Vec<String>> {
        let answer = self.http.rest("s3", "GET", "/", String::new())?;
        let names = answer.text.split("<Name>").skip(1);
        Ok(names.filter_map(|it| Some(it.split_once('<')?.0.to_owned())).collect())
    }

    /// Calls S3 by method and path, such as `PUT /bucket/key`.
    pub fn s3(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let answer = self.http.rest("s3", method, path, body.to_owned())?;
        match answer.status {
            200..300 => Ok(answer.text),
            status => Err(Error::new(format!("s3 {method} {path}: {status} {}", answer.text))),
        }
    }

    /// The keys in a bucket that begin so, a thousand at most.
    pub fn s3_keys(&self, bucket: &str, prefix: &str) -> Result<Vec<String>> {
        let answer = self.s3("GET", &format!("/{bucket}?list-type=2&prefix={prefix}"), "")?;
        let keys = answer.split("<Key>").skip(1);
        Ok(keys.filter_map(|it| Some(it.split_once('<')?.0.to_owned())).collect())
    }

    /// The text of the first element of that name in an XML answer.
    pub fn element<'a>(xml: &'a str, name: &str) -> Result<&'a str> {
        element(xml, name).ok_or_else(|| Error::new(format!("no element {name} in {xml}")))
    }

    /// Sends an event to the default bus as the AWS service `source` would.
    pub fn put_event(&self, source: &str, detail_type: &str, detail: &Value, resources: &[&str]) -> Result<()> {
        let entry =
            json!({"Source": source, "DetailType": detail_type, "Detail": detail.to_string(), "Resources": resources});
        let answer = self.events("PutEvents", json!({"Entries": [entry]}))?;
        if answer["FailedEntryCount"] == 0 { Ok(()) } else { Err(Error::new(format!("PutEvents refused {answer}"))) }
    }

    /// Calls Lambda, which goes by method and path.
    pub fn lambda(&self, method: &str, path: &str, body: Value) -> Result<Value> {
        let answer = self.http.rest("lambda", method, path, body.to_string())?;
        match answer.status {
            200..300 => Ok(serde_json::from_str(&answer.text).unwrap_or_default()),
            status => Err(Error::new(format!("lambda {method} {path}: {status} {}", answer.text))),
        }
    }

    /// Calls Systems Manager.
    pub fn ssm(&self, action: &str, body: Value) -> Result<Value> {
        self.http.json("ssm", "AmazonSSM", action, &body)
    }

    /// Calls Secrets Manager.
    pub fn secrets(&self, action: &str, body: Value) -> Result<Value> {
        self.http.json("secretsmanager", "secretsmanager", action, &body)
    }

    /// Calls EventBridge Scheduler, which goes by method and path.
    pub fn scheduler(&self, method: &str, path: &str, body: Value) -> Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.http.rest("scheduler", method, path, body)?;
        match answer.status {
            200..300 => Ok(serde_json::from_str(&answer.text).unwrap_or_default()),
            status => Err(Error::new(format!("scheduler {method} {path}: {status} {}", answer.text))),
        }
    }

    /// Sets these variables in the environment of a function and leaves the others as they are.
    pub fn set_environment(&self, function: &str, variables: &[(&str, &str)]) -> Result<()> {
        let path = format!("/2015-03-31/functions/{function}/configuration");
        let mut environment = self.lambda("GET", &path, Value::Null)?["Environment"].clone();
        for (name, value) in variables {
            environment["Variables"][*name] = json!(value);
        }
        self.lambda("PUT", &path, json!({"Environment": environment})).map(drop)
    }

    /// From now on a function logs what is of this level or above.
    pub fn set_log_level(&self, function: &str, level: &str) -> Result<()> {
        let path = format!("/2015-03-31/functions/{function}/configuration");
        let mut logging = self.lambda("GET", &path, Value::Null)?["LoggingConfig"].clone();
        logging["ApplicationLogLevel"] = level.into();
        self.lambda("PUT", &path, json!({"LoggingConfig": logging})).map(drop)
    }

    /// From now on it is this moment (RFC 3339) for a function.
    pub fn set_clock(&self, function: &str, moment: &str) -> Result<()> {
        self.set_environment(function, &[("NIGHTSHIFT_NOW", moment)])
    }

    /// Invokes a function, by name or by ARN, and waits for its answer.
    pub fn invoke(&self, function: &str, payload: &Value) -> Result<Invocation> {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let answer = self.http.rest("lambda", "POST", &path, payload.to_string())?;
        if answer.status != 200 {
            let status = answer.status;
            return Err(Error::new(format!("invoking {function}: {status} {}\n{}", answer.text, self.log_tail())));
        }
        Ok(Invocation { payload: serde_json::from_str(&answer.text)?, error: answer.function_error })
    }

    /// Invokes functions from another thread, by name; what they answer, or why they do not.
    pub fn invoker(&self) -> impl Fn(&str, &Value) -> std::result::Result<Value, String> + Send + 'static {
        let http = super::Http::new(self.server.endpoint());
        move |function, payload| {
            let path = format!("/2015-03-31/functions/{function}/invocations");
            let answer = http.rest("lambda", "POST", &path, payload.to_string()).map_err(|it| it.to_string())?;
            match (answer.status, &answer.function_error) {
                (200, None) => serde_json::from_str(&answer.text).map_err(|it| it.to_string()),
                (status, _) => Err(format!("{function} answers with {status}: {}", answer.text)),
            }
        }
    }

    /// All that a function has logged so far, oldest first.
    pub fn log_lines(&self, function: &str) -> Result<Vec<String>> {
        let group = format!("/aws/lambda/{function}");
        let mut lines = Vec::new();
        let mut next = Value::Null;
        loop {
            let mut request = json!({"logGroupName": group});
            if !next.is_null() {
                request["nextToken"] = next;
            }
            let page = self.logs("FilterLogEvents", request)?;
            let events = page["events"].as_array().into_iter().flatten();
            lines.extend(events.filter_map(|it| Some(it["message"].as_str()?.trim_end().to_owned())));
            next = page["nextToken"].clone();
            if next.is_null() {
                return Ok(lines);
            }
        }
    }
}
