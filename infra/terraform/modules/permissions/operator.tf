# What operators type in a task of their own: rebuild, verify, promote, drop, continue, generations. A rebuild runs a consumer, so it
# has that one's rights; beside them it moves the pointer, and reads whole tables and the archive. Terraform alone makes and deletes
# tables, and nothing of it writes to the archive.
data "aws_iam_policy_document" "operator" {
  source_policy_documents = [data.aws_iam_policy_document.consumer.json]

  # In place of the consumer's statements of these names, which leave the pointer alone: here it is moved, and generations are registered,
  # marked and noted as verified. Every write is conditional, which no key of IAM's can ask for.
  statement {
    sid       = "KeepRestarts"
    actions   = ["dynamodb:PutItem"]
    resources = local.tables.generations
  }

  statement {
    sid       = "TakeBackPromotes"
    actions   = ["dynamodb:UpdateItem"]
    resources = local.tables.generations
  }

  statement {
    sid       = "SeeGenerations"
    actions   = ["dynamodb:ConditionCheckItem", "dynamodb:Scan"]
    resources = local.tables.generations
  }

  statement {
    sid       = "ReadWholeTables"
    actions   = ["dynamodb:DescribeTable", "dynamodb:Scan"]
    resources = concat(local.tables.readings, local.tables.stats, local.tables.dead_letters)
  }

  # As for the archiver: without a condition on s3:prefix.
  dynamic "statement" {
    for_each = var.archive_bucket[*]

    content {
      sid       = "FindObjects"
      actions   = ["s3:ListBucket"]
      resources = ["${local.arn}:s3:::${statement.value.name}"]
    }
  }

  dynamic "statement" {
    for_each = var.archive_bucket[*]

    content {
      sid       = "ReadArchive"
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
