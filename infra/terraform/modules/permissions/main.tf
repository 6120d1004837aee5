# One role per process, with the calls it makes and no others. tests/infra/test_policies.py compares these statements with the
# calls that the running processes were seen to make, in both directions. ARNs are put together from names, so that a plan shows
# every policy in full before anything exists.

data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  place      = "${data.aws_region.current.name}:${var.account_id}"
  arn        = "arn:${data.aws_partition.current.partition}"
  stream     = "${local.arn}:kinesis:${local.place}:stream/${var.stream_name}"
  tables     = { for role, names in var.table_names : role => [for name in names : "${local.arn}:dynamodb:${local.place}:table/${name}"] }
  indexes    = { for role, index in var.index_names : role => [for table in local.tables[role] : "${table}/index/${index}"] }
  log_groups = [for name in var.log_group_names : "${local.arn}:logs:${local.place}:log-group:${name}:log-stream:*"]

  policies = merge(
    {
      api       = data.aws_iam_policy_document.api.json
      consumer  = data.aws_iam_policy_document.consumer.json
      execution = data.aws_iam_policy_document.execution.json
      operator  = data.aws_iam_policy_document.operator.json
    },
    { for archive in var.archive_bucket[*] : "archiver" => data.aws_iam_policy_document.archiver[0].json },
    { for on in [var.flow_logs] : "flow-logs" => data.aws_iam_policy_document.flow_logs.json if on },
    { for name, policy in { canary = data.aws_iam_policy_document.canary.json, scheduler = data.aws_iam_policy_document.scheduler.json } : name => policy if var.canary },
  )

  # Who becomes them.
  services = { flow-logs = "vpc-flow-logs.amazonaws.com", scheduler = "scheduler.amazonaws.com" }
  sources  = { flow-logs = "ec2:${local.place}:*", scheduler = "scheduler:${local.place}:*" }
}

data "aws_iam_policy_document" "api" {
  statement {
    sid       = "AppendToLog"
    actions   = ["kinesis:DescribeStreamSummary", "kinesis:ListShards", "kinesis:PutRecords"]
    resources = [local.stream]
  }

  statement {
    sid       = "FindLiveGeneration"
    actions   = ["dynamodb:GetItem"]
    resources = local.tables.generations
  }

  statement {
    sid       = "ReadRestarts"
    actions   = ["dynamodb:Scan"]
    resources = local.tables.generations
  }

  # KCL's own tables, for GET /api/status and /metrics.
  statement {
    sid       = "SeeLeasesAndWorkers"
    actions   = ["dynamodb:Scan"]
    resources = concat(local.tables.leases, local.tables.workers)
  }

  statement {
    sid       = "SeeLeader"
    actions   = ["dynamodb:GetItem"]
    resources = local.tables.coordinator
  }

  statement {
    sid       = "ReadStats"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:Query"]
    resources = local.tables.stats
  }

  statement {
    sid       = "ReadDirectoryBySeen"
    actions   = ["dynamodb:Query"]
    resources = local.indexes.stats
  }

  # While keys are on: each is looked up, and the day it was used noted.
  statement {
    sid       = "FindKeys"
    actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    resources = local.tables.keys
  }

  statement {
    sid       = "ReadReadings"
    actions   = ["dynamodb:Query"]
    resources = local.tables.readings
  }

  # How old the archive is, for GET /api/status. As for the archiver: without a condition on s3:prefix.
  dynamic "statement" {
    for_each = var.archive_bucket[*]

    content {
      sid       = "FindArchivesEnd"
      actions   = ["s3:ListBucket"]
      resources = ["${local.arn}:s3:::${statement.value.name}"]
    }
  }

  dynamic "statement" {
    for_each = var.archive_bucket[*]

    content {
      sid       = "ReadArchivesEnd"
      actions   = ["s3:GetObject"]
      resources = ["${local.arn}:s3:::${statement.value.name}/log/*", "${local.arn}:s3:::${statement.value.name}/state/*"]
    }
  }

  dynamic "statement" {
    for_each = flatten([for archive in var.archive_bucket[*] : archive.kms_key_arn[*]])

    content {
      sid       = "DecryptByS3Alone"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${data.aws_region.current.name}.amazonaws.com"]
      }
    }
  }
}

