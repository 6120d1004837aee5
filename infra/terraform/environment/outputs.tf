output "url" {
  description = "Where the API is."
  value       = module.edge.url
}

output "prefix" {
  description = "PREFIX for infra.setup and the telemetry command."
  value       = local.prefix
}

output "region" {
  description = "AWS_REGION for them."
  value       = var.region
}

output "cluster" {
  description = "The ECS cluster."
  value       = aws_ecs_cluster.this.name
}

output "services" {
  description = "The services in it."
  value       = merge({ api = module.api.name, consumer = module.consumer.name }, { for name, archiver in module.archiver : name => archiver.name })
}

output "stream" {
  description = "The stream."
  value       = module.stream.name
}

output "tables" {
  description = "The tables by role, one for each generation."
  value       = module.tables.names
}

output "archive_bucket" {
  description = "Where the log is kept beyond the stream's retention, or null."
  value       = one(module.archive[*].bucket)
}

output "athena" {
  description = "Athena's database and workgroup for the archive, or null."
  value       = one([for archive in module.archive : { database = archive.database, workgroup = archive.workgroup }])
}

output "alarm_topic_arn" {
  description = "Where alarms go."
  value       = module.observability.topic_arn
}

output "image" {
  description = "What was applied last."
  value       = var.image
}

output "first_keys" {
  description = "For infra.first_keys: the secrets that the first keys go to, by what they hold; null without keys."
  value       = one(module.keys[*].secrets)
}

output "rollout" {
  description = "For infra.rollout: what each service is to run, the canary that tries it, or null, and the alarms that tell people afterwards."
  value = {
    cluster = aws_ecs_cluster.this.name
    task_definitions = merge(
      { (module.api.name) = module.api.task_definition_arn, (module.consumer.name) = module.consumer.task_definition_arn },
      { for archiver in module.archiver : archiver.name => archiver.task_definition_arn },
    )
    canary = one(module.canary[*].task)
    alarms = module.observability.alarm_names
  }
}
