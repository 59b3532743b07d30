//! Hands ECS's own JSON through the SDK, past its types: see `plan/task_definition.rs` for why.
//!
//! The SDK still signs, sends, retries and reads errors.

use std::sync::{Arc, Mutex};

use aws::Error;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::{Map, Value};

/// Keeps the body of the answer.
#[derive(Debug, Clone, Default)]
pub struct Answer(Arc<Mutex<Vec<u8>>>);

impl Answer {
    pub fn fields(&self, operation: &'static str, resource: &str) -> Result<Map<String, Value>, Error> {
        let body = self.0.lock().map(|it| it.clone()).unwrap_or_default();
        serde_json::from_slice(&body).map_err(|err| Error::unexpected(operation, resource, err.to_string()))
    }
}

#[dyn_dispatch_hint]
impl Intercept for Answer {
    fn name(&self) -> &'static str {
        "Answer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let (Some(body), Ok(mut kept)) = (context.response().body().bytes(), self.0.lock()) {
            *kept = body.to_vec();
        }
        Ok(())
    }
}

/// Sends this JSON instead of what the SDK made of its types.
#[derive(Debug)]
pub struct Request(pub String);

#[dyn_dispatch_hint]
impl Intercept for Request {
    fn name(&self) -> &'static str {
        "Request"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        request.headers_mut().insert("content-length", self.0.len().to_string());
        *request.body_mut() = SdkBody::from(self.0.as_str());
        Ok(())
    }
}
