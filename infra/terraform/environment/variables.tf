variable "environment" {
  type        = string
  description = "The environment. Must be the workspace, so that a .tfvars file and another environment's state never meet."

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }

  # Also judged when destroying, which preconditions are not.
  validation {
    condition     = var.environment == terraform.workspace
    error_message = "These are the values of ${var.environment}, but the workspace is ${terraform.workspace}. Select the other workspace, or hand over the other .tfvars file."
  }
}

variable "name" {
  type        = string
  description = "Begins all names, before the environment: telemetry gives telemetry-dev."
  default     = "telemetry"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.name))
    error_message = "name must be 2 to 16 lower-case letters, digits and dashes, and begin with a letter."
  }
}

variable "account_id" {
  type        = string
  description = "The AWS account. Credentials of any other are refused."

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits."
  }
}

variable "region" {
  type        = string
  description = "The AWS region."
  default     = "eu-west-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must look like eu-west-1."
  }
}

variable "owner" {
  type        = string
  description = "Who answers for this environment; a tag on everything."
}

variable "image" {
  type        = string
  description = "The container images of API and consumer without `-api` and `-consumer`, with a tag that never moves."
}

variable "repository_name" {
  type        = string
  description = "The ECR repository the image comes from."
  default     = "telemetry-pipeline"
}

variable "allowed_cidrs" {
  type        = list(string)
  description = "IPv4 ranges that may reach the API. There is no default: without keys they are its only fence."

  validation {
    condition     = var.world_open || alltrue([for cidr in var.allowed_cidrs : !endswith(cidr, "/0")])
    error_message = "This would let the whole world come to the API, which is bad without keys and bold with them. Set world_open = true as well if that is meant."
  }
}

variable "world_open" {
  type        = bool
  description = "Says out loud that allowed_cidrs may hold 0.0.0.0/0."
  default     = false
}

variable "domain" {
  type = object({
    name    = string
    zone_id = string
  })
  description = "The API's host name and the id of its Route 53 zone, for HTTPS. null: HTTP alone, under the load balancer's own name."
  default     = null

  validation {
    condition     = var.domain != null || var.plaintext
    error_message = "Without a domain there is no HTTPS, and readings cross the internet in plain text. Set plaintext = true as well if that is meant."
  }
}

variable "plaintext" {
  type        = bool
  description = "Says out loud that there may be no domain, and so no HTTPS."
  default     = false
}

variable "cidr" {
  type        = string
  description = "The VPC's range, a /16."
}

variable "zones" {
  type        = list(string)
  description = "Availability zones to use, for example eu-west-1a; null for the region's first two that every account has."
  default     = null
}

variable "egress" {
  type        = string
  description = "How tasks reach AWS: nat, endpoints or public_ip. infra/terraform/README.md weighs them."
}

variable "nat_gateways" {
  type        = number
  description = "With egress nat: 1, or as many as zones."
  default     = 1
}

variable "shards" {
  type        = number
  description = "Number of shards, when it differs from infra/resources.json."
  default     = null
}

variable "retention_hours" {
  type        = number
  description = "How long the stream keeps records, when it differs from infra/resources.json. Beyond 24 hours each shard costs more."
  default     = null
}

variable "architecture" {
  type        = string
  description = "What the images are built for, as Docker calls it: arm64, which Fargate sells for a fifth less, or amd64."
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "amd64"], var.architecture)
    error_message = "architecture must be arm64 or amd64."
  }
}

variable "spot" {
  type        = bool
  description = "Whether tasks run on Fargate Spot, which AWS may take back within two minutes: for less than half the price."
  default     = false
}

variable "kinesis_endpoint" {
  type        = bool
  description = "With egress nat: whether Kinesis is reached by an interface endpoint of its own (infra/terraform/README.md says from when it pays)."
  default     = false
}

variable "canary" {
  type        = bool
  description = "Whether a task stores a reading every five minutes and waits until it is counted. It is the same one each time, and counted once."
}

variable "traffic_logs" {
  type        = bool
  description = "Whether refused connections to the network and requests to the load balancer are written down, callers included."
}

variable "tags" {
  type        = map(string)
  description = "More tags for everything, for example CostCenter and Repository. Which commit runs is a tag of the task definitions."
  default     = {}
}

variable "generations" {
  type        = set(number)
  description = "Projection generations that have tables. `telemetry rebuild` needs the next one beside the live one; one that was dropped is taken out for good."
  default     = [1]
}

variable "live_generation" {
  type        = number
  description = "The generation that alarms and dashboard look at; the pointer itself is moved by `promote`, not by Terraform."
  default     = 1

  validation {
    condition     = contains(var.generations, var.live_generation)
    error_message = "live_generation must be one of generations."
  }
}

variable "stream_number" {
  type        = number
  description = "Which of the log's streams this is. One more after a stream was lost: KCL's tables for it are others (docs/runbook.md)."
  default     = 1

  validation {
    condition     = var.stream_number >= 1 && floor(var.stream_number) == var.stream_number
    error_message = "stream_number counts from 1."
  }
}

variable "point_in_time_recovery" {
  type        = bool
  description = "Whether the projection's tables can be restored to any second of the last 35 days."
}

variable "deletion_protection" {
  type        = bool
  description = "Whether AWS refuses to delete tables and load balancer."
}

variable "api" {
  type = object({
    cpu                 = number
    memory              = number
    tasks_min           = number
    tasks_max           = number
    requests_per_minute = number
  })
  description = "Size and number of the API's tasks; one more is started when each answers more requests a minute than this."
}

variable "consumer" {
  type = object({
    cpu       = number
    memory    = number
    tasks_min = number
    tasks_max = number
  })
  # Measured, and the figures of consumer/properties.py: supervisor 70, java 110 and a heap of 128; a shard 96 of heap and 256 of its own.
  description = "Size and number of the consumer's tasks, never more than shards. A task needs 310 MiB and 352 MiB a shard; alone, it holds them all."

  validation {
    condition     = var.consumer.memory >= 1024
    error_message = "consumer.memory must be at least 1024: KCL's daemon and two record processors take as much with a backlog."
  }
}

variable "operator" {
  type = object({
    cpu         = optional(number, 2048)
    memory      = optional(number, 8192)
    storage_gib = optional(number, 100)
  })
  description = "Size of a task that an operator starts for a rebuild or a verification: CPU units, MiB, and GiB of disk, onto which verify spills."
  default     = {}
}

variable "log_retention_days" {
  type        = number
  description = "How long logs are kept; one of the figures CloudWatch knows."

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "CloudWatch knows 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 and 731 days."
  }
}

variable "alarm_emails" {
  type        = set(string)
  description = "Who is told of alarms. AWS asks each by mail to confirm."
  default     = []

  validation {
    condition     = var.environment == "dev" || length(var.alarm_emails) > 0
    error_message = "alarm_emails must name somebody: outside dev nobody would hear of an alarm."
  }
}

variable "alarms_url" {
  type        = string
  description = "Where docs/alarms.md can be read; every alarm leads to its section there."
  default     = "docs/alarms.md"
}

variable "budget" {
  type        = bool
  description = "Whether AWS counts what the environment costs. An account's root must have let IAM users see billing first (docs/deploy.md)."
  default     = false
}

variable "monthly_budget_usd" {
  type        = number
  description = "With a budget: US dollars a month after which somebody is told."
}

variable "permissions_boundary" {
  type        = string
  description = "ARN of the policy that bounds every role; bootstrap makes one and its apply role asks for it."
  default     = null
}
