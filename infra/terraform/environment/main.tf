# One environment, from the VPC to the alarms. What differs between environments is in their .tfvars files.

locals {
  prefix   = "${var.name}-${var.environment}"
  api_port = 8080

  # The local set-up and the processes' tests read the same file, so names cannot part.
  resources = replace(replace(
    file("${path.module}/../../resources.json"), "$${prefix}", local.prefix), "$${stream_suffix}", var.stream_number > 1 ? "-s${var.stream_number}" : ""
  )
  definitions = {
    for generation in var.generations : tostring(generation) => jsondecode(replace(local.resources, "$${generation}", tostring(generation)))
  }
  live   = local.definitions[tostring(var.live_generation)]
  tables = merge([for definition in local.definitions : { for role, table in definition.tables : table.name => merge(table, { role = role }) }]...)
  shards = coalesce(var.shards, local.live.stream.shards)
  stream = merge(local.live.stream, { retention_hours = coalesce(var.retention_hours, local.live.stream.retention_hours) })

  # One of them takes all shards, each of several its share.
  archivers = {
    for number in range(1, var.archive ? var.archiver.shares + 1 : 1) :
    var.archiver.shares == 1 ? "archiver" : "archiver-${number}" => "${number}/${var.archiver.shares}"
  }
  # Whose images they are is in their name; elsewhere than at ECR nobody asks IAM.
  registry      = try(format("%s:%s", reverse(regex("^([0-9]{12})[.]dkr[.]ecr[.]([a-z0-9-]+)[.]", var.image))...), "${var.region}:${var.account_id}")
  capacity      = var.spot ? "FARGATE_SPOT" : "FARGATE"
  archiver_port = 9100 # within the task, for its own health check

  log_groups = { for process in concat(["api", "consumer", "operator"], keys(local.archivers), var.canary ? ["canary"] : []) : process => "/${local.prefix}/${process}" }

  settings = {
    AWS_REGION = var.region
    PREFIX     = local.prefix
    LOG_LEVEL  = "info"
  }
  api_settings = merge(
    local.settings,
    { HOST = "0.0.0.0", PORT = tostring(local.api_port) },
    # The name under which it is reached: that of the load balancer's own is known only once it is made.
    var.domain == null ? { ALLOWED_HOSTS = ".elb.amazonaws.com" } : { PUBLIC_URL = "https://${var.domain.name}" },
    { for name, on in { KEYS = var.keys, MUTUAL_TLS = var.client_ca != null } : name => "true" if on },
  )
}

module "network" {
  source = "../modules/network"

  prefix       = local.prefix
  cidr         = var.cidr
  zones        = var.zones
  egress       = var.egress
  calls_ecs    = var.canary
  nat_gateways = var.nat_gateways

  reads_secrets      = var.canary && var.keys
  kinesis_endpoint   = var.kinesis_endpoint
  flow_logs          = var.traffic_logs
  flow_log_role_arn  = var.traffic_logs ? module.permissions.role_arns["flow-logs"] : null
  log_retention_days = var.log_retention_days
}

module "stream" {
  source = "../modules/stream"

  definition = local.stream
  shards     = var.shards
}

module "tables" {
  source = "../modules/tables"

  tables                 = local.tables
  point_in_time_recovery = var.point_in_time_recovery
  deletion_protection    = var.deletion_protection
}

module "archive" {
  source = "../modules/archive"
  count  = var.archive ? 1 : 0

  prefix                = local.prefix
  account_id            = var.account_id
  kms_key_arn           = var.archive_kms_key_arn
  object_lock           = var.archive_object_lock
  readings_from         = var.readings_from
  athena_scan_limit_gib = var.athena_scan_limit_gib
}

module "permissions" {
  source = "../modules/permissions"

  prefix      = local.prefix
  account_id  = var.account_id
  stream_name = local.live.stream.name
  table_names = {
    for role in keys(local.live.tables) : role => distinct([for definition in local.definitions : definition.tables[role].name])
  }
  index_names          = { for role, table in local.live.tables : role => table.index.name if can(table.index) }
  archive_bucket       = one([for archive in module.archive : { name = archive.bucket, kms_key_arn = var.archive_kms_key_arn }])
  repository_name      = var.repository_name
  registry             = local.registry
  log_group_names      = values(local.log_groups)
  flow_logs            = var.traffic_logs
  canary               = var.canary
  keys                 = var.keys
  permissions_boundary = var.permissions_boundary
}

module "edge" {
  source = "../modules/edge"

