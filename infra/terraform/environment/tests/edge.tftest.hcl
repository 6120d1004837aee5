mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix              = "t"
  vpc_id              = "vpc-1"
  subnet_ids          = ["subnet-1", "subnet-2"]
  port                = 8080
  allowed_cidrs       = ["203.0.113.0/24", "198.51.100.7/32"]
  deletion_protection = false
  account_id          = "123456789012"
}

run "without_a_domain_it_speaks_http" {
  command = plan
  module { source = "../modules/edge" }

  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "forward" && length(aws_lb_listener.https) + length(aws_route53_record.api) == 0
    error_message = "HTTP goes to the API; no certificate, no record."
  }
  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.allowed : rule.cidr_ipv4]) == toset(var.allowed_cidrs) && alltrue([for rule in aws_vpc_security_group_ingress_rule.allowed : rule.to_port == 80])
    error_message = "Those who are allowed, and port 80 alone."
  }
  assert {
    condition     = aws_lb_target_group.api.health_check[0].path == "/livez" && aws_lb.this.drop_invalid_header_fields
    error_message = "An AWS fault must restart nobody."
  }
}

run "with_a_domain_it_speaks_https" {
  command = plan
  module { source = "../modules/edge" }
  variables { domain = { name = "telemetry.example.com", zone_id = "Z1" } }

  assert {
    condition     = aws_lb_listener.http.default_action[0].redirect[0].status_code == "HTTP_301" && aws_lb_listener.http.default_action[0].redirect[0].protocol == "HTTPS"
    error_message = "HTTP is redirected."
  }
  assert {
    condition     = aws_lb_listener.https["https"].ssl_policy == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    error_message = "TLS 1.2 and newer only."
  }
  assert {
    condition     = output.url == "https://telemetry.example.com" && aws_acm_certificate.this["https"].validation_method == "DNS"
    error_message = "Its own name, proved by DNS."
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.allowed) == 4
    error_message = "Both ports for both ranges."
  }
}

run "requests_are_written_down" {
  command = plan
  module { source = "../modules/edge" }
  variables {
    access_logs        = true
    log_retention_days = 90
  }

  assert {
    condition     = aws_s3_bucket.logs[0].bucket == "t-logs-123456789012" && aws_s3_bucket_public_access_block.logs[0].restrict_public_buckets && one(aws_lb.this.access_logs).enabled
    error_message = "In a private bucket."
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.logs[0].rule[0].expiration[0].days == 90
    error_message = "For a while: they name callers."
  }
}

run "mistakes_are_named" {
  command = plan
  module { source = "../modules/edge" }
  variables {
    prefix        = "a.name.with.dots"
    allowed_cidrs = []
  }

  expect_failures = [var.prefix, var.allowed_cidrs]
}
