variable "prefix" {
  type        = string
  description = "Begins the name of everything made here, for example telemetry-dev."
}

variable "account_id" {
  type        = string
  description = "The AWS account; it makes the buckets' names unique in the world."
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key that encrypts the log, in this region; null for S3's own. Who loses the key loses the log."
  default     = null

  # By its id, not an alias: the archiver's policy names the key.
  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be a key's ARN, like arn:aws:kms:eu-west-1:123456789012:key/1234abcd-…, no alias."
  }
}

variable "object_lock" {
  type = object({
    mode = string
    days = number
  })
  description = "How long nobody can delete an object once it is put; null for no lock. It holds for the bucket, so overwritten states and days stay as long too."
  default     = null

  validation {
    condition     = var.object_lock == null || contains(["GOVERNANCE", "COMPLIANCE"], try(var.object_lock.mode, ""))
    error_message = "object_lock.mode must be GOVERNANCE, which a right of its own gets past, or COMPLIANCE, which nobody does."
  }

  # AWS's bound is a hundred years (S3 User Guide, "Object Lock considerations").
  validation {
    condition     = var.object_lock == null || try(var.object_lock.days >= 1 && var.object_lock.days <= 36500 && floor(var.object_lock.days) == var.object_lock.days, false)
    error_message = "object_lock.days must be whole days, 1 to 36500."
  }
}

variable "readings_from" {
  type        = string
  description = "The first day that Athena looks for; readings measured before are in the log, but not in its table."
  default     = "2020-01-01"

  validation {
    condition     = can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", var.readings_from)) && can(timeadd("${var.readings_from}T00:00:00Z", "0s"))
    error_message = "readings_from must be a day like 2020-01-01."
  }
}

variable "athena_scan_limit_gib" {
  type        = number
  description = "What a query may read at most, in GiB; Athena bills what is read."
  default     = 100

  # AWS's least is 10,000,000 bytes (CreateWorkGroup, BytesScannedCutoffPerQuery).
  validation {
    condition     = var.athena_scan_limit_gib >= 1 && floor(var.athena_scan_limit_gib) == var.athena_scan_limit_gib
    error_message = "athena_scan_limit_gib must be a whole number, 1 or more."
  }
}
