output "topic_arn" {
  description = "Where alarms go."
  value       = aws_sns_topic.alarms.arn
}

output "alarm_names" {
  description = "Every alarm that tells somebody."
  value       = sort([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name])
}
