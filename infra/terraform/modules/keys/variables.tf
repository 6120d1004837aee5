variable "prefix" {
  type        = string
  description = "Begins the secrets' names, for example telemetry-prod."
}

variable "canary" {
  type        = bool
  description = "Whether there is a canary, which needs keys of its own."
}

variable "deletion_protection" {
  type        = bool
  description = "Whether a deleted secret can be had back for 30 days."
}
