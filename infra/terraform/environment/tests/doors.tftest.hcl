# Who may come in: keys, mutual TLS, the firewall.
mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix              = "t"
  vpc_id              = "vpc-1"
  subnet_ids          = ["subnet-1", "subnet-2"]
  port                = 8080
  allowed_cidrs       = ["203.0.113.0/24"]
  deletion_protection = true
  account_id          = "123456789012"
  canary              = true
}

run "places_for_the_first_keys_hold_nothing_yet" {
  command = plan
  module { source = "../modules/keys" }

  assert {
    condition     = output.secrets == { admin-key = "t-admin-key", canary-keys = "t-canary-keys" }
    error_message = "One for a person, one for the canary."
  }
  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 30])
    error_message = "A protected environment's keys can be had back."
  }
}

run "without_a_canary_a_person_has_a_key" {
  command = plan
  module { source = "../modules/keys" }
  variables {
    canary              = false
    deletion_protection = false
  }

  assert {
    condition     = keys(output.secrets) == ["admin-key"] && output.canary_secret_arn == null
    error_message = "That one alone."
  }
  assert {
    condition     = aws_secretsmanager_secret.this["admin-key"].recovery_window_in_days == 0
    error_message = "Gone with the environment, so that its name is free for the next one."
  }
}

run "nobody_shows_a_certificate_and_nothing_is_counted" {
  command = plan
  module { source = "../modules/edge" }
  variables { domain = { name = "telemetry.example.com", zone_id = "Z1" } }

  assert {
    condition     = alltrue([for one in aws_lb_listener.https["https"].mutual_authentication : one.mode != "verify"])
    error_message = "Mutual TLS is asked for."
  }
  assert {
    condition     = length(aws_lb_trust_store.clients) + length(aws_wafv2_web_acl.this) == 0
    error_message = "So is the firewall."
  }
}

run "clients_show_their_certificates" {
  command = plan
  module { source = "../modules/edge" }
  variables {
    domain    = { name = "telemetry.example.com", zone_id = "Z1" }
    client_ca = { bucket = "t-trust-123456789012", key = "authorities.pem" }
  }

  assert {
    condition     = one(aws_lb_listener.https["https"].mutual_authentication).mode == "verify" && aws_lb_trust_store.clients[0].ca_certificates_bundle_s3_key == "authorities.pem"
    error_message = "The load balancer verifies them, by these authorities."
  }
  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "redirect"
    error_message = "Over HTTP, where there are no certificates, nobody comes in."
  }
}

run "who_asks_too_often_is_turned_away" {
  command = plan
  module { source = "../modules/edge" }
  variables { request_limit = 6000 }

  assert {
    condition     = one([for rule in aws_wafv2_web_acl.this[0].rule : one(one(rule.statement).rate_based_statement).limit]) == 6000
    error_message = "By address, in five minutes."
  }
  assert {
    condition     = alltrue([for rule in aws_wafv2_web_acl.this[0].rule : !one(rule.visibility_config).sampled_requests_enabled])
    error_message = "Samples would hold keys."
  }
}

run "mistakes_are_named" {
  command = plan
  module { source = "../modules/edge" }
  variables {
    client_ca     = { bucket = "t-trust-123456789012", key = "authorities.pem" }
    request_limit = 1.5
  }

  expect_failures = [var.client_ca, var.request_limit]
}
