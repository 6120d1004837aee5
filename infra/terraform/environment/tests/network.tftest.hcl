mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix = "t"
  cidr   = "10.1.0.0/16"
  zones  = ["eu-west-1a", "eu-west-1b"]
}

run "public_ip_needs_neither_nat_nor_private_subnets" {
  command = plan
  module { source = "../modules/network" }
  variables { egress = "public_ip" }

  assert {
    condition     = length(aws_nat_gateway.this) + length(aws_subnet.private) + length(aws_vpc_endpoint.interface) == 0
    error_message = "The cheap way out holds something that costs money."
  }
  assert {
    condition     = output.assign_public_ip && keys(aws_vpc_endpoint.gateway) == ["dynamodb", "s3"]
    error_message = "Tasks need a public address, and the free endpoints."
  }
}

run "one_nat_serves_both_zones" {
  command = plan
  module { source = "../modules/network" }
  variables { egress = "nat" }

  assert {
    condition     = keys(aws_nat_gateway.this) == ["a"] && keys(aws_route.nat) == ["a", "b"] && !output.assign_public_ip
    error_message = "One NAT gateway, a route to it from each zone."
  }
}

run "nat_per_zone" {
  command = plan
  module { source = "../modules/network" }
  variables {
    egress       = "nat"
    nat_gateways = 2
  }

  assert {
    condition     = keys(aws_nat_gateway.this) == ["a", "b"]
    error_message = "Each zone has its own."
  }
  assert {
    condition     = [for subnet in aws_subnet.private : subnet.cidr_block] == ["10.1.10.0/24", "10.1.11.0/24"]
    error_message = "The original's ranges."
  }
}

run "endpoints_instead_of_nat" {
  command = plan
  module { source = "../modules/network" }
  variables { egress = "endpoints" }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_vpc_endpoint.interface) == 4 && !output.assign_public_ip
    error_message = "An endpoint for every service, and no way out but these."
  }
}

run "a_region_whose_first_zones_are_others" {
  command = plan
  module { source = "../modules/network" }
  variables {
    egress = "nat"
    zones  = null
  }

  override_data {
    target = data.aws_region.current
    values = { name = "us-west-1" }
  }
  override_data {
    target = data.aws_availability_zones.open
    values = { names = ["us-west-1c", "us-west-1a", "us-west-1d"] }
  }

  assert {
    condition     = [for subnet in aws_subnet.public : subnet.availability_zone] == ["us-west-1a", "us-west-1c"]
    error_message = "The first two that there are."
  }
}

run "kinesis_past_the_gateways" {
  command = plan
  module { source = "../modules/network" }
  variables {
    egress           = "nat"
    kinesis_endpoint = true
  }

  assert {
    condition     = keys(aws_vpc_endpoint.interface) == ["kinesis-streams"] && length(aws_security_group.endpoints) == 1
    error_message = "That one alone."
  }
}

run "refused_connections_are_written_down" {
  command = plan
  module { source = "../modules/network" }
  variables {
    egress            = "public_ip"
    flow_logs         = true
    flow_log_role_arn = "arn:aws:iam::123456789012:role/t-flow-logs"
  }

  assert {
    condition     = aws_flow_log.refused[0].traffic_type == "REJECT" && aws_cloudwatch_log_group.flow[0].name == "/t/flow"
    error_message = "Only those."
  }
}

run "an_endpoint_that_saves_nothing_is_a_mistake" {
  command = plan
  module { source = "../modules/network" }
  variables {
    egress           = "public_ip"
    kinesis_endpoint = true
  }

  expect_failures = [var.kinesis_endpoint]
}

run "mistakes_are_named" {
  command = plan
  module { source = "../modules/network" }
  variables {
    cidr   = "10.1.0.0/20"
    zones  = ["a", "a"]
    egress = "none"
  }

  expect_failures = [var.cidr, var.zones, var.egress]
}

run "nat_for_some_zones_only_is_a_mistake" {
  command = plan
  module { source = "../modules/network" }
  variables {
    egress       = "nat"
    zones        = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    nat_gateways = 2
  }

  expect_failures = [var.nat_gateways]
}
