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
}

# The VPC's own agent (VPC User Guide, "IAM role for publishing flow logs to CloudWatch Logs"); the group is made by Terraform.
data "aws_iam_policy_document" "flow_logs" {
  statement {
    sid       = "WriteFlowLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.arn}:logs:${local.place}:log-group:/${var.prefix}/flow:log-stream:*"]
  }

  statement {
    sid       = "FindLogGroup"
    actions   = ["logs:DescribeLogGroups", "logs:DescribeLogStreams"]
    resources = ["${local.arn}:logs:${local.place}:log-group:*"]
  }
}
