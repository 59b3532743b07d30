#!/bin/bash
# Reads which image a service of a docker compose project runs (Mode=look), or deploys an image to it (Mode=deploy).
#
# Run Command runs this as root. README.md beside it has the parameters and the answer: one line of JSON, the only line
# on standard output. Three rules:
#   - A parameter is data: it comes in a variable and is matched here again, it is never text of this script.
#   - Nothing is stopped before the new image is on this machine and the way back is secured.
#   - What runs is read back from its container, never assumed.
# Amazon Linux 2 has bash 4.2. Two braces in a row would be a parameter to Systems Manager, so none are written here.
set -uf -o pipefail
exec </dev/null
umask 077
export LC_ALL=C HOME="${HOME:-/root}"
export PATH="${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}"
export DOCKER_CONFIG="${DOCKER_CONFIG:-$HOME/.docker}"
root=${NIGHTSHIFT_STATE:-/var/lib/nightshift/compose}

before='' running='' migrated='' downtime=0 work='' begun=''

# ---------------------------------------------------------------------------------------------------- the answer

# answer OUTCOME WHY: ends the script.
answer() {
    local why
    trap - EXIT HUP INT TERM
    why=${2//\\//}
    why=$(printf '%s' "${why//\"/\'}" | tr '\n\t' '  ' | tr -cd ' -~' | cut -c 1-400)
    [ -z "$work" ] || rm -rf "$work"
    printf '{"nightshift":1,"outcome":"%s","before":"%s","running":"%s","downtime":%d,"migrated":"%s","why":"%s"}\n' \
        "$1" "$before" "$running" "$downtime" "$migrated" "$why"
    case $1 in running | deployed | unchanged) exit 0 ;; *) exit 1 ;; esac
}

# Ended from outside. The next run finds in $state/pending what was under way.
# shellcheck disable=SC2329 # the trap calls it
interrupted() {
    trap - EXIT HUP INT TERM
    [ -n "$begun" ] || answer refused 'the script was ended before it changed anything'
    read_back || running=''
    answer failed 'the script was ended before it was done'
}
trap interrupted EXIT HUP INT TERM

# try SECONDS COMMAND...: what it says is kept, since only 24,000 and 8,000 characters of output survive Run Command.
try() {
    timeout -k 10 "$@" >"$work/said" 2>&1
}

# The last line of what a program said, which is where docker gives its reason. docker-compose 1 adds one that gives none.
last_words() {
    grep -Ev '^[[:space:]]*$|^Encountered errors while' "${1:-$work/said}" | tail -n 1 | cut -c 1-250
}

now() { date +%s; }

# ---------------------------------------------------------------------------------------------------- the parameters

# An agent that does not know interpolationType sets no variables. It cannot paste values either: this text names none.
for name in Mode Path Service Wait Key; do
    variable=SSM_$name
    [ -n "${!variable+set}" ] ||
        answer refused 'the SSM Agent does not give parameters as variables: update it to 3.3.2746.0 or newer'
done

# must_match NAME VALUE PATTERN EXPECTED
must_match() {
    [[ $2 =~ $3 ]] || answer refused "$1 '$2': expected $4"
}

