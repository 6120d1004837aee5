variable "definition" {
  type = object({
    name            = string
    shards          = number
    retention_hours = number
  })
  description = "The stream as infra/resources.json defines it."

  validation {
    condition     = var.definition.retention_hours >= 24 && var.definition.retention_hours <= 8760
    error_message = "Kinesis keeps records for 24 to 8760 hours."
  }
}

variable "shards" {
  type        = number
  description = "Number of shards, when it differs from the definition. Changing it reshards the running stream."
  default     = null

  validation {
    condition     = var.shards == null || coalesce(var.shards, 1) >= 1
    error_message = "A stream has at least one shard."
  }
}
