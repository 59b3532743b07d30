#!/usr/bin/env bash
# Builds all functions for a processor of Lambda, as they are deployed: each one static file, which runs on any Linux.
#
#   deploy/build.sh arm64 FOLDER        or x86_64; leaves FOLDER/NAME/bootstrap
#
# Needs Rust by rustup, and cargo-lambda with its compiler: pip install cargo-lambda
set -euo pipefail

[ $# -eq 2 ] || {
    echo "usage: $0 arm64|x86_64 FOLDER" >&2
    exit 2
}
case $1 in
    arm64) target=aarch64-unknown-linux-musl ;;
    x86_64) target=x86_64-unknown-linux-musl ;;
    *)
        echo "$0: '$1' is not a processor that Lambda has; there are arm64 and x86_64" >&2
        exit 2
        ;;
esac
mkdir -p "$2"
folder=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."

packages=()
for function in functions/*/; do
    packages+=(--package "$(basename "$function")")
done
cargo lambda build --release --locked --target "$target" --lambda-dir "$folder" "${packages[@]}"