mode=${SSM_Mode-} path=${SSM_Path-} service=${SSM_Service-} image=${SSM_Image-} health=${SSM_Health-}
path=${path%/} patience=${SSM_Wait-} migrate=${SSM_Migrate-}
repository='[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+'
must_match Mode "$mode" '^(look|deploy)$' 'look or deploy'
must_match Path "$path" '^/[A-Za-z0-9._/ -]{1,200}$' 'an absolute path of letters, digits, spaces and . _ / -'
must_match Service "$service" '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' 'the name of a compose service'
must_match Health "$health" '^(https?://[A-Za-z0-9.:_-]+(/[A-Za-z0-9._~/?=&%+,:@-]*)?)?$' 'an http address, or nothing'
must_match Wait "$patience" '^[1-9][0-9]{0,2}$' 'seconds from 1 to 600'
must_match Migrate "$migrate" '^([A-Za-z0-9][A-Za-z0-9._-]{0,62})?$' 'the name of a compose service, or nothing'
must_match Key "${SSM_Key-}" '^[a-z0-9-]{1,64}$' 'letters, digits and -'
case $path/ in */../*) answer refused "Path '$path': expected a path without '..'" ;; esac
[ "$patience" -le 600 ] || answer refused "Wait '$patience': expected seconds from 1 to 600"
[ "$migrate" != "$service" ] || answer refused "Migrate '$migrate': expected another service than the one to deploy"
if [ "$mode" = deploy ]; then
    must_match Image "$image" "^$repository@sha256:[a-f0-9]{64}\$" 'HOST/REPOSITORY@sha256:DIGEST'
else
    must_match Image "$image" "^($repository(@sha256:[a-f0-9]{64})?)?\$" 'HOST/REPOSITORY, or nothing'
fi
digest=''
case $image in *@*) digest=${image#*@} ;; esac
# After its start the agent repeats what was under way before. What it was told before a night may be over by now.
sent=${SSM_Key##*-}
if [ "$mode" = deploy ] && [[ $sent =~ ^[0-9]{10}$ ]] && [ $(($(now) - sent)) -gt 10800 ]; then
    answer refused 'this command is older than 3 hours, so what it deploys may be over by now'
fi

# ---------------------------------------------------------------------------------------------------- what is needed

state=$root$path/$service
{ mkdir -p "$state" && work=$(mktemp -d) && exec 9>"$root.lock"; } 2>/dev/null ||
    answer refused "cannot write to $state and to temporary files: is the disk full?"
command -v flock >/dev/null || answer refused 'flock is not installed'
# What this starts inherits the lock: a compose that outlives a killed script keeps the next run away.
flock -n 9 || answer refused 'another deployment is under way on this machine'

command -v docker >/dev/null || answer refused 'docker is not installed'
try 30 docker ps -q || answer refused "docker does not answer: $(last_words)"
# With docker-compose 1, all files must name the same version of the format, and none may have a pull policy.
version='' modern=yes
if try 30 docker compose version; then
    compose=(docker compose)
    all=(-a)
elif try 30 docker-compose version --short; then
    compose=(docker-compose)
    all=()
    case $(last_words) in 1.*) version=yes modern='' ;; *) all=(-a) ;; esac
else
    answer refused "neither the plugin 'docker compose' nor docker-compose is installed for root"
fi
if [ -n "$health" ] && ! command -v curl >/dev/null && ! command -v wget >/dev/null; then
    answer refused "neither curl nor wget is installed, so nobody can ask $health"
fi

# first_of NAME...: the first of these files in the folder of the project.
first_of() {
    local name
    for name; do
        if [ -f "$project/$name" ]; then
            printf '%s' "$project/$name"
            return
        fi
    done
}

# The order in which compose itself looks for its files; an override counts only beside a file that was not named.
more=''
if [ -f "$path" ]; then
    project=${path%/*} base=$path
else
    project=$path
    base=$(first_of compose.yaml compose.yml docker-compose.yml docker-compose.yaml)
    more=$(first_of compose.override.yml compose.override.yaml docker-compose.override.yml docker-compose.override.yaml)
fi
[ -n "$base" ] || answer refused "no compose.yaml, compose.yml or docker-compose.yml in $path"
cd "$project" 2>/dev/null || answer refused "cannot open $project"
[ -z "$version" ] || version=$(sed -n "s/^version:[[:space:]]*[\"']\{0,1\}\([0-9.]*\).*/\1/p" "$base" | head -n 1)

# Files that are named win over COMPOSE_FILE of .env; a variable of the agent's environment must not win over .env.
for name in $(compgen -e); do
    case $name in COMPOSE_*) unset "$name" ;; esac
done
compose+=(--project-directory "$project" -f "$base")
[ -z "$more" ] || compose+=(-f "$more")
pin=$state/override.yaml

# ---------------------------------------------------------------------------------------------------- what runs

# `.ID` and not `.Id`: for a name that it knows from JSON alone, docker reads all others from JSON too, where the health of a
# container without a check is missing.
open='{''{' close='}''}'
fields="${open}.ID$close ${open}.State.Status$close ${open}.State.ExitCode$close ${open}.RestartCount$close"
fields+=" ${open}if .State.Health$close${open}.State.Health.Status$close${open}else$close-${open}end$close"
fields+=" ${open}.Image$close ${open}or (index .Config.Labels \"com.docker.compose.oneoff\") \"-\"$close"
fields+=" ${open}.Config.Image$close ${open}index .Config.Labels \"com.docker.compose.project.config_files\"$close"
references="${open}range .RepoDigests$close${open}.$close ${open}end$close"

