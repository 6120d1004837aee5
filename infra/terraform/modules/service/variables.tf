variable "prefix" {
  type        = string
  description = "Begins the names of what is made here, for example telemetry-dev."
}

variable "name" {
  type        = string
  description = "The process: api, consumer or an archiver. Also the container's name."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.name))
    error_message = "name must be of lower-case letters, digits and dashes, and begin with a letter."
  }
}

variable "cluster_arn" {
  type        = string
  description = "The ECS cluster."
}

variable "cluster_name" {
  type        = string
  description = "The ECS cluster's name, by which autoscaling knows it."
}

variable "image" {
  type        = string
  description = "The container image with a tag that never moves, or a digest."

  validation {
    condition     = can(regex("(:[\\w.-]+|@sha256:[0-9a-f]{64})$", var.image)) && !endswith(var.image, ":latest")
    error_message = "image must end with a tag other than latest, or with a digest."
  }
}

variable "entry_point" {
  type        = list(string)
  description = "What runs the command; said here, so that it does not depend on the image's own."
}

variable "command" {
  type        = list(string)
  description = "The command's words."
}

variable "health_command" {
  type        = list(string)
  description = "Exit status 0 while the process is well; begins with CMD or CMD-SHELL."

  validation {
    condition     = contains(["CMD", "CMD-SHELL"], var.health_command[0])
    error_message = "health_command must begin with CMD or CMD-SHELL."
  }
}

variable "environment" {
  type        = map(string)
  description = "The process's settings (docs/settings.md)."
}

variable "cpu" {
  type        = number
  description = "CPU units; 1024 are one virtual CPU."

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096], var.cpu)
    error_message = "Fargate has 256, 512, 1024, 2048 or 4096 units."
  }
}

variable "architecture" {
  type        = string
  description = "What the image is built for: arm64 or amd64."

  validation {
    condition     = contains(["arm64", "amd64"], var.architecture)
    error_message = "architecture must be arm64 or amd64."
  }
}

variable "capacity" {
  type        = string
  description = "FARGATE, or FARGATE_SPOT for tasks that may end at any time."

  validation {
    condition     = contains(["FARGATE", "FARGATE_SPOT"], var.capacity)
    error_message = "capacity must be FARGATE or FARGATE_SPOT."
  }
}

variable "memory" {
  type        = number
  description = "Memory in MiB; Fargate allows two to eight times the CPU units."

  validation {
    condition     = var.memory >= 2 * var.cpu && var.memory <= 8 * var.cpu
    error_message = "memory must be two to eight times cpu."
  }
}

variable "stop_timeout_s" {
  type        = number
  description = "Seconds between SIGTERM and SIGKILL; must be longer than the process needs to stop in order."

  validation {
    condition     = var.stop_timeout_s >= 30 && var.stop_timeout_s <= 120
    error_message = "Fargate waits at most 120 s; below 30 s our processes would be cut short."
  }
}

variable "start_period_s" {
  type        = number
  description = "Seconds after the start in which failing health checks do not count."
}

variable "execution_role_arn" {
  type        = string
  description = "Role of Fargate's agent."
}

variable "task_role_arn" {
  type        = string
  description = "Role of the process."
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

variable "port" {
  type        = number
  description = "The port the process listens on, or null."
  default     = null
}

variable "load_balancer" {
  type = object({
    security_group_id = string
    target_group_arn  = string
    resource_label    = string
  })
  description = "The load balancer in front, or null. resource_label is what autoscaling calls it."
  default     = null
}

variable "log_group_name" {
  type        = string
  description = "Where the process's output goes."
}

variable "log_retention_days" {
  type        = number
  description = "How long its output is kept."
}

variable "tasks_min" {
  type        = number
  description = "The least number of tasks."

  validation {
    condition     = var.tasks_min >= 1
    error_message = "With no task there is no service."
  }
}

variable "tasks_max" {
  type        = number
  description = "The greatest number of tasks."

  validation {
    condition     = var.tasks_max >= var.tasks_min
    error_message = "tasks_max must not be below tasks_min."
  }
}

variable "scaling" {
  type = object({
    cpu_percent         = optional(number)
    requests_per_minute = optional(number)
    lag = optional(object({
      namespace = string
      name      = string
    }))
  })
  description = "What the number of tasks follows: mean CPU, requests per task, and a metric of the lag in milliseconds; nothing: it stays."
  default     = {}
}

variable "deployment" {
  type = object({
    minimum_percent = number
    maximum_percent = number
  })
  # New tasks first, then the old ones go. Two versions of the consumer may work at once: rows are written conditionally.
  description = "How many tasks run while they are replaced, in percent of those wanted."
  default     = { minimum_percent = 100, maximum_percent = 200 }

  validation {
    condition     = var.deployment.minimum_percent >= 0 && var.deployment.minimum_percent < var.deployment.maximum_percent
    error_message = "deployment.minimum_percent must be below maximum_percent, or no task can be replaced."
  }
}

variable "after" {
  type        = list(string)
  description = "Anything that must be there before the first task starts."
  default     = []
}
