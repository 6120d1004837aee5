variable "prefix" {
  type        = string
  description = "Begins the name of everything made here, and is the namespace of our own metrics."
}

variable "environment" {
  type        = string
  description = "The environment, as its tag says it."
}

variable "account_id" {
  type        = string
  description = "The AWS account."
}

variable "alarm_emails" {
  type        = set(string)
  description = "Who is told of alarms."

  validation {
    condition     = alltrue([for email in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+$", email))])
    error_message = "alarm_emails must be e-mail addresses."
  }
}

variable "monthly_budget_usd" {
  type        = number
  description = "US dollars a month; told at 80 % spent and when more than all of it is forecast. null: nothing is counted."

  validation {
    condition     = var.monthly_budget_usd == null || coalesce(var.monthly_budget_usd, 0) > 0
    error_message = "The budget must be above 0."
  }
}

variable "stream_name" {
  type        = string
  description = "The stream."
}

variable "retention_hours" {
  type        = number
  description = "How long the stream keeps records."
}

variable "readings_table" {
  type        = string
  description = "The live generation's table of readings."
}

variable "stats_table" {
  type        = string
  description = "The live generation's table of statistics, where the progress rows are."
}

variable "stats_index" {
  type        = string
  description = "That table's index."
}

variable "lease_table" {
  type        = string
  description = "KCL's leases of the live generation."
}

variable "dead_letters_table" {
  type        = string
  description = "What could not be applied. Nothing but dead letters is ever put there by BatchWriteItem."
}

variable "consumer_log_group" {
  type        = string
  description = "Where the consumer's supervisor logs."
}

variable "shards" {
  type        = number
  description = "The stream's number of shards."
}

variable "canary_log_group" {
  type        = string
  description = "Where the canary logs, or null where there is none."
  default     = null
}

variable "alarms_url" {
  type        = string
  description = "Where it says what to do at an alarm; its name follows as an anchor."
}

variable "archiver_log_groups" {
  type        = map(string)
  description = "Where the archivers log, by their services' names; empty without an archive."
  default     = {}
}

variable "cluster_name" {
  type        = string
  description = "The ECS cluster."
}

variable "service_names" {
  type        = list(string)
  description = "The services in it."
}

variable "after" {
  type        = list(string)
  description = "What alarms look at: they are taken down before it, so that nobody is told of that."
  default     = []
}

variable "load_balancer_dimensions" {
  type = object({
    LoadBalancer = string
    TargetGroup  = string
  })
  description = "What CloudWatch calls load balancer and targets."
}
