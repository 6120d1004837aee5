variable "prefix" {
  type        = string
  description = "Begins the name of everything made here, for example telemetry-dev."
}

variable "cidr" {
  type        = string
  description = "The VPC's range, a /16: it is cut into subnets of 256 addresses."

  validation {
    condition     = can(cidrnetmask(var.cidr)) && endswith(var.cidr, "/16")
    error_message = "cidr must be an IPv4 range ending in /16, for example 10.1.0.0/16."
  }
}

variable "zones" {
  type        = list(string)
  description = "The region's availability zones to use, for example eu-west-1a; null for its first two. A load balancer needs two."
  default     = null

  validation {
    condition     = var.zones == null || try(length(var.zones) >= 2 && length(distinct(var.zones)) == length(var.zones), false)
    error_message = "zones must name at least two different zones."
  }

  validation {
    condition     = alltrue([for zone in coalesce(var.zones, ["eu-west-1a"]) : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9][a-f]$", zone))])
    error_message = "zones are given by their names, for example eu-west-1a."
  }
}

variable "egress" {
  type        = string
  description = "How tasks reach AWS: nat (private subnets), endpoints (private subnets, no way out but to AWS) or public_ip (cheapest)."

  validation {
    condition     = contains(["nat", "endpoints", "public_ip"], var.egress)
    error_message = "egress must be nat, endpoints or public_ip."
  }
}

variable "nat_gateways" {
  type        = number
  description = "With egress nat: one for all zones, or as many as zones, so that the loss of a zone costs only that zone."
  default     = 1

  validation {
    condition     = var.nat_gateways == 1 || var.nat_gateways == (var.zones == null ? 2 : length(coalesce(var.zones, [])))
    error_message = "nat_gateways must be 1 or the number of zones."
  }
}

variable "kinesis_endpoint" {
  type        = bool
  description = "With egress nat: whether Kinesis is reached by an interface endpoint, not through the NAT gateways."
  default     = false

  validation {
    condition     = !var.kinesis_endpoint || var.egress == "nat"
    error_message = "kinesis_endpoint goes with egress nat: endpoints has it already, and public_ip has no gateway to save."
  }
}

variable "flow_logs" {
  type        = bool
  description = "Whether it is written down which connections were refused."
  default     = false
}

variable "flow_log_role_arn" {
  type        = string
  description = "Role that does so."
  default     = null
}

variable "log_retention_days" {
  type        = number
  description = "How long that is kept."
  default     = 90
}

variable "calls_ecs" {
  type        = bool
  description = "With egress endpoints: whether a task calls ECS, which takes an endpoint more."
  default     = false
}

variable "reads_secrets" {
  type        = bool
  description = "With egress endpoints: whether a task is handed secrets, which takes an endpoint more."
  default     = false
}
