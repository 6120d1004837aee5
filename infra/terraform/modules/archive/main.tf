# The log for longer than the stream keeps it. Records are stored byte for byte, as they were in the stream: lines of JSON, some
# records as a gzip member. The destination compresses nothing, so that a record's own gzip stays what it is.

data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  stream_arn = "arn:${data.aws_partition.current.partition}:kinesis:${data.aws_region.current.name}:${var.account_id}:stream/${var.stream_name}"
  bucket_arn = "arn:${data.aws_partition.current.partition}:s3:::${local.bucket}"
  bucket     = "${var.prefix}-archive-${var.account_id}"
  delivery   = "${var.prefix}-archive"
}

resource "aws_s3_bucket" "archive" {
  #checkov:skip=CKV_AWS_18:One writer, few readers: an access log would need a bucket of its own
  #checkov:skip=CKV_AWS_144:The log is in the stream as well for seven days; a second region doubles the price
  #checkov:skip=CKV_AWS_145:Encrypted with S3's own key: no price per request, and no key to lose the log with
  #checkov:skip=CKV2_AWS_62:Nothing waits for new objects
  bucket = local.bucket
}

resource "aws_s3_bucket_public_access_block" "archive" {
  bucket                  = aws_s3_bucket.archive.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "archive" {
  bucket = aws_s3_bucket.archive.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "archive" {
  bucket = aws_s3_bucket.archive.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "archive" {
  bucket = aws_s3_bucket.archive.id

  rule {
    id     = "cheaper-when-old"
    status = "Enabled"

    filter {}

    transition {
      days          = 90
      storage_class = "GLACIER_IR"
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.archive]
}

data "aws_iam_policy_document" "tls_only" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.bucket_arn, "${local.bucket_arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "archive" {
  bucket = aws_s3_bucket.archive.id
  policy = data.aws_iam_policy_document.tls_only.json

  depends_on = [aws_s3_bucket_public_access_block.archive]
}

resource "aws_cloudwatch_log_group" "archive" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts logs with its own key; these hold error messages only
  name              = "/aws/kinesisfirehose/${local.delivery}"
  retention_in_days = var.log_retention_days
}

resource "aws_cloudwatch_log_stream" "errors" {
  name           = "errors"
  log_group_name = aws_cloudwatch_log_group.archive.name
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["firehose.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

data "aws_iam_policy_document" "firehose" {
  statement {
    sid       = "ReadLog"
    actions   = ["kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
    resources = [local.stream_arn]
  }

  statement {
    sid       = "StoreObjects"
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    resources = ["${local.bucket_arn}/*"]
  }

  statement {
    sid       = "FindUploads"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [local.bucket_arn]
  }

  statement {
    sid     = "TellErrors"
    actions = ["logs:PutLogEvents"]
    resources = [
      "arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.name}:${var.account_id}:log-group:/aws/kinesisfirehose/${local.delivery}:log-stream:*"
    ]
  }
}

resource "aws_iam_role" "firehose" {
  name                 = "${var.prefix}-firehose"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "firehose" {
  name   = "firehose"
  role   = aws_iam_role.firehose.id
  policy = data.aws_iam_policy_document.firehose.json
}

resource "aws_kinesis_firehose_delivery_stream" "archive" {
  name        = local.delivery
  destination = "extended_s3"

  kinesis_source_configuration {
    kinesis_stream_arn = var.stream_arn
    role_arn           = aws_iam_role.firehose.arn
  }

  extended_s3_configuration {
    role_arn            = aws_iam_role.firehose.arn
    bucket_arn          = aws_s3_bucket.archive.arn
    prefix              = "log/!{timestamp:yyyy/MM/dd/HH}/"
    error_output_prefix = "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/"
    compression_format  = "UNCOMPRESSED"
    buffering_size      = 64  # MB
    buffering_interval  = 300 # s

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.archive.name
      log_stream_name = aws_cloudwatch_log_stream.errors.name
    }
  }

  # Without its rights it would fail at once, and be made in vain.
  depends_on = [aws_iam_role_policy.firehose]
}
