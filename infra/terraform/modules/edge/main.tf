# The load balancer, and with a domain also certificate, HTTPS and DNS. Without one it speaks HTTP, to try the system out.

locals {
  https   = var.domain != null
  tls_set = local.https ? toset(["https"]) : toset([])
}

resource "aws_security_group" "this" {
  name        = "${var.prefix}-load-balancer"
  description = "Who may reach the load balancer"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.prefix}-load-balancer" }
}

resource "aws_vpc_security_group_ingress_rule" "allowed" {
  for_each = { for pair in setproduct(var.allowed_cidrs, local.https ? ["80", "443"] : ["80"]) : join(" ", pair) => pair }

  security_group_id = aws_security_group.this.id
  description       = "Sensors, dashboards and analysts"
  cidr_ipv4         = each.value[0]
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value[1])
  to_port           = tonumber(each.value[1])
}

resource "aws_lb" "this" {
  #checkov:skip=CKV_AWS_91:A variable; on wherever it matters
  #checkov:skip=CKV2_AWS_28:A variable; allowed_cidrs says who may reach it, and there is no world-open default
  #checkov:skip=CKV2_AWS_76:There is no Java that takes what a request says
  #checkov:skip=CKV2_AWS_20:Redirects to HTTPS when there is a domain; without one there can be no certificate
  name                       = var.prefix
  load_balancer_type         = "application"
  subnets                    = var.subnet_ids
  security_groups            = [aws_security_group.this.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
  idle_timeout               = 60

  dynamic "access_logs" {
    for_each = aws_s3_bucket_policy.logs # AWS tries whether it may write

    content {
      bucket  = access_logs.value.bucket
      enabled = true
    }
  }
}

resource "aws_lb_target_group" "api" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; behind it lies a private network that only the load balancer may call into
  name        = "${var.prefix}-api"
  target_type = "ip"
  protocol    = "HTTP"
  port        = var.port
  vpc_id      = var.vpc_id

  # A target that is taken out gets SIGTERM after this; requests need no longer than the writer's deadline and some.
  deregistration_delay = 15

  # Not /readyz: ECS replaces tasks whose target is unhealthy, so a fault of Kinesis or DynamoDB would restart all of them for
  # nothing. A task that answers /livez has reached stream and tables once, or it would not have started.
  health_check {
    path                = "/livez"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "http" {
  #checkov:skip=CKV_AWS_2:Redirects to HTTPS when there is a domain; without one there can be no certificate
  #checkov:skip=CKV_AWS_103:As above
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTP"
  port              = 80

  default_action {
    type             = local.https ? "redirect" : "forward"
    target_group_arn = local.https ? null : aws_lb_target_group.api.arn

    dynamic "redirect" {
      for_each = local.tls_set

      content {
        protocol    = "HTTPS"
        port        = "443"
        status_code = "HTTP_301"
      }
    }
  }
}

resource "aws_lb_listener" "https" {
  for_each = local.tls_set

  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTPS"
  port              = 443
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate_validation.this[each.key].certificate_arn

  dynamic "mutual_authentication" {
    for_each = aws_lb_trust_store.clients

    content {
      mode            = "verify"
      trust_store_arn = mutual_authentication.value.arn
    }
  }

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.api.arn
  }
}

resource "aws_acm_certificate" "this" {
  for_each = local.tls_set

  domain_name       = var.domain.name
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "validation" {
  for_each = { for key in local.tls_set : key => one(aws_acm_certificate.this[key].domain_validation_options) }

  zone_id = var.domain.zone_id
  name    = each.value.resource_record_name
  type    = each.value.resource_record_type
  records = [each.value.resource_record_value]
  ttl     = 300
}

resource "aws_acm_certificate_validation" "this" {
  for_each = local.tls_set

  certificate_arn         = aws_acm_certificate.this[each.key].arn
  validation_record_fqdns = [aws_route53_record.validation[each.key].fqdn]
}

resource "aws_route53_record" "api" {
  for_each = local.tls_set

  zone_id = var.domain.zone_id
  name    = var.domain.name
  type    = "A"

  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = true
  }
}
