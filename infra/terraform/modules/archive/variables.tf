variable "prefix" {
  type        = string
  description = "Begins the name of everything made here, for example telemetry-dev."
}

variable "account_id" {
  type        = string
  description = "The AWS account; it makes the bucket's name unique in the world."
}

variable "stream_name" {
  type        = string
  description = "The stream whose records are kept."
}

variable "stream_arn" {
  type        = string
  description = "The stream's ARN, from the stream itself, so that it is there first."
}

variable "log_retention_days" {
  type        = number
  description = "How long the delivery's error messages are kept."
}

variable "permissions_boundary" {
  type        = string
  description = "ARN of the policy that bounds every role, or null."
  default     = null
}
