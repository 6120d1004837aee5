# AWS WAF in front of the load balancer, for one purpose: an address that asks more often than anybody should is turned away before it
# costs us anything. A key's own rate is the API's (docs/security.md).

resource "aws_wafv2_web_acl" "this" {
  #checkov:skip=CKV2_AWS_31:What it turns away is counted; requests are in the load balancer's own log
  #checkov:skip=CKV_AWS_192:There is no Java that takes what a request says
  count = var.request_limit == null ? 0 : 1

  name        = var.prefix
  description = "Turns away addresses that ask too often"
  scope       = "REGIONAL"

  default_action {
    allow {}
  }

  rule {
    name     = "too-many-requests"
    priority = 1

    action {
      block {
        custom_response {
          response_code = 429

          response_header {
            name  = "Retry-After"
            value = "300"
          }
        }
      }
    }

    statement {
      rate_based_statement {
        limit                 = var.request_limit
        evaluation_window_sec = 300
        aggregate_key_type    = "IP"
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "${var.prefix}-too-many-requests"
      sampled_requests_enabled   = false # a request holds a key
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = var.prefix
    sampled_requests_enabled   = false
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  count = var.request_limit == null ? 0 : 1

  resource_arn = aws_lb.this.arn
  web_acl_arn  = aws_wafv2_web_acl.this[0].arn
}
