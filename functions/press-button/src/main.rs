//! Lambda entry point; the story starts in `lib.rs`.

use press_button::{Clients, handle};

fn main() -> Result<(), runtime::Error> {
    runtime::run(env!("CARGO_PKG_NAME"), Clients::new, handle)
}
