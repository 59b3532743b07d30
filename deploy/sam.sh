#!/usr/bin/env bash
# Builds the functions from the sources and deploys them with SAM, with the parameters of samconfig.toml.
#
#   deploy/sam.sh [OPTIONS]       the options are those of `sam deploy`, such as --region or --profile
#
# `sam deploy` alone deploys what was built last, or the folders of the sources where nothing was built; and it leaves
# out a parameter that the template does not have, without a word. This script always builds, and refuses both.
# `sam build` works too, but makes files that need the C library of the system, start slower and take more memory.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}

fail() {
    printf '%s\n' "$*" >&2
    exit 2
}

# The names below `Parameters:` in the template.
known() { awk '/^[A-Za-z]/ { inside = ($1 == "Parameters:") } inside && /^  [A-Za-z]+:$/ { sub(":", "", $1); print $1 }' template.yaml; }

# The parameters in samconfig.toml, in any of the forms that SAM reads: "A=b C=d", ["A=b", "C=d"], ParameterKey=A,ParameterValue=b.
overrides() {
    awk '/^parameter_overrides/ { inside = 1 } inside { print } inside && !/\[[^]]*$/ && (/\]/ || !/^ /) { inside = 0 }' samconfig.toml |
        sed 's/^parameter_overrides *= *//; s/ParameterKey=\([A-Za-z0-9]*\),ParameterValue=/\1=/g'
}

# A region before a "=" is not a parameter: it is in the value of CopyRegions, which holds several with spaces between them.
given() {
    overrides | grep -oE "(^|[[:space:]\"'[,])[A-Za-z][A-Za-z0-9_-]*=" | tr -d " \"'[,=" |
        grep -vE '^[a-z]+(-[a-z]+)+-[0-9]+$' || true
}

# The processor that the deployment will ask for: that of samconfig.toml, or else the default of the template.
architecture() {
    overrides | grep -oE "Architecture=[\\\"']*[A-Za-z0-9_]+" | sed 's/.*[^A-Za-z0-9_]//' | grep . ||
        awk '/^  Architecture:$/ { inside = 1 } inside && $1 == "Default:" { print $2; exit }' template.yaml
}

for program in sam cargo-lambda; do
    command -v "$program" > /dev/null || fail "$program is not installed, or not on the PATH: pip install aws-sam-cli cargo-lambda"
done
for argument; do
    case $argument in
        --parameter-overrides* | --template* | -t) fail "$argument: set the parameters in samconfig.toml, so that the build knows them too." ;;
    esac
done
for name in $(given); do
    known | grep -qxF -- "$name" ||
        fail "samconfig.toml sets '$name', which is not a parameter of template.yaml. It has: $(known | tr "\n" " ")"
done

deploy/build.sh "$(architecture)" "$target/lambda"
# Its folders are read as relative to the template.
sed 's|^\( *CodeUri: \)functions/|\1lambda/|' template.yaml > "$target/sam.yaml"
sam deploy --template-file "$target/sam.yaml" "$@"
