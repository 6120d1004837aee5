# One page: what comes in, how far the projection is, what went wrong, and what the tasks use.

locals {
  # From names, so that a plan shows the whole page.
  alarm_arns = "arn:${data.aws_partition.current.partition}:cloudwatch:${data.aws_region.current.name}:${var.account_id}:alarm"

  lag     = [var.prefix, "ProjectionLag"]
  kinesis = [for name in ["IncomingRecords", "IncomingBytes"] : ["AWS/Kinesis", name, "StreamName", var.stream_name]]
  throttled = concat(
    [for name in ["WriteProvisionedThroughputExceeded", "ReadProvisionedThroughputExceeded"] : ["AWS/Kinesis", name, "StreamName", var.stream_name]],
    [for dimensions in local.busy : concat(["AWS/DynamoDB", "WriteThrottleEvents"], flatten([for name, value in dimensions : [name, value]]))],
  )
  balanced = ["LoadBalancer", var.load_balancer_dimensions.LoadBalancer]

  widgets = concat([
    { title = "Requests and errors", stat = "Sum", metrics = [
      for name in ["RequestCount", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"] :
      concat(["AWS/ApplicationELB", name], local.balanced)
    ] },
    { title = "Time to answer, p99 in s", stat = "p99", metrics = [concat(["AWS/ApplicationELB", "TargetResponseTime"], local.balanced)] },
    { title = "Into the log", stat = "Sum", metrics = local.kinesis },
    { title = "Behind the log, in ms", stat = "Maximum", metrics = [local.lag] },
    { title = "Throttled", stat = "Sum", metrics = local.throttled },
    { title = "Rows, dead letters, restarts", stat = "SampleCount", metrics = [
      ["AWS/DynamoDB", "SuccessfulRequestLatency", "TableName", var.stats_table, "Operation", "PutItem", { label = "progress rows written" }],
      ["AWS/DynamoDB", "SuccessfulRequestLatency", "TableName", var.dead_letters_table, "Operation", "BatchWriteItem", { label = "dead letters" }],
      [var.prefix, "ConsumerRestarts", { stat = "Sum" }],
      [var.prefix, "StalledShards", { stat = "Sum" }],
    ] },
    { title = "CPU, %", stat = "Average", metrics = [
      for name in var.service_names : ["AWS/ECS", "CPUUtilization", "ClusterName", var.cluster_name, "ServiceName", name]
    ] },
    { title = "Memory, %", stat = "Average", metrics = [
      for name in var.service_names : ["AWS/ECS", "MemoryUtilization", "ClusterName", var.cluster_name, "ServiceName", name]
    ] },
    ], length(var.archiver_log_groups) == 0 ? [] : [
    { title = "Age of what is not archived yet, in s", stat = "Maximum", metrics = [
      for name in keys(var.archiver_log_groups) : [var.prefix, "ArchiveAge-${name}"]
    ] },
  ])
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.prefix
  dashboard_body = jsonencode({
    widgets = concat(
      [{
        type       = "alarm", x = 0, y = 0, width = 24, height = 3
        properties = { title = "Alarms", alarms = [for alarm in aws_cloudwatch_metric_alarm.this : "${local.alarm_arns}:${alarm.alarm_name}"] }
      }],
      [for index, widget in local.widgets : {
        type = "metric", x = 12 * (index % 2), y = 3 + 6 * floor(index / 2), width = 12, height = 6
        properties = {
          title   = widget.title
          region  = data.aws_region.current.name
          view    = "timeSeries"
          period  = 60
          stat    = widget.stat
          metrics = widget.metrics
        }
      }],
    )
  })
}
