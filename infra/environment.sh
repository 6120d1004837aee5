#!/bin/sh
# Terraform on one environment, for people and workflows alike: `infra/environment.sh dev plan -out=dev.tfplan`,
# `infra/environment.sh dev apply dev.tfplan`, `infra/environment.sh dev destroy -out=dev.tfplan` (a plan too, to be applied).
# Workspace, state and values follow from the first word alone, so they cannot belong to different environments.
#
# Wants AWS_ACCOUNT_ID and AWS_REGION, credentials, and for a plan TF_VAR_owner, TF_VAR_image and TF_VAR_allowed_cidrs. TF_VAR_name
# begins all names, as in bootstrap; without it they begin with telemetry. A second environment of the same kind in the account has a
# TF_VAR_name of its own, and is told bootstrap's as BOOTSTRAP_NAME: bootstrap made the bucket for states, and no boundary for such a one.
set -eu

usage() {
    echo "usage: infra/environment.sh dev|staging|prod new|plan|destroy|apply|output …" >&2
    exit 2
}

[ $# -ge 2 ] || usage
environment=$1 command=$2
shift 2
case $environment in dev | staging | prod) ;; *) usage ;; esac
: "${AWS_ACCOUNT_ID:?is not set: the twelve digits of the account}" "${AWS_REGION:?is not set: for example eu-west-1}"

# A file is named as seen from where we were called; Terraform runs elsewhere.
here=$(pwd)
cd "$(dirname "$0")/terraform/environment"
export TF_INPUT=0 TF_IN_AUTOMATION=1
export TF_VAR_account_id="$AWS_ACCOUNT_ID" TF_VAR_region="$AWS_REGION"
export TF_VAR_name="${TF_VAR_name:-telemetry}"
bootstrap="${BOOTSTRAP_NAME:-$TF_VAR_name}"
if [ "$bootstrap" = "$TF_VAR_name" ]; then
    export TF_VAR_permissions_boundary="arn:aws:iam::$AWS_ACCOUNT_ID:policy/$TF_VAR_name-$environment-boundary"
else
    unset TF_VAR_permissions_boundary
fi

init() {
    set -- -backend-config="bucket=$bootstrap-terraform-$AWS_ACCOUNT_ID" -backend-config="region=$AWS_REGION" \
        -backend-config="workspace_key_prefix=$TF_VAR_name"
    # Who keeps a lock of the providers takes no others.
    [ ! -f .terraform.lock.hcl ] || set -- "$@" -lockfile=readonly
    terraform init -reconfigure "$@" >&2
}

if [ "$command" = new ]; then
    unset TF_WORKSPACE # Terraform makes no workspace while one is dictated
    init
    exec terraform workspace new "$environment"
fi

# From the start: init reads the state of the workspace that it finds, and the roles may read none but their environment's.
export TF_WORKSPACE="$environment"
init
# Terraform would make a state that is not there, under whatever name.
terraform workspace list | tr -d ' *' | grep -qxF "$environment" || {
    echo "$environment has no state yet: infra/environment.sh $environment new" >&2
    exit 1
}

plan() {
    # Whoever plans may read the state but not lock it; what is applied is a saved plan, which a state that moved on refuses.
    exec terraform plan -lock=false -var-file="$environment.tfvars" "$@"
}

case $command in
    plan | destroy)
        for word; do
            shift
            case $word in -out=/*) ;; -out=*) word="-out=$here/${word#-out=}" ;; esac
            set -- "$@" "$word"
        done
        if [ "$command" = destroy ]; then plan -destroy "$@"; else plan "$@"; fi
        ;;
    apply)
        # A saved plan only: Terraform would otherwise plan anew and apply what nobody has seen.
        [ $# -eq 1 ] || usage
        case $1 in /*) saved=$1 ;; *) saved=$here/$1 ;; esac
        [ -f "$saved" ] || { echo "$saved is not there: make a plan first" >&2; exit 2; }
        exec terraform apply "$saved"
        ;;
    output) exec terraform output "$@" ;;
    *) usage ;;
esac
