variable "prefix" {
  type        = string
  description = "Begins the names of what is made here, for example telemetry-dev."
}

variable "cluster_arn" {
  type        = string
  description = "The ECS cluster."
}

variable "cluster_name" {
  type        = string
  description = "The ECS cluster's name."
}

variable "service_name" {
  type        = string
  description = "The API's service in it."
}

variable "port" {
  type        = number
  description = "The port that the API listens on."
}

variable "security_group_id" {
  type        = string
  description = "The API's security group, which lets the canary in."
}

variable "image" {
  type        = string
  description = "The container image: the API's."
}

variable "architecture" {
  type        = string
  description = "What it is built for: arm64 or amd64."
}

variable "capacity" {
  type        = string
  description = "FARGATE or FARGATE_SPOT."
}

variable "execution_role_arn" {
  type        = string
  description = "Role of Fargate's agent."
}

variable "task_role_arn" {
  type        = string
  description = "Role of the canary."
}

variable "scheduler_role_arn" {
  type        = string
  description = "Role of who starts it."
}

variable "vpc_id" {
  type        = string
  description = "The VPC."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Where tasks lie."
}

variable "assign_public_ip" {
  type        = bool
  description = "Whether tasks need a public address to reach AWS."
}

variable "log_group_name" {
  type        = string
  description = "Where its output goes."
}

variable "log_retention_days" {
  type        = number
  description = "How long its output is kept."
}

variable "every_minutes" {
  type        = number
  description = "How often it flies."
  default     = 5

  validation {
    condition     = var.every_minutes >= 2 && floor(var.every_minutes) == var.every_minutes
    error_message = "every_minutes must be a whole number, 2 or more."
  }
}

variable "keys_secret_arn" {
  type        = string
  description = "Where its keys are (infra/first_keys.py), or null where the API asks for none."
  default     = null
}
