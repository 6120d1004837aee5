output "log_group_name" {
  description = "Where it says whether its reading was counted, and after how long."
  value       = aws_cloudwatch_log_group.this.name
}

output "task" {
  description = "What RunTask needs to have it fly once more."
  value = {
    taskDefinition = aws_ecs_task_definition.this.arn
    subnets        = var.subnet_ids
    securityGroups = [aws_security_group.this.id]
    assignPublicIp = var.assign_public_ip ? "ENABLED" : "DISABLED"
  }
}
