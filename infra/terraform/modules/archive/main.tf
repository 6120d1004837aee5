# The bucket that keeps the log for longer than the stream does: a chain of objects a shard under log/, put once and never changed by
# the archiver; under state/ what was last seen of each shard; under readings/ days packed as Parquet for Athena (athena.tf).

data "aws_partition" "current" {}

locals {
  bucket     = "${var.prefix}-archive-${var.account_id}"
  bucket_arn = "arn:${data.aws_partition.current.partition}:s3:::${local.bucket}"
}

resource "aws_s3_bucket" "archive" {
  #checkov:skip=CKV_AWS_18:One writer, few readers: an access log would need a bucket of its own
  #checkov:skip=CKV_AWS_144:The log is in the stream as well for seven days; a second region doubles the price
  #checkov:skip=CKV_AWS_145:S3's own key, unless kms_key_arn names one: no price per request, and no key to lose the log with
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
    # With a key of KMS, S3 asks for one a bucket and a while, not one an object (S3 User Guide, "Reducing the cost of SSE-KMS
    # with Amazon S3 Bucket Keys").
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

# Also of a bucket that is there already (provider's documentation of this resource, "new and existing buckets"); AWS never takes it
# back (S3 User Guide, "Configuring S3 Object Lock"). A put under a lock needs a checksum (PutObject, API reference): boto3 sends one.
resource "aws_s3_bucket_object_lock_configuration" "archive" {
  count = var.object_lock == null ? 0 : 1

  bucket = aws_s3_bucket.archive.id

  rule {
    default_retention {
      mode = var.object_lock.mode
      days = var.object_lock.days
    }
  }

  depends_on = [aws_s3_bucket_versioning.archive]
}

# No rule ends an object of the log, nor a version of one.
resource "aws_s3_bucket_lifecycle_configuration" "archive" {
  bucket = aws_s3_bucket.archive.id

  # Read at once as before, and billed for 90 days at least. Objects under 128 kB stay where they are, since moving them would cost
  # more than it saves (S3 User Guide, "Transitioning objects using Amazon S3 Lifecycle").
  rule {
    id     = "cheaper-when-old"
    status = "Enabled"

    filter {
      prefix = "log/"
    }

    transition {
      days          = 90
      storage_class = "GLACIER_IR"
    }
  }

  dynamic "rule" {
    for_each = { state = 1, readings = 30 } # states are overwritten every few minutes, days when a late reading comes

    content {
      id     = "forget-overwritten-${rule.key}"
      status = "Enabled"

      filter {
        prefix = "${rule.key}/"
      }

      noncurrent_version_expiration {
        noncurrent_days = rule.value
      }
    }
  }

  rule {
    id     = "end-unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.archive]
}

data "aws_iam_policy_document" "guard" {
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

  # Whoever it is. How an archive is deleted all the same: docs/deploy.md.
  statement {
    sid       = "NobodyDeletesOfTheLog"
    effect    = "Deny"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    resources = ["${local.bucket_arn}/log/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }

  # What lies under log/ is put once: without `If-None-Match: *` S3 refuses. The condition key and that copies and the parts of
  # multipart uploads, which cannot have the header, are refused with it: S3 User Guide, "Enforce conditional writes on Amazon S3
  # buckets". The archiver puts each object in one call. Under state/ and readings/ objects are replaced, so nothing is asked there.
  statement {
    sid       = "TheLogIsPutOnce"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = ["${local.bucket_arn}/log/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Null"
      variable = "s3:if-none-match"
      values   = ["true"]
    }
  }
}

resource "aws_s3_bucket_policy" "archive" {
  bucket = aws_s3_bucket.archive.id
  policy = data.aws_iam_policy_document.guard.json

  depends_on = [aws_s3_bucket_public_access_block.archive]
}