# reference_of IMAGE NAME: under which name with digest an image was pulled: the one that is asked for, the one that its
# container was made with, one of the same repository, or any. Nothing for an image that was built on this machine.
reference_of() {
    local known wanted it
    known=$(timeout 30 docker image inspect --format "$references" "$1" 2>/dev/null)
    for wanted in "$image" "$2" "${image%%@*}@"; do
        case $wanted in ?*@*) ;; *) continue ;; esac
        for it in $known; do
            case $it in "$wanted"*)
                printf '%s' "$it"
                return
                ;;
            esac
        done
    done
    printf '%s' "${known%% *}"
}

# observe [ids]: looks at the containers of the service, with `ids` not at the names of their images. Of several, those
# count that run; if they differ, no digest is known.
observe() {
    local ids id status code restarts check image_id oneoff name files reference last=''
    count=0 up=0 ended=0 restarted=0 exit_code=0 checks=no checked=yes
    found='' found_reference='' found_id='' mixed='' config='' container='' standing=''
    ids=$(timeout 60 "${compose[@]}" ps ${all[@]+"${all[@]}"} -q "$service" 2>"$work/ps") || return 1
    standing=$ids
    [ -n "$ids" ] || return 0
    # shellcheck disable=SC2086 # one id on each line
    timeout 60 docker inspect --format "$fields" $ids >"$work/containers" 2>"$work/ps" || return 1
    while read -r id status code restarts check image_id oneoff name files; do
        [ "$oneoff" != True ] || continue
        count=$((count + 1)) restarted=$((restarted + restarts)) config=$files
        case $status in
            running)
                up=$((up + 1))
                [ "$up" -gt 1 ] || last='' mixed='' checks=no checked=yes
                ;;
            exited | dead) ended=$((ended + 1)) exit_code=$code ;;
        esac
        [ "$status" = running ] || [ "$up" -eq 0 ] || continue
        [ "$check" = - ] || checks=yes
        case $check in - | healthy) ;; *) checked=no ;; esac
        reference=''
        [ "${1-}" = ids ] || reference=$(reference_of "$image_id" "$name")
        found_id=$image_id found_reference=$reference found=${reference#*@} container=$id
        [ -z "$last" ] || [ "$last" = "$image_id" ] || mixed=yes
        last=$image_id
    done <"$work/containers"
    [ -z "$mixed" ] || found=''
}

# What the answer says of it: a container that has ended runs nothing.
read_back() {
    observe || return 1
    running=''
    [ "$up" -eq 0 ] || running=$found
}

# Whether the service gives an answer now; without an address, whether a container of it runs.
answers() {
    if [ -z "$health" ]; then
        observe ids && [ "$up" -gt 0 ]
    elif command -v curl >/dev/null; then
        curl -q --silent --fail --output /dev/null --noproxy '*' --max-time 5 "$health" 2>/dev/null
    else
        timeout 6 env http_proxy='' https_proxy='' wget -q -T 5 -O /dev/null "$health" 2>/dev/null
    fi
}

# A container of this service from the same folder, but of a project with another name: compose does not know it as its own,
# and would start a second one beside it, for the same ports.
other_project() {
    local id labels name once folder
    labels="${open}index .Config.Labels \"com.docker.compose.project\"$close"
    labels+=" ${open}or (index .Config.Labels \"com.docker.compose.oneoff\") \"-\"$close"
    labels+=" ${open}index .Config.Labels \"com.docker.compose.project.working_dir\"$close"
    for id in $(timeout 30 docker ps -q --filter "label=com.docker.compose.service=$service"); do
        read -r name once folder < <(timeout 30 docker inspect --format "$labels" "$id" 2>/dev/null) || continue
        [ "$once" != True ] || continue
        if [ -n "$folder" ] && [ "$folder" -ef "$project" ]; then
            printf '%s' "$name"
            return
        fi
    done
}

