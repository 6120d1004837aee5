output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

# Whoever lies in a subnet waits for its ways out, and goes before them: AWS refuses a load balancer without a gateway, and a task
# without a route fetches no image.
output "public_subnet_ids" {
  description = "Where the load balancer lies."
  value       = [for subnet in aws_subnet.public : subnet.id]

  depends_on = [aws_internet_gateway.this, aws_route.internet, aws_route_table_association.public]
}

output "task_subnet_ids" {
  description = "Where tasks lie."
  value       = [for subnet in(var.egress == "public_ip" ? aws_subnet.public : aws_subnet.private) : subnet.id]

  depends_on = [
    aws_internet_gateway.this,
    aws_route.internet,
    aws_route.nat,
    aws_route_table_association.private,
    aws_route_table_association.public,
    aws_vpc_endpoint.gateway,
    aws_vpc_endpoint.interface,
    aws_vpc_security_group_ingress_rule.endpoints,
  ]
}

output "assign_public_ip" {
  description = "Whether tasks need a public address to reach AWS."
  value       = var.egress == "public_ip"
}
