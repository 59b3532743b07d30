//! AWS as a script: answers the real SDK's requests byte for byte from a few tables, and keeps what it was sent.
//!
//! What an emulator does not show is shown here: pages, throttling, refusals, odd states, answers that get lost.
//!
//! A test describes what is there in a type of its own and says how it answers; protocols, faults and records of what
//! was called are the same for all:
//!
//! ```
//! use serde_json::json;
//! use testkit::scripted::{Answer, Call, Script, Tables};
//!
//! /// Clusters by name.
//! struct Aws(Vec<String>);
//!
//! impl Tables for Aws {
//!     fn answer(&mut self, call: &Call) -> Answer {
//!         match call.operation.as_str() {
//!             "ListClusters" => Answer::Json(json!({"clusterArns": self.0})),
//!             "DescribeServices" => Answer::Refused("ClusterNotFoundException"),
//!             other => panic!("the script knows no {other}"),
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let script = Script::new(Aws(vec!["arn:shop".into()]));
//! script.refuse("ListClusters", "", 1, 400, "ThrottlingException");
//! let ecs = aws_sdk_ecs::Client::new(&script.sdk());
//! let answer = ecs.list_clusters().send().await.unwrap();
//! assert_eq!(answer.cluster_arns(), ["arn:shop"]);
//! assert_eq!(script.count("ListClusters"), 2); // the first was throttled
//! # }
//! ```

mod call;
mod cbor;
mod rds;
mod request;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_rds::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_http_client::test_util::infallible_client_fn;
use aws_smithy_types::body::SdkBody;
use reconcile::Report;
use serde_json::Value;

pub use call::Call;
pub use rds::{Database, Rds, Snapshot};

/// The region of the function.
pub const HOME: &str = "ap-northeast-2";

/// What a refusal says.
const REFUSED: &str = "refused by the script";

/// A topic that takes every message.
pub const TOPIC: &str = "arn:aws:sns:ap-northeast-2:123456789012:nightshift";

/// A poisoned lock means that a test or a table has panicked already.
const SOUND: &str = "nothing panics while it holds the script";

/// What AWS says to a request.
pub enum Answer {
    /// In the query protocol: what stands inside of the result.
    Xml(String),
    /// In the JSON protocol, or in the binary one, where a moment is `{"at": SECONDS}`.
    Json(Value),
    /// The whole body, as it stands.
    Body(String),
    /// The bucket that is asked about is in another region, as S3 says in a redirection without a body.
    Elsewhere(&'static str),
    /// An object was written, and has this ETag.
    Written(String),
    /// An object of S3: what the headers say of it, and its contents.
    Object(Vec<(&'static str, String)>, Vec<u8>),
    /// A refusal, with the code.
    Refused(&'static str),
    /// A refusal with everything that is said of it.
    Failed {
        /// Such as 404.
        status: u16,
        /// The code.
        code: &'static str,
        /// The message.
        message: String,
    },
}

/// Tables that know what to say.
pub trait Tables {
    /// The answer to `call`, which is carried out by it.
    fn answer(&mut self, call: &Call) -> Answer;
}

/// An answer that is not the usual one.
struct Fault {
    operation: &'static str,
    about: String,
    times: usize,
    status: u16,
    code: &'static str,
    /// What was asked is done before it goes wrong.
    done: bool,
}

/// What is looked at by tests and by the SDK's clients has a lock of its own each, so that a test may look at two at once.
struct Stage<A> {
    aws: Mutex<A>,
    calls: Mutex<Vec<Call>>,
    faults: Mutex<Vec<Fault>>,
    /// How many answers were given: each carries an id of its own, as with AWS, so that a text that holds one is found.
    answers: AtomicUsize,
}

/// A handle on the script that the SDK's clients and the test share.
pub struct Script<A>(Arc<Stage<A>>);

impl<A> Clone for Script<A> {
    fn clone(&self) -> Self {
        Script(Arc::clone(&self.0))
    }
}

impl<A: Tables + Send + 'static> Script<A> {
    /// A script of these tables.
    pub fn new(aws: A) -> Self {
        Script(Arc::new(Stage {
            aws: Mutex::new(aws),
            calls: Default::default(),
            faults: Default::default(),
            answers: Default::default(),
        }))
    }

    /// The tables.
    pub fn aws(&self) -> MutexGuard<'_, A> {
        self.0.aws.lock().expect(SOUND)
    }

    /// What SDK clients are made of that speak to this script.
    pub fn sdk(&self) -> SdkConfig {
        let stage = Arc::clone(&self.0);
        let http = infallible_client_fn(move |request: http::Request<SdkBody>| stage.answer(&request));
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(HOME))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "key", "secret", None, None, "script",
            )))
            .retry_config(RetryConfig::standard().with_max_attempts(5))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(SharedTimeSource::new(SystemTimeSource::new()))
            .http_client(http)
            .build()
    }

    /// From now on this operation is refused, that many times, for requests whose fields hold `about`.
    pub fn refuse(&self, operation: &'static str, about: &str, times: usize, status: u16, code: &'static str) {
        self.0.faults.lock().expect(SOUND).push(Fault {
            operation,
            about: about.into(),
            times,
            status,
            code,
            done: false,
        });
    }

    /// From now on this operation is carried out, that many times, but its answer gets lost on the way.
    pub fn lose_answers(&self, operation: &'static str, times: usize) {
        let fault = Fault { operation, about: String::new(), times, status: 500, code: "InternalFailure", done: true };
        self.0.faults.lock().expect(SOUND).push(fault);
    }

    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.0.calls.lock().expect(SOUND)
    }

    /// How often each operation was called.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.calls().iter() {
            *counts.entry(call.operation.clone()).or_default() += 1;
        }
        counts
    }

    /// How often `operation` was called.
    pub fn count(&self, operation: &str) -> usize {
        self.counts().get(operation).copied().unwrap_or_default()
    }

    /// The requests of an operation.
    pub fn sent(&self, operation: &str) -> Vec<Call> {
        self.calls().iter().filter(|it| it.operation == operation).cloned().collect()
    }

    /// The bodies of the requests of an operation.
    pub fn bodies(&self, operation: &str) -> Vec<Value> {
        self.sent(operation).into_iter().map(|it| it.body).collect()
    }

    /// Notes a call that did not come through an SDK client, such as one to an address.
    pub fn note(&self, operation: &str, body: Value) {
        let (region, host, signed_for) = Default::default();
        self.calls().push(Call { region, host, signed_for, operation: operation.into(), body });
    }

    /// All requests, in the order in which they came.
    pub fn all_calls(&self) -> Vec<Call> {
        self.calls().clone()
    }

    /// From now on nothing is refused, and no answer gets lost.
    pub fn end_faults(&self) {
        self.0.faults.lock().expect(SOUND).clear();
    }

    /// Forgets what was called.
    pub fn forget_calls(&self) {
        self.calls().clear();
    }
}

