# Run once for each environment, with its .tfvars file and in its workspace.
mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  account_id    = "123456789012"
  owner         = "somebody"
  image         = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/telemetry-pipeline:abc1234"
  allowed_cidrs = ["203.0.113.0/24"]
  zones         = ["eu-west-1a", "eu-west-1b"]
  alarm_emails  = ["somebody@example.com"]
  domain        = { name = "telemetry.example.com", zone_id = "Z1" }
}

run "as_its_file_says" {
  command = plan

  assert {
    condition     = output.prefix == "telemetry-${terraform.workspace}" && output.stream == "telemetry-${terraform.workspace}-temperature-events"
    error_message = "Names begin with the environment's prefix."
  }
  assert {
    condition     = toset(values(module.tables.names)[*][0]) == toset([for table in local.live.tables : table.name])
    error_message = "Every table of infra/resources.json."
  }
  assert {
    condition     = !var.budget
    error_message = "A budget is asked for: an account refuses one until its root has let others see billing."
  }
}

run "a_next_generation_beside_the_live_one" {
  command = plan
  variables { generations = [1, 2] }

  assert {
    condition = (
      length(module.tables.names["stats"]) == 2 && length(module.tables.names["dead_letters"]) == 2 && length(module.tables.names["generations"]) == 1
    )
    error_message = "Generations have tables of their own, but share the pointer."
  }
}

run "the_next_stream_has_tables_of_kcls_own" {
  command = plan
  variables { stream_number = 2 }

  assert {
    condition = (
      endswith(module.tables.names["leases"][0], "-projector-g1-s2") && endswith(module.tables.names["stats"][0], "-stats-g1")
    )
    error_message = "Shard ids repeat: leases of a stream that was lost must not be met again. The projection's tables stay."
  }
}

run "consumers_never_exceed_shards" {
  command = plan
  variables {
    shards   = 3
    consumer = { cpu = 512, memory = 1024, tasks_min = 1, tasks_max = 50 }
  }

  assert {
    condition     = module.consumer.tasks_max == 3
    error_message = "A worker beyond the shards would have nothing to do."
  }
}

run "archivers_share_the_shards" {
  command = plan
  variables {
    archive  = true
    archiver = { cpu = 256, memory = 1024, shares = 3 }
  }

  assert {
    condition     = keys(output.services) == ["api", "archiver-1", "archiver-2", "archiver-3", "consumer"] && local.archivers["archiver-2"] == "2/3"
    error_message = "A service for each share."
  }
  assert {
    condition     = output.archive_bucket == "telemetry-${terraform.workspace}-archive-123456789012" && output.athena.workgroup == "telemetry-${terraform.workspace}-archive"
    error_message = "The archive's bucket, and Athena's workgroup for it."
  }
}

run "one_archiver_takes_all" {
  command = plan
  variables { archive = true }

  assert {
    condition     = local.archivers == { archiver = "1/1" }
    error_message = "Without a number in its name."
  }
}

run "without_an_archive_nobody_archives" {
  command = plan
  variables { archive = false }

  assert {
    condition     = keys(output.services) == ["api", "consumer"] && output.archive_bucket == null && output.athena == null
    error_message = "No service, no bucket."
  }
}

run "nobody_goes_unwarned_and_unencrypted_by_accident" {
  command = plan

  assert {
    condition     = terraform.workspace == "dev" || !var.plaintext
    error_message = "Plain text is for trying out."
  }
  assert {
    condition     = terraform.workspace == "dev" || (var.traffic_logs && !var.spot)
    error_message = "Outside dev it is written down who calls, and no task is taken back."
  }
  assert {
    condition     = terraform.workspace != "prod" || module.consumer.tasks_max > var.consumer.tasks_min
    error_message = "Autoscaling has somewhere to go."
  }
}

run "one_shard_is_one_consumer" {
  command = plan
  variables { shards = 1 }

  assert {
    condition     = module.consumer.tasks_max == 1
    error_message = "However many tasks there are to be at least."
  }
}

run "prod_is_protected" {
  command = plan

  assert {
    condition     = terraform.workspace != "prod" || (var.deletion_protection && var.point_in_time_recovery && var.archive && var.nat_gateways == 2)
    error_message = "Deletion protection, point-in-time recovery, an archive, a way out in each zone."
  }
}
