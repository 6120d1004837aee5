# Every alarm says in its description what to do. Metrics that AWS or KCL have are used; the supervisor's log lines are counted
# only for what no metric shows.

locals {
  hour_ms = 3600 * 1000
  target  = var.load_balancer_dimensions
  balancer = {
    LoadBalancer = var.load_balancer_dimensions.LoadBalancer
  }
  written = { TableName = var.stats_table, Operation = "PutItem" }

  # What the load balancer answered itself is not among its requests. Without any the quotient is none: division by 0 is no point.
  error_percent = "100 * (FILL(m0, 0) + FILL(m1, 0)) / (FILL(m2, 0) + FILL(m1, 0))"
  errors = {
    m0 = ["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum", local.balancer]
    m1 = ["AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "Sum", local.balancer]
    m2 = ["AWS/ApplicationELB", "RequestCount", "Sum", local.balancer]
  }

  alarms = {
    lag = {
      description = "The projection is over a minute behind the log."
      threshold   = 60000
      periods     = 5
      metrics     = { m0 = [var.prefix, "ProjectionLag", "Maximum", {}] }
    }
    lag-unknown = {
      description = "For a quarter of an hour no consumer has said how far the projection is behind the log."
      comparison  = "LessThanThreshold"
      threshold   = 1
      periods     = 15
      missing     = "breaching"
      metrics     = { m0 = [var.prefix, "ProjectionLag", "SampleCount", {}] }
    }
    retention-nearly-reached = {
      description = "The projection is behind by more than half of what the stream keeps: readings will be lost. Act today."
      threshold   = var.retention_hours * local.hour_ms / 2
      missing     = "ignore" # lag-unknown tells of silence
      metrics     = { m0 = [var.prefix, "ProjectionLag", "Maximum", {}] }
    }
    no-progress = {
      description = "Nobody has renewed a shard's progress for a quarter of an hour; each shard does so every ten seconds, idle or not."
      comparison  = "LessThanThreshold"
      threshold   = 1
      period      = 300
      periods     = 3
      missing     = "breaching"
      metrics     = { m0 = ["AWS/DynamoDB", "SuccessfulRequestLatency", "SampleCount", local.written] }
    }
    stalled-shard = {
      description = "A worker was started anew because one of its shards stood still. If it comes again, see the consumer's log."
      metrics     = { m0 = [var.prefix, "StalledShards", "Sum", {}] }
    }
    records-may-be-lost = {
      description = "A consumer was away for longer than the stream keeps records."
      metrics     = { m0 = [var.prefix, "LostStretches", "Sum", {}] }
    }
    consumer-restarts = {
      description = "The consumer's daemon keeps ending: more than three times in 15 minutes. Its log says why."
      threshold   = 3
      period      = 900
      metrics     = { m0 = [var.prefix, "ConsumerRestarts", "Sum", {}] }
    }
    dead-letters = {
      description = "Something in the log could not be applied. It is kept with its reason in the dead letters; the rest goes on."
      metrics = {
        m0 = ["AWS/DynamoDB", "SuccessfulRequestLatency", "SampleCount", { TableName = var.dead_letters_table, Operation = "BatchWriteItem" }]
      }
    }
    stream-throttled = {
      description = "Writers ask more of a shard than it takes for five minutes: add shards."
      periods     = 5
      metrics     = { m0 = ["AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", { StreamName = var.stream_name }] }
    }
    reads-throttled = {
      description = "Readers ask a shard more than five times a second for a while: too many replays at once?"
      threshold   = 30
      periods     = 10
      metrics     = { m0 = ["AWS/Kinesis", "ReadProvisionedThroughputExceeded", "Sum", { StreamName = var.stream_name }] }
    }
    tables-throttled = {
      description = "DynamoDB throttles the projection's tables: a hot partition, or the account's limit."
      threshold   = 10
      periods     = 3
      expression  = join(" + ", [for index in range(2 * length(local.busy)) : "FILL(m${index}, 0)"])
      metrics = merge([for index, dimensions in local.busy : {
        "m${2 * index}"     = ["AWS/DynamoDB", "ReadThrottleEvents", "Sum", dimensions]
        "m${2 * index + 1}" = ["AWS/DynamoDB", "WriteThrottleEvents", "Sum", dimensions]
      }]...)
    }
    server-errors = {
      description = "More than 1 % of the answers are 5xx: the API could not store or read, or there is no healthy task."
      threshold   = 1
      periods     = 3
      expression  = local.error_percent
      metrics     = local.errors
    }
    latency = {
      description = "One answer in a hundred takes longer than a second."
      threshold   = 1
      periods     = 5
      metrics     = { m0 = ["AWS/ApplicationELB", "TargetResponseTime", "p99", local.balancer] }
    }
    unhealthy-targets = {
      description = "A task of the API does not answer its health check."
      periods     = 5
      metrics     = { m0 = ["AWS/ApplicationELB", "UnHealthyHostCount", "Maximum", local.target] }
    }
  }

  # Every task reports its CPU once a minute, so the number of reports says whether there is any.
  task_alarms = {
    for service in var.service_names : "no-${service}-running" => {
      description = "No task of the ${service} runs, for a quarter of an hour."
      section     = "no-task-running"
      comparison  = "LessThanThreshold"
      threshold   = 1
      periods     = 15
      missing     = "breaching"
      metrics     = { m0 = ["AWS/ECS", "CPUUtilization", "SampleCount", { ClusterName = var.cluster_name, ServiceName = service }] }
    }
  }

  # A table's metrics leave out what was throttled in its index, which throttles the table's writes in the end.
  busy = concat(
    [for table in [var.readings_table, var.stats_table, var.lease_table] : { TableName = table }],
    [{ TableName = var.stats_table, GlobalSecondaryIndexName = var.stats_index }],
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  #checkov:skip=CKV_AWS_319:infra.rollout enables them, see actions_enabled
  for_each = merge(
    local.alarms, local.task_alarms, local.capacity_alarms, local.memory_alarms, local.slo_alarms,
    local.archive_age_alarms, length(var.archiver_log_groups) == 0 ? null : local.archive_alarms,
    var.canary_log_group == null ? null : local.canary_alarms,
  )

  alarm_name          = "${var.prefix}-${each.key}"
  alarm_description   = "${each.value.description} ${var.alarms_url}#${try(each.value.section, each.key)}"
  comparison_operator = try(each.value.comparison, "GreaterThanThreshold")
  threshold           = try(each.value.threshold, 0)
  evaluation_periods  = try(each.value.periods, 1)
  treat_missing_data  = try(each.value.missing, "notBreaching")
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  # Gone before what it looks at is.
  depends_on = [var.after]

  # Mute until infra.rollout has seen what was applied run, and the alarm quiet: silence from before there were tasks, or the alarm,
  # counts as silence for it, and most alarms on silence ring at a first apply. An update leaves it as it is.
  actions_enabled = false

  lifecycle {
    ignore_changes = [actions_enabled]
  }

  dynamic "metric_query" {
    for_each = try(each.value.metrics, {})

    content {
      id          = metric_query.key
      return_data = !can(each.value.expression)

      metric {
        namespace   = metric_query.value[0]
        metric_name = metric_query.value[1]
        stat        = metric_query.value[2]
        dimensions  = metric_query.value[3]
        period      = try(each.value.period, 60)
      }
    }
  }

  dynamic "metric_query" {
    for_each = try([each.value.expression], [])

    content {
      id          = "result"
      expression  = metric_query.value
      label       = each.key
      return_data = true
      # A query of its own needs a period; a sum of metrics has theirs.
      period = can(each.value.metrics) ? null : 60
    }
  }
}

# Log lines of the supervisor (consumer/oversight.py) and the record processors (consumer/processor.py), counted, and the archivers'.
resource "aws_cloudwatch_log_metric_filter" "restarts" {
  name           = "${var.prefix}-consumer-restarts"
  log_group_name = var.consumer_log_group
  pattern        = "{ $.event = \"consumer_restarting\" }"

  metric_transformation {
    namespace     = var.prefix
    name          = "ConsumerRestarts"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_log_metric_filter" "stalled" {
  name           = "${var.prefix}-stalled-shards"
  log_group_name = var.consumer_log_group
  pattern        = "{ $.event = \"consumer_restarting\" && $.reason = \"*has not moved*\" }"

  metric_transformation {
    namespace     = var.prefix
    name          = "StalledShards"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_log_metric_filter" "lost" {
  name           = "${var.prefix}-lost-stretches"
  log_group_name = var.consumer_log_group
  pattern        = "{ $.event = \"records_may_be_lost\" }"

  metric_transformation {
    namespace     = var.prefix
    name          = "LostStretches"
    value         = "1"
    default_value = "0"
  }
}

# How far the projection is behind, as the supervisors see it (consumer/lag.py). KCL's own figure comes with forty others.
resource "aws_cloudwatch_log_metric_filter" "lag" {
  name           = "${var.prefix}-projection-lag"
  log_group_name = var.consumer_log_group
  pattern        = "{ $.event = \"projection_lag\" && $.lag_ms = * }"

  metric_transformation {
    namespace = var.prefix
    name      = "ProjectionLag"
    value     = "$.lag_ms"
    unit      = "Milliseconds"
  }
}

# A figure can be taken from a field that the pattern names (PutMetricFilter, MetricTransformation, metricValue).
resource "aws_cloudwatch_log_metric_filter" "archive_age" {
  for_each = var.archiver_log_groups

  name           = "${var.prefix}-${each.key}-age"
  log_group_name = each.value
  pattern        = "{ $.event = \"archive_age\" && $.age_s = * }"

  metric_transformation {
    namespace = var.prefix
    name      = "ArchiveAge-${each.key}"
    value     = "$.age_s"
    unit      = "Seconds"
  }
}

resource "aws_cloudwatch_log_metric_filter" "archive_gaps" {
  for_each = var.archiver_log_groups

  name           = "${var.prefix}-${each.key}-gaps"
  log_group_name = each.value
  pattern        = "{ $.event = \"records_may_be_lost\" }"

  metric_transformation {
    namespace     = var.prefix
    name          = "ArchiveGaps"
    value         = "1"
    default_value = "0"
  }
}
