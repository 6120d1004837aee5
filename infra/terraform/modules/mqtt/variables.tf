variable "prefix" {
  type        = string
  description = "Begins the names of rule, role and log group, for example telemetry-dev."
}

variable "account_id" {
  type        = string
  description = "The AWS account."
}

variable "stream_name" {
  type        = string
  description = "The stream."
}

variable "log_retention_days" {
  type        = number
  description = "How long it is kept what Kinesis did not take."
}

variable "permissions_boundary" {
  type        = string
  description = "ARN of the policy that bounds every role, or null."
  default     = null
}
