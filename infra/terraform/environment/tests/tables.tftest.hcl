mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  tables = {
    leases = {
      role     = "leases"
      hash_key = "leaseKey"
      index    = { name = "ByOwner", hash_key = "leaseOwner", range_key = "leaseKey", projection = "KEYS_ONLY" }
    }
    stats = {
      role      = "stats"
      hash_key  = "scope"
      range_key = "window"
      index     = { name = "BySeen", hash_key = "scope", range_key = "seen", projection = "ALL" }
      types     = { seen = "N" }
    }
  }
  point_in_time_recovery = true
  deletion_protection    = true
}

run "protected" {
  command = plan
  module { source = "../modules/tables" }

  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : table.deletion_protection_enabled && table.server_side_encryption[0].enabled])
    error_message = "Every table is protected and encrypted."
  }
  assert {
    condition     = { for name, table in aws_dynamodb_table.this : name => table.point_in_time_recovery[0].enabled } == { leases = false, stats = true }
    error_message = "KCL's tables are made anew, not restored."
  }
  assert {
    condition     = length(aws_dynamodb_table.this["leases"].global_secondary_index) == 1 && length(aws_dynamodb_table.this["leases"].attribute) == 2
    error_message = "The index and its keys."
  }
  assert {
    condition     = { for table in aws_dynamodb_table.this : table.name => one(table.global_secondary_index).projection_type } == { leases = "KEYS_ONLY", stats = "ALL" }
    error_message = "Each index has what it says of the table."
  }
  assert {
    condition     = { for attribute in aws_dynamodb_table.this["stats"].attribute : attribute.name => attribute.type } == { scope = "S", seen = "N", window = "S" }
    error_message = "Text, unless types says otherwise."
  }
}

run "mistakes_are_named" {
  command = plan
  module { source = "../modules/tables" }
  variables {
    tables = { "a b" = { role = "stats", hash_key = "scope" } }
  }

  expect_failures = [var.tables]
}
