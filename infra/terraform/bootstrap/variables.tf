variable "name" {
  type        = string
  description = "Begins all names; the same as the environments' own variable of this name."
  default     = "telemetry"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.name))
    error_message = "name must be 2 to 16 lower-case letters, digits and dashes, and begin with a letter."
  }
}

variable "account_id" {
  type        = string
  description = "The AWS account. Credentials of any other are refused."

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits."
  }
}

variable "region" {
  type        = string
  description = "The AWS region."
  default     = "eu-west-1"
}

variable "owner" {
  type        = string
  description = "Who answers for what is made here; a tag on everything."
}

variable "github_repository" {
  type        = string
  description = "The GitHub repository whose workflows deploy, as owner/name."

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must look like owner/name, without wildcards."
  }
}

variable "github_ids" {
  type = object({
    owner      = string
    repository = string
  })
  description = "GitHub's numbers for owner and repository, which tokens of repositories made since 15 July 2026 carry (docs/deploy.md); null for others."
  default     = null

  validation {
    condition     = var.github_ids == null || try(can(regex("^[0-9]+$", var.github_ids.owner)) && can(regex("^[0-9]+$", var.github_ids.repository)), false)
    error_message = "github_ids must be two numbers, as `gh api repos/owner/name --jq '[.owner.id, .id]'` tells them."
  }
}

variable "environments" {
  type        = set(string)
  description = "The environments that lie in this account."
  default     = ["dev", "staging", "prod"]

  validation {
    condition     = length(setsubtract(var.environments, ["dev", "staging", "prod"])) == 0
    error_message = "The environments are dev, staging and prod."
  }
}

variable "protected_environments" {
  type        = set(string)
  description = "Environments whose apply role may not delete stream, tables and archive, nor the policy that guards the archive; no pull request plans them."
  default     = ["prod"]
}

variable "repository_name" {
  type        = string
  description = "The ECR repository's name."
  default     = "telemetry-pipeline"
}

variable "domains" {
  type = map(object({
    name    = string
    zone_id = string
  }))
  description = "By environment, the API's host name and its Route 53 zone: what the apply role may write there. An environment without one has no HTTPS."
  default     = {}

  validation {
    condition     = alltrue([for env, domain in var.domains : contains(var.environments, env) && can(regex("^[a-z0-9-]+([.][a-z0-9-]+)+$", domain.name))])
    error_message = "domains are given by environment, each with a lower-case host name."
  }
}

variable "endpoint_environments" {
  type        = set(string)
  description = "Environments with interface endpoints (egress endpoints, or kinesis_endpoint), whose names Route 53 answers within the VPC."
  default     = []
}

variable "reader_account_ids" {
  type        = set(string)
  description = "Other accounts that fetch images from this one's repository."
  default     = []

  validation {
    condition     = alltrue([for id in var.reader_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "reader_account_ids must be of 12 digits each."
  }
}
