terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0" # exactly: modules allow >= 5.100, < 7.0, a root says what is tested
    }
  }

  # bucket, region and workspace_key_prefix are handed to `terraform init`. Each workspace has its own object:
  # <name>/<workspace>/environment.tfstate.
  backend "s3" {
    key          = "environment.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    # Environment is also what binds the rights of the roles that apply (bootstrap/network.tf).
    tags = merge(var.tags, {
      Project     = "telemetry"
      Environment = var.environment
      Owner       = var.owner
      ManagedBy   = "terraform"
    })
  }
}
