# What an environment is told of its archive.

variable "archive" {
  type        = bool
  description = "Whether the log is also kept in S3, beyond the stream's retention."
}

variable "archive_kms_key_arn" {
  type        = string
  description = "ARN of the KMS key that encrypts the archive, or null for S3's own key (modules/archive)."
  default     = null
}

variable "archive_object_lock" {
  type = object({
    mode = string
    days = number
  })
  description = "How long nobody can delete from the archive, or null (modules/archive). Once switched on it stays on."
  default     = null
}

variable "readings_from" {
  type        = string
  description = "The first day that Athena looks for in the archive."
  default     = "2020-01-01"
}

variable "athena_scan_limit_gib" {
  type        = number
  description = "What a query of Athena may read at most, in GiB."
  default     = 100
}

variable "archiver" {
  type = object({
    cpu    = number
    memory = number
    shares = number
  })
  description = "Size of an archiver's task, and how many share the shards; where there is an archive."

  # ARCHIVE_HELD_BYTES of objects under way, one of them copied while it is put, and the interpreter.
  validation {
    condition     = var.archiver.memory >= 1024
    error_message = "archiver.memory must be at least 1024: an archiver holds 256 MB of objects."
  }

  validation {
    condition     = var.archiver.shares >= 1 && var.archiver.shares <= 100 && floor(var.archiver.shares) == var.archiver.shares
    error_message = "archiver.shares must be a whole number, 1 to 100."
  }
}
