# What the root refuses. Run in the workspace dev.
mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  account_id    = "123456789012"
  owner         = "somebody"
  image         = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/telemetry-pipeline:abc1234"
  allowed_cidrs = ["203.0.113.0/24"]
  zones         = ["eu-west-1a", "eu-west-1b"]
}

run "another_environments_values" {
  command = plan
  variables { environment = "prod" }

  expect_failures = [var.environment]
}

run "the_whole_world_by_mistake" {
  command = plan
  variables { allowed_cidrs = ["203.0.113.0/24", "0.0.0.0/0"] }

  expect_failures = [var.allowed_cidrs]
}

run "the_whole_world_on_purpose" {
  command = plan
  variables {
    allowed_cidrs = ["0.0.0.0/0"]
    world_open    = true
  }
}

run "plain_text_by_mistake" {
  command = plan
  variables { plaintext = false }

  expect_failures = [var.domain]
}

run "mistakes_are_named" {
  command = plan
  variables {
    account_id         = "me"
    name               = "Telemetry"
    region             = "Ireland"
    live_generation    = 7
    log_retention_days = 8
    consumer           = { cpu = 256, memory = 512, tasks_min = 1, tasks_max = 1 }
    archiver           = { cpu = 256, memory = 512, shares = 0 }
  }

  expect_failures = [var.account_id, var.name, var.region, var.live_generation, var.log_retention_days, var.consumer, var.archiver]
}
