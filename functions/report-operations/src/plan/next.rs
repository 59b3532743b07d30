//! What a person does about a line that needs one: a page of the console to look at, or a command to run.

use reconcile::CommandLine;
use reconcile::message::page_of;
use serde_json::json;

/// Where the stack is, for the addresses and commands of a report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stack {
    pub region: String,
    /// The host of the console of the partition; two of them have none that is public.
    pub console: Option<&'static str>,
    /// What the names of its functions begin with: `nightshift-`.
    pub prefix: String,
}

impl Stack {
    /// A service, `CLUSTER/SERVICE`.
    pub fn service(&self, name: &str) -> String {
        let (cluster, service) = name.split_once('/').unwrap_or(("default", name));
        self.page(&format!("arn:aws:ecs:{}::service/{cluster}/{service}", self.region)).unwrap_or_else(|| {
            self.run(["aws", "ecs", "describe-services", "--cluster", cluster, "--services", service])
        })
    }

    /// A DB instance.
    pub fn database(&self, name: &str) -> String {
        self.page(&format!("arn:aws:rds:{}::db:{name}", self.region))
            .unwrap_or_else(|| self.run(["aws", "rds", "describe-db-instances", "--db-instance-identifier", name]))
    }

    pub fn alarm(&self, name: &str) -> String {
        self.page(&format!("arn:aws:cloudwatch:{}::alarm:{name}", self.region))
            .unwrap_or_else(|| self.run(["aws", "cloudwatch", "describe-alarms", "--alarm-names", name]))
    }

    pub fn budgets(&self) -> String {
        self.page("arn:aws:budgets:::budget/all").unwrap_or_else(|| self.log("enforce-budget"))
    }

    /// Whatever a function has told of; where it has no page, the log of that function.
    pub fn resource(&self, arn: &str, function: &str) -> String {
        self.page(arn).unwrap_or_else(|| self.log(function))
    }

    /// The log of a function of the stack, of the last hour.
    pub fn log(&self, function: &str) -> String {
        let group = format!("/aws/lambda/{}{function}", self.prefix);
        self.run(["aws", "logs", "tail", &group, "--since", "1h"])
    }

    /// The log of this function, which holds what it could not read.
    pub fn own_log(&self) -> String {
        self.log("report-operations")
    }

    /// What is left out of a report.
    pub fn needs_you(&self) -> String {
        let function = format!("{}report-operations", self.prefix);
        let line = CommandLine::invocation(&function, &json!({"board": "needs-you"}));
        format!("run {}", line.in_region(Some(self.region.as_str()).filter(|it| !it.is_empty())))
    }

    pub fn run<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> String {
        let line = CommandLine::of(words).in_region(Some(self.region.as_str()).filter(|it| !it.is_empty()));
        format!("run {line}")
    }

    fn page(&self, arn: &str) -> Option<String> {
        // Without a region there is no address of a page.
        let console = self.console.filter(|_| !self.region.is_empty())?;
        page_of(arn, console).map(|it| format!("see {it}"))
    }
}
