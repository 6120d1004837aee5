mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix             = "t"
  account_id         = "123456789012"
  stream_name        = "t-temperature-events"
  stream_arn         = "arn:aws:kinesis:eu-west-1:123456789012:stream/t-temperature-events"
  log_retention_days = 7
}

run "records_are_kept_as_they_are" {
  command = plan
  module { source = "../modules/archive" }

  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.archive.extended_s3_configuration).compression_format == "UNCOMPRESSED"
    error_message = "Records bring their own gzip."
  }
  assert {
    condition     = aws_s3_bucket_public_access_block.archive.restrict_public_buckets && aws_s3_bucket_versioning.archive.versioning_configuration[0].status == "Enabled"
    error_message = "The archive is private, and what is overwritten is kept."
  }
}
