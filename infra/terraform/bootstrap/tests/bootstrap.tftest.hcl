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
  assert {
    condition     = length(local.subjects["plan-dev"]) == 2 && local.subjects["plan-prod"] == ["repo:somebody/telemetry:ref:refs/heads/main"]
    error_message = "A pull request may plan dev, and not prod, which is protected."
  }
  assert {
    condition     = keys(aws_iam_policy.boundary) == ["dev", "prod", "staging"] && aws_iam_policy.boundary["dev"].name == "telemetry-dev-boundary"
    error_message = "Each environment has its own boundary."
  }
}

run "a_repository_with_numbers_in_its_subjects" {
  command = plan
  variables { github_ids = { owner = "1234", repository = "5678" } }

  assert {
    condition     = local.subjects["apply-prod"] == ["repo:somebody@1234/telemetry@5678:environment:prod"]
    error_message = "Names and numbers, as the tokens of new repositories have them."
  }
  assert {
    condition     = alltrue([for subjects in local.subjects : alltrue([for subject in subjects : startswith(subject, "repo:somebody@1234/telemetry@5678:")])])
    error_message = "All of them; the old form would be somebody else's if the name changed hands."
  }
}

run "an_account_of_one_environment_reshards_by_itself" {
  command = plan
  variables { environments = ["prod"] }

  assert {
    condition     = keys(aws_iam_role.github) == ["apply-prod", "plan-prod", "push-image"] && contains([for one in data.aws_iam_policy_document.apply["prod"].statement : one.sid], "Reshard")
    error_message = "UpdateShardCount knows no resource, so only where there is no other stream."
  }
}

run "a_firewall_is_put_in_front_by_whoever_can_harm_nobody_else" {
  command = plan

  assert {
    condition = {
      several = length([for one in data.aws_iam_policy_document.doors["prod"].statement : one.sid if startswith(one.sid, "Firewall")])
      reads   = length([for one in data.aws_iam_policy_document.doors["prod"].statement : one.sid if contains(one.actions, "secretsmanager:GetSecretValue")])
    } == { several = 1, reads = 0 }
    error_message = "SetWebAcl knows no resource. And nobody who applies reads a key."
  }
}

run "mistakes_are_named" {
  command = plan
  variables {
    account_id        = "me"
    github_repository = "somebody/*"
    github_ids        = { owner = "somebody", repository = "*" }
    environments      = ["production"]
    name              = "T"
  }

  expect_failures = [var.account_id, var.github_repository, var.github_ids, var.environments, var.name]
}

run "a_domain_of_no_environment_is_a_mistake" {
  command = plan
  variables { domains = { qa = { name = "API.example.com", zone_id = "Z1" } } }

  expect_failures = [var.domains]
}
