# Mutual TLS: the load balancer lets in whoever has a certificate of these authorities, and tells the API whose it is in headers that it
# alone sets (Elastic Load Balancing User Guide, "Mutual authentication with TLS in Application Load Balancer").

resource "aws_lb_trust_store" "clients" {
  count = var.client_ca == null ? 0 : 1

  name                             = var.prefix
  ca_certificates_bundle_s3_bucket = var.client_ca.bucket
  ca_certificates_bundle_s3_key    = var.client_ca.key
}
