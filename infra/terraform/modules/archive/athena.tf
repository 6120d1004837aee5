# SQL over the days that `telemetry archive compact` packs. Athena finds a day by its name (partition projection): nothing has to be
# told to the catalogue when one comes.

locals {
  # Athena takes letters, digits and underscores without quoting (Athena User Guide, "Name databases, tables, and columns").
  database       = replace(var.prefix, "-", "_")
  results        = "${var.prefix}-athena-${var.account_id}"
  results_arn    = "arn:${data.aws_partition.current.partition}:s3:::${local.results}"
  readings       = "s3://${local.bucket}/readings"
  hive           = "org.apache.hadoop.hive.ql.io.parquet"
  bytes_of_a_gib = 1024 * 1024 * 1024

  # As telemetry replay writes Parquet. Athena's timestamps have milliseconds; the files have microseconds.
  columns = [
    { name = "sensor_id", type = "string", comment = "the sensor's id" },
    { name = "temperature", type = "decimal(11,6)", comment = "in °C" },
    { name = "measured_at", type = "timestamp", comment = "by the sensor, UTC" },
    { name = "arrived_at", type = "timestamp", comment = "at the stream, UTC, about right" },
    { name = "shard", type = "string", comment = "the record's shard" },
    { name = "sequence_number", type = "string", comment = "the record's place in it" },
    { name = "line", type = "int", comment = "the event's place in the record" },
  ]
}

resource "aws_glue_catalog_database" "archive" {
  name        = local.database
  description = "The telemetry log of ${var.prefix}, for Athena."
}

resource "aws_glue_catalog_table" "readings" {
  name          = "readings"
  database_name = aws_glue_catalog_database.archive.name
  description   = "Distinct readings, by the UTC day on which they were measured."
  table_type    = "EXTERNAL_TABLE"

  partition_keys {
    name    = "dt"
    type    = "string"
    comment = "the day, as 2026-11-26: ask for days, or every day since readings_from is looked for"
  }

  # The names of these parameters: Athena User Guide, "Supported types for partition projection", date type. A sensor's clock may be
  # a day ahead (CLOCK_SKEW_H_MAX).
  parameters = {
    EXTERNAL                      = "TRUE"
    classification                = "parquet"
    "projection.enabled"          = "true"
    "projection.dt.type"          = "date"
    "projection.dt.format"        = "yyyy-MM-dd"
    "projection.dt.range"         = "${var.readings_from},NOW+1DAY"
    "projection.dt.interval"      = "1"
    "projection.dt.interval.unit" = "DAYS"
    "storage.location.template"   = "${local.readings}/dt=$${dt}"
  }

  storage_descriptor {
    location      = "${local.readings}/"
    input_format  = "${local.hive}.MapredParquetInputFormat"
    output_format = "${local.hive}.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "${local.hive}.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = local.columns

      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }
}

# A query that would read more is ended, and what it has read is billed (Athena User Guide, "Configure per-query and per-workgroup
# data usage controls").
resource "aws_athena_workgroup" "archive" {
  name        = "${var.prefix}-archive"
  description = "Queries of the telemetry log; each reads ${var.athena_scan_limit_gib} GiB at most."

  # Athena's own history of queries is no reason to keep the workgroup.
  force_destroy = true

  configuration {
    bytes_scanned_cutoff_per_query     = var.athena_scan_limit_gib * local.bytes_of_a_gib
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location = "s3://${aws_s3_bucket.results.bucket}/"

      encryption_configuration {
        encryption_option = "SSE_S3"
      }
    }
  }
}

# Apart from the log, so that who asks needs no right to write there. Answers are gone after a week; they can be asked for again.
resource "aws_s3_bucket" "results" {
  #checkov:skip=CKV_AWS_18:Who asked what is in Athena's history
  #checkov:skip=CKV_AWS_21:Answers are never overwritten, and gone after a week
  #checkov:skip=CKV_AWS_144:Answers can be asked for again
  #checkov:skip=CKV_AWS_145:Encrypted with S3's own key
  #checkov:skip=CKV2_AWS_62:Nothing waits for answers
  bucket        = local.results
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "results" {
  bucket                  = aws_s3_bucket.results.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "results" {
  bucket = aws_s3_bucket.results.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "results" {
  bucket = aws_s3_bucket.results.id

  rule {
    id     = "forget-answers"
    status = "Enabled"

    filter {}

    expiration {
      days = 7
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

data "aws_iam_policy_document" "results" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.results_arn, "${local.results_arn}/*"]

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

resource "aws_s3_bucket_policy" "results" {
  bucket = aws_s3_bucket.results.id
  policy = data.aws_iam_policy_document.results.json

  depends_on = [aws_s3_bucket_public_access_block.results]
}
