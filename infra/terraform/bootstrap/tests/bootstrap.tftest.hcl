mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  account_id        = "123456789012"
  owner             = "somebody"
  github_repository = "somebody/telemetry"
}

run "states_and_images_are_kept" {
  command = plan

  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled" && aws_s3_bucket_public_access_block.state.restrict_public_buckets
    error_message = "States have versions and are private."
  }
  assert {
    condition     = aws_ecr_repository.images.image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.images.image_scanning_configuration[0].scan_on_push
    error_message = "Tags never move, images are scanned."
  }
}

run "one_role_for_each_thing_a_workflow_does" {
  command = plan

  assert {
    condition     = keys(aws_iam_role.github) == ["apply-dev", "apply-prod", "apply-staging", "plan-dev", "plan-prod", "plan-staging", "push-image"]
    error_message = "Push, and plan and apply for each environment."
  }
  assert {
    condition     = local.subjects["apply-prod"] == ["repo:somebody/telemetry:environment:prod"]
    error_message = "Only a run in GitHub's environment prod, with its approvals, may apply there."
  }
}

run "mistakes_are_named" {
  command = plan
  variables {
    account_id        = "me"
    github_repository = "somebody/*"
    environments      = ["production"]
    name              = "T"
  }

  expect_failures = [var.account_id, var.github_repository, var.environments, var.name]
}
