mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix = "t"
  cidr   = "10.1.0.0/16"
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
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_vpc_endpoint.interface) == 5 && !output.assign_public_ip
    error_message = "An endpoint for every service, and no way out but these."
  }
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
    zones        = ["a", "b", "c"]
    nat_gateways = 2
  }

  expect_failures = [var.nat_gateways]
}
