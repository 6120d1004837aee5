# Alarms on what is about to be too much, on what was promised, and on what only some environments have.

locals {
  # An archiver says once a minute how old the oldest is of what it has yet to archive. Silence is as bad as age, and of several
  # archivers the others do not speak for one: each has a metric and alarms of its own.
  archive_limits = {
    archive-behind = {
      description = "What arrived over 15 minutes ago is not archived yet, or its archiver does not say so."
      threshold   = 15 * 60
    }
    archive-nearly-lost = {
      description = "The archive is behind by more than a quarter of what the stream keeps, or silent: records will be missing. Act today."
      threshold   = var.retention_hours * 3600 / 4
    }
  }

  archive_age_alarms = merge([
    for name, limit in local.archive_limits : {
      for archiver in keys(var.archiver_log_groups) : "${name}-${archiver}" => merge(limit, {
        section = name
        periods = 15
        missing = "breaching"
        metrics = { m0 = [var.prefix, "ArchiveAge-${archiver}", "Maximum", {}] }
      })
    }
  ]...)

  archive_alarms = {
    archive-gap = {
      description = "An archiver was away for longer than the stream keeps records: its log and the object say which stretch may be lost."
      metrics     = { m0 = [var.prefix, "ArchiveGaps", "Sum", {}] }
    }
  }

  # A canary says each time that its reading was counted (operations/canary.py). That it says nothing is the fault.
  canary_alarms = {
    canary-silent = {
      description = "For a quarter of an hour no canary's reading was stored and counted: its log says at which step it failed."
      comparison  = "LessThanThreshold"
      threshold   = 1
      period      = 300
      periods     = 3
      missing     = "breaching"
      metrics     = { m0 = [var.prefix, "CanaryCounted", "SampleCount", {}] }
    }
    canary-slow = {
      description = "It takes more than 20 s until a reading is counted that was stored."
      threshold   = 20000
      period      = 300
      periods     = 3
      metrics     = { m0 = [var.prefix, "CanaryCounted", "Maximum", {}] }
    }
  }

  # Promised: 99.9 % of the answers of 30 days are no 5xx. An hour at 14.4 times the rate that this allows uses 2 % of what may fail, six
  # hours at 6 times 5 % (Site Reliability Workbook, "Alerting on SLOs").
  slo_alarms = {
    for speed, burn in { fast = { rate = 14.4, hours = 1 }, slow = { rate = 6, hours = 6 } } : "errors-burn-${speed}" => {
      description             = "So many answers are 5xx that what a month may fail is used up in ${floor(30 / burn.rate)} days."
      threshold               = 0.1 * burn.rate
      period                  = burn.hours * 3600
      expression              = local.error_percent
      metrics                 = local.errors
    }
  }

  # A shard takes a megabyte and a thousand records a second (Kinesis Data Streams Developer Guide, quotas).
  minute_bytes   = var.shards * 1024 * 1024 * 60
  minute_records = var.shards * 1000 * 60

  capacity_alarms = {
    stream-nearly-full = {
      description = "For ten minutes the stream took more than 70 % of what its shards take: reshard before writers are throttled."
      threshold   = 70
      periods     = 10
      expression  = "100 * MAX([m0 / ${local.minute_bytes}, m1 / ${local.minute_records}])"
      metrics = {
        m0 = ["AWS/Kinesis", "IncomingBytes", "Sum", { StreamName = var.stream_name }]
        m1 = ["AWS/Kinesis", "IncomingRecords", "Sum", { StreamName = var.stream_name }]
      }
    }
    consumer-busy = {
      description = "The consumer's tasks use more than 80 % of their processors for a quarter of an hour: lag comes next."
      threshold   = 80
      periods     = 15
      metrics     = { m0 = ["AWS/ECS", "CPUUtilization", "Average", { ClusterName = var.cluster_name, ServiceName = "consumer" }] }
    }
    connections-refused = {
      description = "The load balancer refuses connections, or cannot open any to the API's tasks."
      periods     = 5
      expression  = "FILL(m0, 0) + FILL(m1, 0)"
      metrics = {
        m0 = ["AWS/ApplicationELB", "RejectedConnectionCount", "Sum", local.balancer]
        m1 = ["AWS/ApplicationELB", "TargetConnectionErrorCount", "Sum", local.balancer]
      }
    }
    table-errors = {
      description = "DynamoDB itself fails (HTTP 500) for five minutes."
      periods     = 5
      expression  = join(" + ", [for index in range(length(local.calls)) : "FILL(m${index}, 0)"])
      metrics     = { for index, call in local.calls : "m${index}" => ["AWS/DynamoDB", "SystemErrors", "Sum", { TableName = call[0], Operation = call[1] }] }
    }
  }

  calls = [
    [var.stats_table, "PutItem"], [var.stats_table, "BatchGetItem"], [var.stats_table, "Query"], [var.stats_table, "BatchExecuteStatement"],
    [var.readings_table, "BatchWriteItem"], [var.readings_table, "Query"],
  ]

  memory_alarms = {
    for service in var.service_names : "${service}-memory" => {
      description = "A task of the ${service} uses more than 90 % of its memory: at 100 % it is ended."
      section     = "memory"
      threshold   = 90
      periods     = 5
      metrics     = { m0 = ["AWS/ECS", "MemoryUtilization", "Maximum", { ClusterName = var.cluster_name, ServiceName = service }] }
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "canary" {
  count = var.canary_log_group == null ? 0 : 1

  name           = "${var.prefix}-canary-counted"
  log_group_name = var.canary_log_group
  pattern        = "{ $.event = \"canary_counted\" && $.took_ms = * }"

  metric_transformation {
    namespace = var.prefix
    name      = "CanaryCounted"
    value     = "$.took_ms"
    unit      = "Milliseconds"
  }
}

# No metric tells of a task that was ended for its memory; ECS says so when it stops (ECS Developer Guide, "Task state change events").
resource "aws_cloudwatch_event_rule" "out_of_memory" {
  name        = "${var.prefix}-out-of-memory"
  description = "A container was ended because it used more memory than it has. ${var.alarms_url}#memory"

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      clusterArn = ["arn:${data.aws_partition.current.partition}:ecs:${data.aws_region.current.name}:${var.account_id}:cluster/${var.cluster_name}"]
      lastStatus = ["STOPPED"]
      containers = { reason = [{ prefix = "OutOfMemory" }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "out_of_memory" {
  rule = aws_cloudwatch_event_rule.out_of_memory.name
  arn  = aws_sns_topic.alarms.arn
}
