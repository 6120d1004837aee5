# AWS's own agents, which work beside the processes: each becomes a role of its own.

# Fargate's own agent: it fetches the image and writes the logs. Our processes never have these rights.
data "aws_iam_policy_document" "execution" {
  statement {
    sid       = "LogInToRegistry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # the call knows no resource
  }

  statement {
    sid       = "FetchImage"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = ["${local.arn}:ecr:${var.registry}:repository/${var.repository_name}"]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = local.log_groups
  }

  dynamic "statement" {
    for_each = var.canary && var.keys ? [1] : []

    content {
      sid       = "HandKeysToCanary"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = ["${local.arn}:secretsmanager:${local.place}:secret:${var.prefix}-canary-keys-??????"] # AWS makes the end up
    }
  }
}

# The VPC's own agent (VPC User Guide, "IAM role for publishing flow logs to CloudWatch Logs"); the group is made by Terraform.
data "aws_iam_policy_document" "flow_logs" {
  #checkov:skip=CKV_AWS_356:Finding a log group among all is a call that knows no resource
  statement {
    sid       = "WriteFlowLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.arn}:logs:${local.place}:log-group:/${var.prefix}/flow:log-stream:*"]
  }

  statement {
    sid       = "FindLogGroup"
    actions   = ["logs:DescribeLogGroups", "logs:DescribeLogStreams"]
    resources = ["*"] # the first of them knows no resource
  }
}

# The canary finds a task of the API; what it does there it does as any sensor.
data "aws_iam_policy_document" "canary" {
  statement {
    sid       = "FindTasks"
    actions   = ["ecs:DescribeTasks", "ecs:ListTasks"]
    resources = ["*"] # a list is of a cluster, which only the condition tells

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = ["${local.arn}:ecs:${local.place}:cluster/${var.prefix}"]
    }
  }
}

# EventBridge Scheduler starts the canary and nothing else (EventBridge Scheduler User Guide, "Using templated targets", ECS RunTask).
data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "StartCanary"
    actions   = ["ecs:RunTask"]
    resources = ["${local.arn}:ecs:${local.place}:task-definition/${var.prefix}-canary:*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = ["${local.arn}:ecs:${local.place}:cluster/${var.prefix}"]
    }
  }

  statement {
    sid       = "HandOverRoles"
    actions   = ["iam:PassRole"]
    resources = [for role in ["canary", "execution"] : "${local.arn}:iam::${var.account_id}:role/${var.prefix}-${role}"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
}