read_back || answer refused "$(last_words "$work/ps")"
before=$running
if [ "$count" -eq 0 ]; then
    other=$(other_project)
    [ -z "$other" ] ||
        answer refused "$service runs in the compose project '$other', which is not the one of $base: write COMPOSE_PROJECT_NAME=$other into $project/.env"
fi
if [ "$mode" = look ]; then
    why=''
    [ "$count" -gt 0 ] || why="no container of $service"
    [ "$count" -eq 0 ] || [ "$up" -gt 0 ] || why="$service does not run"
    [ ! -e "$state/pending" ] || why="${why:+$why; }a deployment was ended before it was done"
    answer running "$why"
fi

# compose would make the container anew from other files than it was made from, and change more than its image.
IFS=, read -r -a made_from <<<"$config"
for name in ${made_from[@]+"${made_from[@]}"}; do
    case $name in "$root"/*) continue ;; esac
    [ "${name##*/}" = "${base##*/}" ] || { [ -n "$more" ] && [ "${name##*/}" = "${more##*/}" ]; } ||
        answer refused "$service was started from $config, and not from $base: name that file in path=, or start it from $base once"
done

# ---------------------------------------------------------------------------------------------------- the way back

# A run that was killed leaves what ran before it. What a person started since then counts more.
before_reference=$found_reference before_id=$found_id
[ "$count" -eq 0 ] || before=$found
pending=''
if [ -e "$state/pending" ]; then
    old_image='' old_reference='' old_id='' old_migrated=''
    while IFS='=' read -r name value; do
        case $name in
            image) old_image=$value ;;
            reference) old_reference=$value ;;
            id) old_id=$value ;;
            migrated) old_migrated=$value ;;
        esac
    done <"$state/pending"
    if [ "$count" -eq 0 ] || [ -n "$mixed" ] || [ "$found_reference" = "$old_image" ] || [ "$found_id" = "$old_id" ]; then
        pending=yes before_reference=$old_reference before_id=$old_id before=${old_reference#*@}
        [ "$old_image" != "$image" ] || migrated=$old_migrated
    fi
fi

if [ -z "$pending" ] && [ "$running" = "$digest" ] && [ "$up" -eq "$count" ]; then
    rm -f "$state/pending"
    answer unchanged ''
fi

# write FILE: what comes in, in one step.
write() {
    cat >"$1.new" && mv -f "$1.new" "$1"
}

remember() {
    printf 'image=%s\nreference=%s\nid=%s\nmigrated=%s\n' "$image" "$before_reference" "$before_id" "$migrated" |
        write "$state/pending" 2>/dev/null
}

# refuse WHY: nothing was stopped, and the old image still runs.
refuse() {
    [ -n "$pending" ] || rm -f "$state/pending"
    answer refused "$1"
}

# With the role of the instance, unless a helper of docker does it already.
log_in() {
    local host=${image%%/*} token hosts
    hosts='^[0-9]{12}\.dkr[.-]ecr(-fips)?\.([a-z0-9-]+)\.'
    [[ $host =~ $hosts ]] || return 0
    ! grep -qs ecr-login "$DOCKER_CONFIG/config.json" || return 0
    if command -v aws >/dev/null; then
        token=$(timeout 60 aws ecr get-login-password --region "${BASH_REMATCH[2]}" 2>"$work/said") || return 1
    elif command -v docker-credential-ecr-login >/dev/null; then
        token=$(printf '%s' "$host" | timeout 60 docker-credential-ecr-login get 2>"$work/said") || return 1
        token=$(printf '%s' "$token" | sed -n 's/.*"Secret":"\([^"]*\)".*/\1/p')
    else
        echo 'neither the AWS CLI nor docker-credential-ecr-login is installed' >"$work/said"
        return 1
    fi
    printf '%s' "$token" | timeout 60 docker login --username AWS --password-stdin "$host" >"$work/said" 2>&1
}

mark=$(printf '%s' "$path/$service" | cksum | cut -d ' ' -f 1)
# A tag of its own keeps `docker image prune` away from the previous image.
previous=nightshift-previous:$mark
if [ -n "$before_id" ] && ! try 30 docker tag "$before_id" "$previous"; then
    { [ -n "$before_reference" ] && log_in && try 600 docker pull "$before_reference" &&
        try 30 docker tag "$before_reference" "$previous"; } ||
        refuse "the image that runs is not on this machine any more, so there would be no way back: $(last_words)"
fi

# ---------------------------------------------------------------------------------------------------- the new image

if ! try 30 docker image inspect "$image"; then
    log_in || refuse "cannot log in to ${image%%/*}: $(last_words)"
    try 900 docker pull --quiet "$image" || refuse "cannot pull the image: $(last_words)"
    # Only what this script pulled does it remove again.
    printf '%s\n' "$image" >>"$state/pulled"
fi

# set_image REFERENCE: pins the service to it. A literal, so that neither a variable nor .env decides.
set_image() {
    local name
    [ ! -e "$pin" ] || cp -f "$pin" "$state/previous.yaml" || return 1
    {
        echo '# Written at each deployment: the image that the service runs.'
        [ -z "$version" ] || printf 'version: "%s"\n' "$version"
        echo 'services:'
        for name in "$service" ${migrate:+"$migrate"}; do
            printf '  "%s":\n    image: "%s"\n' "$name" "$1"
            # It is on the machine. The previous image may be there under a name that no registry knows.
            [ -z "$modern" ] || echo '    pull_policy: missing'
        done
    } | write "$pin" 2>/dev/null
}

# Once, with the new image, before that answers anybody. A container that a killed run has left is waited for. What it
# prints may hold a password, so it stays on this machine.
run_migration() {
    local name=nightshift-migrate-$mark left code
    grep -Eqs "^[[:space:]]+[\"']?${migrate//./\\.}[\"']?:" "$base" ${more:+"$more"} ||
        timeout 60 "${compose[@]}" config --services 2>/dev/null | grep -Fqx -- "$migrate" ||
        { echo "there is no service $migrate in $base" >"$work/why" && return 1; }
    left=$(timeout 30 docker ps -aq --filter "name=^/?$name\$")
    if [ -n "$left" ]; then
        try 1200 docker wait "$left"
        try 60 docker rm -f "$left"
    fi
    timeout -k 10 1200 "${compose[@]}" -f "$pin" run --rm --no-deps -T --name "$name" "$migrate" >"$state/migrate.log" 2>&1
    code=$?
    [ "$code" -ne 0 ] || return 0
    try 60 docker rm -f "$name"
    echo "exit code $code, its output is in $state/migrate.log" >"$work/why"
    [ "$code" -ne 124 ] || echo "it did not end within 1200 s, its output is in $state/migrate.log" >"$work/why"
    return 1
}

# What was pinned before, where nothing came of it.
unpin() {
    if [ -e "$work/pin" ]; then write "$pin" <"$work/pin"; else rm -f "$pin"; fi
}

remember || refuse "cannot write to $state: is the disk full?"
[ ! -e "$pin" ] || cp -f "$pin" "$work/pin"
if [ -n "$migrate" ] && [ "$migrated" != succeeded ]; then
    set_image "$image" || refuse "cannot write to $state: is the disk full?"
    begun=yes
    if ! run_migration; then
        migrated=failed
        unpin
        refuse "the migration '$migrate' failed: $(last_words "$work/why")"
    fi
    migrated=succeeded
    remember
fi

# ---------------------------------------------------------------------------------------------------- the change

# One look and a second of pause. What passes without an answer is downtime, if there was an answer before.
tick() {
    local begin
    begin=$(now) answering=no
    ! answers || answering=yes
    sleep 1
    [ "$answering" = yes ] || [ "$counting" = no ] || downtime=$((downtime + $(now) - begin))
}

# start_with REFERENCE: only this service, and without --wait, which fails on services that end with 0 as they should.
start_with() {
    set_image "$1" || { echo "cannot write $pin" >"$work/up" && return 1; }
    timeout -k 10 300 "${compose[@]}" -f "$pin" up -d --no-deps --no-build "$service" >"$work/up" 2>&1 &
    local up_process=$!
    while kill -0 "$up_process" 2>/dev/null; do tick; done
    wait "$up_process"
}

# prove IMAGE ADDRESS: whether its container runs and stays, and answers, before patience ends. Three answers in a row; with
# neither an address nor a health check of docker's, half a minute without a restart.
prove() {
    local deadline good=0 needed=3 wants=$1 health=$2 last=-1
    deadline=$(($(now) + patience))
    while :; do
        tick
        if ! observe ids; then
            why="docker does not answer: $(last_words "$work/ps")" good=0
        elif [ "$found_id" != "$wants" ] || [ -n "$mixed" ]; then
            why='its container was not made from this image' good=0
        elif [ "$ended" -eq "$count" ] && [ "$last" = ended ]; then
            why="its container ended with exit code $exit_code"
            return 1
        elif [ "$restarted" -ge 5 ]; then
            why="its container restarted $restarted times"
            return 1
        elif [ "$up" -lt "$count" ] || { [ "$last" != -1 ] && [ "$restarted" != "$last" ]; }; then
            why="its container did not stay up for $patience s" good=0
        elif [ -n "$health" ] && [ "$answering" = no ]; then
            why="no answer of $health for $patience s" good=0
        elif [ -z "$health" ] && [ "$checked" = no ]; then
            why="its health check did not pass for $patience s" good=0
        else
            good=$((good + 1))
        fi
        last=$restarted
        [ "$ended" -eq 0 ] || [ "$ended" -lt "$count" ] || last=ended
        [ -n "$health" ] || [ "$checks" = yes ] || needed=$((patience < 30 ? patience : 30))
        [ "$good" -lt "$needed" ] || return 0
        [ "$good" -gt 0 ] || [ "$(now)" -lt "$deadline" ] || return 1
    done
}

# Disks fill up with old images: removes what this script pulled and no container uses, but not the two newest.
tidy() {
    local it left=''
    [ -e "$state/pulled" ] || return
    while read -r it; do
        if [ "$it" = "$1" ] || [ "$it" = "$2" ] || [ -n "$(timeout 30 docker ps -aq --filter "ancestor=$it")" ]; then
            left+=$it$'\n'
        else
            try 60 docker image rm "$it"
        fi
    done < <(sort -u "$state/pulled")
    printf '%s' "$left" | write "$state/pulled"
}

image_id=$(timeout 30 docker image inspect --format "${open}.ID$close" "$image") ||
    refuse 'the image is gone again after its pull'
counting=no why='' begun=yes
for name in 1 2 3; do
    [ "$count" -gt 0 ] || break
    if answers; then
        counting=yes
        break
    fi
    sleep 1
done
was_answering=$counting
# The two looks differ in nothing where compose has changed nothing.
observe ids || standing=unknown
stood=$standing stood_up=$up started=no
if start_with "$image"; then
    started=yes
    if prove "$image_id" "$health"; then
        read_back || running=''
        rm -f "$state/pending"
        tidy "$image" "$before_reference"
        answer deployed ''
    fi
fi
[ -n "$why" ] || why="compose could not start it: $(last_words "$work/up")"
# The image is not at fault for what compose did not even begin, and what runs needs no restart.
if [ "$started" = no ] && [ -z "$pending" ] && [ "$stood_up" -gt 0 ] &&
    observe ids && [ "$standing" = "$stood" ] && [ "$up" -eq "$stood_up" ]; then
    unpin
    # A migration that has run is not repeated.
    [ "$migrated" = succeeded ] || rm -f "$state/pending"
    answer refused "$why; nothing was stopped"
fi

# ---------------------------------------------------------------------------------------------------- back

# The next container takes the place of this one, and its log goes with it.
! read_back || [ "$count" -eq 0 ] || timeout 30 docker logs --tail 200 "$container" >"$state/failed.log" 2>&1
reason=$why why=''
if [ -z "$before_id" ]; then
    rm -f "$state/pending"
    answer failed "$reason; nothing ran before, so there is nothing to go back to"
fi
back=$previous
if [ -n "$before_reference" ] && try 30 docker image inspect "$before_reference"; then back=$before_reference; fi
# What gave no answer before need not give one now.
address=$health
[ "$was_answering" = yes ] || address=''
start_with "$back" && prove "$before_id" "$address"
proven=$?
read_back || running=''
rm -f "$state/pending"
[ "$proven" -eq 0 ] ||
    answer failed "$reason; the previous image is not back: ${why:-$(last_words "$work/up")}"
tidy "$before_reference" "$before_reference"
[ "$was_answering" = yes ] || reason+='; the previous image gave no answer either'
answer restored "$reason"
