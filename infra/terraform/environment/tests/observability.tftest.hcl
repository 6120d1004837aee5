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
  readings_table           = "t-temperature-readings-g1"
  stats_table              = "t-temperature-stats-g1"
  stats_index              = "BySeen"
  lease_table              = "t-projector-g1"
  dead_letters_table       = "t-dead-letters-g1"
  consumer_log_group       = "/t/consumer"
  cluster_name             = "t"
  shards                   = 2
  alarms_url               = "docs/alarms.md"
  service_names            = ["api", "consumer"]
  load_balancer_dimensions = { LoadBalancer = "app/t/1", TargetGroup = "targetgroup/t/1" }
}

run "every_alarm_that_was_asked_for" {
  command = plan
  module { source = "../modules/observability" }

  assert {
    condition = length(setsubtract([
      "t-lag", "t-lag-unknown", "t-retention-nearly-reached", "t-no-progress", "t-stalled-shard", "t-records-may-be-lost", "t-dead-letters", "t-stream-throttled",
      "t-tables-throttled", "t-server-errors", "t-latency", "t-no-api-running", "t-no-consumer-running", "t-stream-nearly-full", "t-consumer-busy", "t-api-memory", "t-errors-burn-fast", "t-errors-burn-slow",
    ], output.alarm_names)) == 0
    error_message = "Missing among ${join(", ", output.alarm_names)}."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["retention-nearly-reached"].threshold == 168 * 3600 * 1000 / 2
    error_message = "Half of the retention, in milliseconds."
  }
  assert {
    condition     = alltrue([for name in ["lag-unknown", "no-progress", "no-api-running"] : aws_cloudwatch_metric_alarm.this[name].treat_missing_data == "breaching"])
    error_message = "Where silence is the fault, silence alarms."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : !alarm.actions_enabled])
    error_message = "But a first apply alarms nobody: infra.rollout lets alarms tell people once they are quiet."
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

run "an_archive_that_stands_still_or_is_silent_alarms" {
  command = plan
  module { source = "../modules/observability" }
  variables {
    archiver_log_groups = { archiver-1 = "/t/archiver-1", archiver-2 = "/t/archiver-2" }
    service_names       = ["api", "consumer", "archiver-1", "archiver-2"]
  }

  assert {
    condition = length(setsubtract(
      ["t-archive-behind-archiver-1", "t-archive-behind-archiver-2", "t-archive-nearly-lost-archiver-1", "t-archive-nearly-lost-archiver-2",
      "t-archive-gap", "t-no-archiver-1-running", "t-no-archiver-2-running"], output.alarm_names
    )) == 0
    error_message = "Missing among ${join(", ", output.alarm_names)}."
  }
  assert {
    condition = [for name in ["archive-behind-archiver-1", "archive-nearly-lost-archiver-2"] : aws_cloudwatch_metric_alarm.this[name].threshold] == [15 * 60, 168 * 3600 / 4] && alltrue(
      [for name in ["archive-behind-archiver-1", "archive-nearly-lost-archiver-2"] : aws_cloudwatch_metric_alarm.this[name].treat_missing_data == "breaching"]
    )
    error_message = "15 minutes and a quarter of the retention, in seconds, and silence."
  }
  assert {
    condition = alltrue([
      for name, filter in aws_cloudwatch_log_metric_filter.archive_age : alltrue([
        for limit in ["archive-behind", "archive-nearly-lost"] : toset([
          for query in aws_cloudwatch_metric_alarm.this["${limit}-${name}"].metric_query : one(query.metric).metric_name
        ]) == toset([one(filter.metric_transformation).name])
      ])
    ]) && length(distinct([for filter in aws_cloudwatch_log_metric_filter.archive_age : one(filter.metric_transformation).name])) == 2
    error_message = "One archiver that is silent is heard, whatever the others say."
  }
  assert {
    condition     = toset(values(aws_cloudwatch_log_metric_filter.archive_age)[*].log_group_name) == toset(["/t/archiver-1", "/t/archiver-2"])
    error_message = "Every archiver is heard."
  }
}

run "without_an_archive_nothing_waits_for_it" {
  command = plan
  module { source = "../modules/observability" }

  assert {
    condition     = length([for name in output.alarm_names : name if strcontains(name, "archive")]) == 0 && length(aws_cloudwatch_log_metric_filter.archive_age) == 0
    error_message = "An alarm for it would never end."
  }
}

run "a_canary_that_is_silent_alarms" {
  command = plan
  module { source = "../modules/observability" }
  variables { canary_log_group = "/t/canary" }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["canary-silent"].treat_missing_data == "breaching" && aws_cloudwatch_log_metric_filter.canary[0].log_group_name == "/t/canary"
    error_message = "Whatever keeps it from flying."
  }
}

run "nothing_is_counted_unless_it_is_asked_for" {
  command = plan
  module { source = "../modules/observability" }
  variables { monthly_budget_usd = null }

  assert {
    condition     = length(aws_budgets_budget.monthly) == 0
    error_message = "An account that hides its billing refuses a budget, and with it the apply."
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
