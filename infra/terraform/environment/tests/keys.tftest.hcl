# An environment with keys and one without. Run in the workspace dev.
mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  account_id    = "123456789012"
  owner         = "somebody"
  image         = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/telemetry-pipeline:abc1234"
  allowed_cidrs = ["203.0.113.0/24"]
  zones         = ["eu-west-1a", "eu-west-1b"]
  canary        = true
}

run "dev_asks_for_no_keys" {
  command = plan

  assert {
    condition     = length(module.keys) == 0 && output.first_keys == null && !contains(keys(local.api_settings), "KEYS")
    error_message = "As its file says."
  }
}

run "with_keys_the_canary_has_some" {
  command = plan
  variables { keys = true }

  assert {
    condition     = local.api_settings.KEYS == "true" && !contains(keys(local.api_settings), "MUTUAL_TLS")
    error_message = "The API asks for them, and believes no certificate."
  }
  assert {
    condition     = output.first_keys == { admin-key = "telemetry-dev-admin-key", canary-keys = "telemetry-dev-canary-keys" }
    error_message = "Two places for the first keys."
  }
}

run "certificates_name_keys" {
  command = plan
  variables {
    keys      = true
    domain    = { name = "telemetry.example.com", zone_id = "Z1" }
    client_ca = { bucket = "telemetry-dev-trust-123456789012", key = "authorities.pem" }
  }

  assert {
    condition     = local.api_settings.MUTUAL_TLS == "true"
    error_message = "The API believes what the load balancer says of them."
  }
}

run "a_certificate_without_keys_is_a_mistake" {
  command = plan
  variables {
    domain    = { name = "telemetry.example.com", zone_id = "Z1" }
    client_ca = { bucket = "telemetry-dev-trust-123456789012", key = "authorities.pem" }
  }

  expect_failures = [var.client_ca]
}

run "mqtt_where_it_is_asked_for" {
  command = plan
  variables { mqtt = true }

  assert {
    condition     = length(module.mqtt) == 1
    error_message = "A rule into the stream."
  }
}
