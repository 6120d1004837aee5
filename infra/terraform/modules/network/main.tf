# Two zones, as the original had. The load balancer lies in public subnets. Tasks lie in private ones, unless egress is by public
# address: then nothing private would be left, and the security groups alone keep callers out.

data "aws_region" "current" {}

# Not by their state: a zone that is out of order for an hour must not have its subnets planned anew. No local zones, and none that
# an account has to ask for.
data "aws_availability_zones" "open" {
  count = var.zones == null ? 1 : 0

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }

  filter {
    name   = "zone-type"
    values = ["availability-zone"]
  }
}

locals {
  # Which letters a region has differs, and from account to account too.
  zone_names = var.zones != null ? var.zones : slice(sort(data.aws_availability_zones.open[0].names), 0, 2)
  letters    = [for name in local.zone_names : trimprefix(name, data.aws_region.current.name)]

  zones         = { for index, letter in local.letters : letter => index }
  private_zones = var.egress == "public_ip" ? {} : local.zones
  nat_zones     = var.egress == "nat" ? { for zone, index in local.zones : zone => index if index < var.nat_gateways } : {}
  interfaces    = var.egress == "endpoints" ? concat(["ecr.api", "ecr.dkr", "kinesis-streams", "logs"], var.calls_ecs ? ["ecs"] : [], var.reads_secrets ? ["secretsmanager"] : []) : var.kinesis_endpoint ? ["kinesis-streams"] : []
  nat_per_zone  = { for zone, index in local.zones : zone => contains(keys(local.nat_zones), zone) ? zone : local.letters[0] }
}

resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:A variable; on wherever it matters
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = var.prefix }
}

# Whatever names no group of its own gets this one: it lets nothing in or out.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = var.prefix }
}

resource "aws_subnet" "public" {
  for_each = local.zones

  vpc_id            = aws_vpc.this.id
  availability_zone = "${data.aws_region.current.name}${each.key}"
  cidr_block        = cidrsubnet(var.cidr, 8, 1 + each.value)
  tags              = { Name = "${var.prefix}-public-${each.key}" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.prefix}-public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = local.zones

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public.id
}

resource "aws_subnet" "private" {
  for_each = local.private_zones

  vpc_id            = aws_vpc.this.id
  availability_zone = "${data.aws_region.current.name}${each.key}"
  cidr_block        = cidrsubnet(var.cidr, 8, 10 + each.value)
  tags              = { Name = "${var.prefix}-private-${each.key}" }
}

resource "aws_route_table" "private" {
  for_each = local.private_zones

  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.prefix}-private-${each.key}" }
}

resource "aws_route_table_association" "private" {
  for_each = local.private_zones

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}

resource "aws_eip" "nat" {
  for_each = local.nat_zones

  domain = "vpc"
  tags   = { Name = "${var.prefix}-nat-${each.key}" }
}

resource "aws_nat_gateway" "this" {
  for_each = local.nat_zones

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id
  tags          = { Name = "${var.prefix}-${each.key}" }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_route" "nat" {
  for_each = var.egress == "nat" ? local.zones : {}

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[local.nat_per_zone[each.key]].id
}

# Gateway endpoints are free. S3 holds the layers of the images.
resource "aws_vpc_endpoint" "gateway" {
  for_each = toset(["dynamodb", "s3"])

  vpc_id            = aws_vpc.this.id
  vpc_endpoint_type = "Gateway"
  service_name      = "com.amazonaws.${data.aws_region.current.name}.${each.key}"
  route_table_ids   = concat([aws_route_table.public.id], [for table in aws_route_table.private : table.id])
  tags              = { Name = "${var.prefix}-${each.key}" }
}

# Everything else that a task calls: images, logs, the stream.
resource "aws_vpc_endpoint" "interface" {
  for_each = toset(local.interfaces)

  vpc_id              = aws_vpc.this.id
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${data.aws_region.current.name}.${each.key}"
  private_dns_enabled = true
  subnet_ids          = [for subnet in aws_subnet.private : subnet.id]
  security_group_ids  = [aws_security_group.endpoints[0].id]
  tags                = { Name = "${var.prefix}-${each.key}" }
}

resource "aws_security_group" "endpoints" {
  count = length(local.interfaces) == 0 ? 0 : 1

  name        = "${var.prefix}-endpoints"
  description = "HTTPS from inside the VPC to the interface endpoints"
  vpc_id      = aws_vpc.this.id
  tags        = { Name = "${var.prefix}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count = length(local.interfaces) == 0 ? 0 : 1

  security_group_id = aws_security_group.endpoints[0].id
  description       = "HTTPS from inside the VPC"
  cidr_ipv4         = var.cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

# Connections that a security group refused: who knocks. Those that were let in would be far more, and say less.
resource "aws_cloudwatch_log_group" "flow" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts logs with its own key
  count = var.flow_logs ? 1 : 0

  name              = "/${var.prefix}/flow"
  retention_in_days = var.log_retention_days
}

resource "aws_flow_log" "refused" {
  count = var.flow_logs ? 1 : 0

  vpc_id          = aws_vpc.this.id
  traffic_type    = "REJECT"
  log_destination = aws_cloudwatch_log_group.flow[0].arn
  iam_role_arn    = var.flow_log_role_arn
  tags            = { Name = var.prefix }
}
