resource "aws_kinesis_stream" "events" {
  name             = var.definition.name
  shard_count      = coalesce(var.shards, var.definition.shards)
  retention_period = var.definition.retention_hours

  # The account's own key for Kinesis: no monthly price, and no key policy that could lock the log away.
  encryption_type = "KMS"
  kms_key_id      = "alias/aws/kinesis"

  # Provisioned, because the number of consumers is bounded by a number of shards that is known.
  stream_mode_details {
    stream_mode = "PROVISIONED"
  }
}
