#!/usr/bin/env bash
# Installs, upgrades and removes Nightshift with the AWS CLI alone, from the files of a release.
set -euo pipefail

usage() {
    cat << 'TEXT'
Usage: ./install.sh [OPTIONS] [PARAMETER=VALUE...]    install, upgrade, or change parameters
       ./install.sh [OPTIONS] remove                  delete the stack and the files in the bucket
       ./install.sh parameters                        list all parameters with their defaults

Options:
  --stack NAME        the name of the stack (nightshift)
  --bucket NAME       a bucket of yours for the code, in the region of the stack
                      (nightshift-ACCOUNT-REGION, which is created)
  --region REGION, --profile PROFILE    as for the AWS CLI
  --yes               do not ask before the changes are made

A first installation only plans (DryRun=true) unless you say DryRun=false. An upgrade keeps the parameters that it is
not given. Ends with 0 if all is done, with 1 if something failed, with 2 if it was called in a wrong way.
TEXT
}

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

refuse() {
    printf '%s\n' "$*" >&2
    exit 2
}

say() { printf '%s\n' "$*"; }

release=$(cd "$(dirname "$0")" && pwd)
stack=nightshift
bucket=
yes=false
command=install
given=()

while [ $# -gt 0 ]; do
    case $1 in
        -h | --help)
            usage
            exit
            ;;
        --yes) yes=true ;;
        --stack | --bucket | --region | --profile)
            [ $# -gt 1 ] || refuse "$1 needs a value."
            case $1 in
                --stack) stack=$2 ;;
                --bucket) bucket=$2 ;;
                # The first version of the AWS CLI reads only the second one.
                --region) export AWS_REGION="$2" AWS_DEFAULT_REGION="$2" ;;
                --profile) export AWS_PROFILE="$2" ;;
            esac
            shift
            ;;
        -*) refuse "There is no option $1; see ./install.sh --help." ;;
        *=*) given+=("$1") ;;
        install | remove | parameters) command=$1 ;;
        *) refuse "'$1' is neither PARAMETER=VALUE nor one of install, remove, parameters; see ./install.sh --help." ;;
    esac
    shift
done
# Nothing may wait for a key in a pager.
export AWS_PAGER=

[ -f "$release/parameters.txt" ] || fail "$release holds no release, so there is nothing to install. Unpack \
nightshift-VERSION.tar.gz and run the install.sh in it; from the sources it is deploy/sam.sh."

# ---------------------------------------------------------------------------------------------------- what is checked

# Prints the name of the list that is written most like the given one, if it is like it at all.
most_like() {
    cut -f 1 "$release/parameters.txt" | awk -v given="$1" '
        function distance(a, b,    i, j, cost, d) {
            for (i = 0; i <= length(a); i++) d[i, 0] = i
            for (j = 0; j <= length(b); j++) d[0, j] = j
            for (i = 1; i <= length(a); i++)
                for (j = 1; j <= length(b); j++) {
                    cost = d[i - 1, j - 1] + (substr(a, i, 1) != substr(b, j, 1))
                    if (d[i - 1, j] + 1 < cost) cost = d[i - 1, j] + 1
                    if (d[i, j - 1] + 1 < cost) cost = d[i, j - 1] + 1
                    d[i, j] = cost
                }
            return d[length(a), length(b)]
        }
        BEGIN { gsub(/[_-]/, "", given); best = 4 }
        { now = distance(tolower(given), tolower($0)); if (now < best) { best = now; name = $0 } }
        END { print name }'
}

# The AWS CLI leaves out a parameter that the template does not have, without a word.
check_parameters() {
    local it name like seen=' '
    for it in ${given[@]+"${given[@]}"}; do
        name=${it%%=*}
        case $seen in
            *" $name "*) refuse "$name is given twice." ;;
        esac
        seen="$seen$name "
        if ! cut -f 1 "$release/parameters.txt" | grep -qxF -- "$name"; then
            like=$(most_like "$name")
            refuse "There is no parameter '$name'.${like:+ Did you mean $like?} All of them: ./install.sh parameters"
        fi
    done
}

