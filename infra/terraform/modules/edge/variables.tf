variable "prefix" {
  type        = string
  description = "The load balancer's name, and the beginning of its parts' names."

  validation {
    condition     = can(regex("^[a-zA-Z0-9-]{1,28}$", var.prefix))
    error_message = "AWS allows letters, digits and dashes here, and 32 of them with the longest ending (-api)."
  }
}

variable "vpc_id" {
  type        = string
  description = "The VPC."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Public subnets, in two zones at least."
}

variable "port" {
  type        = number
  description = "The port the API listens on."
}

variable "allowed_cidrs" {
  type        = list(string)
  description = "IPv4 ranges that may reach the load balancer."

  validation {
    condition     = length(var.allowed_cidrs) > 0 && alltrue([for cidr in var.allowed_cidrs : can(cidrnetmask(cidr))])
    error_message = "allowed_cidrs must hold at least one IPv4 range, for example 203.0.113.0/24."
  }
}

variable "domain" {
  type = object({
    name    = string
    zone_id = string
  })
  description = "The API's host name and the id of the Route 53 zone it lies in; null for HTTP alone."
  default     = null
}

variable "deletion_protection" {
  type        = bool
  description = "Whether AWS refuses to delete the load balancer."
}

variable "account_id" {
  type        = string
  description = "The AWS account; it makes the name of the logs' bucket unique in the world."
}

variable "access_logs" {
  type        = bool
  description = "Whether every request is written down."
  default     = false
}

variable "log_retention_days" {
  type        = number
  description = "How long that is kept."
  default     = 90
}

variable "client_ca" {
  type = object({
    bucket = string
    key    = string
  })
  description = "Where in S3 the certificates lie (PEM) of the authorities whose clients are let in, and nobody else; null for no mutual TLS."
  default     = null

  validation {
    condition     = var.client_ca == null || var.domain != null
    error_message = "client_ca needs a domain: without HTTPS nobody shows a certificate."
  }
}

variable "request_limit" {
  type        = number
  description = "How many requests in five minutes an address may make before AWS WAF turns it away; null for no WAF."
  default     = null

  validation {
    condition     = var.request_limit == null || try(var.request_limit >= 10 && var.request_limit <= 2000000000 && floor(var.request_limit) == var.request_limit, false)
    error_message = "request_limit must be a whole number, 10 to 2,000,000,000, or null."
  }
}
