output "url" {
  description = "Where the API is."
  value       = var.domain == null ? "http://${aws_lb.this.dns_name}" : "https://${var.domain.name}"
}

output "load_balancer" {
  description = "What a service behind it needs to know."
  value = {
    security_group_id = aws_security_group.this.id
    target_group_arn  = aws_lb_target_group.api.arn
    resource_label    = "${aws_lb.this.arn_suffix}/${aws_lb_target_group.api.arn_suffix}"
  }

  # A service cannot be made before its target group has a listener.
  depends_on = [aws_lb_listener.http, aws_lb_listener.https]
}

output "dimensions" {
  description = "What CloudWatch calls load balancer and targets."
  value = {
    LoadBalancer = aws_lb.this.arn_suffix
    TargetGroup  = aws_lb_target_group.api.arn_suffix
  }
}
