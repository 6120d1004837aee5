output "name" {
  description = "The stream's name."
  value       = aws_kinesis_stream.events.name
}

output "shards" {
  description = "Its number of shards."
  value       = aws_kinesis_stream.events.shard_count
}

output "retention_hours" {
  description = "How long it keeps records."
  value       = aws_kinesis_stream.events.retention_period
}

output "arn" {
  description = "The stream's ARN."
  value       = aws_kinesis_stream.events.arn
}
