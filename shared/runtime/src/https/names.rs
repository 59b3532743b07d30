//! Who says what the addresses of a name are.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec::IntoIter;

use aws_smithy_runtime_api::client::dns::{ResolveDns, SharedDnsResolver};
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A resolver as hyper wants it.
#[derive(Debug, Clone)]
pub enum Names {
    System(GaiResolver),
    /// One of the SDK's kind, which may refuse addresses.
    Other(SharedDnsResolver),
}

impl Service<Name> for Names {
    type Response = IntoIter<SocketAddr>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        match self.clone() {
            Names::System(mut system) => {
                let found = system.call(name);
                Box::pin(async move { Ok(found.await?.collect::<Vec<_>>().into_iter()) })
            }
            Names::Other(resolver) => Box::pin(async move {
                let found = resolver.resolve_dns(name.as_str()).await?;
                // The port is that of the address that is connected to: hyper puts it in.
                Ok(found.into_iter().map(|it| SocketAddr::new(it, 0)).collect::<Vec<_>>().into_iter())
            }),
        }
    }
}