impl<A: Tables> Stage<A> {
    fn answer(&self, request: &http::Request<SdkBody>) -> http::Response<SdkBody> {
        let (call, protocol) = request::read(request);
        let number = self.answers.fetch_add(1, Ordering::Relaxed) + 1;
        self.calls.lock().expect(SOUND).push(call.clone());
        let refused = |status, code, message: &str| protocol.refusal(status, code, message, number);
        if let Some((status, code, done)) = self.fault(&call) {
            if done {
                self.usual(&call);
            }
            return refused(status, code, REFUSED);
        }
        match self.usual(&call) {
            Answer::Xml(inner) => protocol.respond(200, request::xml(&call.operation, &inner).into_bytes(), number),
            Answer::Json(body) => protocol.respond(200, protocol.encoded(&body), number),
            Answer::Body(body) => protocol.respond(200, body.into_bytes(), number),
            Answer::Elsewhere(region) => request::redirection(region),
            Answer::Written(etag) => request::written(&etag),
            Answer::Object(headers, contents) => request::object(headers, contents),
            Answer::Refused(code) => refused(400, code, REFUSED),
            Answer::Failed { status, code, message } => refused(status, code, &message),
        }
    }

    /// What goes wrong with this call, if something does: status, code, and whether it is carried out nevertheless.
    fn fault(&self, call: &Call) -> Option<(u16, &'static str, bool)> {
        let fields = call.body.to_string();
        let mut faults = self.faults.lock().expect(SOUND);
        let hit = |it: &&mut Fault| it.operation == call.operation && it.times > 0 && fields.contains(&it.about);
        let fault = faults.iter_mut().find(hit)?;
        fault.times -= 1;
        Some((fault.status, fault.code, fault.done))
    }

    fn usual(&self, call: &Call) -> Answer {
        match call.operation.as_str() {
            "Publish" => Answer::Xml("<MessageId>1</MessageId>".into()),
            _ => self.aws.lock().expect(SOUND).answer(call),
        }
    }
}

/// What a run says: its actions with their outcomes, then its problems.
pub fn told(report: &Report) -> Vec<String> {
    let actions = report.actions.iter().map(|it| format!("{} {:?}", it.action, it.outcome));
    let problems = report.problems.iter().map(|it| format!("{}: {}", it.problem, it.message));
    actions.chain(problems).collect()
}
