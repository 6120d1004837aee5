# What an environment is told of who may come in.

variable "keys" {
  type        = bool
  description = "Whether the API asks for keys. The first ones are made by `python -m infra.first_keys` (docs/deploy.md)."

  validation {
    condition     = var.keys || var.environment == "dev" || var.keyless
    error_message = "Outside dev the API asks for keys: without them whoever reaches it may write and read. Set keyless = true as well if that is meant."
  }
}

variable "keyless" {
  type        = bool
  description = "Says out loud that an environment beyond dev may have no keys."
  default     = false
}

variable "client_ca" {
  type = object({
    bucket = string
    key    = string
  })
  description = "For mutual TLS: where in S3 the certificates of the clients' authorities lie (modules/edge); a certificate's common name is the id of its key. null: none."
  default     = null

  validation {
    condition     = var.client_ca == null || var.keys
    error_message = "client_ca needs keys: a certificate names the key that says what its client may do."
  }
}

variable "request_limit" {
  type        = number
  description = "How many requests in five minutes an address may make before AWS WAF turns it away (modules/edge); null: no WAF."
  default     = null
}

variable "mqtt" {
  type        = bool
  description = "Whether AWS IoT Core puts what devices publish to sensors/<id>/temperature into the stream (modules/mqtt)."
  default     = false
}