check_files() {
    local check='sha256sum'
    command -v sha256sum > /dev/null || check='shasum -a 256'
    (cd "$release" && $check -c SHA256SUMS > /dev/null) ||
        fail "The files of the release are not those that SHA256SUMS names. Download it again."
}

# The value of a parameter: given now, or else that of the stack, or else the default.
value_of() {
    local it value
    for it in ${given[@]+"${given[@]}"}; do
        if [ "${it%%=*}" = "$1" ]; then
            printf '%s' "${it#*=}"
            return
        fi
    done
    if [ "$status" != none ]; then
        value=$(aws cloudformation describe-stacks --stack-name "$stack" \
            --query "Stacks[0].Parameters[?ParameterKey=='$1'].ParameterValue" --output text)
        if [ -n "$value" ] && [ "$value" != None ]; then
            printf '%s' "$value"
            return
        fi
    fi
    awk -F '\t' -v name="$1" '$1 == name { printf "%s", $2 }' "$release/parameters.txt"
}

# The status of the stack, or `none`.
stack_status() {
    local answer
    if answer=$(aws cloudformation describe-stacks --stack-name "$stack" \
        --query 'Stacks[0].StackStatus' --output text 2>&1); then
        printf '%s' "$answer"
    elif [[ $answer == *'does not exist'* ]]; then
        printf none
    else
        fail "$answer"
    fi
}

look_around() {
    command -v aws > /dev/null || fail "The AWS CLI is not installed, or not on the PATH."
    region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
    [ -n "$region" ] || fail "There is no region: name one with --region."
    export AWS_REGION="$region" AWS_DEFAULT_REGION="$region"
    account=$(aws sts get-caller-identity --query Account --output text) ||
        fail "AWS does not know who you are: log in, or name a profile with --profile."
    own_bucket=false
    if [ -z "$bucket" ]; then
        bucket=nightshift-$account-$region
        own_bucket=true
    fi
    status=$(stack_status)
}

confirmed() {
    local answer
    $yes && return 0
    printf '%s [y/N] ' "$1"
    read -r answer || answer=
    [[ $answer == [yY]* ]]
}

# ------------------------------------------------------------------------------------------------------------- install

# The owner is checked with each call: a stranger can take the name of a bucket that does not exist yet.
bucket_is_there() {
    local answer
    if answer=$(aws s3api head-bucket --bucket "$bucket" --expected-bucket-owner "$account" 2>&1); then
        return 0
    fi
    case $answer in
        *'(404)'* | *'Not Found'*) return 1 ;;
        *) fail "The bucket $bucket cannot be used (is it of another account?): $answer" ;;
    esac
}

create_bucket() {
    local where=()
    # The only region that refuses its own name here.
    [ "$region" = us-east-1 ] || where=(--create-bucket-configuration "LocationConstraint=$region")
    aws s3api create-bucket --bucket "$bucket" ${where[@]+"${where[@]}"} > /dev/null
    aws s3api put-public-access-block --bucket "$bucket" --public-access-block-configuration \
        BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
}

