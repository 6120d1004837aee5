output "role_arns" {
  description = "Roles by process: api, consumer, operator, archiver if there is an archive, execution for Fargate's agent, and flow-logs if they are kept."
  value       = { for process, role in aws_iam_role.process : process => role.arn }

  # A task that starts before its rights are there would fail.
  depends_on = [aws_iam_role_policy.process]
}
