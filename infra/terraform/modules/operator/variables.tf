variable "prefix" {
  type        = string
  description = "Begins the names of what is made here, for example telemetry-dev."
}

variable "image" {
  type        = string
  description = "The container image: the consumer's, since a rebuild runs a consumer."
}

variable "architecture" {
  type        = string
  description = "What it is built for: arm64 or amd64."
}

variable "environment" {
  type        = map(string)
  description = "Its settings."
}

variable "execution_role_arn" {
  type        = string
  description = "Role of Fargate's agent."
}

variable "task_role_arn" {
  type        = string
  description = "Role of the operator."
}

variable "log_group_name" {
  type        = string
  description = "Where its output goes."
}

variable "log_retention_days" {
  type        = number
  description = "How long its output is kept."
}

variable "cpu" {
  type        = number
  description = "CPU units, 1024 each vCPU: a rebuild fills by one process, and KCL runs beside it."
}

variable "memory" {
  type        = number
  description = "MiB; a rebuild's consumer holds all shards, 352 MiB each."
}

variable "storage_gib" {
  type        = number
  description = "Disk for all that it writes to /tmp, gone with the task."

  validation {
    condition     = var.storage_gib >= 21 && var.storage_gib <= 200 && floor(var.storage_gib) == var.storage_gib
    error_message = "storage_gib must be a whole number from 21 to 200: Fargate knows no other."
  }
}