data "aws_iam_policy_document" "consumer" {
  statement {
    sid = "ReadLog"
    actions = [
      "kinesis:DescribeStreamSummary",
      "kinesis:GetRecords",
      "kinesis:GetShardIterator",
      "kinesis:ListShards",
    ]
    resources = [local.stream]
  }

  statement {
    sid       = "AppendMisroutedEventsAgain"
    actions   = ["kinesis:PutRecords"]
    resources = [local.stream]
  }

  statement {
    sid       = "FindLiveGeneration"
    actions   = ["dynamodb:GetItem"]
    resources = local.tables.generations
  }

  statement {
    sid       = "KeepRestarts"
    actions   = ["dynamodb:PutItem"]
    resources = local.tables.generations

    # Beside the pointer, which no process may move.
    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["supervisor#*"]
    }
  }

  statement {
    sid       = "TakeBackPromotes"
    actions   = ["dynamodb:UpdateItem"]
    resources = local.tables.generations

    # Of the pointer the mark of a promote alone: where it points nobody changes by this.
    condition {
      test     = "ForAllValues:StringEquals"
      variable = "dynamodb:LeadingKeys"
      values   = ["live"]
    }

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "dynamodb:Attributes"
      values   = ["name", "next"]
    }
  }

  statement {
    sid       = "StoreReadings"
    actions   = ["dynamodb:BatchWriteItem", "dynamodb:Query"]
    resources = local.tables.readings
  }

  statement {
    sid = "KeepStats"
    actions = [
      "dynamodb:BatchGetItem",
      "dynamodb:PartiQLInsert",
      "dynamodb:PartiQLUpdate",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ]
    resources = local.tables.stats
  }

  statement {
    sid       = "KeepDeadLetters"
    actions   = ["dynamodb:BatchWriteItem", "dynamodb:PutItem"] # their marks by PutItem: the alarm counts the other
    resources = local.tables.dead_letters
  }

  # KCL's own three tables (hazard H26).
  statement {
    sid = "KeepLeases"
    actions = [
      "dynamodb:DeleteItem",
      "dynamodb:DescribeTable",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Scan",
      "dynamodb:UpdateItem",
    ]
    resources = local.tables.leases
  }

  statement {
    sid       = "FindLeasesByOwner"
    actions   = ["dynamodb:Query"]
    resources = local.indexes.leases
  }

  statement {
    sid = "KeepLeader"
    actions = [
      "dynamodb:DeleteItem",
      "dynamodb:DescribeTable",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:UpdateItem",
    ]
    resources = local.tables.coordinator
  }

  statement {
    sid = "KeepSignsOfLife"
    actions = [
      "dynamodb:DeleteItem",
      "dynamodb:DescribeTable",
      "dynamodb:Scan",
      "dynamodb:UpdateItem",
    ]
    resources = local.tables.workers
  }
}

# Nothing of it lets an archiver delete, nor look at a table.
data "aws_iam_policy_document" "archiver" {
  count = length(var.archive_bucket[*])

  statement {
    sid = "ReadLog"
    actions = [
      "kinesis:DescribeStreamSummary",
      "kinesis:GetRecords",
      "kinesis:GetShardIterator",
      "kinesis:ListShards",
    ]
    resources = [local.stream]
  }

  # Without a condition on s3:prefix: a GetObject of a state that is not there yet has no prefix, and would be answered 403, not 404
  # (GetObject, API reference, "Permissions").
  statement {
    sid       = "FindObjects"
    actions   = ["s3:ListBucket"]
    resources = ["${local.arn}:s3:::${var.archive_bucket.name}"]
  }

  statement {
    sid       = "KeepLogAndStates"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${local.arn}:s3:::${var.archive_bucket.name}/log/*", "${local.arn}:s3:::${var.archive_bucket.name}/state/*"]
  }

  # What S3 asks for to put and to get (S3 User Guide, "Using server-side encryption with AWS KMS keys", permissions).
  dynamic "statement" {
    for_each = var.archive_bucket.kms_key_arn[*]

    content {
      sid       = "EncryptByS3Alone"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${data.aws_region.current.name}.amazonaws.com"]
      }
    }
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = local.policies

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [lookup(local.services, each.key, "ecs-tasks.amazonaws.com")]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["${local.arn}:${lookup(local.sources, each.key, "ecs:${local.place}:*")}"]
    }
  }
}

resource "aws_iam_role" "process" {
  for_each = local.policies

  name                 = "${var.prefix}-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "process" {
  for_each = local.policies

  name   = each.key
  role   = aws_iam_role.process[each.key].id
  policy = each.value
}
