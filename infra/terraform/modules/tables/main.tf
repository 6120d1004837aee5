locals {
  # KCL makes its tables' contents anew from the projection's own progress rows, so backups of them would never be used.
  kcl = ["leases", "coordinator", "workers"]
}

resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_119:Encrypted with the account's own key for DynamoDB; a key of ours is one more way to lose the tables
  #checkov:skip=CKV_AWS_28:A variable; on wherever the data matters, except for KCL's tables, which are made anew
  for_each = var.tables

  name                        = each.key
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = each.value.hash_key
  range_key                   = each.value.range_key
  deletion_protection_enabled = var.deletion_protection

  dynamic "attribute" {
    for_each = toset(compact([
      each.value.hash_key,
      each.value.range_key,
      try(each.value.index.hash_key, null),
      try(each.value.index.range_key, null),
    ]))

    content {
      name = attribute.value
      type = lookup(each.value.types, attribute.value, "S")
    }
  }

  dynamic "global_secondary_index" {
    for_each = each.value.index[*]

    content {
      name            = global_secondary_index.value.name
      hash_key        = global_secondary_index.value.hash_key
      range_key       = global_secondary_index.value.range_key
      projection_type = global_secondary_index.value.projection
    }
  }

  point_in_time_recovery {
    enabled = var.point_in_time_recovery && !contains(local.kcl, each.value.role)
  }

  server_side_encryption {
    enabled = true # with the account's own key for DynamoDB
  }
}
