# Once per account, by a person: where states and images are kept, and as whom GitHub Actions works.

data "aws_partition" "current" {}

locals {
  arn        = "arn:${data.aws_partition.current.partition}"
  place      = "${var.region}:${var.account_id}"
  bucket     = "${var.name}-terraform-${var.account_id}"
  bucket_arn = "${local.arn}:s3:::${local.bucket}"
}

resource "aws_s3_bucket" "state" {
  #checkov:skip=CKV_AWS_18:Who wrote a state is in CloudTrail and in the workflow's run; an access log would need a bucket of its own
  #checkov:skip=CKV_AWS_144:Versions protect against mistakes; a state can be imported anew
  #checkov:skip=CKV_AWS_145:Encrypted with S3's own key; the states hold no secrets
  #checkov:skip=CKV2_AWS_62:Nothing waits for new states
  bucket = local.bucket

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket                  = aws_s3_bucket.state.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    id     = "forget-old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.state]
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

resource "aws_s3_bucket_policy" "state" {
  bucket = aws_s3_bucket.state.id
  policy = data.aws_iam_policy_document.tls_only.json

  depends_on = [aws_s3_bucket_public_access_block.state]
}

# A tag names the same image for ever, so a roll-back is to a known one.
resource "aws_ecr_repository" "images" {
  #checkov:skip=CKV_AWS_136:Encrypted with S3's own key; the images hold no secrets
  name                 = var.repository_name
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "AES256"
  }
}

resource "aws_ecr_lifecycle_policy" "images" {
  repository = aws_ecr_repository.images.name
  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "What lost its tag is a failed push"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 7 }
        action       = { type = "expire" }
      },
      # An image is judged by the first rule that its tags fit, so what an environment runs outlives any number of commits, and what prod
      # runs any number of dev's (ECR User Guide, "How the lifecycle policy evaluator works"). Two images a deployment
      # (infra/images/keep.sh).
      {
        rulePriority = 2
        description  = "The last twenty deployments of prod"
        selection    = { tagStatus = "tagged", tagPatternList = ["deployed-prod-*"], countType = "imageCountMoreThan", countNumber = 40 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 3
        description  = "The last twenty deployments of staging"
        selection    = { tagStatus = "tagged", tagPatternList = ["deployed-staging-*"], countType = "imageCountMoreThan", countNumber = 40 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 4
        description  = "The last twenty deployments of dev"
        selection    = { tagStatus = "tagged", tagPatternList = ["deployed-dev-*"], countType = "imageCountMoreThan", countNumber = 40 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 5
        description  = "The last commits"
        selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 50 }
        action       = { type = "expire" }
      },
    ]
  })
}

# With an account for each environment, the others fetch what one keeps.
data "aws_iam_policy_document" "readers" {
  statement {
    sid     = "FetchImages"
    actions = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]

    principals {
      type        = "AWS"
      identifiers = [for id in var.reader_account_ids : "${local.arn}:iam::${id}:root"]
    }
  }
}

resource "aws_ecr_repository_policy" "readers" {
  count = length(var.reader_account_ids) == 0 ? 0 : 1

  repository = aws_ecr_repository.images.name
  policy     = data.aws_iam_policy_document.readers.json
}
