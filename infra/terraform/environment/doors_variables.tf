# What an environment is told of who may come in.

variable "keys" {
  type        = bool
  description = "Whether the API asks for keys. The first ones are made by `python -m infra.first_keys` (docs/deploy.md)."
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