  prefix              = local.prefix
  vpc_id              = module.network.vpc_id
  subnet_ids          = module.network.public_subnet_ids
  port                = local.api_port
  allowed_cidrs       = var.allowed_cidrs
  domain              = var.domain
  deletion_protection = var.deletion_protection
  account_id          = var.account_id
  access_logs         = var.traffic_logs
  log_retention_days  = var.log_retention_days
  client_ca           = var.client_ca
  request_limit       = var.request_limit
}

module "keys" {
  source = "../modules/keys"
  count  = var.keys ? 1 : 0

  prefix              = local.prefix
  canary              = var.canary
  deletion_protection = var.deletion_protection
}

module "mqtt" {
  source = "../modules/mqtt"
  count  = var.mqtt ? 1 : 0

  prefix               = local.prefix
  account_id           = var.account_id
  stream_name          = module.stream.name
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary
}

resource "aws_ecs_cluster" "this" {
  #checkov:skip=CKV_AWS_65:Container Insights cost more than the tasks of dev; AWS/ECS metrics carry every alarm
  name = local.prefix
}

# A cluster knows both; which one tasks run on is each service's choice.
resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

module "api" {
  source = "../modules/service"

  prefix       = local.prefix
  name         = "api"
  cluster_arn  = aws_ecs_cluster.this.arn
  cluster_name = aws_ecs_cluster_capacity_providers.this.cluster_name
  image        = "${var.image}-api"
  entry_point  = ["python", "-m"]
  command      = ["producer_api"]
  environment  = merge(local.api_settings, { for archive in module.archive : "ARCHIVE_TARGET" => "s3://${archive.bucket}" })
  health_command = [
    "CMD", "python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:${local.api_port}/livez', timeout=5)"
  ]
  start_period_s     = 30
  stop_timeout_s     = 30 # the writer's deadline of 5 s, 5 s for open requests, and a call that hangs
  cpu                = var.api.cpu
  memory             = var.api.memory
  execution_role_arn = module.permissions.role_arns["execution"]
  task_role_arn      = module.permissions.role_arns["api"]
  vpc_id             = module.network.vpc_id
  subnet_ids         = module.network.task_subnet_ids
  assign_public_ip   = module.network.assign_public_ip
  port               = local.api_port
  load_balancer      = module.edge.load_balancer
  log_group_name     = local.log_groups["api"]
  log_retention_days = var.log_retention_days
  architecture       = var.architecture
  capacity           = local.capacity
  tasks_min          = var.api.tasks_min
  tasks_max          = var.api.tasks_max
  scaling            = { cpu_percent = 60, requests_per_minute = var.api.requests_per_minute }
  after              = [module.stream.arn, jsonencode(module.tables.names)] # its first act is to look at them
}

module "consumer" {
  source = "../modules/service"

  prefix             = local.prefix
  name               = "consumer"
  cluster_arn        = aws_ecs_cluster.this.arn
  cluster_name       = aws_ecs_cluster.this.name
  image              = "${var.image}-consumer"
  entry_point        = ["python", "-m"]
  command            = ["consumer"] # named after its own container: telemetry/settings.py
  environment        = merge(local.settings, { KCL_TIMING = "aws" })
  health_command     = ["CMD", "python", "-m", "consumer.alive"]
  start_period_s     = 30 # well as soon as the supervisor is at work, also while it waits for AWS
  stop_timeout_s     = 60 # 20 s of grace for flushing and checkpoints, 5 s beyond, then whatever is left is killed
  cpu                = var.consumer.cpu
  memory             = var.consumer.memory
  execution_role_arn = module.permissions.role_arns["execution"]
  task_role_arn      = module.permissions.role_arns["consumer"]
  vpc_id             = module.network.vpc_id
  subnet_ids         = module.network.task_subnet_ids
  assign_public_ip   = module.network.assign_public_ip
  log_group_name     = local.log_groups["consumer"]
  log_retention_days = var.log_retention_days
  architecture       = var.architecture
  capacity           = local.capacity
  tasks_min          = min(var.consumer.tasks_min, local.shards)
  tasks_max          = min(var.consumer.tasks_max, local.shards) # a worker beyond the shards would have nothing to do
  scaling            = { lag = { namespace = local.prefix, name = "ProjectionLag" } }
  after              = [module.stream.arn, jsonencode(module.tables.names)] # its first act is to look at them
}

# On the API's image, which has no Java. A new one comes when the old one has gone: two would only put in vain what the other has put.
module "archiver" {
  source   = "../modules/service"
  for_each = local.archivers

