mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix                   = "t"
  environment              = "dev"
  account_id               = "123456789012"
  alarm_emails             = ["somebody@example.com"]
  monthly_budget_usd       = 100
  stream_name              = "t-temperature-events"
  retention_hours          = 168
  lag_query                = "SELECT MAX(MillisBehindLatest) FROM \"t-projector-g1\""
  readings_table           = "t-temperature-readings-g1"
  stats_table              = "t-temperature-stats-g1"
  stats_index              = "BySeen"
  lease_table              = "t-projector-g1"
  dead_letters_table       = "t-dead-letters"
  consumer_log_group       = "/t/consumer"
  cluster_name             = "t"
  service_names            = ["api", "consumer"]
  load_balancer_dimensions = { LoadBalancer = "app/t/1", TargetGroup = "targetgroup/t/1" }
}

run "every_alarm_that_was_asked_for" {
  command = plan
  module { source = "../modules/observability" }

  assert {
    condition = length(setsubtract([
      "t-lag", "t-retention-nearly-reached", "t-no-progress", "t-stalled-shard", "t-records-may-be-lost", "t-dead-letters", "t-stream-throttled",
      "t-tables-throttled", "t-server-errors", "t-latency", "t-no-api-running", "t-no-consumer-running",
    ], output.alarm_names)) == 0
    error_message = "Missing among ${join(", ", output.alarm_names)}."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["retention-nearly-reached"].threshold == 168 * 3600 * 1000 / 2
    error_message = "Half of the retention, in milliseconds."
  }
  assert {
    condition     = alltrue([for name in ["lag", "no-progress", "no-api-running"] : aws_cloudwatch_metric_alarm.this[name].treat_missing_data == "breaching"])
    error_message = "Where silence is the fault, silence alarms."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : length([for query in alarm.metric_query : query if query.return_data]) == 1])
    error_message = "CloudWatch takes exactly one result per alarm."
  }
  assert {
    condition = contains(
      flatten([for query in aws_cloudwatch_metric_alarm.this["tables-throttled"].metric_query : query.metric[*].dimensions]),
      tomap({ TableName = "t-temperature-stats-g1", GlobalSecondaryIndexName = "BySeen" })
    )
    error_message = "A table's metrics leave out its index."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : length(alarm.metric_query) <= 10])
    error_message = "CloudWatch takes at most ten metrics an alarm."
  }
}

run "mistakes_are_named" {
  command = plan
  module { source = "../modules/observability" }
  variables {
    alarm_emails       = ["nobody"]
    monthly_budget_usd = 0
  }

  expect_failures = [var.alarm_emails, var.monthly_budget_usd]
}
