variable "prefix" {
  type        = string
  description = "Begins the names of the roles, for example telemetry-dev."
}

variable "account_id" {
  type        = string
  description = "The AWS account."
}

variable "stream_name" {
  type        = string
  description = "The stream."
}

variable "table_names" {
  type        = map(list(string))
  description = "Names of the tables by role, one for each generation."

  validation {
    condition = length(setsubtract(
      ["readings", "stats", "dead_letters", "generations", "keys", "leases", "coordinator", "workers"], keys(var.table_names)
    )) == 0
    error_message = "table_names must name readings, stats, dead_letters, generations, keys, leases, coordinator and workers."
  }
}

variable "index_names" {
  type        = map(string)
  description = "Names of the tables' indexes by the role of their table."

  validation {
    condition     = length(setsubtract(["leases", "stats"], keys(var.index_names))) == 0
    error_message = "index_names must name the indexes of leases and stats."
  }
}

variable "archive_bucket" {
  type = object({
    name        = string
    kms_key_arn = string
  })
  description = "The archive's bucket and the key it is encrypted with, or null for S3's own; null where there is no archive."
  default     = null
}

variable "repository_name" {
  type        = string
  description = "The ECR repository that images are fetched from."
}

variable "registry" {
  type        = string
  description = "Region and account of that repository, as ARNs have them: eu-west-1:123456789012."
}

variable "log_group_names" {
  type        = list(string)
  description = "Log groups of the processes."
}

variable "canary" {
  type        = bool
  description = "Whether there are roles for a canary and for who starts it."
  default     = false
}

variable "keys" {
  type        = bool
  description = "Whether the API asks for keys, so that a canary needs some."
  default     = false
}

variable "flow_logs" {
  type        = bool
  description = "Whether there is a role that writes the network's flow logs."
  default     = false
}

variable "permissions_boundary" {
  type        = string
  description = "ARN of the policy that bounds every role, or null."
  default     = null
}
