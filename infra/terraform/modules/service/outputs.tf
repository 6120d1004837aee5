output "name" {
  description = "The service's name in its cluster."
  value       = aws_ecs_service.this.name
}

output "task_definition_arn" {
  description = "The revision it runs."
  value       = aws_ecs_task_definition.this.arn
}

output "security_group_id" {
  description = "The security group of its tasks."
  value       = aws_security_group.this.id
}

output "log_group_name" {
  description = "Where its output goes, once that is there."
  value       = aws_cloudwatch_log_group.this.name
}

output "tasks_max" {
  description = "The greatest number of tasks."
  value       = aws_appautoscaling_target.this.max_capacity
}
