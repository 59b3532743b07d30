#!/usr/bin/env bash
# Builds a release: the functions for both processors, a template without SAM, and what installs them.
#
#   deploy/release.sh             both processors, into target/release-files/
#   deploy/release.sh x86_64      only one of them: arm64 or x86_64
#
# Needs Rust and Python 3.10 or later. Leaves nightshift-VERSION/, the same as nightshift-VERSION.tar.gz, and its checksum.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
tools=$target/release-tools
out=$target/release-files
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
name=nightshift-$version

[ $# -gt 0 ] || set -- arm64 x86_64
for architecture; do
    case $architecture in
        arm64 | x86_64) ;;
        *)
            echo "$0: '$architecture' is not a processor that Lambda has; there are arm64 and x86_64" >&2
            exit 2
            ;;
    esac
done

if ! cmp -s deploy/release-tools.txt "$tools/installed.txt"; then
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --requirement deploy/release-tools.txt
    cp deploy/release-tools.txt "$tools/installed.txt"
fi

binaries=()
for architecture; do
    PATH="$(cd "$tools" && pwd)/bin:$PATH" deploy/build.sh "$architecture" "$target/lambda-$architecture"
    binaries+=(--binaries "$architecture=$target/lambda-$architecture")
done

mkdir -p "$out"
"$tools/bin/python" -B deploy/package.py --version "$version" --out "$out/$name" "${binaries[@]}"
# The same input gives the same archive: no times, no owners, one order.
tar --sort=name --mtime='1980-01-01 00:00Z' --owner=0 --group=0 --numeric-owner -C "$out" -cf - "$name" |
    gzip -n -9 > "$out/$name.tar.gz"
(cd "$out" && sha256sum "$name.tar.gz" > "$name.tar.gz.sha256")
ls -l "$out/$name.tar.gz" "$out/$name"
