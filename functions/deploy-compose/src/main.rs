//! Lambda entry point; the story starts in `lib.rs`.

use deploy_compose::{Clients, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(env!("CARGO_PKG_NAME"), Clients::new, handle).await
}