  prefix       = local.prefix
  name         = each.key
  cluster_arn  = aws_ecs_cluster.this.arn
  cluster_name = aws_ecs_cluster_capacity_providers.this.cluster_name
  image        = "${var.image}-api"
  entry_point  = ["python", "-m"]
  command      = ["archive"]
  environment = merge(local.settings, {
    HOST                  = "127.0.0.1"
    ARCHIVE_TARGET        = "s3://${module.archive[0].bucket}"
    ARCHIVER_SHARE        = each.value
    ARCHIVER_METRICS_PORT = tostring(local.archiver_port)
  })
  # Well while it answers, also while it waits for AWS; whether it gets on is the alarms' question.
  health_command = [
    "CMD", "python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:${local.archiver_port}/metrics', timeout=5)"
  ]
  start_period_s     = 60  # no answer before the stream was seen, for which it waits 30 s (STORE_RETRY_S)
  stop_timeout_s     = 120 # reads up to the tip and puts what it holds; cut short, the next one reads that again
  deployment         = { minimum_percent = 0, maximum_percent = 100 }
  cpu                = var.archiver.cpu
  memory             = var.archiver.memory
  execution_role_arn = module.permissions.role_arns["execution"]
  task_role_arn      = module.permissions.role_arns["archiver"]
  vpc_id             = module.network.vpc_id
  subnet_ids         = module.network.task_subnet_ids
  assign_public_ip   = module.network.assign_public_ip
  log_group_name     = local.log_groups[each.key]
  log_retention_days = var.log_retention_days
  architecture       = var.architecture
  capacity           = local.capacity
  tasks_min          = 1
  tasks_max          = 1
  after              = [module.stream.arn, module.archive[0].guarded_bucket]
}

module "canary" {
  source = "../modules/canary"
  count  = var.canary ? 1 : 0

  prefix             = local.prefix
  cluster_arn        = aws_ecs_cluster.this.arn
  cluster_name       = aws_ecs_cluster_capacity_providers.this.cluster_name
  service_name       = module.api.name
  port               = local.api_port
  security_group_id  = module.api.security_group_id
  image              = "${var.image}-api"
  architecture       = var.architecture
  capacity           = local.capacity
  execution_role_arn = module.permissions.role_arns["execution"]
  task_role_arn      = module.permissions.role_arns["canary"]
  scheduler_role_arn = module.permissions.role_arns["scheduler"]
  vpc_id             = module.network.vpc_id
  subnet_ids         = module.network.task_subnet_ids
  assign_public_ip   = module.network.assign_public_ip
  log_group_name     = local.log_groups["canary"]
  keys_secret_arn    = one(module.keys[*].canary_secret_arn)
  log_retention_days = var.log_retention_days
}

# On the consumer's image: a rebuild runs a consumer of its own. It lies in the consumer's network (docs/runbook.md).
module "operator" {
  source = "../modules/operator"

  prefix       = local.prefix
  image        = "${var.image}-consumer"
  architecture = var.architecture
  environment = merge(
    local.settings, { KCL_TIMING = "aws" }, { for archive in module.archive : "ARCHIVE_TARGET" => "s3://${archive.bucket}" }
  )
  cpu                = var.operator.cpu
  memory             = var.operator.memory
  storage_gib        = var.operator.storage_gib
  execution_role_arn = module.permissions.role_arns["execution"]
  task_role_arn      = module.permissions.role_arns["operator"]
  log_group_name     = local.log_groups["operator"]
  log_retention_days = var.log_retention_days
}

module "observability" {
  source = "../modules/observability"

  prefix                   = local.prefix
  environment              = var.environment
  account_id               = var.account_id
  alarm_emails             = var.alarm_emails
  monthly_budget_usd       = var.budget ? var.monthly_budget_usd : null
  stream_name              = local.live.stream.name
  retention_hours          = local.stream.retention_hours
  readings_table           = local.live.tables.readings.name
  stats_table              = local.live.tables.stats.name
  stats_index              = local.live.tables.stats.index.name
  lease_table              = local.live.tables.leases.name
  dead_letters_table       = local.live.tables.dead_letters.name
  consumer_log_group       = module.consumer.log_group_name
  shards                   = local.shards
  alarms_url               = var.alarms_url
  canary_log_group         = one(module.canary[*].log_group_name)
  archiver_log_groups      = { for name, archiver in module.archiver : name => archiver.log_group_name }
  cluster_name             = local.prefix
  service_names            = concat(["api", "consumer"], keys(local.archivers))
  load_balancer_dimensions = module.edge.dimensions
  after                    = concat([module.api.name, module.consumer.name], values(module.archiver)[*].name)
}