upload() {
    local zip
    if ! bucket_is_there; then
        $own_bucket || fail "There is no bucket $bucket."
        say "Creating the bucket $bucket"
        create_bucket
    fi
    say "Uploading the functions to s3://$bucket/$prefix/"
    for zip in "$release"/*-"$architecture".zip; do
        aws s3api put-object --bucket "$bucket" --key "$prefix/$(basename "$zip")" --body "$zip" \
            --expected-bucket-owner "$account" > /dev/null
    done
}

failures() {
    aws cloudformation describe-stack-events --stack-name "$stack" --output text --query \
        "StackEvents[?contains(ResourceStatus, 'FAILED')].[LogicalResourceId, ResourceStatusReason]" | head -n 20 >&2
}

install() {
    local fresh=false kind=update answer changes
    check_parameters
    check_files
    look_around
    case $status in
        none | REVIEW_IN_PROGRESS) fresh=true kind=create ;;
        ROLLBACK_COMPLETE | ROLLBACK_FAILED | CREATE_FAILED | DELETE_FAILED)
            fail "The stack $stack is $status: it was never installed whole. First: ./install.sh --stack $stack remove"
            ;;
        *_IN_PROGRESS) fail "The stack $stack is $status: wait until that has ended." ;;
    esac
    $fresh && status=none
    architecture=$(value_of Architecture)
    ls "$release"/*-"$architecture".zip > /dev/null 2>&1 ||
        refuse "This release has no functions for Architecture=$architecture."
    # Another prefix for other files, also where the version is the same: Lambda takes new code only from a new key.
    prefix=$stack/$(cat "$release/VERSION")-$(cut -c 1-64 "$release/SHA256SUMS" | cksum | cut -d ' ' -f 1)
    if $fresh && [[ " ${given[*]-}" != *' DryRun='* ]]; then
        given+=(DryRun=true)
    fi
    say "Account $account, region $region, stack $stack, release $(cat "$release/VERSION")"
    upload

    answer=$(aws cloudformation deploy --stack-name "$stack" --template-file "$release/template.json" \
        --s3-bucket "$bucket" --s3-prefix "$prefix" --capabilities CAPABILITY_IAM \
        --no-execute-changeset --no-fail-on-empty-changeset \
        --parameter-overrides "CodeBucket=$bucket" "CodePrefix=$prefix" ${given[@]+"${given[@]}"})
    changes=$(printf '%s' "$answer" | grep -o 'arn:[^ ]*:changeSet/[^ ]*' || true)
    if [ -z "$changes" ]; then
        say "$answer"
        return
    fi
    say "Changes:"
    aws cloudformation describe-change-set --change-set-name "$changes" --output text --query \
        'Changes[].ResourceChange.[Action, ResourceType, LogicalResourceId]' | sed 's/^/  /'
    if ! confirmed "Make them?"; then
        aws cloudformation delete-change-set --change-set-name "$changes"
        $fresh && aws cloudformation delete-stack --stack-name "$stack"
        fail "Nothing is changed."
    fi
    aws cloudformation execute-change-set --change-set-name "$changes"
    if ! aws cloudformation wait "stack-$kind-complete" --stack-name "$stack"; then
        failures
        fail "The stack $stack could not be ${kind}d; CloudFormation takes back what it had done."
    fi
    aws cloudformation describe-stacks --stack-name "$stack" --output text \
        --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]' | sort
    next_steps
}

next_steps() {
    say ""
    if [ "$(value_of DryRun)" = true ]; then
        say "Nightshift only plans. Look at what it would do, for example:"
        say "  printf %s '{\"dry_run\":true,\"format\":\"text\"}' | aws lambda invoke --region $region \\"
        say "      --function-name $stack-deploy-image --payload fileb:///dev/stdin /dev/stderr >/dev/null"
        say "If you agree with it: $0 --region $region --stack $stack DryRun=false"
    else
        say "Nightshift works on what is tagged. To let it only plan again: $0 --region $region --stack $stack DryRun=true"
    fi
    [ -z "$(value_of Email)" ] || say "Confirm the subscription that AWS has mailed to $(value_of Email)."
}

# -------------------------------------------------------------------------------------------------------------- remove

remove() {
    [ ${#given[@]} -eq 0 ] || refuse "A removal takes no parameters."
    look_around
    say "Account $account, region $region: the stack $stack ($status) and s3://$bucket/$stack/ will be deleted."
    say "Snapshots, deployed services and tags stay as they are."
    confirmed "Delete them?" || fail "Nothing is changed."
    if [ "$status" != none ]; then
        aws cloudformation delete-stack --stack-name "$stack"
        if ! aws cloudformation wait stack-delete-complete --stack-name "$stack"; then
            failures
            fail "The stack $stack could not be deleted."
        fi
    fi
    if bucket_is_there; then
        aws s3 rm "s3://$bucket/$stack/" --recursive --quiet
        # Another stack of the account may have its code there.
        if $own_bucket && [ -z "$(aws s3api list-objects-v2 --bucket "$bucket" --max-items 1 \
            --query 'Contents[].Key' --output text | grep -v None || true)" ]; then
            aws s3api delete-bucket --bucket "$bucket" --expected-bucket-owner "$account"
        fi
    fi
    say "Nightshift is removed."
}

case $command in
    parameters) awk -F '\t' '{ printf "%s (%s)\n    %s\n", $1, $2 == "" ? "empty" : $2, $3 }' "$release/parameters.txt" ;;
    *) "$command" ;;
esac
