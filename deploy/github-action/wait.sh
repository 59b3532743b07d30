#!/usr/bin/env bash
# Waits until an image is live on a service that Nightshift deploys, and ends as the deployment does.
#
#   wait.sh CLUSTER/SERVICE IMAGE [SECONDS]      IMAGE is a tag or sha256:DIGEST; SECONDS is how long to wait, 1800
#
# It takes the AWS CLI and lambda:InvokeFunction on the function, and changes nothing.
# NIGHTSHIFT_FUNCTION is the function, nightshift-deploy-image; NIGHTSHIFT_EVERY the seconds between two looks, 15.
#
#   0  live; or deployed to a service that sleeps, so that no task of it has run yet
#   1  rejected: the service runs another image
#   2  it cannot be asked: wrong arguments, no such service or image, no permission
#   3  another image is deployed in its place, or the rule of the service does not select it
#   4  neither within the time, such as an image that waits for a person or for a window
set -euo pipefail

fail() {
    printf '%s\n' "$*" >&2
    exit 2
}

number() { case $1 in '' | *[!0-9]*) fail "$2 is '$1', and not a number of seconds" ;; esac; }

[ $# -ge 2 ] && [ $# -le 3 ] || fail "usage: wait.sh CLUSTER/SERVICE IMAGE [SECONDS]"
service=$1 image=$2 longest=${3:-1800}
function=${NIGHTSHIFT_FUNCTION:-nightshift-deploy-image}
every=${NIGHTSHIFT_EVERY:-15}
number "$longest" SECONDS
number "$every" NIGHTSHIFT_EVERY
# They become part of a JSON text.
case $service$image in *[!A-Za-z0-9._/:@+-]*) fail "CLUSTER/SERVICE or IMAGE has a letter that no name of AWS has: $service $image" ;; esac

# Version 1 of the CLI reads no other variable of the region.
if [ -n "${AWS_REGION:-}" ]; then
    export AWS_DEFAULT_REGION="${AWS_DEFAULT_REGION:-$AWS_REGION}"
fi

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# The text of a field of the answer, which stands there once.
field() { sed -n "s/.*\"$1\": *\"\(\([^\"\\\\]\|\\\\.\)*\)\".*/\1/p" "$answer" | sed 's/\\\(.\)/\1/g'; }

# Of a service that is asked about by its name there is one answer: a word, and why.
look() {
    local payload="{\"status\":{\"service\":\"$service\",\"image\":\"$image\"}}"
    printf %s "$payload" |
        aws lambda invoke --function-name "$function" --payload fileb:///dev/stdin "$answer" > /dev/null ||
        fail "$function cannot be asked about $image on $service"
    said=$(field reason)
    [ -n "$said" ] || said=$(field errorMessage)
    local refused
    refused=$(field refused)
    [ -z "$refused" ] || fail "$refused"
}

told=
while true; do
    look
    if [ "$said" != "$told" ]; then
        printf '%s\n' "$said"
        told=$said
    fi
    state=${said%%: *}
    case $state in
        live | unproven) code=0 ;;
        rejected) code=1 ;;
        superseded | not-selected) code=3 ;;
        waiting | rolling-out) code= ;;
        *) fail "this is not an answer about an image: $(head -c 500 "$answer")" ;;
    esac
    # The last look comes after the time is over, so that a verdict of the last moment counts.
    [ -n "$code" ] || [ "$SECONDS" -lt "$longest" ] || code=4
    if [ -n "$code" ]; then
        [ "$code" != 4 ] || printf '%s\n' "$image is not live on $service after $longest seconds" >&2
        if [ -n "${GITHUB_OUTPUT:-}" ]; then
            {
                printf 'state=%s\n' "$state"
                printf 'reason=%s\n' "$(printf '%s' "${said#*: }" | tr '\n' ' ')"
            } >> "$GITHUB_OUTPUT"
        fi
        exit "$code"
    fi
    sleep "$every"
done
