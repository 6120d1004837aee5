output "secrets" {
  description = "For infra.first_keys: the secrets' names by what they hold."
  value       = { for role, secret in aws_secretsmanager_secret.this : role => secret.name }
}

output "canary_secret_arn" {
  description = "Where the canary's keys are, or null."
  value       = one([for role, secret in aws_secretsmanager_secret.this : secret.arn if role == "canary-keys"])
}
