#!/bin/sh
# Brings both images of one tag to ECR: `infra/images/push.sh <tag>`, after `make images`. Wants AWS_ACCOUNT_ID, AWS_REGION and
# credentials; REPOSITORY_NAME where bootstrap was told another. A tag is never written twice there, so what is there already is left alone, and running this again is harmless.
set -eu
[ $# -eq 1 ] || { echo "usage: infra/images/push.sh <tag>" >&2; exit 2; }
: "${AWS_ACCOUNT_ID:?is not set: the twelve digits of the account}" "${AWS_REGION:?is not set: for example eu-west-1}"
name=telemetry-pipeline repository=${REPOSITORY_NAME:-telemetry-pipeline}
registry=$AWS_ACCOUNT_ID.dkr.ecr.$AWS_REGION.amazonaws.com

aws ecr get-login-password --region "$AWS_REGION" | docker login --username AWS --password-stdin "$registry"
for target in api consumer; do
    tag=$1-$target
    if aws ecr describe-images --region "$AWS_REGION" --repository-name "$repository" --image-ids "imageTag=$tag" >/dev/null 2>&1; then
        echo "$repository:$tag is there already"
    else
        docker tag "$name:$tag" "$registry/$repository:$tag"
        docker push "$registry/$repository:$tag"
    fi
done
