# What roles of an environment's processes can have at most: each boundary ends where the environment's names end, so whoever may make
# roles in one environment gets nowhere in another.

data "aws_iam_policy_document" "boundary" {
  #checkov:skip=CKV_AWS_111:A boundary grants nothing; each role's own policy names its resources
  #checkov:skip=CKV_AWS_356:Calls that know no resource, and keys that only the condition tells
  #checkov:skip=CKV_AWS_108:As above
  for_each = var.environments

  statement {
    sid = "OwnData"
    actions = [
      "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:DescribeTable", "dynamodb:GetItem",
      "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan",
      "dynamodb:UpdateItem",
      "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:PutRecord",
      "kinesis:PutRecords",
      "logs:CreateLogStream", "logs:PutLogEvents",
      "s3:GetObject", "s3:ListBucket", "s3:PutObject",
      "secretsmanager:GetSecretValue",
    ]
    resources = [
      "${local.arn}:dynamodb:${local.place}:table/${local.prefixes[each.key]}-*",
      "${local.arn}:kinesis:${local.place}:stream/${local.prefixes[each.key]}-*",
      "${local.arn}:logs:${local.place}:log-group:/${local.prefixes[each.key]}/*",
      "${local.arn}:s3:::${local.prefixes[each.key]}-*",
      "${local.arn}:secretsmanager:${local.place}:secret:${local.prefixes[each.key]}-*",
    ]
  }

  # Flow logs look for their group first, among all (VPC User Guide, "IAM role for publishing flow logs to CloudWatch Logs").
  statement {
    sid       = "FindLogGroups"
    actions   = ["logs:DescribeLogGroups", "logs:DescribeLogStreams"]
    resources = ["*"]
  }

  # S3 names bucket or object in what it encrypts under (S3 User Guide, "Using server-side encryption with AWS KMS keys").
  statement {
    sid       = "KeysOfOwnBuckets"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }

    condition {
      test     = "StringLike"
      variable = "kms:EncryptionContext:aws:s3:arn"
      values   = ["${local.arn}:s3:::${local.prefixes[each.key]}-*"]
    }
  }

  # A canary finds its task, and is started.
  statement {
    sid       = "OwnTasks"
    actions   = ["ecs:DescribeTasks", "ecs:ListTasks", "ecs:RunTask"]
    resources = ["*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = ["${local.arn}:ecs:${local.place}:cluster/${local.prefixes[each.key]}"]
    }
  }

  statement {
    sid       = "OwnRoles"
    actions   = ["iam:PassRole"]
    resources = ["${local.arn}:iam::${var.account_id}:role/${local.prefixes[each.key]}-*"]
  }

  statement {
    sid       = "LogInToRegistry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "FetchImages"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = ["${local.arn}:ecr:*:*:repository/${var.repository_name}"]
  }
}

resource "aws_iam_policy" "boundary" {
  for_each = var.environments

  name   = "${local.prefixes[each.key]}-boundary"
  policy = data.aws_iam_policy_document.boundary[each.key].json
}
