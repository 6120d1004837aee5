mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix     = "t-dev"
  account_id = "123456789012"
}

run "the_log_is_private_and_never_ends" {
  command = plan
  module { source = "../modules/archive" }

  assert {
    condition     = aws_s3_bucket_public_access_block.archive.restrict_public_buckets && aws_s3_bucket_versioning.archive.versioning_configuration[0].status == "Enabled"
    error_message = "The archive is private, and what is overwritten is kept."
  }
  assert {
    condition     = alltrue([for rule in aws_s3_bucket_lifecycle_configuration.archive.rule : length(rule.expiration) == 0])
    error_message = "No rule ends what is current."
  }
  assert {
    condition = toset([
      for rule in aws_s3_bucket_lifecycle_configuration.archive.rule : rule.filter[0].prefix if length(rule.noncurrent_version_expiration) > 0
    ]) == toset(["readings/", "state/"])
    error_message = "Nor a version of the log."
  }
  assert {
    condition     = one(flatten([for rule in aws_s3_bucket_lifecycle_configuration.archive.rule : rule.transition[*].storage_class])) == "GLACIER_IR"
    error_message = "Old objects become cheaper, and are still read at once."
  }
  assert {
    condition     = length(aws_s3_bucket_object_lock_configuration.archive) == 0
    error_message = "No lock unless it is asked for."
  }
}

run "a_key_of_ones_own" {
  command = plan
  module { source = "../modules/archive" }
  variables { kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }

  assert {
    condition = alltrue([for rule in aws_s3_bucket_server_side_encryption_configuration.archive.rule : (
      rule.bucket_key_enabled && rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
      && rule.apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn
    )])
    error_message = "By that key, which S3 asks for seldom."
  }
}

run "a_lock" {
  command = plan
  module { source = "../modules/archive" }
  variables { object_lock = { mode = "COMPLIANCE", days = 365 } }

  assert {
    condition = aws_s3_bucket_object_lock_configuration.archive[0].rule[0].default_retention[0].mode == "COMPLIANCE" && (
      aws_s3_bucket_object_lock_configuration.archive[0].rule[0].default_retention[0].days == 365
    )
    error_message = "As it was asked for."
  }
}

run "athena_reads_days_and_no_more_than_it_may" {
  command = plan
  module { source = "../modules/archive" }
  variables { athena_scan_limit_gib = 2 }

  assert {
    condition     = aws_glue_catalog_database.archive.name == "t_dev" && aws_glue_catalog_table.readings.name == "readings"
    error_message = "Names that need no quotes."
  }
  assert {
    condition = aws_glue_catalog_table.readings.parameters["storage.location.template"] == "s3://t-dev-archive-123456789012/readings/dt=$${dt}" && (
      aws_glue_catalog_table.readings.parameters["projection.dt.range"] == "2020-01-01,NOW+1DAY"
    )
    error_message = "Athena puts in the day."
  }
  assert {
    condition = (
      aws_athena_workgroup.archive.configuration[0].bytes_scanned_cutoff_per_query == 2147483648
      && aws_athena_workgroup.archive.configuration[0].enforce_workgroup_configuration
    )
    error_message = "The limit holds for everybody."
  }
  assert {
    condition     = startswith(aws_athena_workgroup.archive.configuration[0].result_configuration[0].output_location, "s3://t-dev-athena-")
    error_message = "Answers lie apart from the log."
  }
}

run "mistakes_are_named" {
  command = plan
  module { source = "../modules/archive" }
  variables {
    kms_key_arn           = "alias/telemetry"
    object_lock           = { mode = "SOMETIMES", days = 0 }
    readings_from         = "2020-02-31"
    athena_scan_limit_gib = 0.5
  }

  expect_failures = [var.kms_key_arn, var.object_lock, var.readings_from, var.athena_scan_limit_gib]
}
