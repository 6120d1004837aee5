mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix               = "t-dev"
  account_id           = "123456789012"
  stream_name          = "t-dev-temperature-events"
  log_retention_days   = 7
  permissions_boundary = "arn:aws:iam::123456789012:policy/t-dev-boundary"
}

run "a_message_becomes_a_record_of_its_sensors_shard" {
  command = plan
  module { source = "../modules/mqtt" }

  assert {
    condition     = aws_iot_topic_rule.this.name == "t_dev_mqtt" && aws_iot_topic_rule.this.sql_version == "2016-03-23"
    error_message = "A rule's name takes no dash."
  }
  assert {
    condition     = one(aws_iot_topic_rule.this.kinesis).partition_key == "$${topic(2)}" && one(aws_iot_topic_rule.this.kinesis).stream_name == var.stream_name
    error_message = "By its sensor, so that its readings stay in order."
  }
  assert {
    condition     = one(one(aws_iot_topic_rule.this.error_action).cloudwatch_logs).log_group_name == "/t-dev/mqtt"
    error_message = "What Kinesis does not take is written down."
  }
}

run "it_may_append_and_write_its_own_log" {
  command = plan
  module { source = "../modules/mqtt" }

  assert {
    condition = toset(flatten([for statement in data.aws_iam_policy_document.this.statement : statement.actions])) == toset([
      "kinesis:PutRecord", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"
    ])
    error_message = "Nothing else."
  }
  assert {
    condition     = aws_iam_role.this.permissions_boundary == var.permissions_boundary
    error_message = "Within the boundary."
  }
}
