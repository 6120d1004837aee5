terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0" # exactly: modules allow >= 5.100, < 7.0, a root says what is tested
    }
  }

  # No backend: this makes the bucket that backends need. README.md says how its own state gets there afterwards.
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      Project   = "telemetry"
      Owner     = var.owner
      ManagedBy = "terraform"
    }
  }
}
