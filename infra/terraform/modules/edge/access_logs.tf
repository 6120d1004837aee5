# Who asked the load balancer for what, and what it answered: for whoever has to look into an attack. It names callers, so it is gone
# with the environment's other logs.

data "aws_partition" "current" {}

locals {
  logs     = "${var.prefix}-logs-${var.account_id}"
  logs_arn = "arn:${data.aws_partition.current.partition}:s3:::${local.logs}"
}

resource "aws_s3_bucket" "logs" {
  #checkov:skip=CKV_AWS_18:These are the logs
  #checkov:skip=CKV_AWS_21:Written once, by the load balancer
  #checkov:skip=CKV_AWS_144:Gone after a while
  #checkov:skip=CKV_AWS_145:The load balancer can write to S3's own key only
  #checkov:skip=CKV2_AWS_62:Nothing waits for logs
  count = var.access_logs ? 1 : 0

  bucket        = local.logs
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "logs" {
  count = var.access_logs ? 1 : 0

  bucket                  = aws_s3_bucket.logs[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "logs" {
  count = var.access_logs ? 1 : 0

  bucket = aws_s3_bucket.logs[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  count = var.access_logs ? 1 : 0

  bucket = aws_s3_bucket.logs[0].id

  rule {
    id     = "forget-requests"
    status = "Enabled"

    filter {}

    expiration {
      days = var.log_retention_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

data "aws_iam_policy_document" "logs" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.logs_arn, "${local.logs_arn}/*"]

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

  # Elastic Load Balancing User Guide, "Enable access logs for your Application Load Balancer".
  statement {
    sid       = "LoadBalancerWrites"
    actions   = ["s3:PutObject"]
    resources = ["${local.logs_arn}/AWSLogs/${var.account_id}/*"]

    principals {
      type        = "Service"
      identifiers = ["logdelivery.elasticloadbalancing.amazonaws.com"]
    }
  }
}

resource "aws_s3_bucket_policy" "logs" {
  count = var.access_logs ? 1 : 0

  bucket = aws_s3_bucket.logs[0].id
  policy = data.aws_iam_policy_document.logs.json

  depends_on = [aws_s3_bucket_public_access_block.logs]
}
