variable "tables" {
  type = map(object({
    role      = string
    hash_key  = string
    range_key = optional(string)
    index = optional(object({
      name       = string
      hash_key   = string
      range_key  = string
      projection = string
    }))
    types = optional(map(string), {})
  }))
  description = "Tables by name, as infra/resources.json defines them; role is the key under which it lists them. Keys are text unless types says otherwise."

  validation {
    condition     = alltrue([for name in keys(var.tables) : can(regex("^[a-zA-Z0-9_.-]{3,255}$", name))])
    error_message = "DynamoDB's table names have 3 to 255 letters, digits, _, - and dots."
  }
}

variable "point_in_time_recovery" {
  type        = bool
  description = "Whether every second of the last 35 days can be restored. KCL's own tables are left out."
}

variable "deletion_protection" {
  type        = bool
  description = "Whether AWS refuses to delete the tables."
}
