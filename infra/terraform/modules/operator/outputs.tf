output "log_group_name" {
  description = "Where it says what it does."
  value       = aws_cloudwatch_log_group.this.name
}
