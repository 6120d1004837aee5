mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  definition = { name = "t-temperature-events", shards = 2, retention_hours = 168 }
  shards     = null # an environment's own file may say otherwise
}

run "as_defined" {
  command = plan
  module { source = "../modules/stream" }

  assert {
    condition     = aws_kinesis_stream.events.shard_count == 2 && aws_kinesis_stream.events.retention_period == 168
    error_message = "Shards and retention are the definition's."
  }
  assert {
    condition     = aws_kinesis_stream.events.encryption_type == "KMS"
    error_message = "The log is encrypted at rest."
  }
}

run "resharded" {
  command = plan
  module { source = "../modules/stream" }
  variables { shards = 8 }

  assert {
    condition     = output.shards == 8
    error_message = "The variable goes before the definition."
  }
}

run "mistakes_are_named" {
  command = plan
  module { source = "../modules/stream" }
  variables {
    definition = { name = "t", shards = 2, retention_hours = 12 }
    shards     = 0
  }

  expect_failures = [var.definition, var.shards]
}
