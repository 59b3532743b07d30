#!/usr/bin/env bash
# deploy/compose/deploy.sh with a real docker and a real registry: what only they can show, such as which digests docker
# keeps of an image. Everything else is in tests/tests/compose_script.rs, with a docker that is played.
#
#   REGISTRY=localhost:5000 tests/compose/with-docker.sh
#
# Needs docker, compose (either one), curl, a registry that takes pushes, and a static busybox (BUSYBOX). Its containers
# are on the host's network, on port 38080; it removes what it made.
set -euo pipefail
cd "$(dirname "$0")/../.."
script=$PWD/deploy/compose/deploy.sh
registry=${REGISTRY:-localhost:5000}
busybox=${BUSYBOX:-$(command -v busybox)}
repository=$registry/table-order-api
folder=$(mktemp -d)
failed=0

compose() {
    if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}

# shellcheck disable=SC2329 # the trap calls it
clean_up() {
    (cd "$folder/srv/app" && compose down --timeout 1 >/dev/null 2>&1) || true
    docker images -q "$repository" | sort -u | xargs -r docker image rm -f >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap clean_up EXIT

# image NAME COMMAND...: builds and pushes it; prints its reference with digest.
image() {
    local name=$1 command
    shift
    command=$(printf '"%s", ' "$@")
    mkdir -p "$folder/$name/www"
    cp "$busybox" "$folder/$name/busybox"
    echo "$name" >"$folder/$name/www/health"
    printf 'FROM scratch\nCOPY busybox /busybox\nCOPY www /www\nCMD [%s]\n' "${command%, }" >"$folder/$name/Dockerfile"
    docker build --quiet --tag "$repository:$name" "$folder/$name" >/dev/null 2>&1
    docker push --quiet "$repository:$name" >/dev/null
    docker image inspect --format '{{index .RepoDigests 0}}' "$repository:$name"
}

# run NAME=VALUE...: the script with these parameters; its answer is in `answer`.
run() {
    local parameters=("SSM_Mode=deploy" "SSM_Path=$folder/srv/app" "SSM_Service=api" "SSM_Key=test" "SSM_Wait=8"
        "SSM_Health=http://localhost:38080/health" "SSM_Migrate=")
    answer=$(env NIGHTSHIFT_STATE="$folder/state" "${parameters[@]}" "$@" "$script") || true
}

# expect STORY JQ-LIKE...: each NAME=VALUE must be in the answer.
expect() {
    local story=$1 it wrong=''
    shift
    for it; do
        case $answer in *"\"${it%%=*}\":\"${it#*=}"*) ;; *) wrong+=" $it" ;; esac
    done
    if [ -z "$wrong" ]; then
        echo "ok: $story: $answer"
    else
        echo "WRONG: $story: expected$wrong in $answer" >&2
        failed=1
    fi
}

serve=(/busybox httpd -f -p 38080 -h /www)
v1=$(image v1 "${serve[@]}")
v2=$(image v2 "${serve[@]}")
deaf=$(image deaf /busybox sleep 1000)
crashes=$(image crashes /busybox false)
broken=$(image broken /no-such-program)
mkdir -p "$folder/srv/app"
cat >"$folder/srv/app/docker-compose.yml" <<COMPOSE
version: "3.8"
services:
  api:
    image: $repository:\${TAG:-v1}
    network_mode: host
    restart: always
    stop_grace_period: 1s
  migrate:
    image: $repository:\${TAG:-v1}
    network_mode: host
    command: ["/busybox", "test", "-e", "/www/health"]
COMPOSE
echo TAG=v1 >"$folder/srv/app/.env"
(cd "$folder/srv/app" && compose up -d api >/dev/null 2>&1)
# What was pushed from here is here: the script has to pull what follows.
docker image rm -f "$repository:v2" "$repository:deaf" "$repository:crashes" >/dev/null

run SSM_Mode=look "SSM_Image=$repository"
expect 'what a person started is read' outcome=running "running=${v1#*@}"
run "SSM_Image=$v2" SSM_Migrate=migrate
expect 'a new image is deployed, whatever .env says' outcome=deployed "before=${v1#*@}" "running=${v2#*@}" migrated=succeeded
[ "$(curl -s http://localhost:38080/health)" = v2 ] || failed=1
run "SSM_Image=$v2"
expect 'once more' outcome=unchanged "running=${v2#*@}"
run "SSM_Image=$deaf"
expect 'one that gives no answer' outcome=restored "running=${v2#*@}" 'why=no answer of'
run "SSM_Image=$crashes"
expect 'one that crashes' outcome=restored "running=${v2#*@}" 'why=its container'
[ "$(curl -s http://localhost:38080/health)" = v2 ] || failed=1
run "SSM_Image=$broken"
expect 'one that cannot start' outcome=restored "running=${v2#*@}" 'why=compose could not start it'
run "SSM_Image=$deaf" SSM_Health=
expect 'without an address, one that stays up' outcome=deployed "running=${deaf#*@}"
run "SSM_Image=$crashes" SSM_Health=
expect 'without an address, one that crashes' outcome=restored "running=${deaf#*@}"
run "SSM_Image=$v1"
expect 'back to the first one' outcome=deployed "running=${v1#*@}"
run "SSM_Image=$repository@sha256:$(printf '%064d' 0)"
expect 'one that is not there' outcome=refused "running=${v1#*@}" 'why=cannot pull the image'
(cd "$folder/srv/app" && compose stop api >/dev/null 2>&1)
run SSM_Mode=look "SSM_Image=$repository"
expect 'what was stopped does not run' outcome=running 'running="' 'why=api does not run'
run "SSM_Image=$v2"
expect 'what was stopped is started with the new image' outcome=deployed "before=${v1#*@}" "running=${v2#*@}"
# Under another name of the project compose does not know the container as its own.
(cd "$folder/srv/app" && compose down --timeout 1 >/dev/null 2>&1 && compose -p shop up -d api >/dev/null 2>&1)
run "SSM_Image=$v2"
expect 'a project of another name is left alone' outcome=refused "why=api runs in the compose project 'shop'"
echo COMPOSE_PROJECT_NAME=shop >>"$folder/srv/app/.env"
run "SSM_Image=$v2"
expect 'with its name it is deployed to' outcome=deployed "before=${v1#*@}" "running=${v2#*@}"
exit "$failed"
