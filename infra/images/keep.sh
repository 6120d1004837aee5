#!/bin/sh
# Keeps the images of a deployment: `infra/images/keep.sh <tag> <environment>`, after an apply. They get a second tag, of which the
# repository keeps the last twenty of each environment, however many commits come after. Tags never move, so each names its commit.
# Wants AWS_ACCOUNT_ID, AWS_REGION and credentials; REPOSITORY_NAME where bootstrap was told another. Running it again is harmless.
set -eu
[ $# -eq 2 ] || { echo "usage: infra/images/keep.sh <tag> <environment>" >&2; exit 2; }
: "${AWS_ACCOUNT_ID:?is not set: the twelve digits of the account}" "${AWS_REGION:?is not set: for example eu-west-1}"
repository=${REPOSITORY_NAME:-telemetry-pipeline}
ecr() { command=$1; shift; aws ecr "$command" --region "$AWS_REGION" --repository-name "$repository" "$@"; }

for target in api consumer; do
    tag=deployed-$2-$1-$target
    if ecr describe-images --image-ids "imageTag=$tag" >/dev/null 2>&1; then
        echo "$repository:$tag is there already"
    else
        image=$(ecr batch-get-image --image-ids "imageTag=$1-$target" --output json)
        manifest=$(printf '%s' "$image" | jq -re '.images[0].imageManifest')
        kind=$(printf '%s' "$image" | jq -re '.images[0].imageManifestMediaType')
        ecr put-image --image-tag "$tag" --image-manifest "$manifest" --image-manifest-media-type "$kind" >/dev/null
        echo "$repository:$tag is kept"
    fi
done
