//! How HTTPS is spoken: HTTP/1.1 over one pool of connections, with the certificate authorities of the system.
//!
//! The SDK has a client of its own. It parses each of the system's 140 certificate authorities before the first call,
//! which was half of the CPU of a cold start, and links HTTP/2, which no AWS API needs. Connections, pooling and TLS are
//! hyper's and rustls's here as there; only the choice of the authorities that are parsed is our own ([`Authorities`]).

mod authorities;
mod names;

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::dns::{ResolveDns, SharedDnsResolver};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::client::legacy::connect::{CaptureConnection, HttpInfo, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

pub use authorities::Authorities;
use names::Names;

/// To a host that does not answer. DNS with it, TLS not: an attempt as a whole has its own limit.
const CONNECT: Duration = Duration::from_secs(3);

/// A client for all of the SDK's clients together, so that they share their connections.
pub fn client(authorities: Authorities) -> SharedHttpClient {
    SharedHttpClient::new(pool(Names::System(GaiResolver::new()), authorities))
}

/// A connector that connects to what `resolver` makes of a name, and to nothing else: no proxy, no redirect.
pub fn connector(resolver: impl ResolveDns + 'static, authorities: Authorities) -> SharedHttpConnector {
    SharedHttpConnector::new(pool(Names::Other(SharedDnsResolver::new(resolver)), authorities))
}

fn pool(names: Names, authorities: Authorities) -> Pool {
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(Arc::clone(&crypto))
        .with_safe_default_protocol_versions()
        .expect("aws-lc speaks TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(authorities::Verifier::new(authorities, crypto)))
        .with_no_client_auth();
    let mut tcp = legacy::connect::HttpConnector::new_with_resolver(names);
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Pool(legacy::Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(https))
}

/// Connections that are open, by host.
#[derive(Debug, Clone)]
struct Pool(legacy::Client<HttpsConnector<legacy::connect::HttpConnector<Names>>, SdkBody>);

impl HttpClient for Pool {
    /// The limits of single attempts are kept by the SDK around the connector.
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Pool {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || metadata(&connection));
        }
        let answer = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await.map_err(failure)?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// By which the SDK closes a connection over which a call failed, instead of sending its next try over it as well.
fn metadata(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    let mut found = http::Extensions::new();
    connection.connection_metadata().as_ref()?.get_extras(&mut found);
    let addresses = found.get::<HttpInfo>();
    let connection = connection.clone();
    let mut metadata = ConnectionMetadata::builder().proxied(false).poison_fn(move || {
        connection.connection_metadata().as_ref().inspect(|it| it.poison());
    });
    metadata.set_local_addr(addresses.map(HttpInfo::local_addr)).set_remote_addr(addresses.map(HttpInfo::remote_addr));
    Some(metadata.build())
}

/// Says whether the SDK may try again: a connection that could not be made or broke is worth another try.
fn failure(error: legacy::Error) -> ConnectorError {
    let hyper = source::<hyper::Error>(&error);
    let broken = error.is_connect()
        || source::<io::Error>(&error).is_some()
        || hyper.is_some_and(|it| it.is_closed() || it.is_canceled());
    if hyper.is_some_and(hyper::Error::is_timeout) {
        ConnectorError::timeout(error.into())
    } else if hyper.is_some_and(hyper::Error::is_user) {
        ConnectorError::user(error.into())
    } else if broken {
        ConnectorError::io(error.into())
    } else if hyper.is_some_and(hyper::Error::is_incomplete_message) {
        // AWS closed an idle connection at the moment in which it was used again.
        ConnectorError::other(error.into(), Some(ErrorKind::TransientError))
    } else {
        ConnectorError::other(error.into(), None)
    }
}

fn source<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |&it| it.source()).find_map(|it| it.downcast_ref())
}

#[cfg(test)]
mod tests;
