//! How every bootstrap is linked for Lambda: at a fixed address, see docs/decisions/0012-linked-at-a-fixed-address.md.

fn main() {
    println!("cargo:rerun-if-changed=../build.rs");
    if cfg_is("CARGO_CFG_TARGET_OS", "linux") && cfg_is("PROFILE", "release") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}

#[expect(clippy::disallowed_methods, reason = "Cargo tells a build script by the environment what it builds for")]
fn cfg_is(name: &str, value: &str) -> bool {
    std::env::var(name).is_ok_and(|it| it == value)
}
