# Readings that devices publish by MQTT: a rule of AWS IoT Core makes each a record of the stream, in the form that the API writes.
# A device may publish to sensors/<its id>/temperature: {"temperature": 21.5, "time": "2026-03-01T12:00:00Z"}. What is no reading becomes a
# dead letter; what Kinesis does not take is written to a log group. Devices prove who they are to IoT Core, which knows nothing of keys.

data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  arn  = "arn:${data.aws_partition.current.partition}"
  name = "${replace(var.prefix, "-", "_")}_mqtt" # a rule's name takes no dash

  # AWS IoT Core Developer Guide, "AWS IoT SQL reference", version 2016-03-23.
  event = {
    specversion  = "'1.0'"
    type         = "'telemetry.temperature.recorded.v1'"
    source       = "'/mqtt'"
    id           = "newuuid()"
    subject      = "topic(2)"
    time         = "time"
    receivedtime = "parse_time(\"yyyy-MM-dd'T'HH:mm:ss.SSS'Z'\", timestamp(), 'UTC')"
    data         = "{'temperature': temperature}"
  }
}

resource "aws_iot_topic_rule" "this" {
  name        = local.name
  description = "Readings of ${var.prefix} into its stream"
  enabled     = true
  sql         = "SELECT ${join(", ", [for name, expression in local.event : "${expression} AS ${name}"])} FROM 'sensors/+/temperature'"
  sql_version = "2016-03-23"

  kinesis {
    role_arn      = aws_iam_role.this.arn
    stream_name   = var.stream_name
    partition_key = "$${topic(2)}" # the sensor, as the API has it: its readings stay in order
  }

  error_action {
    cloudwatch_logs {
      log_group_name = aws_cloudwatch_log_group.this.name
      role_arn       = aws_iam_role.this.arn
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts logs with its own key
  name              = "/${var.prefix}/mqtt"
  retention_in_days = var.log_retention_days
}

# As in modules/permissions, ARNs are put together from names, so that a plan shows the policy whole.
data "aws_iam_policy_document" "this" {
  statement {
    sid       = "AppendToLog"
    actions   = ["kinesis:PutRecord"]
    resources = ["${local.arn}:kinesis:${data.aws_region.current.name}:${var.account_id}:stream/${var.stream_name}"]
  }

  statement {
    sid       = "WriteWhatWasNotTaken"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.arn}:logs:${data.aws_region.current.name}:${var.account_id}:log-group:/${var.prefix}/mqtt:log-stream:*"]
  }

  statement {
    sid       = "FindLogStream"
    actions   = ["logs:DescribeLogStreams"]
    resources = ["${local.arn}:logs:${data.aws_region.current.name}:${var.account_id}:log-group:/${var.prefix}/mqtt"]
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["iot.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = ["${local.arn}:iot:${data.aws_region.current.name}:${var.account_id}:rule/${local.name}"]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = "${var.prefix}-mqtt"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  name   = "mqtt"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}
