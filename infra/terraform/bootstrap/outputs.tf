output "state_bucket" {
  description = "For `terraform init -backend-config=bucket=…` in environment/."
  value       = aws_s3_bucket.state.bucket
}

output "repository_url" {
  description = "Where images are pushed to."
  value       = aws_ecr_repository.images.repository_url
}

output "role_arns" {
  description = "Roles for GitHub Actions: push-image, and plan-<env> and apply-<env> for each environment."
  value       = { for name, role in aws_iam_role.github : name => role.arn }
}

output "permissions_boundaries" {
  description = "By environment, its variable permissions_boundary."
  value       = { for env, policy in aws_iam_policy.boundary : env => policy.arn }
}
